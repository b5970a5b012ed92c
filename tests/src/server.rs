//! A real server inside the test's process, on a free port, with a data folder and database of its own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use sealpost_crypto::{secret::SigningSeed, sign::SigningKey};
use sealpost_server::{Clock, Config, Running};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::{backend::Backend, http::Api, logs, postgres::TestDatabase, watch::Watch};

/// A running server. What it keeps is removed when this is dropped.
pub struct TestServer {
    backend: Backend,
    running: Option<Running>,
    address: SocketAddr,
    /// Since the first start.
    watch: Option<Watch>,
    setup_token: Option<String>,
    clock: Clock,
    // Declared after `running`: the server lets go before what it stands on disappears.
    database: Option<TestDatabase>,
    folder: TempDir,
}

impl TestServer {
    /// Starts an empty server.
    pub async fn start(backend: Backend) -> Self {
        logs::capture();
        let folder = tempfile::tempdir().expect("no temporary folder");
        let database = backend.provision().await;
        let mut server = Self {
            backend,
            running: None,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            watch: None,
            setup_token: None,
            clock: Clock::default(),
            database,
            folder,
        };
        server.start_again().await;
        server.watch = Some(Watch::before(server.address));
        server
    }

    /// Where honest clients connect, `http://127.0.0.1:PORT`, the same after a restart: all that they ask and are answered
    /// there is held to the OpenAPI document.
    pub fn url(&self) -> String {
        format!("http://{}", self.watched())
    }

    /// The same as an address.
    pub fn watched(&self) -> SocketAddr {
        self.watch.as_ref().map_or(self.address, Watch::address)
    }

    /// Where it listens itself: for what no honest client says.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client without any session, which connects to the server itself.
    pub fn api(&self) -> Api {
        Api::new(&format!("http://{}", self.address))
    }

    /// The token with which an organisation is founded.
    pub fn setup_token(&self) -> String {
        self.setup_token.clone().expect("the organisation was founded before this start")
    }

    /// What the server keeps its data in.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder beside the data folder for the test's own files; removed with the server.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// How to connect to its Postgres database; `None` on SQLite.
    pub fn postgres_url(&self) -> Option<&str> {
        self.database.as_ref().map(TestDatabase::url)
    }

    /// Moves the server's clock forward; it stays so over a restart.
    pub fn pass_time(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Sets the server's clock back, as if every device's were ahead; it stays so over a restart.
    pub fn turn_back_time(&self, seconds: u64) {
        self.clock.set_back(Duration::from_secs(seconds));
    }

    /// The server's clock, UTC seconds.
    pub fn now(&self) -> u64 {
        self.clock.seconds()
    }

    /// Changes rows behind the server's back, to reach states that its interface does not lead to.
    pub async fn execute(&self, statement: String) {
        let statement = AssertSqlSafe(statement);
        let changed = match &self.database {
            Some(database) => {
                let mut connection = PgConnection::connect(database.url()).await.expect("Postgres");
                sqlx::query(statement).execute(&mut connection).await.map(|done| done.rows_affected())
            }
            None => {
                let file = self.data().join("sealpost.sqlite");
                let mut connection =
                    SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("SQLite");
                sqlx::query(statement).execute(&mut connection).await.map(|done| done.rows_affected())
            }
        };
        assert!(changed.expect("the statement failed") > 0, "the statement changed nothing");
    }

    /// The key with which it signs checkpoints: for whoever plays it.
    pub async fn checkpoint_key(&self) -> SigningKey {
        const READ: &str = "SELECT checkpoint_seed FROM server WHERE id = 1";
        let seed: Vec<u8> = match &self.database {
            Some(database) => {
                let mut connection = PgConnection::connect(database.url()).await.expect("Postgres");
                sqlx::query_scalar(READ).fetch_one(&mut connection).await.expect("the server's row")
            }
            None => {
                let file = format!("sqlite://{}", self.data().join("sealpost.sqlite").display());
                let mut connection = SqliteConnection::connect(&file).await.expect("SQLite");
                sqlx::query_scalar(READ).fetch_one(&mut connection).await.expect("the server's row")
            }
        };
        SigningKey::from_seed(&SigningSeed::from_slice(&seed).expect("a seed"))
    }

    /// An id as a literal of the server's SQL.
    pub fn literal(&self, hex: &dyn std::fmt::Display) -> String {
        match self.database {
            Some(_) => format!(r"'\x{hex}'::bytea"),
            None => format!("x'{hex}'"),
        }
    }

    /// Stops gracefully.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// Starts on the same data and the same port.
    pub async fn start_again(&mut self) {
        self.start_with(|_| {}).await;
    }

    /// The same with another configuration.
    pub async fn start_with(&mut self, change: impl FnOnce(&mut Config)) {
        let data = self.data();
        let mut config = Config::new(data.clone());
        config.listen = self.address;
        config.database = self.backend.database(&data, self.database.as_ref());
        config.blobs = self.backend.blobs(&data);
        config.clock = self.clock.clone();
        change(&mut config);
        let running = sealpost_server::start(config).await.expect("the server did not start");
        self.address = running.addr();
        self.setup_token = running.setup_token().map(|token| token.expose().to_owned());
        self.running = Some(running);
    }

    /// Stops and starts.
    pub async fn restart(&mut self) {
        self.restart_with(|_| {}).await;
    }

    /// Stops, and starts with another configuration.
    pub async fn restart_with(&mut self, change: impl FnOnce(&mut Config)) {
        self.stop().await;
        self.start_with(change).await;
    }

    /// The words that its console shows of the checkpoint key that it offers.
    pub fn service_words(&self) -> Option<Vec<String>> {
        let words = self.running.as_ref().and_then(Running::service_words)?;
        Some(words.map(str::to_owned).to_vec())
    }

    /// How many entries its log once had, if its console says that it was restored.
    pub fn missing_log(&self) -> Option<u64> {
        self.running.as_ref().and_then(Running::missing_log)
    }
}
