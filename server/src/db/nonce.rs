//! Nonces, each used once: for registrations and changes of a password they are remembered from the day they are issued, for logins by key
//! (which carry their own proof of issue) only once they are used.

use sealpost_crypto::id::{Digest, InviteId, OrgId, UserId};

use super::{DbError, Tx, sql, statements};

statements! {
    INSERT = "INSERT INTO registrations (nonce, context, started_at) VALUES ($1, $2, $3)";
    TAKE = "DELETE FROM registrations WHERE nonce = $1 AND context = $2 AND started_at > $3";
    SPEND = "INSERT INTO registrations (nonce, context, started_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
}

/// What is stored beside the nonce of a login by key; of another length than any [`Context`].
const LOGIN: &[u8] = b"login";

/// What a nonce was issued for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// The founder of this organisation.
    Founder(OrgId),
    /// The holder of this invite.
    Invite(InviteId),
    /// Whoever is signed in to this account, for another password.
    Account(UserId),
}

impl Context {
    /// As stored; the kinds differ in length.
    fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Founder(id) => id.as_bytes().to_vec(),
            Self::Invite(id) => id.as_bytes().to_vec(),
            Self::Account(id) => [b"account", &id.as_bytes()[..]].concat(),
        }
    }
}

/// Remembers a nonce that was issued at `now`.
pub(crate) async fn insert(tx: &mut Tx, nonce: Digest, context: Context, now: i64) -> Result<(), DbError> {
    sql!(tx, execute INSERT, &nonce.as_bytes()[..], context.to_bytes(), now)?;
    Ok(())
}

/// Uses a nonce up; false if it was not issued for `context` after `since`, or was used before.
pub(crate) async fn take(tx: &mut Tx, nonce: Digest, context: Context, since: i64) -> Result<bool, DbError> {
    Ok(sql!(tx, execute TAKE, &nonce.as_bytes()[..], context.to_bytes(), since)? == 1)
}

/// Uses the nonce of a login by key; false if it was used before.
pub(crate) async fn spend(tx: &mut Tx, nonce: Digest, now: i64) -> Result<bool, DbError> {
    Ok(sql!(tx, execute SPEND, &nonce.as_bytes()[..], LOGIN, now)? == 1)
}
