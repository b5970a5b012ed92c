//! HKDF-SHA256 (RFC 5869) and HMAC-SHA256 (RFC 2104), as every derivation of the protocol uses them: the salt
//! is a label, and every `info` is `label ‖ 0x00 ‖ fixed-length fields`. A derivation leaves nothing on the stack.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{labels::labelled, stack};

/// Greatest output of HKDF-SHA256 in bytes (RFC 5869 §2.3).
const MAX_OUTPUT: usize = 255 * 32;

/// A pseudo-random key from which others are expanded.
pub(crate) struct Prk(Hkdf<Sha256>);

impl Prk {
    /// HKDF-Extract(salt = `label`, IKM = `secret`), RFC 5869 §2.2.
    pub(crate) fn extract(label: &str, secret: &[u8]) -> Self {
        stack::wiped(|| Self(Hkdf::new(Some(label.as_bytes()), secret)))
    }

    /// HKDF-Expand(PRK, `label ‖ 0x00 ‖ fields`, N), RFC 5869 §2.3.
    pub(crate) fn expand<const N: usize>(&self, label: &str, fields: &[&[u8]]) -> Zeroizing<[u8; N]> {
        const { assert!(N <= MAX_OUTPUT) };
        let mut output = Zeroizing::new([0; N]);
        match stack::wiped(|| self.0.expand(&labelled(label, fields), &mut output[..])) {
            Ok(()) => output,
            Err(_) => unreachable!("the length was checked when this was compiled"),
        }
    }
}

/// An HMAC-SHA256 under `key`, ready for its message. `Mac::verify_slice` compares in constant time.
pub(crate) fn hmac(key: &[u8]) -> Hmac<Sha256> {
    match Hmac::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}
