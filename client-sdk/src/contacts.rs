//! Whom this account may know, and whether their keys are the right ones: the list of contacts, and the twelve
//! words that two people compare (protocol §6).

use sealpost_crypto::{
    email::EmailAddress,
    id::UserId,
    log::{Log, Member},
    records::{RevokeReason, Role},
    vault::{PairKey, PendingInvite},
    words,
};

use crate::{
    directory::{Directory, Person, Succession},
    error::{Error, Result},
    session::now,
    signed_in::{Inner, SignedIn},
};

/// Somebody whom this account may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Who they are: certified in the log, or, while pending, as we invited them.
    pub person: Person,
    /// What they may do, by the log or by our invite.
    pub role: Role,
    /// Where they stand.
    pub status: ContactStatus,
    /// Whether this account has seen shares to them or from them, ended ones too.
    pub has_shares: bool,
    /// Set if this account took the place of another one: who admitted it, and when.
    pub succession: Option<Succession>,
    /// Set if they have changed their keys: twelve words that were compared before are others now.
    pub keys_changed: Option<KeysChanged>,
}

/// When somebody last put new keys in place of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysChanged {
    /// Which generation of keys they have, from 1: one more than how often they were changed.
    pub generation: u64,
    /// How many entries the organisation's log had with the change, by the log.
    pub log_size: u64,
    /// When, by the server's word; UTC seconds.
    pub at: Option<u64>,
}

/// Where a contact stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactStatus {
    /// Invited by this account, and not certified yet.
    Pending,
    /// A member.
    Active,
    /// Has left.
    Left,
    /// Removed because their keys were in other hands: nothing that they signed counts any more.
    Compromised,
    /// Another account of the same person took this one's place.
    Replaced,
}

/// What two people compare: the same words on both sides mean that each has the other's real keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The other one.
    pub person: Person,
    /// What they may do.
    pub role: Role,
    /// The words, in order; BIP39's English list.
    pub words: [&'static str; words::COUNT],
    /// Set if the other one has changed their keys.
    pub keys_changed: Option<KeysChanged>,
}

impl SignedIn {
    /// Everybody whom this account may know, by address: Clients see the Ops members, Ops members see all, and
    /// whom they invited themselves. Addresses and names are verified against the log.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Verification`] if the server relabels people.
    pub async fn contacts(&self) -> Result<Vec<Contact>> {
        let inner = &self.inner;
        let log = inner.member_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        let mut contacts = Vec::new();
        for person in directory.people() {
            let Some(member) = log.member(person.user_id) else { continue };
            if member.user_id != inner.profile.user_id {
                let succession = directory.succession(&log, member.user_id);
                let keys_changed = directory.keys_changed(member);
                contacts.push(inner.contact(member, person, succession, keys_changed).await?);
            }
        }
        contacts.extend(inner.pending_contacts(&log).await?);
        contacts
            .sort_by(|a, b| (&a.person.email, a.person.user_id).cmp(&(&b.person.email, b.person.user_id)));
        Ok(contacts)
    }

    /// The twelve words for one active contact; that person's `verify` of our address gives the same.
    ///
    /// # Errors
    /// [`crate::ErrorKind::RecipientUnknown`], [`crate::ErrorKind::RecipientPending`];
    /// [`crate::ErrorKind::InvalidInput`] for our own address.
    pub async fn verify(&self, email: &EmailAddress) -> Result<Verification> {
        let inner = &self.inner;
        let log = inner.member_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        let user_id = directory.resolve(&log, email)?;
        if user_id == inner.profile.user_id {
            return Err(Error::invalid("this is your own address: words are compared between two people")
                .with_hint("Give the other person's address."));
        }
        let not_shown = || Error::internal("a resolved person is not in the directory");
        let other = log.active(user_id).ok_or_else(not_shown)?;
        let person = directory.person(user_id).ok_or_else(not_shown)?;
        let words = words::words(log.org_id(), inner.account.bundle().id(), other.bundle().id());
        let keys_changed = directory.keys_changed(other.member());
        Ok(Verification { person, role: other.member().role, words, keys_changed })
    }
}

impl Inner {
    async fn contact(
        &self,
        member: &Member,
        person: Person,
        succession: Option<Succession>,
        keys_changed: Option<KeysChanged>,
    ) -> Result<Contact> {
        let has_shares = self.has_shares(member.user_id).await?;
        let (role, status) = (member.role, status(member));
        Ok(Contact { person, role, status, has_shares, succession, keys_changed })
    }

    /// By the pins: what was verified once, the server can't take back.
    async fn has_shares(&self, other: UserId) -> Result<bool> {
        let vault = self.vault().await?;
        let me = self.profile.user_id;
        let pairs = [PairKey { sender: me, recipient: other }, PairKey { sender: other, recipient: me }];
        Ok(pairs.iter().any(|pair| vault.pair(pair).is_some()))
    }

    /// Whom we invited ourselves: what others have invited, the server alone would vouch for.
    async fn pending_contacts(&self, log: &Log) -> Result<Vec<Contact>> {
        let vault = self.vault().await?;
        let open = vault.vault().invites.values();
        let open = open.filter(|invite| self.may_be_certified(log, invite) && now() <= invite.expiry);
        Ok(open.map(pending).collect())
    }
}

fn pending(invite: &PendingInvite) -> Contact {
    Contact {
        person: Person { user_id: invite.user_id, email: invite.email.clone(), name: invite.name.clone() },
        role: invite.role,
        status: ContactStatus::Pending,
        has_shares: false,
        succession: None,
        keys_changed: None,
    }
}

fn status(member: &Member) -> ContactStatus {
    match &member.ended {
        None => ContactStatus::Active,
        Some(ended) if ended.replaced_by.is_some() => ContactStatus::Replaced,
        Some(ended) if ended.reason == RevokeReason::Compromised => ContactStatus::Compromised,
        Some(_) => ContactStatus::Left,
    }
}
