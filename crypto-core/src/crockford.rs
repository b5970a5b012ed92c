//! Crockford's base32 for codes that people read aloud and type: no I, L, O, U; case, hyphens and spaces do not
//! matter; O is read as 0, I and L as 1.
//!
//! Bits go most significant first, five to a character; the last character is filled up with zero bits.

use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a text is not base32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CrockfordError {
    /// A character that the alphabet does not have.
    #[error("character {position} is not one that such a code contains")]
    Character {
        /// Which, from 1, hyphens and spaces counted.
        position: usize,
    },
    /// No bytes encode to so many characters, or the bits that fill up the last one are not zero.
    #[error("characters are missing, or there are too many")]
    Length,
}

impl CrockfordError {
    /// The stable code of this kind.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Character { .. } => "code_character",
            Self::Length => "code_length",
        }
    }
}

/// Encodes `bytes`, upper case, without hyphens.
pub fn encode(bytes: &[u8]) -> Zeroizing<String> {
    // Reserved in full, so that no copy of a secret stays behind when the string grows.
    let mut text = Zeroizing::new(String::with_capacity((bytes.len() * 8).div_ceil(5)));
    let (mut buffer, mut bits) = (0_u16, 0);
    for byte in bytes {
        buffer = buffer << 8 | u16::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(symbol(buffer >> bits));
        }
    }
    if bits > 0 {
        text.push(symbol(buffer << (5 - bits)));
    }
    text
}

/// Decodes what a person typed.
///
/// # Errors
/// [`CrockfordError`]; it never shows the text.
pub fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, CrockfordError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() * 5 / 8));
    let (mut buffer, mut bits) = (0_u16, 0);
    for (at, character) in text.chars().enumerate().filter(|(_, c)| !matches!(c, '-' | ' ')) {
        let value = value(character).ok_or(CrockfordError::Character { position: at + 1 })?;
        buffer = buffer << 5 | value;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
    }
    let fill = buffer & ((1 << bits) - 1);
    if bits >= 5 || fill != 0 { Err(CrockfordError::Length) } else { Ok(bytes) }
}

/// Writes `text` in groups of four with hyphens, for reading and typing.
pub fn grouped(text: &str) -> Zeroizing<String> {
    let mut groups = Zeroizing::new(String::with_capacity(text.len() * 5 / 4));
    for (n, character) in text.chars().enumerate() {
        if n > 0 && n % 4 == 0 {
            groups.push('-');
        }
        groups.push(character);
    }
    groups
}

fn symbol(bits: u16) -> char {
    char::from(ALPHABET[usize::from(bits & 31)])
}

fn value(character: char) -> Option<u16> {
    let canonical = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    (0..32).find(|value| symbol(*value) == canonical)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(*encode(b""), "");
        assert_eq!(*encode(&[0]), "00");
        assert_eq!(*encode(&[0xff]), "ZW");
        assert_eq!(*encode(b"Hello, world"), "91JPRV3F5GG7EVVJDHJ0");
        assert_eq!(encode(&[7; 20]).len(), 32);
        assert_eq!(*grouped("91JPRV3F5G"), "91JP-RV3F-5G");
    }

    #[test]
    fn what_people_confuse_is_forgiven() {
        let right = decode("0110-ABCD").unwrap();
        assert_eq!(decode("oil0 abcd").unwrap(), right);
        assert_eq!(decode("OLIo-AbCd").unwrap(), right);
    }

    #[test]
    fn what_is_no_code_is_refused() {
        assert_eq!(decode("00-U0"), Err(CrockfordError::Character { position: 4 }));
        assert_eq!(decode("0é"), Err(CrockfordError::Character { position: 2 }));
        for length in ["0", "000", "000000", "ZZ"] {
            assert_eq!(decode(length), Err(CrockfordError::Length), "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let text = encode(&bytes);
            prop_assert_eq!(&*decode(&text).unwrap(), &bytes);
            prop_assert_eq!(&*decode(&grouped(&text).to_lowercase()).unwrap(), &bytes);
        }
    }
}
