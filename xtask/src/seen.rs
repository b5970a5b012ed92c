//! Which answers `docs/openapi.json` lists that no test has seen. A test is to see each, it is to be taken off the list, or
//! it is named here with the reason why no test can have it.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Result;
use serde_json::Value;

/// Names the folder for the notes of the tests' processes (`tests/src/seen.rs`).
pub const FOLDER: &str = "SEALPOST_TEST_SEEN";

/// Codes that come from what all routes share (the reader of bodies, the version check, the database), so that one route
/// is enough to see them.
const SHARED: [&str; 6] =
    ["api_version", "malformed_request", "media_type", "not_founded", "too_large", "unavailable"];

/// What no test can ask for, by method, path and code (`*` is any).
const EXCUSED: [(&str, &str, &str, &str); 3] = [
    ("*", "*", "internal", "a fault that is not known; what is known is mended"),
    ("*", "*", "timeout", "seen by its status alone, on a connection that stays half open (bodies.rs)"),
    ("*", "*", "storage_full", "a full disk is played to databases and blob stores alone"),
];

/// An answer: method and path, status or `item`, code or `-`.
type Kind = (String, String, String);

/// Every answer that is listed and was not seen.
pub fn missing(notes: &Path) -> Result<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let document = serde_json::from_str(&fs::read_to_string(path)?)?;
    let seen = seen(notes)?;
    let is_seen = |(route, status, code): &Kind| {
        let excused = EXCUSED.iter().any(|(method, path, excused, _)| {
            excused == code && (*method == "*" || *route == format!("{method} {path}"))
        });
        let elsewhere = || seen.iter().any(|(_, _, known)| known == code);
        excused
            || seen.contains(&(route.clone(), status.clone(), code.clone()))
            || SHARED.contains(&code.as_str()) && elsewhere()
    };
    let missing = listed(&document).into_iter().filter(|kind| !is_seen(kind));
    Ok(missing.map(|(route, status, code)| format!("{route} {status} {code}")).collect())
}

fn seen(notes: &Path) -> Result<BTreeSet<Kind>> {
    let mut seen = BTreeSet::new();
    for file in fs::read_dir(notes)? {
        for line in fs::read_to_string(file?.path())?.lines() {
            let [method, path, status, code] = line.split(' ').collect::<Vec<_>>()[..] else {
                anyhow::bail!("no note: {line}");
            };
            seen.insert((format!("{method} {path}"), status.to_owned(), code.to_owned()));
        }
    }
    Ok(seen)
}

fn listed(document: &Value) -> BTreeSet<Kind> {
    let mut listed = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let route = format!("{} {path}", method.to_uppercase());
            for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
                for code in codes(document, answer) {
                    listed.insert((route.clone(), status.clone(), code));
                }
            }
            for code in operation["x-item-codes"].as_array().into_iter().flatten() {
                listed.insert((route.clone(), "item".into(), code.as_str().unwrap_or_default().to_owned()));
            }
        }
    }
    listed
}

/// The codes of one answer; `-` for a success.
fn codes(document: &Value, answer: &Value) -> Vec<String> {
    let target = answer["$ref"].as_str().and_then(|path| document.pointer(path.trim_start_matches('#')));
    let examples = target.unwrap_or(answer).pointer("/content/application~1problem+json/examples");
    match examples.and_then(Value::as_object) {
        Some(examples) => examples.keys().cloned().collect(),
        None => vec!["-".to_owned()],
    }
}
