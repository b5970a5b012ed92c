//! What the rotation of an account's keys changes, and the keys that it retires.

use sealpost_crypto::{
    bundle::VerifiedBundle,
    credential::VerifiedCredential,
    id::{RecordId, UserId},
    record::RawRecord,
    sign::SigningPublicKey,
};

use super::{DbError, Tx, account::KeysRow, sql, statements, value::text};

statements! {
    RETIRE = "INSERT INTO retired_keys (bundle_id, user_id, signing_key, bundle) \
        SELECT bundle_id, user_id, signing_key, bundle FROM accounts WHERE user_id = $1";
    ROTATE = "UPDATE accounts SET bundle_id = $3, bundle = $4, signing_key = $5, credential_id = $6, \
        credential = $7, epoch = epoch + 1, opaque_record = $8, envelope = $9, rotated_at = $10 \
        WHERE user_id = $1 AND credential_id = $2 AND status = 2";
    IS_CURRENT = "SELECT user_id FROM accounts WHERE user_id = $1 AND bundle_id = $2 AND status = 2";
    BY_SIGNING_KEY = "SELECT r.user_id, a.status, r.bundle_id, r.bundle FROM retired_keys r \
        JOIN accounts a ON a.user_id = r.user_id WHERE r.signing_key = $1 LIMIT 1";
    BY_ID = "SELECT r.user_id, a.status, r.bundle_id, r.bundle FROM retired_keys r \
        JOIN accounts a ON a.user_id = r.user_id WHERE r.user_id = $1 AND r.bundle_id = $2";
}

/// An account's next generation of keys, and what rests on it.
pub(crate) struct NextKeys<'a> {
    /// The credential that these follow.
    pub previous: RecordId,
    /// The keys.
    pub bundle: &'a VerifiedBundle,
    /// The same as they travel.
    pub raw_bundle: &'a RawRecord,
    /// The credential.
    pub credential: &'a VerifiedCredential,
    /// OPAQUE registration record.
    pub opaque_record: &'a [u8],
    /// The sealed seed.
    pub envelope: &'a [u8],
}

/// Puts `next` in place of an active account's keys, which are kept as retired ones; false if the account's credential
/// is another one.
pub(crate) async fn rotate(
    tx: &mut Tx,
    user: UserId,
    next: &NextKeys<'_>,
    now: i64,
) -> Result<bool, DbError> {
    let (user, previous) = (&user.as_bytes()[..], &next.previous.as_bytes()[..]);
    let (bundle_id, credential_id) = (next.bundle.id(), next.credential.pin().id);
    let (bundle_id, credential_id) = (&bundle_id.as_bytes()[..], &credential_id.as_bytes()[..]);
    let (bundle, credential) = (text(next.raw_bundle)?, text(next.credential.raw())?);
    let signing_key = &next.bundle.signing_key().as_bytes()[..];
    let (record, envelope) = (next.opaque_record, next.envelope);
    sql!(tx, execute RETIRE, user)?;
    let changed = sql!(
        tx, execute ROTATE, user, previous, bundle_id, bundle, signing_key, credential_id, credential, record,
        envelope, now
    )?;
    Ok(changed == 1)
}

/// Whether somebody is an active member under these keys. Under their lock ([`super::Lock::User`]) it stays so.
pub(crate) async fn is_current(tx: &mut Tx, user: UserId, bundle: RecordId) -> Result<bool, DbError> {
    let (user, bundle) = (&user.as_bytes()[..], &bundle.as_bytes()[..]);
    Ok(sql!(tx, optional (Vec<u8>,): IS_CURRENT, user, bundle)?.is_some())
}

/// Rotated keys by their signing key, with where their account stands.
pub(crate) async fn by_signing_key(tx: &mut Tx, key: &SigningPublicKey) -> Result<Option<KeysRow>, DbError> {
    sql!(tx, optional KeysRow: BY_SIGNING_KEY, &key.as_bytes()[..])
}

/// Rotated keys of an account by H(bundle).
pub(crate) async fn by_id(tx: &mut Tx, user: UserId, bundle: RecordId) -> Result<Option<KeysRow>, DbError> {
    sql!(tx, optional KeysRow: BY_ID, &user.as_bytes()[..], &bundle.as_bytes()[..])
}
