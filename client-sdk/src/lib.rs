//! Sealpost's client SDK: everything the server returns is verified before it is used.
//!
//! [`Anonymous`] talks to a server before anybody is signed in: it founds an organisation, looks at an invite,
//! signs in. Each gives a [`SignedIn`], which uploads, shares, lists and downloads. Both keep what a device must
//! remember in a [`store::StateStore`]. No type of an HTTP, database or cryptography library is part of the interface.
//!
//! # From nothing to a receipt
//!
//! One organisation, one client, one file. Programs usually begin in the middle: somebody ran `sealpost login`, and
//! [`SignedIn::resume`] takes up that session. The folder `examples` holds whole programs.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use sealpost_client::{
//!     Anonymous, FoundOrganisation, InviteRequest, NewFile, Password, Terms, Token, store::MemoryStore,
//! };
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = sealpost_tests::TestServer::start(sealpost_tests::Backend::SQLITE_FOLDER).await;
//! # let (address, setup_token) = (server.url(), server.setup_token());
//! let server = address.parse()?; // https://…, or http:// on this machine
//! let password = |text: &str| Password::new(text.to_owned());
//!
//! // Olga founds the organisation. The kit is shown once: it is the only way back if the password is lost.
//! let founding = Anonymous::connect(&server, Arc::new(MemoryStore::new()))?
//!     .found(FoundOrganisation {
//!         setup_token: Token::new(setup_token),
//!         email: "olga@lawfirm.example".parse()?,
//!         name: "Olga Ops".into(),
//!         organisation: "Law Firm".into(),
//!         password: password("correct horse battery staple")?,
//!     })
//!     .await?;
//! assert_eq!(founding.kit().words.split(' ').count(), 24);
//! let olga = founding.complete().await?;
//!
//! // She invites Carl. The code goes to him by any way but the server: it makes his keys authentic.
//! let carls_address = "carl@client.example".parse()?;
//! let expires_in = Duration::from_secs(7 * 86_400);
//! let request = InviteRequest { email: carls_address, expires_in, account_key: false };
//! let code = olga.invite(request).await?.code;
//!
//! // On his machine Carl sees who invites him, and joins. The next time Olga is online, she certifies him.
//! let invite = Anonymous::connect(&server, Arc::new(MemoryStore::new()))?.preview(code).await?;
//! assert_eq!((invite.organisation(), invite.inviter().email.as_str()), ("Law Firm", "olga@lawfirm.example"));
//! let carl = invite.join(password("tangerine piano under the moon")?).await?.complete().await?;
//! olga.certify_accepted().await?;
//!
//! // She uploads from memory; `upload_path` takes files on disk, and goes on after an interruption.
//! let content = b"The settlement is 42,000.";
//! let what = NewFile {
//!     name: "settlement.txt".into(),
//!     media_type: "text/plain".into(),
//!     size: content.len() as u64,
//!     modified: 0,
//!     note: "as discussed".into(),
//! };
//! let file = olga.upload(&content[..], what, &|_progress| {}).await?.file_id;
//! let terms = Terms { expires_at: None, downloads: Some(3) };
//! for outcome in olga.share(file, &["carl@client.example".parse()?], terms).await? {
//!     outcome.result?;
//! }
//!
//! // Carl downloads it. Sender, name and size are verified before the first byte is fetched.
//! let download = carl.download(file).await?;
//! assert_eq!((download.name(), download.from().email.as_str()), ("settlement.txt", "olga@lawfirm.example"));
//! let mut received = Vec::new();
//! download.to_writer(&mut received, &|_progress| {}).await?;
//! assert_eq!(received, content);
//!
//! // And Olga has his signature that every byte arrived.
//! let receipts = olga.receipts(Some(file), None).await?.items;
//! assert_eq!(receipts[0].recipient.email, "carl@client.example");
//! # Ok(()) }
//! ```
//!
//! # Machines without a person
//!
//! [`Anonymous::login_with_kit`] signs in once by the account's key, from a recovery kit in a file that only its owner can
//! read. From then on [`SignedIn::resume`] needs nothing but the state: a session that has ended is renewed by the key.
//! No password is in arguments, environment or logs.
//!
//! # Errors
//!
//! Every function fails with an [`Error`]: an [`ErrorKind`] to match on, a stable [`code`](Error::code) for scripts, one
//! sentence, and a [`hint`](Error::hint) that says what to do next. [`ErrorKind`] has the table.
//!
//! ```
//! # use sealpost_client::{Error, ErrorKind};
//! fn advise(error: &Error) -> &'static str {
//!     match error.kind() {
//!         ErrorKind::Network => "try again later: nothing is lost",
//!         ErrorKind::Verification => "stop, and tell somebody: something is damaged, or somebody lies",
//!         ErrorKind::RecipientUnknown => "invite them first",
//!         _ => "show the message and the hint to a person",
//!     }
//! }
//! ```
//!
//! # Dropping a future
//!
//! Every future may be dropped at any point, by a timeout or `select!`, as after a crash: the state on this device stays
//! whole, and the same call again ends as if nothing had been. All futures may move between threads. What a dropped
//! future may have done already:
//!
//! | operation | dropped half-way |
//! |---|---|
//! | [`Anonymous::login`], [`login_with_seed`](Anonymous::login_with_seed), [`login_with_kit`](Anonymous::login_with_kit) | a session that nobody uses may exist on the server; it lapses |
//! | [`NewAccount::complete`] | the account may exist: sign in with its password, or by its kit |
//! | [`SignedIn::invite`] | an invite may exist whose code nobody saw: invite again, the new one takes its place |
//! | [`SignedIn::complete_queued`], [`watch`](SignedIn::watch) | some are completed; the others are the next time |
//! | [`SignedIn::certify_accepted`] | some of those who accepted are certified; the others are the next time |
//! | [`SignedIn::upload_path`], [`deliver`](SignedIn::deliver) | parts that arrived are not sent again by the same call |
//! | [`SignedIn::upload_many`], [`deliver_many`](SignedIn::deliver_many) | files and shares that arrived are found again by the same call, also where no answer came |
//! | [`SignedIn::upload`] | no file; what had arrived is cleared away by the server in time. Dropped at the very end, the file may exist: [`SignedIn::files`] tells |
//! | [`SignedIn::share`], [`unshare`](SignedIn::unshare) | some recipients may be done; their records wait in the outbox and are the same when repeated |
//! | [`Revocation::revoke`], [`ServiceKey::accept`], [`SignedIn::withdraw`] | it may be done already; again is fine |
//! | [`Rotation::complete`] | the new keys may count: [`SignedIn::resume`] finds out |
//! | [`SignedIn::renew_shares`] | some shares are renewed; the others are the next time |
//! | [`SignedIn::remove`] | the file may be gone already; again is fine |
//! | [`SignedIn::download`], [`Download::read_range`], [`SignedIn::evidence`] | nothing |
//! | [`Download::to_path`] | a temporary file, from which the same download goes on, under the same ticket |
//! | [`Download::to_writer`] | the writer has the beginning; no receipt |
//! | lists, [`SignedIn::whoami`], [`SignedIn::resume`] | nothing |

mod admit;
mod anonymous;
mod authorities;
mod builder;
mod caller;
mod confirm;
mod contacts;
mod content;
mod contention;
mod convert;
mod credential;
mod deliver;
mod details;
mod device;
mod directory;
mod disclose;
mod download;
mod entry;
mod error;
mod evidence;
mod file;
mod found;
pub mod http;
mod intent;
mod invite;
mod join;
mod journal;
mod key_login;
mod list;
mod log_sync;
mod login;
mod many;
mod new_account;
mod offered;
mod outbox;
mod pages;
mod pairs;
mod passwd;
mod progress;
mod queue;
mod recover;
mod register;
mod rekey;
mod remove;
mod renew;
mod reshare;
mod retry;
mod revoke;
mod rotate;
mod rotation_state;
mod server;
mod server_url;
mod service;
mod session;
mod share;
mod share_many;
mod signed_in;
mod sink;
mod source;
pub mod store;
mod tickets;
mod unreachable;
mod unshare;
mod upload;
mod vault;
mod versions;
mod watch;
mod wire;
mod withdraw;

pub use admit::{Admitted, Certified};
pub use anonymous::Anonymous;
pub use authorities::Authorities;
pub use builder::ClientBuilder;
pub use confirm::Confirmation;
pub use contacts::{Contact, ContactStatus, KeysChanged, Verification};
pub use deliver::{Delivered, Delivery, DeliveryOutcome, DeliveryStatus};
pub use details::{FileAccess, FileDetails};
pub use directory::{Person, Succession};
pub use download::{Download, Downloaded};
pub use error::{Error, ErrorKind, Result};
pub use evidence::{Disclosure, Evidence, Examined, compare_with_evidence, examine_evidence};
pub use found::FoundOrganisation;
pub use invite::{Admitting, InviteRequest, NewInvite, OpsInvite};
pub use join::InvitePreview;
pub use journal::Before;
pub use list::{FileInfo, OwnFile, Page, ReceiptInfo, Rejected, ShareInfo, SharedFile};
pub use many::{OnDone, Sent};
pub use new_account::NewAccount;
pub use progress::{OnProgress, Progress};
pub use queue::{QueueEnd, QueuedShare, Settled};
pub use recover::Recovery;
pub use rekey::{Rekeyed, UnshareOutcome};
pub use renew::{EndedShare, Renewal, RenewedShare};
pub use reshare::{LostShare, Replacement};
pub use revoke::{Revocation, Revoked};
pub use rotate::{Rotated, Rotation};
pub use sealpost_api::token::Token;
pub use sealpost_crypto::{
    email::EmailAddress,
    evidence::{
        Delivered as ProvenDelivery, Facts, MAX_BYTES as MAX_EVIDENCE_BYTES, Mark, Party, Proves,
        ReceiptFacts, SameContent, Verdict,
    },
    file_name::{SafeName, display_name, safe_file_name},
    fork::{ProvenFork, is_proof as is_fork_proof},
    id::{FileId, OrgId, RecordId, UserId},
    invite::{InviteCode, InviteLink},
    kit::{KitError, KitText, RecoveryKit, account_key_from_code, seed_from_words},
    password::Password,
    record::RawRecord,
    records::{RevokeReason, Role},
    secret::{AccountKey, AccountSeed, FileKey},
};
pub use server_url::ServerUrl;
pub use service::ServiceKey;
pub use share::{ShareOutcome, ShareStatus, Terms};
pub use signed_in::{Identity, SignedIn, Status};
pub use sink::Overwrite;
pub use source::NewFile;
pub use upload::{Again, Uploaded};
pub use watch::WatchEvent;
pub use withdraw::{LeftFile, LeftShare};
