//! Sealpost's server.

pub mod blob;
