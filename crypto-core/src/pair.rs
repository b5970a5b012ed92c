//! The history of a pair (sender, recipient) over all files (protocol §4): shares and unshares, counted from 1,
//! each naming the one before. Nothing can be left out of the middle, and nothing ended comes back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    encoding::int53,
    error::failures,
    id::{FileId, RecordId, UserId},
    log::{AuthorError, Log, StandingError},
    record::{self, Authored, RawRecord, Record, Signed},
    records::{Positioned, Role, Share, ShareContext, Unshare},
};

failures! {
    /// Why a record can't be an entry of any pair's history.
    PairEntryError {
        /// Neither `share` nor `unshare`.
        WrongType = "pair_wrong_type", "the record is neither a share nor an unshare";
        /// Signed by one person about another's share.
        Sender = "share_context_sender", "the share's signer is not the sender that its context names";
        /// Sequences count from 1, and exactly the first has nothing before it.
        Place = "share_pair_place", "the record's place among the shares to this person is not possible";
    }
    from {
        /// The record itself, or who signed it.
        Author(AuthorError),
        /// The keys were not the signer's at the log size it names, or not an Ops member's.
        Standing(StandingError),
    }
}

/// Why an entry does not continue a pair's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// Of another sender or recipient.
    #[error("the record belongs to another pair of sender and recipient")]
    OtherPair,
    /// Entries are missing; the server leaves something out.
    #[error("record {missing} between this sender and recipient is missing")]
    Gap {
        /// The first sequence number that is missing.
        missing: u64,
    },
    /// Two records by one author at one place. Blocks, and accuses nobody: two devices can do this.
    #[error("two records claim place {sequence} between this sender and recipient")]
    Conflict {
        /// The place.
        sequence: u64,
        /// What we hold there.
        ours: RecordId,
        /// What this history has there.
        theirs: RecordId,
    },
    /// Older than what is known; its place is taken and can't be compared any more.
    #[error("record {sequence} between this sender and recipient is older than what is known")]
    Behind {
        /// Its place.
        sequence: u64,
    },
    /// The unshare ends a share that is not live.
    #[error("the unshare ends a share that is not in force")]
    NotLive,
}

impl PairError {
    /// The codes of this enum.
    pub const CODES: &'static [&'static str] =
        &["pair_other", "pair_gap", "pair_conflict", "pair_behind", "unshare_not_live"];

    /// The stable code of this kind.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherPair => "pair_other",
            Self::Gap { .. } => "pair_gap",
            Self::Conflict { .. } => "pair_conflict",
            Self::Behind { .. } => "pair_behind",
            Self::NotLive => "unshare_not_live",
        }
    }
}

/// A share or unshare whose author was certified, in the Ops role, and signed it under keys that were current
/// at the log size it names. Whether the signature still counts follows from what leads to it (§5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairEntry {
    id: RecordId,
    sender: UserId,
    recipient: UserId,
    sequence: u64,
    previous: RecordId,
    file_id: FileId,
    /// The share that this entry ends; `None` if it is a share.
    ends: Option<RecordId>,
    /// Whether the signature counts by itself, without a record that leads here (§5.4).
    counts: bool,
}

/// How far a pair's history is known: what a device pins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairState {
    sender: UserId,
    recipient: UserId,
    #[serde(with = "int53")]
    sequence: u64,
    head: RecordId,
    live: BTreeMap<FileId, RecordId>,
    /// How many of the newest records did not count when they were seen, with no share that counts after them; what ends
    /// them is among them.
    #[serde(default, skip_serializing_if = "int53::is_zero", with = "int53")]
    uncounted: u64,
    /// Which of the shares in force are among them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    uncounted_live: BTreeSet<FileId>,
}

impl PairEntry {
    /// Verifies a record of a pair's history.
    pub fn verify(raw: RawRecord, log: &Log) -> Result<Self, PairEntryError> {
        let (mut entry, author, position) = match raw.kind.as_str() {
            Share::KIND => {
                let share = log.verify_authored::<Share>(raw)?;
                let context: ShareContext = record::parse(&share.context.0).map_err(AuthorError::Record)?;
                if (context.sender, context.sender_bundle) != (share.signer, share.signer_bundle) {
                    return Err(PairEntryError::Sender);
                }
                (Self::of_share(&share, &context), share.author(), context.position())
            }
            Unshare::KIND => {
                let unshare = log.verify_authored::<Unshare>(raw)?;
                (Self::of_unshare(&unshare), unshare.author(), unshare.position())
            }
            _ => return Err(PairEntryError::WrongType),
        };
        if log.check_current_then(&author, &position)?.role != Role::Ops {
            return Err(StandingError::NotOps.into());
        }
        entry.counts = log.standing(&author, &position, false).is_ok();
        if valid_place(entry.sequence, entry.previous) { Ok(entry) } else { Err(PairEntryError::Place) }
    }

    /// Of a share whose signature counts, as one's own does.
    pub(crate) fn of_share(share: &Signed<Share>, context: &ShareContext) -> Self {
        Self {
            id: share.id(),
            sender: context.sender,
            recipient: context.recipient,
            sequence: context.pair_sequence,
            previous: context.pair_previous,
            file_id: context.file_id,
            ends: None,
            counts: true,
        }
    }

    /// As [`PairEntry::of_share`].
    pub(crate) fn of_unshare(unshare: &Signed<Unshare>) -> Self {
        Self {
            id: unshare.id(),
            sender: unshare.signer,
            recipient: unshare.recipient,
            sequence: unshare.pair_sequence,
            previous: unshare.pair_previous,
            file_id: unshare.file_id,
            ends: Some(unshare.share),
            counts: true,
        }
    }

    /// H(record).
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// Its place in the pair's history, from 1.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// H(the entry before), or zeros.
    pub fn previous(&self) -> RecordId {
        self.previous
    }

    /// The file.
    pub fn file_id(&self) -> FileId {
        self.file_id
    }

    /// Whether it ends a share, rather than makes one.
    pub fn is_unshare(&self) -> bool {
        self.ends.is_some()
    }

    /// H of the share that it ends, if it is an unshare whose signature counts by itself.
    pub fn ends_for_sure(&self) -> Option<RecordId> {
        self.ends.filter(|_| self.counts)
    }
}

impl PairState {
    /// The history before its first record.
    pub fn new(sender: UserId, recipient: UserId) -> Self {
        Self {
            sender,
            recipient,
            sequence: 0,
            head: RecordId::ZERO,
            live: BTreeMap::new(),
            uncounted: 0,
            uncounted_live: BTreeSet::new(),
        }
    }

    /// Continues the history by one entry. The same entry once more changes nothing; on an error nothing has
    /// changed either.
    pub fn apply(&mut self, entry: &PairEntry) -> Result<(), PairError> {
        if (entry.sender, entry.recipient) != (self.sender, self.recipient) {
            return Err(PairError::OtherPair);
        }
        if entry.sequence <= self.sequence {
            return self.check_known(entry);
        }
        if entry.sequence > self.next_sequence() {
            return Err(PairError::Gap { missing: self.next_sequence() });
        }
        if entry.previous != self.head {
            return Err(self.conflict(self.sequence, entry.previous));
        }
        match entry.ends {
            None => {
                self.live.insert(entry.file_id, entry.id);
            }
            Some(share) if self.live(entry.file_id) == Some(share) => {
                self.live.remove(&entry.file_id);
            }
            Some(_) => return Err(PairError::NotLive),
        }
        (self.sequence, self.head) = (entry.sequence, entry.id);
        self.note_standing(entry);
        Ok(())
    }

    /// A share that counts leads to all before it (§5.4, rule (b)). An unshare leads to nothing: several shares that do not
    /// count are ended one by one, and each end would vouch for those that are still in force.
    fn note_standing(&mut self, entry: &PairEntry) {
        if entry.counts && (!entry.is_unshare() || self.uncounted == 0) {
            self.vouch();
            return;
        }
        self.uncounted += 1;
        match entry.ends {
            None => self.uncounted_live.insert(entry.file_id),
            Some(_) => self.uncounted_live.remove(&entry.file_id),
        };
    }

    /// Who shares.
    pub fn sender(&self) -> UserId {
        self.sender
    }

    /// With whom.
    pub fn recipient(&self) -> UserId {
        self.recipient
    }

    /// How many entries are known.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The place of the next entry.
    pub fn next_sequence(&self) -> u64 {
        self.sequence + 1
    }

    /// H(the newest entry), or zeros.
    pub fn head(&self) -> RecordId {
        self.head
    }

    /// H(the share in force for a file); `None` if it is not shared, or not any more.
    pub fn live(&self, file_id: FileId) -> Option<RecordId> {
        self.live.get(&file_id).copied()
    }

    /// Every file shared now, with H(its share).
    pub fn all_live(&self) -> impl Iterator<Item = (FileId, RecordId)> + '_ {
        self.live.iter().map(|(file_id, share)| (*file_id, *share))
    }

    /// Up to which place records count: each counted when it was seen, or a later share that did leads to it by
    /// `pair_previous` (§5.4, rule (b)).
    pub fn counted(&self) -> u64 {
        self.sequence.saturating_sub(self.uncounted)
    }

    /// All records known so far count: what is sealed in one's own vault says so of one's own.
    pub fn vouch(&mut self) {
        (self.uncounted, self.uncounted_live) = (0, BTreeSet::new());
    }

    /// Whether the share in force for a file, if there is one, counts.
    pub fn counts(&self, file_id: FileId) -> bool {
        self.live.contains_key(&file_id) && !self.uncounted_live.contains(&file_id)
    }

    /// Files whose share in force does not count: somebody with a rotated key, and the server, may have put it there.
    pub fn uncounted_live(&self) -> impl Iterator<Item = FileId> + '_ {
        self.uncounted_live.iter().copied()
    }

    fn check_known(&self, entry: &PairEntry) -> Result<(), PairError> {
        if entry.sequence < self.sequence {
            return Err(PairError::Behind { sequence: entry.sequence });
        }
        if entry.id == self.head { Ok(()) } else { Err(self.conflict(entry.sequence, entry.id)) }
    }

    fn conflict(&self, sequence: u64, theirs: RecordId) -> PairError {
        PairError::Conflict { sequence, ours: self.head, theirs }
    }
}

/// Sequences count from 1, and exactly the first entry has nothing before it.
pub(crate) fn valid_place(sequence: u64, previous: RecordId) -> bool {
    sequence >= 1 && (sequence == 1) == previous.is_zero()
}

#[cfg(test)]
mod tests;
