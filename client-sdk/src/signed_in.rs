//! A signed-in account on one device: what every operation stands on.

use std::sync::Arc;

use sealpost_api::{account::AccountView, routes};
use sealpost_crypto::{
    account::Account,
    fork,
    id::{OrgId, UserId},
    invite::Admission,
    log::{Log, SignerError},
    records::Role,
    words,
};
use tokio::sync::{Mutex, OwnedRwLockReadGuard, RwLock};

use crate::{
    builder::ClientBuilder,
    caller::Caller,
    device::{Device, Profile},
    directory::{Directory, Person},
    error::{Error, ErrorKind, Result},
    log_sync, login, rotate,
    server::{Call, NO_BODY, Server},
    server_url::ServerUrl,
    session::Session,
    store::StateStore,
    vault::{VaultAccess, Vaulted},
};

/// Blob of the [`Admission`] that a joined account waits for.
pub(crate) const ADMISSION: &str = "admission";

/// A signed-in account. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct SignedIn {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub caller: Caller,
    pub device: Device,
    pub profile: Profile,
    pub account: Account,
    log: Arc<RwLock<Log>>,
    vault: Mutex<Option<Vaulted>>,
}

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Joined; whoever invited it has not been online since.
    Pending,
    /// Certified in the organisation's log.
    Active,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Address.
    pub email: String,
    /// Role: by the log once active, before that by the server's word.
    pub role: Role,
    /// The account.
    pub user_id: UserId,
    /// The organisation.
    pub org_id: OrgId,
    /// Its name.
    pub org_name: String,
    /// The server.
    pub server: String,
    /// Where the account stands.
    pub status: Status,
    /// While pending: who must come online.
    pub inviter: Option<Person>,
    /// While pending: what the inviter reads too ([`SignedIn::confirmation`]) if nobody else has used the code.
    pub words: Option<[&'static str; words::COUNT]>,
}

impl SignedIn {
    /// Takes up the session that `store` holds. Sends nothing, unless a change of keys ([`crate::Rotation`]) was
    /// interrupted before its answer came: then what became of it is found out first.
    ///
    /// # Errors
    /// [`ErrorKind::NotSignedIn`]; [`ErrorKind::State`] if the store is damaged; [`ErrorKind::Network`] while a change of
    /// keys can't be found out about.
    pub async fn resume(store: Arc<dyn StateStore>) -> Result<Self> {
        ClientBuilder::new().resume(store).await
    }

    pub(crate) async fn resume_by(
        device: Device,
        reach: impl FnOnce(ServerUrl) -> Result<Server>,
    ) -> Result<Self> {
        device.seed()?;
        let server = reach(owner(&device)?.server.parse()?)?;
        rotate::settle(&device, &server).await?;
        let (seed, profile) = (device.seed()?, owner(&device)?);
        let account = Account::derive(&seed, profile.org_id, profile.user_id, profile.generation)?;
        let log = log_sync::load(&device, profile.org_id)?
            .ok_or_else(|| Error::state("the state folder has keys, and lacks the organisation's log"))?;
        let session = Session::resume(device.clone(), server.clone())?;
        Ok(Self::assemble(Caller::account(server, session), device, profile, account, log, None))
    }

    pub(crate) fn assemble(
        caller: Caller,
        device: Device,
        profile: Profile,
        account: Account,
        log: Log,
        vaulted: Option<Vaulted>,
    ) -> Self {
        let (log, vault) = (Arc::new(RwLock::new(log)), Mutex::new(vaulted));
        Self { inner: Arc::new(Inner { caller, device, profile, account, log, vault }) }
    }

    /// The server that the session is on, as `scheme://host[:port]`.
    pub fn server(&self) -> &str {
        &self.inner.profile.server
    }

    /// The account's address.
    pub fn email(&self) -> &str {
        &self.inner.profile.email
    }

    /// Who is signed in, by the newest log.
    pub async fn whoami(&self) -> Result<Identity> {
        let inner = &self.inner;
        let log = inner.synced_log().await?;
        let member = log.member(inner.profile.user_id);
        let (role, inviter) = match member {
            Some(member) => (member.role, None),
            None => inner.pending_role().await?,
        };
        let (inviter, words) = match inviter {
            Some(inviter) => inner.inviter(&log, inviter).await?,
            None => (None, None),
        };
        Ok(Identity {
            email: inner.profile.email.clone(),
            role,
            user_id: inner.profile.user_id,
            org_id: inner.profile.org_id,
            org_name: log.name().to_owned(),
            server: inner.profile.server.clone(),
            status: if member.is_some() { Status::Active } else { Status::Pending },
            inviter,
            words,
        })
    }

    /// Ends the session here and on the server, and removes the keys from this device. Pins stay.
    ///
    /// # Errors
    /// [`ErrorKind::Network`] if the server could not be told; the keys are removed all the same.
    pub async fn logout(self) -> Result<()> {
        let told = self.inner.caller.post_empty(Call::new(routes::LOGOUT, &[]), NO_BODY).await;
        self.inner.device.forget_session()?;
        match told {
            Err(error) if !is_over(&error) => Err(error
                .context("signed out on this device, but the server could not be told")
                .with_hint("The session there ends by itself when it is not used.")),
            _ => Ok(()),
        }
    }
}

impl Inner {
    pub(crate) async fn log(&self) -> OwnedRwLockReadGuard<Log> {
        Arc::clone(&self.log).read_owned().await
    }

    /// Syncs the log, pins it, and gives it. In the vault it is pinned when somebody's keys count no more.
    pub(crate) async fn synced_log(&self) -> Result<OwnedRwLockReadGuard<Log>> {
        // Read before the log: what another device has pinned, an honest server has.
        let pinned = self.vault().await?.log_pin();
        let mut log = self.log.write().await;
        let synced = log_sync::sync(&self.caller, Some(log.clone()), self.profile.org_id).await;
        let synced = synced.map_err(|error| self.keep_fork(&log, error))?;
        log_sync::check_pin(&synced, pinned).map_err(|error| self.keep_fork(&synced, error))?;
        self.keep_log(&mut log, synced)?;
        drop(log);
        let log = self.log().await;
        self.check_keys(&log)?;
        self.vault().await?.pin_lost_keys(self.access(), &log).await?;
        Ok(log)
    }

    /// Takes over a log that was synced elsewhere.
    pub(crate) async fn take_log(&self, synced: Log) -> Result<()> {
        let mut log = self.log.write().await;
        if synced.size() >= log.size() { self.keep_log(&mut log, synced) } else { Ok(()) }
    }

    fn keep_log(&self, log: &mut Log, synced: Log) -> Result<()> {
        if synced.size() > log.size() {
            log_sync::save(&self.device, &synced)?;
        }
        *log = synced;
        Ok(())
    }

    /// A device whose keys were rotated elsewhere does nothing more with them.
    fn check_keys(&self, log: &Log) -> Result<()> {
        login::check_own_keys(log, &self.account, || SignerError::Rotated.into())
    }

    /// When a check against `log` found that the server signed another history too: keeps the proof on this device, so
    /// that others can check it. What proves nothing to others is not kept.
    pub(crate) fn keep_fork(&self, log: &Log, error: Error) -> Error {
        let Some(fork) = error.fork() else { return error };
        let Ok(proof) = fork::prove(log, fork) else { return error };
        match self.device.keep_file(&format!("fork-{}.json", fork.size), &proof) {
            Ok(place) => error.with_proof(place),
            Err(_) => error,
        }
    }

    /// As [`Inner::synced_log`], for operations of active members.
    pub(crate) async fn member_log(&self) -> Result<OwnedRwLockReadGuard<Log>> {
        let log = self.synced_log().await?;
        self.check_admission(&log)?;
        match log.signer(&self.account) {
            Ok(_) => Ok(log),
            Err(SignerError::Pending) => Err(pending()),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`Inner::member_log`], for what only Ops members do.
    pub(crate) async fn ops_log(&self) -> Result<OwnedRwLockReadGuard<Log>> {
        let log = self.member_log().await?;
        if log.is_active_ops(self.profile.user_id) {
            return Ok(log);
        }
        let message =
            "your role is Client: Clients list and download what was shared with them, and nothing else";
        Err(Error::new(ErrorKind::Forbidden, "role_forbidden", message)
            .with_hint("Ask an Ops member of your organisation."))
    }

    /// Once the log has us: what was certified must be what was offered (§6).
    fn check_admission(&self, log: &Log) -> Result<()> {
        let Some(admission) = self.device.load::<Admission>(ADMISSION)? else { return Ok(()) };
        if log.member(admission.user_id).is_none() {
            return Ok(());
        }
        admission.check(log)?;
        self.device.remove(ADMISSION)
    }

    async fn pending_role(&self) -> Result<(Role, Option<UserId>)> {
        let view: AccountView = self.caller.get(Call::new(routes::ACCOUNT, &[])).await?;
        let role = match view.role {
            sealpost_api::account::RoleName::Ops => Role::Ops,
            sealpost_api::account::RoleName::Client => Role::Client,
        };
        Ok((role, view.inviter))
    }

    /// Who certifies us, and the words to compare with them. Another inviter than the true one makes other words.
    async fn inviter(
        &self,
        log: &Log,
        inviter: UserId,
    ) -> Result<(Option<Person>, Option<[&'static str; words::COUNT]>)> {
        let person = Directory::fetch(&self.caller, log).await?.person(inviter);
        let words = log
            .active(inviter)
            .map(|member| words::words(log.org_id(), self.account.bundle().id(), member.bundle().id()));
        Ok((person, words))
    }

    pub(crate) fn access(&self) -> VaultAccess<'_> {
        VaultAccess { caller: &self.caller, device: &self.device, account: &self.account }
    }

    /// Makes what an operation pinned durable.
    pub(crate) async fn flush(&self, log: &Log) -> Result<()> {
        self.vault().await?.flush(self.access(), log).await
    }

    async fn open_vault(&self) -> Result<Vaulted> {
        match Vaulted::open(self.access()).await {
            // Under keys that another device has put in place of ours, rather than damaged?
            Err(error) if error.code() == "vault" => {
                let known = log_sync::load(&self.device, self.profile.org_id)?;
                let log = log_sync::sync(&self.caller, known, self.profile.org_id).await?;
                self.check_keys(&log)?;
                Err(error)
            }
            Ok(mut vaulted) => vaulted.save(&self.device).map(|()| vaulted),
            Err(error) => Err(error),
        }
    }

    /// The vault, fetched once a run.
    pub(crate) async fn vault(&self) -> Result<tokio::sync::MappedMutexGuard<'_, Vaulted>> {
        let mut slot = self.vault.lock().await;
        if slot.is_none() {
            *slot = Some(self.open_vault().await?);
        }
        tokio::sync::MutexGuard::try_map(slot, Option::as_mut).map_err(|_| Error::internal("no vault"))
    }
}

/// Whose the device is.
fn owner(device: &Device) -> Result<Profile> {
    let missing = || Error::state("the state folder has keys, and does not say whose they are");
    device.profile()?.ok_or_else(missing)
}

/// The server has nothing left to end.
fn is_over(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotSignedIn | ErrorKind::AccountRotated)
}

pub(crate) fn pending() -> Error {
    Error::new(ErrorKind::AccountPending, "account_pending", "your account has not been admitted yet")
        .with_hint("Whoever invited you has to use Sealpost once more; then run the same command again.")
}
