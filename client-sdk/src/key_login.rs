//! Signing in with the account's key instead of a password (protocol §9): for scripts, and for devices whose
//! session has ended.

use sealpost_api::{
    auth::{KeyChallenge, KeyChallengeRequest, KeyLogin, Session as NewSession},
    routes,
};
use sealpost_crypto::{
    account::Account,
    credential::VerifiedCredential,
    email::EmailAddress,
    envelope::Envelope,
    id::{OrgId, UserId},
    keys::AccountKeys,
    kit::RecoveryKit,
    log::Log,
    login::{self, MAX_CLOCK_SKEW},
    opening::Opening,
    secret::{AccountKey, AccountSeed},
};

use crate::{
    anonymous::Anonymous,
    error::{Error, ErrorKind, Result},
    login::{Opened, foreign},
    recover,
    server::{Auth, Call, Server},
    session::now,
    signed_in::SignedIn,
};

/// An account that its key opened.
pub(crate) struct KeySignIn {
    pub me: SignedIn,
    /// The newest credential that verified.
    pub credential: VerifiedCredential,
    /// Whether the account's password goes with an account key.
    pub account_key: bool,
}

/// A session that an account's key opened, and what the server gave with it, verified.
pub(crate) struct KeySession {
    pub session: NewSession,
    pub account: Account,
    pub credential: VerifiedCredential,
}

impl Anonymous {
    /// Signs in with the account seed, as a recovery kit has it, without the password. `org_id` comes from the kit
    /// too: what the server says about it is only compared.
    ///
    /// # Errors
    /// [`crate::ErrorKind::LoginFailed`] if the server takes no such key, or (`clock_off`) this device's clock is off;
    /// [`crate::ErrorKind::AccountEnded`] if the account was replaced or revoked;
    /// [`crate::ErrorKind::Verification`] if what it returns does not belong to the key, is older than this device
    /// or the account's vault has seen, or belongs to another organisation;
    /// [`crate::ErrorKind::InvalidInput`] if the key is another address's.
    pub async fn login_with_seed(
        self,
        email: &EmailAddress,
        org_id: OrgId,
        seed: AccountSeed,
    ) -> Result<SignedIn> {
        self.device.check_unclaimed_or(email.as_str(), self.server.url())?;
        if self.device.profile()?.is_some_and(|profile| profile.org_id != org_id) {
            return Err(foreign());
        }
        let found = self.sign_in_by_key(org_id, seed, Some(email), None).await;
        found.map(|found| found.me).map_err(old_kit)
    }

    /// Signs in with a recovery kit, without the password: for machines without a person. Keep the kit in a file that only
    /// its owner can read, not in arguments or the environment. The address is the one that was certified. This is
    /// needed once: [`SignedIn::resume`] goes on from the device's state, and renews a session that has ended.
    ///
    /// # Errors
    /// As [`Anonymous::login_with_seed`]; [`ErrorKind::State`] if this device holds another account.
    pub async fn login_with_kit(self, kit: RecoveryKit) -> Result<SignedIn> {
        if self.device.profile()?.is_some_and(|profile| profile.org_id != kit.org_id) {
            return Err(foreign());
        }
        let found = self.sign_in_by_key(kit.org_id, kit.seed, None, None).await;
        found.map(|found| found.me).map_err(old_kit)
    }

    /// Without `email` the address is the server's word, held against what was certified in the log.
    pub(crate) async fn sign_in_by_key(
        self,
        org_id: OrgId,
        seed: AccountSeed,
        email: Option<&EmailAddress>,
        key: Option<AccountKey>,
    ) -> Result<KeySignIn> {
        let KeySession { session, account, credential } = authenticate(&self.server, org_id, &seed).await?;
        if email.is_some_and(|email| session.account.email != email.as_str()) {
            return Err(Error::invalid("this key belongs to another address")
                .with_hint("Leave the address out, or take the recovery kit of that address."));
        }
        let email: EmailAddress = session.account.email.parse()?;
        let opening = session.account.opening.clone();
        let user_id = account.user_id();
        let opened = Opened { account, seed, sealed_at: None, credential: credential.clone() };
        let check = |log: &Log| check_own_address(log, user_id, &email, opening);
        let me = self.settle(&email, session, opened, key, check).await?;
        Ok(KeySignIn { me, account_key: credential.get().account_key, credential })
    }
}

/// Challenge → signed nonce → session of the account that `seed` gives.
pub(crate) async fn authenticate(server: &Server, org_id: OrgId, seed: &AccountSeed) -> Result<KeySession> {
    let request = KeyChallengeRequest { signing_key: AccountKeys::derive(seed).signing.public_key() };
    let challenge: KeyChallenge =
        server.call_once(Call::new(routes::KEY_CHALLENGE, &[]), &Auth::Nobody, &request).await?;
    if challenge.org_id != org_id {
        return Err(foreign());
    }
    let time = now();
    if challenge.time.abs_diff(time) > MAX_CLOCK_SKEW {
        return Err(clock_off(challenge.time, time));
    }
    let account = Account::derive(seed, org_id, challenge.user_id, challenge.generation)?;
    let login = KeyLogin { login: login::sign(&account, challenge.nonce, time)?.into_raw() };
    let session: NewSession =
        server.call_once(Call::new(routes::KEY_LOGIN, &[]), &Auth::Nobody, &login).await?;
    if (session.account.org_id, session.account.user_id) != (org_id, account.user_id()) {
        return Err(Error::verification("other_account", "the server answers for another account"));
    }
    let credential = check_credential(&session, &account)?;
    Ok(KeySession { session, account, credential })
}

/// The envelope stays closed without the password; the credential says which one it must be.
fn check_credential(session: &NewSession, account: &Account) -> Result<VerifiedCredential> {
    let envelope = Envelope::parse(&session.account.envelope.0)?;
    let header = envelope.header();
    let credential = VerifiedCredential::verify(session.account.credential.clone(), account.bundle())?;
    credential.check_envelope(envelope.as_bytes(), header.epoch, header.account_key)?;
    Ok(credential)
}

/// Once certified, an account's address is the one in the log; before that there is only the server's word.
fn check_own_address(
    log: &Log,
    user_id: UserId,
    email: &EmailAddress,
    opening: Option<Opening>,
) -> Result<()> {
    if log.member(user_id).is_none() {
        return Ok(());
    }
    let opening = opening.filter(|opening| opening.user_id == user_id).ok_or_else(|| {
        Error::verification("opening_unknown", "the server does not show the account's address")
    })?;
    if log.verify_opening(opening)?.email() == email {
        return Ok(());
    }
    Err(Error::verification("opening_mismatch", "the account was certified under another address"))
}

/// Where the key came from a kit, the kit is what is out of date.
fn old_kit(error: Error) -> Error {
    if error.kind() == ErrorKind::AccountRotated { recover::explain(error, "") } else { error }
}

fn clock_off(server: u64, here: u64) -> Error {
    let minutes = server.abs_diff(here) / 60;
    let difference = match minutes {
        0..120 => format!("{minutes} minutes"),
        120..2_880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    };
    let side = if here > server { "ahead of" } else { "behind" };
    let message = format!("this device's clock is {difference} {side} the server's");
    Error::new(ErrorKind::LoginFailed, "clock_off", message).with_hint(
        "Set the clock that is wrong; signing in with a key takes at most 10 minutes of difference.",
    )
}
