//! Sealpost's client SDK: everything the server returns is verified before it is used.

mod error;
mod retry;
mod server_url;
pub mod store;
mod transport;

pub use error::{Error, ErrorKind, Result};
pub use server_url::ServerUrl;
