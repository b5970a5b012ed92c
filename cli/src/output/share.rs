//! Output of share and unshare, and the shares inside other output.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ItemError, NewAccount, count};
use crate::{failure::Failure, printer::Show, text};

/// A share as its owner sees it, in `ls`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Share {
    /// With whom.
    pub email: String,
    /// `active`, `expired`, `used_up`, `ended`; `renewed`: a fresh share took its place after keys were changed;
    /// `account_ended`: whom it was for can't sign in to that account; `queued`: it waits until they have joined and are
    /// admitted; `replaced`: it is of a version that was sealed anew since, and what is left of it is its receipt.
    pub status: String,
    /// Of which version of the file; `null` while it is queued.
    pub version: Option<u64>,
    /// Set if the recipient's account took the place of another one.
    pub new_account: Option<NewAccount>,
    /// When it was shared, or queued.
    pub shared_at: String,
    /// When it ends by itself.
    pub expires_at: Option<String>,
    /// Downloads begun so far.
    pub downloads: u64,
    /// Downloads allowed.
    pub download_limit: Option<u64>,
    /// When the recipient signed that every byte arrived verified.
    pub receipt_at: Option<String>,
    /// `current`, or `retired` if the key that signed so has been replaced or revoked since.
    pub receipt_standing: Option<String>,
}

impl Share {
    /// One indented line; none for a share that was replaced and has nothing to tell.
    pub fn human(&self) -> String {
        if self.status == "replaced" {
            let receipt = self.receipt();
            let version = self.version.unwrap_or_default();
            let line = |receipt| {
                format!(
                    "    → {}  version {version}, sealed anew since, {receipt}\n",
                    text::safe(&self.email)
                )
            };
            return receipt.map(line).unwrap_or_default();
        }
        let mut facts = vec![self.status.replace('_', " ")];
        if let Some(time) = &self.expires_at {
            facts.push(format!("until {time}"));
        }
        facts.push(match self.download_limit {
            Some(limit) if self.status == "queued" => count(limit, "download"),
            None if self.status == "queued" => "once they are admitted".to_owned(),
            Some(limit) => format!("{} of {}", self.downloads, count(limit, "download")),
            None => count(self.downloads, "download"),
        });
        facts.extend(self.receipt());
        facts.extend(self.new_account.as_ref().map(NewAccount::human));
        format!("    → {}  {}\n", text::safe(&self.email), facts.join(", "))
    }

    fn receipt(&self) -> Option<String> {
        let time = self.receipt_at.as_ref()?;
        let retired = self.receipt_standing.as_deref() == Some("retired");
        Some(format!("receipt {time}{}", if retired { " (by a key since retired)" } else { "" }))
    }
}

/// What became of one recipient.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SharedWith {
    /// Whom.
    pub email: String,
    /// `shared`; `queued`, if they have not been admitted yet: shared once they are; or `error`.
    pub status: String,
    /// When the share ends by itself.
    pub expires_at: Option<String>,
    /// Downloads allowed.
    pub download_limit: Option<u64>,
    /// Why not, when `status` is `error`.
    pub error: Option<ItemError>,
}

impl SharedWith {
    /// One whom sharing failed for.
    pub fn failed(email: String, failure: &Failure) -> Self {
        let error = Some(ItemError::from(failure));
        Self { email, status: "error".to_owned(), expires_at: None, download_limit: None, error }
    }

    /// One line; none for a failure, which is told as an error.
    pub fn human(&self) -> String {
        match &self.error {
            None => {
                let terms = terms(self.expires_at.as_deref(), self.download_limit);
                let email = text::safe(&self.email);
                if self.status == "queued" {
                    return format!(
                        "Queued for {email}{terms}: shared once they have joined and are admitted\n"
                    );
                }
                format!("Shared with {email}{terms}\n")
            }
            Some(_) => String::new(),
        }
    }
}

/// How a share ends, as the end of a sentence.
pub fn terms(expires_at: Option<&str>, limit: Option<u64>) -> String {
    let until = expires_at.map(|time| format!(", until {time}")).unwrap_or_default();
    let limit = limit.map(|limit| format!(", {}", count(limit, "download"))).unwrap_or_default();
    until + &limit
}

/// `share`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shares {
    /// The file.
    pub file_id: String,
    /// One entry per address, in the order given.
    pub shares: Vec<SharedWith>,
}

impl Show for Shares {
    fn human(&self) -> String {
        self.shares.iter().map(SharedWith::human).collect()
    }

    fn ids(&self) -> Vec<String> {
        vec![self.file_id.clone()]
    }
}

/// What became of one share.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Unshared {
    /// Whose.
    pub email: String,
    /// `unshared`, or `error`.
    pub status: String,
    /// Why not, when `status` is `error`.
    pub error: Option<ItemError>,
}

/// `unshare`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Unshares {
    /// The file.
    pub file_id: String,
    /// One entry per address, in the order given.
    pub unshares: Vec<Unshared>,
    /// With `--rekey`: whether the file was sealed anew under another key. If not, nobody named had a key that opens it.
    pub sealed_anew: bool,
    /// With `--rekey`: the version that is live now.
    pub version: Option<u64>,
}

impl Show for Unshares {
    fn human(&self) -> String {
        let line = |entry: &Unshared| format!("No longer shared with {}\n", text::safe(&entry.email));
        let ended: String = self.unshares.iter().filter(|entry| entry.error.is_none()).map(line).collect();
        let version = self.version.filter(|_| self.sealed_anew);
        let anew = version.map(|version| {
            format!(
                "Sealed anew under another key, as version {version}; the server deletes the old ciphertext.\n\
                 Whoever decrypted the file before may have kept a copy.\n"
            )
        });
        ended + &anew.unwrap_or_default()
    }

    fn ids(&self) -> Vec<String> {
        vec![self.file_id.clone()]
    }
}

/// `reshare`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reshares {
    /// Whose.
    pub email: String,
    /// The new account's id.
    pub account: String,
    /// The ids of the accounts that it replaced, the newest first.
    pub old_accounts: Vec<String>,
    /// Who admitted the new account, and when.
    pub new_account: NewAccount,
    /// One entry per file that only an old account could read.
    pub shares: Vec<Reshared>,
}

/// What became of one file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reshared {
    /// The file.
    pub file_id: String,
    /// Its name.
    pub name: String,
    /// `shared`, `skipped` or `error`.
    pub status: String,
    /// When the share ends by itself.
    pub expires_at: Option<String>,
    /// Downloads that are left.
    pub download_limit: Option<u64>,
    /// Why not, when `status` is `error`.
    pub error: Option<ItemError>,
}

impl Show for Reshares {
    fn human(&self) -> String {
        let line = |share: &Reshared| {
            let terms = terms(share.expires_at.as_deref(), share.download_limit);
            format!("{} {}{terms}\n", share.status, text::safe(&share.name))
        };
        self.shares.iter().filter(|share| share.error.is_none()).map(line).collect()
    }

    fn ids(&self) -> Vec<String> {
        let shared = self.shares.iter().filter(|share| share.status == "shared");
        shared.map(|share| share.file_id.clone()).collect()
    }
}
