//! What a device keeps at rest under its vault key (protocol §7.3): the file key in a resume journal, say.
//!
//! aad = "…/device" ‖ 00 ‖ 32-byte purpose, where the caller's purpose is SHA-256 of what names the secret.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    aead::{self, OpenError},
    labels,
    secret::VaultKey,
};

/// Seals `secret` for this device. `purpose` says what it is and to what it belongs ("journal", file id, …), so
/// that one sealed secret can't be put in the place of another.
pub fn seal(key: &VaultKey, purpose: &[&[u8]], secret: &[u8]) -> Vec<u8> {
    aead::seal(key.expose(), &aad(purpose), secret)
}

/// Opens what [`seal`] made for the same purpose.
///
/// # Errors
/// [`OpenError`], one for all failures.
pub fn open(key: &VaultKey, purpose: &[&[u8]], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    aead::open(key.expose(), &aad(purpose), sealed)
}

/// The pieces are hashed with their lengths, so that no two lists of pieces run into one another.
fn aad(purpose: &[&[u8]]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    for piece in purpose {
        hasher.update((piece.len() as u64).to_be_bytes());
        hasher.update(piece);
    }
    labels::labelled(labels::DEVICE, &[&hasher.finalize()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_for_its_purpose() {
        let key = VaultKey::random();
        let sealed = seal(&key, &[b"journal", b"file"], b"secret");
        assert_eq!(&open(&key, &[b"journal", b"file"], &sealed).unwrap()[..], b"secret");
        assert_eq!(open(&key, &[b"journalf", b"ile"], &sealed), Err(OpenError));
        assert_eq!(open(&key, &[b"journal"], &sealed), Err(OpenError));
        assert_eq!(open(&VaultKey::random(), &[b"journal", b"file"], &sealed), Err(OpenError));
    }
}
