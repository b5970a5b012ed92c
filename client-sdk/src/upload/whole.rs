//! Small files: each is sealed whole, and one request creates many. What the request says is durable before it is sent
//! (protocol §7.3), so after an interruption the same bytes and the same records are sent again: the server knows them
//! by their ids, and whatever became of the first request, there is one file.

use std::{collections::BTreeMap, path::Path, sync::Mutex, sync::PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use sealpost_api::{
    batch::{CreateFiles, FileResults, WholeFile},
    file::CompleteFile,
    problem::ErrorCode,
    routes,
};
use sealpost_crypto::{
    device::{self, Fingerprint},
    encoding::Base64,
    id::{Digest, FileId},
    log::Log,
    manifest::VerifiedManifest,
    pair::{PairEntry, PairState},
    record::RawRecord,
    secret::{FileKey, VaultKey},
    share::SealedShare,
    size::Layout,
    vault::PairKey,
};
use serde::{Deserialize, Serialize};

use super::{FIRST_VERSION, Fresh, complete::OTHERS_UPLOAD, resume::changed};
use crate::{
    content::{self, SealedPart},
    contention::Contention,
    device::Device,
    error::{Error, Result},
    journal::{JournalName, Look},
    server::Call,
    signed_in::Inner,
    source::{NewFile, Source},
    store::StoreGuard,
};

/// Files with more ciphertext go by parts, bytes: for them a request of their own costs nothing.
pub(crate) const SMALL: u64 = 1024 * 1024;
const BLOB: &str = "batch";

/// What was sent of a small file and may not have arrived.
#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    look: Look,
    /// Of what the metadata says.
    about: Digest,
    file_id: FileId,
    /// The file key, sealed under the vault key.
    key: Base64,
    /// Of the only part.
    digest: Digest,
    metadata: Base64,
    manifest: RawRecord,
    share: SealedShare,
}

/// What is kept of small files that are under way, by their names.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct UnderWay(BTreeMap<Digest, Entry>);

impl UnderWay {
    /// As of now.
    pub(crate) fn load(device: &Device) -> Result<Self> {
        Ok(device.load(BLOB)?.unwrap_or_default())
    }

    /// Whether an upload of this path was interrupted in the middle of a batch.
    pub(crate) fn has(&self, name: JournalName) -> bool {
        self.0.contains_key(&name.digest())
    }

    /// Whether what is kept of this path is the file that `known` is: then it arrived.
    pub(crate) fn is_of(&self, name: JournalName, known: Option<FileId>) -> bool {
        self.0.get(&name.digest()).is_some_and(|entry| Some(entry.file_id) == known)
    }
}

/// The same, held by one process at a time.
pub(crate) struct Batch {
    pub under_way: UnderWay,
    _guard: Box<dyn StoreGuard>,
}

impl Batch {
    /// Waits for other processes. Lock the names first.
    pub(crate) async fn hold(device: &Device) -> Result<Self> {
        let guard = device.lock(BLOB).await?;
        Ok(Self { under_way: UnderWay::load(device)?, _guard: guard })
    }

    /// Forgets what is decided.
    pub(crate) fn forget(&mut self, device: &Device, names: Vec<JournalName>) -> Result<()> {
        let entries = &mut self.under_way.0;
        let before = entries.len();
        names.iter().for_each(|name| drop(entries.remove(&name.digest())));
        if entries.len() == before { Ok(()) } else { self.save(device) }
    }

    fn save(&self, device: &Device) -> Result<()> {
        if self.under_way.0.is_empty() { device.remove(BLOB) } else { device.save(BLOB, &self.under_way) }
    }
}

/// A small file, read and sealed.
pub(crate) struct Whole {
    pub name: JournalName,
    pub look: Look,
    pub what: NewFile,
    about: Digest,
    fresh: Fresh,
    digest: Digest,
    content: Bytes,
    metadata: Vec<u8>,
    /// What an interrupted run has signed about it.
    signed: Option<(RawRecord, SealedShare)>,
}

impl Whole {
    pub(crate) fn file_id(&self) -> FileId {
        self.fresh.place.file_id
    }

    pub(crate) fn file_key(&self) -> &FileKey {
        &self.fresh.file_key
    }

    /// Whether an interrupted run may have created it.
    pub(crate) fn is_resumed(&self) -> bool {
        self.signed.is_some()
    }

    fn entry(&self, vault_key: &VaultKey, manifest: &VerifiedManifest, share: SealedShare) -> Entry {
        let key = device::seal(vault_key, &purpose(&self.file_id()), self.fresh.file_key.expose());
        Entry {
            look: self.look.clone(),
            about: self.about,
            file_id: self.file_id(),
            key: Base64(key),
            digest: self.digest,
            metadata: Base64(self.metadata.clone()),
            manifest: manifest.raw().clone(),
            share,
        }
    }

    fn message(&self, manifest: &VerifiedManifest, share: SealedShare) -> WholeFile {
        let metadata = Base64(self.metadata.clone());
        WholeFile {
            file_id: self.file_id(),
            version: FIRST_VERSION,
            content: Base64(self.content.to_vec()),
            complete: CompleteFile { manifest: manifest.raw().clone(), metadata, share },
        }
    }
}

/// How far one file of a request is.
enum Slot {
    /// Not decided; with what was signed about it.
    Open(Option<(VerifiedManifest, SealedShare)>),
    Decided(Result<VerifiedManifest>),
}

impl Inner {
    /// Reads and seals a small file: as before if an interrupted run has sealed this very one, else under a fresh key.
    pub(crate) async fn seal_whole(
        &self,
        path: &Path,
        note: &str,
        under_way: Option<&UnderWay>,
    ) -> Result<Whole> {
        let name = JournalName::of(path);
        let source = Source::open(path).await?;
        let look = Look::new(source.size, source.modified);
        let what = source.describe(note);
        let about = about(&self.account.keys().vault, &what);
        let earlier = under_way.and_then(|under_way| under_way.0.get(&name.digest()));
        if let Some(entry) = earlier.filter(|entry| (&entry.look, entry.about) == (&look, about)) {
            let fresh = self.fresh_of(entry, what.size)?;
            let part = seal_only_part(path, source, &fresh, &look).await?;
            if part.digest == entry.digest {
                let signed = Some((entry.manifest.clone(), entry.share.clone()));
                let (digest, content, metadata) = (part.digest, part.bytes, entry.metadata.0.clone());
                return Ok(Whole { name, look, what, about, fresh, digest, content, metadata, signed });
            }
        }
        let fresh = Fresh::new(self, FileId::random(), FileKey::random(), what.size)?;
        let metadata = fresh.seal_metadata(&what)?;
        let SealedPart { digest, bytes, .. } =
            seal_only_part(path, Source::open(path).await?, &fresh, &look).await?;
        Ok(Whole { name, look, what, about, fresh, digest, content: bytes, metadata, signed: None })
    }

    fn fresh_of(&self, entry: &Entry, size: u64) -> Result<Fresh> {
        let damaged = || Error::state("the journal of an interrupted upload is damaged");
        let key = device::open(&self.account.keys().vault, &purpose(&entry.file_id), &entry.key.0);
        let key = key.ok().and_then(|key| FileKey::from_slice(&key)).ok_or_else(damaged)?;
        Fresh::new(self, entry.file_id, key, size)
    }

    /// Creates the files, each or why not. When another of our uploads took the place of an owner's share, or one file
    /// was refused and the places after it moved: sync, sign for the next places.
    pub(crate) async fn create_whole(
        &self,
        batch: &mut Batch,
        files: &[&Whole],
    ) -> Result<Vec<Result<VerifiedManifest>>> {
        let mut slots: Vec<Slot> = files.iter().map(|_| Slot::Open(None)).collect();
        let _guard = self.signing().await?;
        let mut races = Contention::default();
        let mut given_up = Ok(());
        while given_up.is_ok() && !self.create_open(batch, files, &mut slots).await? {
            given_up = races.lost("pair_conflict", OTHERS_UPLOAD).await;
        }
        let undecided = given_up.err().unwrap_or_else(|| Error::internal("a file was not decided"));
        let outcome = |slot| match slot {
            Slot::Decided(outcome) => outcome,
            Slot::Open(_) => Err(undecided.clone()),
        };
        Ok(slots.into_iter().map(outcome).collect())
    }

    /// One request for all that is open; whether everything is settled.
    async fn create_open(&self, batch: &mut Batch, files: &[&Whole], slots: &mut [Slot]) -> Result<bool> {
        let me = self.profile.user_id;
        let (log, pair) = self.newest_sent_pair(&|_| Ok(me)).await?;
        let mut pair = Self::to_sign(pair)?;
        self.sign_open(&log, &mut pair, files, slots)?;
        let mut request = CreateFiles { files: Vec::new() };
        for (file, slot) in files.iter().zip(slots.iter()) {
            if let Slot::Open(Some((manifest, share))) = slot {
                let entry = file.entry(&self.account.keys().vault, manifest, share.clone());
                batch.under_way.0.insert(file.name.digest(), entry);
                request.files.push(file.message(manifest, share.clone()));
            }
        }
        if request.files.is_empty() {
            return Ok(true);
        }
        batch.save(&self.device)?;
        let answer: FileResults = self.caller.post(Call::new(routes::CREATE_FILES, &[]), &request).await?;
        let accepted = decide(slots, &request, answer)?;
        if accepted {
            self.pin_pair(&PairKey { sender: me, recipient: me }, &pair).await?;
        }
        Ok(accepted)
    }

    /// Signs what is open for the next places of `pair`, and advances it. What an interrupted run signed is used again
    /// if it still fits; what the pair's history has already is done.
    fn sign_open(&self, log: &Log, pair: &mut PairState, files: &[&Whole], slots: &mut [Slot]) -> Result<()> {
        let known = pair.clone();
        for (file, slot) in files.iter().zip(slots) {
            let Slot::Open(signed) = slot else { continue };
            let earlier = signed.take().or_else(|| earlier(log, file));
            let (manifest, share) = match earlier {
                Some((manifest, share)) => (manifest, Some(share)),
                None => (self.sign_manifest(log, &file.fresh, &[file.digest], &file.metadata)?, None),
            };
            if share.as_ref().is_some_and(|share| known.live(file.file_id()) == Some(share.record.id())) {
                *slot = Slot::Decided(Ok(manifest));
                continue;
            }
            let share = match share.filter(|share| continues(log, pair, share)) {
                Some(share) => share,
                None => {
                    let (share, entry) = self.share_with_self(log, &file.fresh, &manifest, pair)?;
                    pair.apply(&entry)?;
                    share
                }
            };
            *signed = Some((manifest, share));
        }
        Ok(())
    }
}

/// What an interrupted run signed about a file, if it can still count.
fn earlier(log: &Log, file: &Whole) -> Option<(VerifiedManifest, SealedShare)> {
    let (manifest, share) = file.signed.clone()?;
    VerifiedManifest::verify(manifest, log, true).ok().map(|manifest| (manifest, share))
}

/// Whether a share takes the next place of the pair; then the pair has it.
fn continues(log: &Log, pair: &mut PairState, share: &SealedShare) -> bool {
    let entry = PairEntry::verify(share.record.clone(), log);
    entry.is_ok_and(|entry| entry.sequence() == pair.next_sequence() && pair.apply(&entry).is_ok())
}

/// Takes the answer over; whether every file was taken.
fn decide(slots: &mut [Slot], request: &CreateFiles, answer: FileResults) -> Result<bool> {
    let asked = request.files.iter().map(|file| file.file_id);
    if !answer.results.iter().map(|result| result.file_id).eq(asked) {
        return Err(Error::unexpected("the server did not say what became of each file"));
    }
    let open = slots.iter_mut().filter(|slot| matches!(slot, Slot::Open(_)));
    let mut accepted = true;
    for (slot, result) in open.zip(answer.results) {
        let Slot::Open(signed) = slot else { continue };
        let outcome = match (result.problem, signed.take()) {
            (None, Some((manifest, _))) => Ok(manifest),
            (Some(problem), kept) if problem.code == ErrorCode::PairConflict => {
                (*signed, accepted) = (kept, false);
                continue;
            }
            (Some(problem), _) => Err(Error::from(problem)),
            (None, None) => Err(Error::internal("a file was created unsigned")),
        };
        accepted &= outcome.is_ok();
        *slot = Slot::Decided(outcome);
    }
    Ok(accepted)
}

/// Whether a file of so many bytes is small; one that is too large for any upload is not.
pub(crate) fn is_small(size: u64) -> bool {
    Layout::for_size(size).is_ok_and(|layout| layout.ciphertext_length() <= SMALL)
}

/// The only part of a small file, which must not have changed since it had this `look`.
async fn seal_only_part(path: &Path, source: Source, fresh: &Fresh, look: &Look) -> Result<SealedPart> {
    if !is_small(fresh.size) {
        return Err(changed());
    }
    let (sealed, sealing) = (&Mutex::new(None), fresh.sealing());
    content::seal_all(source.file, &sealing, &|_| true, &|part| {
        *sealed.lock().unwrap_or_else(PoisonError::into_inner) = Some(part);
        async { Ok(()) }.boxed()
    })
    .await?;
    Source::check_unchanged(path, look).await?;
    let sealed = sealed.lock().unwrap_or_else(PoisonError::into_inner).take();
    sealed.ok_or_else(|| Error::internal("a file has no part"))
}

/// By what a device knows again what is said about a file. Its size and time are in its look.
fn about(key: &VaultKey, what: &NewFile) -> Digest {
    let mut fingerprint = Fingerprint::new(key);
    for text in [&what.name, &what.media_type, &what.note] {
        fingerprint.update(&(text.len() as u64).to_be_bytes());
        fingerprint.update(text.as_bytes());
    }
    fingerprint.finish()
}

fn purpose(file_id: &FileId) -> [&[u8]; 2] {
    [b"batch journal", file_id.as_bytes()]
}
