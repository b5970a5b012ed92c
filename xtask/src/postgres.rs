//! A throw-away Postgres: in a temporary folder, on a unix socket only, fast rather than durable.

use std::{
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::cleanup::Cleanup;

/// Postgres refuses to run as root; Debian's package makes this user for it.
const POSTGRES_USER: &str = "postgres";
/// Role and database that the tests connect as and to.
const TEST_ROLE: &str = "app";
/// A socket's path may have 107 bytes; this many are left for the temporary folder's own path.
const MAX_TEMP_PATH: usize = 60;
/// Where Debian puts the binaries of each version, outside of PATH.
const DEBIAN_VERSIONS: &str = "/usr/lib/postgresql";

/// Tests need concurrency and speed; the data is thrown away, so nothing need survive a crash. `mmap`, because
/// containers often have next to no /dev/shm.
const SETTINGS: &str = "
listen_addresses = ''
max_connections = 500
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
shared_buffers = 64MB
max_wal_size = 64MB
min_wal_size = 32MB
dynamic_shared_memory_type = mmap
";

/// The system's temporary folder if a socket's path fits below it.
pub(crate) fn short_temp_dir() -> PathBuf {
    let folder = env::temp_dir();
    if folder.as_os_str().len() <= MAX_TEMP_PATH { folder } else { "/tmp".into() }
}

/// A running cluster. The [`Cleanup`] stops it.
pub(crate) struct Postgres {
    socket: PathBuf,
}

impl Postgres {
    /// Makes a cluster in the folder that `cleanup` will remove, and starts it.
    pub(crate) fn start(cleanup: &mut Cleanup) -> Result<Self> {
        let binaries = find_binaries().map_or_else(install_binaries, Ok)?;
        let user = is_root()?.then_some(POSTGRES_USER);
        let home = prepare_home(cleanup.folder(), user)?;
        let data = home.join("data");
        let run = |program: &str, arguments: &[&str]| run(user, &home, &binaries.join(program), arguments);

        let data_text = data.to_string_lossy();
        let home_text = home.to_string_lossy();
        run(
            "initdb",
            &["-D", &data_text, "-U", TEST_ROLE, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
        )?;
        let settings = data.join("postgresql.conf");
        let sockets = format!("unix_socket_directories = '{home_text}'\n");
        fs::write(&settings, fs::read_to_string(&settings)? + SETTINGS + &sockets)?;
        cleanup.stop_postgres_too(&binaries.join("pg_ctl"), &data, user)?;
        let log = home.join("log");
        run("pg_ctl", &["start", "-D", &data_text, "-l", &log.to_string_lossy(), "-w"])
            .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        run("createdb", &["-h", &home_text, "-U", TEST_ROLE, TEST_ROLE])?;
        Ok(Self { socket: home })
    }

    /// How to connect.
    pub(crate) fn url(&self) -> String {
        format!("postgres://{TEST_ROLE}@localhost/{TEST_ROLE}?host={}", self.socket.display())
    }
}

/// A folder for cluster and socket that belongs to whoever will run Postgres.
fn prepare_home(folder: &Path, user: Option<&str>) -> Result<PathBuf> {
    // The folder itself is made 0700; another user must get through it.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?;
    let home = folder.join("pg");
    fs::create_dir(&home)?;
    if let Some(user) = user {
        run(None, folder, Path::new("chown"), &[user, &home.to_string_lossy()])?;
    }
    Ok(home)
}

/// On PATH, or the newest version of Debian's packages.
fn find_binaries() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir(DEBIAN_VERSIONS).into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    debian.sort_by_key(|bin| version_of(bin));
    env::split_paths(&path)
        .chain(debian.into_iter().rev())
        .find(|folder| ["initdb", "pg_ctl", "createdb"].iter().all(|program| folder.join(program).exists()))
}

/// The number in `/usr/lib/postgresql/NUMBER/bin`.
fn version_of(bin: &Path) -> Option<u32> {
    bin.parent()?.file_name()?.to_str()?.parse().ok()
}

/// Installs Debian's package, without the cluster that it would otherwise make and start.
fn install_binaries() -> Result<PathBuf> {
    const BY_HAND: &str = "Postgres is needed for the tests: run `apt-get install postgresql` as root";
    ensure!(is_root()? && Path::new("/usr/bin/apt-get").exists(), BY_HAND);
    apt_get(&["update", "-qq"])?;
    apt_get(&["install", "-y", "-qq", "--no-install-recommends", "postgresql-common"])?;
    let folder = Path::new("/etc/postgresql-common/createcluster.d");
    fs::create_dir_all(folder)?;
    fs::write(folder.join("no-main-cluster.conf"), "create_main_cluster = false\n")?;
    apt_get(&["install", "-y", "-qq", "--no-install-recommends", "postgresql"])?;
    find_binaries().context(BY_HAND)
}

/// Runs Debian's package manager without questions.
pub(crate) fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    ensure!(command.status()?.success(), "apt-get {} failed", arguments.join(" "));
    Ok(())
}

/// Runs to the end; its output is only shown when it fails.
fn run(user: Option<&str>, folder: &Path, program: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = match user {
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    // Files, not pipes: the server keeps its starter's output open for as long as it runs.
    let output = tempfile::tempfile()?;
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.stdout(output.try_clone()?).stderr(output.try_clone()?);
    let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
    if !status.success() {
        bail!("{} failed:\n{}", program.display(), read_back(output)?);
    }
    Ok(())
}

fn read_back(mut file: fs::File) -> Result<String> {
    use std::io::{Read, Seek};
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Whether this process runs as root. Its own files tell; the standard library does not.
pub(crate) fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}
