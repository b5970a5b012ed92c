//! Proof that the server signed two different histories (protocol §14.4), which anybody checks offline who knows the
//! organisation's id.
//!
//! ```text
//! genesis ← entry ← entry          the log, with the server's signature over its head
//!               ↖ (branch) ← …     another checkpoint, signed by the same key, that does not fit
//! ```
//!
//! Nobody can frame a server: both signatures must be by the checkpoint key that stands in the genesis. A key that an Ops
//! member put into the log later proves nothing here, because any Ops member can write such an entry for itself.

use serde::{Deserialize, Serialize};

use crate::{
    error::failures,
    id::{OrgId, RecordId},
    log::{Fork, History, HistoryError, Log, link},
    record::{RawRecord, RecordError, Signed},
    records::Checkpoint,
    strict::{self, Bounded},
};

/// What the file's first member says.
pub const FORMAT: &str = "sealpost/v1/fork";
/// Greatest length of the file in bytes.
pub const MAX_BYTES: usize = strict::MAX_FILE;
/// Most entries by which the other history is longer.
const MAX_BRANCH: usize = 1_000;

failures! {
    /// Why two different histories are not proven.
    ForkError {
        /// Over the limit.
        TooLong = "evidence_too_long", "the file is larger than any proof";
        /// No such file, or of another version.
        Format = "fork_format", "the file is no proof of a version that this program knows";
        /// Not the one encoding that §14 allows.
        Malformed = "fork_malformed", "the proof is malformed: cut off, or changed";
        /// Nobody but an Ops member says that the key is the server's.
        KeyNotFounding = "fork_key_not_founded", "the statements are not signed by the key that the organisation was founded with";
        /// The second statement is not the server's.
        Unsigned = "fork_unsigned", "the second statement is not signed by the server";
        /// The entries between do not lead from the second statement into the log.
        Branch = "fork_branch", "the second history does not hang together";
        /// Both statements fit one history.
        SameHistory = "fork_same_history", "both statements belong to one history";
    }
    from {
        /// The log, with the first statement.
        Log(HistoryError),
        /// A record.
        Record(RecordError),
    }
}

/// The server signed two different histories. Only [`verify`] builds one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenFork {
    org_id: OrgId,
    organisation: String,
    size: u64,
    heads: [RecordId; 2],
    checkpoints: [Checkpoint; 2],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    format: String,
    log: History,
    branch: Bounded<RawRecord, MAX_BRANCH>,
    other: RawRecord,
}

/// Whether a file says that it is such a proof, of this version or another one.
pub fn is_proof(bytes: &[u8]) -> bool {
    strict::format(bytes).is_some_and(|format| format.starts_with("sealpost/") && format.ends_with("/fork"))
}

/// Writes down a fork that was met while `log` was the newest log with a signed head.
///
/// # Errors
/// Why others could not check it: then it is no proof.
pub fn prove(log: &Log, fork: &Fork) -> Result<Vec<u8>, ForkError> {
    let proof = Proof {
        format: FORMAT.to_owned(),
        log: History::of(log).ok_or(ForkError::Malformed)?,
        branch: Bounded(fork.branch.clone()),
        other: fork.theirs.clone(),
    };
    let bytes = serde_json::to_vec(&proof).map_err(|_| ForkError::Malformed)?;
    verify(&bytes, log.org_id())?;
    Ok(bytes)
}

/// The fork in an answer that goes on from another head than that of `log`: `entries` from the log's size on, and the
/// checkpoint over the last of them. `None` if the server's signature does not prove it.
pub fn diverging(log: &Log, entries: Vec<RawRecord>, checkpoint: RawRecord) -> Option<Fork> {
    let fork = Fork {
        size: log.size(),
        ours: log.head(),
        theirs: checkpoint,
        branch: entries,
        our_checkpoint: log.checkpoint().map(|checkpoint| checkpoint.raw().clone()),
    };
    prove(log, &fork).is_ok().then_some(fork)
}

/// Verifies a proof against the organisation that the caller trusts. `bytes` are at most [`MAX_BYTES`].
///
/// # Errors
/// Why it is not proven; nobody is accused of anything then.
pub fn verify(bytes: &[u8], org_id: OrgId) -> Result<ProvenFork, ForkError> {
    if bytes.len() > MAX_BYTES {
        return Err(ForkError::TooLong);
    }
    if strict::format(bytes) != Some(FORMAT) {
        return Err(ForkError::Format);
    }
    let proof: Proof = strict::parse(bytes).ok_or(ForkError::Malformed)?;
    let log = proof.log.verify(org_id)?;
    let other = verify_other(&log, proof.other)?;
    let (size, head) = descend(&log, &other, &proof.branch.0)?;
    let ours = log.head_at(size).ok_or(ForkError::Branch)?;
    if ours == head {
        return Err(ForkError::SameHistory);
    }
    Ok(ProvenFork {
        org_id,
        organisation: log.name().to_owned(),
        size,
        heads: [ours, head],
        checkpoints: [log.to_checkpoint(), other],
    })
}

/// The second statement, under the key that the organisation was founded with.
fn verify_other(log: &Log, raw: RawRecord) -> Result<Checkpoint, ForkError> {
    let key = log.founding_checkpoint_key().ok_or(ForkError::KeyNotFounding)?;
    let other = Signed::<Checkpoint>::verify(raw, key).map_err(|error| match error {
        RecordError::BadSignature => ForkError::Unsigned,
        error => error.into(),
    })?;
    if other.org_id == log.org_id() { Ok(other.get().clone()) } else { Err(ForkError::Unsigned) }
}

/// From the second statement down along its entries; where that ends, and with which head.
fn descend(log: &Log, other: &Checkpoint, branch: &[RawRecord]) -> Result<(u64, RecordId), ForkError> {
    let (mut size, mut head) = (other.log_size, other.log_head);
    for entry in branch.iter().rev() {
        let (sequence, previous) = link(entry).ok_or(ForkError::Branch)?;
        if size <= log.size() || sequence + 1 != size || entry.id() != head {
            return Err(ForkError::Branch);
        }
        (size, head) = (sequence, previous);
    }
    Ok((size, head))
}

impl ProvenFork {
    /// The organisation.
    pub fn org_id(&self) -> OrgId {
        self.org_id
    }

    /// Its name.
    pub fn organisation(&self) -> &str {
        &self.organisation
    }

    /// A number of entries after which the histories differ.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The two heads at that size.
    pub fn heads(&self) -> &[RecordId; 2] {
        &self.heads
    }

    /// What the server signed.
    pub fn checkpoints(&self) -> &[Checkpoint; 2] {
        &self.checkpoints
    }
}

#[cfg(test)]
mod tests;
