//! A server process, and people with homes of their own.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use sealpost_tests::{postgres::TestDatabase, watch::Watch};
use serde_json::Value;
use tempfile::TempDir;

use crate::shapes;

/// The program under test.
pub const SEALPOST: &str = env!("CARGO_BIN_EXE_sealpost");

/// The program without anything that this environment would tell it.
pub fn sealpost() -> Command {
    let mut command = Command::new(SEALPOST);
    for (name, _) in std::env::vars() {
        if name.starts_with("SEALPOST_") || name.starts_with("XDG_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    // Nobody's own keyring is written to; a test that wants one brings it.
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    command.stdin(Stdio::null());
    command
}

/// `sealpost serve`, ended with this value.
pub struct Server {
    child: Child,
    /// Where clients reach it: over plain HTTP by way of the watch.
    pub url: String,
    /// Holds what is said over plain HTTP to the OpenAPI document. It goes with the server and comes back with it.
    watch: Option<Watch>,
    watched: Option<SocketAddr>,
    /// At its first start.
    pub setup_token: Option<String>,
    /// What it said when it had started.
    pub started: Value,
    arguments: Vec<String>,
}

impl Server {
    /// Starts on a free port with these arguments besides.
    pub fn start(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self::launch("127.0.0.1:0", arguments, (Ipv4Addr::LOCALHOST, 0).into())
    }

    fn launch(listen: &str, arguments: Vec<String>, watched: SocketAddr) -> Self {
        let mut command = sealpost();
        command.args(["serve", "--json", "--listen", listen]).args(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("serve said {line:?}"));
        let own_url = text(&started, "url");
        let address = own_url.strip_prefix("http://").map(|address| address.parse().unwrap());
        let watch = address.map(|address| Watch::at(watched, address));
        let watched = watch.as_ref().map(Watch::address);
        let url = watch.as_ref().map_or(own_url, Watch::url);
        let setup_token = started["setup_token"].as_str().map(str::to_owned);
        Self { child, url, watch, watched, setup_token, started, arguments }
    }

    /// Where it listens itself.
    fn listens(&self) -> String {
        text(&self.started, "url").split("://").nth(1).unwrap().to_owned()
    }

    /// Ends it as a power cut would (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.watch.take();
    }

    /// Where clients will look for it.
    fn place(&self) -> SocketAddr {
        self.watched.unwrap_or((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts it again on the same port and data.
    pub fn start_again(&mut self) {
        self.kill();
        let arguments = std::mem::take(&mut self.arguments);
        *self = Self::launch(&self.listens(), arguments, self.place());
    }

    /// The same with arguments that count for this start only.
    pub fn start_again_with(&mut self, besides: &[&str]) {
        self.kill();
        let arguments = std::mem::take(&mut self.arguments);
        let besides = besides.iter().map(ToString::to_string);
        let all = arguments.iter().cloned().chain(besides).collect();
        *self = Self::launch(&self.listens(), all, self.place());
        self.arguments = arguments;
    }

    /// Asks it to stop (SIGTERM); whether it did so in good order.
    pub fn terminate(&mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended before, by the test's own wish.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// What a command did.
pub struct Done {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl std::fmt::Debug for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start = &self.stdout[..self.stdout.len().min(2_000)];
        write!(f, "exit {}\n{}\n{}", self.code, String::from_utf8_lossy(start), self.stderr)
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("an exit code, not a signal"),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
        }
    }
}

impl Done {
    /// Asserts success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Standard output of a successful `--json` command: exactly one JSON document.
    #[track_caller]
    pub fn json(self) -> Value {
        let done = self.ok();
        serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.text()))
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Asserts how a `--json` command failed: exit code, stable code, and that message and hint help a person.
    #[track_caller]
    pub fn fails(&self, exit: i32, code: &str) -> Value {
        assert_eq!(self.code, exit, "{self:?}");
        let line = self.stderr.lines().rfind(|line| line.starts_with("{\"error\"")).unwrap_or_else(|| {
            panic!("no error document: {self:?}");
        });
        let error = serde_json::from_str::<Value>(line).unwrap()["error"].clone();
        assert_eq!(text(&error, "code"), code, "{self:?}");
        assert!(!text(&error, "message").is_empty());
        error
    }
}

/// A person's home folder and password.
pub struct Home {
    /// Where it is.
    pub path: PathBuf,
    server: String,
    /// The password file's path.
    pub password_file: PathBuf,
}

impl Home {
    /// An empty one below `folder`.
    pub fn new(folder: &Path, name: &str, server: &str) -> Self {
        let path = folder.join(name);
        fs::create_dir_all(&path).unwrap();
        let password_file = folder.join(format!("{name}.password"));
        fs::write(&password_file, format!("correct horse of {name}\n")).unwrap();
        Self { path, server: server.to_owned(), password_file }
    }

    /// The same person and password with another home folder.
    pub fn in_folder(&self, path: &Path) -> Self {
        Self { path: path.to_owned(), server: self.server.clone(), password_file: self.password_file.clone() }
    }

    /// A command of this person.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = sealpost();
        command.env("SEALPOST_SERVER", &self.server).arg("--home").arg(&self.path);
        command.arg("--password-file").arg(&self.password_file).args(arguments);
        command
    }

    /// Runs a command. What it prints with `--json` is held to its schema.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Done {
        shapes::checked(arguments, self.command(arguments).output().unwrap().into())
    }

    /// Runs a command with `--json`.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Done {
        self.run(&[arguments, &["--json"]].concat())
    }

    /// Runs a command with something on standard input.
    #[track_caller]
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Done {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that fails early does not read it.
        let _written = child.stdin.take().unwrap().write_all(input);
        shapes::checked(arguments, child.wait_with_output().unwrap().into())
    }
}

/// A server, an Ops member, and a folder for files.
pub struct World {
    /// The server.
    pub server: Server,
    /// The Ops member.
    pub ops: Home,
    /// Removed with everything in it.
    pub folder: TempDir,
}

/// The Ops member's address.
pub const OPS: &str = "ops@example.com";
/// The client's address.
pub const CLIENT: &str = "client@example.com";

impl World {
    /// Founded.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data").display().to_string();
        Self::on(folder, &["--data", &data])
    }

    /// Founded, on a server with these arguments.
    pub fn on(folder: TempDir, arguments: &[&str]) -> Self {
        Self::reached_by(folder, arguments, |server| server.url.clone())
    }

    /// The same; people reach the server under another address.
    pub fn reached_by(folder: TempDir, arguments: &[&str], url: impl FnOnce(&Server) -> String) -> Self {
        let server = Server::start(arguments);
        let ops = Home::new(folder.path(), "ops", &url(&server));
        let token = server.setup_token.clone().expect("a setup token at the first start");
        ops.json(&["init", "--setup-token", &token, "--email", OPS, "--org", "Example & Co"]).ok();
        Self { server, ops, folder }
    }

    /// A home for somebody who has none.
    pub fn home(&self, name: &str) -> Home {
        Home::new(self.folder.path(), name, &self.server.url)
    }

    /// Invites; the code.
    pub fn invite(&self, email: &str) -> String {
        text(&self.ops.json(&["invite", email]).json(), "code")
    }

    /// Somebody who has joined and is certified by the Ops member's next command.
    pub fn joined(&self, name: &str, email: &str) -> Home {
        let home = self.home(name);
        home.json(&["join", &self.invite(email)]).ok();
        home
    }

    /// A file with this content.
    pub fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// A path that does not exist yet.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Uploads and shares with the client; the file's id.
    pub fn deliver(&self, path: &str, to: &str) -> String {
        let done = self.ops.json(&["upload", path, "--to", to]).json();
        text(&done["files"][0], "file_id")
    }
}

/// Runs a story on each database.
pub async fn on_both(story: fn(World)) {
    let database = TestDatabase::create().await;
    let url = database.url().to_owned();
    tokio::task::spawn_blocking(move || {
        story(World::new());
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data").display().to_string();
        story(World::on(folder, &["--data", &data, "--database", &url]));
    })
    .await
    .unwrap();
}

/// A member that must be text.
#[track_caller]
pub fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no text {member:?} in {value}")).to_owned()
}
