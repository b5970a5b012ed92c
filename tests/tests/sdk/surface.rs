//! The SDK's interface names no type of a library that it happens to be built on: such a library may change without
//! anybody's program breaking. Checked on the source: signatures of public items, public fields, traits and `impl` heads.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Crates that no signature may name.
const HIDDEN: [&str; 9] =
    ["reqwest", "sqlx", "axum", "hpke", "hyper", "rustls", "opaque_ke", "ed25519_dalek", "x25519_dalek"];
/// What the interface is made of: the SDK, and the crates whose types it hands on.
const CRATES: [&str; 3] = ["client-sdk", "crypto-core", "api"];

#[test]
fn no_signature_names_a_library_behind_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (mut files, mut signatures, mut offences) = (Vec::new(), 0, Vec::new());
    CRATES.iter().for_each(|name| collect(&root.join(name).join("src"), &mut files));
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = without_tests_and_comments(&text);
        let names = hidden_names(&code);
        for signature in public_signatures(&code) {
            signatures += 1;
            if let Some(name) = names.iter().find(|name| words(&signature).any(|word| word == name.as_str()))
            {
                offences.push(format!("{}: {name} in {signature:?}", file.display()));
            }
        }
    }
    assert!(signatures > 500, "only {signatures} signatures were found: this test reads the wrong thing");
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn the_check_sees_what_it_is_for() {
    let offends = |code: &str| {
        let names = hidden_names(code);
        public_signatures(code)
            .any(|signature| words(&signature).any(|word| names.iter().any(|name| name == word)))
    };
    assert!(offends("pub fn send(\n    request: reqwest::Request,\n) -> u8 {\n"));
    assert!(offends("use reqwest::{Body, Client as Pool};\npub struct A {\n    pub pool: Pool,\n}\n"));
    assert!(offends("pub trait A {\n    fn row(&self) -> sqlx::Row;\n}\n"));
    assert!(offends("impl From<reqwest::Error> for Error {\n"));
    assert!(!offends("use reqwest::Client;\npub struct A {\n    pool: Client,\n}\nfn a(c: Client) {\n"));
    assert!(!offends("use opaque_ke::Ksf;\nstruct Stretch;\nimpl Ksf for Stretch {\n"));
    assert!(offends("use opaque_ke::Ksf;\npub struct Stretch;\nimpl Ksf for Stretch {\n"));
    assert!(!offends("pub struct Wrapped(reqwest::Client);\npub(crate) fn a(c: reqwest::Client) {\n"));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            collect(&path, files);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push(path);
        }
    }
}

fn without_tests_and_comments(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The hidden crates, and everything that this file imports from them, under the name that it has here.
fn hidden_names(code: &str) -> Vec<String> {
    let mut names: Vec<String> = HIDDEN.iter().map(ToString::to_string).collect();
    for import in
        code.split("\nuse ").chain(code.strip_prefix("use ")).filter_map(|rest| rest.split(';').next())
    {
        let Some((root, rest)) = import.split_once("::") else { continue };
        if HIDDEN.contains(&root) {
            let last = |item: &str| {
                item.split(" as ").last().unwrap_or(item).rsplit("::").next().unwrap().to_owned()
            };
            let items = rest.split(['{', '}', ',']).map(str::trim).filter(|item| !item.is_empty());
            names.extend(items.filter(|item| !item.ends_with("::")).map(last));
        }
    }
    names.retain(|name| name != "self");
    names
}

/// Signatures and fields that others can see, and what traits are implemented for and from.
fn public_signatures(code: &str) -> impl Iterator<Item = String> + '_ {
    let starts = code.match_indices('\n').map(|(at, _)| at + 1).chain([0]);
    starts.filter_map(|at| {
        let rest = &code[at..];
        let line = rest.trim_start();
        if line.starts_with("pub trait ") {
            return rest.split("\n}").next().map(str::to_owned);
        }
        if line.starts_with("pub use ") || !(line.starts_with("pub ") || rest.starts_with("impl")) {
            return None;
        }
        let signature = rest.split(['{', ';']).next()?;
        if rest.starts_with("impl") && is_of_a_private_type(signature, code) {
            return None;
        }
        let is_value = line.starts_with("pub const ") || line.starts_with("pub static ");
        let signature = if is_value { signature.split(" = ").next()? } else { signature };
        // Fields of a tuple that are not public.
        let hidden_fields =
            line.starts_with("pub struct ") && signature.contains('(') && !signature.contains("(pub");
        let seen = if hidden_fields { signature.split('(').next()? } else { signature };
        // A field ends with its line.
        let is_field = line.split_once(':').is_some_and(|(name, _)| name.split(' ').count() == 2);
        Some(if is_field { seen.lines().next()?.to_owned() } else { seen.to_owned() })
    })
}

/// Whether an `impl` is of a type that this file defines for itself.
fn is_of_a_private_type(signature: &str, code: &str) -> bool {
    let Some(name) =
        words(signature.rsplit(" for ").next().unwrap_or(signature)).find(|word| !word.is_empty())
    else {
        return false;
    };
    let defines = |start: &str| code.contains(&format!("\n{start} {name}"));
    ["struct", "enum", "pub(crate) struct", "pub(super) struct"].into_iter().any(defines)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
}
