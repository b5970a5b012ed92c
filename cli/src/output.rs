//! The shape of everything `--json` prints, and the same for people. Scripts rely on these: members are only ever
//! added, never renamed, removed or given another meaning. Ids are lowercase hex, sizes bytes, times RFC 3339 in
//! UTC; what is unknown or unlimited is `null`.

mod account;
mod deliver;
mod demo;
mod evidence;
mod file;
mod member;
mod person;
mod report;
mod rotation;
mod share;
mod shell;
mod watch;

pub use account::{
    Account, Enrolled, Invite, KeysKept, PasswordChanged, RecoveryKit, SecretText, SignedOut, Started,
};
pub use deliver::{DeliveredRow, DeliverySummary};
pub use demo::{Demo, DemoFile, DemoFinding, DemoSearch, DemoTable};
pub use evidence::{
    DisclosedFile, EvidenceReport, ForkReport, ForkStatement, ProvenParty, ProvenReceipt, ProvenShare,
    WrittenEvidence,
};
pub use file::{
    Downloaded, Downloads, FileFacts, OwnFile, Receipt, ReceivedFile, Rejected, Uploaded, Uploads,
};
pub use member::{LeftFile, LeftShare, Revoked, ServiceKey, Withdrawals, Withdrawn};
pub use person::{Confirmed, Contact, Contacts, KeysChanged, NewAccount, Words, word_columns};
pub use report::{FileReport, Removed, ReportedFile};
pub use rotation::{EndedShare, RenewedShare, RotatedKeys};
pub use share::{Reshared, Reshares, Share, SharedWith, Shares, Unshared, Unshares, terms};
pub use shell::{Completions, ManPage, ManPages};
pub use watch::WatchLine;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{failure::Failure, text};

/// A person as the organisation's log knows them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Person {
    /// E-mail address.
    pub email: String,
    /// Name, or empty.
    pub name: String,
}

impl Person {
    /// `Name <address>`, or the address alone; safe to show.
    pub fn human(&self) -> String {
        match self.name.as_str() {
            "" => text::safe(&self.email),
            name => format!("{} <{}>", text::safe(name), text::safe(&self.email)),
        }
    }
}

/// Why one recipient or one file of several failed; the others are not touched by it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ItemError {
    /// Stable name.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl From<&Failure> for ItemError {
    fn from(failure: &Failure) -> Self {
        Self { code: failure.code.to_string(), message: failure.message.clone(), hint: failure.hint.clone() }
    }
}

/// A size for people.
pub fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// `1 file`, `2 files`.
pub fn count(number: u64, singular: &str) -> String {
    if number == 1 { format!("1 {singular}") } else { format!("{number} {singular}s") }
}
