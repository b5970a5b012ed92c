//! Replays `docs/vectors/size.json` and `content.json`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by panicking")]

mod vector_file;

use chacha20poly1305::{ChaCha20Poly1305, KeyInit, aead::Aead};
use sealpost_crypto::{
    chunk::{check_padding, open_part, seal_part},
    id::Digest,
    parts::{PartList, content_digest, part_digest},
    secret::ContentKey,
    size::{Layout, MAX_PLAINTEXT, PART_CIPHERTEXT, PART_PLAINTEXT, TAG},
};
use serde_json::{Value, json};
use vector_file::{bytes, cases, changed, flipped, hex, load, number};

fn make_sizes() -> Value {
    let sizes = [
        0,
        1,
        4_095,
        4_096,
        4_097,
        65_535,
        65_536,
        65_537,
        1_000_000,
        PART_PLAINTEXT - 1,
        PART_PLAINTEXT,
        PART_PLAINTEXT + 1,
        314_572_801,
        5_000_000_000,
        MAX_PLAINTEXT - 1,
        MAX_PLAINTEXT,
    ];
    let layouts: Vec<Value> = sizes.iter().map(|size| layout_case(*size)).collect();
    let impossible = [0, 16, 4_111, 4_113, 65_568, 65_569, PART_CIPHERTEXT + 16];
    let largest = Layout::for_size(MAX_PLAINTEXT).unwrap().ciphertext_length();
    let refused: Vec<Value> = impossible
        .iter()
        .map(|length| json!({"ciphertext_length": length, "error": "size_impossible"}))
        .chain([json!({"ciphertext_length": largest + TAG + 1, "error": "size_too_large"})])
        .collect();
    json!({
        "about": "Plaintext size, padded length, ciphertext length, parts: docs/protocol.md. All in bytes.",
        "layouts": layouts,
        "refused_sizes": [{"size": MAX_PLAINTEXT + 1, "error": "size_too_large"}],
        "refused_ciphertext_lengths": refused,
    })
}

fn layout_case(size: u64) -> Value {
    let layout = Layout::for_size(size).unwrap();
    let last = layout.part(layout.parts() - 1).unwrap();
    json!({
        "size": size,
        "padded_length": layout.padded_length(),
        "ciphertext_length": layout.ciphertext_length(),
        "parts": layout.parts(),
        "last_part_length": last.ciphertext_length(),
    })
}

#[test]
fn sizes() {
    let file = load("size", make_sizes);
    for case in cases(&file, "layouts") {
        assert_eq!(&layout_case(case["size"].as_u64().unwrap()), case);
        let layout = Layout::for_ciphertext(case["ciphertext_length"].as_u64().unwrap()).unwrap();
        assert_eq!(layout.padded_length(), case["padded_length"]);
    }
    for case in cases(&file, "refused_sizes") {
        assert_eq!(Layout::for_size(case["size"].as_u64().unwrap()).unwrap_err().code(), case["error"]);
    }
    for case in cases(&file, "refused_ciphertext_lengths") {
        let length = case["ciphertext_length"].as_u64().unwrap();
        assert_eq!(Layout::for_ciphertext(length).unwrap_err().code(), case["error"], "{length}");
    }
}

/// Byte n of every file here.
fn content(size: u64) -> Vec<u8> {
    (0..size).map(|n| (n * 31 + n / 251 + 1) as u8).collect()
}

fn sealed_parts(key: &ContentKey, size: u64) -> Vec<Vec<u8>> {
    let layout = Layout::for_size(size).unwrap();
    let mut plaintext = content(size);
    plaintext.resize(layout.padded_length() as usize, 0);
    let seal = |index| {
        let part = layout.part(index).unwrap();
        let mut out = Vec::new();
        let range = part.plaintext.start as usize..part.plaintext.end as usize;
        seal_part(key, &layout, index, &plaintext[range], &mut out).unwrap();
        out
    };
    (0..layout.parts()).map(seal).collect()
}

fn file_case(key: &ContentKey, size: u64) -> Value {
    let parts = sealed_parts(key, size);
    let digests: Vec<Digest> = parts.iter().map(|part| part_digest(part)).collect();
    let length = parts.iter().map(|part| part.len() as u64).sum();
    let parts: Vec<Value> = parts
        .iter()
        .zip(&digests)
        .map(|(part, digest)| {
            json!({
                "length": part.len(),
                "digest": digest,
                "first_32_bytes": hex(&part[..32]),
                "last_32_bytes": hex(&part[part.len() - 32..]),
            })
        })
        .collect();
    json!({
        "content_key": hex(key.expose()),
        "size": size,
        "parts": parts,
        "digest": content_digest(length, &digests),
    })
}

/// A file of 5 bytes as its recipient gets it.
fn honest() -> Value {
    let key = ContentKey::take(&mut [0x42; 32]);
    part_case(&key, sealed_parts(&key, 5).remove(0))
}

/// `part` as the only part of a file of 5 bytes, with digests that fit.
fn part_case(key: &ContentKey, part: Vec<u8>) -> Value {
    let digest = part_digest(&part);
    json!({
        "content_key": hex(key.expose()),
        "size": 5,
        "ciphertext_length": 4_112,
        "digests": [digest],
        "digest": content_digest(4_112, &[digest]),
        "part": 0,
        "ciphertext": hex(&part),
    })
}

/// The same file, sealed by somebody who does not keep to the protocol.
fn sealed_wrongly(nonce: [u8; 12], last_byte: u8) -> Value {
    let key = ContentKey::take(&mut [0x42; 32]);
    let mut plaintext = content(5);
    plaintext.resize(4_096, 0);
    plaintext[4_095] = last_byte;
    let cipher = ChaCha20Poly1305::new(key.expose().into());
    part_case(&key, cipher.encrypt(&nonce.into(), &plaintext[..]).unwrap())
}

fn make_content() -> Value {
    let key = ContentKey::take(&mut [0x42; 32]);
    let files: Vec<Value> =
        [0, 5, 4_097, 65_536, 65_537, PART_PLAINTEXT + 1].map(|size| file_case(&key, size)).into();
    let ciphertext = bytes(&honest(), "ciphertext");
    let (digest, other) = (part_digest(&ciphertext), Digest::new([1; 32]));
    let case = |name: &str, error: &str, field: &str, value| changed(&honest(), name, error, field, value);
    let wrong = |name: &str, error: &str, nonce, last_byte| {
        let sealed = sealed_wrongly(nonce, last_byte);
        changed(&sealed, name, error, "part", json!(0))
    };
    json!({
        "about": "Content: docs/protocol.md. Byte n of a file's content is (31 n + floor(n / 251) + 1) mod 256.",
        "files": files,
        "opened": [honest()],
        "refused": [
            flipped(&honest(), "a flipped bit", "part_mismatch", "ciphertext", 4_000),
            case("a byte short", "part_length", "ciphertext", json!(hex(&ciphertext[..4_111]))),
            case("a part that the file does not have", "part_length", "part", json!(1)),
            case("another digest in the list", "part_list_mismatch", "digests", json!([other])),
            case("a digest too many", "part_count", "digests", json!([digest, digest])),
            case("the digest under another length", "part_list_mismatch",
                "digest", json!(content_digest(4_113, &[digest]))),
            case("a length that no file has", "size_impossible", "ciphertext_length", json!(4_113)),
            case("another key", "content_unopenable", "content_key", json!("43".repeat(32))),
            wrong("the last chunk without its flag", "content_unopenable", [0; 12], 0),
            wrong("the first chunk with counter 1", "content_unopenable", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], 0),
            wrong("a byte hidden in the padding", "content_padding", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 1),
        ],
    })
}

fn open(case: &Value) -> Result<Vec<u8>, &'static str> {
    let key = ContentKey::from_slice(&bytes(case, "content_key")).unwrap();
    let layout = Layout::for_ciphertext(number(case, "ciphertext_length")).map_err(|error| error.code())?;
    let digests: Vec<Digest> = serde_json::from_value(case["digests"].clone()).unwrap();
    let expected: Digest = serde_json::from_value(case["digest"].clone()).unwrap();
    let list = PartList::verify(layout, digests, &expected).map_err(|error| error.code())?;
    let mut buffer = bytes(case, "ciphertext");
    let index = number(case, "part") as u32;
    let part = list.check(index, &mut buffer).map_err(|error| error.code())?;
    let plaintext = open_part(&key, part).map_err(|error| error.code())?;
    let content =
        check_padding(&layout, index, number(case, "size"), plaintext).map_err(|error| error.code())?;
    Ok(content.to_vec())
}

#[test]
fn contents() {
    let file = load("content", make_content);
    for case in cases(&file, "files") {
        let key = ContentKey::from_slice(&bytes(case, "content_key")).unwrap();
        assert_eq!(&file_case(&key, case["size"].as_u64().unwrap()), case);
    }
    for case in cases(&file, "opened") {
        assert_eq!(open(case), Ok(content(5)));
    }
    for case in cases(&file, "refused") {
        assert_eq!(open(case).unwrap_err(), case["error"], "{}", case["name"]);
    }
}
