//! `revoke`: a membership ends.

use sealpost_crypto::{record::RawRecord, records::Revoke};

use crate::{
    append::Appending,
    db::{Lock, Tx},
    ending,
    problem::ApiError,
    state::AppState,
    sweep,
};

/// Appends the entry, and ends with it whatever the member has on this server.
pub(super) async fn append(
    state: &AppState,
    mut tx: Tx,
    record: &RawRecord,
    entry: &Revoke,
) -> Result<RawRecord, ApiError> {
    tx.lock(Lock::User(entry.user_id)).await?;
    let mut appending = Appending::begin(state, tx, record, None).await?;
    ending::end(appending.tx(), entry.user_id, state.clock.micros()).await?;
    let checkpoint = appending.commit().await?;
    // What can't be removed now, the sweeper removes.
    if let Err(error) = sweep::remove_deleted(state).await {
        tracing::warn!(cause = %error, "the blobs of a cancelled upload stay until the next sweep");
    }
    Ok(checkpoint)
}
