//! The file that a download becomes: written beside its place under a temporary name, and moved there only when
//! every byte was verified (protocol §8 step 11).

use std::{
    io,
    path::{Path, PathBuf},
};

use rand::RngExt;
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

/// A temporary file beside `destination`; removed when dropped unfinished.
pub(crate) struct Sink {
    temporary: PathBuf,
    destination: PathBuf,
    overwrite: Overwrite,
    finished: bool,
}

impl Sink {
    pub(crate) async fn create(destination: &Path, overwrite: Overwrite) -> Result<(Self, File)> {
        if overwrite == Overwrite::Never && fs::symlink_metadata(destination).await.is_ok() {
            return Err(exists(destination));
        }
        let folder = match destination.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = folder.join(format!(".sealpost-{:016x}.part", rand::rng().random::<u64>()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let file = options.open(&temporary).await.map_err(|error| failed(destination, &error))?;
        let sink = Self { temporary, destination: destination.to_owned(), overwrite, finished: false };
        Ok((sink, file))
    }

    /// Moves the complete file to its place. Without [`Overwrite::Replace`] an existing file wins, even one that
    /// appeared this moment.
    pub(crate) async fn finish(mut self) -> Result<PathBuf> {
        let moved = match self.overwrite {
            Overwrite::Replace => fs::rename(&self.temporary, &self.destination).await,
            Overwrite::Never => self.move_without_replacing().await,
        };
        moved.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&self.destination),
            _ => failed(&self.destination, &error),
        })?;
        self.finished = true;
        Ok(self.destination.clone())
    }

    /// A hard link is refused when the name is taken, a rename is not.
    async fn move_without_replacing(&self) -> io::Result<()> {
        match fs::hard_link(&self.temporary, &self.destination).await {
            Ok(()) => fs::remove_file(&self.temporary).await,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // A file system without hard links: look, then rename.
            Err(_) if fs::symlink_metadata(&self.destination).await.is_ok() => {
                Err(io::ErrorKind::AlreadyExists.into())
            }
            Err(_) => fs::rename(&self.temporary, &self.destination).await,
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing more can be done about a failure here, and the name says what the file is.
            let _ = std::fs::remove_file(&self.temporary);
        }
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
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn write(destination: &Path, overwrite: Overwrite, text: &str) -> Result<PathBuf> {
        let (sink, mut file) = Sink::create(destination, overwrite).await?;
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
        let (sink, _file) = Sink::create(&path, Overwrite::Never).await.unwrap();
        std::fs::write(&path, "theirs").unwrap();
        assert_eq!(sink.finish().await.unwrap_err().kind(), ErrorKind::DestinationExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[tokio::test]
    async fn an_unfinished_download_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (sink, mut file) = Sink::create(&folder.path().join("a"), Overwrite::Never).await.unwrap();
        file.write_all(b"half").await.unwrap();
        drop(sink);
        assert_eq!(names(folder.path()), [""; 0]);
    }
}
