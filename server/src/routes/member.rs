//! One member, to Ops members: what ends with their membership, and what stays behind after it.

use std::collections::HashMap;

use axum::{Json as Answer, extract::State};
use sealpost_api::{
    account::{AccountStatus, MemberSummary},
    file::LeftFileView,
    limits::MAX_SHARES_SHOWN,
    paging::{Page, PageQuery},
};
use sealpost_crypto::id::{FileId, UserId};

use crate::{
    auth::OpsMember,
    db::{account, file, member, share, withdrawal},
    extract::{Path, Query, page_size},
    paging::{Order, Place, page},
    problem::ApiError,
    state::AppState,
};

/// Most files on a page: each comes with its shares.
const MAX_FILES: u32 = 100;

/// `GET /members/{user_id}`.
pub(super) async fn summary(
    State(state): State<AppState>,
    _ops: OpsMember,
    Path(user_id): Path<UserId>,
) -> Result<Answer<MemberSummary>, ApiError> {
    let mut tx = state.db.read().await?;
    Ok(Answer(member::summary(&mut tx, user_id, state.clock.seconds()).await?))
}

/// `GET /members/{user_id}/files`: a former member's, newest first. While somebody is a member, their files are their own
/// business: none are shown.
pub(super) async fn left_files(
    State(state): State<AppState>,
    _ops: OpsMember,
    Path(owner): Path<UserId>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Page<LeftFileView>>, ApiError> {
    let size = page_size(query.limit)?.min(MAX_FILES);
    let after = Place::after(query.cursor.as_deref(), Order::NewestFirst)?;
    let mut tx = state.db.read().await?;
    let account = account::by_id(&mut tx, owner).await?;
    if !account.is_some_and(|account| account.status.0 == AccountStatus::Revoked) {
        return Ok(Answer(Page { items: Vec::new(), next_cursor: None }));
    }
    let files = file::own(&mut tx, owner, &after, size + 1).await?;
    let mut withdrawals = withdrawal::of_page(&mut tx, owner, &after, size).await?;
    let mut shares: HashMap<FileId, Vec<share::Row>> = HashMap::new();
    for row in share::of_page(&mut tx, owner, &after, size, MAX_SHARES_SHOWN).await? {
        shares.entry(row.file_id).or_default().push(row);
    }
    let view = |row: file::Row| {
        let id = row.file_id();
        row.left_view(shares.remove(&id).unwrap_or_default(), withdrawals.remove(&id))
    };
    Ok(Answer(page(files, size, file::Row::own_place, view)?))
}
