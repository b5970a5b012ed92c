//! What a device keeps at rest under its vault key (protocol §7.3): the file key in a resume journal, say.
//!
//! aad = "…/device" ‖ 00 ‖ 32-byte purpose, where the caller's purpose is SHA-256 of what names the secret.
//!
//! And how it knows content again ([`Fingerprint`]). Neither ever leaves the device.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    aead::{self, OpenError},
    id::Digest,
    kdf::Prk,
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

/// A fingerprint in the making, by which a device knows content again: keyed BLAKE3. A plain hash would tell whoever
/// reads the device whether it delivered a file that they have a copy of.
pub struct Fingerprint(blake3::Hasher);

impl Fingerprint {
    /// Nothing seen yet; the key is expanded from the device's vault key.
    pub fn new(key: &VaultKey) -> Self {
        let key = Prk::extract(labels::DEVICE, key.expose()).expand::<32>(labels::DEVICE, &[b"fingerprint"]);
        Self(blake3::Hasher::new_keyed(&key))
    }

    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The fingerprint of all bytes.
    pub fn finish(&self) -> Digest {
        Digest::new(self.0.finalize().into())
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprint(keyed)")
    }
}

impl Drop for Fingerprint {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
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

    #[test]
    fn content_is_known_again_by_who_has_the_key_only() {
        let of = |key: &VaultKey, pieces: &[&[u8]]| {
            let mut fingerprint = Fingerprint::new(key);
            pieces.iter().for_each(|piece| fingerprint.update(piece));
            fingerprint.finish()
        };
        let key = VaultKey::random();
        assert_eq!(of(&key, &[b"con", b"tent"]), of(&key, &[b"content"]));
        assert_ne!(of(&key, &[b"content"]), of(&key, &[b"Content"]));
        assert_ne!(of(&key, &[b"content"]), of(&VaultKey::random(), &[b"content"]));
        assert_ne!(of(&key, &[b"content"]), crate::parts::part_digest(b"content"));
    }
}
