//! ACCEPT: the invitee registers its keys (protocol §6), and what the inviter checks before certifying them.

use serde::{Deserialize, Serialize};

use super::{InviteCode, InviteKeys, OfferError, VerifiedOffer, mac, mac_is_valid, offer::verify_record};
use crate::{
    account::Account,
    bundle::{BundleError, VerifiedBundle},
    error::failures,
    id::{Digest, UserId},
    labels,
    log::{Log, OpsSigner, SignerError},
    record::{Author, RawRecord, RecordError, Signed},
    records::{Accept, Certify, Offer},
    secret::InviteSecret,
};

/// How long after its expiry an invite that was accepted in time may still be certified, seconds: 7 days.
pub const CERTIFY_GRACE: u64 = 7 * 86_400;

failures! {
    /// Why an ACCEPT can't be made.
    #[derive(Copy)]
    AcceptError {
        /// The account is not the one that was offered: another organisation, user_id or generation.
        WrongAccount = "accept_account", "the account is not the one that was offered";
    }
    from {
        /// Something is over its limit.
        Record(RecordError),
    }
}

failures! {
    /// Why an acceptance was refused.
    AcceptanceError {
        /// The ACCEPT was not made by somebody who holds the code.
        Mac = "accept_mac", "the answer was not made with the code of this invite";
        /// It answers another OFFER.
        OtherOffer = "accept_offer", "the answer belongs to another invite";
        /// The keys are not of the first generation of the person who was invited.
        BundleForeign = "accept_bundle", "the keys in the answer are not the invited person's";
        /// More than [`CERTIFY_GRACE`] after the expiry.
        TooLate = "accept_too_late", "the invite expired too long ago to be certified";
        /// The account is in the log.
        AlreadyCertified = "already_certified", "the account was certified before";
    }
    from {
        /// The inviter's own OFFER does not count any more.
        Offer(OfferError),
        /// The bundle itself.
        Bundle(BundleError),
        /// The ACCEPT record itself.
        Record(RecordError),
    }
}

/// An ACCEPT as it travels, with the keys that it registers. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedAccept {
    /// The record.
    pub accept: RawRecord,
    /// HMAC-SHA256 under K_accept.
    pub mac: Digest,
    /// The invitee's bundle.
    pub bundle: RawRecord,
}

/// Keys that come from somebody who holds the code of an OFFER, in time. What `certify` takes.
#[derive(Debug, Clone)]
pub struct VerifiedAcceptance {
    offer: Signed<Offer>,
    bundle: VerifiedBundle,
}

/// Accepts `offer` with the keys of `account`: the offered user_id, generation 1.
pub fn accept(
    offer: &VerifiedOffer,
    code: &InviteCode,
    account: &Account,
) -> Result<SealedAccept, AcceptError> {
    let bundle = account.bundle();
    let Offer { org_id, user_id, .. } = *offer.offer();
    if (bundle.org_id(), bundle.user_id(), bundle.generation()) != (org_id, user_id, 1) {
        return Err(AcceptError::WrongAccount);
    }
    let accept = Accept { org_id, signer: user_id, signer_bundle: bundle.id(), offer: offer.id() };
    let accept = Signed::sign(accept, &account.keys().signing)?.into_raw();
    let mac = mac(&code.keys().accept, labels::ACCEPT_MAC, &accept);
    Ok(SealedAccept { accept, mac, bundle: bundle.raw() })
}

impl VerifiedAcceptance {
    /// Checks an ACCEPT as the inviter: the MAC, the keys, the signature under them, H(OFFER), that the account
    /// is new to the log, and the time (`now`, UTC seconds). `offer` and `secret` come from the inviter's vault.
    pub fn verify(
        sealed: SealedAccept,
        offer: RawRecord,
        secret: &InviteSecret,
        log: &Log,
        now: u64,
    ) -> Result<Self, AcceptanceError> {
        let keys = InviteKeys::derive(secret);
        if !mac_is_valid(&keys.accept, labels::ACCEPT_MAC, &sealed.accept, &sealed.mac) {
            return Err(AcceptanceError::Mac);
        }
        let offer = verify_record(offer, &keys, log)?;
        let claim: Accept = sealed.accept.claim()?;
        let bundle = VerifiedBundle::verify(sealed.bundle, claim.signer_bundle)?;
        let accept = Signed::<Accept>::verify(sealed.accept, bundle.signing_key())?;
        if accept.offer != offer.id() {
            return Err(AcceptanceError::OtherOffer);
        }
        let theirs = (accept.org_id, accept.signer, bundle.org_id(), bundle.user_id(), bundle.generation());
        if theirs != (offer.org_id, offer.user_id, offer.org_id, offer.user_id, 1) {
            return Err(AcceptanceError::BundleForeign);
        }
        if log.member(offer.user_id).is_some() {
            return Err(AcceptanceError::AlreadyCertified);
        }
        if now > offer.expiry.saturating_add(CERTIFY_GRACE) {
            return Err(AcceptanceError::TooLate);
        }
        Ok(Self { offer, bundle })
    }

    /// The invitation that was accepted.
    pub fn offer(&self) -> &Signed<Offer> {
        &self.offer
    }

    /// The invitee's keys.
    pub fn bundle(&self) -> &VerifiedBundle {
        &self.bundle
    }
}

impl OpsSigner<'_> {
    /// The entry that admits whoever accepted, in place of the account `replaces` if there is one. The caller
    /// has compared the two accounts' addresses by their verified openings: they must be equal.
    pub fn certify(
        &self,
        acceptance: &VerifiedAcceptance,
        replaces: Option<UserId>,
    ) -> Result<Signed<Certify>, SignerError> {
        let Author { org_id, signer, signer_bundle } = self.author();
        let (offer, bundle) = (&acceptance.offer, &acceptance.bundle);
        self.sign(Certify {
            org_id,
            signer,
            signer_bundle,
            sequence: self.log().size(),
            previous: self.log().head(),
            user_id: offer.user_id,
            subject: offer.subject,
            role: offer.role,
            bundle: bundle.id(),
            generation: bundle.generation(),
            offer: offer.id(),
            replaces: replaces.unwrap_or(UserId::ZERO),
        })
    }
}
