//! Deleting a file: access ends at once, the blobs go, the records stay.

use axum::{extract::State, http::StatusCode};
use sealpost_crypto::id::FileId;

use crate::{
    auth::OpsMember,
    db::{Lock, file, share},
    extract::Path,
    problem::ApiError,
    state::AppState,
    sweep,
};

/// `DELETE /files/{file_id}`: the owner's, in whatever state; again is fine. Signed records stay as evidence.
pub(super) async fn delete(
    State(state): State<AppState>,
    member: OpsMember,
    Path(file_id): Path<FileId>,
) -> Result<StatusCode, ApiError> {
    let owner = member.user_id();
    let mut tx = state.db.write().await?;
    tx.lock(Lock::User(owner)).await?;
    tx.lock(Lock::File(file_id.as_bytes())).await?;
    if file::owner(&mut tx, file_id).await? != Some(owner) {
        return Err(ApiError::not_found());
    }
    file::delete(&mut tx, file_id, state.clock.micros()).await?;
    share::end_all(&mut tx, file_id).await?;
    tx.commit().await?;
    // Nobody reaches the file any more. What can't be removed now, the sweeper removes.
    if let Err(error) = sweep::remove_deleted(&state).await {
        tracing::warn!(cause = %error, "the blobs of a deleted file stay until the next sweep");
    }
    Ok(StatusCode::NO_CONTENT)
}
