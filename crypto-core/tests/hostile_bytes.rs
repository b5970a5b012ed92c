//! Whatever bytes come in, every reader gives an answer: no panic, and nothing but what we would have written.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by panicking")]

use proptest::prelude::*;
use sealpost_crypto::{
    aead, crockford,
    envelope::Envelope,
    file_name::{display_name, safe_file_name},
    id::{Digest, FileId, OrgId, RecordId, UserId},
    keys::Place,
    kit::{account_key_from_code, seed_from_words},
    labels,
    metadata::{Metadata, Stated, sealed_hash},
    parts::{PartList, content_digest},
    password::{
        Identifiers, LoginState, RegistrationRecord, ServerSetup, server_login_finish, server_login_start,
    },
    secret::{EnvelopeKey, MetadataKey, VaultKey},
    sign::Signature,
    size::{Layout, PART_CIPHERTEXT},
    vault::{LogPin, PairKey, Pin, Vault, VaultOwner, merge},
};

const PLACE: Place = Place { org_id: OrgId::ZERO, file_id: FileId::ZERO, version: 1 };
const OWNER: VaultOwner = VaultOwner { org_id: OrgId::ZERO, user_id: UserId::ZERO };

/// Metadata that its owner sealed as `plaintext`.
fn open_metadata(plaintext: &[u8]) -> Option<Metadata> {
    let aad = labels::labelled(labels::METADATA, &[&PLACE.to_bytes()]);
    let sealed = aead::seal(&[1; 32], &aad, plaintext);
    let stated = Stated { hash: sealed_hash(&sealed), layout: Layout::for_size(0).unwrap() };
    Metadata::open(&MetadataKey::take(&mut [1; 32]), &PLACE, &stated, &sealed).ok()
}

/// A vault that its owner sealed as `plaintext`.
fn open_vault(plaintext: &[u8]) -> Option<Vault> {
    let aad = labels::labelled(labels::VAULT, &[&[0; 32], &[0; 16], &1_u64.to_be_bytes()]);
    let sealed = aead::seal(&[1; 32], &aad, plaintext);
    Vault::open(&VaultKey::take(&mut [1; 32]), &OWNER, 1, &sealed).ok()
}

/// JSON with the pieces that our readers look for.
fn almost_json() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(":"),
        Just(","),
        Just("\"\""),
        Just("null"),
        Just("-1"),
        Just("5e3"),
        Just("9007199254740992"),
        Just("\"name\""),
        Just("\"size\""),
        Just("\"version\""),
        Just("\"pins\""),
        Just("\"invites\""),
        Just("\\u0000"),
        Just("\"AAAA\""),
        Just(" "),
        Just("true"),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn vault_with(pins: &[(u8, u64, u8)]) -> Vault {
    let log = LogPin { size: 1, head: RecordId::ZERO, signature: Signature::new([0; 64]) };
    let mut vault = Vault::first(log, Pin { sequence: 1, head: RecordId::ZERO });
    for (sender, sequence, head) in pins {
        let key = PairKey { sender: UserId::new([*sender; 16]), recipient: UserId::ZERO };
        vault.pins.pairs.insert(key, Pin { sequence: *sequence, head: RecordId::new([*head; 32]) });
    }
    vault
}

proptest! {
    #[test]
    fn text_readers_never_panic(text in "\\PC{0,200}|[0-9A-Za-z \\-]{0,200}") {
        if let Ok(bytes) = crockford::decode(&text) {
            let canonical: String = text.to_uppercase().chars().filter(|c| !matches!(c, '-' | ' ')).collect();
            let canonical = canonical.replace('O', "0").replace(['I', 'L'], "1");
            prop_assert_eq!(&*crockford::encode(&bytes), &canonical);
        }
        let _ = (seed_from_words(&text), account_key_from_code(&text));
        prop_assert!(!safe_file_name(&text).as_str().is_empty());
        prop_assert!(!display_name(&text).chars().any(char::is_control));
    }

    #[test]
    fn byte_readers_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(envelope) = Envelope::parse(&bytes) {
            prop_assert_eq!(&envelope.as_bytes()[..], &bytes[..]);
            prop_assert!(envelope.open(&EnvelopeKey::random()).is_err());
        }
        prop_assert!(aead::open(&[0; 32], b"", &bytes).is_err());
        prop_assert!(Vault::open(&VaultKey::random(), &OWNER, 1, &bytes).is_err());
        let _ = (RegistrationRecord::parse(&bytes), ServerSetup::from_bytes(&bytes));
        let names = Identifiers::new("", &OrgId::ZERO);
        prop_assert!(server_login_finish(LoginState::from_bytes(bytes.clone()), &bytes, &names).is_err());
        prop_assert!(open_metadata(&bytes).is_none() && open_vault(&bytes).is_none());
    }

    #[test]
    fn a_sealed_plaintext_is_as_untrusted_as_any(text in almost_json()) {
        let mut plaintext = (text.len() as u16).to_be_bytes().to_vec();
        plaintext.extend_from_slice(text.as_bytes());
        plaintext.resize(plaintext.len().next_multiple_of(512), 0);
        prop_assert!(open_metadata(&plaintext).is_none());
        let mut plaintext = (text.len() as u32).to_be_bytes().to_vec();
        plaintext.extend_from_slice(text.as_bytes());
        plaintext.resize(4_096, 0);
        prop_assert!(open_vault(&plaintext).is_none());
    }

    #[test]
    fn any_stated_length_gives_a_layout_or_an_error(length in any::<u64>(), index in any::<u32>()) {
        if let Ok(layout) = Layout::for_ciphertext(length) {
            prop_assert_eq!(layout.ciphertext_length(), length);
            prop_assert_eq!(layout.part(index).is_ok(), index < layout.parts());
        }
        if let Ok(layout) = Layout::for_size(length) {
            prop_assert!(layout.padded_length() >= length);
        }
    }

    #[test]
    fn only_the_signed_part_list_is_taken(
        parts in 1_u64..5, count in 0_usize..6, tail in 1_u64..9, flip in any::<prop::sample::Index>(),
    ) {
        let length = (parts - 1) * PART_CIPHERTEXT + tail * 65_552;
        prop_assume!(Layout::for_ciphertext(length).is_ok());
        let layout = Layout::for_ciphertext(length).unwrap();
        let mut digests: Vec<Digest> = (0..count).map(|_| Digest::random()).collect();
        let expected = content_digest(length, &digests);
        prop_assert_eq!(
            PartList::verify(layout, digests.clone(), &expected).is_ok(), count as u64 == parts
        );
        if count > 0 {
            digests[flip.index(count)] = Digest::random();
            prop_assert!(PartList::verify(layout, digests, &expected).is_err());
        }
    }

    #[test]
    fn merging_is_the_same_from_both_sides_and_changes_nothing_twice(
        mine in prop::collection::vec((0_u8..4, 1_u64..4, 0_u8..3), 0..5),
        theirs in prop::collection::vec((0_u8..4, 1_u64..4, 0_u8..3), 0..5),
    ) {
        let (mine, theirs) = (vault_with(&mine), vault_with(&theirs));
        let (one, other) = (merge(&mine, &theirs), merge(&theirs, &mine));
        prop_assert_eq!(one.is_ok(), other.is_ok());
        if let (Ok(one), Ok(other)) = (one, other) {
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(&merge(&one, &mine).unwrap(), &one);
            for (key, pin) in mine.pins.pairs.iter().chain(&theirs.pins.pairs) {
                prop_assert!(one.pins.pairs[key].sequence >= pin.sequence);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_first_message_gets_an_answer_or_an_error(ke1 in prop::collection::vec(any::<u8>(), 96)) {
        let setup = ServerSetup::generate();
        let names = Identifiers::new("carol@example.org", &OrgId::ZERO);
        if let Ok(start) = server_login_start(&setup, None, &ke1, b"id", &names) {
            prop_assert!(server_login_finish(start.state, &[0; 64], &names).is_err());
        }
    }
}
