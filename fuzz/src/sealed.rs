//! What is sealed: content, vault, metadata. Their owner may seal anything; a reader takes one form.

use sealpost_crypto::{
    aead,
    chunk::{check_padding, open_part, seal_part},
    encoding::Text,
    id::{Digest, FileId, OrgId, UserId},
    keys::Place,
    labels,
    metadata::{Metadata, Stated, sealed_hash},
    parts::{PartList, content_digest, part_digest},
    secret::{ContentKey, MetadataKey, VaultKey},
    size::{self, Layout},
    vault::{Vault, VaultOwner, merge},
};
use serde_json::Value;

use crate::patch::{Input, patch};

const PLACE: Place = Place { org_id: OrgId::ZERO, file_id: FileId::ZERO, version: 1 };
const OWNER: VaultOwner = VaultOwner { org_id: OrgId::ZERO, user_id: UserId::ZERO };
const KEY: [u8; 32] = [1; 32];

/// Input: a size, whether the owner signs for the changed part, edits of the ciphertext.
pub(crate) fn part_stream(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (size, owner_signs) = (input.short() as u64 * 3, input.byte().is_multiple_of(2));
    let layout = Layout::for_size(size).unwrap();
    let mut plaintext = vec![0; layout.padded_length() as usize];
    plaintext[..size as usize].fill(0xa5);
    let key = ContentKey::take(&mut { KEY });
    let mut sealed = Vec::new();
    seal_part(&key, &layout, 0, &plaintext, &mut sealed).unwrap();
    let mut changed = patch(&sealed, &mut input);
    let (same, signed) = (changed == sealed, if owner_signs { &changed } else { &sealed });
    let digests = vec![part_digest(signed)];
    let stated = content_digest(layout.ciphertext_length(), &digests);
    let list = PartList::verify(layout, digests, &stated).unwrap();
    let Ok(part) = list.check(0, &mut changed) else { return assert!(!same) };
    match open_part(&key, part) {
        Ok(opened) => {
            assert!(same, "changed ciphertext opened");
            assert_eq!(check_padding(&layout, 0, size, opened).unwrap(), &plaintext[..size as usize]);
        }
        Err(_) => assert!(!same),
    }
    for length in [changed.len() as u64, size.wrapping_mul(0x9e37_79b9_7f4a_7c15)] {
        if let Ok(layout) = Layout::for_ciphertext(length) {
            assert_eq!(layout.ciphertext_length(), length);
            assert_eq!(size::padme(layout.padded_length()), layout.padded_length());
        }
    }
}

fn seal_vault(json: &[u8]) -> Vec<u8> {
    let mut plaintext = (json.len() as u32).to_be_bytes().to_vec();
    plaintext.extend_from_slice(json);
    plaintext.resize(size::padded_length(plaintext.len() as u64) as usize, 0);
    let aad = labels::labelled(labels::VAULT, &[&[0; 32], &[0; 16], &1_u64.to_be_bytes()]);
    aead::seal(&KEY, &aad, &plaintext)
}

/// A vault with something in every field, from the test vectors.
fn valid_vault() -> Vec<u8> {
    const VECTORS: &str = include_str!("../../docs/vectors/vault.json");
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let mut best = Value::Null;
    find_vaults(&vectors, &mut best);
    best["version"] = 1.into();
    serde_json::to_vec(&best).unwrap()
}

/// The largest object that is a vault, anywhere in `value`.
fn find_vaults(value: &Value, best: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_vault = serde_json::from_value::<Vault>(value.clone()).is_ok();
            if is_vault && value.to_string().len() > best.to_string().len() {
                *best = value.clone();
            }
            fields.values().for_each(|field| find_vaults(field, best));
        }
        Value::Array(items) => items.iter().for_each(|item| find_vaults(item, best)),
        _ => {}
    }
}

/// Input: edits of one device's vault (a piece), edits of the other's.
pub(crate) fn vault(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let valid = valid_vault();
    let open = |json: &[u8]| {
        let sealed = seal_vault(json);
        Vault::open(&VaultKey::take(&mut { KEY }), &OWNER, 1, &sealed).ok()
    };
    let one = open(&patch(&valid, &mut input.piece()));
    let other = open(&patch(&valid, &mut input));
    for vault in [&one, &other].into_iter().flatten() {
        let sealed = vault.seal(&VaultKey::take(&mut { KEY }), &OWNER).unwrap();
        let again = Vault::open(&VaultKey::take(&mut { KEY }), &OWNER, 1, &sealed).unwrap();
        assert!(again == *vault, "a vault changed on its way");
        assert!(merge(vault, vault).unwrap() == *vault);
    }
    if let (Some(one), Some(other)) = (one, other) {
        match (merge(&one, &other), merge(&other, &one)) {
            (Ok(merged), Ok(swapped)) => {
                assert!(merged.petnames == swapped.petnames && merged.queued == swapped.queued);
                assert!(merged.invites == swapped.invites && merged.old_seeds == swapped.old_seeds);
                assert!(merged.pins.pairs == swapped.pins.pairs && merged.pins.files == swapped.pins.files);
                assert!(
                    merged.pins.log.size >= one.pins.log.size.max(other.pins.log.size),
                    "a pin went back"
                );
            }
            (Err(_), Err(_)) => {}
            _ => panic!("two devices disagree whether their vaults conflict"),
        }
    }
}

/// Input: edits of the plaintext of sealed metadata.
pub(crate) fn metadata(bytes: &[u8]) {
    let metadata = Metadata {
        name: Text("name".to_owned()),
        media_type: Text("text/plain".to_owned()),
        size: 5,
        modified: 1,
        note: Text("note".to_owned()),
    };
    let json = serde_json::to_vec(&metadata).unwrap();
    let mut plaintext = (json.len() as u16).to_be_bytes().to_vec();
    plaintext.extend_from_slice(&json);
    plaintext.resize(plaintext.len().next_multiple_of(512), 0);
    let changed = patch(&plaintext, &mut Input::new(bytes));
    let key = MetadataKey::take(&mut { KEY });
    let sealed = aead::seal(&KEY, &labels::labelled(labels::METADATA, &[&PLACE.to_bytes()]), &changed);
    let stated = Stated { hash: sealed_hash(&sealed), layout: Layout::for_size(5).unwrap() };
    if let Ok(opened) = Metadata::open(&key, &PLACE, &stated, &sealed) {
        let length = usize::from(u16::from_be_bytes([changed[0], changed[1]]));
        assert_eq!(
            serde_json::to_vec(&opened).unwrap(),
            &changed[2..2 + length],
            "two encodings of one metadata"
        );
        assert!(changed[2 + length..].iter().all(|byte| *byte == 0) && stated.layout.fits(opened.size));
    }
    let other = Stated { hash: Digest::ZERO, ..stated };
    assert!(Metadata::open(&key, &PLACE, &other, &sealed).is_err());
}
