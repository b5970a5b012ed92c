//! Replays `docs/vectors/metadata.json` and `envelope.json`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by panicking")]

mod vector_file;

use sealpost_crypto::{
    aead,
    encoding::Text,
    envelope::{Envelope, EnvelopeContents, EnvelopeHeader},
    id::{FileId, OrgId, RecordId, UserId},
    keys::Place,
    labels,
    metadata::{Metadata, Stated, sealed_hash},
    secret::{AccountSeed, EnvelopeKey, MetadataKey},
    size::Layout,
};
use serde_json::{Value, json};
use vector_file::{bytes, cases, changed, flipped, hex, load, number};

fn metadata_place(case: &Value) -> Place {
    Place {
        org_id: OrgId::from_slice(&bytes(case, "org_id")).unwrap(),
        file_id: FileId::from_slice(&bytes(case, "file_id")).unwrap(),
        version: number(case, "version"),
    }
}

/// Metadata that its owner sealed as `plaintext`, right or wrong.
fn metadata_case(plaintext: &[u8]) -> Value {
    let place = Place { org_id: OrgId::new([1; 32]), file_id: FileId::new([2; 16]), version: 3 };
    let aad = labels::labelled(labels::METADATA, &[&place.to_bytes()]);
    let sealed = aead::seal(&[4; 32], &aad, plaintext);
    json!({
        "metadata_key": hex(&[4; 32]),
        "org_id": place.org_id,
        "file_id": place.file_id,
        "version": place.version,
        "ciphertext_length": Layout::for_size(5_000).unwrap().ciphertext_length(),
        "metadata_hash": sealed_hash(&sealed),
        "sealed": hex(&sealed),
    })
}

fn framed(json: &str) -> Vec<u8> {
    let mut plaintext = (json.len() as u16).to_be_bytes().to_vec();
    plaintext.extend_from_slice(json.as_bytes());
    plaintext.resize(plaintext.len().next_multiple_of(512), 0);
    plaintext
}

fn make_metadata() -> Value {
    let text = |text: &str| Text(text.to_owned());
    let metadata = Metadata {
        name: text("Bericht „März“ 2025.pdf"),
        media_type: text("application/pdf"),
        size: 5_000,
        modified: 1_770_000_000,
        note: text("two\nlines"),
    };
    let json = serde_json::to_string(&metadata).unwrap();
    let mut opened = metadata_case(&framed(&json));
    opened["metadata"] = json!({
        "name": metadata.name.0,
        "media_type": metadata.media_type.0,
        "size": metadata.size,
        "modified": metadata.modified,
        "note": metadata.note.0,
    });
    let wrong = |name: &str, plaintext: &[u8]| {
        let mut case = metadata_case(plaintext);
        case["name"] = json!(name);
        case["error"] = json!("metadata_malformed");
        case
    };
    let mut hidden = framed(&json);
    *hidden.last_mut().unwrap() = 1;
    let case = &opened;
    json!({
        "about": "Sealed metadata: docs/protocol.md. The texts in `metadata` are plain UTF-8.",
        "opened": [case],
        "refused": [
            flipped(case, "a flipped bit", "metadata_mismatch", "sealed", 100),
            flipped(case, "another key", "metadata_unopenable", "metadata_key", 0),
            flipped(case, "another organisation", "metadata_unopenable", "org_id", 0),
            flipped(case, "another file", "metadata_unopenable", "file_id", 0),
            changed(case, "another version", "metadata_unopenable", "version", json!(4)),
            changed(case, "content of another size", "metadata_size", "ciphertext_length", json!(4_112)),
            wrong("hidden byte in the padding", &hidden),
            wrong("a block too many", &[framed(&json), vec![0; 512]].concat()),
            wrong("white space", &framed(&json.replace(':', ": "))),
            wrong("an unknown field", &framed(&json.replace('}', ",\"x\":0}"))),
            wrong("a missing field", &framed(&json.replace("\"modified\":1770000000,", ""))),
            wrong("another order", &framed(&json.replace(
                "\"size\":5000,\"modified\":1770000000", "\"modified\":1770000000,\"size\":5000"))),
            wrong("a field twice", &framed(&json.replace("\"size\":5000", "\"size\":5000,\"size\":5000"))),
            wrong("an integer above 2^53-1", &framed(&json.replace("1770000000", "9007199254740992"))),
            wrong("an integer with an exponent", &framed(&json.replace("5000", "5e3"))),
            wrong("padded base64", &framed(&json.replace("\"note\":\"", "\"note\":\"=").replace('=', "dA=="))),
            wrong("text that is no UTF-8", &framed(&json.replace("\"note\":\"", "\"note\":\"____"))),
        ],
    })
}

fn open_metadata(case: &Value) -> Result<Metadata, &'static str> {
    let key = MetadataKey::from_slice(&bytes(case, "metadata_key")).unwrap();
    let stated = Stated {
        hash: serde_json::from_value(case["metadata_hash"].clone()).unwrap(),
        layout: Layout::for_ciphertext(number(case, "ciphertext_length")).unwrap(),
    };
    Metadata::open(&key, &metadata_place(case), &stated, &bytes(case, "sealed")).map_err(|error| error.code())
}

#[test]
fn metadata() {
    let file = load("metadata", make_metadata);
    for case in cases(&file, "opened") {
        let metadata = open_metadata(case).unwrap();
        let expected = &case["metadata"];
        assert_eq!(metadata.name.0, expected["name"]);
        assert_eq!(metadata.media_type.0, expected["media_type"]);
        assert_eq!(
            (metadata.size, metadata.modified),
            (number(expected, "size"), number(expected, "modified"))
        );
        assert_eq!(metadata.note.0, expected["note"]);
    }
    for case in cases(&file, "refused") {
        assert_eq!(open_metadata(case).map_err(Value::from).unwrap_err(), case["error"], "{}", case["name"]);
    }
}

fn make_envelope() -> Value {
    let header = EnvelopeHeader { user_id: UserId::new([3; 16]), generation: 2, epoch: 5, account_key: true };
    let contents = EnvelopeContents {
        seed: AccountSeed::take(&mut [1; 32]),
        org_id: OrgId::new([2; 32]),
        log_size: 9,
        log_head: RecordId::new([4; 32]),
    };
    let envelope = Envelope::seal(&EnvelopeKey::take(&mut [6; 32]), header, &contents);
    let case = &json!({
        "kek": hex(&[6; 32]),
        "envelope": hex(envelope.as_bytes()),
        "envelope_hash": envelope.digest(),
        "user_id": header.user_id,
        "generation": header.generation,
        "epoch": header.epoch,
        "account_key": header.account_key,
        "account_seed": hex(contents.seed.expose()),
        "org_id": contents.org_id,
        "log_size": contents.log_size,
        "log_head": contents.log_head,
    });
    let error = "envelope_unopenable";
    // Sealed by somebody with the key, but with another epoch inside than in the header.
    let mut plaintext = [&[1; 32][..], &[2; 32], &9_u64.to_be_bytes(), &[4; 32]].concat();
    plaintext.extend_from_slice(&4_u64.to_be_bytes());
    let head = &envelope.as_bytes()[..41];
    let sealed = aead::seal(&[6; 32], &labels::labelled(labels::ENVELOPE, &[head]), &plaintext);
    json!({
        "about": "Envelopes: docs/protocol.md. Every failure is the same to the outside.",
        "opened": [case],
        "refused": [
            flipped(case, "another key", error, "kek", 0),
            flipped(case, "another user in the header", error, "envelope", 0),
            flipped(case, "another generation in the header", error, "envelope", 23),
            flipped(case, "another suite", error, "envelope", 31),
            flipped(case, "another epoch in the header", error, "envelope", 39),
            flipped(case, "the other flag", error, "envelope", 40),
            flipped(case, "a changed nonce", error, "envelope", 41),
            flipped(case, "changed contents", error, "envelope", 100),
            flipped(case, "a changed tag", error, "envelope", 192),
            changed(case, "a byte short", error, "envelope", json!(hex(&envelope.as_bytes()[..192]))),
            changed(case, "another epoch inside", error, "envelope", json!(hex(&[head, &sealed].concat()))),
        ],
    })
}

#[test]
fn envelope() {
    let file = load("envelope", make_envelope);
    let open = |case: &Value| {
        let envelope = Envelope::parse(&bytes(case, "envelope"))?;
        let contents = envelope.open(&EnvelopeKey::from_slice(&bytes(case, "kek")).unwrap())?;
        Ok((envelope, contents))
    };
    for case in cases(&file, "opened") {
        let (envelope, contents) = open(case).unwrap();
        let header = envelope.header();
        assert_eq!(json!(envelope.digest()), case["envelope_hash"]);
        assert_eq!(
            json!([header.user_id, contents.org_id, contents.log_head]),
            json!([case["user_id"], case["org_id"], case["log_head"]])
        );
        assert_eq!(
            json!([header.generation, header.epoch, header.account_key, contents.log_size]),
            json!([case["generation"], case["epoch"], case["account_key"], case["log_size"]])
        );
        assert_eq!(hex(contents.seed.expose()), case["account_seed"]);
    }
    for case in cases(&file, "refused") {
        let error: sealpost_crypto::envelope::EnvelopeError = open(case).unwrap_err();
        assert_eq!(error.code(), case["error"], "{}", case["name"]);
    }
}
