//! The order of verification (protocol §14.2).

use super::{
    Delivered, Facts, Mark, Party, Proves, ReceiptFacts, Verdict,
    format::{Bundle, Delivery, Place},
};
use crate::{
    error::failures,
    id::{OrgId, UserId},
    keys::FileKeys,
    log::{HistoryError, Log, Standing, StandingError},
    manifest::VerifiedManifest,
    metadata::{Metadata, MetadataError, Stated},
    opening::{OpeningError, VerifiedOpening},
    parts::{PartError, PartList},
    receipt::{ReceiptError, VerifiedReceipt},
    record::RecordError,
    records::RevokeReason,
    secret::FileKey,
    share::{ShareError, VerifiedShare},
};

failures! {
    /// Why evidence was refused: it proves nothing.
    EvidenceError {
        /// Over the limit.
        TooLong = "evidence_too_long", "the file is larger than any evidence";
        /// No evidence, or of another version.
        Format = "evidence_format", "the file is no evidence of a version that this program knows";
        /// Not the one encoding that §14 allows.
        Malformed = "evidence_malformed", "the evidence is malformed: cut off, or changed";
        /// Nothing was delivered to anybody.
        Empty = "evidence_empty", "the evidence is of no delivery";
        /// Deliveries by recipient and place, receipts by time; each once.
        Order = "evidence_order", "the deliveries or receipts are not in their order, or stand twice";
        /// Not exactly the sender's and the recipients', in order.
        People = "evidence_people", "the addresses are not exactly those of sender and recipients";
        /// The disclosed key is not the one that the sender committed to.
        FileKey = "commitment_mismatch", "the disclosed file key is not the one that the sender committed to";
        /// There is no file key to compare a file with.
        Undisclosed = "evidence_undisclosed", "the evidence does not disclose the file key: no file can be compared with it";
        /// Another file than the one that was delivered.
        Content = "evidence_content", "the file is not the one that was delivered";
    }
    from {
        /// The log.
        Log(HistoryError),
        /// A share or the manifest; a compromised sender among others.
        Share(ShareError),
        /// A record.
        Record(RecordError),
        /// An address.
        Opening(OpeningError),
        /// The metadata.
        Metadata(MetadataError),
        /// The list of parts.
        Parts(PartError),
        /// A receipt.
        Receipt(ReceiptError),
    }
}

/// Verifies evidence against the organisation that the caller trusts. `bytes` are at most [`super::MAX_BYTES`].
///
/// # Errors
/// What does not hold; nothing that the evidence says may be used then.
pub fn verify(bytes: &[u8], org_id: OrgId) -> Result<Verdict, EvidenceError> {
    let bundle = Bundle::parse(bytes)?;
    let log = bundle.log.verify(org_id)?;
    let deliveries = bundle.deliveries.0;
    check_order(&deliveries)?;
    let shares = deliveries.iter().map(|delivery| share(&log, &bundle.manifest, delivery));
    let shares = shares.collect::<Result<Vec<_>, _>>()?;
    let manifest = shares.first().ok_or(EvidenceError::Empty)?.manifest().clone();
    let openings = bundle.openings.0.into_iter().map(|named| log.verify_opening(named.0));
    let people = People::new(&shares, openings.collect::<Result<_, _>>()?)?;
    let keys = bundle.file_key.0.map(|key| file_keys(&key, &manifest)).transpose()?;
    let metadata = open_metadata(&manifest, keys.as_ref(), &bundle.metadata.0)?;
    let list = PartList::verify(*manifest.layout(), bundle.parts.0, &manifest.get().digest)?;
    let delivered = shares.iter().zip(deliveries);
    let delivered = delivered.map(|(share, delivery)| judge(&log, &people, share, delivery));
    let facts = Facts {
        org_id,
        organisation: log.name().to_owned(),
        log_size: log.size(),
        log_head: log.head(),
        sender: people.party(&log, manifest.owner())?,
        file_id: manifest.get().file_id,
        version: manifest.get().version,
        manifest: manifest.id(),
        layout: *manifest.layout(),
        sealed_at: manifest.get().time,
        metadata,
        deliveries: delivered.collect::<Result<_, _>>()?,
    };
    Ok(Verdict { facts, list, keys })
}

/// One place each, by recipient and place in the pair.
fn check_order(deliveries: &[Delivery]) -> Result<(), EvidenceError> {
    let places = deliveries.iter().map(|delivery| Place::claimed(&delivery.share));
    let places = places.map(|place| place.map(|place| (place.recipient, place.sequence)));
    is_ascending(&places.collect::<Result<Vec<_>, _>>()?)
}

fn is_ascending<T: Ord>(items: &[T]) -> Result<(), EvidenceError> {
    if items.is_sorted_by(|one, next| one < next) { Ok(()) } else { Err(EvidenceError::Order) }
}

/// Steps 3 and 4 of §8, for whomever the share names. Keys that were rotated since count here, marked; a sender who was
/// compromised never does, nor what was signed after leaving.
fn share(
    log: &Log,
    manifest: &crate::record::RawRecord,
    delivery: &Delivery,
) -> Result<VerifiedShare, EvidenceError> {
    let recipient = Place::claimed(&delivery.share)?.recipient;
    let sealed = delivery.sealed();
    let verify = |seen| VerifiedShare::verify(&sealed, manifest.clone(), log, recipient, seen);
    match verify(false) {
        Err(ShareError::Standing(StandingError::Rotated)) => Ok(verify(true)?),
        outcome => Ok(outcome?),
    }
}

fn file_keys(key: &FileKey, manifest: &VerifiedManifest) -> Result<FileKeys, EvidenceError> {
    let keys = FileKeys::derive(key, &manifest.place());
    if keys.commitment == manifest.get().commitment { Ok(keys) } else { Err(EvidenceError::FileKey) }
}

fn open_metadata(
    manifest: &VerifiedManifest,
    keys: Option<&FileKeys>,
    sealed: &[u8],
) -> Result<Option<Metadata>, MetadataError> {
    let stated = Stated { hash: manifest.get().metadata, layout: *manifest.layout() };
    match keys {
        Some(keys) => Metadata::open(&keys.metadata, &manifest.place(), &stated, sealed).map(Some),
        None => stated.check(sealed).map(|()| None),
    }
}

/// Exactly the people that the shares name.
struct People(Vec<VerifiedOpening>);

impl People {
    fn new(shares: &[VerifiedShare], openings: Vec<VerifiedOpening>) -> Result<Self, EvidenceError> {
        let contexts = shares.iter().map(VerifiedShare::context);
        let mut named: Vec<UserId> =
            contexts.flat_map(|context| [context.sender, context.recipient]).collect();
        named.sort_unstable();
        named.dedup();
        let given: Vec<UserId> = openings.iter().map(VerifiedOpening::user_id).collect();
        if given == named { Ok(Self(openings)) } else { Err(EvidenceError::People) }
    }

    fn party(&self, log: &Log, user_id: UserId) -> Result<Party, EvidenceError> {
        let opening = self.0.iter().find(|opening| opening.user_id() == user_id);
        let member = log.member(user_id);
        let (opening, member) = opening.zip(member).ok_or(EvidenceError::People)?;
        Ok(Party {
            user_id,
            email: opening.email().as_str().to_owned(),
            name: opening.name().to_owned(),
            role: member.role,
            certified_by: member.certified_by,
        })
    }
}

fn judge(
    log: &Log,
    people: &People,
    share: &VerifiedShare,
    delivery: Delivery,
) -> Result<Delivered, EvidenceError> {
    let context = share.context();
    let receipts = delivery.receipts.0.into_iter().map(|raw| VerifiedReceipt::verify(raw, share, log));
    let receipts = receipts.collect::<Result<Vec<_>, _>>()?;
    is_ascending(&receipts.iter().map(|receipt| (receipt.get().time, receipt.id())).collect::<Vec<_>>())?;
    let compromised = is_compromised(log, context.recipient);
    let receipts: Vec<ReceiptFacts> = receipts.iter().map(|receipt| facts(receipt, compromised)).collect();
    let received = !receipts.is_empty() && !compromised;
    let sender = people.party(log, context.sender)?;
    let recipient = people.party(log, context.recipient)?;
    let mut marks = share_marks(log, share);
    let doubt = |party: &Party, mark| is_compromised(log, party.certified_by).then_some(mark);
    marks.extend(doubt(&sender, Mark::SenderAdmittedByCompromised));
    marks.extend(doubt(&recipient, Mark::RecipientAdmittedByCompromised));
    marks.extend(receipts.is_empty().then_some(Mark::NoReceipt));
    marks.extend(receipts.iter().filter_map(|receipt| receipt.mark));
    marks.sort_unstable();
    marks.dedup();
    Ok(Delivered {
        recipient,
        share: share.id(),
        shared_at: context.time,
        log_size: context.log_size,
        expiry: context.expiry,
        limit: context.limit,
        proves: if received { Proves::Receipt } else { Proves::Sending },
        receipts,
        marks,
    })
}

fn share_marks(log: &Log, share: &VerifiedShare) -> Vec<Mark> {
    let left = log.member(share.context().sender).is_some_and(|sender| !sender.is_active());
    let retired = share.standing() == Standing::Retired;
    let marks = [retired.then_some(Mark::SenderKeyRetired), left.then_some(Mark::SenderLeft)];
    marks.into_iter().flatten().collect()
}

fn facts(receipt: &VerifiedReceipt, compromised: bool) -> ReceiptFacts {
    let mark = match receipt.standing() {
        _ if compromised => Some(Mark::ReceiptSignerCompromised),
        Standing::Current => None,
        Standing::Retired => Some(Mark::ReceiptKeyRetired),
        Standing::Left => Some(Mark::ReceiptSignerLeft),
    };
    let record = receipt.get();
    ReceiptFacts { id: receipt.id(), time: record.time, log_size: record.log_size, mark }
}

fn is_compromised(log: &Log, user_id: UserId) -> bool {
    let ended = log.member(user_id).and_then(|member| member.ended);
    ended.is_some_and(|ended| ended.reason == RevokeReason::Compromised)
}
