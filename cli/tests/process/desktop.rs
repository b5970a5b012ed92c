//! A desktop session without a desktop: a session bus and GNOME's keyring on it, ended with the value.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Longer than a bus or a keyring ever takes to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bus that starts nothing by itself, unlike that of a real session.
const BUS: &str = r#"<busconfig><type>session</type><listen>unix:path=SOCKET</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>"#;

/// The session.
pub struct Desktop {
    folder: TempDir,
    bus: Option<Child>,
    keyring: Option<Child>,
}

impl Desktop {
    /// A bus with an unlocked keyring.
    pub fn new() -> Self {
        let mut desktop = Self::without_keyring();
        desktop.start_keyring();
        desktop
    }

    /// A bus, and nobody on it.
    pub fn without_keyring() -> Self {
        let mut desktop = Self { folder: tempfile::tempdir().unwrap(), bus: None, keyring: None };
        desktop.start_bus();
        desktop
    }

    fn start_bus(&mut self) {
        let config = self.folder.path().join("bus.conf");
        fs::write(&config, BUS.replace("SOCKET", &self.socket().display().to_string())).unwrap();
        let mut bus = Command::new("dbus-daemon");
        bus.arg("--nofork").arg("--config-file").arg(config).stderr(Stdio::null());
        self.bus = Some(bus.spawn().expect("dbus-daemon: `cargo xtask test` installs it"));
        wait_until(|| self.socket().exists());
    }

    /// Starts the keyring, unlocked with the session's password; what it kept is there again.
    pub fn start_keyring(&mut self) {
        let mut daemon = Command::new("gnome-keyring-daemon");
        daemon.args(["--unlock", "--foreground", "--components=secrets"]);
        let home = self.folder.path();
        daemon.env("HOME", home).env("XDG_DATA_HOME", home).env("XDG_RUNTIME_DIR", home);
        daemon.env("DBUS_SESSION_BUS_ADDRESS", self.address());
        daemon.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = daemon.spawn().expect("gnome-keyring-daemon: `cargo xtask test` installs it");
        daemon.stdin.take().unwrap().write_all(b"the desktop's password").unwrap();
        self.keyring = Some(daemon);
        wait_until(|| {
            let names = self.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "ListNames", &[]);
            text(&names).contains("org.freedesktop.secrets")
        });
    }

    /// Ends the whole session, as signing out of the desktop does.
    pub fn end(&mut self) {
        for mut child in self.keyring.take().into_iter().chain(self.bus.take()) {
            // It may have ended before.
            let _ended = child.kill();
            let _status = child.wait();
        }
        let _gone = fs::remove_file(self.socket());
    }

    /// Signs in to the desktop again.
    pub fn begin_again(&mut self) {
        self.start_bus();
        self.start_keyring();
    }

    /// Locks the keyring, as a screen lock may.
    pub fn lock(&self) {
        let collection = "array:objpath:/org/freedesktop/secrets/collection/login";
        let done =
            self.call("/org/freedesktop/secrets", "org.freedesktop.Secret.Service", "Lock", &[collection]);
        assert!(done.status.success(), "{done:?}");
    }

    /// How many keys of this program the keyring has.
    pub fn keys(&self) -> usize {
        let ours = "dict:string:string:application,sealpost";
        let found =
            self.call("/org/freedesktop/secrets", "org.freedesktop.Secret.Service", "SearchItems", &[ours]);
        assert!(found.status.success(), "{found:?}");
        text(&found).matches("object path").count()
    }

    /// What the keyring has written.
    pub fn files(&self) -> PathBuf {
        self.folder.path().join("keyrings")
    }

    /// Where the bus is.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("bus")
    }

    fn call(&self, object: &str, interface: &str, method: &str, arguments: &[&str]) -> Output {
        let service =
            if object.contains("secrets") { "org.freedesktop.secrets" } else { "org.freedesktop.DBus" };
        let mut call = Command::new("dbus-send");
        call.arg(format!("--bus={}", self.address())).arg(format!("--dest={service}"));
        call.args(["--print-reply", object, &format!("{interface}.{method}")]).args(arguments);
        call.output().expect("dbus-send")
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.end();
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn wait_until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "the desktop session does not start");
        sleep(Duration::from_millis(20));
    }
}
