//! Sealpost protocol v1 (`docs/protocol.md`): everything cryptographic that clients and server need, as pure
//! functions over bytes. No IO, no clock, no async.

pub mod account;
pub mod aead;
pub mod bundle;
pub mod chunk;
pub mod credential;
pub mod crockford;
pub mod device;
pub mod email;
pub mod encoding;
pub mod envelope;
mod error;
pub mod evidence;
pub mod file_name;
pub mod fork;
pub mod id;
pub mod invite;
mod kdf;
pub mod kem;
pub mod keys;
pub mod kit;
#[cfg(test)]
mod known_answers;
pub mod labels;
pub mod log;
pub mod login;
pub mod manifest;
pub mod metadata;
pub mod opening;
pub mod pair;
pub mod parts;
pub mod password;
pub mod random;
pub mod receipt;
pub mod record;
pub mod records;
#[cfg(feature = "schema")]
pub mod schema;
pub mod secret;
pub mod share;
pub mod sign;
pub mod size;
mod stack;
mod strict;
pub mod vault;
pub mod withdraw;
pub mod words;
