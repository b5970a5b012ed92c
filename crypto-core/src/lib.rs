//! Sealpost protocol v1 (`docs/protocol.md`): everything cryptographic that clients and server need, as pure
//! functions over bytes. No IO, no clock, no async.

pub mod encoding;
pub mod id;
pub mod kem;
pub mod labels;
pub mod opening;
pub mod record;
pub mod records;
pub mod secret;
pub mod share;
pub mod sign;
