//! The parts of a version: which bytes are promised under which index.

use sealpost_crypto::id::Digest;

use super::{
    DbError, Tx, sql, statements,
    value::{int, uint},
};
use crate::blob::{BlobId, BlobKey, VersionKey};

statements! {
    FIND = "SELECT part_index, digest, length, blob FROM parts \
        WHERE file_id = $1 AND version = $2 AND part_index = $3";
    INSERT = "INSERT INTO parts (file_id, version, part_index, digest, length, blob) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    RANGE = "SELECT part_index, digest, length, blob FROM parts \
        WHERE file_id = $1 AND version = $2 AND part_index >= $3 AND part_index < $4 ORDER BY part_index";
    DELETE = "DELETE FROM parts WHERE file_id = $1 AND version = $2";
    TOTAL = "SELECT COALESCE(MAX(part_index) + 1, 0) FROM parts WHERE file_id = $1 AND version = $2";
}

/// One stored part.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Part {
    part_index: i64,
    /// BLAKE3 of its ciphertext.
    #[sqlx(try_from = "Vec<u8>")]
    pub digest: Digest,
    length: i64,
    blob: Vec<u8>,
}

impl Part {
    /// A part whose bytes are stored under `blob`.
    pub(crate) fn new(index: u32, digest: Digest, length: u64, blob: BlobId) -> Self {
        let blob = blob.as_bytes().to_vec();
        Self { part_index: i64::from(index), digest, length: int(length), blob }
    }

    /// Its number, from 0.
    pub(crate) fn index(&self) -> Result<u32, DbError> {
        u32::try_from(self.part_index).map_err(|_| DbError::Corrupt)
    }

    /// Ciphertext bytes.
    pub(crate) fn length(&self) -> Result<u64, DbError> {
        uint(self.length)
    }

    /// Whether its bytes are these.
    pub(crate) fn is(&self, digest: Digest, length: u64) -> bool {
        self.digest == digest && self.length == int(length)
    }

    /// Whether it is the same part, wherever its bytes are.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.part_index, self.digest, self.length) == (other.part_index, other.digest, other.length)
    }

    /// Where its bytes are.
    pub(crate) fn blob(&self, version: VersionKey) -> Result<BlobKey, DbError> {
        let id = BlobId::from_slice(&self.blob).ok_or(DbError::Corrupt)?;
        Ok(BlobKey { version, id })
    }
}

/// The part under an index, if it is stored.
pub(crate) async fn find(tx: &mut Tx, key: VersionKey, index: u32) -> Result<Option<Part>, DbError> {
    sql!(tx, optional Part: FIND, &key.file_id.as_bytes()[..], int(key.version), i64::from(index))
}

/// Promises a part.
pub(crate) async fn insert(tx: &mut Tx, key: VersionKey, part: &Part) -> Result<(), DbError> {
    let (file, version) = (&key.file_id.as_bytes()[..], int(key.version));
    let digest = &part.digest.as_bytes()[..];
    sql!(tx, execute INSERT, file, version, part.part_index, digest, part.length, &part.blob[..])?;
    Ok(())
}

/// The stored parts with an index in `from..until`, in order; missing ones are left out.
pub(crate) async fn range(tx: &mut Tx, key: VersionKey, from: u32, until: u32) -> Result<Vec<Part>, DbError> {
    let (file, version) = (&key.file_id.as_bytes()[..], int(key.version));
    sql!(tx, all Part: RANGE, file, version, i64::from(from), i64::from(until))
}

/// Forgets every part of a version whose blobs are gone.
pub(crate) async fn delete(tx: &mut Tx, key: VersionKey) -> Result<(), DbError> {
    sql!(tx, execute DELETE, &key.file_id.as_bytes()[..], int(key.version))?;
    Ok(())
}

/// One more than the highest index stored.
pub(crate) async fn total(tx: &mut Tx, key: VersionKey) -> Result<u32, DbError> {
    let (total,) = sql!(tx, one (i64,): TOTAL, &key.file_id.as_bytes()[..], int(key.version))?;
    u32::try_from(total).map_err(|_| DbError::Corrupt)
}
