//! Admitting those who accepted our invites (protocol §6): a `certify` in the organisation's log.

use sealpost_api::{
    invite::{AcceptanceView, InviteQuery, InviteState, InviteView},
    limits::CERTIFY_GRACE_SECONDS,
};
use sealpost_crypto::{
    id::{InviteId, UserId},
    invite::{SealedAccept, VerifiedAcceptance},
    log::Log,
    records::{Offer, Role},
    vault::PendingInvite,
};

use crate::{
    error::{Error, ErrorKind, Result},
    session::now,
    signed_in::{Inner, SignedIn},
};

/// Who accepted an invite of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admitted {
    /// Admitted just now.
    pub certified: Vec<Certified>,
    /// Not before twelve words were compared: [`SignedIn::confirmation`].
    pub waiting: Vec<Certified>,
}

/// An answer to one of our invites that does not verify: whoever holds its code can send one.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub person: Certified,
    pub error: Error,
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
        let mut admitted = Admitted::default();
        let refused = self.inner.admit_accepted(&mut admitted).await?;
        refused.into_iter().next().map_or(Ok(admitted), |refused| Err(refused.error))
    }
}

/// Whether certifying waits for twelve compared words (§6.4): where the inviter wished so, for every further Ops
/// member, and for every replacement.
fn waits_for_words(invite: &PendingInvite) -> bool {
    invite.confirm || invite.role == Role::Ops || !invite.replaces.is_zero()
}

impl Inner {
    /// As [`SignedIn::admit_accepted`]; who was admitted before an error is in `admitted`, and the acceptances that do
    /// not verify are returned.
    pub(crate) async fn admit_accepted(&self, admitted: &mut Admitted) -> Result<Vec<Refused>> {
        if !self.log().await.is_active_ops(self.profile.user_id) {
            return Ok(Vec::new());
        }
        let accepted = self.accepted_invites().await?;
        let pending = self.pending_invites(&accepted).await?;
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        drop(self.ops_log().await?);
        let (mut done, mut refused) = (Vec::new(), Vec::new());
        for (invite_id, invite) in pending {
            if self.is_over(&invite).await {
                done.push(invite_id);
                continue;
            }
            let Some((_, acceptance)) = accepted.iter().find(|(id, _)| *id == invite_id) else { continue };
            let person = Certified { user_id: invite.user_id, email: invite.email.clone() };
            if waits_for_words(&invite) {
                admitted.waiting.push(person);
                continue;
            }
            match self.certify(&invite, acceptance, None).await {
                Ok(()) => {
                    admitted.certified.push(person);
                    done.push(invite_id);
                }
                Err(error) if error.kind() == ErrorKind::Verification => {
                    refused.push(Refused { error: error.context(&invite.email), person });
                }
                Err(error) => return Err(error),
            }
        }
        self.forget_invites(&done).await?;
        Ok(refused)
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
        let ours = |view: &InviteView| {
            view.offer.claim::<Offer>().is_ok_and(|offer| offer.signer == self.profile.user_id)
        };
        let accepted = InviteQuery { state: Some(InviteState::Accepted), ..InviteQuery::default() };
        let views = self.invites(&accepted).await?.into_iter().filter(ours);
        Ok(views.filter_map(|view| Some((view.invite_id, view.acceptance?))).collect())
    }

    /// Whether an invite needs no more thought: its account is in the log, or it can't be certified any more.
    async fn is_over(&self, invite: &PendingInvite) -> bool {
        self.log().await.member(invite.user_id).is_some()
            || now() > invite.expiry.saturating_add(CERTIFY_GRACE_SECONDS)
    }

    /// Whether somebody can still come in by an invite: nobody has, and the keys that signed it are our current ones.
    pub(crate) fn may_be_certified(&self, log: &Log, invite: &PendingInvite) -> bool {
        let ours =
            invite.offer.claim::<Offer>().is_ok_and(|it| it.signer_bundle == self.account.bundle().id());
        ours && log.member(invite.user_id).is_none()
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

    /// Verifies an acceptance and appends its `certify`, in place of the account `replaces` if there is one.
    pub(crate) async fn certify(
        &self,
        invite: &PendingInvite,
        acceptance: &AcceptanceView,
        replaces: Option<UserId>,
    ) -> Result<()> {
        let entry = |log: &Log| {
            if log.member(invite.user_id).is_some() {
                return Ok(None);
            }
            let verified = self.verify_acceptance(log, invite, acceptance)?;
            Ok(Some(log.ops_signer(&self.account)?.certify(&verified, replaces)?.into_raw()))
        };
        self.append_entry(entry).await
    }
}
