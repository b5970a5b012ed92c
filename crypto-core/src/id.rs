//! Ids and digests: fixed-size public bytes, written as lowercase hex.
//!
//! Every one has its own type, so that a file id can't be passed for a user id.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text was not the lowercase hex of an id of the expected length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {} lowercase hex digits", .expected_bytes * 2)]
pub struct IdError {
    /// Length of the id in bytes.
    pub expected_bytes: usize,
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;
            /// All zeros: stands for "none" in records.
            pub const ZERO: Self = Self([0; $len]);

            /// From its raw bytes.
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// A fresh one from the operating system's generator.
            pub fn random() -> Self {
                let mut bytes = [0; $len];
                crate::random::fill(&mut bytes);
                Self(bytes)
            }

            /// From a slice of exactly the right length (a database column, say).
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError { expected_bytes: $len })
            }

            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Whether this is [`Self::ZERO`], "none".
            pub fn is_zero(&self) -> bool {
                *self == Self::ZERO
            }
        }

        impl TryFrom<Vec<u8>> for $name {
            type Error = IdError;

            fn try_from(bytes: Vec<u8>) -> Result<Self, IdError> {
                Self::from_slice(&bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; $len];
                decode_hex(text.as_bytes(), &mut bytes).ok_or(IdError { expected_bytes: $len })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

hex_id!(
    /// An organisation: the id of its genesis record.
    OrgId, 32
);
hex_id!(
    /// H(record): SHA-256 of the bytes that the record's signature covers.
    RecordId, 32
);
hex_id!(
    /// A digest or another 32-byte public value named inside a record.
    Digest, 32
);
hex_id!(
    /// A person's account in an organisation; chosen at random by whoever invites.
    UserId, 16
);
hex_id!(
    /// A file, over all its versions; chosen at random by its owner.
    FileId, 16
);
hex_id!(
    /// An invite; derived from its code.
    InviteId, 16
);
hex_id!(
    /// One paid-for download of one share: an idempotency key chosen by the recipient.
    TicketId, 16
);

hex_id!(
    /// What one device keeps of one identity: names its keys in the system's keyring. Never leaves the device.
    StoreId, 16
);

fn decode_hex(text: &[u8], out: &mut [u8]) -> Option<()> {
    if text.len() != out.len() * 2 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(())
}

fn hex_digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_lowercase_hex_is_an_id() {
        let id = UserId::random();
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        let upper = UserId::new([0xab; 16]).to_string().to_uppercase();
        for wrong in
            [upper, text[1..].to_owned(), format!("{text}0"), format!(" {}", &text[1..]), String::new()]
        {
            assert!(wrong.parse::<UserId>().is_err(), "{wrong:?} was taken for an id");
        }
    }
}
