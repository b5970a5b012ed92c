//! The forms in which a secret could have been written down.

use std::fmt::Write;

use zeroize::Zeroizing;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The two alphabets of RFC 4648.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// Section 4.
    Standard,
    /// Section 5.
    UrlSafe,
}

/// Names of the forms.
pub const FORMS: [&str; 4] = ["plain", "hex", "base64", "base64 twice"];

/// Every form of `secret` with its name, without repetitions.
pub fn forms(secret: &[u8]) -> Vec<(&'static str, Zeroizing<Vec<u8>>)> {
    let mut forms: Vec<(&'static str, Zeroizing<Vec<u8>>)> = Vec::new();
    let mut add = |name, bytes: Vec<u8>| {
        if !forms.iter().any(|(_, known)| **known == bytes) {
            forms.push((name, Zeroizing::new(bytes)));
        }
    };
    add("plain", secret.to_vec());
    add("hex", hex(secret).into_bytes());
    add("hex", hex(secret).to_uppercase().into_bytes());
    for alphabet in [Alphabet::Standard, Alphabet::UrlSafe] {
        for once in aligned(secret, alphabet) {
            for twice in aligned(once.as_bytes(), alphabet) {
                add("base64 twice", twice.into_bytes());
            }
            add("base64", once.into_bytes());
        }
    }
    forms
}

/// What `bytes` become inside a longer text under base64: one possibility for each place modulo three at which
/// they may begin, cut to the characters that depend on `bytes` alone.
fn aligned(bytes: &[u8], alphabet: Alphabet) -> Vec<String> {
    let whole_groups = |bytes: &[u8]| base64(&bytes[..bytes.len() / 3 * 3], alphabet);
    (0..3).filter_map(|skip| bytes.get(skip..)).map(whole_groups).collect()
}

/// Lowercase hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Base64 without padding.
pub fn base64(bytes: &[u8], alphabet: Alphabet) -> String {
    let table = match alphabet {
        Alphabet::Standard => STANDARD,
        Alphabet::UrlSafe => URL_SAFE,
    };
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, index| bits << 8 | u32::from(*group.get(index).unwrap_or(&0)));
        for index in 0..=group.len() as u32 {
            text.push(table[(bits >> (18 - 6 * index) & 0x3f) as usize].into());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 §10, without padding.
    #[test]
    fn base64_agrees_with_the_rfc() {
        for (bytes, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes(), Alphabet::Standard), text);
        }
        assert_eq!(base64(&[0xff, 0xef], Alphabet::UrlSafe), "_-8");
        assert_eq!(base64(&[0xff, 0xef], Alphabet::Standard), "/+8");
    }
}
