//! Changing a password, as somebody does who signs what they like.

use sealpost_api::{
    account::{ChangeCredential, CredentialRegister},
    auth::RegisterChallenge,
    routes,
};
use sealpost_crypto::{encoding::Base64, id::Digest, record::RawRecord, records::Credential};

use super::{
    Person,
    people::{BASE_POINT, no_password, seal_envelope},
    sha256,
};
use crate::http::Answer;

impl Person {
    /// A nonce for another password.
    pub async fn credential_nonce(&self) -> Digest {
        let request = CredentialRegister { request: Base64(BASE_POINT.to_vec()) };
        let answer = self.api.call(&routes::CREDENTIAL_CHALLENGE, &[], &request).await;
        answer.json::<RegisterChallenge>().nonce
    }

    /// A password that nobody knows in place of the one that `previous` stands for, without sending it; `edit`
    /// changes the credential before it is signed.
    pub fn password_change(
        &self,
        nonce: Digest,
        previous: &RawRecord,
        edit: impl FnOnce(&mut Credential),
    ) -> ChangeCredential {
        let before: Credential = previous.claim().unwrap();
        let opaque_record = no_password();
        let envelope = seal_envelope(&self.seed, &self.bundle, before.epoch + 1, before.account_key);
        let mut credential = Credential {
            signer: self.user_id,
            signer_bundle: self.bundle.id(),
            epoch: before.epoch + 1,
            nonce,
            opaque_record: sha256(&[&opaque_record]),
            envelope: envelope.digest(),
            previous: previous.id(),
            ..before
        };
        edit(&mut credential);
        ChangeCredential {
            opaque_record: Base64(opaque_record),
            credential: self.sign(credential).into_raw(),
            envelope: Base64(envelope.as_bytes().to_vec()),
        }
    }

    /// Sends a change of the password.
    pub async fn send_password_change(&self, change: &ChangeCredential) -> Answer {
        self.api.call(&routes::PUT_CREDENTIAL, &[], change).await
    }
}
