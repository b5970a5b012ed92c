//! `docs/vectors/invite.json`

use sealpost_crypto::{
    account::Account,
    aead,
    encoding::Base64,
    id::{OrgId, RecordId, UserId},
    invite::{
        AcceptanceError, CERTIFY_GRACE, CodeError, InviteCode, InviteLink, OfferError, OfferRequest,
        SealedAccept, SealedOffer, VerifiedAcceptance, VerifiedOffer, accept, offer, token_hash,
    },
    record::{RawRecord, Signed},
    records::{Accept, Offer, RevokeReason, Role},
    secret::InviteSecret,
};
use serde_json::{Value, json};

use crate::{
    support::{assert_outcome, cases, entries, hex, read, read_log, replay, unhex, value},
    world::{World, opening, seed},
};

const EXPIRY: u64 = 1_800_000_000;

#[test]
fn invite_vectors() {
    replay("invite", generate, |vectors| {
        for case in cases(vectors, "codes") {
            let parsed = case["text"].as_str().unwrap().parse::<InviteLink>();
            if let Some(link) = assert_outcome(case, parsed.map_err(|error: CodeError| error.code())) {
                assert_eq!(hex(link.code.secret().expose()), case["secret"], "{}", case["name"]);
                assert_eq!(value(&link.server), case["server"], "{}", case["name"]);
            }
        }
        for case in cases(vectors, "keys") {
            let secret = InviteSecret::from_slice(&unhex(case, "secret")).unwrap();
            let code = InviteCode::from_secret(secret);
            let keys = code.keys();
            assert_eq!(*code.reveal(), case["code"]);
            assert_eq!(value(&keys.invite_id), case["invite_id"]);
            assert_eq!(hex(keys.token.expose()), case["token"]);
            assert_eq!(value(&token_hash(&keys.token)), case["token_hash"]);
        }
        for case in cases(vectors, "offers") {
            let log = read_log(&vectors["log"], read(case, "log_size"));
            let verified =
                VerifiedOffer::verify(read(case, "offer"), &code(vectors), &log, read(case, "now"));
            if let Some(offer) = assert_outcome(case, verified.map_err(|error: OfferError| error.code())) {
                assert_eq!(value(offer.opening().opening()), vectors["opening"], "{}", case["name"]);
            }
        }
        for case in cases(vectors, "acceptances") {
            let log = read_log(&vectors["log"], read(case, "log_size"));
            let verified = VerifiedAcceptance::verify(
                read(case, "acceptance"),
                read(case, "offer"),
                code(vectors).secret(),
                &log,
                read(case, "now"),
            );
            assert_outcome(case, verified.map_err(|error: AcceptanceError| error.code()));
        }
    });
}

fn code(vectors: &Value) -> InviteCode {
    InviteCode::from_secret(InviteSecret::from_slice(&unhex(vectors, "secret")).unwrap())
}

fn generate() -> Value {
    let invited = Invited::new();
    json!({
        "about": "Codes, the keys that derive from them, OFFER as the invitee checks it, ACCEPT as the inviter checks it. `log` is the log of log.json's first three entries, one `certify` of the invitee, and Ann's revocation by Carol; a case is judged by its first `log_size` entries, at `now`. All OFFERs and ACCEPTs belong to the code with the secret `secret`.",
        "secret": hex(invited.code.secret().expose()),
        "opening": value(&opening(0x0e, "eve@example.org", "")),
        "log": entries(&invited.later.log),
        "codes": codes(),
        "keys": keys(),
        "offers": offers(&invited),
        "acceptances": acceptances(&invited),
    })
}

fn codes() -> Vec<Value> {
    let code = InviteCode::from_secret(InviteSecret::from_slice(&[7; 16]).unwrap());
    let grouped = code.reveal().to_string();
    let plain = grouped.replace('-', "");
    let case = |name: &str, text: &str| match text.parse::<InviteLink>() {
        Ok(link) => json!({
            "name": name,
            "text": text,
                        "secret": hex(link.code.secret().expose()),
            "server": link.server,
        }),
        Err(error) => json!({ "name": name, "text": text, "error": error.code() }),
    };
    let mut mistyped = plain.clone();
    mistyped.replace_range(9..10, if &plain[9..10] == "7" { "8" } else { "7" });
    let version_2 = {
        use sha2::Digest as _;
        let mut bytes = vec![2];
        bytes.extend([7; 16]);
        let hash = sha2::Sha256::digest([b"sealpost/v1/code\0".as_slice(), &bytes].concat());
        bytes.extend(&hash[..3]);
        sealpost_crypto::crockford::encode(&bytes).to_string()
    };
    vec![
        case("as shown", &grouped),
        case("without hyphens", &plain),
        case("in lower case", &plain.to_lowercase()),
        case("with O for 0 and I for 1", &plain.replace('0', "o").replace('1', "i")),
        case("with spaces around", &format!(" {grouped}\n")),
        case("a link", &code.reveal_link("https://post.example.org")),
        case("a link with a port", &code.reveal_link("http://127.0.0.1:8787")),
        case("a character mistyped", &mistyped),
        case("a character missing", &plain[..31]),
        case("eight characters too many", &format!("{plain}00000000")),
        case("a U", &plain.replacen(&plain[3..4], "U", 1)),
        case("nothing", ""),
        case("another version", &version_2),
        case("a link of another kind", &format!("https://post.example.org/other#{plain}")),
        case("a link with a user name", &format!("https://a@post.example.org/join#{plain}")),
        case("a link without a code", "https://post.example.org/join#"),
    ]
}

fn keys() -> Vec<Value> {
    [[7; 16], [0; 16], [0xff; 16]]
        .iter()
        .map(|secret| {
            let code = InviteCode::from_secret(InviteSecret::from_slice(secret).unwrap());
            let keys = code.keys();
            json!({
                "secret": hex(secret),
                "code": *code.reveal(),
                "invite_id": keys.invite_id,
                "token": hex(keys.token.expose()),
                "token_hash": token_hash(&keys.token),
            })
        })
        .collect()
}

/// An OFFER by Ann, and the same organisation later: the invitee certified, Ann gone.
struct Invited {
    world: World,
    later: World,
    code: InviteCode,
    sealed: SealedOffer,
    eve: Account,
}

impl Invited {
    fn new() -> Self {
        let world = World::new();
        let code = InviteCode::from_secret(InviteSecret::from_slice(&[7; 16]).unwrap());
        let request = OfferRequest {
            opening: opening(0x0e, "eve@example.org", ""),
            role: Role::Client,
            account_key: false,
            expiry: EXPIRY,
        };
        let sealed = offer(&world.log.ops_signer(&world.ann).unwrap(), &code, request).unwrap();
        let eve = world.account(0x0e, 1);
        let mut later = World::new();
        let certify = later.certify(&eve, Role::Client, "eve@example.org");
        later.log.apply(crate::world::signed(certify, &later.ann), Some(eve.bundle().raw())).unwrap();
        let revoke = later.log.ops_signer(&later.carol).unwrap();
        let revoke = revoke.revoke(later.ann.user_id(), 4, RevokeReason::Left).unwrap();
        later.log.apply(revoke.into_raw(), None).unwrap();
        Self { world, later, code, sealed, eve }
    }

    /// HMAC of whoever holds the code; spelled out, because the library makes MACs only of its own records.
    fn mac(&self, kind: &str, record: &RawRecord) -> sealpost_crypto::id::Digest {
        use hmac::{KeyInit, Mac};
        let secret = self.code.secret().expose();
        let keyed = |key: &[u8], message: &[u8]| -> [u8; 32] {
            let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
            mac.update(message);
            mac.finalize().into_bytes().into()
        };
        let prk = keyed(b"sealpost/v1/invite", secret);
        let key = keyed(&prk, format!("sealpost/v1/invite-{kind}\0\x01").as_bytes());
        let label = format!("sealpost/v1/{kind}-mac\0");
        let message = [label.as_bytes(), &record.payload.0, record.signature.as_bytes()].concat();
        sealpost_crypto::id::Digest::new(keyed(&key, &message))
    }

    fn remade(&self, by: &Account, change: &dyn Fn(&mut Offer)) -> SealedOffer {
        let mut record: Offer = self.sealed.offer.claim().unwrap();
        change(&mut record);
        let raw = Signed::sign(record, &by.keys().signing).unwrap().into_raw();
        SealedOffer { mac: self.mac("offer", &raw), offer: raw, ..self.sealed.clone() }
    }

    fn reaccepted(&self, by: &Account, change: &dyn Fn(&mut Accept)) -> SealedAccept {
        let mut record = Accept {
            org_id: self.world.log.org_id(),
            signer: self.eve.user_id(),
            signer_bundle: by.bundle().id(),
            offer: self.sealed.offer.id(),
        };
        change(&mut record);
        let raw = Signed::sign(record, &by.keys().signing).unwrap().into_raw();
        SealedAccept { mac: self.mac("accept", &raw), accept: raw, bundle: by.bundle().raw() }
    }
}

fn offers(invited: &Invited) -> Vec<Value> {
    let all = entries(&invited.later.log);
    let case = |name: &str, sealed: SealedOffer, log_size: usize, now: u64| {
        let verified = VerifiedOffer::verify(sealed.clone(), &invited.code, &read_log(&all, log_size), now);
        let error = verified.err().map(|error| error.code());
        json!({ "name": name, "offer": sealed, "log_size": log_size, "now": now, "error": error })
    };
    let good = &invited.sealed;
    let (ann, bob) = (&invited.world.ann, &invited.world.bob);
    let mut payload = good.clone();
    payload.offer.payload.0[30] ^= 1;
    let mut opening = good.clone();
    opening.sealed_opening.0[30] ^= 1;
    let short = SealedOffer { sealed_opening: Base64(vec![0; aead::OVERHEAD - 1]), ..good.clone() };
    let as_accept = SealedOffer { mac: invited.mac("accept", &good.offer), ..good.clone() };
    let email = SealedOffer { email: "mallory@example.org".parse().unwrap(), ..good.clone() };
    vec![
        case("accepted", good.clone(), 3, EXPIRY),
        case("expired", good.clone(), 3, EXPIRY + 1),
        case("changed on the way", payload, 3, 0),
        case("the MAC of an ACCEPT", as_accept, 3, 0),
        case("signed by somebody else", invited.remade(bob, &|_| ()), 3, 0),
        case(
            "another invite",
            invited.remade(ann, &|o| o.invite_id = sealpost_crypto::id::InviteId::ZERO),
            3,
            0,
        ),
        case("another organisation", invited.remade(ann, &|o| o.org_id = OrgId::ZERO), 3, 0),
        case(
            "by a Client",
            invited.remade(bob, &|o| {
                (o.signer, o.signer_bundle) = (bob.user_id(), bob.bundle().id());
            }),
            3,
            0,
        ),
        case("a log from before the OFFER", good.clone(), 2, 0),
        case(
            "a log state that the server never signed",
            invited.remade(ann, &|o| o.log_head = RecordId::ZERO),
            3,
            0,
        ),
        case("an inviter who left since", good.clone(), 5, 0),
        case("an opening that does not open", opening, 3, 0),
        case("an opening too short to be one", short, 3, 0),
        case(
            "an opening of another subject",
            invited.remade(ann, &|o| o.subject = sealpost_crypto::id::Digest::ZERO),
            3,
            0,
        ),
        case("another address beside it", email, 3, 0),
    ]
}

fn acceptances(invited: &Invited) -> Vec<Value> {
    let all = entries(&invited.later.log);
    let case = |name: &str, sealed: SealedAccept, offer: &RawRecord, log_size: usize, now: u64| {
        let log = read_log(&all, log_size);
        let verified =
            VerifiedAcceptance::verify(sealed.clone(), offer.clone(), invited.code.secret(), &log, now);
        let error = verified.err().map(|error| error.code());
        json!({
            "name": name, "acceptance": sealed, "offer": offer, "log_size": log_size, "now": now,
            "error": error,
        })
    };
    let offer = &invited.sealed.offer;
    let seen = VerifiedOffer::verify(invited.sealed.clone(), &invited.code, &invited.world.log, 0).unwrap();
    let good = accept(&seen, &invited.code, &invited.eve).unwrap();
    let eve = &invited.eve;
    let mallory = Account::derive(&seed(0x66), eve.org_id(), eve.user_id(), 1).unwrap();
    let generation_2 = Account::derive(&seed(0x0e), eve.org_id(), eve.user_id(), 2).unwrap();
    let other_user = Account::derive(&seed(0x0e), eve.org_id(), UserId::new([9; 16]), 1).unwrap();
    let swapped = SealedAccept { bundle: mallory.bundle().raw(), ..good.clone() };
    let no_code =
        SealedAccept { mac: sealpost_crypto::id::Digest::ZERO, ..invited.reaccepted(&mallory, &|_| ()) };
    let other_invite =
        invited.remade(&invited.world.ann, &|o| o.invite_id = sealpost_crypto::id::InviteId::ZERO);
    let last = EXPIRY + CERTIFY_GRACE;
    vec![
        case("accepted", good.clone(), offer, 3, last),
        case("more than seven days after the expiry", good.clone(), offer, 3, last + 1),
        case("the server's keys without the code", no_code, offer, 3, 0),
        case("the server's bundle in place of the registered one", swapped, offer, 3, 0),
        case(
            "an answer to another OFFER",
            invited.reaccepted(eve, &|a| a.offer = RecordId::ZERO),
            offer,
            3,
            0,
        ),
        case("of another organisation", invited.reaccepted(eve, &|a| a.org_id = OrgId::ZERO), offer, 3, 0),
        case("by another account", invited.reaccepted(&other_user, &|_| ()), offer, 3, 0),
        case("keys of generation 2", invited.reaccepted(&generation_2, &|_| ()), offer, 3, 0),
        case("an OFFER of another code", good.clone(), &other_invite.offer, 3, 0),
        case("certified before", good.clone(), offer, 4, 0),
        case("an inviter who left since", good, offer, 5, 0),
    ]
}
