//! Deletes, from time to time, what nobody needs any more: abandoned uploads (their blobs first), expired
//! sign-ins, registrations, sessions and tickets. In small transactions, so that nobody waits for it.

use std::{collections::HashSet, time::Duration};

use sealpost_api::limits::{
    CHALLENGE_SECONDS, LOGIN_WINDOW_SECONDS, REGISTRATION_SECONDS, TICKET_SECONDS, UPLOAD_SECONDS,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    blob::{BlobError, VersionKey},
    clock::Clock,
    db::{DbError, Lock, Tx, expired, file, share, ticket},
    state::AppState,
};

/// From one sweep to the next; the first is at once.
const INTERVAL: Duration = Duration::from_secs(600);
/// Rows deleted in one transaction.
const BATCH: u32 = 500;
/// Abandoned uploads looked at in one sweep.
const UPLOADS: u32 = 100;

/// A running sweeper.
pub(crate) struct Sweeper {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Sweeper {
    /// Sweeps until stopped.
    pub(crate) fn start(state: AppState) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(state, stop.clone()));
        Self { stop, task }
    }

    /// Stops after the transaction that is running.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(cause = %error, "the sweeper failed");
        }
    }
}

async fn run(state: AppState, stop: CancellationToken) {
    loop {
        if let Err(error) = sweep(&state, &stop).await {
            tracing::warn!(cause = %error, "the sweep will be tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// Deletes everything that is due by the server's clock.
async fn sweep(state: &AppState, stop: &CancellationToken) -> Result<(), SweepError> {
    for what in Rows::ALL {
        while what.batch(state).await? == u64::from(BATCH) && !stop.is_cancelled() {}
    }
    let before = state.clock.micros_ago(UPLOAD_SECONDS);
    let mut tx = state.db.read().await?;
    let stale = file::stale(&mut tx, before, UPLOADS).await?;
    drop(tx);
    for version in stale {
        if stop.is_cancelled() {
            break;
        }
        abandon(state, version, before).await?;
    }
    Ok(())
}

/// Blobs first, then rows: what is left after a crash in between is found again.
async fn abandon(state: &AppState, version: VersionKey, before: i64) -> Result<(), SweepError> {
    let mut tx = state.db.write().await?;
    tx.lock(Lock::File(version.file_id.as_bytes())).await?;
    let is_ours = file::mark_sweeping(&mut tx, version, before).await?;
    tx.commit().await?;
    if !is_ours {
        return Ok(());
    }
    state.blobs.keep_only(version, &HashSet::new()).await?;
    let mut tx = state.db.write().await?;
    tx.lock(Lock::File(version.file_id.as_bytes())).await?;
    file::delete_swept(&mut tx, version).await?;
    tx.commit().await?;
    tracing::info!("deleted an abandoned upload");
    Ok(())
}

/// Rows that expire.
#[derive(Debug, Clone, Copy)]
enum Rows {
    Logins,
    Registrations,
    Sessions,
    Tickets,
    Shares,
}

impl Rows {
    const ALL: [Self; 5] = [Self::Logins, Self::Registrations, Self::Sessions, Self::Tickets, Self::Shares];

    async fn batch(self, state: &AppState) -> Result<u64, DbError> {
        let mut tx = state.db.write().await?;
        let done = self.delete(&mut tx, &state.clock).await?;
        tx.commit().await?;
        Ok(done)
    }

    async fn delete(self, tx: &mut Tx, clock: &Clock) -> Result<u64, DbError> {
        match self {
            // Failed sign-ins are counted for a while.
            Self::Logins => {
                let before = clock.micros_ago(LOGIN_WINDOW_SECONDS.max(CHALLENGE_SECONDS));
                expired::logins(tx, before, BATCH).await
            }
            Self::Registrations => {
                expired::registrations(tx, clock.micros_ago(REGISTRATION_SECONDS), BATCH).await
            }
            Self::Sessions => expired::sessions(tx, clock.micros(), BATCH).await,
            Self::Tickets => ticket::sweep(tx, clock.micros_ago(TICKET_SECONDS), BATCH).await,
            Self::Shares => share::retire_expired(tx, clock.micros(), BATCH).await,
        }
    }
}
