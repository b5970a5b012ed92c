//! Accounts: who there is, and what their sign-in rests on.

use sealpost_api::account::{AccountStatus, AccountView, RoleName};
use sealpost_crypto::{
    credential::{CredentialPin, VerifiedCredential},
    encoding::Base64,
    id::{Digest, OrgId, RecordId, UserId},
    opening::Opening,
    record::RawRecord,
    sign::SigningPublicKey,
};

use super::{
    DbError, Tx, sql, statements,
    value::{RoleColumn, StatusColumn, Stored, role_code, status_code, text, uint},
};

statements! {
    INSERT = "INSERT INTO accounts (user_id, email, name, salt, role, status, bundle_id, bundle, signing_key, \
        opaque_record, credential_id, credential, epoch, envelope, inviter, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $14, $15)";
    VIEW = "SELECT user_id, salt, email, name, role, status, credential, envelope, inviter FROM accounts \
        WHERE user_id = $1 AND status < 3";
    /// The active account, while a replacement waits too; else a pending one; else the newest of those that ended.
    BY_EMAIL = "SELECT user_id, opaque_record FROM accounts WHERE email = $1 \
        ORDER BY CASE status WHEN 2 THEN 0 WHEN 1 THEN 1 ELSE 2 END, created_at DESC LIMIT 1";
    IS_ACTIVE = "SELECT user_id FROM accounts WHERE user_id = $1 AND status = 2";
    ADDRESS = "SELECT email, status FROM accounts WHERE user_id = $1";
    OF_EMAIL = "SELECT user_id FROM accounts WHERE email = $1 AND status = $2";
    KEYS_BY_SIGNING_KEY = "SELECT user_id, status, bundle_id, bundle FROM accounts \
        WHERE signing_key = $1 ORDER BY created_at DESC LIMIT 1";
    KEYS_BY_ID = "SELECT user_id, status, bundle_id, bundle FROM accounts WHERE user_id = $1";
    CREDENTIAL = "SELECT bundle_id, bundle, credential_id, epoch, opaque_record, envelope FROM accounts \
        WHERE user_id = $1 AND status < 3";
    CHANGE_CREDENTIAL = "UPDATE accounts SET credential_id = $3, credential = $4, epoch = epoch + 1, \
        opaque_record = $5, envelope = $6 WHERE user_id = $1 AND credential_id = $2 AND status < 3";
    BY_ID = "SELECT status, bundle_id, credential_id, opaque_record FROM accounts WHERE user_id = $1";
    DELETE_PENDING = "DELETE FROM accounts WHERE user_id = $1 AND status = 1";
    ACTIVATE = "UPDATE accounts SET status = 2, certified_at = $3 \
        WHERE user_id = $1 AND status = 1 AND bundle_id = $2";
    RETIRE = "UPDATE accounts SET status = 3 WHERE user_id = $1 AND status = 2";
}

/// A new account.
pub(crate) struct NewAccount<'a> {
    /// Who it is.
    pub opening: &'a Opening,
    /// What they may do.
    pub role: RoleName,
    /// Pending, or active for the founder.
    pub status: AccountStatus,
    /// H(bundle).
    pub bundle_id: RecordId,
    /// Their keys.
    pub bundle: &'a RawRecord,
    /// The key that signs for them.
    pub signing_key: &'a SigningPublicKey,
    /// OPAQUE registration record.
    pub opaque_record: &'a [u8],
    /// H(credential).
    pub credential_id: RecordId,
    /// The credential.
    pub credential: &'a RawRecord,
    /// The sealed seed.
    pub envelope: &'a [u8],
    /// Who invited them; `None` for the founder.
    pub inviter: Option<UserId>,
}

/// What a sign-in needs to know of an address.
#[derive(sqlx::FromRow)]
pub(crate) struct SignIn {
    /// Whose address it is.
    #[sqlx(try_from = "Vec<u8>")]
    pub user_id: UserId,
    /// OPAQUE registration record.
    pub opaque_record: Vec<u8>,
}

/// The keys under which an account signs, or signed until it ended.
#[derive(sqlx::FromRow)]
pub(crate) struct KeysRow {
    /// The account.
    #[sqlx(try_from = "Vec<u8>")]
    pub user_id: UserId,
    /// Where it stands.
    #[sqlx(try_from = "i64")]
    pub status: StatusColumn,
    /// H(bundle).
    #[sqlx(try_from = "Vec<u8>")]
    pub bundle_id: RecordId,
    /// The current bundle.
    #[sqlx(try_from = "String")]
    pub bundle: Stored,
}

/// What a live account's password rests on, and the keys that may change it.
#[derive(sqlx::FromRow)]
pub(crate) struct CredentialRow {
    /// H(bundle).
    #[sqlx(try_from = "Vec<u8>")]
    pub bundle_id: RecordId,
    /// The current bundle.
    #[sqlx(try_from = "String")]
    pub bundle: Stored,
    #[sqlx(try_from = "Vec<u8>")]
    credential_id: RecordId,
    epoch: i64,
    /// OPAQUE registration record.
    pub opaque_record: Vec<u8>,
    /// The sealed seed.
    pub envelope: Vec<u8>,
}

impl CredentialRow {
    /// What the next credential must follow.
    pub(crate) fn pin(&self) -> Result<CredentialPin, DbError> {
        Ok(CredentialPin { epoch: uint(self.epoch)?, id: self.credential_id })
    }
}

/// What a registration that may be a repeat is compared with.
#[derive(sqlx::FromRow)]
pub(crate) struct Registered {
    /// Where the account stands.
    #[sqlx(try_from = "i64")]
    pub status: StatusColumn,
    /// H(bundle).
    #[sqlx(try_from = "Vec<u8>")]
    pub bundle_id: RecordId,
    /// H(credential).
    #[sqlx(try_from = "Vec<u8>")]
    pub credential_id: RecordId,
    /// OPAQUE registration record.
    pub opaque_record: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct ViewRow {
    #[sqlx(try_from = "Vec<u8>")]
    user_id: UserId,
    #[sqlx(try_from = "Vec<u8>")]
    salt: Digest,
    email: String,
    name: String,
    #[sqlx(try_from = "i64")]
    role: RoleColumn,
    #[sqlx(try_from = "i64")]
    status: StatusColumn,
    #[sqlx(try_from = "String")]
    credential: Stored,
    envelope: Vec<u8>,
    inviter: Option<Vec<u8>>,
}

/// Stores a new account, without its vault.
pub(crate) async fn insert(tx: &mut Tx, new: &NewAccount<'_>, now: i64) -> Result<(), DbError> {
    let (user, salt) = (&new.opening.user_id.as_bytes()[..], &new.opening.salt.as_bytes()[..]);
    let (email, name) = (new.opening.email.as_str(), new.opening.name.as_str());
    let (role, status) = (role_code(new.role), status_code(new.status));
    let (bundle_id, bundle) = (&new.bundle_id.as_bytes()[..], text(new.bundle)?);
    let (credential_id, credential) = (&new.credential_id.as_bytes()[..], text(new.credential)?);
    let inviter = new.inviter.as_ref().map(|id| &id.as_bytes()[..]);
    let (record, envelope) = (new.opaque_record, new.envelope);
    let signing_key = &new.signing_key.as_bytes()[..];
    sql!(
        tx, execute INSERT, user, email, name, salt, role, status, bundle_id, bundle, signing_key, record,
        credential_id, credential, envelope, inviter, now
    )?;
    Ok(())
}

/// An account as its owner sees it; `None` once revoked.
pub(crate) async fn view(tx: &mut Tx, org_id: OrgId, user: UserId) -> Result<Option<AccountView>, DbError> {
    let Some(row) = sql!(tx, optional ViewRow: VIEW, &user.as_bytes()[..])? else { return Ok(None) };
    let email = row.email.parse().map_err(|_| DbError::Corrupt)?;
    let opening = Opening { user_id: row.user_id, salt: row.salt, email, name: row.name };
    Ok(Some(AccountView {
        org_id,
        user_id: row.user_id,
        email: row.email,
        role: row.role.0,
        status: row.status.0,
        credential: row.credential.0,
        envelope: Base64(row.envelope),
        inviter: row.inviter.as_deref().map(UserId::from_slice).transpose()?,
        opening: Some(opening),
    }))
}

/// The account of an address that has this status, pending or active.
pub(crate) async fn of_email(
    tx: &mut Tx,
    email: &str,
    status: AccountStatus,
) -> Result<Option<UserId>, DbError> {
    let row = sql!(tx, optional (Vec<u8>,): OF_EMAIL, email, status_code(status))?;
    Ok(row.map(|(id,)| UserId::from_slice(&id)).transpose()?)
}

/// Whether an account is certified and has not ended.
pub(crate) async fn is_active(tx: &mut Tx, user: UserId) -> Result<bool, DbError> {
    Ok(sql!(tx, optional (Vec<u8>,): IS_ACTIVE, &user.as_bytes()[..])?.is_some())
}

/// An account's address, and where it stands, of an ended one too.
pub(crate) async fn address(tx: &mut Tx, user: UserId) -> Result<Option<(String, AccountStatus)>, DbError> {
    let row = sql!(tx, optional (String, i64): ADDRESS, &user.as_bytes()[..])?;
    row.map(|(email, status)| Ok((email, StatusColumn::try_from(status)?.0))).transpose()
}

/// The account that signs in under an address. One that has ended can't, but its owner is to be told so.
pub(crate) async fn by_email(tx: &mut Tx, email: &str) -> Result<Option<SignIn>, DbError> {
    sql!(tx, optional SignIn: BY_EMAIL, email)
}

/// The account whose bundle has this signing key, an ended one too.
pub(crate) async fn keys_by_signing_key(
    tx: &mut Tx,
    key: &SigningPublicKey,
) -> Result<Option<KeysRow>, DbError> {
    sql!(tx, optional KeysRow: KEYS_BY_SIGNING_KEY, &key.as_bytes()[..])
}

/// The keys of an account, of an ended one too.
pub(crate) async fn keys_by_id(tx: &mut Tx, user: UserId) -> Result<Option<KeysRow>, DbError> {
    sql!(tx, optional KeysRow: KEYS_BY_ID, &user.as_bytes()[..])
}

/// What a live account's password rests on.
pub(crate) async fn credential(tx: &mut Tx, user: UserId) -> Result<Option<CredentialRow>, DbError> {
    sql!(tx, optional CredentialRow: CREDENTIAL, &user.as_bytes()[..])
}

/// Puts `next` and what goes with it in place of the credential `previous`; false if another one stands there.
pub(crate) async fn change_credential(
    tx: &mut Tx,
    user: UserId,
    previous: RecordId,
    next: &VerifiedCredential,
    opaque_record: &[u8],
    envelope: &[u8],
) -> Result<bool, DbError> {
    let (user, previous) = (&user.as_bytes()[..], &previous.as_bytes()[..]);
    let (id, credential) = (next.pin().id, text(next.raw())?);
    let id = &id.as_bytes()[..];
    let changed =
        sql!(tx, execute CHANGE_CREDENTIAL, user, previous, id, credential, opaque_record, envelope)?;
    Ok(changed == 1)
}

/// The account of an id, revoked ones too.
pub(crate) async fn by_id(tx: &mut Tx, user: UserId) -> Result<Option<Registered>, DbError> {
    sql!(tx, optional Registered: BY_ID, &user.as_bytes()[..])
}

/// Makes room for a pending person's second registration: sessions and vault go with the first.
pub(crate) async fn delete_pending(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    sql!(tx, execute DELETE_PENDING, &user.as_bytes()[..])?;
    Ok(())
}

/// Makes a pending account active; false if it is not pending under this bundle.
pub(crate) async fn activate(tx: &mut Tx, user: UserId, bundle: RecordId, now: i64) -> Result<bool, DbError> {
    Ok(sql!(tx, execute ACTIVATE, &user.as_bytes()[..], &bundle.as_bytes()[..], now)? == 1)
}

/// Ends an account; one that has ended stays so.
pub(crate) async fn retire(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    sql!(tx, execute RETIRE, &user.as_bytes()[..])?;
    Ok(())
}
