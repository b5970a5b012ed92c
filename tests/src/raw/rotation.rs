//! New keys, as somebody sends them who signs what they like.

use sealpost_api::{
    account::{AccountView, RotateAccount, VaultBlob},
    routes,
};
use sealpost_crypto::{
    encoding::Base64,
    keys::AccountKeys,
    record::Signed,
    records::{Bundle, Credential, Rotate},
    secret::AccountSeed,
};

use super::{
    Person, Position,
    people::{no_password, seal_envelope},
    random_bytes, sha256,
};
use crate::http::Answer;

/// New keys, and the request that puts them in place.
pub struct NextKeys {
    /// Their seed.
    pub seed: AccountSeed,
    /// Their public half.
    pub bundle: Signed<Bundle>,
    /// The request.
    pub request: RotateAccount,
}

/// What the request will say, before it is signed.
pub struct Draft {
    /// The log entry.
    pub entry: Rotate,
    /// The credential.
    pub credential: Credential,
    /// The vault.
    pub vault: VaultBlob,
}

impl Person {
    /// The next generation of keys.
    pub async fn next_keys(&self) -> NextKeys {
        self.next_keys_with(AccountSeed::random(), self.bundle.generation + 1, |_| {}).await
    }

    /// Keys of this seed as this generation; `edit` changes what is said before it is signed.
    pub async fn next_keys_with(
        &self,
        seed: AccountSeed,
        generation: u64,
        edit: impl FnOnce(&mut Draft),
    ) -> NextKeys {
        let account: AccountView = self.api.get(&routes::ACCOUNT, &[]).await.json();
        let before: Credential = account.credential.claim().unwrap();
        let stored: VaultBlob = self.api.get(&routes::VAULT, &[]).await.json();
        let (nonce, position) = (self.credential_nonce().await, Position::newest(&self.api).await);
        let keys = AccountKeys::derive(&seed);
        let bundle = Bundle {
            signing_key: keys.signing.public_key(),
            kem_key: keys.kem.public_key().clone(),
            generation,
            ..self.bundle.get().clone()
        };
        let bundle = Signed::sign(bundle, &keys.signing).unwrap();
        let (opaque_record, epoch) = (no_password(), before.epoch + 1);
        let envelope = seal_envelope(&seed, &bundle, epoch, before.account_key);
        let entry = Rotate {
            org_id: self.org_id,
            signer: self.user_id,
            signer_bundle: self.bundle.id(),
            sequence: position.size,
            previous: position.head,
            bundle: bundle.id(),
            generation,
        };
        let credential = Credential {
            signer_bundle: bundle.id(),
            generation,
            epoch,
            nonce,
            opaque_record: sha256(&[&opaque_record]),
            envelope: envelope.digest(),
            previous: account.credential.id(),
            ..before
        };
        let previous = sha256(&[&stored.blob.0]);
        let vault = VaultBlob { version: stored.version + 1, previous, blob: Base64(random_bytes(4_136)) };
        let mut draft = Draft { entry, credential, vault };
        edit(&mut draft);
        let request = RotateAccount {
            entry: self.sign(draft.entry).into_raw(),
            bundle: bundle.raw().clone(),
            opaque_record: Base64(opaque_record),
            credential: Signed::sign(draft.credential, &keys.signing).unwrap().into_raw(),
            envelope: Base64(envelope.as_bytes().to_vec()),
            vault: draft.vault,
        };
        NextKeys { seed, bundle, request }
    }

    /// Sends a rotation.
    pub async fn send_rotation(&self, next: &NextKeys) -> Answer {
        self.api.call(&routes::ROTATE, &[], &next.request).await
    }

    /// Rotates: the same person with new keys, and the keys they had.
    pub async fn rotate(self) -> (Self, AccountKeys) {
        let next = self.next_keys().await;
        self.send_rotation(&next).await.ok();
        let keys = AccountKeys::derive(&next.seed);
        let Self { org_id, user_id, email, keys: old, api, session, .. } = self;
        (Self { org_id, user_id, email, seed: next.seed, keys, bundle: next.bundle, api, session }, old)
    }
}
