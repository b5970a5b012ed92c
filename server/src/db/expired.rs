//! Rows that time has made worthless: sign-ins, registrations, sessions.

use super::{DbError, Tx, sql, statements};

statements! {
    LOGINS = "DELETE FROM logins WHERE login_id IN ( \
        SELECT login_id FROM logins WHERE started_at <= $1 LIMIT $2)";
    REGISTRATIONS = "DELETE FROM registrations WHERE nonce IN ( \
        SELECT nonce FROM registrations WHERE started_at <= $1 LIMIT $2)";
    SESSIONS = "DELETE FROM sessions WHERE session_id IN ( \
        SELECT session_id FROM sessions WHERE expires_at <= $1 LIMIT $2)";
}

/// Deletes sign-ins begun before `before`; how many.
pub(crate) async fn logins(tx: &mut Tx, before: i64, limit: u32) -> Result<u64, DbError> {
    sql!(tx, execute LOGINS, before, i64::from(limit))
}

/// Deletes nonces issued before `before`; how many.
pub(crate) async fn registrations(tx: &mut Tx, before: i64, limit: u32) -> Result<u64, DbError> {
    sql!(tx, execute REGISTRATIONS, before, i64::from(limit))
}

/// Deletes sessions that ended before `before`; how many.
pub(crate) async fn sessions(tx: &mut Tx, before: i64, limit: u32) -> Result<u64, DbError> {
    sql!(tx, execute SESSIONS, before, i64::from(limit))
}
