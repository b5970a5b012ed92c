//! Started sign-ins, and the memory of failed ones.
//!
//! A row is inserted with the first message. A success deletes it; whatever else happens leaves it, without its
//! state, to be counted as a failed attempt until it is swept.

use sealpost_crypto::id::{Digest, UserId};

use super::{DbError, Lock, Tx, sql, statements, value::uint};

statements! {
    ATTEMPTS = "SELECT COUNT(*), COALESCE(MIN(started_at), 0) FROM logins \
        WHERE credential_id = $1 AND started_at > $2";
    INSERT = "INSERT INTO logins (login_id, credential_id, user_id, state, started_at) \
        VALUES ($1, $2, $3, $4, $5)";
    READ = "SELECT user_id, state FROM logins WHERE login_id = $1 AND started_at > $2 AND state IS NOT NULL";
    USE_UP = "UPDATE logins SET state = NULL WHERE login_id = $1 AND state IS NOT NULL";
    CANCEL = "UPDATE logins SET state = NULL WHERE user_id = $1 AND state IS NOT NULL";
    DELETE = "DELETE FROM logins WHERE login_id = $1";
}

/// A started sign-in.
pub(crate) struct Started {
    /// SHA-256 of the login id that the client holds.
    pub login: Digest,
    /// Stands for the address.
    pub credential_id: Digest,
    /// Whose address it is, if anybody's.
    pub user_id: Option<UserId>,
    /// OPAQUE state between the two messages.
    pub state: Vec<u8>,
}

/// Failed and unfinished sign-ins under one credential id.
pub(crate) struct Attempts {
    /// How many.
    pub count: u64,
    /// When the oldest of them began.
    pub oldest: i64,
}

/// Counts the attempts after `since`.
pub(crate) async fn attempts(tx: &mut Tx, credential: &Digest, since: i64) -> Result<Attempts, DbError> {
    let (count, oldest) = sql!(tx, one (i64, i64): ATTEMPTS, &credential.as_bytes()[..], since)?;
    Ok(Attempts { count: uint(count)?, oldest })
}

/// Remembers a started sign-in.
pub(crate) async fn insert(tx: &mut Tx, started: &Started, now: i64) -> Result<(), DbError> {
    let user = started.user_id.as_ref().map(|id| &id.as_bytes()[..]);
    let (login, credential) = (&started.login.as_bytes()[..], &started.credential_id.as_bytes()[..]);
    sql!(tx, execute INSERT, login, credential, user, &started.state[..], now)?;
    Ok(())
}

/// Takes the state of a sign-in that began after `since`: the first caller gets it, nobody after. Its account stays
/// locked ([`Lock::User`]) until the end of the transaction, so that the password can't change in between.
pub(crate) async fn take(
    tx: &mut Tx,
    login: &Digest,
    since: i64,
) -> Result<Option<(Option<UserId>, Vec<u8>)>, DbError> {
    type Row = (Option<Vec<u8>>, Vec<u8>);
    let id = &login.as_bytes()[..];
    let Some((user, state)) = sql!(tx, optional Row: READ, id, since)? else { return Ok(None) };
    let user = user.as_deref().map(UserId::from_slice).transpose()?;
    if let Some(user) = user {
        tx.lock(Lock::User(user)).await?;
    }
    Ok((sql!(tx, execute USE_UP, id)? == 1).then_some((user, state)))
}

/// Ends whatever sign-ins of somebody have begun and are not finished.
pub(crate) async fn cancel(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    sql!(tx, execute CANCEL, &user.as_bytes()[..])?;
    Ok(())
}

/// Forgets a sign-in that succeeded.
pub(crate) async fn succeeded(tx: &mut Tx, login: &Digest) -> Result<(), DbError> {
    sql!(tx, execute DELETE, &login.as_bytes()[..])?;
    Ok(())
}
