//! Signed records (protocol §4): one envelope for everything that anybody signs.
//!
//! `{"type","payload","signature"}`; the signature covers `"sealpost/v1/" ‖ type ‖ 0x00 ‖ payload`.
//! Reading is verify, parse, re-encode: the payload must be exactly what we would have written, so that
//! every implementation in every language reads the same statement or none.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use crate::{
    encoding::Base64,
    error::failures,
    id::{OrgId, RecordId, UserId},
    labels,
    sign::{Signature, SigningKey, SigningPublicKey},
};

/// Greatest length of a record's payload in bytes; checked before anything is parsed.
pub const MAX_PAYLOAD: usize = 8 * 1024;

/// The types of record that version 1 knows.
pub const KINDS: &[&str] = &[
    "genesis",
    "bundle",
    "certify",
    "rotate",
    "revoke",
    "service",
    "checkpoint",
    "offer",
    "accept",
    "credential",
    "login",
    "manifest",
    "share",
    "unshare",
    "withdraw",
    "receipt",
];

failures! {
    /// Why a record was refused.
    #[derive(Copy)]
    RecordError {
        /// Not the one encoding that §4 allows, over a limit, or of another version.
        Malformed = "malformed", "the record is malformed";
        /// A record of another type stands where this one is expected.
        WrongType = "wrong_type", "the record is of another type than expected";
        /// The signature does not verify under the expected key.
        BadSignature = "signature_invalid", "the record's signature is not valid";
    }
}

/// What a type of record says. Fields are declared in the order of the specification's table, which is their
/// order in the encoding.
pub trait Record: Serialize + DeserializeOwned {
    /// The `type` of this record.
    const KIND: &'static str;
}

/// A record that names who signed it and under which bundle: all but `genesis`, `bundle`, `checkpoint`.
pub trait Authored: Record {
    /// Who says so.
    fn author(&self) -> Author;
}

/// Who signed a record: the organisation, the person, and which generation of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// The organisation that the record belongs to.
    pub org_id: OrgId,
    /// The person.
    pub signer: UserId,
    /// H(bundle) of the keys used.
    pub signer_bundle: RecordId,
}

/// A record as it travels: nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RawRecord {
    /// What type of record it claims to be.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = KINDS), example = &"share"))]
    pub kind: String,
    /// The exact bytes of the JSON object that was signed.
    #[cfg_attr(feature = "schema", schemars(length(max = crate::schema::characters(MAX_PAYLOAD))))]
    pub payload: Base64,
    /// Ed25519 over type and payload.
    pub signature: Signature,
}

impl RawRecord {
    /// H(record): SHA-256 of the bytes the signature covers.
    pub fn id(&self) -> RecordId {
        RecordId::new(Sha256::digest(signed_bytes(&self.kind, &self.payload.0)).into())
    }

    /// What the record says before anything is verified. For the one purpose of finding the key that must
    /// verify it (or, on the server, the row it belongs to); nothing else may rest on it.
    pub fn claim<R: Record>(&self) -> Result<R, RecordError> {
        if self.kind != R::KIND {
            return Err(RecordError::WrongType);
        }
        parse(&self.payload.0)
    }
}

/// A record whose signature was verified under a key that the caller named. Only [`Signed::verify`] and
/// [`Signed::sign`] make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<R> {
    record: R,
    raw: RawRecord,
    id: RecordId,
}

impl<R: Record> Signed<R> {
    /// Signs `record`.
    ///
    /// # Errors
    /// [`RecordError::Malformed`] if it can't be encoded within the limits.
    pub fn sign(record: R, key: &SigningKey) -> Result<Self, RecordError> {
        let payload = encode(&record)?;
        let bytes = signed_bytes(R::KIND, &payload);
        let id = RecordId::new(Sha256::digest(&bytes).into());
        let signature = key.sign(&bytes);
        let raw = RawRecord { kind: R::KIND.to_owned(), payload: Base64(payload), signature };
        Ok(Self { record, raw, id })
    }

    /// Verifies first, against the type that the caller expects; then parses; then requires that encoding the
    /// result again gives the same bytes.
    pub fn verify(raw: RawRecord, key: &SigningPublicKey) -> Result<Self, RecordError> {
        if raw.kind != R::KIND {
            return Err(RecordError::WrongType);
        }
        if raw.payload.0.len() > MAX_PAYLOAD {
            return Err(RecordError::Malformed);
        }
        let bytes = signed_bytes(R::KIND, &raw.payload.0);
        key.verify(&bytes, &raw.signature).map_err(|_| RecordError::BadSignature)?;
        let record = parse(&raw.payload.0)?;
        Ok(Self { record, id: RecordId::new(Sha256::digest(&bytes).into()), raw })
    }

    /// What it says.
    pub fn get(&self) -> &R {
        &self.record
    }

    /// H(record).
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// As it travels.
    pub fn raw(&self) -> &RawRecord {
        &self.raw
    }

    /// As it travels, consuming the proof.
    pub fn into_raw(self) -> RawRecord {
        self.raw
    }
}

impl<R: Record> std::ops::Deref for Signed<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.record
    }
}

/// A verified record as it travels, from its parts. Its encoding was proven to be the signed one, so what keeps
/// many records need not keep their bytes too.
pub(crate) fn raw_again<R: Record>(record: &R, signature: Signature) -> RawRecord {
    RawRecord { kind: R::KIND.to_owned(), payload: Base64(encode(record).unwrap_or_default()), signature }
}

/// The bytes a signature covers: `"sealpost/v1/" ‖ type ‖ 0x00 ‖ payload`.
pub fn signed_bytes(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(labels::PREFIX.len() + kind.len() + 1 + payload.len());
    bytes.extend_from_slice(labels::PREFIX.as_bytes());
    bytes.extend_from_slice(kind.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(payload);
    bytes
}

/// The strict encoding of a JSON object: fields in table order, no white space.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, RecordError> {
    let payload = serde_json::to_vec(value).map_err(|_| RecordError::Malformed)?;
    if payload.len() > MAX_PAYLOAD { Err(RecordError::Malformed) } else { Ok(payload) }
}

/// The inverse of [`encode`]; refuses every other encoding of the same value.
pub fn parse<T: Serialize + DeserializeOwned>(payload: &[u8]) -> Result<T, RecordError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(RecordError::Malformed);
    }
    let value: T = serde_json::from_slice(payload).map_err(|_| RecordError::Malformed)?;
    if encode(&value)? == payload { Ok(value) } else { Err(RecordError::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{records::Checkpoint, secret::SigningSeed};

    #[test]
    fn payloads_have_a_limit_to_the_byte() {
        let fits = "x".repeat(MAX_PAYLOAD - 2);
        let too_long = format!("{fits}x");
        assert_eq!(parse::<String>(&encode(&fits).unwrap()).unwrap(), fits);
        assert_eq!(encode(&too_long), Err(RecordError::Malformed));
        assert_eq!(parse::<String>(format!("\"{too_long}\"").as_bytes()), Err(RecordError::Malformed));
    }

    #[test]
    fn a_payload_beyond_the_limit_is_refused_before_its_signature_is_computed() {
        let key = SigningKey::from_seed(&SigningSeed::random());
        let refusal = |length| {
            let payload = Base64(vec![b' '; length]);
            let raw = RawRecord {
                kind: Checkpoint::KIND.to_owned(),
                payload,
                signature: key.sign(b"something else"),
            };
            Signed::<Checkpoint>::verify(raw, &key.public_key()).map(drop)
        };
        assert_eq!(refusal(MAX_PAYLOAD), Err(RecordError::BadSignature));
        assert_eq!(refusal(MAX_PAYLOAD + 1), Err(RecordError::Malformed));
        assert_eq!(refusal(MAX_PAYLOAD + 2), Err(RecordError::Malformed));
    }
}
