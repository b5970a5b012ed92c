//! `docs/vectors/opening.json`

use sealpost_crypto::{
    email::{EmailAddress, EmailError},
    id::Digest,
    opening::{Opening, OpeningError},
};
use serde_json::{Value, json};

use crate::{
    support::{assert_outcome, cases, read, replay, value},
    world::opening,
};

#[test]
fn opening_vectors() {
    replay("opening", generate, |vectors| {
        for case in cases(vectors, "openings") {
            let opening: Opening = read(case, "opening");
            let verified = opening.verify(read(case, "subject"));
            assert_outcome(case, verified.map_err(|error: OpeningError| error.code()));
        }
        for case in cases(vectors, "addresses") {
            let text: String = read(case, "text");
            let parsed = text.parse::<EmailAddress>().map_err(|error: EmailError| error.code());
            if let Some(address) = assert_outcome(case, parsed) {
                assert_eq!(address.as_str(), case["address"], "{}", case["name"]);
            }
        }
    });
}

fn generate() -> Value {
    json!({
        "about": "Subjects: commitments to a person's address and name. A name stands here as plain JSON text; its UTF-8 bytes are committed to.",
        "openings": openings(),
        "addresses": addresses(),
    })
}

fn openings() -> Value {
    let ann = opening(0x0a, "ann@example.org", "Ann");
    let subject = ann.subject().unwrap();
    let case = |name: &str, opening: Opening, subject: Digest| {
        let error = opening.clone().verify(subject).err().map(|error| error.code());
        json!({ "name": name, "opening": value(&opening), "subject": subject, "error": error })
    };
    let accepted = |name: &str, opening: Opening| {
        let subject = opening.subject().unwrap();
        case(name, opening, subject)
    };
    let longest = Opening { name: "n".repeat(256), ..ann.clone() };
    json!([
        accepted("a colleague", ann.clone()),
        accepted("a client, without name", opening(0x0b, "bob@example.org", "")),
        accepted("a name beyond ASCII", Opening { name: "Zoë Łukasz 山".to_owned(), ..ann.clone() }),
        accepted("the longest name, 256 bytes", longest.clone()),
        case("a longer name", Opening { name: "n".repeat(257), ..ann.clone() }, subject),
        case("another name", Opening { name: "Anna".to_owned(), ..ann.clone() }, subject),
        case(
            "another address",
            Opening { email: "eve@example.org".parse().unwrap(), ..ann.clone() },
            subject
        ),
        case("another person", Opening { user_id: opening(0x0b, "a@b", "").user_id, ..ann.clone() }, subject),
        case("another salt", Opening { salt: Digest::ZERO, ..ann.clone() }, subject),
        case(
            "a byte moved from the name into the address",
            Opening { email: "ann@example.orga".parse().unwrap(), name: "nn".to_owned(), ..ann.clone() },
            subject,
        ),
    ])
}

fn addresses() -> Value {
    let case = |name: &str, text: &str| match text.parse::<EmailAddress>() {
        Ok(address) => json!({ "name": name, "text": text, "address": address }),
        Err(error) => json!({ "name": name, "text": text, "error": error.code() }),
    };
    json!([
        case("plain", "ann@example.org"),
        case("upper case is lowered", "Ann.Other+Tag@Example.ORG"),
        case("the longest, 254 bytes", &format!("{}@example.org", "a".repeat(242))),
        case("longer", &format!("{}@example.org", "a".repeat(243))),
        case("no @", "example.org"),
        case("two @", "a@b@c"),
        case("no name", "@example.org"),
        case("no host", "ann@"),
        case("empty", ""),
        case("a space", "ann @example.org"),
        case("beyond ASCII", "änn@example.org"),
        case("a control character", "ann@example.org\n"),
    ])
}
