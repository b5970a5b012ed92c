//! The vault (protocol §3): what only one person knows, as one sealed blob on the server.
//!
//! ```text
//! plaintext = u32 length ‖ JSON ‖ zeros to Padmé(max(4 + length, 4,096))
//! sealed    = XChaCha20-Poly1305(vault key, aad = "…/vault" ‖ 00 ‖ org_id ‖ user_id ‖ u64 version, plaintext)
//! ```
//!
//! The JSON repeats the version and names SHA-256 of the sealed blob before it. The server compares and swaps by
//! version; whoever loses merges ([`merge()`]) and tries again. A vault exists from registration: one that is
//! missing or does not open is an error, never a fresh start.

mod contents;
mod merge;

use std::io;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    aead,
    error::failures,
    id::{Digest, OrgId, UserId},
    labels,
    secret::VaultKey,
    size,
};

pub use contents::{
    LogPin, OldSeed, PairKey, PendingInvite, Petname, Pin, Pins, QueueKey, QueuedGrant, Rest, Vault,
};
pub use merge::{MergeConflict, merge};

/// Greatest length of a sealed vault in bytes: 4 MiB.
pub const MAX_SEALED: usize = 4 * 1024 * 1024;
/// Bytes of the length in front of the JSON.
const PREFIX: usize = 4;

failures! {
    /// Why a vault can't be sealed or opened.
    #[derive(Copy)]
    VaultError {
        /// More than [`MAX_SEALED`] bytes when sealed.
        TooLong = "vault_too_long", "the vault is full";
        /// It does not open: wrong key, owner or version, changed bytes, or not a vault inside. Which of them is
        /// nobody's business.
        Unopenable = "vault_unopenable", "the vault can't be opened";
    }
}

/// Whose vault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultOwner {
    /// The organisation.
    pub org_id: OrgId,
    /// The person.
    pub user_id: UserId,
}

impl Vault {
    /// Seals it under its version.
    ///
    /// # Errors
    /// [`VaultError::TooLong`].
    pub fn seal(&self, key: &VaultKey, owner: &VaultOwner) -> Result<Vec<u8>, VaultError> {
        Ok(aead::seal(key.expose(), &aad(owner, self.version), &encode(self)?))
    }

    /// Opens the vault that a server or a device holds under `version`.
    ///
    /// # Errors
    /// [`VaultError::TooLong`]; [`VaultError::Unopenable`] for every other failure.
    pub fn open(key: &VaultKey, owner: &VaultOwner, version: u64, sealed: &[u8]) -> Result<Self, VaultError> {
        if sealed.len() > MAX_SEALED {
            return Err(VaultError::TooLong);
        }
        let plaintext =
            aead::open(key.expose(), &aad(owner, version), sealed).map_err(|_| VaultError::Unopenable)?;
        let vault = decode(&plaintext).ok_or(VaultError::Unopenable)?;
        if vault.version == version { Ok(vault) } else { Err(VaultError::Unopenable) }
    }

    /// Makes it the successor of the vault at `version` whose sealed bytes are `sealed`, ready to be sealed.
    pub fn follow(&mut self, version: u64, sealed: &[u8]) {
        self.version = version + 1;
        self.previous = sealed_hash(sealed);
    }
}

/// SHA-256 of a sealed vault: what its successor names.
pub fn sealed_hash(sealed: &[u8]) -> Digest {
    Digest::new(Sha256::digest(sealed).into())
}

fn aad(owner: &VaultOwner, version: u64) -> Vec<u8> {
    labels::labelled(
        labels::VAULT,
        &[owner.org_id.as_bytes(), owner.user_id.as_bytes(), &version.to_be_bytes()],
    )
}

fn encode(vault: &Vault) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    // Counted first and reserved in full, so that no copy of a secret stays behind when the vector grows.
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, vault).map_err(|_| VaultError::TooLong)?;
    let padded = size::padded_length((PREFIX + counter.0) as u64) as usize;
    if padded + aead::OVERHEAD > MAX_SEALED {
        return Err(VaultError::TooLong);
    }
    let mut plaintext = Zeroizing::new(Vec::with_capacity(padded));
    // Below 4 MiB, so it fits.
    plaintext.extend_from_slice(&(counter.0 as u32).to_be_bytes());
    serde_json::to_writer(&mut *plaintext, vault).map_err(|_| VaultError::TooLong)?;
    plaintext.resize(padded, 0);
    Ok(plaintext)
}

fn decode(plaintext: &[u8]) -> Option<Vault> {
    let (length, rest) = plaintext.split_first_chunk()?;
    let length = u32::from_be_bytes(*length) as usize;
    let (json, padding) = rest.split_at_checked(length)?;
    let padded = size::padded_length((PREFIX + length) as u64);
    if padded != plaintext.len() as u64 || padding.iter().any(|byte| *byte != 0) {
        return None;
    }
    serde_json::from_slice(json).ok()
}

/// Counts what is written.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
