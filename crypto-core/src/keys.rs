//! The key tree (protocol §3).
//!
//! ```text
//! account seed ── prk = Extract("…/account", seed)
//!                 ├─ Expand "…/signing" ‖ 00 → Ed25519 seed
//!                 ├─ Expand "…/kem"     ‖ 00 → X-Wing seed
//!                 └─ Expand "…/vault"   ‖ 00 → vault key
//!
//! file key ────── prk = Extract("…/file", file key)             place = org_id ‖ file_id ‖ u64 version
//! (random, fresh  ├─ Expand "…/content"    ‖ 00 ‖ place → content key
//!  per version)   ├─ Expand "…/metadata"   ‖ 00 ‖ place → metadata key
//!                 └─ Expand "…/commitment" ‖ 00 ‖ place → commitment, public
//! ```

use zeroize::Zeroizing;

use crate::{
    id::{Digest, FileId, OrgId},
    kdf::Prk,
    kem::KemKeyPair,
    labels,
    secret::{AccountSeed, ContentKey, FileKey, KemSeed, MetadataKey, SigningSeed, VaultKey},
    sign::SigningKey,
    stack,
};

/// All keys of one person, derived from the account seed and from nothing else.
#[derive(Debug)]
pub struct AccountKeys {
    /// Signs every record of this person.
    pub signing: SigningKey,
    /// Opens file keys wrapped to this person.
    pub kem: KemKeyPair,
    /// Seals the vault, and small secrets at rest on the device.
    pub vault: VaultKey,
}

impl AccountKeys {
    /// Derives them. Own public keys come from here, never from the server.
    pub fn derive(seed: &AccountSeed) -> Self {
        stack::wiped(|| {
            let prk = Prk::extract(labels::ACCOUNT, seed.expose());
            Self {
                signing: SigningKey::from_seed(&SigningSeed::take(&mut prk.expand(labels::SIGNING, &[]))),
                kem: KemKeyPair::from_seed(&KemSeed::take(&mut prk.expand(labels::KEM, &[]))),
                vault: VaultKey::take(&mut prk.expand(labels::VAULT, &[])),
            }
        })
    }
}

/// Which version of which file of which organisation: bound into every key made from its file key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The organisation.
    pub org_id: OrgId,
    /// The file.
    pub file_id: FileId,
    /// Its version, from 1.
    pub version: u64,
}

impl Place {
    /// Length of the encoding in bytes.
    pub const LEN: usize = 32 + 16 + 8;

    /// `org_id ‖ file_id ‖ u64 version`.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..32].copy_from_slice(self.org_id.as_bytes());
        bytes[32..48].copy_from_slice(self.file_id.as_bytes());
        bytes[48..].copy_from_slice(&self.version.to_be_bytes());
        bytes
    }
}

/// The keys of one version of one file.
#[derive(Debug)]
pub struct FileKeys {
    /// Encrypts the content.
    pub content: ContentKey,
    /// Seals the metadata.
    pub metadata: MetadataKey,
    /// Public; stands in manifest and share, so that nobody can be given another key under the same records.
    pub commitment: Digest,
}

impl FileKeys {
    /// Derives them from the file key, for exactly this place.
    pub fn derive(key: &FileKey, place: &Place) -> Self {
        stack::wiped(|| {
            let prk = Prk::extract(labels::FILE, key.expose());
            let place = place.to_bytes();
            let commitment: Zeroizing<[u8; 32]> = prk.expand(labels::COMMITMENT, &[&place]);
            Self {
                content: ContentKey::take(&mut prk.expand(labels::CONTENT, &[&place])),
                metadata: MetadataKey::take(&mut prk.expand(labels::METADATA, &[&place])),
                commitment: Digest::new(*commitment),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use hmac::Mac;

    use super::*;
    use crate::kdf::hmac;

    fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
        let mut mac = hmac(key);
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    #[test]
    fn hkdf_is_rfc_5869_written_out_with_hmac() {
        // Extract is HMAC(salt, IKM); the first block of Expand is HMAC(PRK, info ‖ 01).
        let place = Place { org_id: OrgId::new([1; 32]), file_id: FileId::new([2; 16]), version: 3 };
        let keys = FileKeys::derive(&FileKey::take(&mut [9; 32]), &place);
        let prk = mac(b"sealpost/v1/file", &[9; 32]);
        let mut fields = [[1; 32].as_slice(), &[2; 16], &[0, 0, 0, 0, 0, 0, 0, 3]].concat();
        fields.push(1);
        let expand = |label: &[u8]| mac(&prk, &[label, b"\0", &fields].concat());
        assert_eq!(keys.content.expose(), &expand(b"sealpost/v1/content"));
        assert_eq!(keys.metadata.expose(), &expand(b"sealpost/v1/metadata"));
        assert_eq!(keys.commitment.as_bytes(), &expand(b"sealpost/v1/commitment"));
    }

    #[test]
    fn account_keys_follow_from_the_seed_alone() {
        let keys = AccountKeys::derive(&AccountSeed::take(&mut [5; 32]));
        let prk = mac(b"sealpost/v1/account", &[5; 32]);
        let signing = SigningSeed::take(&mut mac(&prk, b"sealpost/v1/signing\0\x01"));
        let kem = KemSeed::take(&mut mac(&prk, b"sealpost/v1/kem\0\x01"));
        assert_eq!(keys.signing.public_key(), SigningKey::from_seed(&signing).public_key());
        assert_eq!(keys.kem.public_key(), KemKeyPair::from_seed(&kem).public_key());
        assert_eq!(keys.vault.expose(), &mac(&prk, b"sealpost/v1/vault\0\x01"));
    }

    #[test]
    fn every_field_of_the_place_counts() {
        let key = FileKey::random();
        let place = Place { org_id: OrgId::random(), file_id: FileId::random(), version: 1 };
        let others = [
            Place { org_id: OrgId::random(), ..place },
            Place { file_id: FileId::random(), ..place },
            Place { version: 2, ..place },
        ];
        let keys = FileKeys::derive(&key, &place);
        for other in others {
            let other = FileKeys::derive(&key, &other);
            assert_ne!(keys.content, other.content);
            assert_ne!(keys.metadata, other.metadata);
            assert_ne!(keys.commitment, other.commitment);
        }
    }
}
