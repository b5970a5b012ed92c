//! Parts of an upload.

use std::time::Duration;

use axum::{
    Json as Answer,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
};
use futures_util::StreamExt;
use sealpost_api::{
    HEADER_PART_DIGEST, OCTET_STREAM,
    file::{FileState, PartDigests, PartsQuery},
    limits::MAX_PART_DIGESTS_PAGE,
    problem::ErrorCode,
};
use sealpost_crypto::{
    encoding::Base64,
    id::{Digest, FileId, UserId},
    size::{MAX_PARTS, PART_CIPHERTEXT},
};

use super::file::readable;
use crate::{
    auth::{Member, OpsMember},
    blob::{BlobId, BlobKey, BodyError, Patience, PutError, VersionKey, checked},
    db::{
        Lock,
        file::{self, By},
        part::{self, Part},
    },
    extract::{Path, Query, body_broken, check_media_type, too_large, too_slow},
    problem::ApiError,
    state::AppState,
};

/// Longest wait of whoever asks which parts there are for those that are still arriving.
const SETTLING: Duration = Duration::from_secs(5);

/// What a request announces about its body.
#[derive(Clone, Copy)]
struct Announced {
    length: u64,
    digest: Digest,
}

/// Where a part goes.
#[derive(Clone, Copy)]
struct Target {
    version: VersionKey,
    index: u32,
    owner: UserId,
}

/// `PUT /files/{file_id}/versions/{version}/parts/{index}`. Idempotent by index and digest. Answers only when the bytes would survive a power cut
/// and the row that promises them is committed.
pub(super) async fn put(
    State(state): State<AppState>,
    member: OpsMember,
    Path((file_id, version, index)): Path<(FileId, u64, u32)>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let target = Target { version: VersionKey { file_id, version }, index, owner: member.user_id() };
    let version = known_version(&state, target).await?;
    let arrival = state.arriving.enter(target.version);
    let announced = announced(request.headers(), index)?;
    let mut tx = state.db.read().await?;
    let stored = part::find(&mut tx, target.version, index).await?;
    drop(tx);
    if let Some(decided) = decide(version.state, stored.as_ref(), announced) {
        // Whoever is still sending would see a broken connection instead of the answer.
        drain(request, announced.length).await;
        return decided;
    }
    // In a task of its own, because it must not stop between blob and row when the client goes away.
    let task = tokio::spawn(async move {
        let outcome = store(&state, target, announced, request).await;
        drop(arrival);
        outcome
    });
    task.await.unwrap_or_else(|error| Err(ApiError::internal(&error)))
}

async fn known_version(state: &AppState, target: Target) -> Result<file::Version, ApiError> {
    let mut tx = state.db.read().await?;
    let version = file::version(&mut tx, target.version, target.owner).await?;
    version.ok_or_else(ApiError::not_found)
}

fn announced(headers: &HeaderMap, index: u32) -> Result<Announced, ApiError> {
    if u64::from(index) >= MAX_PARTS {
        return Err(ApiError::new(ErrorCode::LimitReached, format!("A file has at most {MAX_PARTS} parts.")));
    }
    check_media_type(headers, OCTET_STREAM)?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let length = match length {
        None | Some(0) => return Err(ApiError::malformed("A part needs its Content-Length, at least 1.")),
        Some(length) if length > PART_CIPHERTEXT => return Err(too_large(PART_CIPHERTEXT as usize)),
        Some(length) => length,
    };
    let digest = headers.get(HEADER_PART_DIGEST).and_then(|value| value.to_str().ok()?.parse().ok());
    let digest = digest.ok_or_else(|| {
        ApiError::malformed(format!("The header {HEADER_PART_DIGEST} takes 64 lowercase hex digits."))
    })?;
    Ok(Announced { length, digest })
}

/// What is clear before a byte is read: the same part again is fine, another one in its place is not.
fn decide(
    state: FileState,
    stored: Option<&Part>,
    announced: Announced,
) -> Option<Result<StatusCode, ApiError>> {
    match (stored, state) {
        (Some(part), _) if part.is(announced.digest, announced.length) => Some(Ok(StatusCode::NO_CONTENT)),
        (_, FileState::Live) => {
            Some(Err(ApiError::new(ErrorCode::AlreadyComplete, "This version takes no more parts.")))
        }
        (Some(_), FileState::Uploading) => Some(Err(conflict())),
        (None, FileState::Uploading) => None,
    }
}

/// A different part is stored.
pub(super) fn conflict() -> ApiError {
    ApiError::new(ErrorCode::PartConflict, "Another part is stored under this index.")
        .hint("If the file has changed since the upload began, upload it as a new file.")
}

/// Reads what was announced, and forgets it.
async fn drain(request: Request, length: u64) {
    let mut rest = request.into_body().into_data_stream();
    let read = async {
        let mut seen = 0;
        while let Some(Ok(bytes)) = rest.next().await {
            seen += bytes.len() as u64;
            if seen >= length {
                return;
            }
        }
    };
    let _gave_up = tokio::time::timeout(Patience::PART.idle, read).await;
}

async fn store(
    state: &AppState,
    target: Target,
    announced: Announced,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let key = BlobKey { version: target.version, id: BlobId::random() };
    let body = request.into_body().into_data_stream();
    let body = checked(body, announced.length, announced.digest, Patience::PART);
    state.blobs.put(key, body).await?;
    let mut strays = vec![key];
    let promised = promise(state, target, announced, key.id, &mut strays).await;
    discard(state, &strays).await;
    promised.map(|()| StatusCode::NO_CONTENT)
}

/// Commits the row that makes a stored blob the part, unless the same part is there already. Leaves in `strays` what is
/// certain to be nobody's.
async fn promise(
    state: &AppState,
    target: Target,
    announced: Announced,
    blob: BlobId,
    strays: &mut Vec<BlobKey>,
) -> Result<(), ApiError> {
    let mut tx = state.db.write().await?;
    tx.lock(Lock::File(target.version.file_id.as_bytes())).await?;
    let version = file::version(&mut tx, target.version, target.owner).await?;
    let version = version.ok_or_else(ApiError::not_found)?;
    let stored = part::find(&mut tx, target.version, target.index).await?;
    if let Some(decided) = decide(version.state, stored.as_ref(), announced) {
        return decided.map(|_| ());
    }
    let part = Part::new(target.index, announced.digest, announced.length, blob);
    part::insert(&mut tx, target.version, &part).await?;
    file::touch(&mut tx, target.version, state.clock.micros()).await?;
    // When a commit's answer is lost, it may have happened: what it may have promised must stay.
    strays.clear();
    Ok(tx.commit().await?)
}

/// Removes blobs that are nobody's.
pub(super) async fn discard(state: &AppState, strays: &[BlobKey]) {
    for key in strays {
        if let Err(error) = state.blobs.delete(*key).await {
            tracing::warn!(cause = %error, "a blob that is no part stays");
        }
    }
}

impl From<PutError> for ApiError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Body(BodyError::Cut) => body_broken(),
            PutError::Body(BodyError::TooSlow) => too_slow(),
            PutError::Body(error @ (BodyError::Length | BodyError::Digest)) => {
                Self::new(ErrorCode::DigestMismatch, format!("Nothing was stored: {error}."))
                    .hint("Send the part again.")
            }
            PutError::Store(error) => error.into(),
        }
    }
}

/// `GET /files/{file_id}/versions/{version}/parts`: to the owner also while uploading, to recipients once live. A
/// recipient whose last download is under way may read it too. Of an upload that was just cut off, parts that arrived
/// whole count: the answer waits for those that are being stored.
pub(super) async fn digests(
    State(state): State<AppState>,
    member: Member,
    Path((file_id, version)): Path<(FileId, u64)>,
    Query(PartsQuery { from }): Query<PartsQuery>,
) -> Result<Answer<PartDigests>, ApiError> {
    let key = VersionKey { file_id, version };
    let mut tx = state.db.read().await?;
    let total = match file::version(&mut tx, key, member.user_id()).await? {
        Some(own) if own.state == FileState::Uploading => {
            drop(tx);
            state.arriving.settled(key, SETTLING).await;
            tx = state.db.read().await?;
            part::total(&mut tx, key).await?
        }
        _ => {
            let row = readable(&state, &mut tx, file_id, member.user_id(), By::AnyTicket).await?;
            let access = row.access(member.user_id())?;
            if access.version != key {
                return Err(ApiError::not_found());
            }
            access.layout.parts()
        }
    };
    let until = total.min(from.saturating_add(MAX_PART_DIGESTS_PAGE)).max(from);
    let mut digests = vec![0; (until - from) as usize * Digest::LEN];
    for part in part::range(&mut tx, key, from, until).await? {
        let at = (part.index()? - from) as usize * Digest::LEN;
        digests[at..at + Digest::LEN].copy_from_slice(part.digest.as_bytes());
    }
    Ok(Answer(PartDigests { from, digests: Base64(digests), total }))
}
