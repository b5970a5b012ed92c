//! A file's metadata (protocol §7.4): what its name, type and true size are, for those who hold its key only.
//!
//! ```text
//! plaintext = u16 length ‖ JSON ‖ zeros to the next multiple of 512
//! sealed    = XChaCha20-Poly1305(metadata key, aad = "…/metadata" ‖ 00 ‖ place, plaintext)
//! JSON      = {"name","media_type","size","modified","note"}, encoded as strictly as a record's payload
//! ```

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    aead,
    encoding::{Text, int53},
    error::failures,
    id::Digest,
    keys::Place,
    labels,
    secret::MetadataKey,
    size::Layout,
};

/// Greatest length of sealed metadata in bytes: 16 KiB.
pub const MAX_SEALED: usize = 16 * 1024;
/// The plaintext's length is a multiple of this many bytes.
const BLOCK: usize = 512;
/// Bytes of the length in front of the JSON.
const PREFIX: usize = 2;

/// What a file's owner says about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Its name, raw: made safe only when it is written to a disk or a terminal, see [`crate::file_name`].
    pub name: Text,
    /// Its media type (RFC 6838), or empty.
    pub media_type: Text,
    /// Its true size in bytes.
    #[serde(with = "int53")]
    pub size: u64,
    /// When it was last modified, UTC seconds, or 0.
    #[serde(with = "int53")]
    pub modified: u64,
    /// A note to the recipients, or empty.
    pub note: Text,
}

failures! {
    /// Why metadata was refused.
    #[derive(Copy)]
    MetadataError {
        /// More than [`MAX_SEALED`] bytes when sealed.
        TooLong = "metadata_too_long", "name and note together are too long";
        /// Not the sealed metadata that the manifest states.
        HashMismatch = "metadata_mismatch", "the metadata is not the one that was signed";
        /// The metadata key does not open it. It tells nothing more.
        Unopenable = "metadata_unopenable", "the metadata can't be opened";
        /// Not the one encoding that the protocol allows.
        Malformed = "metadata_malformed", "the metadata is malformed";
        /// A file of the stated size has another ciphertext length.
        SizeMismatch = "metadata_size", "the stated size does not agree with the length of the content";
    }
}

/// What a verified manifest says about the metadata that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// H(sealed metadata).
    pub hash: Digest,
    /// From the ciphertext length.
    pub layout: Layout,
}

impl Stated {
    /// Whether sealed metadata is what the manifest states; for this no key is needed.
    ///
    /// # Errors
    /// [`MetadataError::TooLong`], [`MetadataError::HashMismatch`].
    pub fn check(&self, sealed: &[u8]) -> Result<(), MetadataError> {
        if sealed.len() > MAX_SEALED {
            return Err(MetadataError::TooLong);
        }
        if sealed_hash(sealed) == self.hash { Ok(()) } else { Err(MetadataError::HashMismatch) }
    }
}

/// SHA-256 of sealed metadata: what a manifest states.
pub fn sealed_hash(sealed: &[u8]) -> Digest {
    Digest::new(Sha256::digest(sealed).into())
}

impl Metadata {
    /// Whether it can be sealed: what is too long is found before anything is sent.
    ///
    /// # Errors
    /// As [`Metadata::seal`].
    pub fn check(&self) -> Result<(), MetadataError> {
        self.encode().map(drop)
    }

    /// Seals it for one version of one file.
    ///
    /// # Errors
    /// [`MetadataError::TooLong`]; [`MetadataError::Malformed`] if an integer is above 2⁵³−1.
    pub fn seal(&self, key: &MetadataKey, place: &Place) -> Result<Vec<u8>, MetadataError> {
        Ok(aead::seal(key.expose(), &aad(place), &self.encode()?))
    }

    /// Opens sealed metadata after checking that it is what the manifest states (§8 step 8).
    ///
    /// # Errors
    /// Each of [`MetadataError`].
    pub fn open(
        key: &MetadataKey,
        place: &Place,
        stated: &Stated,
        sealed: &[u8],
    ) -> Result<Self, MetadataError> {
        stated.check(sealed)?;
        let plaintext =
            aead::open(key.expose(), &aad(place), sealed).map_err(|_| MetadataError::Unopenable)?;
        let metadata = Self::decode(&plaintext)?;
        if stated.layout.fits(metadata.size) { Ok(metadata) } else { Err(MetadataError::SizeMismatch) }
    }

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, MetadataError> {
        let json = Zeroizing::new(serde_json::to_vec(self).map_err(|_| MetadataError::Malformed)?);
        let padded = (PREFIX + json.len()).next_multiple_of(BLOCK);
        if padded + aead::OVERHEAD > MAX_SEALED {
            return Err(MetadataError::TooLong);
        }
        let mut plaintext = Zeroizing::new(Vec::with_capacity(padded));
        // Below 16 KiB, so it fits.
        plaintext.extend_from_slice(&(json.len() as u16).to_be_bytes());
        plaintext.extend_from_slice(&json);
        plaintext.resize(padded, 0);
        Ok(plaintext)
    }

    /// Takes only what [`Self::encode`] would have given.
    fn decode(plaintext: &[u8]) -> Result<Self, MetadataError> {
        let (length, rest) = plaintext.split_first_chunk().ok_or(MetadataError::Malformed)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let json = rest.get(..length).ok_or(MetadataError::Malformed)?;
        let metadata: Self = serde_json::from_slice(json).map_err(|_| MetadataError::Malformed)?;
        if metadata.encode()?[..] == *plaintext { Ok(metadata) } else { Err(MetadataError::Malformed) }
    }
}

fn aad(place: &Place) -> Vec<u8> {
    labels::labelled(labels::METADATA, &[&place.to_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{FileId, OrgId};

    fn sample() -> Metadata {
        Metadata {
            name: Text("Jahresabschluss \"2025\"\n.pdf".to_owned()),
            media_type: Text("application/pdf".to_owned()),
            size: 5_000,
            modified: 1_770_000_000,
            note: Text(String::new()),
        }
    }

    fn place() -> Place {
        Place { org_id: OrgId::random(), file_id: FileId::random(), version: 1 }
    }

    fn stated(sealed: &[u8]) -> Stated {
        Stated { hash: sealed_hash(sealed), layout: Layout::for_size(5_000).unwrap() }
    }

    /// Opens `plaintext` as if its owner had sealed it.
    fn open_sealed(plaintext: &[u8]) -> Result<Metadata, MetadataError> {
        let (key, place) = (MetadataKey::random(), place());
        let sealed = aead::seal(key.expose(), &aad(&place), plaintext);
        Metadata::open(&key, &place, &stated(&sealed), &sealed)
    }

    #[test]
    fn round_trips_at_its_place_only() {
        let (key, place) = (MetadataKey::random(), place());
        let sealed = sample().seal(&key, &place).unwrap();
        assert_eq!(sealed.len(), 512 + 40);
        assert_eq!(Metadata::open(&key, &place, &stated(&sealed), &sealed), Ok(sample()));
        let elsewhere = Place { version: 2, ..place };
        assert_eq!(
            Metadata::open(&key, &elsewhere, &stated(&sealed), &sealed),
            Err(MetadataError::Unopenable)
        );
        assert_eq!(
            Metadata::open(&MetadataKey::random(), &place, &stated(&sealed), &sealed),
            Err(MetadataError::Unopenable)
        );
    }

    #[test]
    fn only_what_the_manifest_states_is_opened() {
        let (key, place) = (MetadataKey::random(), place());
        let sealed = sample().seal(&key, &place).unwrap();
        let other = sample().seal(&key, &place).unwrap();
        assert_eq!(Metadata::open(&key, &place, &stated(&other), &sealed), Err(MetadataError::HashMismatch));
        let longer = Stated { layout: Layout::for_size(50_000).unwrap(), ..stated(&sealed) };
        assert_eq!(Metadata::open(&key, &place, &longer, &sealed), Err(MetadataError::SizeMismatch));
    }

    #[test]
    fn length_is_limited_at_the_limit_and_one_past_it() {
        let (key, place) = (MetadataKey::random(), place());
        let empty = Metadata { name: Text(String::new()), ..sample() };
        // 31 blocks of 512 bytes, less the prefix and the rest of the JSON, hold this much base64url.
        let room = 31 * 512 - PREFIX - serde_json::to_vec(&empty).unwrap().len();
        let fitting = Metadata { name: Text("n".repeat(room * 3 / 4)), ..sample() };
        let sealed = fitting.seal(&key, &place).unwrap();
        assert_eq!(sealed.len(), 31 * 512 + 40);
        assert_eq!(Metadata::open(&key, &place, &stated(&sealed), &sealed), Ok(fitting));
        let larger = Metadata { name: Text("n".repeat(room * 3 / 4 + 2)), ..sample() };
        assert_eq!(larger.seal(&key, &place), Err(MetadataError::TooLong));
        let huge = vec![0; MAX_SEALED + 1];
        assert_eq!(Metadata::open(&key, &place, &stated(&huge), &huge), Err(MetadataError::TooLong));
        let full = &huge[1..];
        assert_eq!(stated(full).check(full), Ok(()));
        assert_eq!(stated(&sealed).check(full), Err(MetadataError::HashMismatch));
    }

    #[test]
    fn every_other_encoding_is_refused() {
        let right = sample().encode().unwrap();
        assert_eq!(open_sealed(&right), Ok(sample()));
        let json = |text: &str| {
            let mut plaintext = (text.len() as u16).to_be_bytes().to_vec();
            plaintext.extend_from_slice(text.as_bytes());
            plaintext.resize(plaintext.len().next_multiple_of(512), 0);
            plaintext
        };
        let text = String::from_utf8(serde_json::to_vec(&sample()).unwrap()).unwrap();
        assert_eq!(open_sealed(&json(&text)), Ok(sample()));
        let hidden = [&right[..511], &[1]].concat();
        let extra = text.replace('}', ",\"x\":0}");
        let reordered = text.replacen(
            "\"size\":5000,\"modified\":1770000000",
            "\"modified\":1770000000,\"size\":5000",
            1,
        );
        for (wrong, why) in [
            (hidden, "hidden bytes in the padding"),
            ([&right[..], &[0; 512]].concat(), "a block too many"),
            (right[..500].to_vec(), "no whole block"),
            (vec![0xff; 512], "a length beyond the end"),
            (vec![], "nothing"),
            (json(&text.replace(':', ": ")), "white space"),
            (json(&extra), "an unknown field"),
            (json(&reordered), "another order"),
            (json(&text.replace("5000", "5000.0")), "a float"),
            (json(&text.replace("1770000000", "9007199254740992")), "an integer above 2^53-1"),
        ] {
            assert_eq!(open_sealed(&wrong), Err(MetadataError::Malformed), "{why}");
        }
    }
}
