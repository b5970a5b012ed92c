//! Ending a membership (protocol §5.1, `revoke`).

use sealpost_api::{account::MemberSummary, routes};
use sealpost_crypto::{
    email::EmailAddress,
    id::UserId,
    log::{Log, Member},
    record::RawRecord,
    records::{RevokeReason, Role},
};

use crate::{
    directory::{Directory, Person},
    error::{Error, ErrorKind, Result},
    server::Call,
    signed_in::{Inner, SignedIn},
};

/// A membership that is about to end, and what follows.
#[must_use = "nothing has ended before `revoke`"]
pub struct Revocation {
    me: SignedIn,
    person: Person,
    role: Role,
    has_left: bool,
    certified: Vec<Person>,
    summary: MemberSummary,
}

/// A membership that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Whose.
    pub person: Person,
    /// Why.
    pub reason: RevokeReason,
    /// Active members whom they had admitted: worth another look, if the keys were in other hands.
    pub certified: Vec<Person>,
}

impl SignedIn {
    /// Who has, or last had, this address, and what follows when their membership ends. Somebody who has left may be named
    /// once more, if it turns out that their keys were in other hands.
    ///
    /// # Errors
    /// [`ErrorKind::RecipientUnknown`]; [`ErrorKind::Conflict`] (`last_ops`) for the only active Ops member,
    /// (`already_revoked`) for somebody revoked as compromised.
    pub async fn revocation(&self, email: &EmailAddress) -> Result<Revocation> {
        let inner = &self.inner;
        let log = inner.ops_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        let user_id = directory.resolve_former(&log, email)?;
        let not_shown = || Error::internal("a resolved person is not in the directory");
        let member = log.member(user_id).ok_or_else(not_shown)?;
        check(&log, member)?;
        let person = directory.person(user_id).ok_or_else(not_shown)?;
        let certified = certified_by(&log, &directory, user_id);
        let (role, has_left) = (member.role, !member.is_active());
        drop(log);
        let summary = inner.caller.get(Call::new(routes::MEMBER, &[&user_id])).await?;
        Ok(Revocation { me: self.clone(), person, role, has_left, certified, summary })
    }
}

impl Revocation {
    /// Whose.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// What they may do.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether it is oneself.
    pub fn is_oneself(&self) -> bool {
        self.person.user_id == self.me.inner.profile.user_id
    }

    /// Whether the membership has ended already: then it can only be said that their keys were in other hands.
    pub fn has_left(&self) -> bool {
        self.has_left
    }

    /// Active members whom they have admitted. They stay members.
    pub fn certified(&self) -> &[Person] {
        &self.certified
    }

    /// Shares to them that can be used now, by the server's word.
    pub fn shares_to_them(&self) -> u64 {
        self.summary.shares_received
    }

    /// Shares of theirs to others that can be used now, by the server's word.
    pub fn shares_by_them(&self) -> u64 {
        self.summary.shares_given
    }

    /// Invites of theirs that nobody was certified by yet, by the server's word.
    pub fn invites(&self) -> u64 {
        self.summary.open_invites
    }

    /// Ends the membership. What they signed before the log state that this device has verified still counts, marked, if
    /// they left; nothing does, if they were compromised.
    ///
    /// # Errors
    /// As [`SignedIn::revocation`], if others have changed the log meanwhile.
    pub async fn revoke(self, reason: RevokeReason) -> Result<Revoked> {
        let Self { me, person, certified, .. } = self;
        let inner = &me.inner;
        let entry = |log: &Log| inner.revocation_entry(log, person.user_id, reason);
        match inner.append_entry(entry).await {
            // The entry is in the log, which whoever has revoked themselves can't read any more.
            Err(error)
                if error.kind() == ErrorKind::AccountEnded && person.user_id == inner.profile.user_id => {}
            outcome => outcome?,
        }
        Ok(Revoked { person, reason, certified })
    }
}

impl Inner {
    fn revocation_entry(
        &self,
        log: &Log,
        user_id: UserId,
        reason: RevokeReason,
    ) -> Result<Option<RawRecord>> {
        let member = log.member(user_id).ok_or_else(|| Error::internal("a member is not in the log"))?;
        if member.ended.is_some_and(|ended| ended.reason == reason) {
            return Ok(None);
        }
        check(log, member)?;
        let signer = log.ops_signer(&self.account)?;
        Ok(Some(signer.revoke(user_id, log.size(), reason)?.into_raw()))
    }
}

/// What the log would refuse, in clearer words.
fn check(log: &Log, member: &Member) -> Result<()> {
    if member.ended.is_some_and(|ended| ended.reason == RevokeReason::Compromised) {
        let message = "this membership was ended already, because the keys may be in other hands";
        return Err(Error::new(ErrorKind::Conflict, "already_revoked", message)
            .with_hint("There is nothing left to be ended."));
    }
    let is_other_ops = |other: &Member| other.user_id != member.user_id && log.is_active_ops(other.user_id);
    if log.is_active_ops(member.user_id) && !log.members().any(is_other_ops) {
        let message =
            "this is the only active Ops member: without one, nobody could deliver, invite or revoke";
        return Err(Error::new(ErrorKind::Conflict, "last_ops", message)
            .with_hint("Invite another Ops member first: `sealpost invite EMAIL --role ops`."));
    }
    Ok(())
}

/// By address.
fn certified_by(log: &Log, directory: &Directory, user_id: UserId) -> Vec<Person> {
    let theirs =
        |member: &&Member| member.certified_by == user_id && member.user_id != user_id && member.is_active();
    let mut people: Vec<Person> =
        log.members().filter(theirs).filter_map(|member| directory.person(member.user_id)).collect();
    people.sort_by(|a, b| a.email.cmp(&b.email));
    people
}
