//! The attack catalogue: a malicious server between an unmodified client and a real one. One test a row, named by
//! the row's id; each asserts what the victim sees, that nothing is left at the final path, that no secret left the
//! client, and that the same run without the attack succeeds.
//!
//! `docs/threat-model.md` says for each row which test plays it and where the defence stands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code fails by panicking")]

mod accounts;
mod answers;
mod colleagues;
mod content;
mod forks;
mod invites;
mod keys;
mod leakage;
mod memberships;
mod pairs;
mod planted;
mod rotation;
mod scene;
mod sharing;
mod sign_in;
mod statements;
mod unattended;
mod versions;
