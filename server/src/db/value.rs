//! Values as columns hold them.

use sealpost_api::account::{AccountStatus, RoleName};
use sealpost_crypto::{record::RawRecord, records::Role};

use super::DbError;

/// A signed record in a TEXT column: `#[sqlx(try_from = "String")]`.
#[derive(Debug, Clone)]
pub(crate) struct Stored(pub RawRecord);

impl TryFrom<String> for Stored {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        serde_json::from_str(&text).map(Self)
    }
}

/// A record as a TEXT column holds it.
pub(crate) fn text(record: &RawRecord) -> Result<String, DbError> {
    serde_json::to_string(record).map_err(|_| DbError::Corrupt)
}

/// The inverse of [`text`].
pub(crate) fn record(text: &str) -> Result<RawRecord, DbError> {
    serde_json::from_str(text).map_err(|_| DbError::Corrupt)
}

/// A protocol integer (below 2⁵³) as BIGINT.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A BIGINT that was never negative.
pub(crate) fn uint(value: i64) -> Result<u64, DbError> {
    u64::try_from(value).map_err(|_| DbError::Corrupt)
}

/// A role column: the protocol's numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoleColumn(pub RoleName);

impl TryFrom<i64> for RoleColumn {
    type Error = DbError;

    fn try_from(code: i64) -> Result<Self, DbError> {
        match Role::from_code(uint(code)?) {
            Some(Role::Client) => Ok(Self(RoleName::Client)),
            Some(Role::Ops) => Ok(Self(RoleName::Ops)),
            None => Err(DbError::Corrupt),
        }
    }
}

/// The status column of an account, and its inverse [`status_code`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatusColumn(pub AccountStatus);

impl TryFrom<i64> for StatusColumn {
    type Error = DbError;

    fn try_from(code: i64) -> Result<Self, DbError> {
        match code {
            1 => Ok(Self(AccountStatus::Pending)),
            2 => Ok(Self(AccountStatus::Active)),
            3 => Ok(Self(AccountStatus::Revoked)),
            _ => Err(DbError::Corrupt),
        }
    }
}

/// As the status column holds it.
pub(crate) const fn status_code(status: AccountStatus) -> i64 {
    match status {
        AccountStatus::Pending => 1,
        AccountStatus::Active => 2,
        AccountStatus::Revoked => 3,
    }
}

/// As the role column holds it.
pub(crate) const fn role_code(role: RoleName) -> i64 {
    match role {
        RoleName::Client => Role::Client.code() as i64,
        RoleName::Ops => Role::Ops.code() as i64,
    }
}
