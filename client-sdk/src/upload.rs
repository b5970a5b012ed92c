//! Uploading: a fresh key, sealed parts, then one record that makes the file exist (protocol §7).

mod complete;
mod known;
mod resume;
mod whole;

use std::sync::Arc;

use futures_util::FutureExt;
use sealpost_api::{
    file::{CreateFile, UploadView},
    routes,
};
use sealpost_crypto::{
    encoding::{Text, int53},
    id::{Digest, FileId},
    keys::{FileKeys, Place},
    manifest::ManifestDraft,
    metadata::{self, Metadata},
    parts,
    secret::FileKey,
    size::Layout,
};
use tokio::io::AsyncRead;

pub(crate) use known::Found;
pub use resume::Again;
pub(crate) use resume::uploaded_before;
#[cfg(test)]
pub(crate) use whole::SMALL;
pub(crate) use whole::{Batch, UnderWay, Whole, is_small};

use crate::{
    content::{self, SealedPart, Sealing},
    error::Result,
    progress::{Meter, OnProgress},
    server::Call,
    session::now,
    signed_in::{Inner, SignedIn},
    source::NewFile,
    wire::Wire,
};

/// Every file begins with this version.
pub(crate) const FIRST_VERSION: u64 = 1;

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

/// A new version's key, what derives from it, and how the version is laid out.
pub(crate) struct Fresh {
    pub place: Place,
    pub layout: Layout,
    size: u64,
    pub file_key: FileKey,
    pub keys: Arc<FileKeys>,
}

impl Fresh {
    fn new(inner: &Inner, file_id: FileId, file_key: FileKey, size: u64) -> Result<Self> {
        Self::at(Place { org_id: inner.profile.org_id, file_id, version: FIRST_VERSION }, file_key, size)
    }

    /// The same for a version of any number.
    pub(crate) fn at(place: Place, file_key: FileKey, size: u64) -> Result<Self> {
        let keys = Arc::new(FileKeys::derive(&file_key, &place));
        Ok(Self { place, layout: Layout::for_size(size)?, size, file_key, keys })
    }

    pub(crate) fn sealing(&self) -> Sealing {
        Sealing { size: self.size, layout: self.layout, keys: Arc::clone(&self.keys) }
    }

    /// What its manifest says, once its parts and its metadata are sealed.
    pub(crate) fn draft(&self, digests: &[Digest], metadata: &[u8]) -> ManifestDraft {
        ManifestDraft {
            layout: self.layout,
            digest: parts::content_digest(self.layout.ciphertext_length(), digests),
            metadata: metadata::sealed_hash(metadata),
            commitment: self.keys.commitment,
            time: now(),
        }
    }

    /// Sealed metadata. Made before anything is sent, so that a name or note that is too long is found first.
    fn seal_metadata(&self, what: &NewFile) -> Result<Vec<u8>> {
        Ok(described(what).seal(&self.keys.metadata, &self.place)?)
    }
}

/// Finds what is too large or too long before anything is sent.
pub(crate) fn check(what: &NewFile) -> Result<()> {
    Layout::for_size(what.size)?;
    Ok(described(what).check()?)
}

fn described(what: &NewFile) -> Metadata {
    Metadata {
        name: Text(what.name.clone()),
        media_type: Text(what.media_type.clone()),
        size: what.size,
        modified: what.modified.min(int53::MAX),
        note: Text(what.note.clone()),
    }
}

impl SignedIn {
    /// Uploads `what.size` bytes from `source`. An interrupted upload from a stream can't go on later: use
    /// [`SignedIn::upload_path`] for files on disk.
    ///
    /// # Errors
    /// [`crate::ErrorKind::SourceChanged`] if `source` holds fewer or more bytes: nothing was delivered then.
    pub async fn upload<R: AsyncRead + Unpin + Send>(
        &self,
        source: R,
        what: NewFile,
        report: OnProgress<'_>,
    ) -> Result<Uploaded> {
        let inner = &self.inner;
        let fresh = Fresh::new(inner, FileId::random(), FileKey::random(), what.size)?;
        drop(inner.ops_log().await?);
        let metadata = fresh.seal_metadata(&what)?;
        inner.create(&fresh).await?;
        let (fresh, meter, wire) = (&fresh, &Meter::new(what.size, report), &Wire::new());
        let digests = content::seal_all(source, &fresh.sealing(), &|_| true, &|part| {
            let sending = async move {
                inner.put(fresh, &part, wire).await?;
                meter.advance(part.content);
                Ok(())
            };
            sending.boxed()
        })
        .await?;
        inner.complete(fresh, &digests, metadata).await?;
        Ok(Uploaded { file_id: fresh.place.file_id, version: FIRST_VERSION, file: what })
    }
}

impl Inner {
    /// Announces the file to the server; again, if it knows it already.
    pub(crate) async fn create(&self, fresh: &Fresh) -> Result<UploadView> {
        let Place { file_id, version, .. } = fresh.place;
        let create = CreateFile { file_id, version };
        self.caller.post(Call::new(routes::CREATE_FILE, &[]), &create).await
    }

    /// Sends one part once no other is on the `wire`.
    pub(crate) async fn put(&self, fresh: &Fresh, part: &SealedPart, wire: &Wire) -> Result<()> {
        let Place { file_id, version, .. } = fresh.place;
        let values: [&(dyn std::fmt::Display + Sync); 3] = [&file_id, &version, &part.index];
        let turn = wire.turn().await?;
        self.caller.put_part(Call::new(routes::PUT_PART, &values), &part.digest, &part.bytes, &turn).await
    }

    /// Digests of the parts that the server has; zeros for those it lacks. Believed only where they are equal
    /// to what was sealed here.
    pub(crate) async fn stored_parts(&self, fresh: &Fresh) -> Result<Vec<Digest>> {
        let Place { file_id, version, .. } = fresh.place;
        self.part_digests(file_id, version, fresh.layout, None).await
    }
}
