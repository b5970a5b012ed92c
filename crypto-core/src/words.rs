//! The twelve words that two people compare (protocol §6.5): a fingerprint of both their keys; and those by which an
//! Ops member recognises a server's new checkpoint key.
//!
//! ```text
//! words         = first 132 bits, 11 each, of SHA-256("…/words" ‖ 00 ‖ org_id ‖ the two bundle ids in ascending order)
//! service words = the same of SHA-256("…/service-words" ‖ 00 ‖ org_id ‖ checkpoint key)
//! ```

use sha2::{Digest as _, Sha256};

use crate::{
    id::{OrgId, RecordId},
    labels::{self, labelled},
    sign::SigningPublicKey,
};

/// How many words: 132 bits, beyond any search for keys that look alike.
pub const COUNT: usize = 12;
/// Bits to a word: BIP39's lists have 2,048.
const BITS: usize = 11;

/// The words for two bundles, the same on both sides; BIP39's English list.
pub fn words(org_id: OrgId, one: RecordId, other: RecordId) -> [&'static str; COUNT] {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    let fields: [&[u8]; 3] = [org_id.as_bytes(), low.as_bytes(), high.as_bytes()];
    of_statement(&labelled(labels::WORDS, &fields))
}

/// The words for a key that is to sign checkpoints, as the server's console and an Ops member's device show them.
pub fn service_words(org_id: OrgId, checkpoint_key: &SigningPublicKey) -> [&'static str; COUNT] {
    of_statement(&labelled(labels::SERVICE_WORDS, &[org_id.as_bytes(), checkpoint_key.as_bytes()]))
}

fn of_statement(statement: &[u8]) -> [&'static str; COUNT] {
    let hash: [u8; 32] = Sha256::digest(statement).into();
    let list = bip39::Language::English.word_list();
    std::array::from_fn(|n| list[index(&hash, n)])
}

/// Bits 11n … 11n+10 of `hash`, most significant first.
fn index(hash: &[u8; 32], n: usize) -> usize {
    (n * BITS..(n + 1) * BITS)
        .fold(0, |index, bit| index << 1 | usize::from(hash[bit / 8] >> (7 - bit % 8) & 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_taken_most_significant_first() {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&[0b1111_1111, 0b1110_0000, 0b0000_0100, 0b0000_0001]);
        assert_eq!(index(&hash, 0), 0b111_1111_1111);
        assert_eq!(index(&hash, 1), 0b000_0000_0001);
        assert_eq!(index(&hash, 2), 0b000_0000_0010);
        hash = [0xff; 32];
        assert!((0..COUNT).all(|n| index(&hash, n) == 2047));
    }

    #[test]
    fn both_sides_read_the_same_words_and_others_do_not() {
        let (org, a, b) = (OrgId::random(), RecordId::random(), RecordId::random());
        let read = words(org, a, b);
        assert_eq!(read, words(org, b, a));
        assert_ne!(read, words(org, a, RecordId::random()));
        assert_ne!(read, words(OrgId::random(), a, b));
    }

    #[test]
    fn another_key_or_organisation_has_other_service_words() {
        let (org, key) = (OrgId::new([1; 32]), SigningPublicKey::new([2; 32]));
        let read = service_words(org, &key);
        assert_ne!(read, service_words(org, &SigningPublicKey::new([3; 32])));
        assert_ne!(read, service_words(OrgId::new([2; 32]), &key));
        assert_ne!(read, words(org, RecordId::new([2; 32]), RecordId::new([2; 32])));
    }

    #[test]
    fn the_words_are_bip_39_english() {
        // SHA-256 of the specification's bytes, written out.
        let mut bytes = b"sealpost/v1/words\0".to_vec();
        bytes.extend([1; 32]);
        bytes.extend([2; 32]);
        bytes.extend([3; 32]);
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let first = usize::from(hash[0]) << 3 | usize::from(hash[1] >> 5);
        let read = words(OrgId::new([1; 32]), RecordId::new([3; 32]), RecordId::new([2; 32]));
        assert_eq!(read[0], bip39::Language::English.word_list()[first]);
        assert_eq!(bip39::Language::English.word_list()[0], "abandon");
        assert_eq!(bip39::Language::English.word_list()[2047], "zoo");
    }
}
