//! Output of upload, ls, shared, download, receipts.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ItemError, Person, Share, SharedWith, size};
use crate::{printer::Show, text};

/// Behind the name of a sender whose membership has ended.
const SENDER_LEFT: &str = " (sender has left; may be backdated)";

/// A file just uploaded.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Uploaded {
    /// Its id, or `null` if it could not be uploaded.
    pub file_id: Option<String>,
    /// Its name.
    pub name: String,
    /// Bytes; 0 if it could not be read.
    pub size: u64,
    /// With `--to`: one entry per address.
    pub shares: Vec<SharedWith>,
    /// Why it could not be uploaded.
    pub error: Option<ItemError>,
}

/// `upload`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Uploads {
    /// In the order given.
    pub files: Vec<Uploaded>,
}

impl Show for Uploads {
    fn human(&self) -> String {
        let line = |file: &Uploaded| {
            let id = file.file_id.as_ref()?;
            let lines = file.shares.iter().map(SharedWith::human).filter(|line| !line.is_empty());
            let shares: String = lines.map(|line| format!("    {line}")).collect();
            Some(format!("{id}  {:>11}  {}\n{shares}", size(file.size), text::safe(&file.name)))
        };
        self.files.iter().filter_map(line).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.files.iter().filter_map(|file| file.file_id.clone()).collect()
    }
}

/// What whoever may see a file sees of it: members of an entry of `ls` or `shared`, and of `info`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FileFacts {
    /// The file's id.
    pub file_id: String,
    /// Its version, from 1.
    pub version: u64,
    /// Its name, as its owner gave it.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Media type, or empty.
    pub media_type: String,
    /// The owner's note to the recipients, or empty.
    pub note: String,
}

impl FileFacts {
    /// The line that begins an entry, with the time that matters to its reader.
    fn line(&self, time: &str) -> String {
        let version = version(self.version);
        format!("{}  {:>11}  {time}  {}{version}\n", self.file_id, size(self.size), text::safe(&self.name))
    }

    /// A line with the note, if there is one.
    fn note(&self) -> String {
        if self.note.is_empty() { String::new() } else { format!("    “{}”\n", text::safe(&self.note)) }
    }
}

/// What stands behind a name: which version it is, if there were others before.
fn version(version: u64) -> String {
    if version == 1 { String::new() } else { format!("  (version {version})") }
}

/// One entry of `ls`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OwnFile {
    /// The file.
    #[serde(flatten)]
    pub file: FileFacts,
    /// When it was uploaded.
    pub created_at: String,
    /// With whom it is or was shared, newest first.
    pub shares: Vec<Share>,
    /// Whether there are more shares than these.
    pub more_shares: bool,
}

impl Show for OwnFile {
    fn human(&self) -> String {
        let shares: String = self.shares.iter().map(Share::human).collect();
        let more = if self.more_shares { "    → and more\n" } else { "" };
        self.file.line(&self.created_at) + &self.file.note() + &shares + more
    }

    fn ids(&self) -> Vec<String> {
        vec![self.file.file_id.clone()]
    }
}

/// One entry of `shared`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReceivedFile {
    /// The file.
    #[serde(flatten)]
    pub file: FileFacts,
    /// Who sealed and signed it.
    pub from: Person,
    /// The sender has left the organisation since; then the date may be wrong.
    pub sender_left: bool,
    /// The sender has changed their keys since; this device had seen the share before.
    pub by_retired_key: bool,
    /// When the sender sealed this version, by their clock.
    pub sealed_at: String,
    /// When it was shared.
    pub shared_at: String,
    /// When the share ends.
    pub expires_at: Option<String>,
    /// Downloads left.
    pub downloads_left: Option<u64>,
    /// Whether this account gave a receipt for it.
    pub received: bool,
}

impl Show for ReceivedFile {
    fn human(&self) -> String {
        let mut shown = self.file.line(&self.shared_at);
        let left = match (self.sender_left, self.by_retired_key) {
            (true, _) => SENDER_LEFT,
            (false, true) => " (by keys they have changed since)",
            (false, false) => "",
        };
        shown += &format!("    from {}{left}", self.from.human());
        if let Some(time) = &self.expires_at {
            shown += &format!(", until {time}");
        }
        if let Some(left) = self.downloads_left {
            shown += &format!(", {} left", super::count(left, "download"));
        }
        if self.received {
            shown += ", received";
        }
        shown + "\n" + &self.file.note()
    }

    fn ids(&self) -> Vec<String> {
        vec![self.file.file_id.clone()]
    }
}

/// An entry that is not shown because it does not verify.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rejected {
    /// The file's id, as the server named it.
    pub file_id: String,
    /// Stable name of the check that failed.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

/// One file of `download`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Downloaded {
    /// The file's id.
    pub file_id: String,
    /// Its name, as the sender gave it; empty if that could not be verified.
    pub name: String,
    /// Its version; 0 if that could not be verified.
    pub version: u64,
    /// When the sender sealed that version, by their clock.
    pub sealed_at: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Who sealed and signed it.
    pub from: Option<Person>,
    /// The sender has left the organisation since; then the date may be wrong.
    pub sender_left: bool,
    /// Where it is now; `-` for standard output, `null` if it could not be downloaded.
    pub path: Option<String>,
    /// Whether the sender's server has the signed receipt; if not, the next download sends it.
    pub receipt_sent: bool,
    /// Why it could not be downloaded.
    pub error: Option<ItemError>,
}

/// `download`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Downloads {
    /// In the order given.
    pub files: Vec<Downloaded>,
}

impl Show for Downloads {
    fn human(&self) -> String {
        let line = |file: &Downloaded| {
            let (path, from) = (file.path.as_ref()?, file.from.as_ref()?);
            let left = if file.sender_left { SENDER_LEFT } else { "" };
            let (path, size, from) = (text::safe(path), size(file.size), from.human());
            let sealed = match &file.sealed_at {
                Some(time) if file.version > 1 => format!(", version {} of {time}", file.version),
                _ => String::new(),
            };
            Some(format!("{path}  {size}, from {from}{left}{sealed}, verified\n"))
        };
        self.files.iter().filter_map(line).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.files.iter().filter(|file| file.path.is_some()).map(|file| file.file_id.clone()).collect()
    }
}

/// One entry of `receipts`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Receipt {
    /// The file's id.
    pub file_id: String,
    /// Its version.
    pub version: u64,
    /// Its name.
    pub name: String,
    /// Who signed that every byte arrived.
    pub email: String,
    /// When, by the signer's clock.
    pub time: String,
    /// `current`, or `retired` if the signer's key has been replaced or revoked since.
    pub standing: String,
    /// The signed record: `type`, `payload` and `signature` as the protocol has them.
    pub record: serde_json::Value,
}

impl Show for Receipt {
    fn human(&self) -> String {
        let standing = if self.standing == "current" { "" } else { "  (by a key since retired)" };
        let (name, email) = (text::safe(&self.name), text::safe(&self.email));
        let version = version(self.version);
        format!("{}  {}  {email}  {name}{version}{standing}\n", self.file_id, self.time)
    }

    fn ids(&self) -> Vec<String> {
        vec![self.file_id.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> OwnFile {
        let file = FileFacts {
            file_id: "00".repeat(16),
            version: 1,
            name: "a\x1b[31m\nb".into(),
            size: 1_536,
            media_type: String::new(),
            note: String::new(),
        };
        OwnFile {
            file,
            created_at: "2026-01-01T00:00:00Z".into(),
            shares: vec![Share {
                email: "c@example.com".into(),
                shared_at: "2026-01-01T00:00:00Z".into(),
                status: "used_up".into(),
                version: Some(1),
                new_account: None,
                expires_at: Some("2026-02-01T00:00:00Z".into()),
                downloads: 3,
                download_limit: Some(3),
                receipt_at: None,
                receipt_standing: None,
            }],
            more_shares: false,
        }
    }

    #[test]
    fn a_hostile_name_stays_on_its_line() {
        let shown = file().human();
        assert_eq!(shown.lines().count(), 2, "{shown}");
        assert!(!shown.contains('\x1b'));
        assert!(shown.contains("1.50 KiB"), "{shown}");
        assert!(shown.contains("used up, until 2026-02-01T00:00:00Z, 3 of 3 downloads"), "{shown}");
    }

    #[test]
    fn ls_has_the_promised_members() {
        let json = serde_json::to_value(file()).unwrap();
        assert_eq!(json["size"], 1_536);
        assert_eq!(json["name"], "a\x1b[31m\nb");
        assert_eq!(json["shares"][0]["download_limit"], 3);
        assert!(json["shares"][0]["receipt_at"].is_null());
        assert!(json["file_id"].is_string() && json["created_at"].is_string());
    }
}
