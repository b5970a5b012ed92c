//! The organisation's log (protocol §5).

use axum::extract::State;
use sealpost_api::{
    limits::{CERTIFY_GRACE_SECONDS, MAX_LOG_PAGE},
    log::{AppendLog, LogAppended, LogPage, LogQuery},
    problem::ErrorCode,
};
use sealpost_crypto::{
    id::{RecordId, UserId},
    log::Log,
    record::{RawRecord, Record},
    records::{Certify, Revoke, Rotate, Service},
};

use crate::{
    auth::{InviteeOrSession, OpsMember},
    db::{
        self, Lock, Tx,
        invite::{Invite, Progress},
        log::NewEntry,
    },
    extract::{Json, Query},
    org_log::sign_checkpoint,
    problem::ApiError,
    state::AppState,
};

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

/// `POST /log`: in this version only `certify`, of somebody who accepted an invite.
pub(super) async fn append(
    State(state): State<AppState>,
    ops: OpsMember,
    Json(request): Json<AppendLog>,
) -> Result<axum::Json<LogAppended>, ApiError> {
    let entry = claim(&request.record)?;
    if entry.signer != ops.user_id() {
        return Err(ApiError::record_invalid("The entry is signed by somebody else than the caller."));
    }
    let mut tx = state.db.write().await?;
    tx.lock(Lock::Organisation).await?;
    let id = request.record.id();
    if let Some((holder, record)) = db::log::at(&mut tx, entry.sequence).await? {
        return if holder == id { newest(&mut tx).await } else { Err(conflict(record)) };
    }
    let invite = accepted_invite(&state, &mut tx, &entry).await?;
    let checkpoint = certify(&state, tx, &request.record, &entry, &invite).await?;
    Ok(axum::Json(LogAppended { checkpoint }))
}

fn claim(record: &RawRecord) -> Result<Certify, ApiError> {
    if [Rotate::KIND, Revoke::KIND, Service::KIND].contains(&record.kind.as_str()) {
        let detail = format!("This version of the server takes no {} entries yet.", record.kind);
        return Err(ApiError::new(ErrorCode::Unsupported, detail));
    }
    record.claim().map_err(|error| ApiError::record_invalid(format!("The entry is not valid: {error}.")))
}

async fn newest(tx: &mut Tx) -> Result<axum::Json<LogAppended>, ApiError> {
    let checkpoint = db::log::newest_checkpoint(tx).await?.ok_or(db::DbError::Corrupt)?;
    Ok(axum::Json(LogAppended { checkpoint }))
}

fn conflict(record: RawRecord) -> ApiError {
    ApiError::new(ErrorCode::LogConflict, "Another entry holds this place in the log.")
        .hint("Read the log, look again at what was wanted, and sign for the next place.")
        .record(record)
}

/// The invite that the entry is about: accepted, in time, and saying the same.
async fn accepted_invite(state: &AppState, tx: &mut Tx, entry: &Certify) -> Result<Invite, ApiError> {
    let invite = db::invite::by_offer(tx, entry.offer).await?;
    let invite = invite.filter(|invite| invite.state == Progress::Accepted);
    let invite = invite.ok_or_else(|| ApiError::record_invalid("The entry names no accepted invite."))?;
    let opening = invite.opening()?;
    let subject = opening.subject().map_err(|_| db::DbError::Corrupt)?;
    let accepted = invite.bundle()?.map(|(id, _)| id);
    let role = db::value::role_code(invite.role.0) == db::value::int(entry.role.code());
    let replaces = invite.replaces()?.unwrap_or(UserId::ZERO);
    let says = (entry.user_id, entry.subject, Some(entry.bundle), entry.replaces);
    if says != (invite.user_id, subject, accepted, replaces) || !role {
        return Err(ApiError::record_invalid("The entry does not say what was offered and accepted."));
    }
    if state.clock.seconds() > invite.expiry()?.saturating_add(CERTIFY_GRACE_SECONDS) {
        return Err(ApiError::record_invalid("The invite expired too long ago to be certified.")
            .hint("Invite the person again."));
    }
    Ok(invite)
}

async fn certify(
    state: &AppState,
    mut tx: Tx,
    record: &RawRecord,
    entry: &Certify,
    invite: &Invite,
) -> Result<RawRecord, ApiError> {
    let (bundle_id, bundle) = invite.bundle()?.ok_or(db::DbError::Corrupt)?;
    let mut change = state.log.change(&mut tx).await?;
    if let Err(error) = change.apply(record.clone(), Some(bundle.clone())) {
        change.keep();
        return Err(ApiError::record_invalid(format!("The entry is not valid: {error}.")));
    }
    let checkpoint = insert(state, &mut tx, change.log(), record, &bundle).await?;
    if let Some(replaced) = invite.replaces()? {
        retire(&mut tx, replaced).await?;
    }
    let now = state.clock.micros();
    let activated = db::account::activate(&mut tx, entry.user_id, bundle_id, now).await?;
    let certified = db::invite::certify(&mut tx, invite.invite_id).await?;
    if !(activated && certified) {
        return Err(db::DbError::Corrupt.into());
    }
    db::invite::replace_others(&mut tx, entry.user_id, invite.invite_id).await?;
    tx.commit().await?;
    change.keep();
    Ok(checkpoint)
}

/// Ends an account that another one replaces, and everything that is under way in its name.
async fn retire(tx: &mut Tx, replaced: UserId) -> Result<(), ApiError> {
    if !db::account::retire(tx, replaced).await? {
        return Err(db::DbError::Corrupt.into());
    }
    db::login::cancel(tx, replaced).await?;
    db::session::end_all(tx, replaced).await?;
    Ok(())
}

/// Stores the log's last entry with a new checkpoint.
async fn insert(
    state: &AppState,
    tx: &mut Tx,
    log: &Log,
    record: &RawRecord,
    bundle: &RawRecord,
) -> Result<RawRecord, ApiError> {
    let checkpoint = sign_checkpoint(log, &state.keys.checkpoint);
    let checkpoint = checkpoint.map_err(|error| ApiError::internal(&error))?;
    let id: RecordId = log.head();
    let entry =
        NewEntry { sequence: log.size() - 1, id, record, bundle: Some(bundle), checkpoint: &checkpoint };
    db::log::insert(tx, &entry, state.clock.micros()).await?;
    Ok(checkpoint)
}
