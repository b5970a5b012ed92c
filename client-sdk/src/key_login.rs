//! Signing in with the account's key instead of a password (protocol §9): for scripts, and for devices whose
//! session has ended.

use sealpost_api::{
    auth::{KeyChallenge, KeyChallengeRequest, KeyLogin, Session as NewSession},
    routes,
};
use sealpost_crypto::{
    account::Account, credential::VerifiedCredential, email::EmailAddress, envelope::Envelope, id::OrgId,
    keys::AccountKeys, login, secret::AccountSeed,
};

use crate::{
    anonymous::Anonymous,
    error::{Error, Result},
    login::{Opened, check_extends, foreign},
    session::now,
    signed_in::SignedIn,
    transport::{Auth, Call, Transport},
};

impl Anonymous {
    /// Signs in with the account seed, as a recovery kit has it, without the password. `org_id` comes from the kit
    /// too: what the server says about it is only compared.
    ///
    /// # Errors
    /// [`crate::ErrorKind::LoginFailed`] if the server takes no such key, or this device's clock is off;
    /// [`crate::ErrorKind::Verification`] if what it returns does not belong to the key, is older than this device
    /// or the account's vault has seen, or belongs to another organisation;
    /// [`crate::ErrorKind::InvalidInput`] if the key is another address's.
    pub async fn login_with_seed(
        self,
        email: &EmailAddress,
        org_id: OrgId,
        seed: AccountSeed,
    ) -> Result<SignedIn> {
        self.device.check_unclaimed_or(email.as_str(), self.transport.server())?;
        if self.device.profile()?.is_some_and(|profile| profile.org_id != org_id) {
            return Err(foreign());
        }
        let (session, account) = authenticate(&self.transport, org_id, &seed).await?;
        if session.account.email != email.as_str() {
            return Err(Error::invalid("this key belongs to another address"));
        }
        let credential = check_credential(&session, &account)?;
        let signed_in =
            self.settle(email, session, Opened { account, seed, sealed_at: None, credential }, None).await?;
        check_own_state(&signed_in).await?;
        Ok(signed_in)
    }
}

/// Challenge → signed nonce → session of the account that `seed` gives.
pub(crate) async fn authenticate(
    transport: &Transport,
    org_id: OrgId,
    seed: &AccountSeed,
) -> Result<(NewSession, Account)> {
    let request = KeyChallengeRequest { signing_key: AccountKeys::derive(seed).signing.public_key() };
    let challenge: KeyChallenge =
        transport.call_once(Call::new(routes::KEY_CHALLENGE, &[]), &Auth::Nobody, &request).await?;
    if challenge.org_id != org_id {
        return Err(foreign());
    }
    let account = Account::derive(seed, org_id, challenge.user_id, challenge.generation)?;
    let login = KeyLogin { login: login::sign(&account, challenge.nonce, now())?.into_raw() };
    let session: NewSession =
        transport.call_once(Call::new(routes::KEY_LOGIN, &[]), &Auth::Nobody, &login).await?;
    if (session.account.org_id, session.account.user_id) != (org_id, account.user_id()) {
        return Err(Error::verification("other_account", "the server answers for another account"));
    }
    Ok((session, account))
}

/// The envelope stays closed without the password; the credential says which one it must be.
fn check_credential(session: &NewSession, account: &Account) -> Result<VerifiedCredential> {
    let envelope = Envelope::parse(&session.account.envelope.0)?;
    let header = envelope.header();
    let credential = VerifiedCredential::verify(session.account.credential.clone(), account.bundle())?;
    credential.check_envelope(envelope.as_bytes(), header.epoch, header.account_key)?;
    Ok(credential)
}

/// The log must name these very keys for this account, and contain the state that the vault has pinned: it stands
/// in for the one inside the envelope.
async fn check_own_state(signed_in: &SignedIn) -> Result<()> {
    let inner = &signed_in.inner;
    let pin = inner.vault().await?.vault().pins.log.clone();
    // Synced after the vault was read: another device may have pinned a newer log meanwhile.
    let log = inner.synced_log().await?;
    check_extends(&log, pin.size, pin.head)?;
    let current = log.member(inner.profile.user_id).map(|member| member.current().bundle);
    if current.is_some_and(|bundle| bundle != inner.account.bundle().id()) {
        return Err(Error::verification("admission_bundle", "the account was certified with other keys"));
    }
    Ok(())
}
