//! Whether the server runs, is ready, and what a stranger may know of it.

use axum::{Json, extract::State};
use sealpost_api::{API_VERSION, auth::ServerInfo};

use crate::{db, observe::OLDEST_API, problem::ApiError, state::AppState};

/// `GET /healthz`: the process runs.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: database and blob store answer.
pub(super) async fn ready(State(state): State<AppState>) -> Result<&'static str, ApiError> {
    let mut tx = state.db.read().await?;
    db::server::ping(&mut tx).await?;
    state.blobs.check().await?;
    Ok("ready\n")
}

/// `GET /server`.
pub(super) async fn server(State(state): State<AppState>) -> Result<Json<ServerInfo>, ApiError> {
    let keys = db::server::checkpoint_keys(&mut state.db.read().await?).await?;
    Ok(Json(ServerInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api: API_VERSION,
        api_oldest: OLDEST_API,
        org_id: state.org_id_if_founded().await?,
        checkpoint_key: keys.current.public_key(),
        next_checkpoint_key: keys.next.map(|key| key.public_key()),
        time: state.clock.seconds(),
    }))
}
