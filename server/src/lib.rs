//! Sealpost's server: keeps ciphertext and wrapped keys, and enforces who may do what. It can read nothing.
//!
//! [`start`] takes a [`Config`] and gives a [`Running`] server. Inside: `routes` (the whole interface, parse →
//! authorise → one transaction → response) → `db` and `blob`; `db` knows no HTTP, `blob` knows no `db`.

mod access_token;
mod append;
mod arriving;
mod auth;
mod blob;
mod bodies;
mod check;
mod clock;
mod config;
mod credential;
mod db;
mod ending;
mod extract;
mod jwt;
mod key_challenge;
mod keys;
mod lingering;
mod lock;
mod observe;
mod org_log;
mod paging;
mod problem;
mod range;
mod registration;
mod restore;
mod routes;
mod sessions;
mod setup;
mod start;
mod state;
mod sweep;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use config::{Blobs, Config, DEFAULT_PORT, Database, TlsFiles};
pub use start::{Running, StartError, start};
