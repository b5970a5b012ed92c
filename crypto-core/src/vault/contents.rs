//! What a vault holds. Unknown fields of a newer minor version are kept and written back.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    encoding::int53,
    id::{Digest, FileId, IdError, InviteId, RecordId, UserId},
    record::RawRecord,
    records::Role,
    secret::{AccountSeed, InviteSecret},
    sign::Signature,
};

/// Fields that this version does not know.
pub type Rest = serde_json::Map<String, serde_json::Value>;

/// How long the mark of a grant that was taken back stays at least, seconds: a year.
pub const CANCELLED_KEPT: u64 = 365 * 86_400;

/// What only one person knows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vault {
    /// From 1, up by one at each write.
    #[serde(with = "int53")]
    pub version: u64,
    /// SHA-256 of the sealed vault before, or zeros.
    pub previous: Digest,
    /// Names that the owner gave to people.
    pub petnames: BTreeMap<UserId, Petname>,
    /// The newest that was seen of everything that must never go back.
    pub pins: Pins,
    /// Invites that are out, and not certified yet.
    pub invites: BTreeMap<InviteId, PendingInvite>,
    /// Shares to people who are not certified yet.
    pub queued: BTreeMap<QueueKey, QueuedGrant>,
    /// Account seeds of earlier generations, by generation: they open what was shared before a rotation.
    pub old_seeds: BTreeMap<u64, OldSeed>,
    /// Up to which generation of keys every live share of the owner's was made anew after a rotation; 0 for none.
    #[serde(default, skip_serializing_if = "int53::is_zero", with = "int53")]
    pub renewed: u64,
    /// Unknown fields.
    #[serde(flatten)]
    pub rest: Rest,
}

impl Vault {
    /// The first vault of an account, with the log and the credential that registration ended with.
    pub fn first(log: LogPin, credential: Pin) -> Self {
        Self {
            version: 1,
            previous: Digest::ZERO,
            petnames: BTreeMap::new(),
            pins: Pins { log, credential, pairs: BTreeMap::new(), files: BTreeMap::new(), rest: Rest::new() },
            invites: BTreeMap::new(),
            queued: BTreeMap::new(),
            old_seeds: BTreeMap::new(),
            renewed: 0,
            rest: Rest::new(),
        }
    }
}

/// Queued grants (§6.6).
impl Vault {
    /// Grants that wait for their recipient.
    pub fn waiting(&self) -> impl Iterator<Item = (&QueueKey, &QueuedGrant)> {
        self.queued.iter().filter(|(_, grant)| !grant.cancelled)
    }

    /// Queues a grant, in place of an earlier one or of the mark that one left.
    pub fn queue(&mut self, key: QueueKey, mut grant: QueuedGrant) {
        if let Some(before) = self.queued.get(&key) {
            grant.time = grant.time.max(before.time + 1);
        }
        self.queued.insert(key, grant);
    }

    /// Takes back the waiting grants that `is_it` picks. A mark stays, later than the grant was, so that a device that
    /// has not heard of it can't bring the grant back; marks that have stood for [`CANCELLED_KEPT`] go.
    pub fn cancel(&mut self, is_it: impl Fn(&QueueKey, &QueuedGrant) -> bool, now: u64) {
        self.queued.retain(|_, grant| !grant.cancelled || now < grant.time.saturating_add(CANCELLED_KEPT));
        for (key, grant) in &mut self.queued {
            if !grant.cancelled && is_it(key, grant) {
                (grant.cancelled, grant.time) = (true, now.max(grant.time + 1));
            }
        }
    }

    /// Removes a grant that was completed or can't be any more. `true`, and the mark stays, if it was taken back
    /// meanwhile.
    pub fn dequeue(&mut self, key: &QueueKey) -> bool {
        let taken_back = self.queued.get(key).is_some_and(|grant| grant.cancelled);
        if !taken_back {
            self.queued.remove(key);
        }
        taken_back
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault(version {})", self.version)
    }
}

/// A name that the owner gave to somebody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Petname {
    /// The name; empty when it was taken back.
    pub name: String,
    /// When it was given, UTC seconds.
    #[serde(with = "int53")]
    pub time: u64,
}

impl fmt::Debug for Petname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Petname(private)")
    }
}

/// Pins: a device never accepts less than this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// The organisation's log.
    pub log: LogPin,
    /// The account's own credential: sequence is the epoch.
    pub credential: Pin,
    /// The records of each pair: sequence is the pair sequence.
    pub pairs: BTreeMap<PairKey, Pin>,
    /// The versions of each file: sequence is the version, head is H(manifest).
    pub files: BTreeMap<FileId, Pin>,
    /// Unknown fields.
    #[serde(flatten)]
    pub rest: Rest,
}

/// A place in a chain of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// How far the chain had come.
    #[serde(with = "int53")]
    pub sequence: u64,
    /// H(the record there).
    pub head: RecordId,
}

/// The newest log state that was verified, with the signature that makes a fork provable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPin {
    /// How many entries.
    #[serde(with = "int53")]
    pub size: u64,
    /// H(the last entry).
    pub head: RecordId,
    /// The server's checkpoint signature over both.
    pub signature: Signature,
}

/// A pair over all files; `sender:recipient` in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairKey {
    /// Who shares.
    pub sender: UserId,
    /// With whom.
    pub recipient: UserId,
}

/// A queued grant's file and person; `file_id:user_id` in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueKey {
    /// The file.
    pub file_id: FileId,
    /// Who is to have it.
    pub user_id: UserId,
}

/// Two ids with a colon between them, as the key of a JSON object.
macro_rules! two_ids {
    ($name:ident, $first:ident, $second:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}:{}", self.$first, self.$second)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let (first, second) = text.split_once(':').ok_or(IdError { expected_bytes: 16 })?;
                Ok(Self { $first: first.parse()?, $second: second.parse()? })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}
two_ids!(PairKey, sender, recipient);
two_ids!(QueueKey, file_id, user_id);

/// An invite that is out (§6). Dropped once its user is certified, or it can't be accepted any more.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingInvite {
    /// The random part of the code.
    #[serde(with = "invite_secret")]
    pub secret: InviteSecret,
    /// The account that the invitee will have.
    pub user_id: UserId,
    /// Their e-mail address.
    pub email: String,
    /// Their name, or empty.
    pub name: String,
    /// Salt of their subject.
    pub salt: Digest,
    /// The role offered.
    pub role: Role,
    /// Whether the account must use an account key.
    pub account_key: bool,
    /// Whether certifying waits for twelve compared words.
    pub confirm: bool,
    /// The account that the new one replaces, or zeros.
    pub replaces: UserId,
    /// Until when it may be accepted, UTC seconds.
    #[serde(with = "int53")]
    pub expiry: u64,
    /// The OFFER.
    pub offer: RawRecord,
    /// Unknown fields.
    #[serde(flatten)]
    pub rest: Rest,
}

impl fmt::Debug for PendingInvite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PendingInvite({})", self.user_id)
    }
}

/// A share that waits until its recipient is certified (§6). Completing it twice does nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedGrant {
    /// The file's version.
    #[serde(with = "int53")]
    pub version: u64,
    /// The recipient's subject, as it must be certified.
    pub subject: Digest,
    /// UTC seconds after which the server refuses, or 0 for never.
    #[serde(with = "int53")]
    pub expiry: u64,
    /// How many downloads the server allows, or 0 for any number.
    #[serde(with = "int53")]
    pub limit: u64,
    /// When it was queued or taken back, UTC seconds.
    #[serde(with = "int53")]
    pub time: u64,
    /// The address that was invited, for its owner to read; empty where it was not noted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// Whether its owner took it back: then only the mark is left, so that no other device brings the grant back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// Unknown fields.
    #[serde(flatten)]
    pub rest: Rest,
}

impl fmt::Debug for QueuedGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueuedGrant(version {})", self.version)
    }
}

/// An account seed of an earlier generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldSeed {
    /// The seed.
    #[serde(with = "account_seed")]
    pub seed: AccountSeed,
    /// Unknown fields.
    #[serde(flatten)]
    pub rest: Rest,
}

/// How a secret is written inside a vault, and nowhere else: unpadded base64url.
macro_rules! secret_text {
    ($module:ident, $name:ident) => {
        mod $module {
            use serde::{Deserialize, Deserializer, Serializer, de};
            use zeroize::Zeroizing;

            use crate::{
                encoding::{from_base64, to_base64},
                secret::$name,
            };

            pub(super) fn serialize<S: Serializer>(secret: &$name, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&Zeroizing::new(to_base64(secret.expose())))
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = Zeroizing::new(String::deserialize(deserializer)?);
                from_base64(&text)
                    .map(Zeroizing::new)
                    .and_then(|bytes| $name::from_slice(&bytes))
                    .ok_or_else(|| de::Error::custom(concat!("not a ", stringify!($name))))
            }
        }
    };
}
secret_text!(invite_secret, InviteSecret);
secret_text!(account_seed, AccountSeed);
