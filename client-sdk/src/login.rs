//! Signing in with a password (protocol §9), and opening the account behind it (§3).

use sealpost_api::{
    account::AccountView,
    auth::{LoginChallenge, LoginFinish, LoginStart, Session as NewSession},
    routes,
};
use sealpost_crypto::{
    account::Account,
    credential::VerifiedCredential,
    email::EmailAddress,
    encoding::Base64,
    envelope::Envelope,
    id::{OrgId, RecordId},
    invite::AdmissionError,
    log::Log,
    password::{self, ClientLogin, Identifiers, OpaqueInput, Password},
    secret::{AccountKey, AccountSeed, EnvelopeKey},
    vault::LogPin,
};

use crate::{
    anonymous::Anonymous,
    caller::Caller,
    content::blocking,
    device::Profile,
    error::{Error, Result},
    log_sync, rotation_state,
    server::{Auth, Call},
    session::Session,
    signed_in::{Inner, SignedIn},
    vault::{VaultAccess, Vaulted},
};

/// An account that was opened, and held against everything that the server says beside it.
pub(crate) struct Opened {
    pub account: Account,
    pub seed: AccountSeed,
    /// Size and head of the log when the envelope was sealed; unknown without the password.
    pub sealed_at: Option<(u64, RecordId)>,
    pub credential: VerifiedCredential,
}

impl Anonymous {
    /// Signs in. `account_key`: for accounts that have one, unless this device knows it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::LoginFailed`] for a wrong address, password or account key alike;
    /// [`crate::ErrorKind::Verification`] if the server's copy of the account does not open, is older than this device
    /// has seen, or belongs to another organisation.
    pub async fn login(
        self,
        email: &EmailAddress,
        password: Password,
        account_key: Option<AccountKey>,
    ) -> Result<SignedIn> {
        self.device.check_unclaimed_or(email.as_str(), self.server.url())?;
        let account_key = match account_key {
            Some(key) => Some(key),
            None => self.device.account_key()?,
        };
        let input = OpaqueInput::derive(&password, account_key.as_ref());
        drop(password);
        let (session, org_id, envelope_key) = self.authenticate(email, input).await?;
        let opened = open(&session.account, org_id, &envelope_key, account_key.is_some())?;
        self.settle(email, session, opened, account_key, |_| Ok(())).await
    }

    /// OPAQUE: KE1 → KE2 → KE3 → session. Stretching the password takes a noticeable time and 64 MiB.
    pub(crate) async fn authenticate(
        &self,
        email: &EmailAddress,
        input: OpaqueInput,
    ) -> Result<(NewSession, OrgId, EnvelopeKey)> {
        let (ke1, state) = ClientLogin::start(input)?;
        let start = LoginStart { email: email.as_str().to_owned(), ke1: Base64(ke1.to_vec()) };
        let challenge: LoginChallenge =
            self.server.call_once(Call::new(routes::LOGIN, &[]), &Auth::Nobody, &start).await?;
        if let Some(profile) = self.device.profile()?
            && profile.org_id != challenge.org_id
        {
            return Err(foreign());
        }
        let identifiers = Identifiers::new(email.as_str(), &challenge.org_id);
        let ke2 = challenge.ke2.0;
        let login = blocking(move || Ok(state.finish(&ke2, &identifiers)?)).await?;
        let finish = LoginFinish { login_id: challenge.login_id, ke3: Base64(login.ke3.to_vec()) };
        let session: NewSession =
            self.server.call_once(Call::new(routes::LOGIN_FINISH, &[]), &Auth::Nobody, &finish).await?;
        let key = password::envelope_key(&login.export_key, &session.account.user_id);
        Ok((session, challenge.org_id, key))
    }

    /// Opens the vault, syncs the log, and takes possession of this device, with seed and session, once all of it has
    /// verified; the log by `check`, too.
    pub(crate) async fn settle(
        self,
        email: &EmailAddress,
        session: NewSession,
        opened: Opened,
        account_key: Option<AccountKey>,
        check: impl FnOnce(&Log) -> Result<()> + Send,
    ) -> Result<SignedIn> {
        let Opened { account, seed, sealed_at, credential } = opened;
        let profile = Profile {
            server: self.server.url().to_string(),
            org_id: account.org_id(),
            user_id: account.user_id(),
            email: email.as_str().to_owned(),
            generation: account.generation(),
        };
        self.device.check_claim(&profile)?;
        let known = log_sync::load(&self.device, profile.org_id)?;
        let session = Session::begin(self.device.clone(), self.server.clone(), session.tokens)?;
        let caller = Caller::account(self.server, session);
        let access = VaultAccess { caller: &caller, device: &self.device, account: &account };
        // Before the log: what the vault has pinned, an honest server's log has.
        let vaulted = Vaulted::open(access).await;
        let log = log_sync::sync(&caller, known, profile.org_id).await?;
        if let Some((size, head)) = sealed_at {
            log_sync::check_extends(&log, size, head)?;
        }
        // Keys that are not the account's any more open no vault; that is said first.
        check_own_keys(&log, &account, before_rotation)?;
        check(&log)?;
        // A vault that is missing, older or does not open is found now, not in the middle of something.
        let mut vaulted = vaulted?;
        vaulted.check_credential(&credential)?;
        let pinned = vaulted.log_pin();
        let me = SignedIn::assemble(caller, self.device, profile, account, log, Some(vaulted));
        me.inner.keep_sign_in(pinned, &seed, account_key.as_ref()).await?;
        Ok(me)
    }
}

impl Inner {
    /// Holds the log against what the vault has `pinned`; then all that a sign-in leaves on this device is kept.
    async fn keep_sign_in(
        &self,
        pinned: LogPin,
        seed: &AccountSeed,
        account_key: Option<&AccountKey>,
    ) -> Result<()> {
        let log = self.log().await;
        log_sync::check_pin(&log, pinned).map_err(|error| self.keep_fork(&log, error))?;
        self.device.claim(&self.profile)?;
        self.flush(&log).await?;
        log_sync::save(&self.device, &log)?;
        if let Some(key) = account_key {
            self.device.save_account_key(key)?;
        }
        self.device.save_seed(seed)?;
        rotation_state::overtaken_by(&self.device, self.profile.generation)
    }
}

/// The log must name these very keys for the account, once it has the account: nobody can have been certified in our
/// place. `retired` is what to say of keys that were the account's before.
pub(crate) fn check_own_keys(log: &Log, account: &Account, retired: impl FnOnce() -> Error) -> Result<()> {
    let (Some(member), mine) = (log.member(account.user_id()), account.bundle().id()) else { return Ok(()) };
    if member.current().bundle == mine {
        return Ok(());
    }
    Err(member.generation_of(mine).map_or_else(|| AdmissionError::Bundle.into(), |_| retired()))
}

fn before_rotation() -> Error {
    Error::verification(
        "credential_rollback",
        "the server shows the account as it was before its keys were changed",
    )
}

/// Opens the envelope and holds everything in it against everything beside it.
pub(crate) fn open(
    view: &AccountView,
    org_id: OrgId,
    key: &EnvelopeKey,
    account_key: bool,
) -> Result<Opened> {
    let envelope = Envelope::parse(&view.envelope.0)?;
    let header = *envelope.header();
    let contents = envelope.open(key)?;
    if contents.org_id != org_id {
        return Err(foreign());
    }
    let account = Account::derive(&contents.seed, org_id, header.user_id, header.generation)?;
    let credential = VerifiedCredential::verify(view.credential.clone(), account.bundle())?;
    credential.check_envelope(envelope.as_bytes(), header.epoch, account_key)?;
    let sealed_at = Some((contents.log_size, contents.log_head));
    Ok(Opened { account, seed: contents.seed, sealed_at, credential })
}

pub(crate) fn foreign() -> Error {
    Error::verification("foreign_organisation", "the server answers for another organisation")
}
