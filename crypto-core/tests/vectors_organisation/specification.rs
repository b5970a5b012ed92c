//! `docs/protocol.md` keeps step with the code: it names every failure, and every field in its order.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::support::cases;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn specification() -> String {
    fs::read_to_string(root().join("../docs/protocol.md")).unwrap()
}

fn sources(folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else {
            all.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// The codes in `Kind = "code", "sentence"` and in `Self::Kind => "code"`.
fn codes(source: &str) -> Vec<String> {
    let declared = source.split(" = \"").skip(1).filter(|rest| {
        rest.split_once('"')
            .is_some_and(|(_, rest)| rest.trim_start_matches(',').trim_start().starts_with('"'))
    });
    let matched = source
        .lines()
        .filter(|line| line.trim_start().starts_with("Self::") && line.contains(" => \""))
        .filter_map(|line| line.split_once(" => \"").map(|(_, rest)| rest));
    declared
        .chain(matched)
        .filter_map(|rest| rest.split_once('"').map(|(code, _)| code.to_owned()))
        .filter(|code| {
            code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
        })
        .collect()
}

#[test]
fn every_failure_is_listed() {
    let text = specification();
    let mut all = Vec::new();
    sources(&root().join("src"), &mut all);
    let codes: Vec<String> = all.iter().flat_map(|source| codes(source)).collect();
    assert!(codes.len() > 100, "only {} codes were found", codes.len());
    for code in codes {
        assert!(text.contains(&format!("| `{code}` |")), "{code} is not in the table of failures");
    }
}

#[test]
fn every_field_stands_in_its_order() {
    let text = specification();
    let vectors = fs::read_to_string(root().join("../docs/vectors/records.json")).unwrap();
    let vectors: Value = serde_json::from_str(&vectors).unwrap();
    let types = cases(&vectors, "cases").iter().filter(|case| case["name"] == case["record"]["type"]);
    let mut count = 0;
    for case in types {
        let kind = case["name"].as_str().unwrap();
        let table = text.split(&format!("#### `{kind}`\n")).nth(1).expect(kind);
        let table = table.split("\n\n").nth(1).expect(kind);
        let documented: Vec<&str> =
            table.lines().skip(2).map(|line| line.split('`').nth(1).unwrap()).collect();
        let payload = case["payload_text"].as_str().unwrap();
        let encoded: Vec<&str> =
            payload.split("\":").map(|piece| piece.rsplit('"').next().unwrap()).collect();
        assert_eq!(documented, encoded[..encoded.len() - 1], "{kind}");
        count += 1;
    }
    assert_eq!(count, 16);
}
