//! OFFER and ACCEPT (protocol §6), made by somebody who holds the code: the MACs are right, whatever is signed under them.

use std::sync::LazyLock;

use sealpost_crypto::{
    account::Account,
    aead,
    encoding::Base64,
    id::Digest,
    invite::{
        InviteCode, OfferRequest, SealedAccept, SealedOffer, VerifiedAcceptance, VerifiedOffer, accept, offer,
    },
    labels::{self, labelled},
    record::{RawRecord, Record},
    records::{Accept, Bundle, Offer, Role},
    secret::InviteSecret,
};
use sha2::{Digest as _, Sha256};

use crate::{
    patch::{Input, patch},
    world::{NOW, WORLD, opening, seed, sign_payload},
};

/// Who is invited.
const INVITEE: u8 = 3;
/// The secret of the code.
const SECRET: [u8; 16] = [8; 16];
/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// What an honest pair of people has made.
struct Invited {
    code: InviteCode,
    account: Account,
    sealed: SealedOffer,
    accepted: SealedAccept,
}

static INVITED: LazyLock<Invited> = LazyLock::new(|| {
    let world = &*WORLD;
    let code = InviteCode::from_secret(InviteSecret::take(&mut { SECRET }));
    let request =
        OfferRequest { opening: opening(INVITEE), role: Role::Client, account_key: false, expiry: NOW + 60 };
    let sealed = offer(&world.log.ops_signer(&world.ops).unwrap(), &code, request).unwrap();
    let offered = VerifiedOffer::verify(sealed.clone(), &code, &world.log, NOW).unwrap();
    let account = Account::derive(&seed(INVITEE), world.log.org_id(), opening(INVITEE).user_id, 1).unwrap();
    let accepted = accept(&offered, &code, &account).unwrap();
    Invited { code, account, sealed, accepted }
});

/// HMAC-SHA256 (RFC 2104), written out once more.
fn hmac(key: &[u8], message: &[&[u8]]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    block[..key.len()].copy_from_slice(key);
    let keyed = |pad: u8, message: &[&[u8]]| -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(block.map(|byte| byte ^ pad));
        message.iter().for_each(|part| hash.update(part));
        hash.finalize().into()
    };
    keyed(0x5c, &[&keyed(0x36, message)])
}

/// A key of the invite, as both sides derive it (§6.1).
fn key(label: &str) -> [u8; 32] {
    hmac(&hmac(labels::INVITE.as_bytes(), &[&SECRET]), &[&labelled(label, &[]), &[1]])
}

fn mac(key: &[u8], label: &str, record: &RawRecord) -> Digest {
    let message = labelled(label, &[&record.payload.0, record.signature.as_bytes()]);
    Digest::new(hmac(key, &[&message]))
}

/// Input: who signs, edits of the opening beside it (a piece), edits of the OFFER.
pub(crate) fn offered(bytes: &[u8]) {
    let (world, invited, mut input) = (&*WORLD, &*INVITED, Input::new(bytes));
    let signer = [&world.ops, &world.client][usize::from(input.byte() % 2)];
    let invite_id = invited.code.keys().invite_id;
    let aad = labelled(labels::OPENING, &[world.log.org_id().as_bytes(), invite_id.as_bytes()]);
    let valid = aead::open(&key(labels::INVITE_SUBJECT), &aad, &invited.sealed.sealed_opening.0).unwrap();
    let beside = patch(&valid, &mut input.piece());
    let payload = patch(&invited.sealed.offer.payload.0, &mut input);
    let honest = beside == *valid
        && payload == invited.sealed.offer.payload.0
        && signer.user_id() == world.ops.user_id();
    let record = sign_payload(Offer::KIND, &payload, &signer.keys().signing);
    let sealed = SealedOffer {
        mac: mac(&key(labels::INVITE_OFFER), labels::OFFER_MAC, &record),
        sealed_opening: Base64(aead::seal(&key(labels::INVITE_SUBJECT), &aad, &beside)),
        email: invited.sealed.email.clone(),
        offer: record,
    };
    let other_code = InviteCode::from_secret(InviteSecret::take(&mut [9; 16]));
    assert!(VerifiedOffer::verify(sealed.clone(), &other_code, &world.log, NOW).is_err(), "another code");
    match VerifiedOffer::verify(sealed, &invited.code, &world.log, NOW) {
        Ok(verified) => {
            let offer = verified.offer();
            assert_eq!(offer.signer, world.ops.user_id(), "a client invites");
            assert_eq!((offer.org_id, offer.invite_id), (world.log.org_id(), invite_id));
            assert!(offer.expiry >= NOW && (offer.role == Role::Client || offer.account_key));
            assert_eq!(verified.opening().user_id(), offer.user_id);
            assert_eq!(verified.opening().email(), &invited.sealed.email, "another address");
            assert_eq!(verified.opening().opening().subject().unwrap(), offer.subject);
        }
        Err(error) => assert!(!honest, "an honest offer was refused: {error}"),
    }
}

/// Input: who signs, edits of the bundle (a piece), edits of the ACCEPT.
pub(crate) fn accepted(bytes: &[u8]) {
    let (world, invited, mut input) = (&*WORLD, &*INVITED, Input::new(bytes));
    let signer = [&invited.account, &world.client, &world.ops][usize::from(input.byte() % 3)];
    let (bundle, accept) = (&invited.accepted.bundle, &invited.accepted.accept);
    let bundle = sign_payload(
        Bundle::KIND,
        &patch(&bundle.payload.0, &mut input.piece()),
        &invited.account.keys().signing,
    );
    let accept = sign_payload(Accept::KIND, &patch(&accept.payload.0, &mut input), &signer.keys().signing);
    let honest = bundle.id() == invited.accepted.bundle.id() && accept == invited.accepted.accept;
    let mac = mac(&key(labels::INVITE_ACCEPT), labels::ACCEPT_MAC, &accept);
    let sealed = SealedAccept { accept, mac, bundle };
    let offer = invited.sealed.offer.clone();
    match VerifiedAcceptance::verify(sealed, offer, invited.code.secret(), &world.log, NOW) {
        Ok(verified) => {
            let bundle = verified.bundle();
            assert_eq!(
                (bundle.user_id(), bundle.generation()),
                (opening(INVITEE).user_id, 1),
                "somebody else"
            );
            assert_eq!(bundle.org_id(), world.log.org_id());
            assert_eq!(verified.offer().id(), invited.sealed.offer.id());
            assert_eq!(*bundle.signing_key(), signer.keys().signing.public_key(), "signed by other keys");
            // What `certify` then takes, the log takes.
            let entry =
                world.log.ops_signer(&world.ops).unwrap().certify(&verified, None).unwrap().into_raw();
            let mut log = world.log.clone();
            log.apply(entry, Some(bundle.raw())).expect("an acceptance that verified can't be certified");
        }
        Err(error) => assert!(!honest, "an honest acceptance was refused: {error}"),
    }
}
