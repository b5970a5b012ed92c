//! Blobs as files in a folder that belongs to one server:
//!
//! ```text
//! .lock                            held while a server runs
//! tmp/ID                           being written
//! ab/abcd…-1/ID                    durable: first byte of the file id / file id and version / attempt
//! ```
//!
//! A blob is written under `tmp`, synced, renamed into place, and its folder synced: it is there whole or not at
//! all. What a crash leaves under `tmp` is removed at the next start.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;

use super::{BlobError, BlobId, BlobKey, BlobStore, Body, Content, PIECE, PutError, VersionKey};
use crate::lock::Lock;

/// How many folders are remembered as durable; beyond that they are synced once more.
const MAX_REMEMBERED: usize = 4_096;

/// The store.
pub(crate) struct Folder {
    shared: Arc<Shared>,
    _lock: Lock,
}

impl Folder {
    /// Opens the folder, creating it if need be, and removes what an earlier run left unfinished.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] while another server holds it; otherwise what the disk says.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        create_folder(root)?;
        let lock = Lock::take(&root.join(".lock")).map_err(|error| match error {
            TryLockError::WouldBlock => io::ErrorKind::ResourceBusy.into(),
            TryLockError::Error(error) => error,
        })?;
        let shared = Shared { root: root.to_owned(), durable: Mutex::default() };
        shared.prepare()?;
        Ok(Self { shared: Arc::new(shared), _lock: lock })
    }

    /// Runs `work` where it may block.
    async fn blocking<T: Send + 'static, E: From<io::Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let shared = Arc::clone(&self.shared);
        blocking(move || work(&shared)).await
    }
}

#[async_trait]
impl BlobStore for Folder {
    async fn put(&self, key: BlobKey, mut body: Body) -> Result<(), PutError> {
        let mut temporary = self.blocking(move |shared| shared.create(key.id)).await?;
        let mut batch = Batch::default();
        while let Some(piece) = body.next().await {
            batch.push(piece?);
            if batch.length >= PIECE {
                let full = std::mem::take(&mut batch);
                temporary = blocking(move || temporary.write(&full)).await?;
            }
        }
        let finish = move |shared: &Shared| shared.keep(temporary.write(&batch)?, key);
        Ok(self.blocking(finish).await?)
    }

    async fn put_all(&self, blobs: Vec<(BlobKey, Bytes)>) -> Result<(), BlobError> {
        self.blocking(move |shared| Ok(shared.keep_all(&blobs)?)).await
    }

    async fn read(&self, key: BlobKey, range: Range<u64>) -> Result<Content, BlobError> {
        let file = self.blocking(move |shared| shared.open_at(key, &range).map(|file| (file, range))).await?;
        Ok(stream::try_unfold(file, |(file, range)| blocking(move || next_piece(file, range))).boxed())
    }

    async fn delete(&self, key: BlobKey) -> Result<(), BlobError> {
        self.blocking(move |shared| missing_is_fine(fs::remove_file(shared.path(key)))).await
    }

    async fn keep_only(&self, version: VersionKey, keep: &HashSet<BlobId>) -> Result<(), BlobError> {
        let keep = keep.iter().map(ToString::to_string).collect::<HashSet<_>>();
        self.blocking(move |shared| shared.keep_only(version, &keep)).await
    }

    async fn check(&self) -> Result<(), BlobError> {
        self.blocking(|shared| Ok(fs::metadata(shared.temporary()).map(|_| ())?)).await
    }
}

/// Pieces on their way to one write, as they came from the network, uncopied.
#[derive(Default)]
struct Batch {
    pieces: Vec<Bytes>,
    length: usize,
}

impl Batch {
    fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        self.pieces.push(piece);
    }
}

/// A file under `tmp`, removed when dropped: also when the request that writes it is cut.
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    fn write(mut self, batch: &Batch) -> io::Result<Self> {
        batch.pieces.iter().try_for_each(|piece| self.file.write_all(piece))?;
        Ok(self)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename there is nothing under this name any more; a failure is mended at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

struct Shared {
    root: PathBuf,
    /// Version folders whose own entry is known to be synced.
    durable: Mutex<HashSet<VersionKey>>,
}

impl Shared {
    fn prepare(&self) -> io::Result<()> {
        missing_is_fine::<io::Error>(fs::remove_dir_all(self.temporary()))?;
        create_folder(&self.temporary())?;
        (0..=u8::MAX).try_for_each(|first| create_folder(&self.root.join(format!("{first:02x}"))))?;
        sync_folder(&self.root)
    }

    fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    fn folder(&self, key: VersionKey) -> PathBuf {
        let name = format!("{}-{}", key.file_id, key.version);
        self.root.join(&name[..2]).join(name)
    }

    fn path(&self, key: BlobKey) -> PathBuf {
        self.folder(key.version).join(key.id.to_string())
    }

    fn create(&self, id: BlobId) -> io::Result<Temporary> {
        let path = self.temporary().join(id.to_string());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Temporary { file, path })
    }

    /// Makes a written file durable under its final name.
    fn keep(&self, temporary: Temporary, key: BlobKey) -> io::Result<()> {
        temporary.file.sync_data()?;
        let folder = self.durable_folder(key.version)?;
        let path = self.path(key);
        fs::rename(&temporary.path, &path).inspect_err(|_| self.forget(key.version))?;
        sync_folder(&folder).inspect_err(|_| drop(fs::remove_file(&path)))
    }

    /// The same for many. Each file is synced, and each folder once after all are in their places.
    fn keep_all(&self, blobs: &[(BlobKey, Bytes)]) -> io::Result<()> {
        let kept = self.try_keep_all(blobs);
        if kept.is_err() {
            for (key, _) in blobs {
                // What is still there is nobody's, and goes with the version's folder.
                drop(fs::remove_file(self.path(*key)));
                self.forget(key.version);
            }
        }
        kept
    }

    fn try_keep_all(&self, blobs: &[(BlobKey, Bytes)]) -> io::Result<()> {
        let (mut folders, mut parents) = (BTreeSet::new(), BTreeSet::new());
        for (key, bytes) in blobs {
            let mut temporary = self.create(key.id)?;
            temporary.file.write_all(bytes)?;
            temporary.file.sync_data()?;
            let folder = self.folder(key.version);
            create_folder(&folder)?;
            fs::rename(&temporary.path, self.path(*key))?;
            parents.extend(folder.parent().map(Path::to_owned));
            folders.insert(folder);
        }
        folders.iter().chain(&parents).try_for_each(|folder| sync_folder(folder))
    }

    /// The version's folder, created and synced. Not remembered before it is durable, so that of two first parts
    /// neither is acknowledged on the other's unfinished sync.
    fn durable_folder(&self, version: VersionKey) -> io::Result<PathBuf> {
        let folder = self.folder(version);
        if self.remembered().contains(&version) {
            return Ok(folder);
        }
        create_folder(&folder)?;
        folder.parent().map_or(Ok(()), sync_folder)?;
        let mut remembered = self.remembered();
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(version);
        Ok(folder)
    }

    fn forget(&self, version: VersionKey) {
        self.remembered().remove(&version);
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashSet<VersionKey>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_at(&self, key: BlobKey, range: &Range<u64>) -> Result<File, BlobError> {
        let mut file = File::open(self.path(key))?;
        if file.metadata()?.len() < range.end {
            return Err(BlobError::Missing);
        }
        file.seek(SeekFrom::Start(range.start))?;
        Ok(file)
    }

    fn keep_only(&self, version: VersionKey, keep: &HashSet<String>) -> Result<(), BlobError> {
        let folder = self.folder(version);
        if keep.is_empty() {
            self.forget(version);
            return missing_is_fine(fs::remove_dir_all(folder));
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| keep.contains(name)) {
                missing_is_fine::<BlobError>(fs::remove_file(entry.path()))?;
            }
        }
        Ok(())
    }
}

type Reading = (File, Range<u64>);

/// The next piece of `range`, and what is left of it.
fn next_piece(mut file: File, range: Range<u64>) -> Result<Option<(Bytes, Reading)>, BlobError> {
    let wanted = (range.end - range.start).min(PIECE as u64);
    if wanted == 0 {
        return Ok(None);
    }
    let mut piece = Vec::with_capacity(wanted as usize);
    Read::by_ref(&mut file).take(wanted).read_to_end(&mut piece)?;
    if piece.len() as u64 != wanted {
        return Err(BlobError::Missing);
    }
    Ok(Some((piece.into(), (file, range.start + wanted..range.end))))
}

async fn blocking<T: Send + 'static, E: From<io::Error> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    spawn_blocking(work).await.unwrap_or_else(|stopped| Err(io::Error::other(stopped).into()))
}

fn create_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes the names in a folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn missing_is_fine<E: From<io::Error>>(result: io::Result<()>) -> Result<(), E> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::blob::conformance::{self, body, key};

    #[tokio::test]
    async fn conforms() {
        let folder = tempfile::tempdir().unwrap();
        conformance::run(&Folder::open(folder.path()).unwrap()).await;
        assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0, "temporary files stayed");
    }

    #[tokio::test]
    async fn what_a_crash_left_is_removed_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let store = Folder::open(folder.path()).unwrap();
        let key = key();
        store.put(key, body(b"kept")).await.unwrap();
        drop(store);
        fs::write(folder.path().join("tmp/unfinished"), b"half a part").unwrap();

        let store = Folder::open(folder.path()).unwrap();
        assert!(!folder.path().join("tmp/unfinished").exists());
        assert_eq!(conformance::read_all(&store, key, 0..4).await.unwrap(), b"kept");
    }

    #[tokio::test]
    async fn one_server_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = Folder::open(folder.path()).unwrap();
        let second = Folder::open(folder.path()).map(drop).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::ResourceBusy);
        drop(store);
        assert!(Folder::open(folder.path()).is_ok());
    }

    #[tokio::test]
    async fn nobody_else_on_the_machine_may_look() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("blobs");
        let store = Folder::open(&root).unwrap();
        let key = key();
        store.put(key, body(b"ciphertext")).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&root), 0o700);
        assert_eq!(mode(&store.shared.folder(key.version)), 0o700);
        assert_eq!(mode(&store.shared.path(key)), 0o600);
    }
}
