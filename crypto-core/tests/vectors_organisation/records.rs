//! `docs/vectors/records.json`

use sealpost_crypto::{
    encoding::{Base64, to_base64},
    id::{Digest, FileId, InviteId, RecordId, UserId},
    record::{RawRecord, Record, RecordError, Signed, signed_bytes},
    records::*,
    sign::{Signature, SigningPublicKey},
};
use serde_json::{Value, json};

use crate::{
    points::UNUSUAL_POINTS,
    support::{assert_outcome, cases, read, replay, unhex, value},
    world::{World, signed, signing_key},
};

#[test]
fn record_vectors() {
    replay("records", generate, |vectors| {
        for case in cases(vectors, "cases") {
            let raw: RawRecord = read(case, "record");
            let key = SigningPublicKey::from_slice(&unhex(case, "key")).unwrap();
            let expected_type: String = read(case, "expected_type");
            let verified = verify(&expected_type, raw.clone(), &key).map_err(|error| error.code());
            if assert_outcome(case, verified).is_some() {
                assert_eq!(value(&raw.id()), case["id"], "{}", case["name"]);
                assert_eq!(raw.payload.0, case["payload_text"].as_str().unwrap().as_bytes());
            }
        }
    });
}

#[test]
fn any_flipped_bit_in_any_type_of_record_is_refused() {
    for case in every_type() {
        let raw: RawRecord = read(&case, "record");
        let key = SigningPublicKey::from_slice(&unhex(&case, "key")).unwrap();
        assert_eq!(verify(&raw.kind, raw.clone(), &key), Ok(()));
        for at in 0..raw.payload.0.len() {
            let mut changed = raw.clone();
            changed.payload.0[at] ^= 1 << (at % 8);
            assert!(verify(&raw.kind, changed.clone(), &key).is_err(), "{} byte {at}", raw.kind);
            assert_ne!(changed.id(), raw.id());
        }
        for bit in 0..512 {
            let mut bytes = *raw.signature.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = RawRecord { signature: Signature::new(bytes), ..raw.clone() };
            assert!(verify(&raw.kind, changed, &key).is_err(), "{} signature bit {bit}", raw.kind);
        }
    }
}

#[test]
fn no_record_stands_for_another_type() {
    let all = every_type();
    for case in &all {
        let raw: RawRecord = read(case, "record");
        let key = SigningPublicKey::from_slice(&unhex(case, "key")).unwrap();
        for other in all.iter().map(|case| case["expected_type"].as_str().unwrap()) {
            if other != raw.kind {
                let renamed = RawRecord { kind: other.to_owned(), ..raw.clone() };
                assert_eq!(verify(other, raw.clone(), &key), Err(RecordError::WrongType));
                assert_eq!(verify(other, renamed, &key), Err(RecordError::BadSignature));
            }
        }
    }
}

fn verify(kind: &str, raw: RawRecord, key: &SigningPublicKey) -> Result<(), RecordError> {
    fn of<R: Record>(raw: RawRecord, key: &SigningPublicKey) -> Result<(), RecordError> {
        Signed::<R>::verify(raw, key).map(|_| ())
    }
    match kind {
        Genesis::KIND => of::<Genesis>(raw, key),
        Bundle::KIND => of::<Bundle>(raw, key),
        Certify::KIND => of::<Certify>(raw, key),
        Rotate::KIND => of::<Rotate>(raw, key),
        Revoke::KIND => of::<Revoke>(raw, key),
        Service::KIND => of::<Service>(raw, key),
        Checkpoint::KIND => of::<Checkpoint>(raw, key),
        Offer::KIND => of::<Offer>(raw, key),
        Accept::KIND => of::<Accept>(raw, key),
        Credential::KIND => of::<Credential>(raw, key),
        Login::KIND => of::<Login>(raw, key),
        Manifest::KIND => of::<Manifest>(raw, key),
        Share::KIND => of::<Share>(raw, key),
        Unshare::KIND => of::<Unshare>(raw, key),
        Withdraw::KIND => of::<Withdraw>(raw, key),
        Receipt::KIND => of::<Receipt>(raw, key),
        other => panic!("unknown type {other}"),
    }
}

fn generate() -> Value {
    let mut cases: Vec<Value> = every_type();
    cases.extend(encodings());
    cases.extend(signatures());
    cases.extend(unusual_points());
    json!({
        "about": "Every type of record, and what is refused. `key` is the Ed25519 public key in hex; `payload_text` is what `payload` decodes to. The payloads of refused encodings are signed validly.",
        "cases": cases,
    })
}

fn case(name: &str, record: &RawRecord, key: &SigningPublicKey, expected_type: &str) -> Value {
    let error = verify(expected_type, record.clone(), key).err().map(|error| error.code());
    let mut case = json!({
        "name": name,
        "key": crate::support::hex(key.as_bytes()),
        "expected_type": expected_type,
        "record": record,
        "error": error,
    });
    if error.is_none() {
        case["id"] = value(&record.id());
        case["payload_text"] = json!(String::from_utf8(record.payload.0.clone()).unwrap());
    }
    case
}

fn every_type() -> Vec<Value> {
    let world = World::new();
    let (ann, log) = (&world.ann, &world.log);
    let entries: Vec<RawRecord> = log.entries(0).map(|entry| entry.record).collect();
    let checkpoint = log.checkpoint().unwrap().raw().clone();
    let (org_id, signer, signer_bundle) = (log.org_id(), ann.user_id(), ann.bundle().id());
    let (sequence, previous) = (log.size(), log.head());
    let position = world.position();
    let (log_size, log_head, log_sig) = (position.size, position.head, position.signature);
    let digest = |n: u8| Digest::new([n; 32]);
    let id = |n: u8| RecordId::new([n; 32]);
    let (file_id, recipient) = (FileId::new([0xf1; 16]), world.bob.user_id());
    let context = ShareContext {
        file_id,
        version: 1,
        manifest: id(1),
        commitment: digest(2),
        sender: signer,
        sender_bundle: signer_bundle,
        recipient,
        recipient_bundle: world.bob.bundle().id(),
        pair_sequence: 1,
        pair_previous: RecordId::ZERO,
        expiry: 0,
        limit: 0,
        time: 1_700_000_000,
        log_size,
        log_head,
        log_sig: log_sig.clone(),
    };
    let context = Base64(sealpost_crypto::record::encode(&context).unwrap());
    let key = ann.bundle().signing_key();
    let made = [
        entries[0].clone(),
        ann.bundle().raw(),
        entries[1].clone(),
        signed(
            Rotate { org_id, signer, signer_bundle, sequence, previous, bundle: id(3), generation: 2 },
            ann,
        ),
        signed(
            Revoke {
                org_id,
                signer,
                signer_bundle,
                sequence,
                previous,
                user_id: recipient,
                last_valid_size: 2,
                reason: RevokeReason::Left,
            },
            ann,
        ),
        signed(
            Service {
                org_id,
                signer,
                signer_bundle,
                sequence,
                previous,
                checkpoint_key: signing_key(0x51).public_key(),
            },
            ann,
        ),
        signed(
            Offer {
                org_id,
                signer,
                signer_bundle,
                invite_id: InviteId::new([4; 16]),
                user_id: UserId::new([5; 16]),
                subject: digest(6),
                role: Role::Client,
                account_key: false,
                expiry: 1_800_000_000,
                log_size,
                log_head,
                log_sig: log_sig.clone(),
            },
            ann,
        ),
        signed(Accept { org_id, signer, signer_bundle, offer: id(7) }, ann),
        signed(
            Credential {
                org_id,
                signer,
                signer_bundle,
                generation: 1,
                epoch: 1,
                account_key: true,
                nonce: digest(8),
                opaque_record: digest(9),
                envelope: digest(10),
                previous: RecordId::ZERO,
            },
            ann,
        ),
        signed(Login { org_id, signer, signer_bundle, nonce: digest(11), time: 1_700_000_000 }, ann),
        signed(
            Manifest {
                org_id,
                signer,
                signer_bundle,
                file_id,
                version: 1,
                length: 4_112,
                digest: digest(12),
                metadata: digest(13),
                commitment: digest(2),
                previous: RecordId::ZERO,
                time: 1_700_000_000,
                log_size,
                log_head,
                log_sig: log_sig.clone(),
            },
            ann,
        ),
        signed(Share { org_id, signer, signer_bundle, context, sealed: digest(14) }, ann),
        signed(
            Unshare {
                org_id,
                signer,
                signer_bundle,
                file_id,
                recipient,
                share: id(15),
                pair_sequence: 2,
                pair_previous: id(15),
                time: 1_700_000_000,
                log_size,
                log_head,
                log_sig: log_sig.clone(),
            },
            ann,
        ),
        signed(Withdraw { org_id, signer, signer_bundle, file_id }, ann),
        signed(
            Receipt {
                org_id,
                signer,
                signer_bundle,
                share: id(15),
                manifest: id(1),
                time: 1_700_000_000,
                log_size,
                log_head,
                log_sig,
            },
            ann,
        ),
    ];
    let mut cases: Vec<Value> = made.iter().map(|raw| case(&raw.kind, raw, key, &raw.kind)).collect();
    cases.push(case("checkpoint", &checkpoint, &world.server.public_key(), "checkpoint"));
    cases
}

/// Signs bytes as they are, whatever they are.
fn signed_text(kind: &str, payload: &[u8]) -> RawRecord {
    let signature = signing_key(1).sign(&signed_bytes(kind, payload));
    RawRecord { kind: kind.to_owned(), payload: Base64(payload.to_vec()), signature }
}

fn accept_text() -> String {
    format!(
        r#"{{"org_id":"{}","signer":"{}","signer_bundle":"{}","offer":"{}"}}"#,
        "ab".repeat(32),
        "0b".repeat(16),
        "cd".repeat(32),
        "ef".repeat(32)
    )
}

fn revoke_text(sequence: &str) -> String {
    format!(
        r#"{{"org_id":"{}","signer":"{}","signer_bundle":"{}","sequence":{sequence},"previous":"{}","user_id":"{}","last_valid_size":0,"reason":1}}"#,
        "ab".repeat(32),
        "0b".repeat(16),
        "cd".repeat(32),
        "ef".repeat(32),
        "0c".repeat(16)
    )
}

fn encodings() -> Vec<Value> {
    let key = signing_key(1).public_key();
    let good = accept_text();
    let offer = format!("\"offer\":\"{}\"", "ef".repeat(32));
    let org = format!("\"org_id\":\"{}\",", "ab".repeat(32));
    let accept =
        |name: &str, text: String| case(name, &signed_text("accept", text.as_bytes()), &key, "accept");
    let revoke = |name: &str, sequence: &str| {
        case(name, &signed_text("revoke", revoke_text(sequence).as_bytes()), &key, "revoke")
    };
    let share = |name: &str, context: &str| {
        let text = format!(
            r#"{{"org_id":"{}","signer":"{}","signer_bundle":"{}","context":"{context}","sealed":"{}"}}"#,
            "ab".repeat(32),
            "0b".repeat(16),
            "cd".repeat(32),
            "ef".repeat(32)
        );
        case(name, &signed_text("share", text.as_bytes()), &key, "share")
    };
    vec![
        accept("accepted: the one encoding", good.clone()),
        accept("a space after a colon", good.replacen(':', ": ", 1)),
        accept("a line feed at the end", format!("{good}\n")),
        accept("a byte order mark", format!("\u{feff}{good}")),
        accept("bytes after the object", format!("{good}{{}}")),
        accept("an unknown field", good.replacen('{', "{\"extra\":1,", 1)),
        accept("a field missing", good.replacen(&org, "", 1)),
        accept("a field twice", good.replacen('{', &format!("{{{org}"), 1)),
        accept(
            "fields in another order",
            format!("{{{offer},{}", &good[1..].replacen(&format!(",{offer}"), "", 1)),
        ),
        accept("upper-case hex", good.replacen("ab", "AB", 1)),
        accept("a digit short", good.replacen("ababab", "ababa", 1)),
        accept("null", good.replacen(&format!("\"{}\"", "ef".repeat(32)), "null", 1)),
        accept("an escape", good.replacen("ab", "\\u0061b", 1)),
        accept("an array", "[]".to_owned()),
        accept("nothing", String::new()),
        accept("not UTF-8 is not JSON", "\u{fffd}".to_owned()),
        accept("longer than 8,192 bytes", format!("{}{good}", " ".repeat(8_193 - good.len()))),
        revoke("accepted: the greatest integer", "9007199254740991"),
        revoke("2^53", "9007199254740992"),
        revoke("a fraction", "1.0"),
        revoke("an exponent", "1e0"),
        revoke("a negative integer", "-1"),
        revoke("minus zero", "-0"),
        revoke("a leading zero", "01"),
        revoke("an integer as text", "\"1\""),
        revoke("true for an integer", "true"),
        share("accepted: base64url", "_-8"),
        share("base64url with padding", "_-8="),
        share("base64 of the other alphabet", "/+8"),
        share("base64url with bits left over", "_-9"),
    ]
}

fn signatures() -> Vec<Value> {
    let key = signing_key(1).public_key();
    let good = signed_text("accept", accept_text().as_bytes());
    let with = |bytes: [u8; 64]| RawRecord { signature: Signature::new(bytes), ..good.clone() };
    let flipped = |at: usize| {
        let mut bytes = *good.signature.as_bytes();
        bytes[at] ^= 1;
        with(bytes)
    };
    let mut payload = good.clone();
    payload.payload.0[20] ^= 1;
    let as_login = RawRecord { kind: "login".to_owned(), ..good.clone() };
    let small_order = SigningPublicKey::new(std::array::from_fn(|n| u8::from(n == 0)));
    // With A and R of order 1 and S = 0 the equation holds for every message.
    let mut neutral = [0; 64];
    neutral[0] = 1;
    let non_canonical = SigningPublicKey::new(std::array::from_fn(|n| match n {
        0 => 0xee,
        31 => 0x7f,
        _ => 0xff,
    }));
    vec![
        case("a flipped bit in R", &flipped(0), &key, "accept"),
        case("a flipped bit in S", &flipped(32), &key, "accept"),
        case("S + L: the same point, another encoding", &with(malleable(&good)), &key, "accept"),
        case("a flipped bit in the payload", &payload, &key, "accept"),
        case("another key", &good, &signing_key(2).public_key(), "accept"),
        case(
            "a key of small order with a signature that fits every message",
            &with(neutral),
            &small_order,
            "accept",
        ),
        case("a key that is no canonical encoding", &with(neutral), &non_canonical, "accept"),
        case("one type's signature on another", &as_login, &key, "login"),
        case("another type than expected", &good, &key, "withdraw"),
    ]
}

fn unusual_points() -> Vec<Value> {
    let good = signed_text("accept", accept_text().as_bytes());
    let with = |(name, key, signature): &(&str, &str, &str)| {
        let bytes = json!({ "key": key, "signature": signature });
        let key = SigningPublicKey::from_slice(&unhex(&bytes, "key")).unwrap();
        let signature = Signature::new(unhex(&bytes, "signature").try_into().unwrap());
        case(name, &RawRecord { signature, ..good.clone() }, &key, "accept")
    };
    UNUSUAL_POINTS.iter().map(with).collect()
}

/// The signature with L added to S (RFC 8032 §8.4).
fn malleable(raw: &RawRecord) -> [u8; 64] {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut bytes = *raw.signature.as_bytes();
    let mut carry = 0;
    for (byte, add) in bytes[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_ne!(to_base64(&bytes), to_base64(raw.signature.as_bytes()));
    bytes
}
