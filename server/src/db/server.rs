//! The server's own row: its secrets, and which organisation it keeps.

use sealpost_crypto::{
    id::{Digest, OrgId},
    password::ServerSetup,
    secret::SigningSeed,
    sign::SigningKey,
};
use zeroize::Zeroizing;

use super::{
    DbError, Tx, sql, statements,
    value::{int, uint},
};
use crate::keys::ServerSecret;

statements! {
    READ = "SELECT secret, opaque_setup FROM server WHERE id = 1";
    INSERT = "INSERT INTO server (id, secret, checkpoint_seed, opaque_setup) VALUES (1, $1, $2, $3)";
    SET_SETUP_TOKEN = "UPDATE server SET setup_token_hash = $1 WHERE id = 1 AND org_id IS NULL";
    STANDING = "SELECT setup_token_hash, org_id FROM server WHERE id = 1";
    FOUND = "UPDATE server SET org_id = $1 WHERE id = 1 AND org_id IS NULL";
    CHECKPOINT_SEEDS = "SELECT checkpoint_seed, next_checkpoint_seed FROM server WHERE id = 1";
    OFFER_CHECKPOINT_SEED = "UPDATE server SET next_checkpoint_seed = $1 WHERE id = 1";
    ADOPT_CHECKPOINT_SEED = "UPDATE server SET checkpoint_seed = next_checkpoint_seed, next_checkpoint_seed = NULL \
        WHERE id = 1 AND next_checkpoint_seed IS NOT NULL";
    MISSING = "SELECT missing_size FROM server WHERE id = 1";
    NOTE_MISSING = "UPDATE server SET missing_size = $1 WHERE id = 1 \
        AND (missing_size IS NULL OR missing_size < $1)";
    NOTE_MISSING_BEYOND = "UPDATE server SET missing_size = $1 WHERE id = 1 \
        AND (missing_size IS NULL OR missing_size < $1) AND (confirmed_size IS NULL OR confirmed_size < $1)";
    CONFIRM_MISSING = "UPDATE server SET confirmed_size = missing_size, missing_size = NULL \
        WHERE id = 1 AND missing_size IS NOT NULL";
    PING = "SELECT id FROM server";
}

/// The secrets of the server's row.
pub(crate) struct Secrets {
    /// Tokens and fake answers derive from it.
    pub secret: ServerSecret,
    /// OPAQUE.
    pub opaque_setup: ServerSetup,
}

/// The keys that sign checkpoints. They are read when they are needed: another server on the same database may have
/// put the next one in place.
pub(crate) struct CheckpointKeys {
    /// In force.
    pub current: SigningKey,
    /// Offered to Ops members, until a `service` entry names it.
    pub next: Option<SigningKey>,
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
    type Row = (Vec<u8>, Vec<u8>);
    let Some((secret, opaque)) = sql!(tx, optional Row: READ)? else { return Ok(None) };
    let [secret, opaque] = [secret, opaque].map(Zeroizing::new);
    Ok(Some(Secrets {
        secret: ServerSecret::from_slice(&secret).ok_or(DbError::Corrupt)?,
        opaque_setup: ServerSetup::from_bytes(&opaque).map_err(|_| DbError::Corrupt)?,
    }))
}

/// Stores the secrets of a new server, and the seed of its first checkpoint key.
pub(crate) async fn insert(tx: &mut Tx, secrets: &Secrets, checkpoint: &SigningSeed) -> Result<(), DbError> {
    let (secret, checkpoint) = (&secrets.secret.expose()[..], &checkpoint.expose()[..]);
    sql!(tx, execute INSERT, secret, checkpoint, &secrets.opaque_setup.to_bytes()[..])?;
    Ok(())
}

/// The keys that sign checkpoints.
pub(crate) async fn checkpoint_keys(tx: &mut Tx) -> Result<CheckpointKeys, DbError> {
    type Row = (Vec<u8>, Option<Vec<u8>>);
    let (current, next) = sql!(tx, one Row: CHECKPOINT_SEEDS)?;
    let key = |seed: Vec<u8>| {
        let seed = SigningSeed::from_slice(&Zeroizing::new(seed)).ok_or(DbError::Corrupt)?;
        Ok::<_, DbError>(SigningKey::from_seed(&seed))
    };
    Ok(CheckpointKeys { current: key(current)?, next: next.map(key).transpose()? })
}

/// Keeps a key that is to sign checkpoints once a `service` entry names it.
pub(crate) async fn offer_checkpoint_key(tx: &mut Tx, seed: &SigningSeed) -> Result<(), DbError> {
    sql!(tx, execute OFFER_CHECKPOINT_SEED, &seed.expose()[..])?;
    Ok(())
}

/// Puts the offered key in force; the one before is overwritten.
pub(crate) async fn adopt_checkpoint_key(tx: &mut Tx) -> Result<(), DbError> {
    match sql!(tx, execute ADOPT_CHECKPOINT_SEED)? {
        1 => Ok(()),
        _ => Err(DbError::Conflict),
    }
}

/// How many entries the log once had, if it was restored from a backup with fewer and nobody has confirmed that.
pub(crate) async fn missing(tx: &mut Tx) -> Result<Option<u64>, DbError> {
    let (size,) = sql!(tx, one (Option<i64>,): MISSING)?;
    size.map(uint).transpose()
}

/// Notes that the log once had `size` entries.
pub(crate) async fn note_missing(tx: &mut Tx, size: u64) -> Result<(), DbError> {
    sql!(tx, execute NOTE_MISSING, int(size))?;
    Ok(())
}

/// The same, unless the operator has confirmed as much already; whether it was news.
pub(crate) async fn note_missing_beyond(tx: &mut Tx, size: u64) -> Result<bool, DbError> {
    Ok(sql!(tx, execute NOTE_MISSING_BEYOND, int(size))? == 1)
}

/// The operator knows what is missing.
pub(crate) async fn confirm_missing(tx: &mut Tx) -> Result<(), DbError> {
    sql!(tx, execute CONFIRM_MISSING)?;
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
