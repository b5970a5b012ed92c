//! Replays `docs/vectors/vault.json`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by panicking")]

mod vector_file;

use sealpost_crypto::{
    aead,
    id::{FileId, OrgId, RecordId, UserId},
    labels,
    secret::VaultKey,
    sign::Signature,
    vault::{LogPin, PairKey, Petname, Pin, Vault, VaultOwner, merge},
};
use serde_json::{Value, json};
use vector_file::{bytes, cases, changed, flipped, hex, load, number};

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
    let (mut renewed, behind) = (sample_vault(), sample_vault());
    renewed.renewed = 3;
    let both = merge(&renewed, &behind).unwrap();
    let merges = json!([
        {"name": "the higher pin and the later name", "mine": mine, "theirs": theirs, "merged": merged},
        {"name": "what one device renewed", "mine": renewed, "theirs": behind, "merged": both},
    ]);
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
