//! Uploads of files on disk, which go on where an interrupted one ended (protocol §7.3).

use std::{collections::BTreeMap, path::Path, sync::Mutex, sync::PoisonError};

use futures_util::FutureExt;
use sealpost_api::file::FileState;
use sealpost_crypto::{
    id::{Digest, FileId},
    size::Layout,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{FIRST_VERSION, Fresh, Uploaded};
use crate::{
    content::{self, SealedPart},
    error::{Error, ErrorKind, Result},
    journal::{self, Before, Journal, JournalName, Known, Look, Remembered},
    many::Way,
    progress::{Meter, OnProgress},
    signed_in::{Inner, SignedIn},
    source::{NewFile, Source},
    wire::Wire,
};

/// Whether a file may be uploaded that was uploaded from this device before and has not changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// No: an error names the file it is already.
    Refuse,
    /// Yes, as a second file.
    Allow,
}

/// A file on disk as it was when its upload began, and what is to be said about it.
pub(crate) struct OnDisk<'a> {
    path: &'a Path,
    name: JournalName,
    look: Look,
    what: NewFile,
    /// Of content and note, where it is known.
    fingerprint: Option<Digest>,
    /// The upload of many that it belongs to.
    run: Option<Digest>,
}

impl<'a> OnDisk<'a> {
    async fn open(path: &'a Path, note: &str) -> Result<Self> {
        let source = Source::open(path).await?;
        let look = Look::new(source.size, source.modified);
        let (name, what) = (JournalName::of(path), source.describe(note));
        Ok(Self { path, name, look, what, fingerprint: None, run: None })
    }
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
        let way = Way::Upload { again, run: None };
        match self.inner.upload_resumed(path, note, way).await? {
            Some((_, uploaded)) => Ok(uploaded),
            None => self.inner.upload_by_parts(path, note, again, None, report).await,
        }
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
    /// [`SignedIn::upload_path`], perhaps as one of many. What an interrupted `run` has uploaded already is found again.
    pub(crate) async fn upload_by_parts(
        &self,
        path: &Path,
        note: &str,
        again: Again,
        run: Option<Digest>,
        report: OnProgress<'_>,
    ) -> Result<Uploaded> {
        let file = OnDisk { run, ..OnDisk::open(path, note).await? };
        drop(self.ops_log().await?);
        let _guard = file.name.lock(&self.device).await?;
        let known = Known::load(&self.device)?;
        match known.unchanged(file.name, &file.look) {
            Some(known) if run.is_some() && known.run == run => {
                Ok(Uploaded { file_id: known.file_id, version: FIRST_VERSION, file: file.what })
            }
            Some(known) if again == Again::Refuse => Err(uploaded_before(path, known.file_id)),
            _ => self.upload_on_disk(file, report).await,
        }
    }

    /// Uploads the file unless this very content was uploaded from its path before with the same note. Gives what
    /// was found, and the file's id.
    pub(crate) async fn upload_once(
        &self,
        path: &Path,
        note: &str,
        report: OnProgress<'_>,
    ) -> Result<(Before, FileId)> {
        if let Some((before, uploaded)) = self.upload_resumed(path, note, Way::Deliver).await? {
            return Ok((before, uploaded.file_id));
        }
        let mut file = OnDisk::open(path, note).await?;
        drop(self.ops_log().await?);
        let _guard = file.name.lock(&self.device).await?;
        let known = Known::load(&self.device)?;
        let found = self.find_before(&known, path, note).await?;
        if let Before::Same(file_id) = found.before {
            return Ok((found.before, file_id));
        }
        file.fingerprint = Some(found.fingerprint);
        Ok((found.before, self.upload_on_disk(file, report).await?.file_id))
    }

    /// Called under the lock of the file's name.
    async fn upload_on_disk(&self, file: OnDisk<'_>, report: OnProgress<'_>) -> Result<Uploaded> {
        let Announced { journal, fresh, metadata, state } = self.announce(&file).await?;
        let journal = if state == FileState::Live {
            self.check_arrived(&fresh).await?;
            journal
        } else {
            let (journal, digests) = self.send_missing(file.path, &fresh, journal, report).await?;
            Source::check_unchanged(file.path, &file.look).await?;
            self.complete(&fresh, &digests, metadata).await?;
            journal
        };
        let file_id = fresh.place.file_id;
        let OnDisk { name, look, fingerprint, run, .. } = file;
        let remembered = Remembered { name: name.digest(), look, file_id, fingerprint, run };
        journal::remember(&self.device, vec![remembered]).await?;
        journal.discard(&self.device)?;
        Ok(Uploaded { file_id, version: FIRST_VERSION, file: file.what })
    }

    /// Takes up the upload and tells the server. One that was deleted meanwhile begins anew, under another id.
    async fn announce(&self, file: &OnDisk<'_>) -> Result<Announced> {
        let journal = self.take_up(file).await?;
        match self.announce_as(&journal, &file.what).await {
            Ok((fresh, metadata, state)) => Ok(Announced { journal, fresh, metadata, state }),
            Err(error) if error.code() == "id_taken" => {
                journal.discard(&self.device)?;
                let journal = self.take_up(file).await?;
                let (fresh, metadata, state) = self.announce_as(&journal, &file.what).await?;
                Ok(Announced { journal, fresh, metadata, state })
            }
            Err(error) => Err(error),
        }
    }

    /// That an upload is complete already is not the server's to say: it shows what we signed and wrapped to ourselves then.
    async fn check_arrived(&self, fresh: &Fresh) -> Result<()> {
        let unproven = || {
            let message = "the server says that the file is uploaded already, and does not show it";
            Error::verification("upload_unproven", message)
        };
        match self.newest_own_file(fresh.place.file_id).await {
            Ok(file) if file.version() == fresh.place.version && file.file_key == fresh.file_key => Ok(()),
            Ok(_) => Err(unproven()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(unproven()),
            Err(error) => Err(error),
        }
    }

    async fn announce_as(&self, journal: &Journal, what: &NewFile) -> Result<(Fresh, Vec<u8>, FileState)> {
        let fresh = Fresh::new(self, journal.file_id, journal.file_key.clone(), journal.source.size)?;
        let metadata = fresh.seal_metadata(what)?;
        let state = self.create(&fresh).await?.state;
        Ok((fresh, metadata, state))
    }

    /// The journal of an interrupted upload of this very file, or a new one. When the file has changed since,
    /// nothing more is ever sent under the old key.
    async fn take_up(&self, file: &OnDisk<'_>) -> Result<Journal> {
        let vault_key = &self.account.keys().vault;
        if let Some(journal) = Journal::load(&self.device, vault_key, file.name)? {
            if journal.source == file.look && self.is_unchanged(file.path, &journal).await? {
                return Ok(journal);
            }
            journal.discard(&self.device)?;
        }
        let parts = Layout::for_size(file.look.size)?.parts();
        Journal::begin(&self.device, vault_key, file.name, file.look.clone(), FileId::random(), parts)
    }

    /// Seals every part of the journal again and compares.
    async fn is_unchanged(&self, path: &Path, journal: &Journal) -> Result<bool> {
        let fresh = Fresh::new(self, journal.file_id, journal.file_key.clone(), journal.source.size)?;
        let source = Source::open(path).await?;
        let wanted = |index| journal.digest(index).is_some();
        let compare = |part: SealedPart| {
            let same = journal.digest(part.index) == Some(part.digest);
            async move { if same { Ok(()) } else { Err(changed()) } }.boxed()
        };
        match content::seal_all(source.file, &fresh.sealing(), &wanted, &compare).await {
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
        let (journal_of, meter, wire) = (&journal, &meter, &Wire::new());
        let wanted = |index| !done.contains_key(&index);
        let send = |part: SealedPart| {
            let sending = async move {
                self.record(journal_of, &part)?;
                self.put(fresh, &part, wire).await?;
                meter.advance(part.content);
                Ok(())
            };
            sending.boxed()
        };
        content::seal_all(source.file, &fresh.sealing(), &wanted, &send).await?;
        let journal = journal.into_inner().unwrap_or_else(PoisonError::into_inner);
        let digests = journal.sealed().values().copied().collect();
        Ok((journal, digests))
    }

    /// The digest is durable before the part is first sent.
    pub(crate) fn record<S: Clone + Serialize + DeserializeOwned>(
        &self,
        journal: &Mutex<Journal<S>>,
        part: &SealedPart,
    ) -> Result<()> {
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.record(&self.device, part.index, part.digest)
    }
}

/// It is there already, and was not to be uploaded a second time.
pub(crate) fn uploaded_before(path: &Path, file_id: FileId) -> Error {
    let message = format!("{} was uploaded before, as {file_id}, and has not changed since", path.display());
    Error::new(ErrorKind::Conflict, "already_uploaded", message).with_hint(format!(
        "Share it with `sealpost share {file_id} EMAIL`, or upload it a second time with -y."
    ))
}

pub(super) fn changed() -> Error {
    Error::new(ErrorKind::SourceChanged, "source_changed", "the file has changed since it was first sent")
        .with_hint("Run the same command again: it is uploaded as a new file.")
}
