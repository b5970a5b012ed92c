//! The SDK as an application uses it, on every backend.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code fails by panicking")]

mod cancel;
mod many;
mod many_rotated;
mod memory;
mod ranges;
mod surface;
mod transport;
