//! Wrapping file keys: HPKE (RFC 9180) base mode, single-shot, empty aad, over X-Wing (`0x647a`,
//! draft-connolly-cfrg-xwing-kem as registered by draft-ietf-hpke-pq), HKDF-SHA256, ChaCha20-Poly1305.
//!
//! Private keys exist only as 32-byte seeds, which X-Wing expands with SHAKE256; the KEM's `DeriveKeyPair` is
//! never called, since two drafts disagree on it.

use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::XWing,
    rand_core::CryptoRng,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    encoding::base64_bytes,
    error::opaque_failure,
    id::Digest,
    random,
    secret::{FileKey, KemSeed},
    stack,
};

/// Where the X25519 half begins in an X-Wing public key, after ML-KEM-768's encapsulation key.
const X25519_OFFSET: usize = 1184;

base64_bytes!(
    /// An X-Wing public key as received: ML-KEM-768 encapsulation key 1,184 B ‖ X25519 32 B.
    KemPublicKey, 1216
);
base64_bytes!(
    /// HPKE's `enc`: ML-KEM-768 ciphertext 1,088 B ‖ ephemeral X25519 public key 32 B.
    Encapsulation, 1120
);
base64_bytes!(
    /// A file key under HPKE: ciphertext 32 B ‖ tag 16 B.
    SealedFileKey, 48
);

opaque_failure!(
    /// The public key must not be used: an X25519 half of small order, or an ML-KEM half that fails the modulus
    /// check of FIPS 203 §7.2.
    KeyError = "kem_key_invalid", "the public key is not valid";
);

opaque_failure!(
    /// The wrap does not open; why is nobody's business.
    UnwrapError = "file_key_unopenable", "the file key can't be unwrapped";
);

/// An X-Wing key pair, kept as its seed; wiped when dropped. Boxed, so that moving it leaves no copy behind.
pub struct KemKeyPair {
    private: Box<<XWing as Kem>::PrivateKey>,
    public: KemPublicKey,
}

impl KemKeyPair {
    /// Expands the seed (SHAKE256 to 96 bytes: ML-KEM seed 64, X25519 key 32).
    pub fn from_seed(seed: &KemSeed) -> Self {
        let private = match <XWing as Kem>::PrivateKey::from_bytes(seed.expose()) {
            Ok(private) => Box::new(private),
            Err(_) => unreachable!("every 32 bytes are an X-Wing seed"),
        };
        let mut public = [0; KemPublicKey::LEN];
        XWing::sk_to_pk(&private).write_exact(&mut public);
        Self { private, public: KemPublicKey::new(public) }
    }

    /// The public half.
    pub fn public_key(&self) -> &KemPublicKey {
        &self.public
    }
}

impl std::fmt::Debug for KemKeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KemKeyPair(secret)")
    }
}

/// A public key that passed [`KemPublicKey::check`]: the only kind that anything is wrapped to.
#[derive(Debug, Clone)]
pub struct CheckedKemKey(<XWing as Kem>::PublicKey);

impl KemPublicKey {
    /// Checks both halves; on certifying and on wrapping alike.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn check(&self) -> Result<CheckedKemKey, KeyError> {
        check_x25519(&self.as_bytes()[X25519_OFFSET..])?;
        // Decoding refuses coefficients that are not reduced modulo q: the check of FIPS 203 §7.2.
        <XWing as Kem>::PublicKey::from_bytes(self.as_bytes()).map(CheckedKemKey).map_err(|_| KeyError)
    }
}

/// Refuses points with which every key agreement gives zero (RFC 7748 §6.1). Clamped scalars are multiples of
/// the cofactor, so any one of them shows it.
fn check_x25519(public: &[u8]) -> Result<(), KeyError> {
    let public: [u8; 32] = public.try_into().map_err(|_| KeyError)?;
    let probe = x25519_dalek::StaticSecret::from([1; 32]);
    let shared = probe.diffie_hellman(&x25519_dalek::PublicKey::from(public));
    if shared.was_contributory() { Ok(()) } else { Err(KeyError) }
}

/// A file key wrapped to one person, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    /// HPKE's `enc`.
    pub enc: Encapsulation,
    /// HPKE's ciphertext.
    pub ciphertext: SealedFileKey,
}

impl WrappedKey {
    /// SHA-256(enc ‖ ciphertext): what a share record states.
    pub fn digest(&self) -> Digest {
        let hasher = Sha256::new().chain_update(self.enc.as_bytes()).chain_update(self.ciphertext.as_bytes());
        Digest::new(hasher.finalize().into())
    }
}

/// Wraps `file_key` to `recipient`; RFC 9180 §6.1, `SealBase(pkR, info, aad = "", pt)`.
///
/// # Errors
/// [`KeyError`] if the key agreement fails, which a checked key leaves no room for.
pub fn wrap(recipient: &CheckedKemKey, info: &[u8], file_key: &FileKey) -> Result<WrappedKey, KeyError> {
    stack::wiped(|| wrap_with(recipient, info, file_key, &mut random::system()))
}

fn wrap_with(
    recipient: &CheckedKemKey,
    info: &[u8],
    file_key: &FileKey,
    rng: &mut impl CryptoRng,
) -> Result<WrappedKey, KeyError> {
    let (enc, ciphertext) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &recipient.0,
        info,
        file_key.expose(),
        &[],
        rng,
    )
    .map_err(|_| KeyError)?;
    let mut bytes = [0; Encapsulation::LEN];
    enc.write_exact(&mut bytes);
    let ciphertext = SealedFileKey::from_slice(&ciphertext).ok_or(KeyError)?;
    Ok(WrappedKey { enc: Encapsulation::new(bytes), ciphertext })
}

/// Opens a wrap; RFC 9180 §6.1, `OpenBase(enc, skR, info, aad = "", ct)`.
///
/// # Errors
/// [`UnwrapError`], one for all failures.
pub fn unwrap(pair: &KemKeyPair, info: &[u8], wrapped: &WrappedKey) -> Result<FileKey, UnwrapError> {
    stack::wiped(|| open_base(pair, info, wrapped))
}

fn open_base(pair: &KemKeyPair, info: &[u8], wrapped: &WrappedKey) -> Result<FileKey, UnwrapError> {
    let enc = <XWing as Kem>::EncappedKey::from_bytes(wrapped.enc.as_bytes()).map_err(|_| UnwrapError)?;
    let plaintext = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &pair.private,
        &enc,
        info,
        wrapped.ciphertext.as_bytes(),
        &[],
    )
    .map(Zeroizing::new)
    .map_err(|_| UnwrapError)?;
    FileKey::from_slice(&plaintext).ok_or(UnwrapError)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn pair() -> KemKeyPair {
        KemKeyPair::from_seed(&KemSeed::random())
    }

    /// A valid public key with its X25519 half replaced.
    fn with_x25519(half: [u8; 32]) -> KemPublicKey {
        let mut bytes = *pair().public_key().as_bytes();
        bytes[X25519_OFFSET..].copy_from_slice(&half);
        KemPublicKey::new(bytes)
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn x_wing_draft_known_answer() {
        // draft-connolly-cfrg-xwing-kem, appendix C, first vector.
        let seed = hex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26");
        let pair = KemKeyPair::from_seed(&KemSeed::from_slice(&seed).unwrap());
        let public = pair.public_key().as_bytes();
        assert_eq!(&public[..8], hex("e2236b35a8c24b39"));
        assert_eq!(
            &public[X25519_OFFSET..],
            hex("859edb06eff389b27dce59844570216223593d4ba32d9abac8cd049040ef6534")
        );
        assert_eq!(
            Sha256::digest(public)[..],
            hex("2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb")
        );
    }

    #[test]
    fn only_the_recipient_opens_and_only_under_the_same_info() {
        let (recipient, other) = (pair(), pair());
        let key = FileKey::random();
        let wrapped = wrap(&recipient.public_key().check().unwrap(), b"info", &key).unwrap();
        assert_eq!(unwrap(&recipient, b"info", &wrapped), Ok(key));
        assert_eq!(unwrap(&recipient, b"infp", &wrapped), Err(UnwrapError));
        assert_eq!(unwrap(&recipient, b"", &wrapped), Err(UnwrapError));
        assert_eq!(unwrap(&other, b"info", &wrapped), Err(UnwrapError));
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let recipient = pair();
        let wrapped = wrap(&recipient.public_key().check().unwrap(), b"info", &FileKey::random()).unwrap();
        for at in (0..Encapsulation::LEN).step_by(37).chain([1087, 1088, 1119]) {
            let mut enc = *wrapped.enc.as_bytes();
            enc[at] ^= 1;
            let changed = WrappedKey { enc: Encapsulation::new(enc), ..wrapped.clone() };
            assert_eq!(unwrap(&recipient, b"info", &changed), Err(UnwrapError), "enc byte {at}");
            assert_ne!(changed.digest(), wrapped.digest());
        }
        for at in 0..SealedFileKey::LEN {
            let mut ciphertext = *wrapped.ciphertext.as_bytes();
            ciphertext[at] ^= 0x80;
            let changed = WrappedKey { ciphertext: SealedFileKey::new(ciphertext), ..wrapped.clone() };
            assert_eq!(unwrap(&recipient, b"info", &changed), Err(UnwrapError), "ciphertext byte {at}");
        }
    }

    #[test]
    fn x25519_halves_of_small_order_are_refused() {
        // The points of small order on curve and twist, and their non-canonical encodings (RFC 7748 §6.1).
        for half in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        ] {
            let key = with_x25519(hex(half).try_into().unwrap());
            assert_eq!(key.check().unwrap_err(), KeyError, "{half}");
        }
        let mut base = [0; 32];
        base[0] = 9;
        assert!(with_x25519(base).check().is_ok());
    }

    #[test]
    fn unreduced_ml_kem_coefficients_are_refused() {
        // Two 12-bit coefficients in three bytes; q = 3329 = 0xd01 is the least that is not reduced.
        for (coefficient, valid) in [(3328_u16, true), (3329, false), (4095, false)] {
            let mut bytes = *pair().public_key().as_bytes();
            bytes[0] = coefficient as u8;
            bytes[1] = bytes[1] & 0xf0 | (coefficient >> 8) as u8;
            assert_eq!(KemPublicKey::new(bytes).check().is_ok(), valid, "{coefficient}");
        }
        assert!(KemPublicKey::new([0xff; 1216]).check().is_err());
    }

    #[test]
    fn no_two_wraps_are_alike() {
        let recipient = pair().public_key().check().unwrap();
        let key = FileKey::random();
        let wraps: HashSet<[u8; 1120]> =
            (0..1000).map(|_| *wrap(&recipient, b"", &key).unwrap().enc.as_bytes()).collect();
        assert_eq!(wraps.len(), 1000);
    }
}
