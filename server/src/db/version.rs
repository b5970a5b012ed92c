//! Versions after the first: their uploads, and what they take the place of.

use sealpost_api::limits::MAX_VERSIONS;
use sealpost_crypto::{id::FileId, record::RawRecord};

use super::{
    DbError, Tx, sql, statements,
    value::{Stored, int, uint},
};
use crate::blob::VersionKey;

statements! {
    INSERT = "INSERT INTO file_versions (file_id, version, state, created_at, updated_at) \
        VALUES ($1, $2, 1, $3, $3)";
    EXISTS = "SELECT version FROM file_versions WHERE file_id = $1 AND version = $2";
    REPLACE = "UPDATE file_versions SET state = 6, updated_at = $3 \
        WHERE file_id = $1 AND version = $2 AND state = 2";
    /// Replaced versions whose blobs are still to go.
    REPLACED = "SELECT file_id, version FROM file_versions WHERE state = 6 LIMIT $1";
    FORGET_BLOBS = "UPDATE file_versions SET state = 7 WHERE file_id = $1 AND version = $2 AND state = 6";
    EARLIER = "SELECT manifest FROM file_versions WHERE file_id = $1 AND version < $2 AND manifest IS NOT NULL \
        ORDER BY version DESC LIMIT $3";
    /// With a time of zero, so that the next sweep finishes it if this one does not.
    CANCEL = "UPDATE file_versions SET state = 3, updated_at = 0 \
        WHERE file_id = $1 AND version = $2 AND state IN (1, 3)";
}

/// Begins the upload of a version after the live one.
pub(crate) async fn insert(tx: &mut Tx, key: VersionKey, now: i64) -> Result<(), DbError> {
    sql!(tx, execute INSERT, &key.file_id.as_bytes()[..], int(key.version), now)?;
    Ok(())
}

/// Whether there is anything of a version, also what is being swept.
pub(crate) async fn exists(tx: &mut Tx, key: VersionKey) -> Result<bool, DbError> {
    Ok(sql!(tx, optional (i64,): EXISTS, &key.file_id.as_bytes()[..], int(key.version))?.is_some())
}

/// Takes a live version out of everybody's reach; its records stay.
pub(crate) async fn replace(tx: &mut Tx, key: VersionKey, now: i64) -> Result<(), DbError> {
    match sql!(tx, execute REPLACE, &key.file_id.as_bytes()[..], int(key.version), now)? {
        1 => Ok(()),
        _ => Err(DbError::Conflict),
    }
}

/// Replaced versions that still have blobs.
pub(crate) async fn replaced(tx: &mut Tx, limit: u32) -> Result<Vec<VersionKey>, DbError> {
    let rows = sql!(tx, all (Vec<u8>, i64): REPLACED, i64::from(limit))?;
    let key = |(file, version): (Vec<u8>, i64)| {
        Ok(VersionKey { file_id: FileId::from_slice(&file)?, version: uint(version)? })
    };
    rows.into_iter().map(key).collect()
}

/// Notes that the blobs of a replaced version are gone.
pub(crate) async fn forget_blobs(tx: &mut Tx, key: VersionKey) -> Result<(), DbError> {
    sql!(tx, execute FORGET_BLOBS, &key.file_id.as_bytes()[..], int(key.version))?;
    Ok(())
}

/// The manifests of the versions before `key`, the newest first.
pub(crate) async fn earlier(tx: &mut Tx, key: VersionKey) -> Result<Vec<RawRecord>, DbError> {
    let (file, version, limit) = (&key.file_id.as_bytes()[..], int(key.version), int(MAX_VERSIONS));
    let rows = sql!(tx, all (String,): EARLIER, file, version, limit)?;
    let manifest = |(text,): (String,)| Stored::try_from(text).map(|stored| stored.0);
    rows.into_iter().map(|row| manifest(row).map_err(|_| DbError::Corrupt)).collect()
}

/// Takes an upload out of its owner's reach before its blobs go; false if there is none.
pub(crate) async fn cancel(tx: &mut Tx, key: VersionKey) -> Result<bool, DbError> {
    Ok(sql!(tx, execute CANCEL, &key.file_id.as_bytes()[..], int(key.version))? == 1)
}
