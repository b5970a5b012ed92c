//! The server's own secrets and what derives from them.
//!
//! ```text
//! secret (32 random bytes, in the database)
//! ├─ "sealpost/server/access"      → JWT key
//! ├─ "sealpost/server/refresh"     → next refresh token = HMAC(·, token before)
//! ├─ "sealpost/server/credential"  → OPAQUE credential id = HMAC(·, address)
//! ├─ "sealpost/server/challenge"   → proof that a login nonce was issued here
//! └─ "sealpost/server/stranger"    → user id shown for a signing key that nobody has = HMAC(·, key)
//! ```
//! They are in the database, not in a file beside it, so that several servers may share one Postgres and a
//! backup of the database is whole. Whoever steals it can pose as the server, and still read no file.

use hmac::{Hmac, KeyInit, Mac};
use sealpost_crypto::{
    id::{Digest, UserId},
    password::ServerSetup,
    random,
    sign::SigningPublicKey,
};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::{access_token::AccessKeys, db::server::Secrets};

/// 32 bytes that only this server knows.
#[derive(Clone)]
pub(crate) struct ServerSecret(Zeroizing<[u8; 32]>);

impl ServerSecret {
    /// A fresh one from the operating system's generator.
    pub(crate) fn random() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random::fill(&mut bytes[..]);
        Self(bytes)
    }

    /// From a slice; `None` unless it has exactly the right length.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        <[u8; 32]>::try_from(bytes).ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The bytes, named so that every place that looks at a secret can be found.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA256 of `message` under this secret.
    pub(crate) fn mac(&self, message: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut mac = hmac_sha256(&self.0[..]);
        mac.update(message);
        let mut tag = mac.finalize().into_bytes();
        let out = Zeroizing::new(tag.into());
        tag.as_mut_slice().zeroize();
        out
    }

    fn derive(&self, label: &str) -> Self {
        Self(self.mac(label.as_bytes()))
    }
}

/// HMAC-SHA256 (RFC 2104) keyed with `key` of any length.
pub(crate) fn hmac_sha256(key: &[u8]) -> Hmac<Sha256> {
    // A key longer than a block is hashed first (RFC 2104 §2), which `new` wants done by the caller.
    let mut block = Zeroizing::new([0; 64]);
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..32].copy_from_slice(&<Sha256 as sha2::Digest>::digest(key)),
    }
    Hmac::<Sha256>::new((&*block).into())
}

/// Names a session; random, inside tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId([u8; 16]);

impl SessionId {
    /// A fresh one.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 16];
        random::fill(&mut bytes);
        Self(bytes)
    }

    /// From its raw bytes.
    pub(crate) fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The server's secrets, ready for use.
pub(crate) struct ServerKeys {
    /// Access tokens.
    pub access: AccessKeys,
    /// Successors of refresh tokens.
    pub refresh: ServerSecret,
    /// Nonces of logins by key.
    pub challenge: ServerSecret,
    credential: ServerSecret,
    stranger: ServerSecret,
    /// OPAQUE.
    pub opaque: ServerSetup,
}

impl ServerKeys {
    /// Derives everything from the stored secrets.
    pub(crate) fn new(secrets: Secrets) -> Self {
        Self {
            opaque: secrets.opaque_setup,
            access: AccessKeys::new(&secrets.secret.derive("sealpost/server/access")),
            refresh: secrets.secret.derive("sealpost/server/refresh"),
            challenge: secrets.secret.derive("sealpost/server/challenge"),
            credential: secrets.secret.derive("sealpost/server/credential"),
            stranger: secrets.secret.derive("sealpost/server/stranger"),
        }
    }

    /// What OPAQUE knows an address by, so that known and unknown ones look alike.
    pub(crate) fn credential_id(&self, email: &str) -> Digest {
        Digest::new(*self.credential.mac(email.as_bytes()))
    }

    /// The user id shown for a signing key that nobody has: always the same for the same key.
    pub(crate) fn stranger(&self, key: &SigningPublicKey) -> UserId {
        let mut id = [0; UserId::LEN];
        id.copy_from_slice(&self.stranger.mac(key.as_bytes())[..UserId::LEN]);
        UserId::new(id)
    }
}
