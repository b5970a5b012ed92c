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
    invite::{self, InviteCode, OfferRequest, SealedAccept, SealedOffer, VerifiedAcceptance},
    opening::Opening,
    records::{Offer, Role},
    vault::{PendingInvite, Rest},
};
use zeroize::Zeroizing;

use crate::{
    error::{Error, ErrorKind, Result},
    pages,
    session::now,
    signed_in::{Inner, SignedIn},
    transport::Call,
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

/// An invite. The code is a bearer secret: whoever uses it first is the invitee.
pub struct NewInvite {
    /// The code.
    pub code: InviteCode,
    /// The code inside a link to this server.
    pub link: Zeroizing<String>,
    /// Until when it may be accepted; UTC seconds.
    pub expires_at: u64,
}

/// Somebody who was admitted to the organisation just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The account.
    pub user_id: UserId,
    /// Their address.
    pub email: String,
}

impl SignedIn {
    /// Invites a Client. The code is in our vault before the server hears of the invite, so that whoever
    /// accepts can always be certified.
    pub async fn invite(&self, request: InviteRequest) -> Result<NewInvite> {
        let inner = &self.inner;
        let seconds = request.expires_in.as_secs();
        if seconds == 0 || seconds > MAX_INVITE_SECONDS {
            let days = MAX_INVITE_SECONDS / 86_400;
            return Err(Error::invalid(format!(
                "an invite can be open for at most {days} days, and not for none"
            )));
        }
        let code = InviteCode::random();
        let expires_at = now() + seconds;
        let opening = Opening {
            user_id: UserId::random(),
            salt: Digest::random(),
            email: request.email,
            name: String::new(),
        };
        let terms = OfferRequest {
            opening: opening.clone(),
            role: Role::Client,
            account_key: request.account_key,
            expiry: expires_at,
        };
        let sealed = {
            let log = inner.ops_log().await?;
            invite::offer(&log.ops_signer(&inner.account)?, &code, terms)?
        };
        inner.remember_invite(&code, &sealed, &opening, request.account_key, expires_at).await?;
        let create = CreateInvite {
            offer: sealed.offer,
            mac: sealed.mac,
            opening,
            sealed_opening: sealed.sealed_opening,
            token_hash: invite::token_hash(&code.keys().token),
        };
        let _: InviteView = inner.caller.post(Call::new(routes::CREATE_INVITE, &[]), &create).await?;
        let link = code.reveal_link(inner.caller.server().as_str());
        Ok(NewInvite { code, link, expires_at })
    }

    /// Certifies everybody who accepted one of our invites since. Every command of an Ops member does this in
    /// passing; `Ok(vec![])` when there is nobody.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`] if somebody's acceptance does not verify. It stands in nobody else's way: all
    /// others were certified before this is said.
    pub async fn certify_accepted(&self) -> Result<Vec<Certified>> {
        let inner = &self.inner;
        if !inner.log().await.is_active_ops(inner.profile.user_id) {
            return Ok(Vec::new());
        }
        let accepted = inner.accepted_invites().await?;
        let pending = inner.pending_invites(&accepted).await?;
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        drop(inner.ops_log().await?);
        let (mut certified, mut done, mut refused) = (Vec::new(), Vec::new(), None);
        for (invite_id, invite) in pending {
            if inner.is_over(&invite).await {
                done.push(invite_id);
                continue;
            }
            let Some((_, acceptance)) = accepted.iter().find(|(id, _)| *id == invite_id) else { continue };
            match inner.certify(&invite, acceptance).await {
                Ok(()) => {
                    certified.push(Certified { user_id: invite.user_id, email: invite.email.clone() });
                    done.push(invite_id);
                }
                Err(error) if error.kind() == ErrorKind::Verification => {
                    refused.get_or_insert(error.context(&invite.email));
                }
                Err(error) => return Err(error),
            }
        }
        inner.forget_invites(&done).await?;
        refused.map_or(Ok(certified), Err)
    }
}

impl Inner {
    async fn remember_invite(
        &self,
        code: &InviteCode,
        sealed: &SealedOffer,
        opening: &Opening,
        account_key: bool,
        expiry: u64,
    ) -> Result<()> {
        let pending = PendingInvite {
            secret: code.secret().clone(),
            user_id: opening.user_id,
            email: opening.email.as_str().to_owned(),
            name: opening.name.clone(),
            salt: opening.salt,
            role: Role::Client,
            account_key,
            confirm: false,
            replaces: UserId::ZERO,
            expiry,
            offer: sealed.offer.clone(),
            rest: Rest::new(),
        };
        let invite_id = code.keys().invite_id;
        let mut vault = self.vault().await?;
        vault
            .change(self.access(), |vault| {
                vault.invites.insert(invite_id, pending.clone());
            })
            .await
    }

    /// The invites that our vault holds. Another device of ours may have made one since the vault was fetched.
    async fn pending_invites(
        &self,
        accepted: &[(InviteId, AcceptanceView)],
    ) -> Result<Vec<(InviteId, PendingInvite)>> {
        let mut vault = self.vault().await?;
        if accepted.iter().any(|(id, _)| !vault.vault().invites.contains_key(id)) {
            vault.refresh(self.access()).await?;
        }
        Ok(vault.vault().invites.clone().into_iter().collect())
    }

    async fn forget_invites(&self, done: &[InviteId]) -> Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        let mut vault = self.vault().await?;
        vault.change(self.access(), |vault| vault.invites.retain(|id, _| !done.contains(id))).await
    }

    /// Our own invites that were accepted and not certified yet.
    async fn accepted_invites(&self) -> Result<Vec<(InviteId, AcceptanceView)>> {
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

    /// Verifies an acceptance and appends its `certify`. When another entry gets in first: sync, look again,
    /// sign for the next place. The same bytes are sent again after passing faults.
    async fn certify(&self, invite: &PendingInvite, acceptance: &AcceptanceView) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let entry = {
                let log = self.log().await;
                if log.member(invite.user_id).is_some() {
                    return Ok(());
                }
                let sealed = SealedAccept {
                    accept: acceptance.accept.clone(),
                    mac: acceptance.mac,
                    bundle: acceptance.bundle.clone(),
                };
                let verified =
                    VerifiedAcceptance::verify(sealed, invite.offer.clone(), &invite.secret, &log, now())?;
                log.ops_signer(&self.account)?.certify(&verified, None)?.into_raw()
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
