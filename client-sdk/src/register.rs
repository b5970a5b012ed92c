//! Registering an account: the common half of founding an organisation and joining one (protocol §3).

use sealpost_api::auth::{RegisterChallenge, Registration, Session as NewSession};
use sealpost_crypto::{
    account::Account,
    credential::{self, CredentialChange, VerifiedCredential},
    email::EmailAddress,
    encoding::Base64,
    envelope::{Envelope, EnvelopeContents, EnvelopeHeader},
    kit::{KitText, RecoveryKit},
    log::Log,
    password::{self, ClientRegistration, Identifiers, OpaqueInput, Password},
    secret::{AccountKey, AccountSeed, ExportKey},
    vault::Pin,
};

use crate::{
    caller::Caller,
    content::blocking,
    device::{Device, Profile},
    error::Result,
    log_sync,
    session::Session,
    signed_in::SignedIn,
    transport::Transport,
    vault,
};

/// Somebody about to have an account, with fresh keys that nobody else has seen.
pub(crate) struct Registrant {
    pub email: EmailAddress,
    pub seed: AccountSeed,
    pub account: Account,
    pub account_key: Option<AccountKey>,
}

impl Registrant {
    /// What must be written down before anything is registered.
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

    /// Everything the server stores. Stretching the password takes a noticeable time and 64 MiB.
    pub(crate) async fn finish(
        &self,
        state: ClientRegistration,
        challenge: RegisterChallenge,
        log: &Log,
    ) -> Result<Registration> {
        let identifiers = Identifiers::new(self.email.as_str(), &self.account.org_id());
        let response = challenge.response.0;
        let opaque = blocking(move || Ok(state.finish(&response, &identifiers)?)).await?;
        let envelope = self.seal_envelope(&opaque.export_key, log);
        let change = CredentialChange {
            nonce: challenge.nonce,
            account_key: self.account_key.is_some(),
            opaque_record: &opaque.record,
            envelope: envelope.as_bytes(),
            previous: None,
        };
        let credential = credential::sign(&self.account, &change)?;
        Ok(Registration {
            vault: Base64(self.seal_vault(&credential, log)?),
            bundle: self.account.bundle().raw(),
            opaque_record: Base64(opaque.record.to_vec()),
            credential: credential.raw().clone(),
            envelope: Base64(envelope.as_bytes().to_vec()),
        })
    }

    fn seal_envelope(&self, export_key: &ExportKey, log: &Log) -> Envelope {
        let user_id = self.account.user_id();
        let header = EnvelopeHeader {
            user_id,
            generation: self.account.generation(),
            epoch: credential::next_epoch(None),
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

    fn seal_vault(&self, credential: &VerifiedCredential, log: &Log) -> Result<Vec<u8>> {
        let pin = credential.pin();
        vault::first(&self.account, log, Pin { sequence: pin.epoch, head: pin.id })
    }

    /// Keeps the new account on this device and signs it in.
    pub(crate) async fn settle(
        self,
        device: Device,
        transport: Transport,
        session: NewSession,
        known: Option<Log>,
    ) -> Result<SignedIn> {
        let profile = Profile {
            server: transport.server().to_string(),
            org_id: self.account.org_id(),
            user_id: self.account.user_id(),
            email: self.email.as_str().to_owned(),
            generation: self.account.generation(),
        };
        device.claim(&profile)?;
        device.save_seed(&self.seed)?;
        if let Some(key) = &self.account_key {
            device.save_account_key(key)?;
        }
        let session = Session::begin(device.clone(), transport.clone(), session.tokens)?;
        let caller = Caller::account(transport, session);
        let log = log_sync::sync(&caller, known, profile.org_id).await?;
        log_sync::save(&device, &log)?;
        Ok(SignedIn::assemble(caller, device, profile, self.account, log))
    }
}
