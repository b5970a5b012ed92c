//! The resume journal of an upload, of a new file or of a next version (protocol §7.1): under which key which parts were sealed, durable before a
//! part is first sent. A resumed upload seals the same bytes again, or finds that the file has changed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use sealpost_crypto::{
    device,
    encoding::Base64,
    id::{Digest, FileId, RecordId},
    parts,
    secret::{FileKey, VaultKey},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    device::Device,
    error::{Error, Result},
    file::OpenFile,
    store::StoreGuard,
};

/// Digests in one blob: a journal is written anew for each part, and must stay small for the largest file.
const SEGMENT: u32 = 256;
/// Files that are remembered as uploaded.
const REMEMBERED: usize = 10_000;
const UPLOADS: &str = "uploads";

/// What a file on disk looked like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Look {
    pub size: u64,
    /// Nanoseconds since 1970, as a decimal number.
    modified: String,
}

impl Look {
    pub(crate) fn new(size: u64, modified: SystemTime) -> Self {
        let nanos = modified.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos());
        Self { size, modified: nanos.to_string() }
    }
}

/// Names the journal of one path: the same command again finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct JournalName(Digest);

impl JournalName {
    pub(crate) fn of(path: &Path) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self(parts::part_digest(absolute.as_os_str().as_encoded_bytes()))
    }

    fn blob(self) -> String {
        format!("upload-{}", self.0)
    }

    /// Of a file of ours that is sealed anew. No path gives the same name: those are absolute.
    pub(crate) fn of_file(file_id: FileId) -> Self {
        Self(parts::part_digest(format!("rekey {file_id}").as_bytes()))
    }

    /// What stands for the path.
    pub(crate) fn digest(self) -> Digest {
        self.0
    }

    fn segment(self, index: u32) -> String {
        format!("upload-{}-{}", self.0, index / SEGMENT)
    }

    /// One upload of a path at a time. Few lock files for many paths: another path may wait, too, now and then.
    pub(crate) async fn lock(self, device: &Device) -> Result<Box<dyn StoreGuard>> {
        device.lock(&self.lock_name()).await
    }

    fn lock_name(self) -> String {
        format!("upload-{:02x}", self.0.as_bytes()[0])
    }

    /// The locks of several paths, always in one order: so two that hold some never wait for each other.
    pub(crate) async fn lock_all(
        names: impl Iterator<Item = Self>,
        device: &Device,
    ) -> Result<Vec<Box<dyn StoreGuard>>> {
        let wanted: BTreeSet<String> = names.map(Self::lock_name).collect();
        let mut guards = Vec::with_capacity(wanted.len());
        for name in wanted {
            guards.push(device.lock(&name).await?);
        }
        Ok(guards)
    }
}

/// What a next version is sealed from: the version before it, which was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct After {
    version: u64,
    manifest: RecordId,
}

impl After {
    pub(crate) fn new(file: &OpenFile) -> Self {
        Self { version: file.version(), manifest: file.share.manifest().id() }
    }

    /// Whether it is this very version.
    pub(crate) fn follows(&self, file: &OpenFile) -> bool {
        *self == Self::new(file)
    }
}

#[derive(Serialize, Deserialize)]
struct Head<S> {
    #[serde(rename = "look")]
    source: S,
    file_id: FileId,
    key: Base64,
    segments: u32,
}

/// A journal under way, and what its parts are sealed from: a file on disk, or a version.
pub(crate) struct Journal<S = Look> {
    name: JournalName,
    pub source: S,
    pub file_id: FileId,
    pub file_key: FileKey,
    segments: u32,
    digests: BTreeMap<u32, Digest>,
}

impl<S: Clone + Serialize + DeserializeOwned> Journal<S> {
    /// Begins a journal of `parts` parts under a fresh key, durable before it is returned.
    pub(crate) fn begin(
        device: &Device,
        vault_key: &VaultKey,
        name: JournalName,
        source: S,
        file_id: FileId,
        parts: u32,
    ) -> Result<Self> {
        let file_key = FileKey::random();
        let sealed = device::seal(vault_key, &purpose(&file_id), file_key.expose());
        let segments = parts.div_ceil(SEGMENT);
        // What a removal that was cut short left behind is of another key.
        remove_segments(device, name, segments)?;
        let head = Head { source: source.clone(), file_id, key: Base64(sealed), segments };
        device.save(&name.blob(), &head)?;
        Ok(Self { name, source, file_id, file_key, segments, digests: BTreeMap::new() })
    }

    /// The journal that an interrupted upload of the same path left.
    pub(crate) fn load(device: &Device, vault_key: &VaultKey, name: JournalName) -> Result<Option<Self>> {
        let Some(head) = device.load::<Head<S>>(&name.blob())? else { return Ok(None) };
        // Sealed before the account's keys were rotated, as a rule: the upload begins anew, under a fresh key.
        let Ok(key) = device::open(vault_key, &purpose(&head.file_id), &head.key.0) else {
            remove(device, name, head.segments)?;
            return Ok(None);
        };
        let damaged = || Error::state("the journal of an interrupted upload is damaged");
        let file_key = FileKey::from_slice(&key).ok_or_else(damaged)?;
        let mut digests = BTreeMap::new();
        for segment in 0..head.segments {
            digests.extend(load_segment(device, name, segment * SEGMENT)?);
        }
        let Head { source, file_id, segments, .. } = head;
        Ok(Some(Self { name, source, file_id, file_key, segments, digests }))
    }

    /// Whether an upload of this path by parts was interrupted.
    pub(crate) fn is_under_way(device: &Device, name: JournalName) -> Result<bool> {
        Ok(device.load::<Head<S>>(&name.blob())?.is_some())
    }

    /// The digest under which a part was sealed before.
    pub(crate) fn digest(&self, index: u32) -> Option<Digest> {
        self.digests.get(&index).copied()
    }

    /// Every part that was sealed before.
    pub(crate) fn sealed(&self) -> &BTreeMap<u32, Digest> {
        &self.digests
    }

    /// Makes a part's digest durable; before the part is first sent.
    pub(crate) fn record(&mut self, device: &Device, index: u32, digest: Digest) -> Result<()> {
        if self.digests.insert(index, digest) == Some(digest) {
            return Ok(());
        }
        let first = index / SEGMENT * SEGMENT;
        let segment: BTreeMap<u32, Digest> = self
            .digests
            .range(first..first.saturating_add(SEGMENT))
            .map(|(index, digest)| (*index, *digest))
            .collect();
        device.save(&self.name.segment(index), &segment)
    }

    /// Removes the journal: the upload is complete, or the file is another one now.
    pub(crate) fn discard(self, device: &Device) -> Result<()> {
        remove(device, self.name, self.segments)
    }

    /// Removes whatever journal there is: nothing is to go on.
    pub(crate) fn forget(device: &Device, name: JournalName) -> Result<()> {
        let head = device.load::<Head<S>>(&name.blob())?;
        head.map_or(Ok(()), |head| remove(device, name, head.segments))
    }
}

fn remove_segments(device: &Device, name: JournalName, segments: u32) -> Result<()> {
    (0..segments).try_for_each(|segment| device.remove(&name.segment(segment * SEGMENT)))
}

fn remove(device: &Device, name: JournalName, segments: u32) -> Result<()> {
    // The head first: without it the segments mean nothing.
    device.remove(&name.blob())?;
    remove_segments(device, name, segments)
}

fn load_segment(device: &Device, name: JournalName, first: u32) -> Result<BTreeMap<u32, Digest>> {
    Ok(device.load(&name.segment(first))?.unwrap_or_default())
}

fn purpose(file_id: &FileId) -> [&[u8]; 2] {
    [b"upload journal", file_id.as_bytes()]
}

/// A file that was uploaded from this device.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub name: Digest,
    pub look: Look,
    pub file_id: FileId,
    /// Of content and note, if it was uploaded or found by [`crate::SignedIn::deliver`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Digest>,
    /// The upload of many that it belongs to, while that has not ended well: to be given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Digest>,
}

/// What was uploaded from a path before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// The same content with the same note, as this file.
    Same(FileId),
    /// Other content or another note, as this file.
    Other(FileId),
}

/// Everything that was uploaded from this device, as far as it is remembered.
pub(crate) struct Known(HashMap<Digest, Remembered>);

impl Known {
    /// As of now. Whoever relies on it holds the locks of the names that they ask for.
    pub(crate) fn load(device: &Device) -> Result<Self> {
        let known: Vec<Remembered> = device.load(UPLOADS)?.unwrap_or_default();
        Ok(Self(known.into_iter().map(|file| (file.name, file)).collect()))
    }

    /// What was uploaded from this path and has not changed since.
    pub(crate) fn unchanged(&self, name: JournalName, look: &Look) -> Option<&Remembered> {
        self.0.get(&name.0).filter(|file| file.look == *look)
    }

    /// What was uploaded from this path, compared with content and note of now.
    pub(crate) fn before(&self, name: JournalName, fingerprint: Digest) -> Before {
        match self.0.get(&name.0) {
            None => Before::Nothing,
            Some(file) if file.fingerprint == Some(fingerprint) => Before::Same(file.file_id),
            Some(file) => Before::Other(file.file_id),
        }
    }

    /// Whether it is known of the last upload from this path what it was of.
    pub(crate) fn has_fingerprint(&self, name: JournalName) -> bool {
        self.0.get(&name.0).is_some_and(|file| file.fingerprint.is_some())
    }

    /// What was uploaded from this path, looks unchanged since, and whose content has no fingerprint.
    pub(crate) fn unproved(&self, name: JournalName, look: &Look) -> Option<&Remembered> {
        self.unchanged(name, look).filter(|file| file.fingerprint.is_none())
    }

    /// The file that was last uploaded from this path.
    pub(crate) fn file_id(&self, name: JournalName) -> Option<FileId> {
        self.0.get(&name.0).map(|file| file.file_id)
    }
}

/// Remembers uploads; the oldest are forgotten in time.
pub(crate) async fn remember(device: &Device, files: Vec<Remembered>) -> Result<()> {
    let _guard = device.lock(UPLOADS).await?;
    let mut known: Vec<Remembered> = device.load(UPLOADS)?.unwrap_or_default();
    let names: BTreeSet<Digest> = files.iter().map(|file| file.name).collect();
    known.retain(|file| !names.contains(&file.name));
    known.extend(files);
    let excess = known.len().saturating_sub(REMEMBERED);
    known.drain(..excess);
    device.save(UPLOADS, &known)
}

/// An upload of many has ended well: given again, it is another one.
pub(crate) async fn end_run(device: &Device, run: Digest) -> Result<()> {
    let _guard = device.lock(UPLOADS).await?;
    let mut known: Vec<Remembered> = device.load(UPLOADS)?.unwrap_or_default();
    let mut of_run = known.iter_mut().filter(|file| file.run == Some(run)).peekable();
    if of_run.peek().is_none() {
        return Ok(());
    }
    of_run.for_each(|file| file.run = None);
    device.save(UPLOADS, &known)
}

/// Forgets an upload that was deleted: the same file may be uploaded again without being asked for it.
pub(crate) async fn forget(device: &Device, file_id: FileId) -> Result<()> {
    let _guard = device.lock(UPLOADS).await?;
    let mut known: Vec<Remembered> = device.load(UPLOADS)?.unwrap_or_default();
    let before = known.len();
    known.retain(|file| file.file_id != file_id);
    if known.len() == before { Ok(()) } else { device.save(UPLOADS, &known) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn a_journal_comes_back_with_its_key_and_its_digests() {
        let device = Device::new(Arc::new(MemoryStore::new()));
        let (vault_key, name) = (VaultKey::random(), JournalName::of(Path::new("a")));
        let look = Look::new(7, SystemTime::now());
        let mut journal =
            Journal::begin(&device, &vault_key, name, look.clone(), FileId::random(), 600).unwrap();
        for index in [0, 255, 256, 599] {
            journal.record(&device, index, Digest::new([index as u8; 32])).unwrap();
        }
        let back = Journal::<Look>::load(&device, &vault_key, name).unwrap().unwrap();
        assert_eq!(back.file_key, journal.file_key);
        assert_eq!(back.file_id, journal.file_id);
        assert_eq!(back.source, look);
        assert_eq!(back.sealed(), journal.sealed());
        back.discard(&device).unwrap();
        assert!(Journal::<Look>::load(&device, &vault_key, name).unwrap().is_none());
        assert!(load_segment(&device, name, 256).unwrap().is_empty());

        // Under other keys since: it begins anew, and nothing of the one before is left.
        Journal::begin(&device, &vault_key, name, look.clone(), FileId::random(), 600)
            .unwrap()
            .record(&device, 300, Digest::ZERO)
            .unwrap();
        let next_key = VaultKey::random();
        assert!(Journal::<Look>::load(&device, &next_key, name).unwrap().is_none());
        assert!(load_segment(&device, name, 256).unwrap().is_empty());
        assert!(Journal::<Look>::load(&device, &vault_key, name).unwrap().is_none());

        // Nothing of a journal under one key is found by the next one, however that one ended.
        let begin = |key| Journal::begin(&device, key, name, look.clone(), FileId::random(), 600).unwrap();
        begin(&vault_key).record(&device, 599, Digest::new([9; 32])).unwrap();
        device.remove(&name.blob()).unwrap();
        begin(&vault_key);
        assert!(Journal::<Look>::load(&device, &vault_key, name).unwrap().unwrap().sealed().is_empty());
        begin(&vault_key).record(&device, 599, Digest::new([9; 32])).unwrap();
        Journal::<Look>::forget(&device, name).unwrap();
        assert!(Journal::<Look>::load(&device, &vault_key, name).unwrap().is_none());
        assert!(load_segment(&device, name, 512).unwrap().is_empty());
    }

    fn remembered(name: JournalName, look: &Look, file_id: FileId) -> Remembered {
        Remembered { name: name.digest(), look: look.clone(), file_id, fingerprint: None, run: None }
    }

    #[tokio::test]
    async fn an_uploaded_file_is_remembered_until_it_changes() {
        let device = Device::new(Arc::new(MemoryStore::new()));
        let name = JournalName::of(Path::new("a"));
        let (look, other) = (Look::new(7, UNIX_EPOCH), Look::new(8, UNIX_EPOCH));
        let file_id = FileId::random();
        let found = |name: JournalName, look: &Look| {
            Known::load(&device).unwrap().unchanged(name, look).map(|file| file.file_id)
        };
        remember(&device, vec![remembered(name, &look, FileId::random())]).await.unwrap();
        remember(&device, vec![remembered(name, &look, file_id)]).await.unwrap();
        assert_eq!(found(name, &look), Some(file_id));
        assert_eq!(found(name, &other), None);
        assert_eq!(found(JournalName::of(Path::new("b")), &look), None);
        forget(&device, FileId::random()).await.unwrap();
        assert_eq!(found(name, &look), Some(file_id));
        forget(&device, file_id).await.unwrap();
        assert_eq!(found(name, &look), None);
    }

    #[tokio::test]
    async fn a_path_is_compared_by_its_content_where_that_is_known() {
        let device = Device::new(Arc::new(MemoryStore::new()));
        let (name, look) = (JournalName::of(Path::new("a")), Look::new(7, UNIX_EPOCH));
        let (content, other) = (Digest::new([1; 32]), Digest::new([2; 32]));
        let before = |fingerprint| Known::load(&device).unwrap().before(name, fingerprint);
        assert_eq!(before(content), Before::Nothing);
        let file_id = FileId::random();
        let mut file = remembered(name, &look, file_id);
        remember(&device, vec![file.clone()]).await.unwrap();
        assert_eq!(before(content), Before::Other(file_id));
        file.fingerprint = Some(content);
        remember(&device, vec![file]).await.unwrap();
        assert_eq!(before(content), Before::Same(file_id));
        assert_eq!(before(other), Before::Other(file_id));
    }

    #[tokio::test]
    async fn files_belong_to_their_run_until_it_ends() {
        let device = Device::new(Arc::new(MemoryStore::new()));
        let (run, other, look) = (Digest::new([1; 32]), Digest::new([2; 32]), Look::new(7, UNIX_EPOCH));
        let named = |name: &str, run| {
            let name = JournalName::of(Path::new(name));
            Remembered { run: Some(run), ..remembered(name, &look, FileId::random()) }
        };
        remember(&device, vec![named("a", run), named("b", run), named("c", other)]).await.unwrap();
        end_run(&device, run).await.unwrap();
        let known = Known::load(&device).unwrap();
        let run_of = |name: &str| known.unchanged(JournalName::of(Path::new(name)), &look).unwrap().run;
        assert_eq!([run_of("a"), run_of("b"), run_of("c")], [None, None, Some(other)]);
    }

    #[test]
    fn what_earlier_versions_remembered_is_read() {
        let id = FileId::random();
        let kept = format!(
            r#"{{"name":"{}","look":{{"size":7,"modified":"0"}},"file_id":"{id}"}}"#,
            Digest::new([1; 32])
        );
        let kept: Remembered = serde_json::from_str(&kept).unwrap();
        assert_eq!((kept.file_id, kept.fingerprint), (id, None));
    }
}
