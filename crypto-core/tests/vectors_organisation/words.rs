//! `docs/vectors/words.json`

use sealpost_crypto::{
    id::{OrgId, RecordId},
    sign::SigningPublicKey,
    words::{service_words, words},
};
use serde_json::{Value, json};

use crate::support::{cases, read, replay};

#[test]
fn words_vectors() {
    replay("words", generate, |vectors| {
        for case in cases(vectors, "cases") {
            let (one, other) = (read(case, "bundle"), read(case, "other_bundle"));
            let expected: Vec<String> = read(case, "words");
            assert_eq!(words(read(case, "org_id"), one, other).to_vec(), expected, "{}", case["name"]);
            assert_eq!(words(read(case, "org_id"), other, one).to_vec(), expected, "{}", case["name"]);
        }
        for case in cases(vectors, "service") {
            let (org_id, key): (OrgId, SigningPublicKey) =
                (read(case, "org_id"), read(case, "checkpoint_key"));
            let expected: Vec<String> = read(case, "words");
            assert_eq!(service_words(org_id, &key).to_vec(), expected, "{}", case["name"]);
        }
    });
}

fn generate() -> Value {
    let case = |name: &str, org: u8, one: u8, other: u8| {
        let (org_id, one, other) =
            (OrgId::new([org; 32]), RecordId::new([one; 32]), RecordId::new([other; 32]));
        json!({ "name": name, "org_id": org_id, "bundle": one, "other_bundle": other, "words": words(org_id, one, other) })
    };
    let service = |name: &str, org: u8, key: u8| {
        let (org_id, key) = (OrgId::new([org; 32]), SigningPublicKey::new([key; 32]));
        json!({ "name": name, "org_id": org_id, "checkpoint_key": key, "words": service_words(org_id, &key) })
    };
    json!({
        "about": "The twelve words that two people compare. The order of the two bundle ids does not matter. \
            `service`: the words by which a server's new checkpoint key is recognised.",
        "service": [
            service("a key", 1, 2),
            service("another key", 1, 3),
            service("another organisation", 9, 2),
        ],
        "cases": [
            case("two people", 1, 2, 3),
            case("the same two, the other first", 1, 3, 2),
            case("one of them with other keys", 1, 2, 4),
            case("another organisation", 9, 2, 3),
            case("one bundle twice", 1, 2, 2),
            case("extreme ids", 0, 0, 255),
        ],
    })
}
