//! Ed25519 (RFC 8032), strict: S < L, canonical A and R, neither of small order, cofactorless equation
//! (protocol §2). Two implementations that follow this agree on every input.

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::Signer;

use crate::{encoding::base64_bytes, secret::SigningSeed};

base64_bytes!(
    /// An Ed25519 public key as received. [`SigningPublicKey::verify`] checks it at each use.
    SigningPublicKey, 32
);
base64_bytes!(
    /// An Ed25519 signature as received.
    Signature, 64
);

/// The key or the signature is not valid; which of them is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not valid")]
pub struct SignatureError;

/// An Ed25519 private key; wiped when dropped. Boxed, so that moving it leaves no copy behind.
pub struct SigningKey(Box<ed25519_dalek::SigningKey>);

impl SigningKey {
    /// Expands the seed (RFC 8032 §5.1.5).
    pub fn from_seed(seed: &SigningSeed) -> Self {
        Self(Box::new(ed25519_dalek::SigningKey::from_bytes(seed.expose())))
    }

    /// The public half.
    pub fn public_key(&self) -> SigningPublicKey {
        SigningPublicKey::new(self.0.verifying_key().to_bytes())
    }

    /// Signs `message` (RFC 8032 §5.1.6).
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::new(self.0.sign(message).to_bytes())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(secret)")
    }
}

impl SigningPublicKey {
    /// Verifies `signature` over `message`, strictly.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let key = self.checked()?;
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        // `verify_strict` compares R by its bytes with a point it encodes itself, so R is canonical too.
        key.verify_strict(message, &signature).map_err(|_| SignatureError)
    }

    /// Whether this is a canonical encoding of a point of large order.
    pub fn is_valid(&self) -> bool {
        self.checked().is_ok()
    }

    fn checked(&self) -> Result<ed25519_dalek::VerifyingKey, SignatureError> {
        canonical_point(self.as_bytes())?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(self.as_bytes()).map_err(|_| SignatureError)?;
        if key.is_weak() { Err(SignatureError) } else { Ok(key) }
    }
}

/// Refuses encodings that are no point, or another encoding of one.
fn canonical_point(bytes: &[u8; 32]) -> Result<(), SignatureError> {
    let point = CompressedEdwardsY(*bytes).decompress().ok_or(SignatureError)?;
    if point.compress().as_bytes() == bytes { Ok(()) } else { Err(SignatureError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8032_test_2() {
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SigningKey::from_seed(&SigningSeed::from_slice(&seed).unwrap());
        assert_eq!(
            &key.public_key().as_bytes()[..],
            hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        );
        let signature = hex(concat!(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ));
        assert_eq!(&key.sign(&[0x72]).as_bytes()[..], signature);
        assert_eq!(key.public_key().verify(&[0x72], &Signature::from_slice(&signature).unwrap()), Ok(()));
        assert_eq!(
            key.public_key().verify(&[0x73], &Signature::from_slice(&signature).unwrap()),
            Err(SignatureError)
        );
    }

    #[test]
    fn small_order_and_non_canonical_points_are_refused() {
        // The eight points of small order and, last two, non-canonical encodings of y = 0 and y = 1.
        for point in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            let key = SigningPublicKey::from_slice(&hex(point)).unwrap();
            assert!(!key.is_valid(), "{point}");
        }
    }

    #[test]
    fn another_encoding_of_a_strong_key_is_refused() {
        // y + p for y = 2..=18, where there is such a point: of large order, so that this alone is wrong with it.
        let encodings = (2..=18).map(|y: u8| {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (0xed + y, 0x7f);
            bytes
        });
        let points: Vec<_> =
            encodings.filter(|bytes| CompressedEdwardsY(*bytes).decompress().is_some()).collect();
        assert!(!points.is_empty());
        for point in points {
            assert!(!ed25519_dalek::VerifyingKey::from_bytes(&point).unwrap().is_weak());
            assert!(!SigningPublicKey::from_slice(&point).unwrap().is_valid(), "{point:?}");
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }
}
