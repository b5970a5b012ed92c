//! The server's own row: its secrets, and which organisation it keeps.

use sealpost_crypto::{
    id::{Digest, OrgId},
    password::ServerSetup,
    secret::SigningSeed,
};
use zeroize::Zeroizing;

use super::{DbError, Tx, sql, statements};
use crate::keys::ServerSecret;

statements! {
    READ = "SELECT secret, checkpoint_seed, opaque_setup FROM server WHERE id = 1";
    INSERT = "INSERT INTO server (id, secret, checkpoint_seed, opaque_setup) VALUES (1, $1, $2, $3)";
    SET_SETUP_TOKEN = "UPDATE server SET setup_token_hash = $1 WHERE id = 1 AND org_id IS NULL";
    STANDING = "SELECT setup_token_hash, org_id FROM server WHERE id = 1";
    FOUND = "UPDATE server SET org_id = $1 WHERE id = 1 AND org_id IS NULL";
    PING = "SELECT id FROM server";
}

/// The secrets of the server's row.
pub(crate) struct Secrets {
    /// Tokens and fake answers derive from it.
    pub secret: ServerSecret,
    /// Signs checkpoints.
    pub checkpoint: SigningSeed,
    /// OPAQUE.
    pub opaque_setup: ServerSetup,
}

/// Whether there is an organisation, and if not, what its founder must know.
pub(crate) struct Standing {
    /// SHA-256 of the setup token.
    pub setup_token_hash: Option<Digest>,
    /// The organisation.
    pub org_id: Option<OrgId>,
}

/// The server's secrets; `None` at the very first start.
pub(crate) async fn secrets(tx: &mut Tx) -> Result<Option<Secrets>, DbError> {
    type Row = (Vec<u8>, Vec<u8>, Vec<u8>);
    let Some((secret, checkpoint, opaque)) = sql!(tx, optional Row: READ)? else { return Ok(None) };
    let [secret, checkpoint, opaque] = [secret, checkpoint, opaque].map(Zeroizing::new);
    Ok(Some(Secrets {
        secret: ServerSecret::from_slice(&secret).ok_or(DbError::Corrupt)?,
        checkpoint: SigningSeed::from_slice(&checkpoint).ok_or(DbError::Corrupt)?,
        opaque_setup: ServerSetup::from_bytes(&opaque).map_err(|_| DbError::Corrupt)?,
    }))
}

/// Stores the secrets of a new server.
pub(crate) async fn insert(tx: &mut Tx, secrets: &Secrets) -> Result<(), DbError> {
    let (secret, checkpoint) = (&secrets.secret.expose()[..], &secrets.checkpoint.expose()[..]);
    sql!(tx, execute INSERT, secret, checkpoint, &secrets.opaque_setup.to_bytes()[..])?;
    Ok(())
}

/// Sets the setup token's hash, unless the organisation is founded.
pub(crate) async fn set_setup_token(tx: &mut Tx, hash: &Digest) -> Result<(), DbError> {
    sql!(tx, execute SET_SETUP_TOKEN, &hash.as_bytes()[..])?;
    Ok(())
}

/// Reads whether the organisation is founded.
pub(crate) async fn standing(tx: &mut Tx) -> Result<Standing, DbError> {
    type Row = (Option<Vec<u8>>, Option<Vec<u8>>);
    let (hash, org) = sql!(tx, one Row: STANDING)?;
    Ok(Standing {
        setup_token_hash: hash.as_deref().map(Digest::from_slice).transpose()?,
        org_id: org.as_deref().map(OrgId::from_slice).transpose()?,
    })
}

/// Notes that the organisation is founded; the setup token founds no other from here on.
pub(crate) async fn found(tx: &mut Tx, org_id: OrgId) -> Result<(), DbError> {
    match sql!(tx, execute FOUND, &org_id.as_bytes()[..])? {
        1 => Ok(()),
        _ => Err(DbError::Conflict),
    }
}

/// Whether the database answers.
pub(crate) async fn ping(tx: &mut Tx) -> Result<(), DbError> {
    sql!(tx, optional (i64,): PING)?;
    Ok(())
}
