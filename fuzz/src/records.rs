//! Records of every type: what a signature covers is read by one encoding or not at all (protocol §4).

use std::{collections::BTreeMap, sync::LazyLock};

use sealpost_crypto::{
    record::{RawRecord, Record, RecordError, Signed, encode, parse},
    records::{
        Accept, Bundle, Certify, Checkpoint, Credential, Genesis, Login, Manifest, Offer, Receipt, Revoke,
        Rotate, Service, Share, ShareContext, Unshare, Withdraw,
    },
};
use serde_json::Value;

use crate::{
    Target,
    patch::{Input, patch},
    world::{WORLD, sign_payload},
};

/// Every type, by what checks a payload of it.
const KINDS: &[(&str, Target)] = &[
    (Genesis::KIND, check::<Genesis>),
    (Bundle::KIND, check::<Bundle>),
    (Certify::KIND, check::<Certify>),
    (Rotate::KIND, check::<Rotate>),
    (Revoke::KIND, check::<Revoke>),
    (Service::KIND, check::<Service>),
    (Checkpoint::KIND, check::<Checkpoint>),
    (Offer::KIND, check::<Offer>),
    (Accept::KIND, check::<Accept>),
    (Credential::KIND, check::<Credential>),
    (Login::KIND, check::<Login>),
    (Manifest::KIND, check::<Manifest>),
    (Share::KIND, check::<Share>),
    (Unshare::KIND, check::<Unshare>),
    (Withdraw::KIND, check::<Withdraw>),
    (Receipt::KIND, check::<Receipt>),
];

/// A valid payload of each type, from the test vectors.
static VALID: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let vectors: Value = serde_json::from_str(include_str!("../../docs/vectors/records.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap().iter().filter(|case| case["error"].is_null());
    cases
        .map(|case| {
            let record: RawRecord = serde_json::from_value(case["record"].clone()).unwrap();
            (record.kind, record.payload.0)
        })
        .collect()
});

/// Input: which type, then edits of a valid payload of that type.
pub(crate) fn one(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (kind, check) = KINDS[usize::from(input.byte()) % KINDS.len()];
    let valid = &VALID[kind];
    let payload = patch(valid, &mut input);
    check(&payload);
    if let Ok(context) = parse::<ShareContext>(&payload) {
        assert_eq!(encode(&context).unwrap(), payload);
    }
    if let Ok(record) = serde_json::from_slice::<RawRecord>(&payload) {
        let again: RawRecord = serde_json::from_slice(&serde_json::to_vec(&record).unwrap()).unwrap();
        assert_eq!(again, record);
    }
}

fn check<R: Record + std::fmt::Debug + PartialEq>(payload: &[u8]) {
    let world = &*WORLD;
    let (key, stranger) = (&world.ops.keys().signing, &world.client.keys().signing);
    let raw = sign_payload(R::KIND, payload, key);
    match Signed::<R>::verify(raw.clone(), &key.public_key()) {
        Ok(record) => {
            assert_eq!(encode(record.get()).unwrap(), payload, "two encodings of one record");
            assert_eq!(record.id(), raw.id());
            assert_eq!(raw.claim::<R>().unwrap(), *record.get());
            let forged = Signed::<R>::verify(raw.clone(), &stranger.public_key());
            assert_eq!(forged.err(), Some(RecordError::BadSignature));
        }
        Err(error) => {
            assert_eq!(error, RecordError::Malformed, "a valid signature was not seen as one");
            assert!(parse::<R>(payload).is_err());
        }
    }
    for (kind, _) in KINDS.iter().filter(|(kind, _)| *kind != R::KIND) {
        let renamed = RawRecord { kind: (*kind).to_owned(), ..raw.clone() };
        assert_eq!(Signed::<R>::verify(renamed, &key.public_key()).err(), Some(RecordError::WrongType));
    }
}
