//! A client that is shown less than it has seen presents what it has seen.

use axum::{extract::State, http::StatusCode};
use sealpost_api::log::LogSeen;
use sealpost_crypto::{
    log::{CheckpointError, PositionError},
    records::Checkpoint,
};

use crate::{auth::InviteeOrSession, db::Lock, extract::Json, problem::ApiError, restore, state::AppState};

/// `POST /log/seen`: a checkpoint that this server signed, over a longer log than it has, proves a restore from a backup.
pub(in crate::routes) async fn seen(
    State(state): State<AppState>,
    _caller: InviteeOrSession,
    Json(request): Json<LogSeen>,
) -> Result<StatusCode, ApiError> {
    let claim: Checkpoint = request.checkpoint.claim().map_err(|error| invalid(&error))?;
    let mut tx = state.db.write().await?;
    tx.lock(Lock::Organisation).await?;
    let verified = state.log.synced(&mut tx).await?.verify_checkpoint(request.checkpoint);
    match verified {
        Ok(_) => {}
        // Only after its signature verified.
        Err(CheckpointError::Ahead) => {
            restore::noticed(&mut tx, claim.log_size).await?;
            tx.commit().await?;
        }
        Err(CheckpointError::Position(PositionError::Fork(fork))) => {
            tracing::error!(size = fork.size, "a client knows another history: two logs were signed");
        }
        Err(error) => return Err(invalid(&error)),
    }
    Ok(StatusCode::NO_CONTENT)
}

fn invalid(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::record_invalid(format!("The checkpoint is not one of this server's: {error}."))
}
