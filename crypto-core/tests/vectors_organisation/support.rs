//! Reading and writing vector files.

use sealpost_crypto::{
    log::{Log, LogEntry},
    record::RawRecord,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

pub use crate::vector_file::{bytes as unhex, cases, hex, load};

/// Replays `docs/vectors/{name}.json` with `check`; writes it with `generate` first if that is asked for.
pub fn replay(name: &str, generate: impl FnOnce() -> Value, check: impl FnOnce(&Value)) {
    check(&load(name, generate));
}

/// The value of `field`, parsed as whatever is expected.
pub fn read<T: DeserializeOwned>(value: &Value, field: &str) -> T {
    serde_json::from_value(value[field].clone()).unwrap_or_else(|error| panic!("{field}: {error}"))
}

/// Asserts that `result` is what the case names: the code of a failure in `error`, or else success.
pub fn assert_outcome<T>(case: &Value, result: Result<T, &'static str>) -> Option<T> {
    assert_eq!(result.as_ref().err().copied(), case["error"].as_str(), "{}", case["name"]);
    result.ok()
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
