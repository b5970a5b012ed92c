//! Where ciphertext lives: one small trait, and the stores behind it.
//!
//! A blob is one attempt to upload one part. Every attempt has an id of its own, so two that race never touch
//! the same bytes; the `parts` row that is committed afterwards says which attempt is the part. What the store
//! holds without such a row is garbage, and [`BlobStore::keep_only`] clears it.
//!
//! Every store passes the suite in [`conformance`].

mod body;
#[cfg(test)]
mod conformance;
mod database;
mod folder;

use std::{collections::HashSet, fmt, io, ops::Range};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use sealpost_crypto::{id::FileId, random};

pub(crate) use body::{BodyError, Patience, checked};
pub(crate) use database::Database;
pub(crate) use folder::Folder;

/// Statements of the database store.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = database::STATEMENTS;

/// Bytes read or written at a time: large enough that the system calls don't count, small enough that two
/// hundred transfers at once stay within 128 MiB.
const PIECE: usize = 256 * 1024;

/// Ciphertext on its way in. An error as an item means that nothing of it may stay.
pub(crate) type Body = BoxStream<'static, Result<Bytes, BodyError>>;

/// Ciphertext on its way out.
pub(crate) type Content = BoxStream<'static, Result<Bytes, BlobError>>;

/// One attempt to upload a part: 16 random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlobId([u8; 16]);

impl BlobId {
    /// A fresh one.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 16];
        random::fill(&mut bytes);
        Self(bytes)
    }

    /// From a database column; `None` unless it has 16 bytes.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The raw bytes.
    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One version of one file: what is deleted as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct VersionKey {
    /// The file.
    pub file_id: FileId,
    /// Its version.
    pub version: u64,
}

/// Names a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlobKey {
    /// What it is a part of.
    pub version: VersionKey,
    /// Which attempt.
    pub id: BlobId,
}

/// Why a store can't do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    /// It does not have the blob, or has less of it than was asked for.
    #[error("the blob store does not have what the database says it has")]
    Missing,
    /// Disk or quota are full.
    #[error("the blob store is full")]
    Full,
    /// The database does not answer.
    #[error("the blob store does not answer")]
    Unavailable,
    /// The disk or the database failed.
    #[error("the blob store failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Failed(Box::new(error)),
        }
    }
}

/// Why a blob was not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    /// What came was not what was announced.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] BlobError),
}

impl From<io::Error> for PutError {
    fn from(error: io::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A place for ciphertext. It knows no database rows, no users and no keys.
#[async_trait]
pub(crate) trait BlobStore: Send + Sync {
    /// Stores `body` under `key`, which was never used before. Returns once the bytes would survive a power cut;
    /// on any error, and when dropped before the end, nothing stays.
    async fn put(&self, key: BlobKey, body: Body) -> Result<(), PutError>;

    /// Stores many small blobs, whose bytes were checked before, under keys never used before: all of them, or on any
    /// error none. Returns once they would survive a power cut. Unlike [`BlobStore::put`] it may go on when dropped
    /// before the end.
    async fn put_all(&self, blobs: Vec<(BlobKey, Bytes)>) -> Result<(), BlobError>;

    /// The bytes `range` of a blob. A blob that is missing or too short shows as [`BlobError::Missing`], at once
    /// or in the stream.
    async fn read(&self, key: BlobKey, range: Range<u64>) -> Result<Content, BlobError>;

    /// Deletes one blob; fine if there is none.
    async fn delete(&self, key: BlobKey) -> Result<(), BlobError>;

    /// Deletes every blob of a version but those in `keep`; with none to keep, the version is gone.
    async fn keep_only(&self, version: VersionKey, keep: &HashSet<BlobId>) -> Result<(), BlobError>;

    /// Whether the store answers.
    async fn check(&self) -> Result<(), BlobError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        // ENOSPC, EDQUOT and EIO, as the operating system numbers them.
        for (code, full) in [(28, true), (122, true), (5, false)] {
            let error = BlobError::from(io::Error::from_raw_os_error(code));
            assert_eq!(matches!(error, BlobError::Full), full, "{code}: {error:?}");
        }
    }
}
