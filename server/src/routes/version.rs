//! Versions of a file: what the newest one follows, and an upload that is given up.

use axum::{Json as Answer, extract::State, http::StatusCode};
use sealpost_api::{
    file::{FileState, Manifests},
    problem::ErrorCode,
};
use sealpost_crypto::id::FileId;

use super::file::readable;
use crate::{
    auth::{Member, OpsMember},
    blob::VersionKey,
    db::{
        Lock,
        file::{self, By},
        version,
    },
    extract::Path,
    problem::ApiError,
    state::AppState,
    sweep,
};

/// `GET /files/{file_id}/manifests`: to whoever may read the newest version.
pub(super) async fn manifests(
    State(state): State<AppState>,
    member: Member,
    Path(file_id): Path<FileId>,
) -> Result<Answer<Manifests>, ApiError> {
    let mut tx = state.db.read().await?;
    let row = readable(&state, &mut tx, file_id, member.user_id(), By::AnyTicket).await?;
    let newest = row.access(member.user_id())?.version;
    Ok(Answer(Manifests { manifests: version::earlier(&mut tx, newest).await? }))
}

/// `DELETE /files/{file_id}/versions/{version}`: the owner's, while it is being uploaded; again is fine.
pub(super) async fn cancel(
    State(state): State<AppState>,
    member: OpsMember,
    Path((file_id, version)): Path<(FileId, u64)>,
) -> Result<StatusCode, ApiError> {
    let (key, owner) = (VersionKey { file_id, version }, member.user_id());
    let mut tx = state.db.write().await?;
    tx.lock(Lock::File(file_id.as_bytes())).await?;
    if file::owner(&mut tx, file_id).await? != Some(owner) {
        return Err(ApiError::not_found());
    }
    let known = file::version(&mut tx, key, owner).await?;
    if known.is_some_and(|known| known.state == FileState::Live) {
        let detail = "This version is complete.";
        return Err(ApiError::new(ErrorCode::AlreadyComplete, detail).hint("Delete the file instead."));
    }
    let was_there = version::cancel(&mut tx, key).await?;
    tx.commit().await?;
    if was_there {
        sweep::finish(&state, key).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
