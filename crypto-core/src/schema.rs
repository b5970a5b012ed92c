//! JSON Schemas (2020-12) of the types that stand in messages, for the OpenAPI document. Only with the feature
//! `schema`: nothing of the protocol rests on it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    email::{EmailAddress, MAX_EMAIL_BYTES},
    encoding::{Base64, Text},
    id::{Digest, FileId, InviteId, OrgId, RecordId, TicketId, UserId},
    sign::{Signature, SigningPublicKey},
};

/// Characters of unpadded base64url.
const BASE64URL: &str = "^[A-Za-z0-9_-]*$";

/// How many characters of unpadded base64url `bytes` bytes take.
pub const fn characters(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

macro_rules! hex_schema {
    ($($(#[doc = $doc:literal])* $name:ident: $example:literal;)*) => { $(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": concat!($($doc),*).trim(),
                    "pattern": format!("^[0-9a-f]{{{}}}$", Self::LEN * 2),
                    // The digit at random once, so that examples of different types look different.
                    "examples": [format!("{}{}", $example, "0".repeat(Self::LEN * 2 - $example.len()))],
                })
            }
        }
    )* };
}

hex_schema! {
    /// An organisation: the id of its genesis record. 32 bytes in lowercase hex.
    OrgId: "6f1e5a07c2d94b38";
    /// SHA-256 of the bytes that a record's signature covers. 32 bytes in lowercase hex.
    RecordId: "9b40c7d1e35f2a86";
    /// A digest, or another public value of 32 bytes; in lowercase hex.
    Digest: "d3a1f09c7b5e4286";
    /// A person's account. 16 bytes in lowercase hex.
    UserId: "0c4be19a73d2f685";
    /// A file. 16 bytes in lowercase hex.
    FileId: "f17e0a62b8c93d54";
    /// An invite. 16 bytes in lowercase hex.
    InviteId: "1a9d3c58e7f0b246";
    /// A download ticket: chosen at random by the recipient, not all zeros. 16 bytes in lowercase hex.
    TicketId: "7c2fe4a90b81d365";
}

macro_rules! base64_schema {
    ($($(#[doc = $doc:literal])* $name:ident;)*) => { $(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": concat!($($doc),*).trim(),
                    "contentEncoding": "base64url",
                    "pattern": BASE64URL,
                    "minLength": characters(Self::LEN),
                    "maxLength": characters(Self::LEN),
                })
            }
        }
    )* };
}

base64_schema! {
    /// An Ed25519 public key. 32 bytes in unpadded base64url.
    SigningPublicKey;
    /// An Ed25519 signature. 64 bytes in unpadded base64url.
    Signature;
}

macro_rules! inline_schema {
    ($($name:ident: $schema:tt;)*) => { $(
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )* };
}

inline_schema! {
    Base64: { "type": "string", "contentEncoding": "base64url", "pattern": BASE64URL };
    Text: { "type": "string", "contentEncoding": "base64url", "pattern": BASE64URL };
    EmailAddress: {
        "type": "string",
        // Printable ASCII with one @ that has something on both sides.
        "pattern": "^[!-?A-~]+@[!-?A-~]+$",
        "maxLength": MAX_EMAIL_BYTES,
        "examples": ["olga@example.com"],
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::to_base64;

    #[test]
    fn lengths_are_those_of_the_encoding() {
        for bytes in 0..100 {
            assert_eq!(characters(bytes), to_base64(&vec![7; bytes]).len(), "{bytes} bytes");
        }
    }

    #[test]
    fn an_example_is_one_of_its_type() {
        let generator = &mut SchemaGenerator::default();
        let schema = UserId::json_schema(generator);
        let example = schema.get("examples").unwrap()[0].as_str().unwrap();
        assert!(example.parse::<UserId>().is_ok(), "{example}");
        assert_eq!(schema.get("pattern").unwrap(), "^[0-9a-f]{32}$");
    }
}
