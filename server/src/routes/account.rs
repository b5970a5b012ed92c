//! The caller's own account and vault, and who else there is.

use axum::{extract::State, http::StatusCode};
use sealpost_api::{
    account::{AccountView, MemberView, RoleName, VaultBlob},
    limits::MAX_VAULT_BODY,
    paging::{Page, PageQuery},
    problem::ErrorCode,
};
use sealpost_crypto::{encoding::from_base64, encoding::to_base64, id::UserId};

use crate::{
    auth::{InviteeOrSession, Session, not_signed_in},
    db,
    extract::{Large, Query, page_size},
    problem::ApiError,
    registration::check_vault,
    state::AppState,
};

/// `GET /account`.
pub(super) async fn account(
    State(state): State<AppState>,
    session: Session,
) -> Result<axum::Json<AccountView>, ApiError> {
    let mut tx = state.db.read().await?;
    let account = db::account::view(&mut tx, session.org_id(), session.user_id()).await?;
    account.map(axum::Json).ok_or_else(not_signed_in)
}

/// `GET /account/vault`.
pub(super) async fn vault(
    State(state): State<AppState>,
    session: Session,
) -> Result<axum::Json<VaultBlob>, ApiError> {
    Ok(axum::Json(db::vault::read(&mut state.db.read().await?, session.user_id()).await?))
}

/// `PUT /account/vault`: compare and swap.
pub(super) async fn put_vault(
    State(state): State<AppState>,
    session: Session,
    Large(next, _held): Large<VaultBlob, MAX_VAULT_BODY>,
) -> Result<StatusCode, ApiError> {
    check_vault(&next.blob.0)?;
    let mut tx = state.db.write().await?;
    if !db::vault::swap(&mut tx, session.user_id(), &next).await? {
        return Err(ApiError::new(ErrorCode::VaultConflict, "The stored vault is not the one this follows.")
            .hint("Read the vault again, merge, and store the result."));
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /members`: everybody, to Ops; the Ops members, to everybody else.
pub(super) async fn members(
    State(state): State<AppState>,
    caller: InviteeOrSession,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<MemberView>>, ApiError> {
    let size = page_size(query.limit)?;
    let after = after(query.cursor.as_deref())?;
    let mut tx = state.db.read().await?;
    let mut items = match caller.ops() {
        Some(_) => db::member::everybody(&mut tx, &after, state.clock.seconds(), size + 1).await?,
        None => db::member::ops(&mut tx, &after, size + 1).await?,
    };
    let more = items.len() > size as usize;
    items.truncate(size as usize);
    let last = items.last().filter(|_| more).map(|member| to_base64(member.opening.user_id.as_bytes()));
    Ok(axum::Json(Page { items, next_cursor: last }))
}

/// The list runs by user id; a cursor is the last one shown.
fn after(cursor: Option<&str>) -> Result<Vec<u8>, ApiError> {
    let Some(cursor) = cursor else { return Ok(Vec::new()) };
    let id = from_base64(cursor).filter(|id| id.len() == UserId::LEN);
    id.ok_or_else(|| ApiError::malformed("The cursor is not one that this server gave out."))
}

impl InviteeOrSession {
    /// Whether the caller is an active Ops member.
    fn ops(&self) -> Option<&Session> {
        match self {
            Self::Session(session) if session.is_active() && session.role() == RoleName::Ops => Some(session),
            _ => None,
        }
    }
}
