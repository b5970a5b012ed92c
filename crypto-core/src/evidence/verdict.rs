//! What evidence proves, and how far (protocol §14.3).

use std::ops::Deref;

use crate::{
    id::{FileId, OrgId, RecordId, UserId},
    keys::FileKeys,
    metadata::Metadata,
    parts::PartList,
    records::Role,
    size::Layout,
};

/// Evidence that verified. Only [`super::verify`] builds one.
#[derive(Debug)]
pub struct Verdict {
    pub(super) facts: Facts,
    pub(super) list: PartList,
    pub(super) keys: Option<FileKeys>,
}

/// What was signed, by whom, about which file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The organisation.
    pub org_id: OrgId,
    /// Its name, as its founder wrote it.
    pub organisation: String,
    /// Entries of the log that the evidence holds: what happened later it does not show.
    pub log_size: u64,
    /// The log's head, signed by the server.
    pub log_head: RecordId,
    /// Who sealed and signed the file.
    pub sender: Party,
    /// The file.
    pub file_id: FileId,
    /// Its version, from 1.
    pub version: u64,
    /// H(manifest): names exactly this content.
    pub manifest: RecordId,
    /// How long it is, as far as the padding tells.
    pub layout: Layout,
    /// When the sender sealed it, by their clock; UTC seconds.
    pub sealed_at: u64,
    /// Name, size and note, if the file key is disclosed.
    pub metadata: Option<Metadata>,
    /// At least one.
    pub deliveries: Vec<Delivered>,
}

/// Somebody as the organisation's log knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The account.
    pub user_id: UserId,
    /// Address that was certified.
    pub email: String,
    /// Name that was certified; empty for Clients. Any text.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Who admitted them, on whose word address and name rest; the founder themselves.
    pub certified_by: UserId,
}

/// A share to one person, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// To whom.
    pub recipient: Party,
    /// H(share).
    pub share: RecordId,
    /// When it was shared, by the sender's clock; UTC seconds.
    pub shared_at: u64,
    /// Entries of the newest log that the sender knew then.
    pub log_size: u64,
    /// UTC seconds after which the server was to refuse, or 0 for never.
    pub expiry: u64,
    /// How many downloads the server was to allow, or 0 for any number.
    pub limit: u64,
    /// What the records prove.
    pub proves: Proves,
    /// By time.
    pub receipts: Vec<ReceiptFacts>,
    /// What weakens it; without repetition, in the order of [`Mark`].
    pub marks: Vec<Mark>,
}

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptFacts {
    /// H(receipt).
    pub id: RecordId,
    /// When, by the recipient's clock; UTC seconds.
    pub time: u64,
    /// Entries of the newest log that the recipient knew then.
    pub log_size: u64,
    /// What weakens it.
    pub mark: Option<Mark>,
}

/// What a delivery's records prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proves {
    /// That the sender sealed this file for the recipient; not that it arrived.
    Sending,
    /// Also that the holder of the recipient's certified key signed that every byte arrived and verified.
    Receipt,
}

impl Proves {
    /// Stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Proves::Sending => "sending",
            Proves::Receipt => "receipt",
        }
    }
}

/// Declares [`Mark`] with each mark's stable name.
macro_rules! marks {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What somebody who weighs the evidence has to know. It holds all the same.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mark { $($(#[$doc])* $name,)* }

        impl Mark {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Stable name.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

marks! {
    /// The sender has other keys since: whoever got hold of the old ones could, with the server, have backdated it.
    SenderKeyRetired = "sender_key_retired",
    /// The sender has left since: it may be backdated.
    SenderLeft = "sender_left",
    /// Whoever admitted the sender was revoked later because their keys may be in other hands.
    SenderAdmittedByCompromised = "sender_admitted_by_compromised",
    /// The same of the recipient: the address rests on that person's word.
    RecipientAdmittedByCompromised = "recipient_admitted_by_compromised",
    /// There is no receipt: it proves the sending only.
    NoReceipt = "no_receipt",
    /// The recipient has other keys since the receipt.
    ReceiptKeyRetired = "receipt_key_retired",
    /// The recipient has left since the receipt: it may be backdated.
    ReceiptSignerLeft = "receipt_signer_left",
    /// The recipient's keys may be in other hands: the receipt does not count.
    ReceiptSignerCompromised = "receipt_signer_compromised",
}

impl Verdict {
    /// Whether the file key is in the evidence: the content can be compared then.
    pub fn is_disclosed(&self) -> bool {
        self.keys.is_some()
    }
}

impl Deref for Verdict {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}
