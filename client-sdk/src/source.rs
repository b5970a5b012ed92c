//! Files on disk as sources of an upload.

use std::{
    fs::Metadata,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::fs::File;

use crate::{
    error::{Error, ErrorKind, Result},
    journal::Look,
};

/// What the uploader says about a file; recipients see it once verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Name, any text; made safe where it is written.
    pub name: String,
    /// Media type (RFC 6838), or empty.
    pub media_type: String,
    /// Exact size in bytes.
    pub size: u64,
    /// Last modified, UTC seconds, or 0.
    pub modified: u64,
    /// A note to the recipients, or empty.
    pub note: String,
}

/// An open file, and its state when it was opened.
pub(crate) struct Source {
    pub file: File,
    pub size: u64,
    pub modified: SystemTime,
    pub name: String,
}

impl Source {
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let unreadable = |error: std::io::Error| unreadable(path, &error);
        // Before it is opened: that of a pipe would wait for a writer.
        check_kind(path, &tokio::fs::metadata(path).await.map_err(unreadable)?)?;
        let file = File::open(path).await.map_err(unreadable)?;
        let metadata = file.metadata().await.map_err(unreadable)?;
        check_kind(path, &metadata)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        Ok(Self { file, size: metadata.len(), modified, name })
    }

    /// What to say about it.
    pub(crate) fn describe(&self, note: &str) -> NewFile {
        NewFile {
            name: self.name.clone(),
            media_type: String::new(),
            size: self.size,
            modified: self.modified.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs()),
            note: note.to_owned(),
        }
    }

    /// Refuses a file that was written to since it had this `look`.
    pub(crate) async fn check_unchanged(path: &Path, look: &Look) -> Result<()> {
        let metadata = tokio::fs::metadata(path).await.map_err(|error| unreadable(path, &error))?;
        if Look::new(metadata.len(), metadata.modified().unwrap_or(UNIX_EPOCH)) == *look {
            return Ok(());
        }
        let message = format!("{} was changed while it was being uploaded", path.display());
        Err(Error::new(ErrorKind::SourceChanged, "source_changed", message)
            .with_hint("Nothing was delivered. Upload it again when nobody is writing to it."))
    }
}

fn check_kind(path: &Path, metadata: &Metadata) -> Result<()> {
    let what = match metadata {
        _ if metadata.is_file() => return Ok(()),
        _ if metadata.is_dir() => "a folder",
        _ => "not a regular file",
    };
    Err(Error::new(ErrorKind::LocalFile, "not_a_file", format!("{} is {what}", path.display()))
        .with_hint("Name a regular file."))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let path = path.display();
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => format!("{path} does not exist"),
        std::io::ErrorKind::PermissionDenied => format!("no permission to read {path}"),
        _ => format!("can't read {path}: {error}"),
    };
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "Check the path; relative ones begin at the current folder.",
        std::io::ErrorKind::PermissionDenied => "Check who owns it and its permissions.",
        _ => "Check the disk that it is on.",
    };
    Error::new(ErrorKind::LocalFile, "source_unreadable", message).with_hint(hint)
}
