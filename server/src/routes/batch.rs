//! Many small files in one request. Each passes the same checks as on the ordinary way, and is accepted or refused by
//! itself; what was accepted is stored in one go: blobs first, then one transaction with every row.

use axum::{Json as Answer, extract::State};
use bytes::Bytes;
use sealpost_api::{
    batch::{CreateFiles, FileResult, FileResults, WholeFile},
    limits::{MAX_BATCH_BODY, MAX_BATCH_CIPHERTEXT, MAX_FILES_PER_BATCH},
    problem::ErrorCode,
};
use sealpost_crypto::{id::UserId, parts::part_digest};
use tokio::task::yield_now;

use super::{
    complete::{Standing, Upload, already_complete, standing},
    file::{check_version, obstacle},
    part::{conflict, discard},
};
use crate::{
    auth::OpsMember,
    blob::{BlobId, BlobKey, VersionKey},
    check::Checker,
    db::{
        Lock, Tx, file,
        part::{self, Part},
    },
    extract::{Large, too_large},
    problem::ApiError,
    state::AppState,
};

/// `POST /files/batch`. Idempotent by file ids and manifests: the same request again gives the same answer.
pub(super) async fn create(
    State(state): State<AppState>,
    member: OpsMember,
    Large(asked, held): Large<CreateFiles, MAX_BATCH_BODY>,
) -> Result<Answer<FileResults>, ApiError> {
    check_limits(&asked.files)?;
    let owner = member.user_id();
    // In a task of its own, because it must not stop between blobs and rows when the client goes away.
    let task = tokio::spawn(async move {
        let results = store(&state, owner, asked.files).await;
        drop(held);
        results
    });
    let results = task.await.unwrap_or_else(|error| Err(ApiError::internal(&error)))?;
    Ok(Answer(FileResults { results }))
}

fn check_limits(files: &[WholeFile]) -> Result<(), ApiError> {
    if !(1..=MAX_FILES_PER_BATCH).contains(&files.len()) {
        let detail = format!("One request takes 1 to {MAX_FILES_PER_BATCH} files.");
        return Err(ApiError::new(ErrorCode::LimitReached, detail));
    }
    let ciphertext: usize = files.iter().map(|file| file.content.0.len()).sum();
    if ciphertext > MAX_BATCH_CIPHERTEXT {
        return Err(
            too_large(MAX_BATCH_CIPHERTEXT).hint("Send fewer files at once, or larger ones by parts.")
        );
    }
    Ok(())
}

/// One file of the request, and how far it is.
struct Item {
    key: VersionKey,
    state: Progress,
}

enum Progress {
    /// It will not be stored.
    Refused(ApiError),
    /// It is live as it was sent.
    Done,
    /// It passed all checks.
    Checked(Box<Checked>),
}

struct Checked {
    upload: Upload,
    part: Part,
    blob: BlobKey,
    content: Bytes,
}

impl Item {
    fn result(self) -> FileResult {
        let problem = match self.state {
            Progress::Refused(error) => Some(error.into_problem()),
            Progress::Done | Progress::Checked(_) => None,
        };
        FileResult { file_id: self.key.file_id, problem }
    }
}

async fn store(state: &AppState, owner: UserId, files: Vec<WholeFile>) -> Result<Vec<FileResult>, ApiError> {
    let mut items = check(state, owner, files).await?;
    let blobs = blobs(&mut items);
    if !blobs.is_empty() {
        let mut strays = blobs.iter().map(|(key, _)| *key).collect();
        state.blobs.put_all(blobs).await?;
        let promised = promise(state, owner, &mut items, &mut strays).await;
        discard(state, &strays).await;
        promised?;
    }
    Ok(items.into_iter().map(Item::result).collect())
}

/// Checks everything that needs no lock, before anything is written. Signatures cost time: others get their turn in
/// between.
async fn check(state: &AppState, owner: UserId, files: Vec<WholeFile>) -> Result<Vec<Item>, ApiError> {
    let mut tx = state.db.read().await?;
    let mut standings = Vec::with_capacity(files.len());
    for file in &files {
        let key = VersionKey { file_id: file.file_id, version: file.version };
        standings.push((key, standing(&mut tx, key, owner, file.complete.manifest.id()).await?));
    }
    let log = state.log.synced(&mut tx).await?;
    drop(tx);
    let checker = Checker { log: &log, caller: owner, now: state.clock.seconds() };
    let mut items = Vec::with_capacity(files.len());
    for ((key, standing), file) in standings.into_iter().zip(files) {
        let state = match standing {
            Standing::Done => Progress::Done,
            Standing::Other => Progress::Refused(already_complete()),
            Standing::Absent | Standing::Uploading => check_one(&checker, key, file),
        };
        items.push(Item { key, state });
        yield_now().await;
    }
    Ok(items)
}

fn check_one(checker: &Checker<'_>, key: VersionKey, file: WholeFile) -> Progress {
    let checked = || {
        check_version(key.version)?;
        let upload = Upload::check(checker, key, file.complete)?;
        let (content, id) = (file.content.0, BlobId::random());
        let part = Part::new(0, part_digest(&content), content.len() as u64, id);
        upload.check_parts(std::slice::from_ref(&part))?;
        let blob = BlobKey { version: key, id };
        Ok(Box::new(Checked { upload, part, blob, content: content.into() }))
    };
    checked().map_or_else(Progress::Refused, Progress::Checked)
}

/// What goes to the blob store; it is not held any longer here.
fn blobs(items: &mut [Item]) -> Vec<(BlobKey, Bytes)> {
    let checked = items.iter_mut().filter_map(|item| match &mut item.state {
        Progress::Checked(checked) => Some(checked),
        _ => None,
    });
    checked.map(|checked| (checked.blob, std::mem::take(&mut checked.content))).collect()
}

/// Commits the rows that make the stored blobs live files. Leaves in `strays` the blobs that are certain to be nobody's.
async fn promise(
    state: &AppState,
    owner: UserId,
    items: &mut [Item],
    strays: &mut Vec<BlobKey>,
) -> Result<(), ApiError> {
    let mut tx = state.db.write().await?;
    tx.lock(Lock::User(owner)).await?;
    let mut keys: Vec<VersionKey> = items.iter().map(|item| item.key).collect();
    keys.sort_unstable_by_key(|key| *key.file_id.as_bytes());
    for key in keys {
        tx.lock(Lock::File(key.file_id.as_bytes())).await?;
    }
    let mut unused = Vec::new();
    // Each a microsecond later than the one before: that orders lists.
    for (now, item) in (state.clock.micros()..).zip(items) {
        let Progress::Checked(checked) = &item.state else { continue };
        match promise_one(&mut tx, owner, checked, now).await? {
            Promised::Blob => {}
            Promised::Known => unused.push(checked.blob),
            Promised::No(refused) => {
                unused.push(checked.blob);
                item.state = Progress::Refused(refused);
            }
        }
    }
    // When a commit's answer is lost, it may have happened: what it may have promised must stay.
    *strays = unused;
    Ok(tx.commit().await?)
}

/// What became of a checked file.
enum Promised {
    /// It is live, and its blob is the part.
    Blob,
    /// It is live, and another blob is the same part.
    Known,
    /// It can't be stored now.
    No(ApiError),
}

/// What the checks could not see: others may have been here since.
async fn promise_one(tx: &mut Tx, owner: UserId, checked: &Checked, now: i64) -> Result<Promised, ApiError> {
    let Checked { upload, part, blob, .. } = checked;
    let key = blob.version;
    let is_new = match standing(tx, key, owner, upload.manifest()).await? {
        Standing::Done => return Ok(Promised::Known),
        Standing::Other => return Ok(Promised::No(already_complete())),
        Standing::Uploading => false,
        Standing::Absent => true,
    };
    if is_new && let Some(refused) = obstacle(tx, key.file_id, owner).await? {
        return Ok(Promised::No(refused));
    }
    let stored = part::range(tx, key, 0, u32::MAX).await?;
    let is_stored = !stored.is_empty();
    if is_stored && !matches!(&stored[..], [only] if only.is_same(part)) {
        return Ok(Promised::No(conflict()));
    }
    // Nothing was written for this file yet, and nothing is if this is refused.
    if let Some(refused) = upload.obstacle(tx).await? {
        return Ok(Promised::No(refused));
    }
    if is_new {
        file::insert(tx, key, owner, now).await?;
    }
    if !is_stored {
        part::insert(tx, key, part).await?;
    }
    upload.go_live(tx, now).await?;
    Ok(if is_stored { Promised::Known } else { Promised::Blob })
}
