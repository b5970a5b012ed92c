//! The published vectors of records, log, openings, invites, shares, pairs and words (`docs/vectors`), replayed
//! from the files alone, as another implementation would. `SEALPOST_WRITE_VECTORS=1` writes them anew first.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod evidence;
mod invite;
mod log;
mod opening;
mod pair;
mod points;
mod records;
mod rotation;
mod share;
mod specification;
mod support;
#[path = "../vector_file/mod.rs"]
mod vector_file;
mod versions;
mod words;
mod world;
