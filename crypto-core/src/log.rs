//! The organisation's log (protocol §5): an append-only hash chain of `genesis`, `certify`, `rotate`, `revoke`
//! and `service`. Every entry is verified against the state before it; a [`Log`] that exists was verified whole.
//!
//! ```text
//! genesis ← certify ← certify ← rotate ← revoke …      each names H(the entry before)
//!    └ bundle   └ bundle   └ bundle  └ bundle          the keys that the entry introduces
//! ```
//!
//! Clients and server use the same code: nothing here needs a secret.

mod apply;
mod checkpoint;
mod found;
mod history;
mod member;
mod signer;
mod standing;

use std::collections::HashMap;

pub(crate) use apply::link;
pub use apply::{Applied, LogError};
pub use checkpoint::{CheckpointError, Fork, PositionCheck, PositionError, VerifiedCheckpoint};
pub use found::{Founding, FoundingError, MAX_NAME_BYTES};
pub use history::{History, HistoryError};
pub use member::{Ended, Generation, Member};
pub use signer::{OpsSigner, Signer, SignerError};
pub use standing::{AuthorError, Standing, StandingError};

use crate::{
    bundle::VerifiedBundle,
    id::{OrgId, RecordId, UserId},
    record::{RawRecord, Signed},
    records::{Checkpoint, Role},
    sign::SigningPublicKey,
};

/// A verified log, from genesis to its head.
///
/// Memory: about 2.5 KB for each entry with a bundle, so 250 MB for 100,000 people.
#[derive(Debug, Clone)]
pub struct Log {
    org_id: OrgId,
    name: String,
    entries: Vec<Stored>,
    members: HashMap<UserId, Member>,
    bundles: HashMap<RecordId, VerifiedBundle>,
    active_ops: usize,
    /// From which size on which key signs checkpoints; ascending.
    checkpoint_keys: Vec<(u64, SigningPublicKey)>,
    /// The newest checkpoint that was verified.
    checkpoint: Option<Signed<Checkpoint>>,
}

/// An entry as it stands in the chain.
#[derive(Debug, Clone)]
struct Stored {
    id: RecordId,
    raw: RawRecord,
    bundle: Option<RecordId>,
}

/// An entry as it travels, with the bundle that it introduces (`genesis`, `certify`, `rotate`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The entry.
    pub record: RawRecord,
    /// The bundle whose hash it names.
    pub bundle: Option<RawRecord>,
}

/// An active member with the keys that count now: what wrapping takes. Only a [`Log`] gives one.
#[derive(Debug, Clone, Copy)]
pub struct ActiveMember<'a> {
    member: &'a Member,
    bundle: &'a VerifiedBundle,
}

impl<'a> ActiveMember<'a> {
    /// The person.
    pub fn member(&self) -> &'a Member {
        self.member
    }

    /// Their current keys.
    pub fn bundle(&self) -> &'a VerifiedBundle {
        self.bundle
    }
}

impl Log {
    /// The organisation.
    pub fn org_id(&self) -> OrgId {
        self.org_id
    }

    /// The organisation's name; shown, never trusted to be anything.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many entries, genesis included.
    pub fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    /// H(the last entry).
    pub fn head(&self) -> RecordId {
        self.entries.last().map_or(RecordId::ZERO, |entry| entry.id)
    }

    /// H(the last entry) of the log of `size` entries; `None` if it never had that size.
    pub fn head_at(&self, size: u64) -> Option<RecordId> {
        let last = usize::try_from(size.checked_sub(1)?).ok()?;
        self.entries.get(last).map(|entry| entry.id)
    }

    /// Entries from sequence `from` on, as they travel.
    pub fn entries(&self, from: u64) -> impl Iterator<Item = LogEntry> + '_ {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        self.entries.iter().skip(from).map(|entry| LogEntry {
            record: entry.raw.clone(),
            bundle: entry.bundle.and_then(|id| self.bundles.get(&id)).map(VerifiedBundle::raw),
        })
    }

    /// Somebody who was certified, whether active or not.
    pub fn member(&self, user_id: UserId) -> Option<&Member> {
        self.members.get(&user_id)
    }

    /// Everybody who was ever certified, in no order.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// A certified bundle of any generation.
    pub fn bundle(&self, id: RecordId) -> Option<&VerifiedBundle> {
        self.bundles.get(&id)
    }

    /// Somebody who is active now, with their current keys.
    pub fn active(&self, user_id: UserId) -> Option<ActiveMember<'_>> {
        let member = self.members.get(&user_id).filter(|member| member.is_active())?;
        let bundle = self.bundles.get(&member.current().bundle)?;
        Some(ActiveMember { member, bundle })
    }

    /// The smallest size since which everybody's keys count as they do now: whoever is shown a smaller log may take keys for
    /// current that are not.
    pub fn keys_lost_at(&self) -> u64 {
        self.members.values().map(Member::keys_lost_at).max().unwrap_or(0)
    }

    /// Whether somebody is active now and in the Ops role.
    pub fn is_active_ops(&self, user_id: UserId) -> bool {
        self.members.get(&user_id).is_some_and(|member| member.is_active() && member.role == Role::Ops)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
