//! Taking a former member's file out of circulation (protocol §7.7).

use axum::{extract::State, http::StatusCode};
use sealpost_api::{account::AccountStatus, file::WithdrawFile, problem::ErrorCode};
use sealpost_crypto::{
    id::{FileId, UserId},
    record::{RawRecord, Signed},
    records::Withdraw,
    withdraw,
};

use crate::{
    auth::OpsMember,
    db::{Lock, Tx, account, file, share, withdrawal},
    extract::{Json, Path},
    problem::ApiError,
    state::AppState,
};

/// `POST /files/{file_id}/withdraw`: from here on nobody reads the file. Its blobs and records stay, as evidence.
pub(super) async fn withdraw(
    State(state): State<AppState>,
    ops: OpsMember,
    Path(file_id): Path<FileId>,
    Json(request): Json<WithdrawFile>,
) -> Result<StatusCode, ApiError> {
    let mut tx = state.db.write().await?;
    tx.lock(Lock::File(file_id.as_bytes())).await?;
    let owner = former_owner(&mut tx, file_id, ops.user_id()).await?;
    if withdrawal::is_withdrawn(&mut tx, file_id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let record = verify(&state, &mut tx, request.record, owner).await?;
    if (record.signer, record.file_id) != (ops.user_id(), file_id) {
        return Err(ApiError::record_invalid("The record is of another signer, or about another file."));
    }
    withdrawal::insert(&mut tx, &record, state.clock.micros()).await?;
    file::withdraw(&mut tx, file_id, state.clock.micros()).await?;
    share::end_all(&mut tx, file_id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose file it was. A colleague's looks like one that does not exist.
async fn former_owner(tx: &mut Tx, file_id: FileId, caller: UserId) -> Result<UserId, ApiError> {
    let owner = file::owner(tx, file_id).await?.ok_or_else(ApiError::not_found)?;
    if owner == caller {
        let detail = "The file is your own: only what a former member left behind is withdrawn.";
        return Err(ApiError::new(ErrorCode::OwnerActive, detail).hint("Delete it, or end its shares."));
    }
    let account = account::by_id(tx, owner).await?;
    let has_left = account.is_some_and(|account| account.status.0 == AccountStatus::Revoked);
    if !has_left || file::is_deleted(tx, file_id).await? {
        return Err(ApiError::not_found());
    }
    Ok(owner)
}

async fn verify(
    state: &AppState,
    tx: &mut Tx,
    record: RawRecord,
    owner: UserId,
) -> Result<Signed<Withdraw>, ApiError> {
    let log = state.log.synced(tx).await?;
    let verified = withdraw::verify(record, &log, owner);
    verified.map_err(|error| ApiError::record_invalid(format!("The withdraw record: {error}.")))
}
