//! Inviting people, and certifying those who accepted (protocol §6).

use std::time::Duration;

use sealpost_api::{
    invite::{AcceptanceView, CreateInvite, InviteQuery, InviteState, InviteView},
    limits::{MAX_INVITE_SECONDS, MAX_PAGE},
    log::{AppendLog, LogAppended},
    paging::Page,
    routes,
};
use sealpost_crypto::{
    email::EmailAddress,
    id::{Digest, InviteId, UserId},
    invite::{self, InviteCode, OfferRequest, SealedAccept, VerifiedAcceptance},
    log::Log,
    opening::Opening,
    records::{Offer, Role},
    vault::{PendingInvite, Rest},
};
use zeroize::Zeroizing;

use crate::{
    directory::Directory,
    error::{Error, ErrorKind, Result},
    pages,
    server::Call,
    session::now,
    signed_in::{Inner, SignedIn},
};

/// How often an entry is signed for the next place after another one got in first.
const ATTEMPTS: u32 = 16;
/// How long a pending invite is kept after its last use is past, seconds.
const KEEP: u64 = sealpost_api::limits::CERTIFY_GRACE_SECONDS;

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

/// When somebody who accepts an invite is certified, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitting {
    /// By the inviter's next session, of whatever kind.
    InPassing,
    /// Once both have compared twelve words: [`SignedIn::confirmation`].
    Confirmed,
    /// The same, and in place of the account that has the address now: for who has lost password and kit.
    Replacing,
}

/// Who accepted an invite of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admitted {
    /// Admitted just now.
    pub certified: Vec<Certified>,
    /// Not before twelve words were compared: [`SignedIn::confirmation`].
    pub waiting: Vec<Certified>,
}

/// An invite. The code is a bearer secret: whoever uses it first is the invitee.
pub struct NewInvite {
    /// The code.
    pub code: InviteCode,
    /// The code inside a link to this server.
    pub link: Zeroizing<String>,
    /// Until when it may be accepted; UTC seconds.
    pub expires_at: u64,
    /// The account that the new one is to replace.
    pub replaces: Option<UserId>,
}

/// Somebody who accepted an invite of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The account.
    pub user_id: UserId,
    /// Their address.
    pub email: String,
}

impl SignedIn {
    /// Invites a Client, who is certified by our next session after accepting.
    pub async fn invite(&self, request: InviteRequest) -> Result<NewInvite> {
        self.invite_with(request, Admitting::InPassing).await
    }

    /// Invites a Client. The code is in our vault before the server hears of the invite, so that whoever accepts can
    /// always be certified. Inviting an address again before it is certified gives a new code for the same account.
    ///
    /// # Errors
    /// With [`Admitting::Replacing`]: [`ErrorKind::RecipientUnknown`] if nobody has the address.
    pub async fn invite_with(&self, request: InviteRequest, admitting: Admitting) -> Result<NewInvite> {
        let inner = &self.inner;
        let seconds = request.expires_in.as_secs();
        if seconds == 0 || seconds > MAX_INVITE_SECONDS {
            let days = MAX_INVITE_SECONDS / 86_400;
            return Err(Error::invalid(format!(
                "an invite can be open for at most {days} days, and not for none"
            )));
        }
        let (code, expiry) = (InviteCode::random(), now() + seconds);
        let replaces = match admitting {
            Admitting::Replacing => inner.to_replace(&request.email).await?,
            Admitting::InPassing | Admitting::Confirmed => UserId::ZERO,
        };
        let opening = inner.opening_for(request.email, replaces).await?;
        let account_key = request.account_key;
        let terms = OfferRequest { opening: opening.clone(), role: Role::Client, account_key, expiry };
        let sealed = {
            let log = inner.ops_log().await?;
            invite::offer(&log.ops_signer(&inner.account)?, &code, terms)?
        };
        let pending = PendingInvite {
            secret: code.secret().clone(),
            user_id: opening.user_id,
            email: opening.email.as_str().to_owned(),
            name: opening.name.clone(),
            salt: opening.salt,
            role: Role::Client,
            account_key,
            confirm: admitting != Admitting::InPassing,
            replaces,
            expiry,
            offer: sealed.offer.clone(),
            rest: Rest::new(),
        };
        inner.remember_invite(code.keys().invite_id, pending).await?;
        let create = CreateInvite {
            offer: sealed.offer,
            mac: sealed.mac,
            opening,
            sealed_opening: sealed.sealed_opening,
            token_hash: invite::token_hash(&code.keys().token),
            replaces: (!replaces.is_zero()).then_some(replaces),
        };
        let _: InviteView = inner.caller.post(Call::new(routes::CREATE_INVITE, &[]), &create).await?;
        let link = code.reveal_link(inner.caller.server().url().as_str());
        let replaces = create.replaces;
        Ok(NewInvite { code, link, expires_at: expiry, replaces })
    }

    /// Certifies everybody who accepted one of our invites since, but for those who wait until twelve words were
    /// compared. `Ok(vec![])` when there is nobody.
    ///
    /// # Errors
    /// As [`SignedIn::admit_accepted`].
    pub async fn certify_accepted(&self) -> Result<Vec<Certified>> {
        Ok(self.admit_accepted().await?.certified)
    }

    /// As [`SignedIn::certify_accepted`], and says who waits for [`SignedIn::confirmation`]. Every command of an Ops
    /// member does this in passing.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`] if somebody's acceptance does not verify. It stands in nobody else's way: all
    /// others were certified before this is said.
    pub async fn admit_accepted(&self) -> Result<Admitted> {
        let (inner, mut admitted) = (&self.inner, Admitted::default());
        if !inner.log().await.is_active_ops(inner.profile.user_id) {
            return Ok(admitted);
        }
        let accepted = inner.accepted_invites().await?;
        let pending = inner.pending_invites(&accepted).await?;
        if pending.is_empty() {
            return Ok(admitted);
        }
        drop(inner.ops_log().await?);
        let (mut done, mut refused) = (Vec::new(), None);
        for (invite_id, invite) in pending {
            if inner.is_over(&invite).await {
                done.push(invite_id);
                continue;
            }
            let Some((_, acceptance)) = accepted.iter().find(|(id, _)| *id == invite_id) else { continue };
            let person = Certified { user_id: invite.user_id, email: invite.email.clone() };
            if invite.confirm || !invite.replaces.is_zero() {
                admitted.waiting.push(person);
                continue;
            }
            match inner.certify(&invite, acceptance, None).await {
                Ok(()) => {
                    admitted.certified.push(person);
                    done.push(invite_id);
                }
                Err(error) if error.kind() == ErrorKind::Verification => {
                    refused.get_or_insert(error.context(&invite.email));
                }
                Err(error) => return Err(error),
            }
        }
        inner.forget_invites(&done).await?;
        refused.map_or(Ok(admitted), Err)
    }
}

impl Inner {
    /// The account that an invite to `email` is to replace.
    async fn to_replace(&self, email: &EmailAddress) -> Result<UserId> {
        let log = self.ops_log().await?;
        let old = self.recipient(&log, &Directory::fetch(&self.caller, &log).await?, email)?;
        if log.is_active_ops(old) {
            let message = "replacing an Ops member comes with a later version";
            return Err(Error::new(ErrorKind::Unsupported, "unsupported", message));
        }
        Ok(old)
    }

    /// Who is to be certified: for an address that we have invited before, the same account once more, so that a new
    /// code takes the place of the old one, used or not.
    async fn opening_for(&self, email: EmailAddress, replaces: UserId) -> Result<Opening> {
        let log = self.log().await;
        let vault = self.vault().await?;
        let again = vault.vault().invites.values().find(|invite| {
            invite.email == email.as_str()
                && invite.replaces == replaces
                && log.member(invite.user_id).is_none()
        });
        Ok(match again {
            Some(PendingInvite { user_id, salt, name, .. }) => {
                Opening { user_id: *user_id, salt: *salt, email, name: name.clone() }
            }
            None => {
                let (user_id, salt) = (UserId::random(), Digest::random());
                Opening { user_id, salt, email, name: String::new() }
            }
        })
    }

    async fn remember_invite(&self, invite_id: InviteId, pending: PendingInvite) -> Result<()> {
        let mut vault = self.vault().await?;
        vault
            .change(self.access(), |vault| {
                vault.invites.insert(invite_id, pending.clone());
            })
            .await
    }

    /// The invites that our vault holds. Another device of ours may have made one since the vault was fetched.
    pub(crate) async fn pending_invites(
        &self,
        accepted: &[(InviteId, AcceptanceView)],
    ) -> Result<Vec<(InviteId, PendingInvite)>> {
        let mut vault = self.vault().await?;
        if accepted.iter().any(|(id, _)| !vault.vault().invites.contains_key(id)) {
            vault.refresh(self.access()).await?;
        }
        Ok(vault.vault().invites.clone().into_iter().collect())
    }

    pub(crate) async fn forget_invites(&self, done: &[InviteId]) -> Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        let mut vault = self.vault().await?;
        vault.change(self.access(), |vault| vault.invites.retain(|id, _| !done.contains(id))).await
    }

    /// Our own invites that were accepted and not certified yet.
    pub(crate) async fn accepted_invites(&self) -> Result<Vec<(InviteId, AcceptanceView)>> {
        let fetch = |cursor| async move {
            let query = InviteQuery { state: Some(InviteState::Accepted), cursor, limit: Some(MAX_PAGE) };
            self.caller.query::<Page<InviteView>>(Call::new(routes::INVITES, &[]), &query).await
        };
        let ours = |view: &InviteView| {
            view.offer.claim::<Offer>().is_ok_and(|offer| offer.signer == self.profile.user_id)
        };
        let views = pages::all(fetch).await?.into_iter().filter(ours);
        Ok(views.filter_map(|view| Some((view.invite_id, view.acceptance?))).collect())
    }

    /// Whether an invite needs no more thought: its account is in the log, or it can't be certified any more.
    async fn is_over(&self, invite: &PendingInvite) -> bool {
        self.log().await.member(invite.user_id).is_some() || now() > invite.expiry.saturating_add(KEEP)
    }

    /// An answer to one of our invites, by whoever holds its code.
    pub(crate) fn verify_acceptance(
        &self,
        log: &Log,
        invite: &PendingInvite,
        acceptance: &AcceptanceView,
    ) -> Result<VerifiedAcceptance> {
        let sealed = SealedAccept {
            accept: acceptance.accept.clone(),
            mac: acceptance.mac,
            bundle: acceptance.bundle.clone(),
        };
        Ok(VerifiedAcceptance::verify(sealed, invite.offer.clone(), &invite.secret, log, now())?)
    }

    /// Verifies an acceptance and appends its `certify`, in place of the account `replaces` if there is one. When another entry gets in first: sync, look again,
    /// sign for the next place. The same bytes are sent again after passing faults.
    pub(crate) async fn certify(
        &self,
        invite: &PendingInvite,
        acceptance: &AcceptanceView,
        replaces: Option<UserId>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let entry = {
                let log = self.log().await;
                if log.member(invite.user_id).is_some() {
                    return Ok(());
                }
                let verified = self.verify_acceptance(&log, invite, acceptance)?;
                log.ops_signer(&self.account)?.certify(&verified, replaces)?.into_raw()
            };
            let append = AppendLog { record: entry };
            let outcome: Result<LogAppended> =
                self.caller.post(Call::new(routes::APPEND_LOG, &[]), &append).await;
            match outcome {
                Ok(_) => return self.synced_log().await.map(drop),
                Err(error) if error.code() == "log_conflict" => drop(self.synced_log().await?),
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::Conflict, "log_conflict", "others keep changing the organisation's log")
            .with_hint("Run the same command again."))
    }
}
