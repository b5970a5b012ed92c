//! Deletes, from time to time, what nobody needs any more: abandoned uploads (their blobs first), blobs of deleted
//! files and of replaced versions, expired sign-ins, registrations, sessions and tickets. In small transactions, so that nobody waits for it.

use std::{collections::HashSet, time::Duration};

use sealpost_api::limits::{
    CHALLENGE_SECONDS, LOGIN_WINDOW_SECONDS, REGISTRATION_SECONDS, TICKET_SECONDS, UPLOAD_SECONDS,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    blob::{BlobError, VersionKey},
    clock::Clock,
    db::{DbError, Lock, Tx, expired, file, part, share, ticket, version},
    problem::ApiError,
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
    remove_deleted(state).await?;
    remove_replaced(state).await?;
    let before = state.clock.micros_ago(UPLOAD_SECONDS);
    let mut tx = state.db.read().await?;
    let stale = file::stale(&mut tx, before, UPLOADS).await?;
    drop(tx);
    for version in stale {
        if stop.is_cancelled() {
            break;
        }
        // One that can't be deleted now must not keep the others.
        if let Err(error) = abandon(state, version, before).await {
            tracing::warn!(cause = %error, "an abandoned upload stays until the next sweep");
        }
    }
    Ok(())
}

/// Removes the blobs of files that their owners deleted, then the rows of their parts, which say that there are
/// blobs: what is left after a crash in between is found again.
pub(crate) async fn remove_deleted(state: &AppState) -> Result<(), DbError> {
    let mut tx = state.db.read().await?;
    let deleted = file::deleted(&mut tx, BATCH).await?;
    drop(tx);
    for version in deleted {
        // One that can't be deleted now must not keep the others.
        if let Err(error) = remove_blobs(state, version).await {
            tracing::warn!(cause = %error, "the blobs of a deleted file stay until the next sweep");
        }
    }
    Ok(())
}

/// Removes the blobs of versions that a newer one has replaced, then notes that they are gone. The digests of their parts
/// stay: with the records they say what was delivered.
pub(crate) async fn remove_replaced(state: &AppState) -> Result<(), DbError> {
    let mut tx = state.db.read().await?;
    let replaced = version::replaced(&mut tx, BATCH).await?;
    drop(tx);
    for key in replaced {
        // One that can't be deleted now must not keep the others.
        if let Err(error) = forget_blobs(state, key).await {
            tracing::warn!(cause = %error, "the blobs of a replaced version stay until the next sweep");
        }
    }
    Ok(())
}

async fn forget_blobs(state: &AppState, key: VersionKey) -> Result<(), SweepError> {
    state.blobs.keep_only(key, &HashSet::new()).await?;
    let mut tx = state.db.write().await?;
    version::forget_blobs(&mut tx, key).await?;
    Ok(tx.commit().await?)
}

async fn remove_blobs(state: &AppState, version: VersionKey) -> Result<(), SweepError> {
    state.blobs.keep_only(version, &HashSet::new()).await?;
    let mut tx = state.db.write().await?;
    part::delete(&mut tx, version).await?;
    Ok(tx.commit().await?)
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
    clear(state, version).await?;
    tracing::info!("deleted an abandoned upload");
    Ok(())
}

async fn clear(state: &AppState, version: VersionKey) -> Result<(), SweepError> {
    state.blobs.keep_only(version, &HashSet::new()).await?;
    let mut tx = state.db.write().await?;
    tx.lock(Lock::File(version.file_id.as_bytes())).await?;
    file::delete_swept(&mut tx, version).await?;
    Ok(tx.commit().await?)
}

/// Deletes an upload that its owner has cancelled: it is out of reach already. Should this fail, the next sweep does it.
pub(crate) async fn finish(state: &AppState, version: VersionKey) -> Result<(), ApiError> {
    clear(state, version).await.map_err(|error| match error {
        SweepError::Db(error) => error.into(),
        SweepError::Blob(error) => error.into(),
    })
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

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use sealpost_crypto::{
        id::{Digest, UserId},
        parts::part_digest,
    };

    use super::*;
    use crate::{
        blob::{BlobId, BlobKey, BlobStore, Database},
        db::{
            Db,
            part::Part,
            sql,
            tests::{insert_account, insert_share, insert_upload, on_both},
        },
        keys::ServerKeys,
        setup,
    };

    async fn state(db: Db) -> AppState {
        let keys = ServerKeys::new(setup::secrets(&db).await.unwrap());
        let blobs: Arc<dyn BlobStore> = Arc::new(Database::open(db.clone()).await.unwrap());
        AppState::new(db, blobs, Clock::default(), keys, PathBuf::new())
    }

    async fn sweep_all(state: &AppState) {
        sweep(state, &CancellationToken::new()).await.unwrap();
    }

    async fn put_part(state: &AppState, version: VersionKey) -> BlobKey {
        let key = BlobKey { version, id: BlobId::random() };
        state.blobs.put(key, stream::iter([Ok(Bytes::from_static(b"part"))]).boxed()).await.unwrap();
        let mut tx = state.db.write().await.unwrap();
        let part = Part::new(0, part_digest(b"part"), 4, key.id);
        part::insert(&mut tx, version, &part).await.unwrap();
        file::touch(&mut tx, version, state.clock.micros()).await.unwrap();
        tx.commit().await.unwrap();
        key
    }

    async fn is_there(state: &AppState, owner: UserId, key: BlobKey) -> (bool, bool) {
        let mut tx = state.db.read().await.unwrap();
        let row = file::version(&mut tx, key.version, owner).await.unwrap().is_some();
        (row, state.blobs.read(key, 0..4).await.is_ok())
    }

    on_both! {
        async fn an_upload_goes_when_nothing_came_for_a_week(db: Db) {
            let state = state(db).await;
            let owner = insert_account(&state.db).await;
            let upload = insert_upload(&state.db, owner, state.clock.micros()).await;
            state.clock.advance(Duration::from_secs(UPLOAD_SECONDS - 60));
            let key = put_part(&state, upload).await;

            // Counted from the newest part, not from the beginning.
            state.clock.advance(Duration::from_secs(UPLOAD_SECONDS - 60));
            sweep_all(&state).await;
            assert_eq!(is_there(&state, owner, key).await, (true, true));

            state.clock.advance(Duration::from_secs(120));
            sweep_all(&state).await;
            assert_eq!(is_there(&state, owner, key).await, (false, false));
            // Nothing of it is left, so its id is free again.
            let mut tx = state.db.write().await.unwrap();
            file::insert(&mut tx, upload, owner, state.clock.micros()).await.unwrap();
        }

        async fn a_sweep_that_was_cut_short_is_finished_by_the_next(db: Db) {
            let state = state(db).await;
            let owner = insert_account(&state.db).await;
            let upload = insert_upload(&state.db, owner, 0).await;
            let key = put_part(&state, upload).await;
            state.clock.advance(Duration::from_secs(UPLOAD_SECONDS + 60));
            let mut tx = state.db.write().await.unwrap();
            assert!(file::mark_sweeping(&mut tx, upload, state.clock.micros_ago(60)).await.unwrap());
            tx.commit().await.unwrap();

            // Out of its owner's reach before its blobs go.
            assert_eq!(is_there(&state, owner, key).await, (false, true));
            sweep_all(&state).await;
            assert_eq!(is_there(&state, owner, key).await, (false, false));
        }

        async fn a_deletion_that_was_cut_short_is_finished_by_the_next_sweep(db: Db) {
            let state = state(db).await;
            let owner = insert_account(&state.db).await;
            let upload = insert_upload(&state.db, owner, state.clock.micros()).await;
            let key = put_part(&state, upload).await;
            let mut tx = state.db.write().await.unwrap();
            file::delete(&mut tx, upload.file_id, state.clock.micros()).await.unwrap();
            tx.commit().await.unwrap();

            assert_eq!(is_there(&state, owner, key).await, (false, true));
            sweep_all(&state).await;
            assert_eq!(is_there(&state, owner, key).await, (false, false));
            let mut tx = state.db.read().await.unwrap();
            assert!(file::deleted(&mut tx, 1).await.unwrap().is_empty());
            assert!(file::is_deleted(&mut tx, upload.file_id).await.unwrap(), "its id is not free again");
        }

        async fn the_blobs_of_a_replaced_version_go_and_the_digests_of_its_parts_stay(db: Db) {
            const LIVE: &str = "UPDATE file_versions SET state = 2 WHERE file_id = $1";
            let state = state(db).await;
            let owner = insert_account(&state.db).await;
            let upload = insert_upload(&state.db, owner, state.clock.micros()).await;
            let key = put_part(&state, upload).await;
            let mut tx = state.db.write().await.unwrap();
            sql!(&mut tx, execute LIVE, &upload.file_id.as_bytes()[..]).unwrap();
            version::replace(&mut tx, upload, state.clock.micros()).await.unwrap();
            tx.commit().await.unwrap();

            // As a crash right after the transaction leaves it.
            assert_eq!(is_there(&state, owner, key).await, (true, true));
            sweep_all(&state).await;
            assert_eq!(is_there(&state, owner, key).await, (true, false));
            let mut tx = state.db.read().await.unwrap();
            assert!(version::replaced(&mut tx, 1).await.unwrap().is_empty(), "it is looked at once");
            assert_eq!(part::range(&mut tx, upload, 0, 9).await.unwrap().len(), 1);
        }

        async fn expired_rows_go_in_batches(db: Db) {
            const NONCE: &str = "INSERT INTO registrations (nonce, context, started_at) VALUES ($1, $1, $2)";
            const COUNT: &str = "SELECT COUNT(*) FROM registrations";
            let state = state(db).await;
            let mut tx = state.db.write().await.unwrap();
            for _ in 0..BATCH + 7 {
                let nonce = Digest::random();
                sql!(&mut tx, execute NONCE, &nonce.as_bytes()[..], state.clock.micros()).unwrap();
            }
            tx.commit().await.unwrap();
            sweep_all(&state).await;
            let count = async || {
                let mut tx = state.db.read().await.unwrap();
                sql!(&mut tx, one (i64,): COUNT).unwrap().0
            };
            assert_eq!(count().await, i64::from(BATCH) + 7, "they were not due");
            state.clock.advance(Duration::from_secs(REGISTRATION_SECONDS + 1));
            sweep_all(&state).await;
            assert_eq!(count().await, 0);
        }

        async fn old_tickets_go_and_expired_shares_leave_the_list(db: Db) {
            const OVER: &str = "SELECT over FROM shares WHERE share_id = $1";
            let state = state(db).await;
            let expiry = state.clock.micros() / 1_000_000 + 3_600;
            let share = insert_share(&state.db, expiry, 0).await;
            let (ticket, now) = (sealpost_crypto::id::TicketId::random(), state.clock.micros());
            let mut tx = state.db.write().await.unwrap();
            assert!(ticket::pay(&mut tx, share, ticket, now, 0).await.unwrap());
            tx.commit().await.unwrap();
            let look = async || {
                let mut tx = state.db.read().await.unwrap();
                let over = sql!(&mut tx, one (bool,): OVER, &share.as_bytes()[..]).unwrap().0;
                (over, ticket::is_live(&mut tx, share, ticket, 0).await.unwrap())
            };
            sweep_all(&state).await;
            assert_eq!(look().await, (false, true));
            state.clock.advance(Duration::from_secs(TICKET_SECONDS + 1));
            sweep_all(&state).await;
            assert_eq!(look().await, (true, false));
        }
    }
}
