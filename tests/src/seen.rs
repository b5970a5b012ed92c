//! Which answers the tests have seen. `cargo xtask test` asks for a note of each, so that what the OpenAPI document lists
//! and no test sees is found.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::{LazyLock, Mutex, PoisonError},
};

use sealpost_api::routes::Route;

/// Names the folder where each process of the tests leaves a file: a line `METHOD PATH STATUS CODE` for each kind of
/// answer. `CODE` is `-` for success; `item` stands in the place of the status for errors of single items.
pub const FOLDER: &str = "SEALPOST_TEST_SEEN";

static NOTES: LazyLock<Option<Mutex<Notes>>> = LazyLock::new(|| {
    let folder = std::env::var_os(FOLDER)?;
    let path = Path::new(&folder).join(std::process::id().to_string());
    let file = OpenOptions::new().create(true).append(true).open(path).expect("a file for notes");
    Some(Mutex::new(Notes { known: HashSet::new(), file }))
});

struct Notes {
    known: HashSet<String>,
    file: File,
}

/// An answer of this kind was seen.
pub fn note(route: &Route, status: &str, code: &str) {
    let Some(notes) = &*NOTES else { return };
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    let line = format!("{} {} {status} {code}\n", route.method, route.path);
    if notes.known.insert(line.clone()) {
        notes.file.write_all(line.as_bytes()).expect("a note");
    }
}
