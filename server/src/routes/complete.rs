//! The end of an upload: everything that can be checked is checked, then the version goes live in one transaction.

use std::collections::HashSet;

use axum::{Json as Answer, extract::State};
use sealpost_api::{
    file::{CompleteFile, FileState, FileView},
    problem::ErrorCode,
};
use sealpost_crypto::{
    id::{FileId, RecordId, UserId},
    parts::content_digest,
    record::Authored,
};

use super::file::{check_version, readable};
use crate::{
    auth::OpsMember,
    blob::{BlobId, VersionKey},
    check::{CheckedManifest, CheckedShare, Checker, Shareable, not_current},
    db::{
        DbError, Lock, Tx,
        file::{self, By},
        pair::{self, Kind},
        part::{self, Part},
        rotation, share,
    },
    extract::{Json, Path},
    problem::ApiError,
    state::AppState,
};

/// `POST /files/{file_id}/versions/{version}/complete`. Idempotent by the manifest: the same one again gives the same
/// answer, another one is refused.
pub(super) async fn complete(
    State(state): State<AppState>,
    member: OpsMember,
    Path((file_id, version)): Path<(FileId, u64)>,
    Json(body): Json<CompleteFile>,
) -> Result<Answer<FileView>, ApiError> {
    check_version(version)?;
    let (key, owner) = (VersionKey { file_id, version }, member.user_id());
    let mut tx = state.db.read().await?;
    let done = is_done(&mut tx, key, owner, body.manifest.id()).await?;
    drop(tx);
    if !done {
        let upload = check(&state, key, owner, body).await?;
        if let Some(kept) = go_live(&state, key, owner, &upload).await? {
            // Attempts that lost, or that a crash left behind. From here on no other can become a part.
            if let Err(error) = state.blobs.keep_only(key, &kept).await {
                tracing::warn!(cause = %error, "stray blobs stay beside a complete version");
            }
        }
    }
    let mut tx = state.db.read().await?;
    Ok(Answer(readable(&state, &mut tx, file_id, owner, By::Terms).await?.view()?))
}

/// Everything about an upload but its parts, checked.
pub(super) struct Upload {
    manifest: CheckedManifest,
    metadata: Vec<u8>,
    share: CheckedShare,
}

impl Upload {
    /// Checks what completes version `key`.
    pub(super) fn check(
        checker: &Checker<'_>,
        key: VersionKey,
        body: CompleteFile,
    ) -> Result<Self, ApiError> {
        let manifest = checker.manifest(body.manifest, key, &body.metadata)?;
        let share = checker.own_share(body.share, &manifest)?;
        Ok(Self { manifest, metadata: body.metadata.0, share })
    }

    /// H(manifest).
    pub(super) fn manifest(&self) -> RecordId {
        self.manifest.signed().id()
    }

    /// What shares of it must agree with.
    pub(super) fn shareable(&self) -> Shareable {
        self.manifest.shareable()
    }

    /// Whether it is the version after `live`, whose manifest has this id.
    pub(super) fn follows(&self, live: VersionKey, manifest: RecordId) -> bool {
        let signed = self.manifest.signed();
        (signed.version, signed.previous) == (live.version + 1, manifest)
    }

    /// What keeps the version from going live: the keys were rotated since it was checked, or another record holds the
    /// place of the owner's share. The caller holds the owner's lock, which a rotation takes too.
    pub(super) async fn obstacle(&self, tx: &mut Tx) -> Result<Option<ApiError>, DbError> {
        let author = self.manifest.signed().author();
        if !rotation::is_current(tx, author.signer, author.signer_bundle).await? {
            return Ok(Some(not_current()));
        }
        Ok(pair::obstacle(tx, &self.share.place()).await?.map(ApiError::from))
    }

    /// Makes the version live. Its parts were checked, and there is no [`Upload::obstacle`].
    pub(super) async fn go_live(&self, tx: &mut Tx, now: i64) -> Result<(), DbError> {
        let (place, record) = (self.share.place(), self.share.signed());
        pair::insert(tx, &place, Kind::Share, record.id(), record.raw(), now).await?;
        share::insert(tx, &self.share, now).await?;
        file::complete(tx, &self.manifest, &self.metadata, now).await
    }

    /// The parts are exactly those that the manifest speaks of.
    pub(super) fn check_parts(&self, parts: &[Part]) -> Result<(), ApiError> {
        check_parts(&self.manifest, parts)
    }
}

async fn check(
    state: &AppState,
    key: VersionKey,
    caller: UserId,
    body: CompleteFile,
) -> Result<Upload, ApiError> {
    let mut tx = state.db.read().await?;
    let log = state.log.synced(&mut tx).await?;
    Upload::check(&Checker { log: &log, caller, now: state.clock.seconds() }, key, body)
}

/// Where a version stands for somebody who would complete it with one manifest.
pub(super) enum Standing {
    /// The caller has no such version.
    Absent,
    /// It is being uploaded.
    Uploading,
    /// It is live with this very manifest.
    Done,
    /// It is live with another one.
    Other,
}

/// Where a version of `owner`'s stands.
pub(super) async fn standing(
    tx: &mut Tx,
    key: VersionKey,
    owner: UserId,
    manifest: RecordId,
) -> Result<Standing, DbError> {
    let Some(version) = file::version(tx, key, owner).await? else { return Ok(Standing::Absent) };
    Ok(match (version.state, version.manifest) {
        (FileState::Uploading, _) => Standing::Uploading,
        (FileState::Live, Some(known)) if known == manifest => Standing::Done,
        (FileState::Live, _) => Standing::Other,
    })
}

/// The version is live with another manifest.
pub(super) fn already_complete() -> ApiError {
    let detail = "This version is complete with another manifest.";
    ApiError::new(ErrorCode::AlreadyComplete, detail).hint("Upload it as a new file.")
}

/// Whether the version is live with this very manifest; live with another one is an error.
pub(super) async fn is_done(
    tx: &mut Tx,
    key: VersionKey,
    owner: UserId,
    manifest: RecordId,
) -> Result<bool, ApiError> {
    match standing(tx, key, owner, manifest).await? {
        Standing::Absent => Err(ApiError::not_found()),
        Standing::Uploading => Ok(false),
        Standing::Done => Ok(true),
        Standing::Other => Err(already_complete()),
    }
}

/// The blobs that are the version's parts now; `None` if somebody else completed it meanwhile.
async fn go_live(
    state: &AppState,
    key: VersionKey,
    owner: UserId,
    upload: &Upload,
) -> Result<Option<HashSet<BlobId>>, ApiError> {
    let mut tx = state.db.write().await?;
    tx.lock(Lock::User(owner)).await?;
    tx.lock(Lock::File(key.file_id.as_bytes())).await?;
    if is_done(&mut tx, key, owner, upload.manifest()).await? {
        return Ok(None);
    }
    let parts = part::range(&mut tx, key, 0, u32::MAX).await?;
    upload.check_parts(&parts)?;
    if let Some(refused) = upload.obstacle(&mut tx).await? {
        return Err(refused);
    }
    upload.go_live(&mut tx, state.clock.micros()).await?;
    tx.commit().await?;
    let blobs = parts.iter().map(|part| part.blob(key).map(|blob| blob.id));
    Ok(Some(blobs.collect::<Result<_, DbError>>()?))
}

/// The stored parts are exactly those that the manifest speaks of.
fn check_parts(manifest: &CheckedManifest, parts: &[Part]) -> Result<(), ApiError> {
    let layout = manifest.layout();
    for (index, expected) in (0..).zip(layout.all_parts()) {
        let Some(part) = parts.get(index as usize).filter(|part| part.index().is_ok_and(|at| at == index))
        else {
            let detail = format!("Part {index} of {} is missing.", layout.parts());
            return Err(
                ApiError::new(ErrorCode::PartsMissing, detail).hint("Upload it, then complete again.")
            );
        };
        if part.length()? != expected.ciphertext_length() as u64 {
            let detail = format!("Part {index} has not the length that the manifest's length gives it.");
            return Err(ApiError::new(ErrorCode::DigestMismatch, detail));
        }
    }
    if parts.len() > layout.parts() as usize {
        let detail = "More parts are stored than the manifest's length has.";
        return Err(ApiError::new(ErrorCode::DigestMismatch, detail));
    }
    let digests: Vec<_> = parts.iter().map(|part| part.digest).collect();
    if content_digest(layout.ciphertext_length(), &digests) == manifest.signed().digest {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::DigestMismatch, "The stored parts do not have the manifest's digest."))
}
