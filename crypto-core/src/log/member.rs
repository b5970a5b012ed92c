//! What the log says about one person.

use crate::{
    id::{Digest, RecordId, UserId},
    records::{RevokeReason, Role},
};

/// A person whom the log admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub user_id: UserId,
    /// Commitment to e-mail address and name.
    pub subject: Digest,
    /// What they may do; never changes.
    pub role: Role,
    /// Sequence of the entry that admitted them.
    pub admitted: u64,
    /// Who admitted them; the founder themselves.
    pub certified_by: UserId,
    /// H(OFFER) by which they came; zeros for the founder.
    pub offer: RecordId,
    /// The account that this one replaced.
    pub replaces: Option<UserId>,
    /// Set once the membership ended.
    pub ended: Option<Ended>,
    /// The first generation of keys, then one more for each rotation.
    pub(super) first: Generation,
    pub(super) later: Vec<Generation>,
}

/// One generation of a person's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// H(bundle).
    pub bundle: RecordId,
    /// From 1.
    pub number: u64,
    /// The smallest log size at which it was current.
    pub since: u64,
    /// The greatest log size at which it was current; `None` while it is.
    pub until: Option<u64>,
}

/// How a membership ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Sequence of the entry that ended it.
    pub sequence: u64,
    /// Who ended it.
    pub by: UserId,
    /// Records that name a log of at most this size still count, if the reason is `left`.
    pub last_valid_size: u64,
    /// Why.
    pub reason: RevokeReason,
    /// The account that took this one's place.
    pub replaced_by: Option<UserId>,
}

impl Generation {
    /// Whether it was the current one when the log had `size` entries.
    pub fn current_at(&self, size: u64) -> bool {
        self.since <= size && self.until.is_none_or(|until| size <= until)
    }
}

impl Member {
    /// Whether the membership lasts.
    pub fn is_active(&self) -> bool {
        self.ended.is_none()
    }

    /// The newest generation of keys: the current one while the membership lasts.
    pub fn current(&self) -> &Generation {
        self.later.last().unwrap_or(&self.first)
    }

    /// Every generation of keys, oldest first.
    pub fn generations(&self) -> impl Iterator<Item = &Generation> {
        std::iter::once(&self.first).chain(&self.later)
    }

    /// The generation whose bundle is `bundle`.
    pub fn generation_of(&self, bundle: RecordId) -> Option<&Generation> {
        self.generations().find(|generation| generation.bundle == bundle)
    }

    /// The log's size once the newest entry that took something from their keys was in it; 0 if none did.
    pub(super) fn keys_lost_at(&self) -> u64 {
        let ended = self.ended.map_or(0, |ended| ended.sequence + 1);
        self.later.last().map_or(ended, |newest| newest.since.max(ended))
    }

    pub(super) fn current_mut(&mut self) -> &mut Generation {
        self.later.last_mut().unwrap_or(&mut self.first)
    }
}
