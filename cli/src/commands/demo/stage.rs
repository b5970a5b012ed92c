//! The temporary folder, the files to deliver, and the server; all of it goes away again.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use sealpost_client::store::FolderStore;
use sealpost_server::{Config, Running};
use tempfile::TempDir;
use tracing_subscriber::{EnvFilter, fmt};

use super::samples;
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// What of the server is logged, and searched afterwards: more than a real one logs.
const LOG_FILTER: &str = "off,sealpost_server=trace,tower_http=trace,sqlx=debug";

/// Everything the demo runs on.
pub struct Stage {
    root: TempDir,
    server: Running,
    /// The files to deliver.
    pub files: Vec<PathBuf>,
}

impl Stage {
    /// Checks the user's files, or makes some; starts a server on a free port.
    pub async fn set(files: &[PathBuf]) -> Outcome<Self> {
        let root = tempfile::Builder::new().prefix("sealpost-demo-").tempdir().map_err(no_folder)?;
        let files = match files {
            [] => samples::make(&root.path().join("samples")).map_err(no_folder)?,
            named => checked(named)?,
        };
        log_to(&root.path().join("server.log")).map_err(no_folder)?;
        let mut config = Config::new(data(root.path()));
        config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = sealpost_server::start(config)
            .await
            .map_err(|error| Failure::new(Exit::Network, "server_start", error.to_string()))?;
        Ok(Self { root, server, files })
    }

    /// Stops the server and removes everything; fails if something stays behind.
    pub async fn strike(self) -> Outcome {
        self.server.stop().await;
        let path = self.root.path().to_owned();
        self.root.close().map_err(|error| Failure::local("remove", &path, &error))
    }

    /// Where the server listens, and its setup token.
    pub fn server(&self) -> &Running {
        &self.server
    }

    /// The server's data folder.
    pub fn data(&self) -> PathBuf {
        data(self.root.path())
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.root.path().join("server.log")
    }

    /// Where the client puts what arrives.
    pub fn inbox(&self) -> PathBuf {
        self.root.path().join("inbox")
    }

    /// The device of one person.
    pub fn home(&self, person: &str) -> Outcome<Arc<FolderStore>> {
        Ok(Arc::new(FolderStore::open(&self.root.path().join(person))?))
    }
}

fn data(root: &Path) -> PathBuf {
    root.join("server")
}

fn checked(files: &[PathBuf]) -> Outcome<Vec<PathBuf>> {
    for path in files {
        let metadata = fs::metadata(path).map_err(|error| Failure::local("read", path, &error))?;
        if !metadata.is_file() {
            return Err(Failure::new(
                Exit::LocalFile,
                "not_a_file",
                format!("{} is not a regular file", path.display()),
            ));
        }
    }
    Ok(files.to_vec())
}

fn log_to(path: &Path) -> io::Result<()> {
    let logs =
        fmt().json().with_env_filter(EnvFilter::new(LOG_FILTER)).with_writer(Mutex::new(File::create(path)?));
    // Fails only if this process logs somewhere already, which no command does before its own.
    let _ = logs.try_init();
    Ok(())
}

fn no_folder(error: io::Error) -> Failure {
    Failure::new(Exit::LocalFile, "local_file", format!("can't make a temporary folder: {error}"))
        .hint("Set TMPDIR to a folder with some space.")
}
