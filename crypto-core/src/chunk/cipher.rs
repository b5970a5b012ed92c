//! One chunk under ChaCha20-Poly1305 (RFC 8439 §2.8), empty aad: `ring` in bulk on native targets, the
//! portable `chacha20poly1305` elsewhere and as its twin in tests.

use crate::{secret::ContentKey, size::TAG};

/// Bytes of nonce.
pub(super) const NONCE: usize = 12;

/// The tag does not verify.
#[derive(Debug)]
pub(super) struct Unopenable;

#[cfg(not(target_family = "wasm"))]
pub(super) use native::Cipher;
#[cfg(target_family = "wasm")]
pub(super) use portable::Cipher;

#[cfg(not(target_family = "wasm"))]
pub(super) mod native {
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};

    use super::{ContentKey, NONCE, TAG, Unopenable};

    /// Ready to seal and open chunks under one key.
    pub(in crate::chunk) struct Cipher(LessSafeKey);

    impl Cipher {
        pub(in crate::chunk) fn new(key: &ContentKey) -> Self {
            match UnboundKey::new(&CHACHA20_POLY1305, key.expose()) {
                Ok(key) => Self(LessSafeKey::new(key)),
                Err(_) => unreachable!("a content key has the cipher's key length"),
            }
        }

        pub(in crate::chunk) fn seal(&self, nonce: [u8; NONCE], chunk: &mut [u8]) -> [u8; TAG as usize] {
            let mut tag = [0; TAG as usize];
            let nonce = Nonce::assume_unique_for_key(nonce);
            match self.0.seal_in_place_separate_tag(nonce, Aad::empty(), chunk) {
                Ok(sealed) => tag.copy_from_slice(sealed.as_ref()),
                Err(_) => unreachable!("a chunk is far below the cipher's 256 GiB"),
            }
            tag
        }

        pub(in crate::chunk) fn open(
            &self,
            nonce: [u8; NONCE],
            chunk: &mut [u8],
            tag: [u8; TAG as usize],
        ) -> Result<(), Unopenable> {
            let nonce = Nonce::assume_unique_for_key(nonce);
            self.0
                .open_in_place_separate_tag(nonce, Aad::empty(), Tag::from(tag), chunk, 0..)
                .map(|_| ())
                .map_err(|_| Unopenable)
        }
    }
}

#[cfg(any(test, target_family = "wasm"))]
pub(super) mod portable {
    use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};

    use super::{ContentKey, NONCE, TAG, Unopenable};

    /// Ready to seal and open chunks under one key.
    pub(in crate::chunk) struct Cipher(ChaCha20Poly1305);

    impl Cipher {
        pub(in crate::chunk) fn new(key: &ContentKey) -> Self {
            Self(ChaCha20Poly1305::new(key.expose().into()))
        }

        pub(in crate::chunk) fn seal(&self, nonce: [u8; NONCE], chunk: &mut [u8]) -> [u8; TAG as usize] {
            match self.0.encrypt_inout_detached(&nonce.into(), &[], chunk.into()) {
                Ok(tag) => tag.into(),
                Err(_) => unreachable!("a chunk is far below the cipher's 256 GiB"),
            }
        }

        pub(in crate::chunk) fn open(
            &self,
            nonce: [u8; NONCE],
            chunk: &mut [u8],
            tag: [u8; TAG as usize],
        ) -> Result<(), Unopenable> {
            self.0
                .decrypt_inout_detached(&nonce.into(), &[], chunk.into(), &tag.into())
                .map_err(|_| Unopenable)
        }
    }
}
