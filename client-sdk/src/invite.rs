//! Inviting people (protocol §6): Clients, further Ops members, and whoever has lost an account. Who accepted is
//! admitted in [`crate::admit`].

use std::time::Duration;

use sealpost_api::{
    invite::{CreateInvite, InviteView},
    limits::MAX_INVITE_SECONDS,
    routes,
};
use sealpost_crypto::{
    email::EmailAddress,
    id::{Digest, InviteId, UserId},
    invite::{self, InviteCode, OfferRequest},
    log::Log,
    opening::Opening,
    records::Role,
    vault::{PendingInvite, Rest},
};
use zeroize::Zeroizing;

use crate::{
    directory::Directory,
    error::{Error, Result},
    server::Call,
    session::now,
    signed_in::{Inner, SignedIn},
};

/// Whom to invite.
#[derive(Debug, Clone)]
pub struct InviteRequest {
    /// The address under which they will be known.
    pub email: EmailAddress,
    /// How long the invite may be accepted; at most [`MAX_INVITE_SECONDS`].
    pub expires_in: Duration,
    /// Whether the account must use an account key beside its password.
    pub account_key: bool,
}

/// A further Ops member to invite. Their account always needs an account key, and they are never admitted before
/// twelve words were compared: [`SignedIn::confirmation`].
#[derive(Debug, Clone)]
pub struct OpsInvite {
    /// The address under which they will be known.
    pub email: EmailAddress,
    /// Their name, as clients will see it; may be empty.
    pub name: String,
    /// How long the invite may be accepted; at most [`MAX_INVITE_SECONDS`].
    pub expires_in: Duration,
}

/// When somebody who accepts an invite is certified, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitting {
    /// By the inviter's next session, of whatever kind.
    InPassing,
    /// Once both have compared twelve words: [`SignedIn::confirmation`].
    Confirmed,
    /// The same, and in place of the account that has the address now, in its role and under its name: for who has
    /// lost password and kit.
    Replacing,
}

/// An invite. The code is a bearer secret: whoever uses it first is the invitee.
pub struct NewInvite {
    /// The code.
    pub code: InviteCode,
    /// The code inside a link to this server.
    pub link: Zeroizing<String>,
    /// Until when it may be accepted; UTC seconds.
    pub expires_at: u64,
    /// What they will be.
    pub role: Role,
    /// Under which name; empty for Clients.
    pub name: String,
    /// Whether the account must use an account key beside its password.
    pub account_key: bool,
    /// The account that the new one is to replace.
    pub replaces: Option<UserId>,
}

/// An invite before it is known whether the person was invited before.
struct Wish {
    email: EmailAddress,
    name: String,
    role: Role,
    account_key: bool,
    confirm: bool,
    replaces: UserId,
    expiry: u64,
}

impl SignedIn {
    /// Invites a Client, who is certified by our next session after accepting.
    pub async fn invite(&self, request: InviteRequest) -> Result<NewInvite> {
        self.invite_with(request, Admitting::InPassing).await
    }

    /// Invites a Client, or whoever has lost an account. The code is in our vault before the server hears of the
    /// invite, so that whoever accepts can always be certified. Inviting an address again before it is certified
    /// gives a new code for the same account, whoever among the Ops members invited it first.
    ///
    /// # Errors
    /// With [`Admitting::Replacing`]: [`crate::ErrorKind::RecipientUnknown`] if nobody has the address.
    pub async fn invite_with(&self, request: InviteRequest, admitting: Admitting) -> Result<NewInvite> {
        let InviteRequest { email, expires_in, account_key } = request;
        let expiry = expiry(expires_in)?;
        let wish = match admitting {
            Admitting::Replacing => {
                let replaced = self.inner.to_replace(&email).await?;
                let account_key = account_key || replaced.role == Role::Ops;
                Wish { account_key, expiry, ..replaced }
            }
            Admitting::InPassing | Admitting::Confirmed => Wish {
                email,
                name: String::new(),
                role: Role::Client,
                account_key,
                confirm: admitting == Admitting::Confirmed,
                replaces: UserId::ZERO,
                expiry,
            },
        };
        self.inner.invite(wish).await
    }

    /// Invites a further Ops member, or gives one who is not admitted yet a new code.
    pub async fn invite_ops(&self, request: OpsInvite) -> Result<NewInvite> {
        let OpsInvite { email, name, expires_in } = request;
        let expiry = expiry(expires_in)?;
        let (replaces, role) = (UserId::ZERO, Role::Ops);
        self.inner
            .invite(Wish { email, name, role, account_key: true, confirm: true, replaces, expiry })
            .await
    }
}

impl Wish {
    /// Whether `known`, under which the person was invited before, says the name that they are to have. A colleague
    /// who is still active may have given it.
    fn agrees_with(&self, known: &Opening, is_vouched: bool) -> bool {
        let inherits = self.role == Role::Ops && self.name.is_empty() && is_vouched;
        inherits || known.name == self.name
    }
}

impl Inner {
    async fn invite(&self, wish: Wish) -> Result<NewInvite> {
        let (code, log) = (InviteCode::random(), self.ops_log().await?);
        let opening = self.opening_for(&log, &wish).await?;
        let Wish { role, account_key, confirm, replaces, expiry, .. } = wish;
        let terms = OfferRequest { opening: opening.clone(), role, account_key, expiry };
        let sealed = invite::offer(&log.ops_signer(&self.account)?, &code, terms)?;
        drop(log);
        let pending = PendingInvite {
            secret: code.secret().clone(),
            user_id: opening.user_id,
            email: opening.email.as_str().to_owned(),
            name: opening.name.clone(),
            salt: opening.salt,
            role,
            account_key,
            confirm,
            replaces,
            expiry,
            offer: sealed.offer.clone(),
            rest: Rest::new(),
        };
        self.remember_invite(code.keys().invite_id, pending).await?;
        let replaces = (!replaces.is_zero()).then_some(replaces);
        let create = CreateInvite {
            offer: sealed.offer,
            mac: sealed.mac,
            opening: opening.clone(),
            sealed_opening: sealed.sealed_opening,
            token_hash: invite::token_hash(&code.keys().token),
            replaces,
        };
        let _: InviteView = self.caller.post(Call::new(routes::CREATE_INVITE, &[]), &create).await?;
        let link = code.reveal_link(self.caller.server().url().as_str());
        Ok(NewInvite { code, link, expires_at: expiry, role, name: opening.name, account_key, replaces })
    }

    /// The account that an invite to `email` is to replace, and as what.
    async fn to_replace(&self, email: &EmailAddress) -> Result<Wish> {
        let log = self.ops_log().await?;
        let directory = Directory::fetch(&self.caller, &log).await?;
        let replaces = self.recipient(&log, &directory, email)?;
        let missing = || Error::internal("a resolved person is not in the directory");
        let member = log.member(replaces).ok_or_else(missing)?;
        let name = directory.person(replaces).ok_or_else(missing)?.name;
        let (email, role) = (email.clone(), member.role);
        Ok(Wish { email, name, role, account_key: false, confirm: true, replaces, expiry: 0 })
    }

    /// Who is to be certified: for an address that was invited before, by us or by a colleague, the same account once
    /// more, so that a new code takes the place of the old one, used or not.
    async fn opening_for(&self, log: &Log, wish: &Wish) -> Result<Opening> {
        let by_us = self.invited_by_us(log, &wish.email, wish.replaces).await?;
        if let Some(opening) = by_us.into_iter().find(|opening| wish.agrees_with(opening, true)) {
            return Ok(opening);
        }
        let offered = self.offered(log).await?;
        let again = offered.iter().find(|offered| {
            offered.is_to(&wish.email) && wish.agrees_with(offered.opening(), offered.is_vouched())
        });
        Ok(again.map_or_else(
            || Opening {
                user_id: UserId::random(),
                salt: Digest::random(),
                email: wish.email.clone(),
                name: wish.name.clone(),
            },
            |offered| offered.opening().clone(),
        ))
    }

    /// Who is pending under an address by an invite of our own.
    pub(crate) async fn invited_by_us(
        &self,
        log: &Log,
        email: &EmailAddress,
        replaces: UserId,
    ) -> Result<Vec<Opening>> {
        let vault = self.vault().await?;
        let open = vault.vault().invites.values().filter(|invite| {
            invite.email == email.as_str()
                && invite.replaces == replaces
                && log.member(invite.user_id).is_none()
        });
        let opening = |invite: &PendingInvite| Opening {
            user_id: invite.user_id,
            salt: invite.salt,
            email: email.clone(),
            name: invite.name.clone(),
        };
        Ok(open.map(opening).collect())
    }

    async fn remember_invite(&self, invite_id: InviteId, pending: PendingInvite) -> Result<()> {
        let mut vault = self.vault().await?;
        vault
            .change(self.access(), |vault| {
                vault.invites.insert(invite_id, pending.clone());
            })
            .await
    }
}

fn expiry(expires_in: Duration) -> Result<u64> {
    let seconds = expires_in.as_secs();
    if seconds == 0 || seconds > MAX_INVITE_SECONDS {
        let days = MAX_INVITE_SECONDS / 86_400;
        return Err(Error::invalid(format!(
            "an invite can be open for at most {days} days, and not for none"
        ))
        .with_hint("Give a time in between, such as 14d."));
    }
    Ok(now() + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_over_by_an_ops_member_who_is_given_none() {
        let email: EmailAddress = "olaf@example.com".parse().unwrap();
        let (user_id, salt) = (UserId::random(), Digest::ZERO);
        let known = Opening { user_id, salt, email: email.clone(), name: "Olaf".into() };
        let agrees = |role, name: &str, is_vouched| {
            let (account_key, confirm, replaces, expiry) = (true, true, UserId::ZERO, 1);
            let name = name.to_owned();
            let wish = Wish { email: email.clone(), name, role, account_key, confirm, replaces, expiry };
            wish.agrees_with(&known, is_vouched)
        };
        assert!(agrees(Role::Ops, "Olaf", false) && agrees(Role::Ops, "", true));
        assert!(!agrees(Role::Ops, "", false), "a name that nobody who counts has given");
        assert!(!agrees(Role::Ops, "Olga", true) && !agrees(Role::Client, "", true));
    }
}
