//! People who speak to the server without the SDK: they sign what they like, so that tests can send what no
//! honest client would. They do no more cryptography than the server can check: wrapped keys, MACs and sealed
//! blobs are random bytes of the right length.

mod credential;
mod files;
mod login;
mod people;
mod rekey;
mod rotation;

pub use files::{Stored, Terms, Upload};
pub use login::SignIn;
pub use people::{Founding, Invitation, Person, found, found_and_join, founding};
pub use rotation::{Draft, NextKeys};

use rand::Rng;
use sealpost_api::log::LogPage;
use sealpost_crypto::{
    id::{Digest, RecordId, UserId},
    records::Checkpoint,
    sign::Signature,
};
use sha2::{Digest as _, Sha256};

use crate::http::Api;

/// The newest log state that the server signed.
#[derive(Clone)]
pub struct Position {
    /// Entries.
    pub size: u64,
    /// The last one.
    pub head: RecordId,
    /// The checkpoint's signature.
    pub signature: Signature,
}

impl Position {
    /// Asks for it.
    pub async fn newest(api: &Api) -> Self {
        let page: LogPage = api.get(&sealpost_api::routes::LOG, &[]).await.json();
        let checkpoint: Checkpoint = page.checkpoint.claim().unwrap();
        Self { size: checkpoint.log_size, head: checkpoint.log_head, signature: page.checkpoint.signature }
    }
}

/// Random bytes.
pub fn random_bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// SHA-256 of `parts`, one after the other.
pub fn sha256(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    Digest::new(hash.finalize().into())
}

/// The commitment to an address and a name (protocol §4), written down here a second time.
pub fn subject(salt: &Digest, user_id: UserId, email: &str, name: &str) -> Digest {
    let length = |text: &str| u16::try_from(text.len()).unwrap().to_be_bytes();
    sha256(&[
        b"sealpost/v1/subject\0",
        salt.as_bytes(),
        user_id.as_bytes(),
        &length(email),
        email.as_bytes(),
        &length(name),
        name.as_bytes(),
    ])
}
