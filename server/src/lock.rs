//! Folders that one process holds at a time.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A lock on a file, held until this is dropped.
pub(crate) struct Lock(File);

impl Lock {
    /// Creates the file if need be, for its owner only, and locks it.
    ///
    /// # Errors
    /// [`TryLockError::WouldBlock`] while somebody else holds it; otherwise what the disk says.
    pub(crate) fn take(path: &Path) -> Result<Self, TryLockError> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(TryLockError::Error)?;
        file.try_lock()?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    /// Not left to the closing of the file: a child process that is just being started has it open, too, until it runs its
    /// own program.
    fn drop(&mut self) {
        if let Err(cause) = self.0.unlock() {
            tracing::warn!(%cause, "a lock could not be given back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_at_a_time_and_gives_it_back_whoever_has_the_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = Lock::take(&path).unwrap();
        assert!(matches!(Lock::take(&path), Err(TryLockError::WouldBlock)));
        // As a child has it between `fork` and `exec`.
        let inherited = lock.0.try_clone().unwrap();
        drop(lock);
        drop(Lock::take(&path).unwrap());
        drop(inherited);
    }
}
