//! Base64url without padding: how bytes and text travel inside JSON (protocol §4, "Values").

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Public bytes of any length; unpadded base64url in JSON, canonical encodings only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Base64(pub Vec<u8>);

/// Text inside a record: UTF-8 under base64url, so that no JSON escape can ever differ between two encoders.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Text(pub String);

/// Encodes as unpadded base64url.
pub fn to_base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes unpadded base64url; anything but the one canonical encoding is refused.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_base64(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        from_base64(&text).map(Self).ok_or_else(|| de::Error::custom("expected unpadded base64url"))
    }
}

impl fmt::Debug for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64({} bytes)", self.0.len())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_base64(self.0.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Base64::deserialize(deserializer)?.0;
        String::from_utf8(bytes).map(Self).map_err(|_| de::Error::custom("expected UTF-8 under base64url"))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({:?})", self.0)
    }
}

/// Fixed-size public bytes with a type of their own; unpadded base64url in JSON.
macro_rules! base64_bytes {
    ($(#[$doc:meta])* $name:ident, $len:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Box<[u8; $len]>);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// From its raw bytes.
            pub fn new(bytes: [u8; $len]) -> Self {
                Self(Box::new(bytes))
            }

            /// From a slice; `None` unless it has exactly the right length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                <[u8; $len]>::try_from(bytes).ok().map(Self::new)
            }

            /// The raw bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&$crate::encoding::to_base64(&self.0[..]))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let bytes = $crate::encoding::Base64::deserialize(deserializer)?.0;
                Self::from_slice(&bytes)
                    .ok_or_else(|| serde::de::Error::custom(concat!("wrong length for ", stringify!($name))))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), $crate::encoding::to_base64(&self.0[..]))
            }
        }
    };
}
pub(crate) use base64_bytes;

/// Integers in records are 0 … 2⁵³−1, so that every language reads them exactly.
pub mod int53 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// The greatest integer a record may hold.
    pub const MAX: u64 = (1 << 53) - 1;

    /// For `#[serde(with = "int53")]`.
    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        if *value > MAX {
            return Err(serde::ser::Error::custom("integer above 2^53-1"));
        }
        serializer.serialize_u64(*value)
    }

    /// For `#[serde(with = "int53")]`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let value = u64::deserialize(deserializer)?;
        if value > MAX { Err(de::Error::custom("integer above 2^53-1")) } else { Ok(value) }
    }

    /// For `#[serde(skip_serializing_if = "int53::is_zero")]`.
    pub fn is_zero(value: &u64) -> bool {
        *value == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_base64url_is_read() {
        assert_eq!(from_base64("_-8"), Some(vec![0xff, 0xef]));
        // Padding, the other alphabet, bits that a shorter encoding would drop, white space.
        for wrong in ["_-8=", "/+8", "_-9", " _-8", "_-8\n", "_"] {
            assert_eq!(from_base64(wrong), None, "{wrong:?} was read");
        }
    }
}
