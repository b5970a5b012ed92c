//! Sealpost's client SDK: everything the server returns is verified before it is used.
//!
//! [`Anonymous`] talks to a server before anybody is signed in: it founds an organisation, looks at an invite,
//! signs in. Each gives a [`SignedIn`], which uploads, shares, lists and downloads. Both keep what a device must
//! remember in a [`store::StateStore`].

mod anonymous;
mod authorities;
mod caller;
mod confirm;
mod contacts;
mod content;
mod convert;
mod credential;
mod deliver;
mod details;
mod device;
mod directory;
mod disclose;
mod download;
mod error;
mod file;
mod found;
mod invite;
mod join;
mod journal;
mod key_login;
mod list;
mod log_sync;
mod login;
mod new_account;
mod outbox;
mod pages;
mod pairs;
mod passwd;
mod progress;
mod recover;
mod register;
mod remove;
mod reshare;
mod retry;
mod server_url;
mod session;
mod share;
mod signed_in;
mod sink;
mod source;
pub mod store;
mod tickets;
mod transport;
mod unreachable;
mod upload;
mod vault;
mod wire;

pub use anonymous::Anonymous;
pub use authorities::Authorities;
pub use confirm::Confirmation;
pub use contacts::{Contact, ContactStatus, Verification};
pub use deliver::{Delivered, Delivery, DeliveryOutcome, DeliveryStatus};
pub use details::{FileAccess, FileDetails};
pub use directory::{Person, Succession};
pub use download::{Download, Downloaded};
pub use error::{Error, ErrorKind, Result};
pub use found::FoundOrganisation;
pub use invite::{Admitted, Admitting, Certified, InviteRequest, NewInvite};
pub use join::InvitePreview;
pub use journal::Before;
pub use list::{FileInfo, OwnFile, Page, ReceiptInfo, Rejected, ShareInfo, SharedFile};
pub use new_account::NewAccount;
pub use progress::{OnProgress, Progress};
pub use recover::Recovery;
pub use reshare::{LostShare, Replacement};
pub use sealpost_api::token::Token;
pub use sealpost_crypto::{
    email::EmailAddress,
    file_name::{SafeName, display_name, safe_file_name},
    id::{FileId, OrgId, UserId},
    invite::{InviteCode, InviteLink},
    kit::{KitError, KitText, RecoveryKit, account_key_from_code, seed_from_words},
    password::Password,
    record::RawRecord,
    records::Role,
    secret::{AccountKey, AccountSeed, FileKey},
};
pub use server_url::ServerUrl;
pub use share::{ShareOutcome, Terms};
pub use signed_in::{Identity, SignedIn, Status};
pub use sink::Overwrite;
pub use source::NewFile;
pub use upload::{Again, Uploaded};
