//! Content that was uploaded before is known again: by its fingerprint, and what has none (it went up by a plain upload) by
//! sealing it once more under its key.

use std::{path::Path, sync::Arc};

use futures_util::FutureExt;
use sealpost_crypto::{
    account::Account,
    id::{Digest, FileId},
    parts,
};

use crate::{
    content::{self, Sealing},
    error::{ErrorKind, Result},
    journal::{self, Before, JournalName, Known, Look, Remembered},
    signed_in::Inner,
    source::Source,
};

/// What was found of a path.
pub(crate) struct Found {
    /// What was uploaded from it before, compared with content and note of now.
    pub before: Before,
    /// Of content and note.
    pub fingerprint: Digest,
    /// The same content by a plain upload: to be known by its fingerprint from now on.
    proved: Option<Remembered>,
}

impl Inner {
    /// What [`Inner::upload_once`] would find; sends and keeps nothing.
    pub(crate) async fn uploaded_before(&self, path: &Path, note: &str) -> Result<Before> {
        Ok(self.look_for(&Known::load(&self.device)?, path, note).await?.before)
    }

    /// What was uploaded from a path before. Called under the lock of the path's name.
    pub(crate) async fn find_before(&self, known: &Known, path: &Path, note: &str) -> Result<Found> {
        let mut found = self.look_for(known, path, note).await?;
        if let Some(proved) = found.proved.take() {
            journal::remember(&self.device, vec![proved]).await?;
        }
        Ok(found)
    }

    /// What was remembered before a rotation is known by the keys of that time.
    async fn look_for(&self, known: &Known, path: &Path, note: &str) -> Result<Found> {
        let (name, source) = (JournalName::of(path), Source::open(path).await?);
        let look = Look::new(source.size, source.modified);
        let fingerprint = fingerprint_by(path, note, &self.account).await?;
        let mut found = Found { before: known.before(name, fingerprint), fingerprint, proved: None };
        if let Some(file) = known.unproved(name, &look)
            && self.is_content_of(file.file_id, path, note).await?
        {
            Source::check_unchanged(path, &look).await?;
            found.before = Before::Same(file.file_id);
            found.proved = Some(Remembered { fingerprint: Some(fingerprint), ..file.clone() });
        }
        if matches!(found.before, Before::Other(_)) && known.has_fingerprint(name) {
            for keys in self.all_earlier_keys().await? {
                let earlier = fingerprint_by(path, note, &keys).await?;
                if let same @ Before::Same(_) = known.before(name, earlier) {
                    found.before = same;
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Whether a file of ours has exactly what is at `path` now: its name, this note, and the content, which is sealed
    /// again and compared with what the manifest states.
    async fn is_content_of(&self, file_id: FileId, path: &Path, note: &str) -> Result<bool> {
        let file = match self.newest_own_file(file_id).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            outcome => outcome?,
        };
        let source = Source::open(path).await?;
        let (stated, now) = (&file.metadata, source.describe(note));
        if (&stated.name.0, &stated.note.0, stated.size) != (&now.name, &now.note, now.size) {
            return Ok(false);
        }
        let manifest = file.share.manifest();
        let layout = *manifest.layout();
        let sealing = Sealing { size: now.size, layout, keys: Arc::clone(&file.keys) };
        let sealed = content::seal_all(source.file, &sealing, &|_| true, &|_| async { Ok(()) }.boxed());
        match sealed.await {
            Ok(parts) => {
                Ok(parts::content_digest(layout.ciphertext_length(), &parts) == manifest.get().digest)
            }
            Err(error) if error.kind() == ErrorKind::SourceChanged => Ok(false),
            Err(error) => Err(error),
        }
    }
}

async fn fingerprint_by(path: &Path, note: &str, account: &Account) -> Result<Digest> {
    content::fingerprint(Source::open(path).await?.file, note, &account.keys().vault).await
}
