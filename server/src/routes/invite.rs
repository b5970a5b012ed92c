//! Invites (protocol §6). The server never holds a code, so it can check neither MAC; it checks all the rest.

use axum::extract::State;
use sealpost_api::{
    auth::{RegisterChallenge, Session as NewSession},
    invite::{AcceptInvite, CreateInvite, InviteQuery, InviteRegister, InviteView},
    limits::MAX_VAULT_BODY,
    paging::Page,
    problem::ErrorCode,
};

use crate::{
    auth::{INVITER_GONE, Invitee, OpsMember},
    credential,
    db::{
        self,
        invite::{Before, Invite, Progress, Which},
        nonce::Context,
    },
    extract::{Json, Large, Query, page_size},
    paging::{Order, Place, page},
    problem::ApiError,
    state::AppState,
};

mod accept;
mod offer;

/// `POST /invites`.
pub(super) async fn create(
    State(state): State<AppState>,
    ops: OpsMember,
    Json(request): Json<CreateInvite>,
) -> Result<axum::Json<InviteView>, ApiError> {
    offer::store(&state, &ops, &request).await.map(axum::Json)
}

/// `GET /invites`: everybody's, newest first.
pub(super) async fn list(
    State(state): State<AppState>,
    _ops: OpsMember,
    Query(query): Query<InviteQuery>,
) -> Result<axum::Json<Page<InviteView>>, ApiError> {
    let which = match (query.state, query.uncertified) {
        (None, false) => Which::Any,
        (None, true) => Which::Uncertified,
        (Some(state), false) => Which::In(state),
        (Some(_), true) => {
            return Err(ApiError::malformed("`state` and `uncertified` exclude each other."));
        }
    };
    let size = page_size(query.limit)?;
    let place = Place::after(query.cursor.as_deref(), Order::NewestFirst)?;
    let now = state.clock.seconds();
    let before = Before { at: place.at, id: &place.id };
    let mut tx = state.db.read().await?;
    let rows = db::invite::page(&mut tx, which, now, before, size + 1).await?;
    let place = |invite: &Invite| Place { at: invite.created_at(), id: invite.invite_id.as_bytes().to_vec() };
    Ok(axum::Json(page(rows, size, place, |invite| invite.view_for_ops(now))?))
}

/// `GET /invites/{invite_id}`: to its holder, in whatever state it is. Changes nothing.
pub(super) async fn show(
    State(state): State<AppState>,
    invitee: Invitee,
) -> Result<axum::Json<InviteView>, ApiError> {
    let invite = read(&mut state.db.read().await?, &invitee).await?;
    Ok(axum::Json(invite.view(state.clock.seconds())?))
}

/// `POST /invites/{invite_id}/register`.
pub(super) async fn register(
    State(state): State<AppState>,
    invitee: Invitee,
    Json(request): Json<InviteRegister>,
) -> Result<axum::Json<RegisterChallenge>, ApiError> {
    let mut tx = state.db.write().await?;
    let invite = read(&mut tx, &invitee).await?;
    check_open(&invite, state.clock.seconds())?;
    let context = Context::Invite(invite.invite_id);
    let answer = credential::challenge(&state, &mut tx, context, &invite.email, &request.request).await?;
    tx.commit().await?;
    Ok(axum::Json(answer))
}

/// `POST /invites/{invite_id}/accept`.
pub(super) async fn accept(
    State(state): State<AppState>,
    invitee: Invitee,
    Large(request, _held): Large<AcceptInvite, MAX_VAULT_BODY>,
) -> Result<axum::Json<NewSession>, ApiError> {
    accept::store(&state, &invitee, &request).await.map(axum::Json)
}

async fn read(tx: &mut db::Tx, invitee: &Invitee) -> Result<Invite, ApiError> {
    // The extractor has just seen it, and invites are never deleted.
    Ok(db::invite::by_id(tx, invitee.invite_id()).await?.ok_or(db::DbError::Corrupt)?)
}

/// Refuses what can't be accepted any more, and says why.
fn check_open(invite: &Invite, now: u64) -> Result<(), ApiError> {
    let (code, detail) = match invite.state {
        Progress::Open if invite.expiry()? > now => return Ok(()),
        Progress::Open => (ErrorCode::InviteExpired, "This invite has expired."),
        Progress::Accepted | Progress::Certified => (ErrorCode::InviteUsed, "This invite was used."),
        Progress::Replaced => (ErrorCode::InviteReplaced, "A newer invite took this one's place."),
        Progress::Cancelled => {
            return Err(ApiError::new(ErrorCode::InviteCancelled, INVITER_GONE)
                .hint("Ask your sender, or another Ops member of the organisation, for a new invite."));
        }
    };
    Err(ApiError::new(code, detail).hint("Call your sender."))
}
