//! The organisation's log (protocol §5).

use axum::extract::State;
use sealpost_api::{
    limits::MAX_LOG_PAGE,
    log::{AppendLog, LogAppended, LogPage, LogQuery},
    problem::ErrorCode,
};
use sealpost_crypto::{
    id::{RecordId, UserId},
    record::{RawRecord, Record},
    records::{Certify, Revoke, Rotate, Service},
};

use crate::{
    auth::{InviteeOrSession, OpsMember},
    db::{self, Lock, Tx},
    extract::{Json, Query},
    problem::ApiError,
    state::AppState,
};

mod certify;
mod revoke;
mod seen;
mod service;

pub(super) use seen::seen;

/// `GET /log`.
pub(super) async fn page(
    State(state): State<AppState>,
    _caller: InviteeOrSession,
    Query(query): Query<LogQuery>,
) -> Result<axum::Json<LogPage>, ApiError> {
    let limit = query.limit.unwrap_or(MAX_LOG_PAGE);
    if !(1..=MAX_LOG_PAGE).contains(&limit) {
        return Err(ApiError::malformed(format!("limit must be 1 to {MAX_LOG_PAGE}.")));
    }
    let mut tx = state.db.read().await?;
    let checkpoint = db::log::newest_checkpoint(&mut tx).await?.ok_or(db::DbError::Corrupt)?;
    let entries = db::log::page(&mut tx, query.from, limit).await?;
    Ok(axum::Json(LogPage { entries, checkpoint }))
}

/// An entry that somebody wants to append; nothing of it is verified yet.
enum Claim {
    Certify(Certify),
    Revoke(Revoke),
    Service(Service),
}

/// `POST /log`: `certify` of somebody who accepted an invite, `revoke`, `service`. The same entry again is fine.
pub(super) async fn append(
    State(state): State<AppState>,
    ops: OpsMember,
    Json(request): Json<AppendLog>,
) -> Result<axum::Json<LogAppended>, ApiError> {
    let record = request.record;
    let claim = Claim::read(&record)?;
    let (signer, sequence) = claim.signer_and_sequence();
    if signer != ops.user_id() {
        return Err(ApiError::record_invalid("The entry is signed by somebody else than the caller."));
    }
    let mut tx = state.db.write().await?;
    tx.lock(Lock::Organisation).await?;
    if let Some(checkpoint) = stored(&mut tx, sequence, record.id()).await? {
        return Ok(axum::Json(LogAppended { checkpoint }));
    }
    let checkpoint = match claim {
        Claim::Certify(entry) => certify::append(&state, tx, &record, &entry).await?,
        Claim::Revoke(entry) => revoke::append(&state, tx, &record, &entry).await?,
        Claim::Service(entry) => service::append(&state, tx, &record, &entry).await?,
    };
    Ok(axum::Json(LogAppended { checkpoint }))
}

impl Claim {
    fn read(record: &RawRecord) -> Result<Self, ApiError> {
        let claim = match record.kind.as_str() {
            Rotate::KIND => return Err(rotates_elsewhere()),
            Revoke::KIND => record.claim().map(Self::Revoke),
            Service::KIND => record.claim().map(Self::Service),
            _ => record.claim().map(Self::Certify),
        };
        claim.map_err(|error| ApiError::record_invalid(format!("The entry is not valid: {error}.")))
    }

    fn signer_and_sequence(&self) -> (UserId, u64) {
        match self {
            Self::Certify(entry) => (entry.signer, entry.sequence),
            Self::Revoke(entry) => (entry.signer, entry.sequence),
            Self::Service(entry) => (entry.signer, entry.sequence),
        }
    }
}

/// Keys, credential, envelope and vault change together with such an entry.
fn rotates_elsewhere() -> ApiError {
    ApiError::record_invalid("A rotate entry is sent with the keys and what rests on them.")
        .hint(format!("POST it to {}.", sealpost_api::routes::ROTATE.path))
}

/// The newest checkpoint if this very entry is stored already; 409 if another one holds its place.
pub(super) async fn stored(tx: &mut Tx, sequence: u64, id: RecordId) -> Result<Option<RawRecord>, ApiError> {
    match db::log::at(tx, sequence).await? {
        None => Ok(None),
        Some((holder, _)) if holder == id => {
            let checkpoint = db::log::newest_checkpoint(tx).await?;
            Ok(Some(checkpoint.ok_or(db::DbError::Corrupt)?))
        }
        Some((_, record)) => {
            Err(ApiError::new(ErrorCode::LogConflict, "Another entry holds this place in the log.")
                .hint("Read the log, look again at what was wanted, and sign for the next place.")
                .record(record))
        }
    }
}
