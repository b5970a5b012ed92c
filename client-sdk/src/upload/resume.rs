//! Uploads of files on disk, which go on where an interrupted one ended (protocol §7.3).

use std::{collections::BTreeMap, path::Path, sync::Mutex, sync::PoisonError};

use sealpost_api::file::FileState;
use sealpost_crypto::{id::Digest, size::Layout};

use super::{FIRST_VERSION, Fresh, Uploaded};
use crate::{
    content::{self, SealedPart},
    error::{Error, ErrorKind, Result},
    journal::{self, Journal, JournalName, Look},
    progress::{Meter, OnProgress},
    signed_in::{Inner, SignedIn},
    source::{NewFile, Source},
};

/// Whether a file may be uploaded that was uploaded from this device before and has not changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// No: an error names the file it is already.
    Refuse,
    /// Yes, as a second file.
    Allow,
}

impl SignedIn {
    /// Uploads a file on disk under its own name. After an interruption of whatever kind the same call goes on:
    /// parts that the server has are not sent again.
    ///
    /// # Errors
    /// [`ErrorKind::LocalFile`] if it can't be read; [`ErrorKind::SourceChanged`] if it was written to meanwhile:
    /// nothing was delivered then; [`ErrorKind::Conflict`] if it was uploaded before.
    pub async fn upload_path(
        &self,
        path: &Path,
        note: &str,
        again: Again,
        report: OnProgress<'_>,
    ) -> Result<Uploaded> {
        let inner = &self.inner;
        let source = Source::open(path).await?;
        let what = source.describe(note);
        let look = Look::new(source.size, source.modified);
        drop(inner.ops_log().await?);
        let name = JournalName::of(path);
        let _guard = name.lock(&inner.device).await?;
        if again == Again::Refuse
            && let Some(file_id) = journal::uploaded_as(&inner.device, name, &look)?
        {
            return Err(uploaded_before(path, &file_id.to_string()));
        }
        let Announced { journal, fresh, metadata, state } = inner.announce(path, name, &look, &what).await?;
        let journal = if state == FileState::Live {
            journal
        } else {
            let (journal, digests) = inner.send_missing(path, &fresh, journal, report).await?;
            Source::check_unchanged(path, &look).await?;
            inner.complete(&fresh, &digests, metadata).await?;
            journal
        };
        journal::remember(&inner.device, name, look, fresh.place.file_id).await?;
        journal.discard(&inner.device)?;
        Ok(Uploaded { file_id: fresh.place.file_id, version: FIRST_VERSION, file: what })
    }
}

/// An upload that the server knows of.
struct Announced {
    journal: Journal,
    fresh: Fresh,
    metadata: Vec<u8>,
    state: FileState,
}

impl Inner {
    /// Takes up the upload and tells the server. One that was deleted meanwhile begins anew, under another id.
    async fn announce(
        &self,
        path: &Path,
        name: JournalName,
        look: &Look,
        what: &NewFile,
    ) -> Result<Announced> {
        let journal = self.take_up(path, name, look).await?;
        match self.announce_as(&journal, what).await {
            Ok((fresh, metadata, state)) => Ok(Announced { journal, fresh, metadata, state }),
            Err(error) if error.code() == "id_taken" => {
                journal.discard(&self.device)?;
                let journal = self.take_up(path, name, look).await?;
                let (fresh, metadata, state) = self.announce_as(&journal, what).await?;
                Ok(Announced { journal, fresh, metadata, state })
            }
            Err(error) => Err(error),
        }
    }

    async fn announce_as(&self, journal: &Journal, what: &NewFile) -> Result<(Fresh, Vec<u8>, FileState)> {
        let fresh = Fresh::new(self, journal.file_id, journal.file_key.clone(), journal.look.size)?;
        let metadata = fresh.seal_metadata(what)?;
        let state = self.create(&fresh).await?.state;
        Ok((fresh, metadata, state))
    }

    /// The journal of an interrupted upload of this very file, or a new one. When the file has changed since,
    /// nothing more is ever sent under the old key.
    async fn take_up(&self, path: &Path, name: JournalName, look: &Look) -> Result<Journal> {
        let vault_key = &self.account.keys().vault;
        if let Some(journal) = Journal::load(&self.device, vault_key, name)? {
            if journal.look == *look && self.is_unchanged(path, &journal).await? {
                return Ok(journal);
            }
            journal.discard(&self.device)?;
        }
        let parts = Layout::for_size(look.size)?.parts();
        Journal::begin(&self.device, vault_key, name, look.clone(), parts)
    }

    /// Seals every part of the journal again and compares.
    async fn is_unchanged(&self, path: &Path, journal: &Journal) -> Result<bool> {
        let fresh = Fresh::new(self, journal.file_id, journal.file_key.clone(), journal.look.size)?;
        let source = Source::open(path).await?;
        let wanted = |index| journal.digest(index).is_some();
        let compared = content::seal_all(source.file, &fresh.sealing(), wanted, |part| async move {
            if journal.digest(part.index) == Some(part.digest) { Ok(()) } else { Err(changed()) }
        })
        .await;
        match compared {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::SourceChanged => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Seals and sends what the server lacks. Returns the digests of all parts, in order.
    async fn send_missing(
        &self,
        path: &Path,
        fresh: &Fresh,
        journal: Journal,
        report: OnProgress<'_>,
    ) -> Result<(Journal, Vec<Digest>)> {
        let stored = self.stored_parts(fresh).await?;
        let has = |index: u32| {
            let sealed = journal.digest(index);
            sealed.is_some() && stored.get(index as usize).copied() == sealed
        };
        let done: BTreeMap<u32, Digest> = journal
            .sealed()
            .iter()
            .filter(|(index, _)| has(**index))
            .map(|(index, digest)| (*index, *digest))
            .collect();
        let meter = Meter::new(fresh.size, report);
        let content =
            |index: &u32| fresh.layout.part(*index).map_or(0, |part| part.content_length(fresh.size) as u64);
        meter.advance(done.keys().map(content).sum());
        let source = Source::open(path).await?;
        let journal = Mutex::new(journal);
        let (journal_of, meter) = (&journal, &meter);
        let wanted = |index| !done.contains_key(&index);
        content::seal_all(source.file, &fresh.sealing(), wanted, |part| async move {
            self.record(journal_of, &part)?;
            self.put(fresh, &part).await?;
            meter.advance(part.content);
            Ok(())
        })
        .await?;
        let journal = journal.into_inner().unwrap_or_else(PoisonError::into_inner);
        let digests = journal.sealed().values().copied().collect();
        Ok((journal, digests))
    }

    /// The digest is durable before the part is first sent.
    fn record(&self, journal: &Mutex<Journal>, part: &SealedPart) -> Result<()> {
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.record(&self.device, part.index, part.digest)
    }
}

fn uploaded_before(path: &Path, file_id: &str) -> Error {
    let message = format!("{} was uploaded before, as {file_id}, and has not changed since", path.display());
    Error::new(ErrorKind::Conflict, "already_uploaded", message).with_hint(format!(
        "Share it with `sealpost share {file_id} EMAIL`, or upload it a second time with -y."
    ))
}

fn changed() -> Error {
    Error::new(ErrorKind::SourceChanged, "source_changed", "the file has changed since it was first sent")
}
