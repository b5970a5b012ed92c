//! Fuzz targets: one for every reader of untrusted bytes. Each takes any bytes, must not panic, and asserts what must
//! hold of whatever was accepted.
//!
//! Most of what Sealpost reads is signed or sealed, so random bytes would never get past the first check. The targets
//! therefore play the owner of the keys: they take something valid, change it as the input says ([`patch`]), sign or
//! seal it again, and look at what the reader behind that check does with it.
//!
//! `cargo test -p sealpost-fuzz` replays the corpus; `docs/fuzzing.md` says how to look for more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a finding is a panic, with the place and the reason"
)]

mod answers;
mod bodies;
mod chain;
mod delivery;
mod invites;
mod lab;
mod messages;
mod passwords;
pub mod patch;
mod proofs;
mod records;
mod sealed;
mod texts;
mod world;

pub use lab::close as close_lab;

/// Takes any bytes; panics if something that must hold does not.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its corpus folder and of its program.
pub const TARGETS: &[(&str, Target)] = &[
    ("record", records::one),
    ("log", chain::log),
    ("pair", chain::pair),
    ("manifest", delivery::manifest),
    ("share", delivery::share),
    ("receipt", delivery::receipt),
    ("part_stream", sealed::part_stream),
    ("vault", sealed::vault),
    ("metadata", sealed::metadata),
    ("offer", invites::offered),
    ("accept", invites::accepted),
    ("evidence", proofs::evidence),
    ("fork", proofs::fork),
    ("invite_code", texts::invite_code),
    ("text", texts::text),
    ("opaque", passwords::opaque),
    ("message", messages::message),
    ("http_answer", answers::answer),
    ("http_body", bodies::body),
    ("batch", bodies::batch),
    ("rotation", bodies::rotation),
];

/// Runs the target of that name.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of that name");
    target(bytes);
}
