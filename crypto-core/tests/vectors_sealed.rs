//! Replays `docs/vectors/metadata.json`, `envelope.json` and `vault.json`.

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
    secret::{AccountSeed, EnvelopeKey, MetadataKey, VaultKey},
    sign::Signature,
    size::Layout,
    vault::{LogPin, PairKey, Petname, Pin, Vault, VaultOwner, merge},
};
use serde_json::{Value, json};
use vector_file::{bytes, cases, hex, load};

fn changed(case: &Value, name: &str, error: &str, field: &str, value: Value) -> Value {
    let mut case = case.clone();
    case[field] = value;
    case["name"] = json!(name);
    case["error"] = json!(error);
    case
}

fn flipped(case: &Value, name: &str, error: &str, field: &str, at: usize) -> Value {
    let mut value = bytes(case, field);
    value[at] ^= 1;
    changed(case, name, error, field, json!(hex(&value)))
}

fn number(case: &Value, field: &str) -> u64 {
    case[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {case}"))
}

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

fn pin(sequence: u64, head: u8) -> Pin {
    Pin { sequence, head: RecordId::new([head; 32]) }
}

fn sample_vault() -> Vault {
    let log = LogPin { size: 3, head: RecordId::new([7; 32]), signature: Signature::new([8; 64]) };
    let mut vault = Vault::first(log, pin(1, 1));
    let key = PairKey { sender: UserId::new([1; 16]), recipient: UserId::new([2; 16]) };
    vault.pins.pairs.insert(key, pin(4, 4));
    vault.pins.files.insert(FileId::new([6; 16]), pin(2, 2));
    vault.petnames.insert(UserId::new([2; 16]), Petname { name: "Zoë".to_owned(), time: 10 });
    vault.rest.insert("a field of a newer version".to_owned(), json!({"kept": [true]}));
    vault
}

fn vault_owner(case: &Value) -> VaultOwner {
    VaultOwner {
        org_id: OrgId::from_slice(&bytes(case, "org_id")).unwrap(),
        user_id: UserId::from_slice(&bytes(case, "user_id")).unwrap(),
    }
}

fn make_vault() -> Value {
    let vault = sample_vault();
    let owner = VaultOwner { org_id: OrgId::new([1; 32]), user_id: UserId::new([2; 16]) };
    let sealed = vault.seal(&VaultKey::take(&mut [9; 32]), &owner).unwrap();
    let mut case = json!({
        "vault_key": hex(&[9; 32]),
        "org_id": owner.org_id,
        "user_id": owner.user_id,
        "version": 1,
        "sealed": hex(&sealed),
    });
    let refused = |name: &str, field: &str, at: usize| flipped(&case, name, "vault_unopenable", field, at);
    let aad = [&owner.org_id.as_bytes()[..], owner.user_id.as_bytes(), &1_u64.to_be_bytes()].concat();
    let aad = labels::labelled(labels::VAULT, &[&aad]);
    let inside = |name: &str, plaintext: &[u8]| {
        let sealed = hex(&aead::seal(&[9; 32], &aad, plaintext));
        changed(&case, name, "vault_unopenable", "sealed", json!(sealed))
    };
    let json = serde_json::to_vec(&vault).unwrap();
    let mut plaintext = (json.len() as u32).to_be_bytes().to_vec();
    plaintext.extend_from_slice(&json);
    plaintext.resize(4_096, 0);
    let mut hidden = plaintext.clone();
    hidden[4_095] = 1;
    let text = String::from_utf8(plaintext.clone()).unwrap();
    let refused = [
        refused("another key", "vault_key", 0),
        refused("another organisation", "org_id", 0),
        refused("another person", "user_id", 0),
        refused("a flipped bit", "sealed", 1_000),
        changed(&case, "another version", "vault_unopenable", "version", json!(2)),
        inside("a hidden byte in the padding", &hidden),
        inside("a block too many", &[plaintext, vec![0; 256]].concat()),
        inside("another version inside", text.replace("\"version\":1", "\"version\":2").as_bytes()),
    ];
    case["vault"] = serde_json::to_value(&vault).unwrap();
    let (merges, conflicts) = make_merges();
    json!({
        "about": "Vaults and their merge rule: docs/protocol.md. `vault` is the JSON inside; its order does not matter.",
        "opened": [case],
        "refused": refused,
        "merges": merges,
        "conflicts": conflicts,
    })
}

fn make_merges() -> (Value, Value) {
    let (mut mine, mut theirs) = (sample_vault(), sample_vault());
    mine.pins.log.size = 5;
    mine.petnames.insert(UserId::new([2; 16]), Petname { name: "Zoe".to_owned(), time: 11 });
    theirs.version = 2;
    theirs.pins.credential = pin(2, 2);
    theirs.pins.files.insert(FileId::new([5; 16]), pin(1, 1));
    let merged = merge(&mine, &theirs).unwrap();
    let merges = json!([{"name": "the higher pin and the later name", "mine": mine, "theirs": theirs, "merged": merged}]);
    let conflict = |change: &dyn Fn(&mut Vault), name: &str, error: &str| {
        let mut theirs = sample_vault();
        change(&mut theirs);
        json!({"name": name, "mine": sample_vault(), "theirs": theirs, "error": error})
    };
    let pair = PairKey { sender: UserId::new([1; 16]), recipient: UserId::new([2; 16]) };
    let conflicts = json!([
        conflict(
            &|vault| vault.pins.log.head = RecordId::new([1; 32]),
            "two heads of one log size",
            "vault_conflict_log"
        ),
        conflict(
            &|vault| vault.pins.credential = pin(1, 9),
            "two credentials of one epoch",
            "vault_conflict_credential"
        ),
        conflict(
            &|vault| vault.pins.pairs.extend([(pair, pin(4, 9))]),
            "two records at one place of a pair",
            "vault_conflict_pair"
        ),
        conflict(
            &|vault| vault.pins.files.extend([(FileId::new([6; 16]), pin(2, 9))]),
            "two manifests of one version",
            "vault_conflict_file"
        ),
    ]);
    (merges, conflicts)
}

#[test]
fn vault() {
    let file = load("vault", make_vault);
    let open = |case: &Value| {
        let key = VaultKey::from_slice(&bytes(case, "vault_key")).unwrap();
        Vault::open(&key, &vault_owner(case), number(case, "version"), &bytes(case, "sealed"))
    };
    for case in cases(&file, "opened") {
        assert_eq!(serde_json::to_value(open(case).unwrap()).unwrap(), case["vault"]);
    }
    for case in cases(&file, "refused") {
        assert_eq!(open(case).unwrap_err().code(), case["error"], "{}", case["name"]);
    }
    let side = |case: &Value, field: &str| serde_json::from_value::<Vault>(case[field].clone()).unwrap();
    for case in cases(&file, "merges") {
        let merged = merge(&side(case, "mine"), &side(case, "theirs")).unwrap();
        assert_eq!(serde_json::to_value(merged).unwrap(), case["merged"], "{}", case["name"]);
    }
    for case in cases(&file, "conflicts") {
        let conflict = merge(&side(case, "mine"), &side(case, "theirs")).unwrap_err();
        assert_eq!(conflict.code(), case["error"], "{}", case["name"]);
    }
}
