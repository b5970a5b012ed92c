//! The records between the caller and one person.

use axum::{Json as Answer, extract::State};
use sealpost_api::file::{Direction, PairPage, PairQuery};
use sealpost_crypto::id::UserId;

use crate::{
    auth::Member,
    db::pair,
    extract::{Path, Query, page_size},
    problem::ApiError,
    state::AppState,
};

/// `GET /pairs/{user_id}`. People unknown give an empty page, so that nobody can ask who exists.
pub(super) async fn records(
    State(state): State<AppState>,
    member: Member,
    Path(other): Path<UserId>,
    Query(query): Query<PairQuery>,
) -> Result<Answer<PairPage>, ApiError> {
    let size = page_size(query.limit)?;
    let (sender, recipient) = match query.direction {
        Direction::Sent => (member.user_id(), other),
        Direction::Received => (other, member.user_id()),
    };
    let mut tx = state.db.read().await?;
    let head = pair::head(&mut tx, sender, recipient).await?;
    let records = pair::page(&mut tx, sender, recipient, query.after, size).await?;
    Ok(Answer(PairPage {
        records: records.into_iter().map(|record| record.record.0).collect(),
        newest: head.map_or(Ok(0), |head| head.sequence())?,
    }))
}
