//! Signatures that satisfy an equation of Ed25519 and are told apart by §2.1 alone. They were computed apart from this
//! program, over the payload of `accept` in `records.json`, with the signing seed of 32 bytes 1 for the secret scalar a.

/// The key that belongs to the seed.
const HONEST: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
/// That key plus a point of order 8.
const MIXED: &str = "3bcfb78c4ad06f9b8d7e8c50e37e33dd40042a7805f5df945fbf33620745bc68";
/// The neutral element's y = 1, written as p + 1.
const NEUTRAL_BEYOND_P: &str = "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
/// The neutral element with a sign bit, although x = 0.
const NEUTRAL_WITH_SIGN: &str = "0100000000000000000000000000000000000000000000000000000000000080";
/// R = 7 B, S = 7: fits every message under a key that is the neutral element.
const SEVEN: &str = "b862409fb5c4c4123df2abf7462b88f041ad36dd6864ce872fd5472be363c5b1\
    0700000000000000000000000000000000000000000000000000000000000000";

/// A name, a public key, and a signature R ‖ S by it.
pub const UNUSUAL_POINTS: [(&str, &str, &str); 6] = [
    (
        "an R of small order, S = k a",
        HONEST,
        "0100000000000000000000000000000000000000000000000000000000000000\
         ccbff9ab6a66d04cd47ae566ce65f65d26391476d8e8987107f44cde0f6a6202",
    ),
    (
        "an R that is no canonical encoding, S = k a",
        HONEST,
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f\
         8ac8a9411e725d46242ebe7aa2a6e199a0d3e99a6ddffb1da55eccecb259f805",
    ),
    ("a key that is no canonical encoding, under an honest R", NEUTRAL_BEYOND_P, SEVEN),
    ("a key with the sign of x = 0, under an honest R", NEUTRAL_WITH_SIGN, SEVEN),
    (
        "a key of mixed order, when only the equation with the cofactor holds",
        MIXED,
        "5866666666666666666666666666666666666666666666666666666666666666\
         b21e96ba5345631bc507a94f19b266d40650dc098b10f00819b6164e352ab907",
    ),
    (
        "accepted: a key of mixed order, when the equation without cofactor holds",
        MIXED,
        "1337036ac32d8f30d4589c3c1c595812ce0fff40e37c6f5a97ab213f318290ad\
         7b33bab12d7bc0a2b20edc50f3f64da5a4e20f100189f5ffe79c49ac250b5b06",
    ),
];
