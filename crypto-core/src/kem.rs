//! X-Wing public keys (X25519 + ML-KEM-768).

use crate::encoding::base64_bytes;

base64_bytes!(
    /// An X-Wing public key as received: ML-KEM-768 encapsulation key 1,184 B ‖ X25519 32 B.
    KemPublicKey, 1216
);
