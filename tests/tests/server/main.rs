//! The server as its users and attackers see it, on every backend. Most of these tests speak plain HTTP, so
//! that they can send what no honest client would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code fails by panicking")]

mod batch;
mod bodies;
mod codes;
mod credential;
mod deletion;
mod key_login;
mod leaks;
mod limits;
mod matrix;
mod openapi;
mod people;
mod python;
mod rekey;
mod rekey_refused;
mod repeats;
mod replacement;
mod restore;
mod revocation;
mod rotation;
mod sessions;
mod shares;
mod stories;
mod upgrade;
mod uploads;
