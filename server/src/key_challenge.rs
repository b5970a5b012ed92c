//! Nonces for signing in by key. They carry their own proof of issue, so asking for one stores nothing:
//!
//! ```text
//! nonce = u64 issued (UTC seconds) ‖ 8 random bytes ‖ first 16 bytes of HMAC(server key, what stands before)
//! ```
//! A nonce that was used is remembered until it could not be used any more ([`crate::db::nonce::spend`]).

use sealpost_api::limits::CHALLENGE_SECONDS;
use sealpost_crypto::{id::Digest, random};
use subtle::ConstantTimeEq;

use crate::keys::ServerSecret;

const HALF: usize = Digest::LEN / 2;

/// A nonce issued at `now` (UTC seconds).
pub(crate) fn issue(key: &ServerSecret, now: u64) -> Digest {
    let mut nonce = [0; Digest::LEN];
    nonce[..8].copy_from_slice(&now.to_be_bytes());
    random::fill(&mut nonce[8..HALF]);
    let proof = key.mac(&nonce[..HALF]);
    nonce[HALF..].copy_from_slice(&proof[..HALF]);
    Digest::new(nonce)
}

/// Whether `nonce` was issued under `key`, within [`CHALLENGE_SECONDS`] of `now`. Of two servers over one database
/// either clock may be ahead.
pub(crate) fn is_fresh(key: &ServerSecret, nonce: Digest, now: u64) -> bool {
    let (stated, proof) = nonce.as_bytes().split_at(HALF);
    let issued = stated.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte));
    bool::from(key.mac(stated)[..HALF].ct_eq(proof)) && issued.abs_diff(now) <= CHALLENGE_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_server_and_its_minute() {
        let (key, now) = (ServerSecret::random(), 1_800_000_000);
        let nonce = issue(&key, now);
        assert!(is_fresh(&key, nonce, now + CHALLENGE_SECONDS));
        assert!(!is_fresh(&key, nonce, now + CHALLENGE_SECONDS + 1));
        assert!(!is_fresh(&ServerSecret::random(), nonce, now));
        assert_ne!(nonce, issue(&key, now));
        for place in 0..Digest::LEN {
            let mut bytes = *nonce.as_bytes();
            bytes[place] ^= 1;
            assert!(!is_fresh(&key, Digest::new(bytes), now), "byte {place}");
        }
    }
}
