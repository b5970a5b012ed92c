//! Replays `docs/vectors/keys.json`, `hpke.json` and `kit.json`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by panicking")]

mod vector_file;

use sealpost_crypto::{
    id::{FileId, OrgId},
    kem::{Encapsulation, KemKeyPair, KemPublicKey, SealedFileKey, WrappedKey, unwrap, wrap},
    keys::{AccountKeys, FileKeys, Place},
    kit::{KitText, RecoveryKit, account_key_from_code, seed_from_words},
    secret::{AccountKey, AccountSeed, FileKey, KemSeed},
};
use serde_json::{Value, json};
use vector_file::{bytes, cases, changed, flipped, hex, load, number};

fn counted<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|n| first.wrapping_add(n as u8))
}

fn make_keys() -> Value {
    json!({
        "about": "The key tree: docs/protocol.md. Each output follows from the fields before it.",
        "accounts": [account_case([0; 32]), account_case(counted(0))],
        "files": [
            file_case([0; 32], OrgId::ZERO, FileId::ZERO, 1),
            file_case(counted(1), OrgId::new(counted(2)), FileId::new(counted(3)), 0x0102_0304_0506),
        ],
    })
}

fn account_case(mut seed: [u8; 32]) -> Value {
    let shown = hex(&seed);
    let keys = AccountKeys::derive(&AccountSeed::take(&mut seed));
    json!({
        "account_seed": shown,
        "signing_public_key": hex(keys.signing.public_key().as_bytes()),
        "kem_public_key": hex(keys.kem.public_key().as_bytes()),
        "vault_key": hex(keys.vault.expose()),
    })
}

fn file_case(mut key: [u8; 32], org_id: OrgId, file_id: FileId, version: u64) -> Value {
    let shown = hex(&key);
    let keys = FileKeys::derive(&FileKey::take(&mut key), &Place { org_id, file_id, version });
    json!({
        "file_key": shown,
        "org_id": org_id,
        "file_id": file_id,
        "version": version,
        "content_key": hex(keys.content.expose()),
        "metadata_key": hex(keys.metadata.expose()),
        "commitment": keys.commitment,
    })
}

#[test]
fn keys() {
    let file = load("keys", make_keys);
    for case in cases(&file, "accounts") {
        assert_eq!(&account_case(bytes(case, "account_seed").try_into().unwrap()), case);
    }
    for case in cases(&file, "files") {
        let org_id = OrgId::from_slice(&bytes(case, "org_id")).unwrap();
        let file_id = FileId::from_slice(&bytes(case, "file_id")).unwrap();
        let key = bytes(case, "file_key").try_into().unwrap();
        assert_eq!(&file_case(key, org_id, file_id, number(case, "version")), case);
    }
}

/// The first vector of draft-connolly-cfrg-xwing-kem, appendix C.
const DRAFT_SEED: &str = "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26";

fn pair(seed: &[u8]) -> KemKeyPair {
    KemKeyPair::from_seed(&KemSeed::from_slice(seed).unwrap())
}

fn pair_case(name: &str, seed: &[u8]) -> Value {
    json!({"name": name, "kem_seed": hex(seed), "kem_public_key": hex(pair(seed).public_key().as_bytes())})
}

fn wrap_case(name: &str, info: &[u8]) -> Value {
    let (seed, mut key) = (counted::<32>(9), counted::<32>(7));
    let shown = hex(&key);
    let recipient = pair(&seed).public_key().check().unwrap();
    let wrapped = wrap(&recipient, info, &FileKey::take(&mut key)).unwrap();
    json!({
        "name": name,
        "kem_seed": hex(&seed),
        "info": hex(info),
        "enc": hex(wrapped.enc.as_bytes()),
        "ciphertext": hex(wrapped.ciphertext.as_bytes()),
        "wrapped_digest": wrapped.digest(),
        "file_key": shown,
    })
}

/// A wrap that does not open has no outcome.
fn refused_wrap(mut case: Value) -> Value {
    let fields = case.as_object_mut().unwrap();
    fields.remove("file_key");
    fields.remove("wrapped_digest");
    case
}

fn make_hpke() -> Value {
    let wrapped =
        wrap_case("info as a share has it", &[b"sealpost/v1/share-info\0", &[5_u8; 32][..]].concat());
    let flip =
        |name: &str, field: &str, at| refused_wrap(flipped(&wrapped, name, "file_key_unopenable", field, at));
    let good = *pair(&[1; 32]).public_key().as_bytes();
    let with_x25519 = |half: [u8; 32]| hex(&[&good[..1184], &half].concat());
    let mut unreduced = good;
    (unreduced[0], unreduced[1]) = (0x01, unreduced[1] & 0xf0 | 0x0d);
    let refused_key =
        |name: &str, key: String| json!({"name": name, "kem_public_key": key, "error": "kem_key_invalid"});
    let mut one = [0; 32];
    one[0] = 1;
    let order_8 = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800";
    let order_8 = bytes(&json!({"half": order_8}), "half").try_into().unwrap();
    json!({
        "about": "HPKE base mode, single-shot, empty aad: X-Wing 0x647a, HKDF-SHA256 0x0001, ChaCha20-Poly1305 0x0003.",
        "key_pairs": [
            pair_case("draft-connolly-cfrg-xwing-kem, appendix C, vector 1", &bytes(&json!({"seed": DRAFT_SEED}), "seed")),
            pair_case("zeros", &[0; 32]),
        ],
        "opened": [wrapped.clone(), wrap_case("empty info", b"")],
        "refused": [
            flip("a bit of the ML-KEM ciphertext", "enc", 0),
            flip("a bit of the ephemeral X25519 key", "enc", 1100),
            flip("a bit of the sealed key", "ciphertext", 0),
            flip("a bit of the tag", "ciphertext", 47),
            flip("another info", "info", 0),
            refused_wrap(changed(&wrapped, "another recipient", "file_key_unopenable", "kem_seed", json!("0a".repeat(32)))),
        ],
        "valid_public_keys": [{"name": "honest", "kem_public_key": hex(&good)}],
        "refused_public_keys": [
            refused_key("X25519 half of zeros", with_x25519([0; 32])),
            refused_key("X25519 half of order 1", with_x25519(one)),
            refused_key("X25519 half of order 8", with_x25519(order_8)),
            refused_key("first ML-KEM coefficient is q = 3329", hex(&unreduced)),
        ],
    })
}

fn open_wrap(case: &Value) -> Result<FileKey, &'static str> {
    let wrapped = WrappedKey {
        enc: Encapsulation::from_slice(&bytes(case, "enc")).unwrap(),
        ciphertext: SealedFileKey::from_slice(&bytes(case, "ciphertext")).unwrap(),
    };
    if let Some(digest) = case["wrapped_digest"].as_str() {
        assert_eq!(wrapped.digest().to_string(), digest);
    }
    unwrap(&pair(&bytes(case, "kem_seed")), &bytes(case, "info"), &wrapped).map_err(|error| error.code())
}

#[test]
fn hpke() {
    let file = load("hpke", make_hpke);
    for case in cases(&file, "key_pairs") {
        assert_eq!(hex(pair(&bytes(case, "kem_seed")).public_key().as_bytes()), case["kem_public_key"]);
    }
    for case in cases(&file, "opened") {
        assert_eq!(hex(open_wrap(case).unwrap().expose()), case["file_key"]);
    }
    for case in cases(&file, "refused") {
        assert_eq!(open_wrap(case).unwrap_err(), case["error"], "{}", case["name"]);
    }
    let check = |case: &Value| KemPublicKey::from_slice(&bytes(case, "kem_public_key")).unwrap().check();
    for case in cases(&file, "valid_public_keys") {
        assert!(check(case).is_ok());
    }
    for case in cases(&file, "refused_public_keys") {
        assert_eq!(check(case).unwrap_err().code(), case["error"], "{}", case["name"]);
    }
}

fn kit_case(mut seed: [u8; 32], org_id: OrgId, account_key: Option<[u8; 16]>) -> Value {
    let kit = RecoveryKit {
        org_id,
        account_key: account_key.map(|mut key| AccountKey::take(&mut key)),
        seed: AccountSeed::take(&mut seed),
    };
    let text = kit.to_text();
    json!({
        "account_seed": hex(kit.seed.expose()),
        "org_id": org_id,
        "account_key": account_key.map(|key| hex(&key)).unwrap_or_default(),
        "words": *text.words,
        "organisation_code": *text.organisation,
        "account_key_code": text.account_key.map(|code| code.to_string()).unwrap_or_default(),
    })
}

fn make_kit() -> Value {
    let case = kit_case(counted(0), OrgId::new(counted(0x20)), Some(counted(0x40)));
    let (words, key) = (case["words"].as_str().unwrap(), case["account_key_code"].as_str().unwrap());
    let without_last = words.rsplit_once(' ').unwrap().0;
    let numbered: String = words
        .split(' ')
        .enumerate()
        .map(|(n, word)| format!("{}. {}\n", n + 1, word.to_uppercase()))
        .collect();
    let typed_key = key.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
    let refused_words =
        |name: &str, words: String, error: &str| json!({"name": name, "words": words, "error": error});
    let refused_key = |name: &str, code: String, error: &str| json!({"name": name, "account_key_code": code, "error": error});
    json!({
        "about": "Recovery kits: docs/protocol.md. An empty account key is none.",
        "kits": [case.clone(), kit_case([0; 32], OrgId::ZERO, None), kit_case([0xff; 32], OrgId::new([0xff; 32]), Some([0xff; 16]))],
        "typed_words": [{"words": numbered, "account_seed": case["account_seed"]}],
        "typed_account_keys": [{"account_key_code": typed_key, "account_key": case["account_key"]}],
        "refused_words": [
            refused_words("a word is missing", without_last.to_owned(), "kit_word_count"),
            refused_words("a word that the list does not have", format!("{without_last} sealpost"), "kit_word_unknown"),
            refused_words("a wrong word", format!("{}zoo", "abandon ".repeat(23)), "kit_word_checksum"),
        ],
        "refused_account_keys": [
            refused_key("a wrong character", format!("Z{}", &key[1..]), "kit_code_checksum"),
            refused_key("U is in no code", format!("U{}", &key[1..]), "kit_code_mistyped"),
            refused_key("two characters are missing", key[..key.len() - 2].to_owned(), "kit_code_mistyped"),
            refused_key("an organisation code", case["organisation_code"].as_str().unwrap().to_owned(), "kit_code_mistyped"),
        ],
    })
}

#[test]
fn kit() {
    let file = load("kit", make_kit);
    for case in cases(&file, "kits") {
        let key = case["account_key"].as_str().filter(|key| !key.is_empty());
        let key = key.map(|_| bytes(case, "account_key").try_into().unwrap());
        let seed = bytes(case, "account_seed").try_into().unwrap();
        let org_id = OrgId::from_slice(&bytes(case, "org_id")).unwrap();
        assert_eq!(&kit_case(seed, org_id, key), case);
        let text = |field: &str| case[field].as_str().unwrap().to_owned().into();
        let typed = KitText {
            words: text("words"),
            organisation: text("organisation_code"),
            account_key: key.map(|_| text("account_key_code")),
        };
        let kit = RecoveryKit::parse(&typed).unwrap();
        assert_eq!((hex(kit.seed.expose()), kit.org_id), (hex(&seed), org_id));
        assert_eq!(kit.account_key.map(|key| *key.expose()), key);
    }
    for case in cases(&file, "typed_words") {
        let seed = seed_from_words(case["words"].as_str().unwrap()).unwrap();
        assert_eq!(hex(seed.expose()), case["account_seed"]);
    }
    for case in cases(&file, "typed_account_keys") {
        let key = account_key_from_code(case["account_key_code"].as_str().unwrap()).unwrap();
        assert_eq!(hex(key.expose()), case["account_key"]);
    }
    for case in cases(&file, "refused_words") {
        let error = seed_from_words(case["words"].as_str().unwrap()).unwrap_err();
        assert_eq!(error.code(), case["error"], "{}", case["name"]);
    }
    for case in cases(&file, "refused_account_keys") {
        let error = account_key_from_code(case["account_key_code"].as_str().unwrap()).unwrap_err();
        assert_eq!(error.code(), case["error"], "{}", case["name"]);
    }
}
