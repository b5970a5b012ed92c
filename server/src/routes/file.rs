//! Files: begin an upload, list, look at one.

use std::collections::HashMap;

use axum::{
    Json as Answer,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use sealpost_api::{
    HEADER_TICKET,
    file::{CreateFile, FileState, FileView, OwnFileView, UploadView},
    limits::{MAX_OPEN_UPLOADS, MAX_SHARES_SHOWN, MAX_VERSIONS, TICKET_SECONDS},
    paging::{Page, PageQuery},
    problem::ErrorCode,
};
use sealpost_crypto::id::{FileId, TicketId, UserId};

use crate::{
    auth::{Member, OpsMember},
    blob::VersionKey,
    db::{
        DbError, Lock, Tx,
        file::{self, By},
        share, version,
    },
    extract::{Json, Path, Query, page_size},
    paging::{Order, Place, page},
    problem::ApiError,
    state::AppState,
};

/// Shares shown on one page of `GET /files`, over all its files. A page with more ends early, so that an answer
/// stays below 32 MiB.
const MAX_SHARES_PER_PAGE: u64 = 3_000;

/// `POST /files`. Idempotent by file id and version: the same request again finds what it began.
pub(super) async fn create(
    State(state): State<AppState>,
    member: OpsMember,
    Json(asked): Json<CreateFile>,
) -> Result<(StatusCode, Answer<UploadView>), ApiError> {
    let CreateFile { file_id, version } = asked;
    let (key, owner) = (VersionKey { file_id, version }, member.user_id());
    let mut tx = state.db.write().await?;
    tx.lock(Lock::User(owner)).await?;
    tx.lock(Lock::File(file_id.as_bytes())).await?;
    if let Some(known) = file::version(&mut tx, key, owner).await? {
        return Ok((StatusCode::OK, Answer(UploadView { file_id, version, state: known.state })));
    }
    let refused = match version {
        1 => obstacle(&mut tx, file_id, owner).await?,
        _ => next_obstacle(&mut tx, key, owner).await?,
    };
    if let Some(refused) = refused {
        return Err(refused);
    }
    check_open_uploads(&mut tx, owner).await?;
    match version {
        1 => file::insert(&mut tx, key, owner, state.clock.micros()).await?,
        _ => version::insert(&mut tx, key, state.clock.micros()).await?,
    }
    tx.commit().await?;
    Ok((StatusCode::CREATED, Answer(UploadView { file_id, version, state: FileState::Uploading })))
}

/// Which versions go live by themselves.
pub(super) fn check_version(version: u64) -> Result<(), ApiError> {
    if version == 1 {
        return Ok(());
    }
    let detail = "A version after the first goes live together with the shares of the one before.";
    Err(ApiError::new(ErrorCode::Unsupported, detail)
        .hint("Upload its parts, then use `POST /files/{file_id}/versions/{version}/rekey`."))
}

/// What keeps a version after the first from being uploaded. Of a file that is not `owner`'s nothing is told.
async fn next_obstacle(tx: &mut Tx, key: VersionKey, owner: UserId) -> Result<Option<ApiError>, DbError> {
    let Some((live, _)) = file::live(tx, key.file_id, owner).await? else {
        return Ok(Some(ApiError::not_found()));
    };
    if key.version > MAX_VERSIONS {
        let detail = format!("A file has at most {MAX_VERSIONS} versions.");
        return Ok(Some(ApiError::new(ErrorCode::LimitReached, detail)));
    }
    if key.version != live.version + 1 {
        let detail = format!("The file's next version is {}.", live.version + 1);
        return Ok(Some(ApiError::new(ErrorCode::Unsupported, detail)));
    }
    let is_swept = version::exists(tx, key).await?;
    Ok(is_swept.then(being_deleted))
}

fn being_deleted() -> ApiError {
    ApiError::new(ErrorCode::Unavailable, "An abandoned upload of this file is being deleted.").retry_after(5)
}

/// What keeps an id from a new file of `owner`, who has no version under it that they could go on with.
pub(super) async fn obstacle(
    tx: &mut Tx,
    file_id: FileId,
    owner: UserId,
) -> Result<Option<ApiError>, DbError> {
    let refused = match file::owner(tx, file_id).await? {
        None => return Ok(None),
        Some(found) if found == owner && file::is_deleted(tx, file_id).await? => {
            ApiError::new(ErrorCode::IdTaken, "This file was deleted.")
                .hint("Upload it as a new file, under a new id.")
        }
        Some(found) if found == owner => being_deleted(),
        Some(_) => ApiError::new(ErrorCode::IdTaken, "Another file has this id.")
            .hint("Ids are 16 random bytes: make a new one."),
    };
    Ok(Some(refused))
}

async fn check_open_uploads(tx: &mut Tx, owner: UserId) -> Result<(), ApiError> {
    if file::open_uploads(tx, owner).await? < u64::from(MAX_OPEN_UPLOADS) {
        return Ok(());
    }
    let detail = format!("At most {MAX_OPEN_UPLOADS} uploads can be unfinished at one time.");
    Err(ApiError::new(ErrorCode::LimitReached, detail).hint("Finish some, or wait until they are swept."))
}

/// `GET /files`: the caller's own, newest first.
pub(super) async fn own(
    State(state): State<AppState>,
    member: OpsMember,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Page<OwnFileView>>, ApiError> {
    let (size, owner) = (page_size(query.limit)?, member.user_id());
    let after = Place::after(query.cursor.as_deref(), Order::NewestFirst)?;
    let mut tx = state.db.read().await?;
    let counts = share::counts(&mut tx, owner, &after, size, MAX_SHARES_SHOWN).await?;
    let size = affordable(size, &counts);
    let files = file::own(&mut tx, owner, &after, size + 1).await?;
    let mut shares = by_file(share::of_page(&mut tx, owner, &after, size, MAX_SHARES_SHOWN).await?);
    let view = |row: file::Row| {
        let of_file = shares.remove(&row.file_id()).unwrap_or_default();
        own_view(row, of_file)
    };
    Ok(Answer(page(files, size, file::Row::own_place, view)?))
}

/// How many of the files with so many shares each fit on one page; at least one.
fn affordable(size: u32, counts: &[u64]) -> u32 {
    let totals = counts.iter().scan(0, |total, count| {
        *total += count;
        Some(*total)
    });
    let fitting = totals.take_while(|total| *total <= MAX_SHARES_PER_PAGE).count();
    if fitting == counts.len() { size } else { size.min(fitting.max(1) as u32) }
}

fn by_file(rows: Vec<share::Row>) -> HashMap<FileId, Vec<share::Row>> {
    let mut files: HashMap<_, Vec<_>> = HashMap::new();
    rows.into_iter().for_each(|row| files.entry(row.file_id).or_default().push(row));
    files
}

fn own_view(row: file::Row, shares: Vec<share::Row>) -> Result<OwnFileView, DbError> {
    let shares = page(shares, MAX_SHARES_SHOWN, share::Row::place, share::Row::view)?;
    Ok(OwnFileView { file: row.view()?, shares: shares.items, shares_cursor: shares.next_cursor })
}

/// `GET /files/shared`: what others share with the caller now, newest first.
pub(super) async fn shared(
    State(state): State<AppState>,
    member: Member,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Page<FileView>>, ApiError> {
    let size = page_size(query.limit)?;
    let after = Place::after(query.cursor.as_deref(), Order::NewestFirst)?;
    let mut tx = state.db.read().await?;
    let rows = file::shared(&mut tx, member.user_id(), state.clock.micros(), &after, size + 1).await?;
    Ok(Answer(page(rows, size, file::Row::shared_place, file::Row::view)?))
}

/// `GET /files/{file_id}`.
pub(super) async fn one(
    State(state): State<AppState>,
    member: Member,
    Path(file_id): Path<FileId>,
    headers: HeaderMap,
) -> Result<Answer<FileView>, ApiError> {
    let by = ticket(&headers)?.map_or(By::Terms, By::Ticket);
    let mut tx = state.db.read().await?;
    let row = readable(&state, &mut tx, file_id, member.user_id(), by).await?;
    Ok(Answer(row.view()?))
}

/// A file that the caller may read now; 404 otherwise, whatever the reason.
pub(super) async fn readable(
    state: &AppState,
    tx: &mut Tx,
    file_id: FileId,
    reader: UserId,
    by: By,
) -> Result<file::Row, ApiError> {
    let since = state.clock.micros_ago(TICKET_SECONDS);
    let row = file::readable(tx, file_id, reader, by, state.clock.micros(), since).await?;
    row.ok_or_else(ApiError::not_found)
}

/// The ticket that a request names.
pub(super) fn ticket(headers: &HeaderMap) -> Result<Option<TicketId>, ApiError> {
    let Some(value) = headers.get(HEADER_TICKET) else { return Ok(None) };
    let ticket = value.to_str().ok().and_then(|text| text.parse().ok());
    // Zeros stand for "none" everywhere.
    let ticket = ticket.filter(|ticket: &TicketId| !ticket.is_zero());
    ticket.map(Some).ok_or_else(|| {
        ApiError::malformed(format!(
            "The header {HEADER_TICKET} takes 32 lowercase hex digits, not all zeros."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_before_it_shows_too_many_shares() {
        assert_eq!(affordable(100, &[]), 100);
        assert_eq!(affordable(100, &[1; 100]), 100);
        assert_eq!(affordable(100, &[100; 30]), 100);
        assert_eq!(affordable(100, &[100; 31]), 30);
        assert_eq!(affordable(100, &[MAX_SHARES_PER_PAGE + 1, 0]), 1);
    }
}
