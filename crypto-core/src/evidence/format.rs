//! The file: strict JSON, one encoding for each value (protocol §14.1).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use super::EvidenceError;
use crate::{
    encoding::{Base64, from_base64, to_base64},
    id::{Digest, RecordId, UserId},
    log::{History, Log},
    opening::{Opening, OpeningPayload},
    record::{self, RawRecord},
    records::{Receipt, Share, ShareContext},
    secret::FileKey,
    share::SealedShare,
    size::MAX_PARTS,
    strict::{self, Bounded},
};

/// What the file's first member says: what it is, and the version of its form.
pub const FORMAT: &str = "sealpost/v1/evidence";
/// Greatest length of the file in bytes.
pub const MAX_BYTES: usize = strict::MAX_FILE;
/// Most receipts of one delivery.
pub const MAX_RECEIPTS: usize = 1_000;
/// Most deliveries in one file.
const MAX_DELIVERIES: usize = 10_000;
/// Sender and recipients.
const MAX_PEOPLE: usize = MAX_DELIVERIES + 1;

/// Evidence as it travels. Nothing in it is verified.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bundle {
    pub format: String,
    pub log: History,
    pub openings: Bounded<Named, MAX_PEOPLE>,
    pub manifest: RawRecord,
    pub metadata: Base64,
    pub parts: Bounded<Digest, { MAX_PARTS as usize }>,
    pub file_key: Disclosed,
    pub deliveries: Bounded<Delivery, MAX_DELIVERIES>,
}

/// One share with the receipts for it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delivery {
    pub share: RawRecord,
    pub enc: Base64,
    pub ciphertext: Base64,
    pub receipts: Bounded<RawRecord, MAX_RECEIPTS>,
}

/// An opening in its strict encoding.
pub(super) struct Named(pub Opening);

/// The file key, or nothing.
pub(super) struct Disclosed(pub Option<FileKey>);

/// What whoever makes evidence brings, in any order.
#[derive(Debug)]
pub struct Collected<'a> {
    /// Of the sender and of each recipient; others are left out.
    pub openings: Vec<Opening>,
    /// The owner's statement.
    pub manifest: RawRecord,
    /// Sealed metadata.
    pub metadata: Vec<u8>,
    /// Digests of all parts.
    pub parts: Vec<Digest>,
    /// Disclosed: whoever reads the file can then open the metadata, and the content if they have the ciphertext.
    pub file_key: Option<&'a FileKey>,
    /// At least one.
    pub deliveries: Vec<CollectedDelivery>,
}

/// A share, and the receipts for it.
#[derive(Debug, Clone)]
pub struct CollectedDelivery {
    /// The share.
    pub share: SealedShare,
    /// All that are known; one given twice stands once, and of very many the first [`MAX_RECEIPTS`].
    pub receipts: Vec<RawRecord>,
}

/// Writes evidence out. Verifies nothing, its length included: whoever hands it on calls [`super::verify`] on the very
/// bytes.
///
/// # Errors
/// [`EvidenceError::Malformed`] if a record can't be read or the server has not signed the log's head.
pub fn encode(log: &Log, collected: Collected<'_>) -> Result<Zeroizing<Vec<u8>>, EvidenceError> {
    let mut deliveries: Vec<(Place, Delivery)> =
        collected.deliveries.into_iter().map(Delivery::new).collect::<Result<_, _>>()?;
    deliveries.sort_by_key(|(place, _)| (place.recipient, place.sequence));
    let mut people: Vec<UserId> =
        deliveries.iter().flat_map(|(place, _)| [place.sender, place.recipient]).collect();
    people.sort_unstable();
    people.dedup();
    let opening = |user_id: &UserId| collected.openings.iter().find(|opening| opening.user_id == *user_id);
    let bundle = Bundle {
        format: FORMAT.to_owned(),
        log: History::of(log).ok_or(EvidenceError::Malformed)?,
        openings: Bounded(people.iter().filter_map(opening).cloned().map(Named).collect()),
        manifest: collected.manifest,
        metadata: Base64(collected.metadata),
        parts: Bounded(collected.parts),
        file_key: Disclosed(collected.file_key.cloned()),
        deliveries: Bounded(deliveries.into_iter().map(|(_, delivery)| delivery).collect()),
    };
    serde_json::to_vec(&bundle).map(Zeroizing::new).map_err(|_| EvidenceError::Malformed)
}

/// Where a share stands.
pub(super) struct Place {
    pub sender: UserId,
    pub recipient: UserId,
    pub sequence: u64,
}

impl Place {
    /// What the share says, unverified.
    pub(super) fn claimed(share: &RawRecord) -> Result<Self, EvidenceError> {
        let claim: Share = share.claim()?;
        let context: ShareContext = record::parse(&claim.context.0)?;
        Ok(Self { sender: context.sender, recipient: context.recipient, sequence: context.pair_sequence })
    }
}

impl Bundle {
    /// Limits, then the one encoding.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, EvidenceError> {
        if bytes.len() > MAX_BYTES {
            return Err(EvidenceError::TooLong);
        }
        if strict::format(bytes) != Some(FORMAT) {
            return Err(EvidenceError::Format);
        }
        strict::parse(bytes).ok_or(EvidenceError::Malformed)
    }
}

impl Delivery {
    fn new(collected: CollectedDelivery) -> Result<(Place, Self), EvidenceError> {
        let place = Place::claimed(&collected.share.record)?;
        let mut receipts = Vec::with_capacity(collected.receipts.len());
        for raw in collected.receipts {
            receipts.push((raw.claim::<Receipt>()?.time, raw.id(), raw));
        }
        receipts.sort_by_key(|(time, id, _): &(u64, RecordId, _)| (*time, *id));
        receipts.dedup_by_key(|(_, id, _)| *id);
        receipts.truncate(MAX_RECEIPTS);
        let SealedShare { record, enc, ciphertext } = collected.share;
        let receipts = Bounded(receipts.into_iter().map(|(_, _, raw)| raw).collect());
        Ok((place, Self { share: record, enc, ciphertext, receipts }))
    }

    pub(super) fn sealed(&self) -> SealedShare {
        SealedShare { record: self.share.clone(), enc: self.enc.clone(), ciphertext: self.ciphertext.clone() }
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        OpeningPayload::from(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OpeningPayload::deserialize(deserializer)?.opening().map(Self).map_err(de::Error::custom)
    }
}

impl Serialize for Disclosed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.as_ref().map(|key| Zeroizing::new(to_base64(key.expose())));
        serializer.serialize_str(text.as_deref().map_or("", |text| text))
    }
}

impl<'de> Deserialize<'de> for Disclosed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        if text.is_empty() {
            return Ok(Self(None));
        }
        let bytes = from_base64(&text).map(Zeroizing::new);
        let key = bytes.and_then(|bytes| FileKey::from_slice(&bytes));
        key.map(|key| Self(Some(key))).ok_or_else(|| de::Error::custom("expected a file key"))
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bundle({} deliveries)", self.deliveries.0.len())
    }
}
