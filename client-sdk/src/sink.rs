//! The file that a download becomes: written beside its place under a temporary name, and moved there only when
//! every byte was verified (protocol §8 step 11). An interrupted download leaves the temporary file, and the same
//! download goes on from it.

use std::{
    fs::TryLockError,
    io,
    path::{Path, PathBuf},
};

use sealpost_crypto::id::FileId;
use tokio::fs::{self, File, OpenOptions};

use crate::error::{Error, ErrorKind, Result};

/// Whether a file that stands at the destination may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// Never: an error instead.
    Never,
    /// Replace it, atomically, once the new one is complete.
    Replace,
}

/// A temporary file beside `destination`. When dropped unfinished it stays, unless it is empty or was given up.
pub(crate) struct Sink {
    temporary: PathBuf,
    destination: PathBuf,
    overwrite: Overwrite,
    finished: bool,
}

impl Sink {
    /// Opens the temporary file of this download, empty or as an interrupted run left it, and locks it.
    pub(crate) async fn open(
        destination: &Path,
        overwrite: Overwrite,
        file_id: FileId,
        version: u64,
    ) -> Result<(Self, File)> {
        if overwrite == Overwrite::Never && fs::symlink_metadata(destination).await.is_ok() {
            return Err(exists(destination));
        }
        let folder = match destination.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = temporary_name(folder, file_id, version);
        take_over(folder, file_id, version, &temporary).await;
        let file = open_private(&temporary).await.map_err(|error| failed(destination, &error))?;
        let file = lock(file, destination).await?;
        let sink = Self { temporary, destination: destination.to_owned(), overwrite, finished: false };
        Ok((sink, file))
    }

    /// Removes the temporary file: what came does not verify.
    pub(crate) async fn discard(mut self) {
        self.finished = true;
        // The name says what the file is, should it stay.
        let _ = fs::remove_file(&self.temporary).await;
    }

    /// Moves the complete file to its place. Without [`Overwrite::Replace`] an existing file wins, even one that
    /// appeared this moment.
    pub(crate) async fn finish(mut self) -> Result<PathBuf> {
        let (from, to, overwrite) = (self.temporary.clone(), self.destination.clone(), self.overwrite);
        // In one go: a caller that stops waiting must not leave the file under both names.
        let moving = tokio::task::spawn_blocking(move || match overwrite {
            Overwrite::Replace => std::fs::rename(from, to),
            Overwrite::Never => move_without_replacing(&from, &to),
        });
        let moved = moving.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()));
        moved.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&self.destination),
            _ => failed(&self.destination, &error),
        })?;
        self.finished = true;
        Ok(self.destination.clone())
    }
}

fn temporary_name(folder: &Path, file_id: FileId, version: u64) -> PathBuf {
    folder.join(format!(".sealpost-{file_id}-{version}.part"))
}

/// What an interrupted download of an earlier version left becomes the beginning of this one: where a file was only sealed
/// anew its content is the same, and whatever differs is noticed and fetched.
async fn take_over(folder: &Path, file_id: FileId, version: u64, temporary: &Path) {
    for earlier in (1..version).rev() {
        let left = temporary_name(folder, file_id, earlier);
        if !fs::symlink_metadata(&left).await.is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        // Should either fail, a temporary file stays, and its name says what it is.
        let _ = match fs::symlink_metadata(temporary).await {
            Ok(_) => fs::remove_file(&left).await,
            Err(_) => fs::rename(&left, temporary).await,
        };
    }
}

/// A hard link is refused when the name is taken, a rename is not.
fn move_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // A file system without hard links: look, then rename.
        Err(_) if std::fs::symlink_metadata(to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => std::fs::rename(from, to),
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let is_empty = || std::fs::metadata(&self.temporary).is_ok_and(|metadata| metadata.len() == 0);
        if !self.finished && is_empty() {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// A new file that nobody else can read, or the one that an interrupted run of ours left there; never through a link. In a
/// folder that others may write to, they could have put a file of theirs there, to read what is written into it.
async fn open_private(temporary: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    options.mode(0o600);
    match fs::symlink_metadata(temporary).await {
        Ok(metadata) if metadata.is_file() => {
            let file = options.open(temporary).await?;
            let opened = file.metadata().await?;
            if is_same_file(&metadata, &opened) && is_as_ours(access(&opened), made_here(temporary).await?) {
                Ok(file)
            } else {
                Err(foreign(temporary))
            }
        }
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => options.create_new(true).open(temporary).await,
    }
}

#[cfg(unix)]
fn is_same_file(seen: &std::fs::Metadata, opened: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (seen.dev(), seen.ino(), opened.nlink()) == (opened.dev(), opened.ino(), 1)
}

#[cfg(not(unix))]
fn is_same_file(_: &std::fs::Metadata, opened: &std::fs::Metadata) -> bool {
    opened.is_file()
}

/// Whose a file is, and who may do what with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Access {
    owner: u32,
    mode: u32,
}

#[cfg(unix)]
fn access(file: &std::fs::Metadata) -> Access {
    use std::os::unix::fs::MetadataExt;
    Access { owner: file.uid(), mode: file.mode() }
}

/// Elsewhere nothing is known of it.
#[cfg(not(unix))]
fn access(_: &std::fs::Metadata) -> Access {
    Access { owner: 0, mode: 0 }
}

/// Of a private file that is made now in the same folder: what it gets depends on the file system, too.
async fn made_here(temporary: &Path) -> io::Result<Access> {
    let folder = temporary.parent().unwrap_or(Path::new(".")).to_owned();
    // One with a name: those without are made for everybody.
    let making =
        tokio::task::spawn_blocking(move || tempfile::NamedTempFile::new_in(folder)?.as_file().metadata());
    making.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into())).map(|made| access(&made))
}

/// Whether a file belongs to whom our files do, and lets in nobody whom they don't.
fn is_as_ours(file: Access, ours: Access) -> bool {
    const OTHERS: u32 = 0o077;
    file.owner == ours.owner && file.mode & OTHERS & !ours.mode == 0
}

fn foreign(temporary: &Path) -> io::Error {
    io::Error::other(format!(
        "{} is not a file of this program, or others have access to it",
        temporary.display()
    ))
}

async fn lock(file: File, destination: &Path) -> Result<File> {
    let file = file.into_std().await;
    match file.try_lock() {
        Ok(()) => Ok(File::from_std(file)),
        Err(TryLockError::WouldBlock) => {
            let message = format!("another process is downloading to {} just now", destination.display());
            Err(Error::new(ErrorKind::Conflict, "download_in_progress", message)
                .with_hint("Wait until it is done, or name another place with -o."))
        }
        Err(TryLockError::Error(error)) => Err(failed(destination, &error)),
    }
}

fn exists(destination: &Path) -> Error {
    let message = format!("{} exists already", destination.display());
    Error::new(ErrorKind::DestinationExists, "destination_exists", message)
        .with_hint("Name another place with -o, or replace it with -f.")
}

fn failed(destination: &Path, error: &io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "the folder does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "no permission to write there".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        _ => error.to_string(),
    };
    Error::new(
        ErrorKind::LocalFile,
        "destination_unwritable",
        format!("can't write {}: {why}", destination.display()),
    )
    .with_hint("Name another place with -o, or mend this one, then run the same command again.")
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const FILE: FileId = FileId::new([7; 16]);

    async fn write(destination: &Path, overwrite: Overwrite, text: &str) -> Result<PathBuf> {
        let (sink, mut file) = Sink::open(destination, overwrite, FILE, 1).await?;
        file.write_all(text.as_bytes()).await.unwrap();
        file.flush().await.unwrap();
        sink.finish().await
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn an_existing_file_is_only_replaced_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, Overwrite::Never, "one").await.unwrap();
        let error = write(&path, Overwrite::Never, "two").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DestinationExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write(&path, Overwrite::Replace, "three").await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[tokio::test]
    async fn a_file_that_appears_meanwhile_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (sink, _file) = Sink::open(&path, Overwrite::Never, FILE, 1).await.unwrap();
        std::fs::write(&path, "theirs").unwrap();
        assert_eq!(sink.finish().await.unwrap_err().kind(), ErrorKind::DestinationExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[tokio::test]
    async fn an_interrupted_download_goes_on_and_a_refused_one_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let temporary = format!(".sealpost-{FILE}-1.part");

        drop(Sink::open(&path, Overwrite::Never, FILE, 1).await.unwrap());
        assert_eq!(names(folder.path()), [""; 0]);

        let (sink, mut file) = Sink::open(&path, Overwrite::Never, FILE, 1).await.unwrap();
        file.write_all(b"half").await.unwrap();
        file.flush().await.unwrap();
        let error = Sink::open(&path, Overwrite::Never, FILE, 1).await.err().unwrap();
        assert_eq!(error.code(), "download_in_progress");
        drop((sink, file));
        assert_eq!(names(folder.path()), [temporary.as_str()]);

        let (_sink, file) = Sink::open(&path, Overwrite::Never, FILE, 1).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 4);
        drop(file);

        let (sink, _file) = Sink::open(&path, Overwrite::Never, FILE, 1).await.unwrap();
        sink.discard().await;
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[tokio::test]
    async fn a_temporary_file_that_others_have_access_to_is_not_written_to() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let (path, temporary) =
            (folder.path().join("a"), folder.path().join(format!(".sealpost-{FILE}-1.part")));
        for mode in [0o666, 0o640, 0o604, 0o620] {
            std::fs::write(&temporary, "").unwrap();
            std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = Sink::open(&path, Overwrite::Never, FILE, 1).await.err().unwrap();
            assert_eq!((error.kind(), error.code()), (ErrorKind::LocalFile, "destination_unwritable"));
            assert!(error.to_string().contains("others have access"), "{error}");
            std::fs::remove_file(&temporary).unwrap();
        }
        let ours = made_here(&temporary).await.unwrap();
        assert!(is_as_ours(ours, ours));
        assert!(
            !is_as_ours(Access { owner: ours.owner + 1, ..ours }, ours),
            "a stranger's, whatever its permissions"
        );
        write(&path, Overwrite::Never, "one").await.unwrap();
    }

    #[tokio::test]
    async fn a_link_under_the_temporary_name_is_not_followed() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("a"), folder.path().join("victim"));
        let temporary = folder.path().join(format!(".sealpost-{FILE}-1.part"));
        std::fs::write(&victim, "precious").unwrap();
        std::fs::set_permissions(&victim, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&victim, &temporary).unwrap();
        let symbolic = Sink::open(&path, Overwrite::Never, FILE, 1).await.err().unwrap();
        std::fs::remove_file(&temporary).unwrap();
        // A second name of a file of ours: what is written under one is read under the other.
        std::fs::hard_link(&victim, &temporary).unwrap();
        let hard = Sink::open(&path, Overwrite::Never, FILE, 1).await.err().unwrap();
        assert_eq!([symbolic.kind(), hard.kind()], [ErrorKind::LocalFile; 2]);
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    }
}
