//! Output of revoke, left, withdraw and service.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ItemError, Person, size, word_columns};
use crate::{printer::Show, text};

/// `revoke`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Revoked {
    /// The account's id.
    pub user_id: String,
    /// Whose membership has ended.
    pub email: String,
    /// Their name, or empty.
    pub name: String,
    /// `left` or `compromised`.
    pub reason: String,
    /// Active members whom they had admitted.
    pub certified: Vec<Person>,
}

impl Show for Revoked {
    fn human(&self) -> String {
        let who = Person { email: self.email.clone(), name: self.name.clone() };
        let mut shown = format!("{} is not a member any more ({}).\n", who.human(), self.reason);
        for person in &self.certified {
            shown += &format!("    had admitted {}\n", person.human());
        }
        shown
    }

    fn ids(&self) -> Vec<String> {
        vec![self.user_id.clone()]
    }
}

/// One entry of `left`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LeftFile {
    /// The file's id.
    pub file_id: String,
    /// The former member's account.
    pub owner_id: String,
    /// Bytes of ciphertext on the server.
    pub stored_size: u64,
    /// When its owner sealed it, by their clock.
    pub sealed_at: String,
    /// With whom it was shared.
    pub shares: Vec<LeftShare>,
    /// Whether there are more shares than these.
    pub more_shares: bool,
    /// Who took it out of circulation; `null` while it is readable.
    pub withdrawn_by: Option<Person>,
}

/// A share of such a file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LeftShare {
    /// With whom.
    pub email: String,
    /// When, by the owner's clock.
    pub shared_at: String,
    /// Downloads begun so far.
    pub downloads: u64,
    /// Whether the owner had ended it.
    pub ended: bool,
}

impl Show for LeftFile {
    fn human(&self) -> String {
        let mut shown = format!("{}  {:>11}  {}", self.file_id, size(self.stored_size), self.sealed_at);
        if let Some(by) = &self.withdrawn_by {
            shown += &format!("  withdrawn by {}", by.human());
        }
        shown.push('\n');
        for share in &self.shares {
            let ended = if share.ended { ", ended" } else { "" };
            let downloads = super::count(share.downloads, "download");
            shown += &format!("    → {}  {downloads}{ended}\n", text::safe(&share.email));
        }
        if self.more_shares {
            shown += "    → and others\n";
        }
        shown
    }

    fn ids(&self) -> Vec<String> {
        vec![self.file_id.clone()]
    }
}

/// What became of one file of `withdraw`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Withdrawn {
    /// The file's id.
    pub file_id: String,
    /// Whether nobody can read it any more.
    pub withdrawn: bool,
    /// Why not.
    pub error: Option<ItemError>,
}

/// `withdraw`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Withdrawals {
    /// In the order given.
    pub files: Vec<Withdrawn>,
}

impl Show for Withdrawals {
    fn human(&self) -> String {
        let done = self.files.iter().filter(|file| file.withdrawn);
        done.map(|file| format!("Withdrawn {}\n", file.file_id)).collect()
    }

    fn ids(&self) -> Vec<String> {
        let done = self.files.iter().filter(|file| file.withdrawn);
        done.map(|file| file.file_id.clone()).collect()
    }
}

/// `service`
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServiceKey {
    /// The twelve words of the key that signs checkpoints from now on.
    pub words: Vec<String>,
}

impl Show for ServiceKey {
    fn human(&self) -> String {
        format!("From now on the server signs with the key of these words:\n{}", word_columns(&self.words))
    }

    fn ids(&self) -> Vec<String> {
        vec![self.words.join(" ")]
    }
}
