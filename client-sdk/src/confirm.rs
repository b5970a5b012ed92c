//! Admitting somebody after both have compared twelve words (protocol §6.5): every replacement of an account, and
//! whoever was invited that way.

use sealpost_api::invite::AcceptanceView;
use sealpost_crypto::{
    email::EmailAddress,
    id::{Digest, InviteId},
    log::Log,
    opening::Opening,
    records::Role,
    vault::PendingInvite,
    words,
};

use crate::{
    admit::Certified,
    directory::{Directory, Person},
    error::{Error, ErrorKind, Result},
    signed_in::{Inner, SignedIn},
};

/// Somebody who has accepted an invite of ours, with the words that tell whether it is really them. Their account
/// sees the same ones (`Identity::words`) exactly when nobody else has used the code.
#[must_use = "nobody is admitted before `admit`"]
pub struct Confirmation {
    me: SignedIn,
    invite_id: InviteId,
    invite: PendingInvite,
    acceptance: AcceptanceView,
    words: [&'static str; words::COUNT],
    replaces: Option<Person>,
}

impl SignedIn {
    /// Who waits under this address to be admitted by us, verified, with the words to compare.
    ///
    /// # Errors
    /// [`ErrorKind::RecipientUnknown`] if we have no invite out to this address; [`ErrorKind::RecipientPending`] if
    /// it was not accepted yet; [`ErrorKind::Verification`] if what was accepted does not verify, or the account to be
    /// replaced has another address.
    pub async fn confirmation(&self, email: &EmailAddress) -> Result<Confirmation> {
        let inner = &self.inner;
        let accepted = inner.accepted_invites().await?;
        let invites = inner.pending_invites(&accepted).await?;
        let log = inner.ops_log().await?;
        let ours =
            |invite: &PendingInvite| invite.email == email.as_str() && log.member(invite.user_id).is_none();
        let open: Vec<_> = invites.into_iter().filter(|(_, invite)| ours(invite)).collect();
        let is_open = !open.is_empty();
        let waits = |(id, invite): (InviteId, PendingInvite)| {
            let (_, acceptance) = accepted.iter().find(|(accepted, _)| *accepted == id)?;
            Some((id, invite, acceptance.clone()))
        };
        let found = open.into_iter().find_map(waits);
        let (invite_id, invite, acceptance) = found.ok_or_else(|| nobody_waits(email, is_open))?;
        let verified = inner.verify_acceptance(&log, &invite, &acceptance)?;
        let words = words::words(log.org_id(), inner.account.bundle().id(), verified.bundle().id());
        let replaces = inner.replaced_person(&log, &invite, verified.offer().subject).await?;
        drop(log);
        Ok(Confirmation { me: self.clone(), invite_id, invite, acceptance, words, replaces })
    }
}

impl Confirmation {
    /// Under which address.
    pub fn email(&self) -> &str {
        &self.invite.email
    }

    /// As what.
    pub fn role(&self) -> Role {
        self.invite.role
    }

    /// The account whose place the new one takes.
    pub fn replaces(&self) -> Option<&Person> {
        self.replaces.as_ref()
    }

    /// What both people read to each other; BIP39's English list.
    pub fn words(&self) -> &[&'static str; words::COUNT] {
        &self.words
    }

    /// Admits them: the words were the same. A replaced account ends with the same entry of the log.
    pub async fn admit(self) -> Result<Certified> {
        let Self { me, invite_id, invite, acceptance, replaces, .. } = self;
        let inner = &me.inner;
        let replaces = replaces.map(|person| person.user_id);
        inner.certify(&invite, &acceptance, replaces).await?;
        inner.forget_invites(&[invite_id]).await?;
        Ok(Certified { user_id: invite.user_id, email: invite.email })
    }
}

impl Inner {
    /// The account that an invite replaces. Both addresses must be equal, by openings that verify (§6.4): that of the
    /// old account against the log, that of the new one against the `subject` that was offered.
    async fn replaced_person(
        &self,
        log: &Log,
        invite: &PendingInvite,
        subject: Digest,
    ) -> Result<Option<Person>> {
        if invite.replaces.is_zero() {
            return Ok(None);
        }
        let (user_id, salt, name) = (invite.user_id, invite.salt, invite.name.clone());
        let new = Opening { user_id, salt, email: invite.email.parse()?, name }.verify(subject)?;
        let old = Directory::fetch(&self.caller, log).await?.person(invite.replaces);
        match old.filter(|old| old.email == new.email().as_str()) {
            Some(old) => Ok(Some(old)),
            None => Err(Error::verification(
                "replaces_other_address",
                "the account to be replaced has not the address that was invited",
            )),
        }
    }
}

fn nobody_waits(email: &EmailAddress, invited: bool) -> Error {
    if invited {
        let message = format!("{email} has not accepted the invite yet");
        return Error::new(ErrorKind::RecipientPending, "recipient_pending", message)
            .with_hint("They run `sealpost join` with the code first; then both of you see the words.");
    }
    let message = format!("nobody waits for your confirmation as {email}");
    Error::new(ErrorKind::RecipientUnknown, "recipient_unknown", message)
        .with_hint("Whoever made the invite confirms it; `sealpost contacts` shows who is a member already.")
}
