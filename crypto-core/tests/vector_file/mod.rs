//! Vector files under `docs/vectors`: replayed by every run, written again with `SEALPOST_WRITE_VECTORS=1`.
//!
//! They are for other implementations: JSON, bytes in hex, each negative case with the code of the failure.

#![allow(dead_code, reason = "every file of tests uses what it needs")]

use serde_json::{Value, json};

/// The file `docs/vectors/{name}.json`, written by `make` first if that is asked for.
pub fn load(name: &str, make: impl FnOnce() -> Value) -> Value {
    let path = format!("{}/../docs/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("SEALPOST_WRITE_VECTORS").is_some_and(|value| value == "1") {
        std::fs::write(&path, format!("{:#}\n", make())).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// The cases of one list, of which there must be some.
pub fn cases<'a>(file: &'a Value, list: &str) -> &'a [Value] {
    let cases = file[list].as_array().unwrap_or_else(|| panic!("no list {list}"));
    assert!(!cases.is_empty(), "{list} is empty");
    cases
}

/// Bytes as lowercase hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A field of hex.
pub fn bytes(case: &Value, field: &str) -> Vec<u8> {
    let text = case[field].as_str().unwrap_or_else(|| panic!("no text {field} in {case}"));
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// `case` under another name, with one field changed and the code of the failure that this must give.
pub fn changed(case: &Value, name: &str, error: &str, field: &str, value: Value) -> Value {
    let mut case = case.clone();
    case[field] = value;
    case["name"] = json!(name);
    case["error"] = json!(error);
    case
}

/// [`changed`] by one bit of byte `at` of a field of hex.
pub fn flipped(case: &Value, name: &str, error: &str, field: &str, at: usize) -> Value {
    let mut value = bytes(case, field);
    value[at] ^= 1;
    changed(case, name, error, field, json!(hex(&value)))
}

/// A field of an integer.
pub fn number(case: &Value, field: &str) -> u64 {
    case[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {case}"))
}
