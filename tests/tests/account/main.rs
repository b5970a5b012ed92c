//! What people find out and change about themselves, each other and their files, through the SDK, on every
//! backend.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code fails by panicking")]

mod after_rotation;
mod concurrency;
mod contacts;
mod evidence;
mod files;
mod former_colleagues;
mod long_log;
mod ops_members;
mod people;
mod queue;
mod recovery;
mod reinvite;
mod rekey;
mod rekey_and_rotation;
mod replacement;
mod revocation;
mod rotation;
mod watch;
