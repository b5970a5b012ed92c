//! Appending to the log: each entry is checked whole against the state before it, then applied whole.

use super::{AuthorError, Ended, Generation, Log, Member, Stored};
use crate::{
    bundle::{BundleError, VerifiedBundle},
    error::failures,
    id::{RecordId, UserId},
    record::{Authored, RawRecord, Record, Signed},
    records::{Certify, Revoke, RevokeReason, Role, Rotate, Service},
};

failures! {
    /// Why an entry was refused. The log is as it was before.
    LogError {
        /// Only `certify`, `rotate`, `revoke` and `service` follow genesis.
        NotAnEntry = "log_not_an_entry", "a record of this type does not belong into the log";
        /// The sequence number is not the log's size.
        Sequence = "log_sequence", "the entry's sequence number is not the next one";
        /// It does not follow our head: another history, or a reordered one.
        Previous = "log_previous", "the entry does not follow the log's head";
        /// The signer's membership had ended.
        SignerEnded = "log_signer_ended", "the entry is signed by somebody whose membership had ended";
        /// The signer's keys had been rotated.
        SignerRotated = "log_signer_rotated", "the entry is signed under keys that had been rotated";
        /// Only Ops members sign this type.
        SignerNotOps = "log_signer_not_ops", "the entry is signed by somebody who is not in the Ops role";
        /// A user_id is certified once.
        AlreadyCertified = "already_certified", "the account was certified before";
        /// `replaces` names nobody who is active.
        Replaces = "log_replaces", "the account to be replaced is not an active one";
        /// The entry introduces keys, and their bundle is missing.
        BundleMissing = "log_bundle_missing", "the bundle that the entry introduces is missing";
        /// The entry introduces no keys, and a bundle came with it.
        BundleUnexpected = "log_bundle_unexpected", "a bundle came with an entry that introduces none";
        /// The bundle is of another person or organisation.
        BundleForeign = "log_bundle_foreign", "the bundle belongs to somebody else";
        /// Generations begin at 1, go up by one, and are equal in entry and bundle.
        Generation = "log_generation", "the generation of the keys is not the next one";
        /// A rotation that changes only one of the two keys, or none.
        KeysKept = "log_keys_kept", "the rotation keeps a key of the generation before";
        /// Nobody to revoke.
        NotAMember = "log_not_a_member", "the account to be revoked was never certified";
        /// Already ended, and not from `left` to `compromised`.
        AlreadyEnded = "log_already_ended", "the membership had already ended";
        /// More than the entry's own sequence.
        LastValidSize = "log_last_valid_size", "the revocation's last valid size lies in the future";
        /// An organisation without Ops could never change again.
        NoOpsLeft = "log_no_ops_left", "the entry would leave no active Ops member";
        /// The server's new key is not valid.
        CheckpointKey = "checkpoint_key_invalid", "the new checkpoint key is not valid";
    }
    from {
        /// The record itself, or who signed it.
        Author(AuthorError),
        /// The bundle that came with it.
        Bundle(BundleError),
    }
}

/// What an entry changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Somebody is a member now.
    Certified {
        /// The new account.
        user_id: UserId,
        /// The account whose place it takes.
        replaces: Option<UserId>,
    },
    /// Somebody has new keys.
    Rotated {
        /// Who.
        user_id: UserId,
    },
    /// Somebody's membership ended.
    Revoked {
        /// Who.
        user_id: UserId,
        /// Why.
        reason: RevokeReason,
    },
    /// The server has a new checkpoint key.
    Service,
}

/// An entry of a type that follows genesis.
trait Entry: Authored {
    fn sequence(&self) -> u64;
    fn previous(&self) -> RecordId;
}

macro_rules! entries {
    ($($name:ident),*) => { $(
        impl Entry for $name {
            fn sequence(&self) -> u64 { self.sequence }
            fn previous(&self) -> RecordId { self.previous }
        }
    )* };
}
entries!(Certify, Rotate, Revoke, Service);

/// Where an entry says that it stands, and what before it; unverified. `None` for what is no entry, and for `service`,
/// which changes who signs checkpoints.
pub(crate) fn link(entry: &RawRecord) -> Option<(u64, RecordId)> {
    fn claim<E: Entry>(entry: &RawRecord) -> Option<(u64, RecordId)> {
        entry.claim::<E>().ok().map(|entry| (entry.sequence(), entry.previous()))
    }
    match entry.kind.as_str() {
        Certify::KIND => claim::<Certify>(entry),
        Rotate::KIND => claim::<Rotate>(entry),
        Revoke::KIND => claim::<Revoke>(entry),
        _ => None,
    }
}

impl Log {
    /// Verifies `entry`, and the `bundle` that it introduces, against the log so far, and appends it. On an
    /// error nothing has changed.
    pub fn apply(&mut self, entry: RawRecord, bundle: Option<RawRecord>) -> Result<Applied, LogError> {
        match entry.kind.as_str() {
            Certify::KIND => self.certify(entry, bundle),
            Rotate::KIND => self.rotate(entry, bundle),
            Revoke::KIND => self.revoke(entry, bundle),
            Service::KIND => self.service(entry, bundle),
            _ => Err(LogError::NotAnEntry),
        }
    }

    fn certify(&mut self, raw: RawRecord, bundle: Option<RawRecord>) -> Result<Applied, LogError> {
        let entry = self.verify_by_ops::<Certify>(raw)?;
        if self.members.contains_key(&entry.user_id) {
            return Err(LogError::AlreadyCertified);
        }
        let replaces = self.check_replaces(&entry)?;
        let bundle = self.verify_introduced(bundle, entry.bundle, entry.user_id)?;
        if (entry.generation, bundle.generation()) != (1, 1) {
            return Err(LogError::Generation);
        }

        if let Some(replaced) = replaces {
            self.end(
                replaced,
                Ended {
                    sequence: entry.sequence,
                    by: entry.signer,
                    last_valid_size: entry.sequence,
                    reason: RevokeReason::Left,
                    replaced_by: Some(entry.user_id),
                },
            );
        }
        self.active_ops += usize::from(entry.role == Role::Ops);
        self.members.insert(entry.user_id, admitted(&entry, replaces));
        let user_id = entry.user_id;
        self.push(entry.into_raw(), Some(bundle));
        Ok(Applied::Certified { user_id, replaces })
    }

    fn rotate(&mut self, raw: RawRecord, bundle: Option<RawRecord>) -> Result<Applied, LogError> {
        let entry = self.verify_entry::<Rotate>(raw)?;
        let old = self.bundles.get(&entry.signer_bundle).ok_or(AuthorError::Bundle)?;
        let bundle = self.verify_introduced(bundle, entry.bundle, entry.signer)?;
        let next = old.generation() + 1;
        if (entry.generation, bundle.generation()) != (next, next) {
            return Err(LogError::Generation);
        }
        if bundle.signing_key() == old.signing_key() || bundle.kem_key() == old.kem_key() {
            return Err(LogError::KeysKept);
        }
        let user_id = entry.signer;
        let member = self.members.get_mut(&user_id).ok_or(AuthorError::Signer)?;

        member.current_mut().until = Some(entry.sequence);
        member.later.push(Generation {
            bundle: bundle.id(),
            number: next,
            since: entry.sequence + 1,
            until: None,
        });
        self.push(entry.into_raw(), Some(bundle));
        Ok(Applied::Rotated { user_id })
    }

    fn revoke(&mut self, raw: RawRecord, bundle: Option<RawRecord>) -> Result<Applied, LogError> {
        no_bundle(bundle)?;
        let entry = self.verify_by_ops::<Revoke>(raw)?;
        let (user_id, reason) = (entry.user_id, entry.reason);
        let member = self.members.get(&user_id).ok_or(LogError::NotAMember)?;
        if !may_end(member, reason) {
            return Err(LogError::AlreadyEnded);
        }
        if entry.last_valid_size > entry.sequence {
            return Err(LogError::LastValidSize);
        }
        if self.is_active_ops(user_id) && self.active_ops == 1 {
            return Err(LogError::NoOpsLeft);
        }

        self.end(
            user_id,
            Ended {
                sequence: entry.sequence,
                by: entry.signer,
                last_valid_size: entry.last_valid_size,
                reason,
                replaced_by: member.ended.and_then(|ended| ended.replaced_by),
            },
        );
        self.push(entry.into_raw(), None);
        Ok(Applied::Revoked { user_id, reason })
    }

    fn service(&mut self, raw: RawRecord, bundle: Option<RawRecord>) -> Result<Applied, LogError> {
        no_bundle(bundle)?;
        let entry = self.verify_by_ops::<Service>(raw)?;
        if !entry.checkpoint_key.is_valid() {
            return Err(LogError::CheckpointKey);
        }

        self.checkpoint_keys.push((entry.sequence + 1, entry.checkpoint_key.clone()));
        self.push(entry.into_raw(), None);
        Ok(Applied::Service)
    }

    fn verify_by_ops<E: Entry>(&self, raw: RawRecord) -> Result<Signed<E>, LogError> {
        let entry = self.verify_entry::<E>(raw)?;
        if self.is_active_ops(entry.author().signer) { Ok(entry) } else { Err(LogError::SignerNotOps) }
    }

    /// Signature, place in the chain, and a signer who is active under their current keys.
    fn verify_entry<E: Entry>(&self, raw: RawRecord) -> Result<Signed<E>, LogError> {
        let entry = self.verify_authored::<E>(raw)?;
        if entry.sequence() != self.size() {
            return Err(LogError::Sequence);
        }
        if entry.previous() != self.head() {
            return Err(LogError::Previous);
        }
        let author = entry.author();
        let member = self.members.get(&author.signer).ok_or(AuthorError::Signer)?;
        if !member.is_active() {
            return Err(LogError::SignerEnded);
        }
        if member.current().bundle != author.signer_bundle {
            return Err(LogError::SignerRotated);
        }
        Ok(entry)
    }

    fn verify_introduced(
        &self,
        bundle: Option<RawRecord>,
        expected: RecordId,
        user_id: UserId,
    ) -> Result<VerifiedBundle, LogError> {
        let bundle = VerifiedBundle::verify(bundle.ok_or(LogError::BundleMissing)?, expected)?;
        if bundle.org_id() == self.org_id && bundle.user_id() == user_id {
            Ok(bundle)
        } else {
            Err(LogError::BundleForeign)
        }
    }

    fn check_replaces(&self, entry: &Certify) -> Result<Option<UserId>, LogError> {
        if entry.replaces.is_zero() {
            return Ok(None);
        }
        if !self.members.get(&entry.replaces).is_some_and(Member::is_active) {
            return Err(LogError::Replaces);
        }
        if entry.role != Role::Ops && self.is_active_ops(entry.replaces) && self.active_ops == 1 {
            return Err(LogError::NoOpsLeft);
        }
        Ok(Some(entry.replaces))
    }

    fn end(&mut self, user_id: UserId, ended: Ended) {
        self.active_ops -= usize::from(self.is_active_ops(user_id));
        if let Some(member) = self.members.get_mut(&user_id) {
            let generation = member.current_mut();
            generation.until = generation.until.or(Some(ended.sequence));
            member.ended = Some(ended);
        }
    }

    fn push(&mut self, raw: RawRecord, bundle: Option<VerifiedBundle>) {
        self.entries.push(Stored { id: raw.id(), raw, bundle: bundle.as_ref().map(VerifiedBundle::id) });
        self.bundles.extend(bundle.map(|bundle| (bundle.id(), bundle)));
    }
}

fn no_bundle(bundle: Option<RawRecord>) -> Result<(), LogError> {
    if bundle.is_none() { Ok(()) } else { Err(LogError::BundleUnexpected) }
}

/// Whether a revocation for `reason` applies. What left can turn out to have been compromised, not the reverse.
fn may_end(member: &Member, reason: RevokeReason) -> bool {
    member.ended.is_none_or(|ended| ended.reason == RevokeReason::Left && reason == RevokeReason::Compromised)
}

fn admitted(entry: &Signed<Certify>, replaces: Option<UserId>) -> Member {
    Member {
        user_id: entry.user_id,
        subject: entry.subject,
        role: entry.role,
        admitted: entry.sequence,
        certified_by: entry.signer,
        offer: entry.offer,
        replaces,
        ended: None,
        first: Generation {
            bundle: entry.bundle,
            number: entry.generation,
            since: entry.sequence + 1,
            until: None,
        },
        later: Vec::new(),
    }
}
