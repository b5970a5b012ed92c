//! Reading and writing vector files.

use std::{fs, path::PathBuf};

use sealpost_crypto::{
    log::{Log, LogEntry},
    record::RawRecord,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Replays `docs/vectors/{name}.json` with `check`; writes it with `generate` first if asked to.
pub fn replay(name: &str, generate: impl FnOnce() -> Value, check: impl FnOnce(&Value)) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors").join(format!("{name}.json"));
    if std::env::var_os("SEALPOST_WRITE_VECTORS").is_some_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&generate()).unwrap();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text + "\n").unwrap();
    }
    let text = fs::read_to_string(&path).expect("the vectors are part of the project");
    check(&serde_json::from_str(&text).unwrap());
}

/// The array `field`, which must not be empty.
pub fn cases<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    let cases = value[field].as_array().expect(field);
    assert!(!cases.is_empty(), "{field} is empty");
    cases
}

/// The value of `field`, parsed as whatever is expected.
pub fn read<T: DeserializeOwned>(value: &Value, field: &str) -> T {
    serde_json::from_value(value[field].clone()).unwrap_or_else(|error| panic!("{field}: {error}"))
}

/// Asserts that `result` is what the case expects: "ok", or the code of the failure.
pub fn assert_expected<T>(case: &Value, result: Result<T, &'static str>) -> Option<T> {
    let expected = case["expected"].as_str().expect("expected");
    let name = &case["name"];
    match result {
        Ok(value) => {
            assert_eq!(expected, "ok", "{name} was accepted");
            Some(value)
        }
        Err(code) => {
            assert_eq!(code, expected, "{name}");
            None
        }
    }
}

pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(value: &Value, field: &str) -> Vec<u8> {
    let text = value[field].as_str().expect(field);
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

pub fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap()
}

pub fn entries(log: &Log) -> Value {
    log.entries(0).map(|LogEntry { record, bundle }| json!({ "record": record, "bundle": bundle })).collect()
}

/// The log of the first `size` entries of `entries`, and its checkpoint if there is one.
pub fn read_log(entries: &Value, size: usize) -> Log {
    let entries = entries.as_array().unwrap();
    let bundle = |entry: &Value| -> Option<RawRecord> { read(entry, "bundle") };
    let mut log = Log::found(read(&entries[0], "record"), bundle(&entries[0]).unwrap()).unwrap();
    for entry in &entries[1..size] {
        log.apply(read(entry, "record"), bundle(entry)).unwrap();
    }
    log
}
