//! Registering an account: the common half of founding an organisation and joining one (protocol §3).

use sealpost_api::auth::{RegisterChallenge, Registration, Session as NewSession};
use sealpost_crypto::{
    credential::VerifiedCredential, encoding::Base64, log::Log, password::ClientRegistration, vault::Pin,
};

use crate::{
    caller::Caller,
    credential::Holder,
    device::{Device, Profile},
    error::Result,
    log_sync,
    server::Server,
    session::Session,
    signed_in::SignedIn,
    vault,
};

impl Holder {
    /// Everything the server stores of a new account.
    pub(crate) async fn register(
        &self,
        state: ClientRegistration,
        challenge: RegisterChallenge,
        log: &Log,
    ) -> Result<Registration> {
        let first = self.finish(state, challenge, log, None).await?;
        Ok(Registration {
            vault: Base64(self.seal_vault(&first.credential, log)?),
            bundle: self.account.bundle().raw(),
            opaque_record: first.opaque_record,
            credential: first.credential.raw().clone(),
            envelope: first.envelope,
        })
    }

    fn seal_vault(&self, credential: &VerifiedCredential, log: &Log) -> Result<Vec<u8>> {
        let pin = credential.pin();
        vault::first(&self.account, log, Pin { sequence: pin.epoch, head: pin.id })
    }

    /// Keeps the new account on this device and signs it in.
    pub(crate) async fn settle(
        self,
        device: Device,
        server: Server,
        session: NewSession,
        known: Option<Log>,
    ) -> Result<SignedIn> {
        let profile = Profile {
            server: server.url().to_string(),
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
        let session = Session::begin(device.clone(), server.clone(), session.tokens)?;
        let caller = Caller::account(server, session);
        let log = log_sync::sync(&caller, known, profile.org_id).await?;
        log_sync::save(&device, &log)?;
        Ok(SignedIn::assemble(caller, device, profile, self.account, log, None))
    }
}
