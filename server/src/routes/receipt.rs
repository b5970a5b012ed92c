//! Receipts: recipients post them, owners read them.

use axum::{
    Json as Answer,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use sealpost_api::{
    file::{PostReceipt, ReceiptQuery, ReceiptView},
    paging::Page,
};
use sealpost_crypto::{
    id::{FileId, UserId},
    record::Signed,
    records::Receipt,
};

use super::file::ticket;
use crate::{
    auth::{Member, OpsMember},
    check::Checker,
    db::{
        DbError, Tx, receipt,
        share::{self, Found},
        ticket as tickets,
    },
    extract::{Json, Path, Query, page_size},
    paging::{Order, Place, page},
    problem::ApiError,
    state::AppState,
};

/// `POST /files/{file_id}/receipt`. Taken also for a share that is over since: the recipient did get the file.
pub(super) async fn post(
    State(state): State<AppState>,
    member: Member,
    Path(file_id): Path<FileId>,
    headers: HeaderMap,
    Json(asked): Json<PostReceipt>,
) -> Result<StatusCode, ApiError> {
    let (caller, ticket) = (member.user_id(), ticket(&headers)?);
    let mut tx = state.db.read().await?;
    if !share::was_shared(&mut tx, file_id, caller).await? {
        return Err(ApiError::not_found());
    }
    if receipt::is_known(&mut tx, asked.receipt.id(), caller).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let log = state.log.synced(&mut tx).await?;
    let record = Checker { log: &log, caller, now: state.clock.seconds() }.receipt(asked.receipt)?;
    drop((tx, log));
    let mut tx = state.db.write().await?;
    let share = receipted_share(&mut tx, &record, file_id, caller).await?;
    receipt::insert(&mut tx, &record, &share, state.clock.micros()).await?;
    if let Some(ticket) = ticket {
        tickets::close(&mut tx, record.share, ticket).await?;
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The share that a receipt is for: one of this file to the caller, with the manifest that it names.
async fn receipted_share(
    tx: &mut Tx,
    record: &Signed<Receipt>,
    file_id: FileId,
    caller: UserId,
) -> Result<Found, ApiError> {
    let share = share::find(tx, record.share).await?;
    let share = share.filter(|share| (share.file_id, share.recipient) == (file_id, caller));
    let share = share
        .ok_or_else(|| ApiError::record_invalid("The receipt names no share of this file to its signer."))?;
    if share.manifest != record.manifest {
        return Err(ApiError::record_invalid("The receipt names another manifest than its share."));
    }
    Ok(share)
}

/// `GET /receipts`: for the caller's files, newest first.
pub(super) async fn list(
    State(state): State<AppState>,
    member: OpsMember,
    Query(query): Query<ReceiptQuery>,
) -> Result<Answer<Page<ReceiptView>>, ApiError> {
    let size = page_size(query.limit)?;
    let after = Place::after(query.cursor.as_deref(), Order::NewestFirst)?;
    let mut tx = state.db.read().await?;
    let rows = receipt::page(&mut tx, member.user_id(), query.file_id, &after, size + 1).await?;
    let view = |row: receipt::Row| Ok::<_, DbError>(row.view());
    Ok(Answer(page(rows, size, receipt::Row::place, view)?))
}
