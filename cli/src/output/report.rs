//! Output of info and rm.

use schemars::JsonSchema;
use serde::Serialize;

use super::{OwnFile, ReceivedFile, size};
use crate::{printer::Show, text};

/// `info`: the members of an entry of `ls` or of `shared`, and these.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FileReport {
    /// Whether it is a file of the caller's: then the members are those of `ls`, else those of `shared`.
    pub own: bool,
    /// Bytes of ciphertext on the server: all that it knows of the size.
    pub stored_size: u64,
    /// The file.
    #[serde(flatten)]
    pub file: ReportedFile,
}

/// A file as its owner or as a recipient sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ReportedFile {
    /// With every share.
    Own(OwnFile),
    /// With its sender.
    Received(ReceivedFile),
}

impl Show for FileReport {
    fn human(&self) -> String {
        let (shown, file) = match &self.file {
            ReportedFile::Own(own) => (own.human(), &own.file),
            ReportedFile::Received(received) => (received.human(), &received.file),
        };
        let media_type = if file.media_type.is_empty() { "unknown" } else { &file.media_type };
        let (version, stored) = (file.version, size(self.stored_size));
        shown + &format!("    version {version}, type {}, {stored} on the server\n", text::safe(media_type))
    }

    fn ids(&self) -> Vec<String> {
        match &self.file {
            ReportedFile::Own(file) => file.ids(),
            ReportedFile::Received(file) => file.ids(),
        }
    }
}

/// `rm`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Removed {
    /// The file's id.
    pub file_id: String,
    /// Always true.
    pub removed: bool,
}

impl Show for Removed {
    fn human(&self) -> String {
        format!("Deleted {}. Whoever downloaded it before may have kept a copy.\n", self.file_id)
    }

    fn ids(&self) -> Vec<String> {
        vec![self.file_id.clone()]
    }
}
