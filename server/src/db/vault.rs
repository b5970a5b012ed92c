//! Vaults: one sealed blob a person, replaced by compare and swap.

use sealpost_api::account::VaultBlob;
use sealpost_crypto::{
    encoding::Base64,
    id::{Digest, UserId},
    vault::sealed_hash,
};

use super::{
    DbError, Tx, sql, statements,
    value::{int, uint},
};

statements! {
    READ = "SELECT version, previous, digest, sealed FROM vaults WHERE user_id = $1";
    INSERT = "INSERT INTO vaults (user_id, version, previous, digest, sealed) VALUES ($1, $2, $3, $4, $5)";
    SWAP = "UPDATE vaults SET version = $2, previous = $3, digest = $4, sealed = $5 \
        WHERE user_id = $1 AND version = $2 - 1 AND digest = $3";
}

/// The first vault of a new account.
pub(crate) async fn insert(tx: &mut Tx, user: UserId, sealed: &[u8]) -> Result<(), DbError> {
    let (digest, previous) = (sealed_hash(sealed), Digest::ZERO);
    let (digest, previous) = (&digest.as_bytes()[..], &previous.as_bytes()[..]);
    sql!(tx, execute INSERT, &user.as_bytes()[..], 1_i64, previous, digest, sealed)?;
    Ok(())
}

/// The stored vault.
pub(crate) async fn read(tx: &mut Tx, user: UserId) -> Result<VaultBlob, DbError> {
    type Row = (i64, Vec<u8>, Vec<u8>, Vec<u8>);
    let row = sql!(tx, optional Row: READ, &user.as_bytes()[..])?;
    let (version, previous, _, sealed) = row.ok_or(DbError::Corrupt)?;
    Ok(VaultBlob { version: uint(version)?, previous: Digest::from_slice(&previous)?, blob: Base64(sealed) })
}

/// Puts `next` in place if it follows the stored vault, or is it; false if it does not.
pub(crate) async fn swap(tx: &mut Tx, user: UserId, next: &VaultBlob) -> Result<bool, DbError> {
    let digest = sealed_hash(&next.blob.0);
    let (previous, digest) = (&next.previous.as_bytes()[..], &digest.as_bytes()[..]);
    let (user_id, version, sealed) = (&user.as_bytes()[..], int(next.version), &next.blob.0[..]);
    if sql!(tx, execute SWAP, user_id, version, previous, digest, sealed)? == 1 {
        return Ok(true);
    }
    let stored = read(tx, user).await?;
    Ok(stored.version == next.version && stored.previous == next.previous && stored.blob == next.blob)
}
