//! Who signed a record, and whether that signature counts (protocol §5, "When a signature by generation g
//! counts").

use super::{Log, Member, PositionCheck, PositionError};
use crate::{
    error::failures,
    record::{Author, Authored, RawRecord, RecordError, Signed},
    records::{LogPosition, RevokeReason, Role},
};

failures! {
    /// Why a record has no author in this log.
    #[derive(Copy)]
    AuthorError {
        /// The record belongs to another organisation.
        ForeignOrganisation = "foreign_organisation", "the record belongs to another organisation";
        /// Nobody of that id was certified.
        Signer = "signer_unknown", "the record is signed by somebody who was never certified";
        /// The keys were not certified for that person.
        Bundle = "signer_bundle_unknown", "the record is signed under keys that were not certified for its signer";
    }
    from {
        /// The record itself.
        Record(RecordError),
    }
}

failures! {
    /// Why a signature does not count.
    StandingError {
        /// The keys were not current at the log size that the record names.
        NotCurrentThen = "signer_not_current", "the record's keys were not its signer's current ones at the log size it names";
        /// The keys were rotated since, and nothing that counts leads to the record.
        Rotated = "signer_rotated", "the record is signed under keys that have since been rotated";
        /// The signer left, and the record is younger than their last valid log size.
        AfterLeaving = "signer_left", "the record was signed after its signer had left";
        /// The signer's keys may be in other hands.
        Compromised = "signer_compromised", "the record's signer was revoked because the keys may be in other hands";
        /// The record names a log state that our log has not reached: sync, or the server withholds the log.
        Ahead = "log_behind", "the record names a newer state of the organisation than this log has";
        /// A Client can't do this.
        NotOps = "signer_not_ops", "the record is signed by somebody who is not in the Ops role";
    }
    from {
        /// Who signed it.
        Author(AuthorError),
        /// The log state that it names.
        Position(PositionError),
    }
}

/// In what way a signature counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// (a) The signer is a member, and the keys are their current ones.
    Current,
    /// (b) The keys are not current any more; the record counts because a record that counts leads to it, or
    /// because it was seen while they were.
    Retired,
    /// (c) The signer has left, and the record may be backdated.
    Left,
}

impl Log {
    /// Verifies a record under the keys that the log certified for the person it names.
    ///
    /// Says who signed, not that the signature counts: that is [`Log::standing`].
    pub fn verify_authored<R: Authored>(&self, raw: RawRecord) -> Result<Signed<R>, AuthorError> {
        let author = raw.claim::<R>()?.author();
        self.author(&author)?;
        let bundle = self.bundle(author.signer_bundle).ok_or(AuthorError::Bundle)?;
        Ok(Signed::verify(raw, bundle.signing_key())?)
    }

    /// Whether a record by `author` that names the log state `position` counts, and how. `seen`: the record is
    /// pinned, or a record that counts leads to it (previous in pair, H(manifest), previous manifest).
    pub fn standing(
        &self,
        author: &Author,
        position: &LogPosition,
        seen: bool,
    ) -> Result<Standing, StandingError> {
        let member = self.check_current_then(author, position)?;
        let newest = member.current().bundle == author.signer_bundle;
        match member.ended {
            None if newest => Ok(Standing::Current),
            Some(ended)
                if newest && ended.reason == RevokeReason::Left && position.size <= ended.last_valid_size =>
            {
                Ok(Standing::Left)
            }
            _ if seen => Ok(Standing::Retired),
            None => Err(StandingError::Rotated),
            Some(ended) if ended.reason == RevokeReason::Compromised => Err(StandingError::Compromised),
            Some(_) if newest => Err(StandingError::AfterLeaving),
            Some(_) => Err(StandingError::Rotated),
        }
    }

    /// As [`Log::standing`], for what only Ops members sign.
    pub fn ops_standing(
        &self,
        author: &Author,
        position: &LogPosition,
        seen: bool,
    ) -> Result<Standing, StandingError> {
        let standing = self.standing(author, position, seen)?;
        match self.author(author)?.role {
            Role::Ops => Ok(standing),
            Role::Client => Err(StandingError::NotOps),
        }
    }

    /// What every rule begins with: the author is certified, the log state is one of ours, and the keys were
    /// current in it.
    pub(crate) fn check_current_then(
        &self,
        author: &Author,
        position: &LogPosition,
    ) -> Result<&Member, StandingError> {
        let member = self.author(author)?;
        if self.verify_position(position)? == PositionCheck::Ahead {
            return Err(StandingError::Ahead);
        }
        let generation = member.generation_of(author.signer_bundle).ok_or(AuthorError::Bundle)?;
        if generation.current_at(position.size) { Ok(member) } else { Err(StandingError::NotCurrentThen) }
    }

    fn author(&self, author: &Author) -> Result<&Member, AuthorError> {
        if author.org_id != self.org_id {
            return Err(AuthorError::ForeignOrganisation);
        }
        let member = self.members.get(&author.signer).ok_or(AuthorError::Signer)?;
        member.generation_of(author.signer_bundle).ok_or(AuthorError::Bundle)?;
        Ok(member)
    }
}
