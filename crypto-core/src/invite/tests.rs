//! From invitation to membership, and everything that a server or an eavesdropper may change on the way.

use hmac::Mac as _;

use super::*;
use crate::{
    account::Account,
    bundle::BundleError,
    encoding::Base64,
    id::{OrgId, RecordId, UserId},
    log::{
        Applied, AuthorError, Log, SignerError, StandingError,
        testing::{Organisation, random_opening},
    },
    opening::OpeningError,
    record::{RecordError, Signed},
    records::{Accept, Offer, RevokeReason, Role},
    secret::AccountSeed,
};

const EXPIRY: u64 = 10_000;

/// Somebody invited, who has not answered.
struct Invited {
    organisation: Organisation,
    code: InviteCode,
    sealed: SealedOffer,
}

impl Invited {
    fn new() -> Self {
        let organisation = Organisation::new();
        let code = InviteCode::random();
        let signer = organisation.log.ops_signer(&organisation.founder).unwrap();
        let sealed = offer(&signer, &code, request()).unwrap();
        Self { organisation, code, sealed }
    }

    fn verify(&self, sealed: &SealedOffer) -> Result<VerifiedOffer, OfferError> {
        VerifiedOffer::verify(sealed.clone(), &self.code, &self.organisation.log, EXPIRY)
    }

    fn account(&self) -> Account {
        let offer: Offer = self.sealed.offer.claim().unwrap();
        Account::derive(&AccountSeed::random(), offer.org_id, offer.user_id, 1).unwrap()
    }

    fn accept(&self, account: &Account) -> SealedAccept {
        accept(&self.verify(&self.sealed).unwrap(), &self.code, account).unwrap()
    }

    fn acceptance(&self, sealed: &SealedAccept, now: u64) -> Result<VerifiedAcceptance, AcceptanceError> {
        VerifiedAcceptance::verify(
            sealed.clone(),
            self.sealed.offer.clone(),
            self.code.secret(),
            &self.organisation.log,
            now,
        )
    }

    /// An OFFER that the inviter could have made: signed and MACed after `change`.
    fn remade(&self, by: &Account, change: impl FnOnce(&mut Offer)) -> SealedOffer {
        let mut offer: Offer = self.sealed.offer.claim().unwrap();
        change(&mut offer);
        let raw = Signed::sign(offer, &by.keys().signing).unwrap().into_raw();
        SealedOffer {
            mac: mac(&self.code.keys().offer, labels::OFFER_MAC, &raw),
            offer: raw,
            ..self.sealed.clone()
        }
    }

    /// An ACCEPT that a holder of the code could have made.
    fn reaccepted(&self, by: &Account, change: impl FnOnce(&mut Accept)) -> SealedAccept {
        let good = self.accept(&self.account());
        let mut accept: Accept = good.accept.claim().unwrap();
        accept.signer_bundle = by.bundle().id();
        change(&mut accept);
        let raw = Signed::sign(accept, &by.keys().signing).unwrap().into_raw();
        SealedAccept {
            mac: mac(&self.code.keys().accept, labels::ACCEPT_MAC, &raw),
            accept: raw,
            bundle: by.bundle().raw(),
        }
    }
}

fn request() -> OfferRequest {
    OfferRequest {
        opening: random_opening("bob@example.org"),
        role: Role::Client,
        account_key: false,
        expiry: EXPIRY,
    }
}

#[test]
fn an_invitation_becomes_a_membership() {
    let mut invited = Invited::new();
    let seen = invited.verify(&invited.sealed).unwrap();
    assert_eq!(seen.opening().email().as_str(), "bob@example.org");
    assert_eq!((seen.offer().role, seen.offer().account_key), (Role::Client, false));

    let account = invited.account();
    let expected = Admission::expected(&seen, &account);
    assert_eq!(expected.check(&invited.organisation.log), Err(AdmissionError::Pending));
    let sealed = accept(&seen, &invited.code, &account).unwrap();
    let acceptance = invited.acceptance(&sealed, EXPIRY + CERTIFY_GRACE).unwrap();
    let signer = invited.organisation.log.ops_signer(&invited.organisation.founder).unwrap();
    let certify = signer.certify(&acceptance, None).unwrap().into_raw();
    let applied = invited.organisation.log.apply(certify, Some(sealed.bundle.clone())).unwrap();
    assert_eq!(applied, Applied::Certified { user_id: account.user_id(), replaces: None });

    assert_eq!(expected.check(&invited.organisation.log), Ok(()));
    assert_eq!(invited.organisation.log.member(account.user_id()).unwrap().offer, seen.id());
    assert!(invited.organisation.log.verify_opening(seen.opening().opening().clone()).is_ok());
    invited.organisation.checkpoint();
    assert!(invited.organisation.log.signer(&account).is_ok());
    assert_eq!(
        invited.acceptance(&sealed, EXPIRY).unwrap_err(),
        AcceptanceError::AlreadyCertified,
        "an invite is used once"
    );
    let signer = invited.organisation.log.ops_signer(&invited.organisation.founder).unwrap();
    let again = OfferRequest { opening: seen.opening().opening().clone(), ..request() };
    assert_eq!(offer(&signer, &InviteCode::random(), again).unwrap_err(), InviteError::AlreadyCertified);
}

#[test]
fn an_ops_member_is_invited_with_an_account_key_only() {
    for (account_key, refused) in [(true, None), (false, Some(OfferError::AccountKey))] {
        let mut invited = Invited::new();
        let signer = invited.organisation.log.ops_signer(&invited.organisation.founder).unwrap();
        let request = OfferRequest { role: Role::Ops, account_key, ..request() };
        invited.sealed = offer(&signer, &invited.code, request).unwrap();
        assert_eq!(invited.verify(&invited.sealed).err(), refused);
    }
}

#[test]
fn the_invitee_notices_any_change_to_the_offer() {
    let invited = Invited::new();
    let flip = |bytes: &mut Vec<u8>, at: usize| bytes[at] ^= 1;
    for at in [0, 40, invited.sealed.offer.payload.0.len() - 1] {
        let mut sealed = invited.sealed.clone();
        flip(&mut sealed.offer.payload.0, at);
        assert_eq!(invited.verify(&sealed).unwrap_err(), OfferError::Mac);
    }
    let mut sealed = invited.sealed.clone();
    sealed.mac = Digest::random();
    assert_eq!(invited.verify(&sealed).unwrap_err(), OfferError::Mac);

    // Another Ops member, colluding with the server, puts its own OFFER in place: it does not hold the code.
    let mut organisation = Organisation::new();
    let mallory = organisation.admit(Role::Ops);
    let signer = organisation.log.ops_signer(&mallory).unwrap();
    let substituted = offer(&signer, &InviteCode::random(), request()).unwrap();
    let seen = VerifiedOffer::verify(substituted, &invited.code, &organisation.log, 0);
    assert_eq!(seen.unwrap_err(), OfferError::Mac);

    // The MAC of an ACCEPT is not one of an OFFER.
    let mut sealed = invited.sealed.clone();
    sealed.mac = mac(&invited.code.keys().offer, labels::ACCEPT_MAC, &sealed.offer);
    assert_eq!(invited.verify(&sealed).unwrap_err(), OfferError::Mac);
}

#[test]
fn the_offer_counts_only_in_its_own_organisation_and_signed_by_active_ops() {
    let mut invited = Invited::new();
    let elsewhere = Organisation::new();
    let moved =
        VerifiedOffer::verify(invited.sealed.clone(), &invited.code, &elsewhere.log, EXPIRY).unwrap_err();
    assert_eq!(moved, AuthorError::ForeignOrganisation.into());

    let client = invited.organisation.admit(Role::Client);
    let by_client = invited.remade(&client, |offer| {
        (offer.signer, offer.signer_bundle) = (client.user_id(), client.bundle().id());
        let position = invited.organisation.log.checkpoint().unwrap().position();
        (offer.log_size, offer.log_head) = (position.size, position.head);
        offer.log_sig = position.signature;
    });
    assert_eq!(invited.verify(&by_client).unwrap_err(), StandingError::NotOps.into());
    let forged = invited.remade(&client, |_| ());
    assert_eq!(invited.verify(&forged).unwrap_err(), AuthorError::from(RecordError::BadSignature).into());
    let founder = &invited.organisation.founder;
    let other_code = invited.remade(founder, |offer| offer.invite_id = InviteId::random());
    assert_eq!(invited.verify(&other_code).unwrap_err(), OfferError::WrongInvite);
    assert!(invited.verify(&invited.remade(founder, |_| ())).is_ok());
}

#[test]
fn an_inviter_who_left_or_rotated_invites_nobody() {
    for how in ["left", "compromised", "rotated"] {
        let mut organisation = Organisation::new();
        let inviter = organisation.admit(Role::Ops);
        let code = InviteCode::random();
        let sealed = offer(&organisation.log.ops_signer(&inviter).unwrap(), &code, request()).unwrap();
        match how {
            "left" => organisation.revoke(&inviter, RevokeReason::Left),
            "compromised" => organisation.revoke(&inviter, RevokeReason::Compromised),
            _ => drop(organisation.rotate(&inviter)),
        }
        let seen = VerifiedOffer::verify(sealed, &code, &organisation.log, 0);
        assert_eq!(seen.unwrap_err(), OfferError::InviterGone, "{how}");
    }
}

#[test]
fn a_log_older_than_the_offer_is_withheld() {
    let mut organisation = Organisation::new();
    let old = organisation.log.clone();
    organisation.admit(Role::Client);
    let code = InviteCode::random();
    let signer = organisation.log.ops_signer(&organisation.founder).unwrap();
    let sealed = offer(&signer, &code, request()).unwrap();
    assert!(VerifiedOffer::verify(sealed.clone(), &code, &organisation.log, 0).is_ok());
    assert_eq!(VerifiedOffer::verify(sealed, &code, &old, 0).unwrap_err(), StandingError::Ahead.into());
}

#[test]
fn an_offer_expires() {
    let invited = Invited::new();
    let at = |now| {
        VerifiedOffer::verify(invited.sealed.clone(), &invited.code, &invited.organisation.log, now)
            .map(|_| ())
    };
    assert_eq!(at(EXPIRY), Ok(()));
    assert_eq!(at(EXPIRY + 1), Err(OfferError::Expired));
    let sealed = invited.accept(&invited.account());
    assert_eq!(CERTIFY_GRACE, 604_800, "protocol §10");
    assert!(invited.acceptance(&sealed, EXPIRY + CERTIFY_GRACE).is_ok());
    assert_eq!(
        invited.acceptance(&sealed, EXPIRY + CERTIFY_GRACE + 1).unwrap_err(),
        AcceptanceError::TooLate
    );
}

#[test]
fn the_address_beside_the_offer_is_the_inviters() {
    let invited = Invited::new();
    let other = SealedOffer { email: "eve@example.org".parse().unwrap(), ..invited.sealed.clone() };
    assert_eq!(invited.verify(&other).unwrap_err(), OfferError::Email);
    let mut broken = invited.sealed.clone();
    broken.sealed_opening.0[30] ^= 1;
    assert_eq!(invited.verify(&broken).unwrap_err(), OfferError::SealedOpening);
    let short = SealedOffer { sealed_opening: Base64(vec![1; 20]), ..invited.sealed.clone() };
    assert_eq!(invited.verify(&short).unwrap_err(), OfferError::SealedOpening);
    // The opening of another invite with the same code would need another aad; of the same, another subject.
    let founder = &invited.organisation.founder;
    let subject = invited.remade(founder, |offer| offer.subject = Digest::random());
    assert_eq!(invited.verify(&subject).unwrap_err(), OpeningError::Mismatch.into());
}

#[test]
fn the_account_of_an_offer_is_the_one_that_its_subject_names() {
    // What a careless inviter, or one who means harm, could sign: whoever joined would have nobody's address.
    let invited = Invited::new();
    let other = invited.remade(&invited.organisation.founder, |offer| offer.user_id = UserId::random());
    let refused = invited.verify(&other).unwrap_err();
    assert_eq!((refused.code(), refused), ("opening_mismatch", OpeningError::Mismatch.into()));
}

#[test]
fn nobody_without_the_code_registers_keys() {
    let invited = Invited::new();
    let sealed = invited.accept(&invited.account());
    // The server puts keys of its own in place.
    let mallory = invited.account();
    let mut substituted = invited.reaccepted(&mallory, |_| ());
    substituted.mac = Digest::random();
    assert_eq!(invited.acceptance(&substituted, 0).unwrap_err(), AcceptanceError::Mac);
    substituted = SealedAccept { bundle: mallory.bundle().raw(), ..sealed.clone() };
    assert_eq!(invited.acceptance(&substituted, 0).unwrap_err(), BundleError::WrongId.into());
    let mut other_code = sealed.clone();
    other_code.mac = mac(&InviteCode::random().keys().accept, labels::ACCEPT_MAC, &sealed.accept);
    assert_eq!(invited.acceptance(&other_code, 0).unwrap_err(), AcceptanceError::Mac);
    let mut as_offer = sealed.clone();
    as_offer.mac = mac(&invited.code.keys().accept, labels::OFFER_MAC, &sealed.accept);
    assert_eq!(invited.acceptance(&as_offer, 0).unwrap_err(), AcceptanceError::Mac);
    assert!(invited.acceptance(&sealed, 0).is_ok());
}

#[test]
fn an_acceptance_is_for_this_offer_and_this_account() {
    let invited = Invited::new();
    let account = invited.account();
    let refused = |sealed: SealedAccept| invited.acceptance(&sealed, 0).map(|_| ()).unwrap_err();
    let other_offer = invited.reaccepted(&account, |accept| accept.offer = RecordId::random());
    assert_eq!(refused(other_offer), AcceptanceError::OtherOffer);
    let other_org = invited.reaccepted(&account, |accept| accept.org_id = OrgId::random());
    assert_eq!(refused(other_org), AcceptanceError::BundleForeign);
    let other_user = invited.reaccepted(&account, |accept| accept.signer = UserId::random());
    assert_eq!(refused(other_user), AcceptanceError::BundleForeign);
    for (org_id, user_id, generation) in [
        (OrgId::random(), account.user_id(), 1),
        (account.org_id(), UserId::random(), 1),
        (account.org_id(), account.user_id(), 2),
    ] {
        let other = Account::derive(&AccountSeed::random(), org_id, user_id, generation).unwrap();
        assert_eq!(refused(invited.reaccepted(&other, |_| ())), AcceptanceError::BundleForeign);
        let seen = invited.verify(&invited.sealed).unwrap();
        assert_eq!(accept(&seen, &invited.code, &other).unwrap_err(), AcceptError::WrongAccount);
    }
    // The bundle is the invitee's, the signature somebody else's.
    let mut forged = invited.reaccepted(&account, |_| ());
    forged.accept.signature = invited.organisation.founder.keys().signing.sign(b"");
    forged.mac = mac(&invited.code.keys().accept, labels::ACCEPT_MAC, &forged.accept);
    assert_eq!(refused(forged), RecordError::BadSignature.into());
    // An OFFER of another invite from the same vault.
    let other = Invited::new();
    let mixed = VerifiedAcceptance::verify(
        invited.accept(&account),
        other.sealed.offer.clone(),
        invited.code.secret(),
        &other.organisation.log,
        0,
    );
    assert_eq!(mixed.unwrap_err(), OfferError::WrongInvite.into());
}

#[test]
fn the_invitee_checks_its_own_certify() {
    let invited = Invited::new();
    let account = invited.account();
    let expected = Admission::expected(&invited.verify(&invited.sealed).unwrap(), &account);
    let admitted_as = |keys: &Account, subject, role| {
        let mut log: Log = invited.organisation.log.clone();
        let certify = invited.organisation.certify(keys, role, subject);
        let raw = Signed::sign(certify, &invited.organisation.founder.keys().signing).unwrap();
        log.apply(raw.into_raw(), Some(keys.bundle().raw())).unwrap();
        expected.check(&log)
    };
    assert_eq!(admitted_as(&account, expected.subject, Role::Client), Ok(()));
    assert_eq!(admitted_as(&account, Digest::random(), Role::Client), Err(AdmissionError::Subject));
    assert_eq!(admitted_as(&account, expected.subject, Role::Ops), Err(AdmissionError::Role));
    let other = invited.account();
    assert_eq!(admitted_as(&other, expected.subject, Role::Client), Err(AdmissionError::Bundle));
}

#[test]
fn keys_derive_as_specified() {
    let secret = InviteSecret::take(&mut [7; 16]);
    let keys = InviteKeys::derive(&secret);
    let hmac = |key: &[u8], message: &[u8]| -> [u8; 32] {
        let mut mac = kdf::hmac(key);
        mac.update(message);
        mac.finalize().into_bytes().into()
    };
    let prk = hmac(b"sealpost/v1/invite", &[7; 16]);
    assert_eq!(keys.invite_id.as_bytes()[..], hmac(&prk, b"sealpost/v1/invite-id\0\x01")[..16]);
    assert_eq!(keys.offer.expose(), &hmac(&prk, b"sealpost/v1/invite-offer\0\x01"));
    assert_eq!(keys.accept.expose(), &hmac(&prk, b"sealpost/v1/invite-accept\0\x01"));
    assert_eq!(keys.subject.expose(), &hmac(&prk, b"sealpost/v1/invite-subject\0\x01"));
    assert_eq!(keys.token.expose(), &hmac(&prk, b"sealpost/v1/invite-token\0\x01"));

    let invited = Invited::new();
    let raw = &invited.sealed.offer;
    let message = [&b"sealpost/v1/offer-mac\0"[..], &raw.payload.0, raw.signature.as_bytes()].concat();
    assert_eq!(invited.sealed.mac.as_bytes(), &hmac(invited.code.keys().offer.expose(), &message));
}

#[test]
fn only_ops_with_a_signed_log_invite() {
    let mut organisation = Organisation::new();
    let client = organisation.admit(Role::Client);
    assert_eq!(organisation.log.ops_signer(&client).unwrap_err(), SignerError::NotOps);
    let mut request = request();
    request.opening.name = "n".repeat(257);
    let signer = organisation.log.ops_signer(&organisation.founder).unwrap();
    assert_eq!(offer(&signer, &InviteCode::random(), request).unwrap_err(), OpeningError::NameTooLong.into());
}
