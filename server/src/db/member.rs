//! Who is in the organisation, by address and name.

use sealpost_api::account::{AccountStatus, MemberSummary, MemberView};
use sealpost_crypto::{
    id::{Digest, UserId},
    opening::Opening,
};

use super::{
    DbError, Tx, sql, statements,
    value::{RoleColumn, StatusColumn, int, uint},
};

/// Shares to others that can be used at `$2`.
macro_rules! usable {
    () => {
        "JOIN file_versions v ON v.file_id = s.file_id AND v.version = s.version \
            WHERE NOT s.over AND s.sender <> s.recipient AND s.unshare_id IS NULL AND v.state = 2 \
            AND (s.expiry = 0 OR s.expiry > $2) AND (s.download_limit = 0 OR s.downloads < s.download_limit)"
    };
}

statements! {
    /// Accounts, and people invited who have none yet.
    EVERYBODY = "SELECT user_id, salt, email, name, role, status, certified_at, rotated_at FROM accounts \
        WHERE user_id > $1 \
        UNION ALL \
        SELECT i.user_id, i.salt, i.email, i.name, i.role, 1, CAST(NULL AS BIGINT), \
        CAST(NULL AS BIGINT) FROM invites i \
        WHERE i.user_id > $1 AND i.state = 1 AND i.expiry > $2 \
        AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = i.user_id) \
        ORDER BY 1 LIMIT $3";
    SHARES_RECEIVED = concat!("SELECT COUNT(*) FROM shares s ", usable!(), " AND s.recipient = $1");
    SHARES_GIVEN = concat!("SELECT COUNT(*) FROM files f JOIN shares s ON s.file_id = f.file_id ", usable!(),
        " AND f.owner = $1");
    FILES = "SELECT COUNT(*) FROM files WHERE owner = $1 AND live_at IS NOT NULL AND deleted_at IS NULL";
    OPEN_INVITES = "SELECT COUNT(*) FROM invites WHERE inviter = $1 AND (state = 2 OR (state = 1 AND expiry > $2))";
    /// Also those who left: what they signed before still names them.
    OPS = "SELECT user_id, salt, email, name, role, status, certified_at, rotated_at FROM accounts \
        WHERE user_id > $1 AND role = 2 AND status > 1 ORDER BY user_id LIMIT $2";
}

#[derive(sqlx::FromRow)]
struct Row {
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
    certified_at: Option<i64>,
    rotated_at: Option<i64>,
}

impl Row {
    fn view(self) -> Result<MemberView, DbError> {
        let Self { user_id, salt, name, .. } = self;
        let email = self.email.parse().map_err(|_| DbError::Corrupt)?;
        let status: AccountStatus = self.status.0;
        let opening = Opening { user_id, salt, email, name };
        let seconds = |time: Option<i64>| time.map(|micros| uint(micros / 1_000_000)).transpose();
        let (certified_at, rotated_at) = (seconds(self.certified_at)?, seconds(self.rotated_at)?);
        Ok(MemberView { opening, role: self.role.0, status, certified_at, rotated_at })
    }
}

/// Everybody, pending and invited people too, for Ops; by user id after `after`. `now` is in seconds.
pub(crate) async fn everybody(
    tx: &mut Tx,
    after: &[u8],
    now: u64,
    limit: u32,
) -> Result<Vec<MemberView>, DbError> {
    let rows = sql!(tx, all Row: EVERYBODY, after, int(now), i64::from(limit))?;
    rows.into_iter().map(Row::view).collect()
}

/// The Ops members, for everybody.
pub(crate) async fn ops(tx: &mut Tx, after: &[u8], limit: u32) -> Result<Vec<MemberView>, DbError> {
    let rows = sql!(tx, all Row: OPS, after, i64::from(limit))?;
    rows.into_iter().map(Row::view).collect()
}

/// What ends, or stays behind, when somebody's membership ends. `now` is in seconds.
pub(crate) async fn summary(tx: &mut Tx, user: UserId, now: u64) -> Result<MemberSummary, DbError> {
    let (user, now) = (&user.as_bytes()[..], int(now));
    let (received,) = sql!(tx, one (i64,): SHARES_RECEIVED, user, now)?;
    let (given,) = sql!(tx, one (i64,): SHARES_GIVEN, user, now)?;
    let (files,) = sql!(tx, one (i64,): FILES, user)?;
    let (invites,) = sql!(tx, one (i64,): OPEN_INVITES, user, now)?;
    Ok(MemberSummary {
        shares_received: uint(received)?,
        shares_given: uint(given)?,
        files: uint(files)?,
        open_invites: uint(invites)?,
    })
}
