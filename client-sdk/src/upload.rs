//! Uploading: a fresh key, sealed parts, then one record that makes the file exist (protocol §7).

use std::{path::Path, sync::Arc};

use sealpost_api::{
    file::{CompleteFile, CreateFile, FileView, UploadView},
    routes,
};
use sealpost_crypto::{
    encoding::{Base64, Text, int53},
    id::{Digest, FileId, RecordId},
    keys::{FileKeys, Place},
    log::Log,
    manifest::{self, ManifestDraft, VerifiedManifest},
    metadata::{self, Metadata},
    pair::PairEntry,
    parts,
    secret::FileKey,
    share::{self, SealedShare, ShareRequest},
    size::Layout,
    vault::PairKey,
};
use tokio::io::AsyncRead;

use crate::{
    content,
    error::{Error, ErrorKind, Result},
    progress::{Meter, OnProgress},
    session::now,
    signed_in::{Inner, SignedIn},
    source::{NewFile, Source},
    transport::Call,
};

/// How often the self share is signed anew after another of our uploads got in first.
const ATTEMPTS: u32 = 16;
/// Every file begins with this version.
const FIRST_VERSION: u64 = 1;

/// A file that was delivered to the server: complete and durable there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The file.
    pub file_id: FileId,
    /// Its version.
    pub version: u64,
    /// As given.
    pub file: NewFile,
}

/// A new file's key and what derives from it.
struct Fresh {
    place: Place,
    file_key: FileKey,
    keys: Arc<FileKeys>,
}

impl Fresh {
    fn new(inner: &Inner) -> Self {
        let place = Place { org_id: inner.profile.org_id, file_id: FileId::random(), version: FIRST_VERSION };
        let file_key = FileKey::random();
        let keys = Arc::new(FileKeys::derive(&file_key, &place));
        Self { place, file_key, keys }
    }
}

impl SignedIn {
    /// Uploads a file on disk under its own name.
    ///
    /// # Errors
    /// [`ErrorKind::LocalFile`] if it can't be read; [`ErrorKind::SourceChanged`] if it was written to meanwhile:
    /// nothing was delivered then.
    pub async fn upload_path(&self, path: &Path, note: &str, report: OnProgress<'_>) -> Result<Uploaded> {
        let source = Source::open(path).await?;
        let what = source.describe(note);
        let (size, modified) = (source.size, source.modified);
        let unchanged = || Source::check_unchanged(path, size, modified);
        self.upload_checked(source.file, what, report, unchanged).await
    }

    /// Uploads `what.size` bytes from `source`.
    ///
    /// # Errors
    /// [`ErrorKind::SourceChanged`] if `source` holds fewer or more bytes: nothing was delivered then.
    pub async fn upload<R: AsyncRead + Unpin>(
        &self,
        source: R,
        what: NewFile,
        report: OnProgress<'_>,
    ) -> Result<Uploaded> {
        self.upload_checked(source, what, report, || async { Ok(()) }).await
    }

    /// Uploads, and asks `unchanged` before the file is made to exist.
    async fn upload_checked<R, F>(
        &self,
        source: R,
        what: NewFile,
        report: OnProgress<'_>,
        unchanged: impl FnOnce() -> F,
    ) -> Result<Uploaded>
    where
        R: AsyncRead + Unpin,
        F: Future<Output = Result<()>>,
    {
        let inner = &self.inner;
        let layout = Layout::for_size(what.size)?;
        drop(inner.ops_log().await?);
        let fresh = Fresh::new(inner);
        // Sealed first: a name or note that is too long is found before anything is sent.
        let metadata = encode(&what).seal(&fresh.keys.metadata, &fresh.place)?;
        let digests = inner.send_parts(source, what.size, layout, &fresh, report).await?;
        unchanged().await?;
        inner.complete(&fresh, layout, &digests, metadata).await?;
        Ok(Uploaded { file_id: fresh.place.file_id, version: FIRST_VERSION, file: what })
    }
}

impl Inner {
    async fn send_parts<R: AsyncRead + Unpin>(
        &self,
        source: R,
        size: u64,
        layout: Layout,
        fresh: &Fresh,
        report: OnProgress<'_>,
    ) -> Result<Vec<Digest>> {
        let Place { file_id, version, .. } = fresh.place;
        let create = CreateFile { file_id, version };
        let _: UploadView = self.caller.post(Call::new(routes::CREATE_FILE, &[]), &create).await?;
        let meter = Meter::new(size, report);
        content::seal_all(source, size, layout, Arc::clone(&fresh.keys), &meter, |part| async move {
            let values: [&(dyn std::fmt::Display + Sync); 3] = [&file_id, &version, &part.index];
            self.caller.put_part(Call::new(routes::PUT_PART, &values), &part.digest, &part.bytes).await
        })
        .await
    }

    /// Signs manifest and self share, and makes the file exist. When another of our uploads took the place of
    /// the self share: sync, sign for the next place.
    async fn complete(
        &self,
        fresh: &Fresh,
        layout: Layout,
        digests: &[Digest],
        metadata: Vec<u8>,
    ) -> Result<()> {
        let manifest = self.sign_manifest(fresh, layout, digests, &metadata).await?;
        let me = self.profile.user_id;
        for _ in 0..ATTEMPTS {
            let log = self.ops_log().await?;
            let mut pair = self.sent_pair(&log, me).await?;
            let (share, entry) = self.share_with_self(&log, fresh, &manifest, &pair)?;
            let complete =
                CompleteFile { manifest: manifest.raw().clone(), metadata: Base64(metadata.clone()), share };
            let Place { file_id, version, .. } = fresh.place;
            let outcome: Result<FileView> =
                self.caller.post(Call::new(routes::COMPLETE, &[&file_id, &version]), &complete).await;
            match outcome {
                Ok(_) => {
                    pair.apply(&entry)?;
                    self.pin_pair(&PairKey { sender: me, recipient: me }, &pair).await?;
                    return self.flush(&log).await;
                }
                Err(error) if error.code() == "pair_conflict" => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::Conflict, "pair_conflict", "your other uploads keep getting in first")
            .with_hint("Run the same command again."))
    }

    async fn sign_manifest(
        &self,
        fresh: &Fresh,
        layout: Layout,
        digests: &[Digest],
        metadata: &[u8],
    ) -> Result<VerifiedManifest> {
        let log = self.ops_log().await?;
        let draft = ManifestDraft {
            file_id: fresh.place.file_id,
            version: fresh.place.version,
            layout,
            digest: parts::content_digest(layout.ciphertext_length(), digests),
            metadata: metadata::sealed_hash(metadata),
            commitment: fresh.keys.commitment,
            previous: RecordId::ZERO,
            time: now(),
        };
        Ok(manifest::sign(&log.ops_signer(&self.account)?, draft)?)
    }

    fn share_with_self(
        &self,
        log: &Log,
        fresh: &Fresh,
        manifest: &VerifiedManifest,
        pair: &sealpost_crypto::pair::PairState,
    ) -> Result<(SealedShare, PairEntry)> {
        let recipient = log.active(self.profile.user_id).ok_or_else(|| Error::internal("not active"))?;
        let request = ShareRequest {
            manifest,
            file_key: &fresh.file_key,
            recipient,
            pair,
            expiry: 0,
            limit: 0,
            time: now(),
        };
        Ok(share::seal(&log.ops_signer(&self.account)?, &request)?)
    }
}

fn encode(what: &NewFile) -> Metadata {
    Metadata {
        name: Text(what.name.clone()),
        media_type: Text(what.media_type.clone()),
        size: what.size,
        modified: what.modified.min(int53::MAX),
        note: Text(what.note.clone()),
    }
}
