//! The server's signed statements about the log, and the log states that records name (protocol §5).

use super::Log;
use crate::{
    error::failures,
    id::RecordId,
    record::{self, RawRecord, RecordError, Signed},
    records::{Checkpoint, LogPosition},
    sign::SigningPublicKey,
};

/// A checkpoint that the server signed and that agrees with our log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint(Signed<Checkpoint>);

impl VerifiedCheckpoint {
    /// The log state, in the form in which records name it.
    pub fn position(&self) -> LogPosition {
        position_of(&self.0)
    }

    /// As it travels.
    pub fn raw(&self) -> &RawRecord {
        self.0.raw()
    }
}

/// The server signed two different heads for one size. [`crate::fork`] makes a proof of it that others can check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server has signed two different histories of the organisation")]
pub struct Fork {
    /// The size at which the histories differ, or earlier.
    pub size: u64,
    /// Our head at that size.
    pub ours: RecordId,
    /// The checkpoint that contradicts it.
    pub theirs: RawRecord,
    /// The entries through which that checkpoint leads back to [`Fork::size`]; none if it is of that size.
    pub branch: Vec<RawRecord>,
    /// The newest checkpoint under which we hold ours, if one was verified.
    pub our_checkpoint: Option<RawRecord>,
}

/// How a log state that a record names lies to our log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionCheck {
    /// Our log's own, or one that it once had.
    Known,
    /// One that our log has not reached. The caller syncs; a server that has no such entries withholds the log.
    Ahead,
}

/// Why a log state that a record names is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// The server never signed it: the record is malformed, and nobody is accused of a fork.
    #[error("the record names a log state that the server never signed")]
    Malformed,
    /// Ahead of our log, and not signed by the newest checkpoint key that we know. The caller syncs and tries
    /// once more; what stays unproven is malformed.
    #[error("the record names a log state that can't be checked before the log is synced")]
    Unproven,
    /// The server signed another history than ours.
    #[error("the server has shown two different histories of the organisation")]
    Fork(#[source] Box<Fork>),
}

impl PositionError {
    /// The codes of this enum.
    pub const CODES: &'static [&'static str] = &["position_malformed", "position_unproven", "log_fork"];

    /// The stable code of this kind.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "position_malformed",
            Self::Unproven => "position_unproven",
            Self::Fork(_) => "log_fork",
        }
    }
}

failures! {
    /// Why a checkpoint was refused.
    CheckpointError {
        /// Of another organisation.
        ForeignOrganisation = "foreign_organisation", "the checkpoint is of another organisation";
        /// Smaller than what this log has already seen.
        Rollback = "log_rollback", "the server shows an older log than it has shown before";
        /// Larger than our log: entries are missing.
        Ahead = "log_incomplete", "the checkpoint covers entries that have not come";
    }
    from {
        /// The record itself.
        Record(RecordError),
        /// Its signature or its head.
        Position(PositionError),
    }
}

impl Log {
    /// The key that signs checkpoints of `size` entries, as far as this log tells; `None` for size 0.
    pub fn checkpoint_key_at(&self, size: u64) -> Option<&SigningPublicKey> {
        self.checkpoint_keys.iter().rev().find(|(since, _)| *since <= size).map(|(_, key)| key)
    }

    /// The one key that has ever signed checkpoints: the founding's. `None` once an Ops member has put another in its
    /// place.
    pub(crate) fn founding_checkpoint_key(&self) -> Option<&SigningPublicKey> {
        match self.checkpoint_keys.as_slice() {
            [(_, key)] => Some(key),
            _ => None,
        }
    }

    /// What the server signs about this log's head.
    pub fn to_checkpoint(&self) -> Checkpoint {
        Checkpoint { org_id: self.org_id, log_size: self.size(), log_head: self.head() }
    }

    /// The newest checkpoint that [`Log::accept_checkpoint`] took: what our own records name.
    pub fn checkpoint(&self) -> Option<VerifiedCheckpoint> {
        self.checkpoint.clone().map(VerifiedCheckpoint)
    }

    /// Verifies a checkpoint over a size that our log has or had.
    pub fn verify_checkpoint(&self, raw: RawRecord) -> Result<VerifiedCheckpoint, CheckpointError> {
        let claim: Checkpoint = raw.claim()?;
        if claim.org_id != self.org_id {
            return Err(CheckpointError::ForeignOrganisation);
        }
        match self.verify_position(&LogPosition {
            size: claim.log_size,
            head: claim.log_head,
            signature: raw.signature.clone(),
        })? {
            PositionCheck::Ahead => Err(CheckpointError::Ahead),
            PositionCheck::Known => {
                let key = self.checkpoint_key_at(claim.log_size).ok_or(PositionError::Malformed)?;
                Ok(VerifiedCheckpoint(Signed::verify(raw, key)?))
            }
        }
    }

    /// Verifies the checkpoint that the server gives as its newest, after every entry that it gave was
    /// applied: it must cover exactly our log.
    pub fn accept_checkpoint(&mut self, raw: RawRecord) -> Result<VerifiedCheckpoint, CheckpointError> {
        let verified = self.verify_checkpoint(raw)?;
        if verified.0.log_size < self.size() {
            return Err(CheckpointError::Rollback);
        }
        self.checkpoint = Some(verified.0.clone());
        Ok(verified)
    }

    /// Checks a log state that a record names: first the server's signature over it, then its head against
    /// ours.
    pub fn verify_position(&self, position: &LogPosition) -> Result<PositionCheck, PositionError> {
        let ahead = position.size > self.size();
        let unsigned = if ahead { PositionError::Unproven } else { PositionError::Malformed };
        if !self.is_signed(position) {
            return Err(unsigned);
        }
        match self.head_at(position.size) {
            None => Ok(PositionCheck::Ahead),
            Some(ours) if ours != position.head => Err(self.fork(position, ours)),
            Some(_) => Ok(PositionCheck::Known),
        }
    }

    fn is_signed(&self, position: &LogPosition) -> bool {
        let record = Checkpoint { org_id: self.org_id, log_size: position.size, log_head: position.head };
        let raw = record::raw_again(&record, position.signature.clone());
        self.checkpoint_key_at(position.size)
            .is_some_and(|key| Signed::<Checkpoint>::verify(raw, key).is_ok())
    }

    fn fork(&self, position: &LogPosition, ours: RecordId) -> PositionError {
        let theirs = Checkpoint { org_id: self.org_id, log_size: position.size, log_head: position.head };
        PositionError::Fork(Box::new(Fork {
            size: position.size,
            ours,
            theirs: record::raw_again(&theirs, position.signature.clone()),
            branch: Vec::new(),
            our_checkpoint: self.checkpoint.as_ref().map(|checkpoint| checkpoint.raw().clone()),
        }))
    }
}

fn position_of(checkpoint: &Signed<Checkpoint>) -> LogPosition {
    LogPosition {
        size: checkpoint.log_size,
        head: checkpoint.log_head,
        signature: checkpoint.raw().signature.clone(),
    }
}
