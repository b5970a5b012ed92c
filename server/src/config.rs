//! How a server is set up.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use crate::clock::Clock;

/// Port a server listens on when nothing else is said.
pub const DEFAULT_PORT: u16 = 8787;

/// Everything a server needs to start.
#[derive(Clone)]
pub struct Config {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Its own folder: setup token, lock, and by default the database and the blobs. Created when missing.
    pub data: PathBuf,
    /// Where rows live.
    pub database: Database,
    /// Where parts live.
    pub blobs: Blobs,
    /// Certificate and key, for HTTPS.
    pub tls: Option<TlsFiles>,
    /// Makes a key that is to sign checkpoints once an Ops member has signed a `service` entry for it, unless one is
    /// offered already.
    pub new_checkpoint_key: bool,
    /// The operator knows that the database was restored from a backup and that no newer one exists: the log goes on
    /// from what there is.
    pub confirm_restore: bool,
    /// The time.
    pub clock: Clock,
}

/// Where rows live.
#[derive(Clone)]
pub enum Database {
    /// A file; one server only.
    Sqlite(PathBuf),
    /// A `postgres://` URL, which may hold a password and is never shown.
    Postgres(String),
}

/// Where parts live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blobs {
    /// Beside the rows.
    Database,
    /// A folder of files.
    Folder(PathBuf),
}

/// PEM files for HTTPS.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

impl Config {
    /// SQLite and a folder of blobs inside `data`, on the loopback address.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        let data = data.into();
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            database: Database::Sqlite(data.join("sealpost.sqlite")),
            blobs: Blobs::Folder(data.join("blobs")),
            tls: None,
            new_checkpoint_key: false,
            confirm_restore: false,
            clock: Clock::default(),
            data,
        }
    }

    /// The same with Postgres, and blobs in it: one thing to back up. Set [`Config::blobs`] after this for
    /// another place.
    pub fn postgres(mut self, url: impl Into<String>) -> Self {
        self.database = Database::Postgres(url.into());
        self.blobs = Blobs::Database;
        self
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "Sqlite({})", path.display()),
            Self::Postgres(_) => f.write_str("Postgres(secret URL)"),
        }
    }
}
