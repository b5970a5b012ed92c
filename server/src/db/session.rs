//! Sessions: who is signed in, and their refresh tokens.

use sealpost_crypto::id::{Digest, UserId};

use super::{
    DbError, Tx, sql, statements,
    value::{RoleColumn, StatusColumn},
};
use crate::keys::SessionId;

statements! {
    /// The one query that authorises a request: the session lives, and what its account may do.
    AUTHORISE = "SELECT a.user_id, a.role, a.status FROM sessions s JOIN accounts a ON a.user_id = s.user_id \
        WHERE s.session_id = $1 AND s.expires_at > $2 AND a.status < 3";
    INSERT = "INSERT INTO sessions (session_id, user_id, refresh_hash, rotated_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5)";
    READ = "SELECT s.refresh_hash, s.previous_hash, s.rotated_at \
        FROM sessions s JOIN accounts a ON a.user_id = s.user_id \
        WHERE s.session_id = $1 AND s.expires_at > $2 AND a.status < 3";
    ROTATE = "UPDATE sessions SET previous_hash = refresh_hash, refresh_hash = $2, rotated_at = $3, \
        expires_at = $4 WHERE session_id = $1";
    KEEP_NEWEST = "DELETE FROM sessions WHERE user_id = $1 AND session_id NOT IN \
        (SELECT session_id FROM sessions WHERE user_id = $1 ORDER BY rotated_at DESC, session_id LIMIT $2)";
    END = "DELETE FROM sessions WHERE session_id = $1";
    END_ALL = "DELETE FROM sessions WHERE user_id = $1";
    END_OTHERS = "DELETE FROM sessions WHERE user_id = $1 AND session_id <> $2";
}

/// What a live session's account may do.
#[derive(sqlx::FromRow)]
pub(crate) struct Authorised {
    /// Whose session it is.
    #[sqlx(try_from = "Vec<u8>")]
    pub user_id: UserId,
    /// Their role.
    #[sqlx(try_from = "i64")]
    pub role: RoleColumn,
    /// Pending or active.
    #[sqlx(try_from = "i64")]
    pub status: StatusColumn,
}

/// The refresh tokens of a session.
#[derive(sqlx::FromRow)]
pub(crate) struct Refreshable {
    /// SHA-256 of the newest token.
    #[sqlx(try_from = "Vec<u8>")]
    pub refresh_hash: Digest,
    /// SHA-256 of the one before.
    pub previous_hash: Option<Vec<u8>>,
    /// When it was replaced.
    pub rotated_at: i64,
}

/// Looks up a session that has not ended.
pub(crate) async fn authorise(
    tx: &mut Tx,
    session: SessionId,
    now: i64,
) -> Result<Option<Authorised>, DbError> {
    sql!(tx, optional Authorised: AUTHORISE, &session.as_bytes()[..], now)
}

/// Begins a session.
pub(crate) async fn insert(
    tx: &mut Tx,
    session: SessionId,
    user: UserId,
    refresh_hash: &Digest,
    now: i64,
    expires_at: i64,
) -> Result<(), DbError> {
    let (id, user, hash) = (&session.as_bytes()[..], &user.as_bytes()[..], &refresh_hash.as_bytes()[..]);
    sql!(tx, execute INSERT, id, user, hash, now, expires_at)?;
    Ok(())
}

/// Ends the sessions of somebody that were refreshed longest ago, but for `most`.
pub(crate) async fn keep_newest(tx: &mut Tx, user: UserId, most: u32) -> Result<(), DbError> {
    sql!(tx, execute KEEP_NEWEST, &user.as_bytes()[..], i64::from(most))?;
    Ok(())
}

/// The refresh tokens of a session that has not ended.
pub(crate) async fn read(tx: &mut Tx, session: SessionId, now: i64) -> Result<Option<Refreshable>, DbError> {
    sql!(tx, optional Refreshable: READ, &session.as_bytes()[..], now)
}

/// Puts the next refresh token in place.
pub(crate) async fn rotate(
    tx: &mut Tx,
    session: SessionId,
    next_hash: &Digest,
    now: i64,
    expires_at: i64,
) -> Result<(), DbError> {
    sql!(tx, execute ROTATE, &session.as_bytes()[..], &next_hash.as_bytes()[..], now, expires_at)?;
    Ok(())
}

/// Ends a session.
pub(crate) async fn end(tx: &mut Tx, session: SessionId) -> Result<(), DbError> {
    sql!(tx, execute END, &session.as_bytes()[..])?;
    Ok(())
}

/// Ends every session of somebody but one.
pub(crate) async fn end_others(tx: &mut Tx, user: UserId, kept: SessionId) -> Result<(), DbError> {
    sql!(tx, execute END_OTHERS, &user.as_bytes()[..], &kept.as_bytes()[..])?;
    Ok(())
}

/// Ends every session of somebody.
pub(crate) async fn end_all(tx: &mut Tx, user: UserId) -> Result<(), DbError> {
    sql!(tx, execute END_ALL, &user.as_bytes()[..])?;
    Ok(())
}
