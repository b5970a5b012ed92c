//! State in a folder that only its owner can read: one file a blob.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{StateStore, StoreGuard};
use crate::error::{Error, Result};

/// Largest blob that is read back, bytes.
const MAX_BLOB: u64 = 256 * 1024 * 1024;
/// How much the standard library reads aside when less than this is free, bytes.
const PROBE: usize = 32;
/// Name of the lock under which a blob is replaced.
const WRITES: &str = "writes";

/// A folder of small files, 0700 and 0600.
#[derive(Debug, Clone)]
pub struct FolderStore {
    folder: PathBuf,
}

impl FolderStore {
    /// Opens the folder, creating it if needed.
    ///
    /// # Errors
    /// [`crate::ErrorKind::State`] if it can't be created, is no folder, or is not writable.
    pub fn open(folder: &Path) -> Result<Self> {
        let store = Self { folder: folder.to_owned() };
        create_private_folder(folder).map_err(|error| store.failed("create", &error))?;
        Ok(store)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    fn failed(&self, doing: &str, error: &io::Error) -> Error {
        Error::state(format!("can't {doing} the state folder {}: {error}", self.folder.display()))
    }

    fn hold(&self, name: &str) -> io::Result<FileGuard> {
        let path = self.folder.join(format!("{name}.lock"));
        let file = private_file(OpenOptions::new().write(true).create(true).truncate(false), &path)?;
        file.lock()?;
        Ok(FileGuard { _file: file })
    }

    /// Under a lock: processes that write the same blob at one time would share its temporary name.
    fn write_atomically(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let _guard = self.hold(WRITES)?;
        let temporary = self.folder.join(format!(".{name}.new"));
        let mut file = private_file(OpenOptions::new().write(true).create(true).truncate(true), &temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.folder.join(name))?;
        File::open(&self.folder)?.sync_all()
    }
}

impl StateStore for FolderStore {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let file = match File::open(self.folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read", &error)),
        };
        let size = file.metadata().map_err(|error| self.failed("read", &error))?.len();
        // With room to spare, or the end is looked for by reading into a buffer that is not wiped.
        let room = usize::try_from(size).unwrap_or(0).saturating_add(PROBE);
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        file.take(MAX_BLOB).read_to_end(&mut bytes).map_err(|error| self.failed("read", &error))?;
        Ok(Some(bytes))
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.write_atomically(name, bytes).map_err(|error| self.failed("write", &error))
    }

    fn remove(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("write", &error)),
            _ => Ok(()),
        }
    }

    fn place(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.join(name))
    }

    fn lock(&self, name: &str) -> Result<Box<dyn StoreGuard>> {
        Ok(Box::new(self.hold(name).map_err(|error| self.failed("lock", &error))?))
    }
}

/// The lock ends when the file is closed.
struct FileGuard {
    _file: File,
}

impl StoreGuard for FileGuard {}

#[cfg(unix)]
fn create_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn create_private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn private_file(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private_file(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_come_back_and_only_their_owner_can_read_them() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let store = FolderStore::open(&home.path().join("new/home")).unwrap();
        assert_eq!(store.load("seed").unwrap(), None);
        store.save("seed", b"one").unwrap();
        store.save("seed", b"two").unwrap();
        assert_eq!(store.load("seed").unwrap().unwrap().as_slice(), b"two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(store.path()), 0o700);
        assert_eq!(mode(&store.path().join("seed")), 0o600);
        store.remove("seed").unwrap();
        store.remove("seed").unwrap();
        assert_eq!(store.load("seed").unwrap(), None);
    }

    #[test]
    fn one_blob_written_by_several_at_one_time_is_whole() {
        let home = tempfile::tempdir().unwrap();
        let write = |byte: u8| {
            let store = FolderStore::open(home.path()).unwrap();
            (0..100).try_for_each(|_| store.save("pins", &vec![byte; 1 + usize::from(byte) * 1_000]))
        };
        let write = &write;
        std::thread::scope(|scope| {
            let writers = [1, 2, 3, 4].map(|byte| scope.spawn(move || write(byte)));
            writers.into_iter().for_each(|writer| writer.join().unwrap().unwrap());
        });
        let blob = FolderStore::open(home.path()).unwrap().load("pins").unwrap().unwrap();
        assert_eq!(blob.len(), 1 + usize::from(blob[0]) * 1_000);
        assert!(blob.iter().all(|byte| *byte == blob[0]));
    }

    #[test]
    fn the_lock_excludes_others_until_it_is_dropped() {
        let home = tempfile::tempdir().unwrap();
        let store = FolderStore::open(home.path()).unwrap();
        let guard = store.lock("a").unwrap();
        let other = store.clone();
        let waiter = std::thread::spawn(move || drop(other.lock("a").unwrap()));
        drop(store.lock("b").unwrap());
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!waiter.is_finished());
        drop(guard);
        waiter.join().unwrap();
    }
}
