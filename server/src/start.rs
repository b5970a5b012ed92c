//! Starting and stopping.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum_server::{Handle, tls_rustls::RustlsConfig};
use sealpost_api::token::Token;
use sealpost_crypto::words;
use tokio::task::JoinHandle;

use crate::{
    blob::{self, BlobStore},
    config::{Blobs, Config, Database, TlsFiles},
    db::{Db, DbError, OpenError},
    keys::ServerKeys,
    restore, routes,
    setup::{self, DataFolder, FileError, FolderError, TokenError},
    state::AppState,
    sweep::Sweeper,
};

/// How long running requests may take to end when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a server could not start; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken.
    #[error("another program listens on {0} already; choose another address with --listen")]
    AddressInUse(SocketAddr),
    /// Listening failed for another reason.
    #[error("can't listen on {address}: {cause}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// Another server uses the folder.
    #[error("another server uses the data folder {}; stop it, or choose another folder with --data", .0.display())]
    FolderInUse(PathBuf),
    /// A file or folder can't be created, read or written.
    #[error("can't use {}: {cause}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The database was written by a newer version.
    #[error("the database was written by a newer version of the server; upgrade this one")]
    DatabaseNewer,
    /// Postgres does not answer, or does not let us in. The URL is not shown, it may hold a password.
    #[error("can't use Postgres at {at}: {cause}; check the database URL and that Postgres runs")]
    Postgres {
        /// Host and port, or socket.
        at: String,
        /// Why.
        cause: String,
    },
    /// The database URL is none.
    #[error("the database URL is not a Postgres URL, such as postgres://user:password@host/database")]
    DatabaseUrl,
    /// The SQLite file can't be used.
    #[error("can't open the database {}: {cause}", .path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The database failed after it was opened.
    #[error("the database failed: {0}")]
    Database(String),
    /// Certificate or key can't be used.
    #[error("can't use the TLS certificate {} with the key {}: {cause}", .files.certificate.display(), .files.key.display())]
    Tls {
        /// Which files.
        files: TlsFiles,
        /// Why.
        cause: io::Error,
    },
}

/// A running server. Dropping it does not stop it; [`Running::stop`] does.
pub struct Running {
    address: SocketAddr,
    https: bool,
    setup_token: Option<Token>,
    service_words: Option<[&'static str; words::COUNT]>,
    missing: Option<u64>,
    handle: Handle<SocketAddr>,
    serving: JoinHandle<io::Result<()>>,
    sweeper: Sweeper,
    db: Db,
    _folder: DataFolder,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL that clients on this machine use.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.https { "https" } else { "http" }, self.address)
    }

    /// The token with which an organisation is founded; `None` if one was, before this start.
    pub fn setup_token(&self) -> Option<&Token> {
        self.setup_token.as_ref()
    }

    /// The words of the key that is to sign checkpoints once an Ops member has signed a `service` entry for it: who signs
    /// it compares them. `None` if there is no such key.
    pub fn service_words(&self) -> Option<&[&'static str; words::COUNT]> {
        self.service_words.as_ref()
    }

    /// How many entries the log once had, if the database was restored from a backup with fewer: nothing is appended until
    /// [`Config::confirm_restore`].
    pub fn missing_log(&self) -> Option<u64> {
        self.missing
    }

    /// Takes no new connections, lets running requests end (bounded), closes the database.
    pub async fn stop(self) {
        self.handle.graceful_shutdown(Some(STOP_TIMEOUT));
        if let Ok(Err(error)) = self.serving.await {
            tracing::error!(cause = %error, "the listener failed");
        }
        self.sweeper.stop().await;
        self.db.close().await;
    }
}

/// Starts a server; when this returns, it answers.
///
/// # Errors
/// [`StartError`], which names the cause and what to do.
pub async fn start(config: Config) -> Result<Running, StartError> {
    // Every other connection to TLS (Postgres) needs it too. Harmless when it is installed already.
    let _already = rustls::crypto::ring::default_provider().install_default();
    let folder = DataFolder::open(&config.data).map_err(|error| match error {
        FolderError::InUse => StartError::FolderInUse(config.data.clone()),
        FolderError::File(error) => error.into(),
    })?;
    let listener = listen(config.listen)?;
    let address = listener.local_addr().map_err(|cause| listen_error(config.listen, cause))?;
    let db = open(&config.database).await?;
    let blobs = open_blobs(&config.blobs, &db).await?;
    let secrets = setup::secrets(&db).await?;
    let setup_token = setup::setup_token(&db, &folder).await?;
    let service_words = setup::service_words(&db, config.new_checkpoint_key).await?;
    let missing = restore::at_start(&db, &folder.log_mark_path(), config.confirm_restore).await?;
    let keys = ServerKeys::new(secrets);
    let token_path = folder.setup_token_path();
    let state = AppState::new(db.clone(), blobs, config.clock.clone(), keys, token_path);
    let sweeper = Sweeper::start(state.clone());
    let handle = Handle::new();
    let serving = serve(&config, listener, handle.clone(), state).await?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    let https = config.tls.is_some();
    Ok(Running {
        address,
        https,
        setup_token,
        service_words,
        missing,
        handle,
        serving,
        sweeper,
        db,
        _folder: folder,
    })
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|cause| listen_error(address, cause))
}

fn listen_error(address: SocketAddr, cause: io::Error) -> StartError {
    match cause.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse(address),
        _ => StartError::Listen { address, cause },
    }
}

async fn open(database: &Database) -> Result<Db, StartError> {
    match database {
        Database::Sqlite(path) => open_sqlite(path).await,
        Database::Postgres(url) => Db::postgres(url).await.map_err(|error| match error {
            OpenError::Newer => StartError::DatabaseNewer,
            OpenError::Postgres { at, cause } => StartError::Postgres { at, cause: describe(&cause) },
            OpenError::Connect(sqlx::Error::Configuration(_)) => StartError::DatabaseUrl,
            OpenError::Connect(cause) => StartError::Database(describe(&cause)),
            OpenError::Migrate(cause) => StartError::Database(cause.to_string()),
        }),
    }
}

async fn open_blobs(blobs: &Blobs, db: &Db) -> Result<Arc<dyn BlobStore>, StartError> {
    match blobs {
        Blobs::Database => Ok(Arc::new(blob::Database::open(db.clone()).await?)),
        Blobs::Folder(path) => match blob::Folder::open(path) {
            Ok(folder) => Ok(Arc::new(folder)),
            Err(cause) if cause.kind() == io::ErrorKind::ResourceBusy => {
                Err(StartError::FolderInUse(path.clone()))
            }
            Err(cause) => Err(StartError::File { path: path.clone(), cause }),
        },
    }
}

async fn open_sqlite(path: &Path) -> Result<Db, StartError> {
    setup::create_private_file(path)?;
    Db::sqlite(path).await.map_err(|error| match error {
        OpenError::Newer => StartError::DatabaseNewer,
        other => StartError::Sqlite { path: path.to_owned(), cause: other.to_string() },
    })
}

/// What sqlx says about a failed connection, unless it could quote the URL.
fn describe(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(cause) => cause.to_string(),
        sqlx::Error::Database(cause) => cause.message().to_owned(),
        sqlx::Error::PoolTimedOut => "no answer in time".to_owned(),
        sqlx::Error::Tls(_) => "the TLS handshake failed".to_owned(),
        _ => "the connection failed".to_owned(),
    }
}

async fn serve(
    config: &Config,
    listener: TcpListener,
    handle: Handle<SocketAddr>,
    state: AppState,
) -> Result<JoinHandle<io::Result<()>>, StartError> {
    let app = routes::router(state).into_make_service();
    let failed = |cause| listen_error(config.listen, cause);
    let Some(files) = &config.tls else {
        let mut server = axum_server::from_tcp(listener).map_err(failed)?.handle(handle);
        server.http_builder().http1().header_read_timeout(HEAD_TIMEOUT);
        return Ok(tokio::spawn(server.serve(app)));
    };
    let tls = RustlsConfig::from_pem_file(&files.certificate, &files.key).await;
    let tls = tls.map_err(|cause| StartError::Tls { files: files.clone(), cause })?;
    let server = axum_server::tls_rustls::from_tcp_rustls(listener, tls).map_err(failed)?;
    let mut server = server.handle(handle);
    server.http_builder().http1().header_read_timeout(HEAD_TIMEOUT);
    Ok(tokio::spawn(server.serve(app)))
}

impl From<FileError> for StartError {
    fn from(error: FileError) -> Self {
        Self::File { path: error.path, cause: error.cause }
    }
}

impl From<DbError> for StartError {
    fn from(error: DbError) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<TokenError> for StartError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Db(error) => error.into(),
            TokenError::File(error) => error.into(),
        }
    }
}
