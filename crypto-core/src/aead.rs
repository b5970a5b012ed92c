//! Small secrets at rest (protocol §2): XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 §2.3).
//!
//! ```text
//! sealed = nonce, 24 random bytes ‖ ciphertext ‖ tag 16
//! ```
//!
//! 24 bytes are enough to choose every nonce at random. A blob's hash covers all of it.

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::{error::opaque_failure, random};

/// Bytes of nonce in front.
const NONCE: usize = 24;
/// Bytes of tag behind.
const TAG: usize = 16;

/// Bytes that sealing adds.
pub const OVERHEAD: usize = NONCE + TAG;

opaque_failure!(
    /// Wrong key, wrong aad, or changed bytes; which of them is nobody's business.
    OpenError = "unopenable", "the sealed bytes can't be opened";
);

/// Seals `plaintext` under `key` with a fresh random nonce. Every aad is `label ‖ 0x00 ‖ fields`.
pub fn seal(key: &[u8; 32], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    random::fill(&mut nonce);
    seal_with_nonce(key, nonce, aad, plaintext)
}

pub(crate) fn seal_with_nonce(key: &[u8; 32], nonce: [u8; NONCE], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    // Reserved in full, so that no copy of the plaintext stays behind when the vector grows.
    let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plaintext);
    let buffer = &mut sealed[NONCE..];
    match cipher(key).encrypt_inout_detached(&nonce.into(), aad, buffer.into()) {
        Ok(tag) => sealed.extend_from_slice(&tag),
        Err(_) => unreachable!("what fits into memory here is below the cipher's 256 GiB"),
    }
    sealed
}

/// Opens what [`seal`] made under the same key and aad.
///
/// # Errors
/// [`OpenError`], one for all failures.
pub fn open(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(OpenError)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(OpenError)?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    cipher(key)
        .decrypt_inout_detached(&XNonce::from(*nonce), aad, plaintext.as_mut_slice().into(), &(*tag).into())
        .map_err(|_| OpenError)?;
    Ok(plaintext)
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUNSCREEN: &[u8] =
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for \
        the future, sunscreen would be it.";

    #[test]
    fn xchacha_draft_known_answer() {
        // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
        let key = std::array::from_fn(|n| 0x80 + n as u8);
        let nonce = std::array::from_fn(|n| 0x40 + n as u8);
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let sealed = seal_with_nonce(&key, nonce, &aad, SUNSCREEN);
        assert_eq!(sealed[..24], nonce);
        assert_eq!(sealed[24..32], [0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b]);
        assert_eq!(
            sealed[sealed.len() - 16..],
            [0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49]
        );
        assert_eq!(&open(&key, &aad, &sealed).unwrap()[..], SUNSCREEN);
    }

    #[test]
    fn any_change_is_refused_alike() {
        let key = [7; 32];
        let sealed = seal(&key, b"aad", b"plaintext");
        assert_eq!(&open(&key, b"aad", &sealed).unwrap()[..], b"plaintext");
        assert_eq!(open(&[8; 32], b"aad", &sealed), Err(OpenError));
        assert_eq!(open(&key, b"aae", &sealed), Err(OpenError));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&key, b"aad", &changed), Err(OpenError), "byte {at}");
            assert_eq!(open(&key, b"aad", &sealed[..at]), Err(OpenError), "cut at {at}");
        }
        assert_eq!(open(&key, b"aad", &[&sealed[..], b"x"].concat()), Err(OpenError));
    }

    #[test]
    fn nonces_are_fresh() {
        assert_ne!(seal(&[7; 32], b"", b"same"), seal(&[7; 32], b"", b"same"));
    }
}
