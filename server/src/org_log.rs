//! The organisation's log in memory, verified by the same code as on clients.
//!
//! The database is the truth: several servers may share one. Whoever needs the log brings a transaction, and gets
//! at least what that transaction sees. Take database locks ([`crate::db::Tx::lock`]) before asking for the log,
//! never while holding it: an appender holds them in that order.

use sealpost_api::{limits::MAX_LOG_PAGE, problem::ErrorCode};
use sealpost_crypto::{
    log::{FoundingError, Log, LogError},
    record::{RawRecord, RecordError, Signed},
    sign::SigningKey,
};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{
    db::{self, DbError, Tx},
    problem::ApiError,
};

/// The log, once there is one.
#[derive(Default)]
pub(crate) struct OrgLog(RwLock<Option<Log>>);

/// A log to read; others may read beside.
pub(crate) type Reading<'a> = RwLockReadGuard<'a, Log>;

/// The log taken out for a change. Unless [`Change::keep`] puts it back, it is rebuilt from the database at its
/// next use: so it is never ahead of what was committed, whatever becomes of the request.
pub(crate) struct Change<'a> {
    place: RwLockWriteGuard<'a, Option<Log>>,
    log: Log,
}

impl OrgLog {
    /// The log with everything that `tx` sees; 503 `not_founded` while there is none.
    pub(crate) async fn synced(&self, tx: &mut Tx) -> Result<Reading<'_>, ApiError> {
        let size = db::log::size(tx).await?;
        let guard = self.0.read().await;
        if let Ok(log) = RwLockReadGuard::try_map(guard, |log| log.as_ref().filter(|log| log.size() >= size))
        {
            return Ok(log);
        }
        let mut place = self.0.write().await;
        catch_up(&mut place, tx).await?;
        RwLockReadGuard::try_map(place.downgrade(), Option::as_ref).map_err(|_| not_founded())
    }

    /// The log for appending. `tx` must hold [`crate::db::Lock::Organisation`].
    pub(crate) async fn change(&self, tx: &mut Tx) -> Result<Change<'_>, ApiError> {
        let mut place = self.0.write().await;
        catch_up(&mut place, tx).await?;
        let log = place.take().ok_or_else(not_founded)?;
        Ok(Change { place, log })
    }
}

impl Change<'_> {
    /// The log.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Applies an entry, in memory only. A refused one changes nothing.
    pub(crate) fn apply(&mut self, entry: RawRecord, bundle: Option<RawRecord>) -> Result<(), LogError> {
        self.log.apply(entry, bundle).map(drop)
    }

    /// Puts the log back: after the commit, or when nothing was changed.
    pub(crate) fn keep(mut self) {
        *self.place = Some(self.log);
    }
}

/// The server's signature over the log as it stands.
pub(crate) fn sign_checkpoint(log: &Log, key: &SigningKey) -> Result<RawRecord, RecordError> {
    Signed::sign(log.to_checkpoint(), key).map(Signed::into_raw)
}

/// There is no organisation to serve.
pub(crate) fn not_founded() -> ApiError {
    ApiError::new(ErrorCode::NotFounded, "This server keeps no organisation yet.")
        .hint("Found one with the setup token that the server's first start printed.")
}

/// Why stored entries make no log: somebody changed the database.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the stored genesis is not valid: {0}")]
    Founding(#[from] FoundingError),
    #[error("a stored log entry is not valid: {0}")]
    Entry(#[from] LogError),
    #[error("the genesis has no bundle")]
    NoBundle,
}

async fn catch_up(place: &mut Option<Log>, tx: &mut Tx) -> Result<(), ApiError> {
    loop {
        let from = place.as_ref().map_or(0, Log::size);
        let entries = db::log::page(tx, from, MAX_LOG_PAGE).await?;
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            extend(place, entry.record, entry.bundle).map_err(|error| {
                tracing::error!(cause = %error, "the stored log is broken");
                ApiError::from(DbError::Corrupt)
            })?;
        }
    }
}

fn extend(place: &mut Option<Log>, record: RawRecord, bundle: Option<RawRecord>) -> Result<(), Broken> {
    match place {
        Some(log) => log.apply(record, bundle).map(drop)?,
        None => *place = Some(Log::found(record, bundle.ok_or(Broken::NoBundle)?)?),
    }
    Ok(())
}
