//! Setting a password: what a login rests on is made here, at registration and at every change (protocol §3.4).

use sealpost_api::{
    account::{ChangeCredential, CredentialRegister},
    auth::RegisterChallenge,
    routes,
};
use sealpost_crypto::{
    account::Account,
    credential::{self, CredentialChange, CredentialPin, VerifiedCredential},
    email::EmailAddress,
    encoding::Base64,
    envelope::{Envelope, EnvelopeContents, EnvelopeHeader},
    kit::{KitText, RecoveryKit},
    log::Log,
    password::{self, ClientRegistration, Identifiers, OpaqueInput, Password},
    secret::{AccountKey, AccountSeed, ExportKey},
};

use crate::{
    caller::Caller,
    content::blocking,
    device::Device,
    error::{Error, Result},
    server::Call,
};

/// Blob of the credential that was sent last, while its answer is out.
const SENT: &str = "password-sent";

/// Somebody who holds an account's secrets, and gives it a password.
pub(crate) struct Holder {
    pub email: EmailAddress,
    pub seed: AccountSeed,
    pub account: Account,
    pub account_key: Option<AccountKey>,
}

/// Credential, OPAQUE record and envelope that belong together.
pub(crate) struct NewCredential {
    pub credential: VerifiedCredential,
    pub opaque_record: Base64,
    pub envelope: Base64,
}

impl Holder {
    /// What brings the account back when the password is lost; no password changes it.
    pub(crate) fn kit(&self) -> KitText {
        let kit = RecoveryKit {
            seed: self.seed.clone(),
            org_id: self.account.org_id(),
            account_key: self.account_key.clone(),
        };
        kit.to_text()
    }

    /// First message of the password's registration, and what answers the server's reply.
    pub(crate) fn start(&self, password: &Password) -> Result<(Base64, ClientRegistration)> {
        let input = OpaqueInput::derive(password, self.account_key.as_ref());
        let (message, state) = ClientRegistration::start(input)?;
        Ok((Base64(message.to_vec()), state))
    }

    /// Everything that the server stores of a password; `previous` is the credential before, `None` at
    /// registration. Stretching the password takes a noticeable time and 64 MiB.
    pub(crate) async fn finish(
        &self,
        state: ClientRegistration,
        challenge: RegisterChallenge,
        log: &Log,
        previous: Option<CredentialPin>,
    ) -> Result<NewCredential> {
        let identifiers = Identifiers::new(self.email.as_str(), &self.account.org_id());
        let response = challenge.response.0;
        let opaque = blocking(move || Ok(state.finish(&response, &identifiers)?)).await?;
        let envelope = self.seal_envelope(&opaque.export_key, log, credential::next_epoch(previous));
        let change = CredentialChange {
            nonce: challenge.nonce,
            account_key: self.account_key.is_some(),
            opaque_record: &opaque.record,
            envelope: envelope.as_bytes(),
            previous,
        };
        Ok(NewCredential {
            credential: credential::sign(&self.account, &change)?,
            opaque_record: Base64(opaque.record.to_vec()),
            envelope: Base64(envelope.as_bytes().to_vec()),
        })
    }

    fn seal_envelope(&self, export_key: &ExportKey, log: &Log, epoch: u64) -> Envelope {
        let user_id = self.account.user_id();
        let header = EnvelopeHeader {
            user_id,
            generation: self.account.generation(),
            epoch,
            account_key: self.account_key.is_some(),
        };
        let contents = EnvelopeContents {
            seed: self.seed.clone(),
            org_id: self.account.org_id(),
            log_size: log.size(),
            log_head: log.head(),
        };
        Envelope::seal(&password::envelope_key(export_key, &user_id), header, &contents)
    }

    /// Puts `password` in place of the one that `previous` stands for. The same bytes are sent again after passing
    /// faults; [`sent`] remembers them in case no answer comes at all.
    pub(crate) async fn change(
        &self,
        caller: &Caller,
        device: &Device,
        password: &Password,
        log: &Log,
        previous: CredentialPin,
    ) -> Result<VerifiedCredential> {
        let (request, state) = self.start(password)?;
        let call = Call::new(routes::CREDENTIAL_CHALLENGE, &[]);
        let challenge = caller.post(call, &CredentialRegister { request }).await?;
        let next = self.finish(state, challenge, log, Some(previous)).await?;
        device.save(SENT, &next.credential.pin())?;
        let body = ChangeCredential {
            opaque_record: next.opaque_record,
            credential: next.credential.raw().clone(),
            envelope: next.envelope,
        };
        let sent = caller.post_empty(Call::new(routes::PUT_CREDENTIAL, &[]), Some(&body)).await;
        match sent {
            Err(error) if error.code() == "credential_changed" => Err(overtaken(error, device)),
            outcome => outcome.map(|()| next.credential),
        }
    }
}

/// The credential whose answer never came.
pub(crate) fn sent(device: &Device) -> Result<Option<CredentialPin>> {
    device.load(SENT)
}

/// It is known what became of the credential that was sent.
pub(crate) fn settled(device: &Device) -> Result<()> {
    device.remove(SENT)
}

fn overtaken(error: Error, device: &Device) -> Error {
    match settled(device) {
        Ok(()) => error.with_hint(
            "Another device changed the password at the same moment, and its new password counts. Run the same \
             command again with that one.",
        ),
        Err(failed) => failed,
    }
}
