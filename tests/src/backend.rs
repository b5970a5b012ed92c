//! The four ways to keep data: every integration test runs on each.

use std::path::Path;

use sealpost_server::{Blobs, Database};

use crate::postgres::TestDatabase;

/// Which database a server uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file in the data folder.
    Sqlite,
    /// A database of its own in the throw-away Postgres.
    Postgres,
}

/// Where a server keeps ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobKind {
    /// In a folder below the data folder.
    Folder,
    /// In rows of the database.
    Database,
}

/// A database and a blob store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backend {
    /// The database.
    pub database: DatabaseKind,
    /// The blob store.
    pub blobs: BlobKind,
}

impl Backend {
    /// SQLite and a folder: what a server uses when nothing is said.
    pub const SQLITE_FOLDER: Self = Self { database: DatabaseKind::Sqlite, blobs: BlobKind::Folder };
    /// SQLite for everything.
    pub const SQLITE_DATABASE: Self = Self { database: DatabaseKind::Sqlite, blobs: BlobKind::Database };
    /// Postgres and a folder.
    pub const POSTGRES_FOLDER: Self = Self { database: DatabaseKind::Postgres, blobs: BlobKind::Folder };
    /// Postgres for everything: the default when the database is Postgres.
    pub const POSTGRES_DATABASE: Self = Self { database: DatabaseKind::Postgres, blobs: BlobKind::Database };

    /// The Postgres database that this backend needs, freshly made; `None` for SQLite.
    pub(crate) async fn provision(self) -> Option<TestDatabase> {
        match self.database {
            DatabaseKind::Sqlite => None,
            DatabaseKind::Postgres => Some(TestDatabase::create().await),
        }
    }

    /// The server's setting for the database.
    pub(crate) fn database(self, data: &Path, postgres: Option<&TestDatabase>) -> Database {
        match postgres {
            Some(database) => Database::Postgres(database.url().to_owned()),
            None => Database::Sqlite(data.join("sealpost.sqlite")),
        }
    }

    /// The server's setting for the blobs.
    pub(crate) fn blobs(self, data: &Path) -> Blobs {
        match self.blobs {
            BlobKind::Folder => Blobs::Folder(data.join("blobs")),
            BlobKind::Database => Blobs::Database,
        }
    }
}
