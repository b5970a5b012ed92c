//! One SQL text, two databases.
//!
//! Statements are constants, declared with [`statements!`] beside the functions that run them, and run with
//! [`sql!`], which expands one call for each database. Placeholders are `$1, $2, …`; the number of arguments is
//! checked when this crate compiles, because SQLite would take a missing one for NULL.
//!
//! Isolation. SQLite has one writer at a time (`BEGIN IMMEDIATE`). On Postgres write transactions are READ
//! COMMITTED and name what they are about with [`Tx::lock`]: whoever waited for the lock then sees what the one
//! before committed, which SERIALIZABLE would turn into an error to be retried. Unique constraints stand behind
//! that and surface as [`DbError::Conflict`]. Reads see one snapshot on both.

use std::{path::Path, time::Duration};

use sealpost_crypto::id::{IdError, UserId};
use sqlx::{
    Connection, PgConnection, PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub(crate) mod account;
pub(crate) mod expired;
pub(crate) mod file;
pub(crate) mod invite;
pub(crate) mod log;
pub(crate) mod login;
pub(crate) mod member;
pub(crate) mod nonce;
pub(crate) mod pair;
pub(crate) mod part;
pub(crate) mod receipt;
pub(crate) mod rotation;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod share;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod ticket;
pub(crate) mod value;
pub(crate) mod vault;
pub(crate) mod version;
pub(crate) mod withdrawal;

/// Statements of every module, so that one test can prepare them all on both databases.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&[&str]] = &[
    account::STATEMENTS,
    crate::blob::STATEMENTS,
    expired::STATEMENTS,
    file::STATEMENTS,
    invite::STATEMENTS,
    log::STATEMENTS,
    login::STATEMENTS,
    member::STATEMENTS,
    nonce::STATEMENTS,
    pair::STATEMENTS,
    part::STATEMENTS,
    receipt::STATEMENTS,
    rotation::STATEMENTS,
    server::STATEMENTS,
    session::STATEMENTS,
    share::STATEMENTS,
    ticket::STATEMENTS,
    vault::STATEMENTS,
    version::STATEMENTS,
    withdrawal::STATEMENTS,
];

/// How long a request waits for a connection before 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long Postgres may take to answer when the server starts.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections of the reader pool, or of the Postgres pool.
const CONNECTIONS: u32 = 8;
/// How long SQLite waits for another process's lock (a backup, say).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// What went wrong in the database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DbError {
    /// A unique constraint: another row holds the place.
    #[error("another row holds this place")]
    Conflict,
    /// No connection, or not in time.
    #[error("the database can't be reached: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// No room left on the database's disk.
    #[error("the database's disk is full")]
    Full,
    /// A stored value is not what this server wrote.
    #[error("a stored value is not of the expected form")]
    Corrupt,
    /// Anything else: a bug, or a broken database.
    #[error("{0}")]
    Other(#[source] sqlx::Error),
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(inner) if inner.is_unique_violation() => Self::Conflict,
            // SQLITE_FULL; disk_full of Postgres.
            sqlx::Error::Database(inner) if matches!(inner.code().as_deref(), Some("13" | "53100")) => {
                Self::Full
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed => Self::Unavailable(error),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt,
            _ => Self::Other(error),
        }
    }
}

impl From<IdError> for DbError {
    fn from(_: IdError) -> Self {
        Self::Corrupt
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Connecting or a pragma failed.
    #[error(transparent)]
    Connect(#[from] sqlx::Error),
    /// Postgres, at this host and port or socket, does not let us in.
    #[error("can't connect to Postgres at {at}: {cause}")]
    Postgres {
        /// Where; never the whole URL, it may hold a password.
        at: String,
        /// Why.
        cause: sqlx::Error,
    },
    /// A newer version of the server was here.
    #[error("the database was written by a newer version")]
    Newer,
    /// A migration failed.
    #[error(transparent)]
    Migrate(MigrateError),
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) => Self::Newer,
            other => Self::Migrate(other),
        }
    }
}

/// An open database.
#[derive(Clone)]
pub(crate) enum Db {
    /// Postgres.
    Postgres(PgPool),
    /// SQLite: one connection writes, others read beside it (WAL).
    Sqlite { writer: SqlitePool, readers: SqlitePool },
}

/// One connection, to see at once whether there is a server and whether it lets us in.
async fn greet(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let connection = tokio::time::timeout(GREETING_TIMEOUT, PgConnection::connect_with(options));
    connection.await.map_err(|_| sqlx::Error::PoolTimedOut)??.close().await
}

/// Begins a transaction in a task of its own. A request that is given up at this moment, because its client has gone, would
/// else hand its connection back in the middle of `BEGIN`, and whoever gets it next would write into a transaction that
/// only reads, or that nobody ends: sqlx 0.9 rolls back only what it has seen begin (transact-rs/sqlx#4385).
async fn begin(
    pool: &PgPool,
    statement: &'static str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(statement).await });
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// A transaction; rolled back unless [`Tx::commit`] is called.
pub(crate) enum Tx {
    /// Postgres.
    Postgres(Transaction<'static, Postgres>),
    /// SQLite.
    Sqlite(Transaction<'static, Sqlite>),
}

/// What a write transaction is about; two about the same thing run one after the other. Take them in
/// the order of this list, and several files in the order of their ids: so nobody waits for each other in a circle.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lock<'a> {
    /// The organisation: founding, log, invites, accounts.
    Organisation,
    /// Sign-ins under one credential id.
    Login(&'a [u8]),
    /// One session's refresh tokens.
    Session(&'a [u8]),
    /// One person's own things: vault, open uploads, and all records that they send to anybody.
    User(UserId),
    /// One file.
    File(&'a [u8]),
}

impl Db {
    /// Opens or creates a SQLite file and brings its tables up to date.
    pub(crate) async fn sqlite(path: &Path) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        MIGRATIONS.run(&writer).await?;
        let readers = pool().max_connections(CONNECTIONS).connect_lazy_with(options);
        Ok(Self::Sqlite { writer, readers })
    }

    /// Connects to Postgres and brings its tables up to date.
    pub(crate) async fn postgres(url: &str) -> Result<Self, OpenError> {
        let options: PgConnectOptions = url.parse()?;
        // The pool would try for as long as a request may wait.
        greet(&options).await.map_err(|cause| OpenError::Postgres { at: address(&options), cause })?;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE_TIMEOUT);
        let pool = pool.connect_with(options).await?;
        MIGRATIONS.run(&pool).await?;
        Ok(Self::Postgres(pool))
    }

    /// Begins a transaction that writes.
    pub(crate) async fn write(&self) -> Result<Tx, DbError> {
        Ok(match self {
            Self::Postgres(pool) => Tx::Postgres(begin(pool, "BEGIN").await?),
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
        })
    }

    /// Begins a transaction that only reads: everything it sees is of one moment.
    pub(crate) async fn read(&self) -> Result<Tx, DbError> {
        const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(match self {
            Self::Postgres(pool) => Tx::Postgres(begin(pool, SNAPSHOT).await?),
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
        })
    }

    /// Lets running transactions end, then closes every connection.
    pub(crate) async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

impl Tx {
    /// Makes everything written so far permanent.
    pub(crate) async fn commit(self) -> Result<(), DbError> {
        match self {
            Self::Postgres(tx) => tx.commit().await?,
            Self::Sqlite(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Waits until no other write transaction about the same thing runs, and keeps others out until the end of
    /// this one. On SQLite a write transaction has that from its beginning.
    pub(crate) async fn lock(&mut self, lock: Lock<'_>) -> Result<(), DbError> {
        if let Self::Postgres(tx) = self {
            // Two things that share a key wait for each other, which does no harm.
            sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock.key()).execute(&mut **tx).await?;
        }
        Ok(())
    }
}

impl Lock<'_> {
    fn key(&self) -> i64 {
        use sha2::Digest as _;
        let hash = sha2::Sha256::new();
        let hash = match self {
            Self::Organisation => hash.chain_update([1]),
            Self::Login(id) => hash.chain_update([2]).chain_update(id),
            Self::User(id) => hash.chain_update([3]).chain_update(id.as_bytes()),
            Self::File(id) => hash.chain_update([4]).chain_update(id),
            Self::Session(id) => hash.chain_update([5]).chain_update(id),
        };
        let mut first = [0; 8];
        first.copy_from_slice(&hash.finalize()[..8]);
        i64::from_be_bytes(first)
    }
}

/// Highest `$n` in a statement.
pub(crate) const fn placeholders(sql: &str) -> usize {
    let bytes = sql.as_bytes();
    let (mut at, mut highest) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == b'$' {
            let mut number = 0;
            while at + 1 < bytes.len() && bytes[at + 1].is_ascii_digit() {
                at += 1;
                number = number * 10 + (bytes[at] - b'0') as usize;
            }
            if number > highest {
                highest = number;
            }
        }
        at += 1;
    }
    highest
}

/// Declares SQL constants, and `STATEMENTS` with all of them.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*

        /// Every statement of this module.
        #[cfg(test)]
        pub(crate) const STATEMENTS: &[&str] = &[$($name),*];
    };
}
pub(crate) use statements;

/// Runs a statement constant inside a transaction (`&mut Tx`).
///
/// `sql!(tx, execute SQL, a, b)` gives the number of rows changed; `sql!(tx, optional Row: SQL, a)` an
/// `Option<Row>`; `sql!(tx, one Row: SQL)` a `Row`; `sql!(tx, all Row: SQL)` a `Vec<Row>`. Rows derive
/// [`sqlx::FromRow`] or are tuples. Errors are [`DbError`].
macro_rules! sql {
    ($tx:expr, execute $sql:expr $(, $arg:expr)* $(,)?) => {{
        $crate::db::sql!(@check $sql $(, $arg)*);
        match $tx {
            $crate::db::Tx::Postgres(tx) => {
                sqlx::query($sql)$(.bind($arg))*.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            $crate::db::Tx::Sqlite(tx) => {
                sqlx::query($sql)$(.bind($arg))*.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }.map_err($crate::db::DbError::from)
    }};
    ($tx:expr, optional $row:ty: $sql:expr $(, $arg:expr)* $(,)?) => {
        $crate::db::sql!(@fetch fetch_optional, $tx, $row, $sql $(, $arg)*)
    };
    ($tx:expr, one $row:ty: $sql:expr $(, $arg:expr)* $(,)?) => {
        $crate::db::sql!(@fetch fetch_one, $tx, $row, $sql $(, $arg)*)
    };
    ($tx:expr, all $row:ty: $sql:expr $(, $arg:expr)* $(,)?) => {
        $crate::db::sql!(@fetch fetch_all, $tx, $row, $sql $(, $arg)*)
    };
    (@fetch $fetch:ident, $tx:expr, $row:ty, $sql:expr $(, $arg:expr)*) => {{
        $crate::db::sql!(@check $sql $(, $arg)*);
        match $tx {
            $crate::db::Tx::Postgres(tx) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($arg))*.$fetch(&mut **tx).await
            }
            $crate::db::Tx::Sqlite(tx) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($arg))*.$fetch(&mut **tx).await
            }
        }.map_err($crate::db::DbError::from)
    }};
    (@check $sql:expr $(, $arg:expr)*) => {
        const {
            let given: &[&str] = &[$(stringify!($arg)),*];
            assert!($crate::db::placeholders($sql) == given.len(), "wrong number of SQL arguments");
        }
    };
}
pub(crate) use sql;
