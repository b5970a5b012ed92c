//! The command line as scripts and people see it: whole processes, real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code fails by panicking")]

mod attacks;
mod bad_input;
mod colleagues;
mod contract;
mod deliver;
mod desktop;
mod durability;
mod evidence;
mod keyring;
mod kills;
mod many;
mod people;
mod readme;
mod recovery;
mod rekey;
mod replacement;
mod resume;
mod revocation;
mod rotation;
mod several;
mod shapes;
mod tls;
mod world;
