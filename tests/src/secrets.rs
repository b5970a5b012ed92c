//! Secrets of an account, computed from the specification, so that a search for them does not rest on the code that it
//! examines.

use sealpost_crypto::{
    kem::{self, Encapsulation, SealedFileKey, WrappedKey},
    keys::AccountKeys,
    records::Share,
    secret::AccountSeed,
    share::SealedShare,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{http::Credential, raw::sha256, server::TestServer};

/// HMAC-SHA256 (RFC 2104). With a label as key it is HKDF-Extract; with `info ‖ 01`, the first block of HKDF-Expand.
pub fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    assert!(key.len() <= 64, "longer keys are hashed first");
    let padded = |pad: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).unwrap_or(&0) ^ pad).collect() };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

/// pw' of an ASCII password (protocol §3), as bytes: OPAQUE gets it in hex.
pub fn opaque_input(password: &[u8], account_key: Option<&[u8]>) -> [u8; 32] {
    let message = [b"sealpost/v1/password\0", &[u8::from(account_key.is_some())][..], password].concat();
    hmac(account_key.unwrap_or(&[0; 16]), &message)
}

/// The key of an owner's newest file, unwrapped from their own share as the server serves it.
pub async fn file_key(server: &TestServer, access_token: &str, seed: &[u8]) -> Vec<u8> {
    let api = server.api().with(Credential::Bearer(access_token.to_owned()));
    let page: Value = api.get(&sealpost_api::routes::FILES, &[]).await.json();
    let share: SealedShare = serde_json::from_value(page["items"][0]["share"].clone()).expect("a share");
    let record: Share = share.record.claim().expect("a share's record");
    let info = [b"sealpost/v1/share-info\0", &sha256(&[&record.context.0]).as_bytes()[..]].concat();
    let wrapped = WrappedKey {
        enc: Encapsulation::from_slice(&share.enc.0).expect("an encapsulation"),
        ciphertext: SealedFileKey::from_slice(&share.ciphertext.0).expect("a wrapped key"),
    };
    let keys = AccountKeys::derive(&AccountSeed::from_slice(seed).expect("a seed"));
    kem::unwrap(&keys.kem, &info, &wrapped).expect("the owner's own share opens").expose().to_vec()
}
