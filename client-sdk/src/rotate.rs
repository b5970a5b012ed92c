//! New keys for one's own account, after a suspected leak (protocol §3.8).
//!
//! ```text
//! prepare: prove the password, make seed and account key      nothing is kept, nothing is changed
//! the person writes the new kit down
//! complete: sign, keep both seeds (`rotation`), send, adopt the new seed
//! ```
//!
//! Between sending and hearing the answer it is not known which seed holds. Both are on the device then, and whoever
//! takes up its session next finds out first ([`settle`]): by the log, or by sending the same bytes again.

use sealpost_api::{account::RotateAccount, log::LogAppended, routes};
use sealpost_crypto::{
    account::Account,
    credential::{CredentialPin, VerifiedCredential},
    id::RecordId,
    kit::KitText,
    log::Log,
    password::Password,
    secret::{AccountKey, AccountSeed},
};

use crate::{
    caller::Caller,
    credential::Holder,
    device::{Device, Profile},
    error::{Error, ErrorKind, Result},
    key_login, log_sync,
    rotation_state::{self as state, Waiting},
    server::{Call, Server},
    session::Session,
    signed_in::{Inner, SignedIn},
    vault,
};

/// How often the entry is signed for the next place, or the vault sealed anew, after somebody else got in first.
const ATTEMPTS: u32 = 16;

/// New keys that are ready to take the place of the current ones, once their recovery kit was written down. Nothing is
/// kept on this device yet, and nothing is changed on the server.
#[must_use = "nothing is changed before `complete`"]
pub struct Rotation {
    me: SignedIn,
    holder: Holder,
    password: Password,
    follows: CredentialPin,
}

/// What came of a [`Rotation`].
#[derive(Clone)]
pub struct Rotated {
    /// The account under its new keys.
    pub me: SignedIn,
    /// Whom we had invited and not certified: the code they have does not work any more, invite them again.
    pub cancelled: Vec<String>,
}

impl SignedIn {
    /// Makes new keys for this account: a new seed, and a new account key if there is one. The password becomes `new`,
    /// or stays. If an earlier try was interrupted and never arrived, its keys are used, so that the kit that was
    /// written down then is the right one.
    ///
    /// # Errors
    /// [`ErrorKind::LoginFailed`] if `current` is not the password; [`ErrorKind::AccountPending`] before the account is
    /// certified: join again with a new invite instead. [`ErrorKind::Verification`] as for signing in.
    pub async fn prepare_rotation(&self, current: Password, new: Option<Password>) -> Result<Rotation> {
        let inner = &self.inner;
        drop(inner.member_log().await?);
        let follows = inner.prove_password(&current).await?.pin();
        let generation = inner.profile.generation + 1;
        let (seed, account_key) = match state::load(&inner.device)? {
            Some(waiting) if waiting.generation == generation => (waiting.seed(), waiting.account_key()?),
            _ => (AccountSeed::random(), inner.device.account_key()?.map(|_| AccountKey::random())),
        };
        let account = Account::derive(&seed, inner.profile.org_id, inner.profile.user_id, generation)?;
        let holder = Holder { email: inner.email()?, seed, account, account_key };
        Ok(Rotation { me: self.clone(), holder, password: new.unwrap_or(current), follows })
    }

    /// Whether new keys were made that have not arrived at the server, and can't any more without the password: then
    /// [`SignedIn::prepare_rotation`] goes on with the same kit.
    pub fn rotation_waits(&self) -> Result<bool> {
        Ok(state::load(&self.inner.device)?.is_some())
    }
}

impl Rotation {
    /// The kit of the new keys. The one before is of no use once they count.
    pub fn kit(&self) -> KitText {
        self.holder.kit()
    }

    /// Puts the new keys in place of the old ones, in one step: log entry, password's record, recovery and vault. Other
    /// sessions end, devices that hold the old seed ask for the password, open invites are cancelled. What we share
    /// stays as it is until [`SignedIn::renew_shares`].
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] (`credential_changed`) if another device changed password or keys meanwhile: nothing is
    /// changed. After [`ErrorKind::Network`] or [`ErrorKind::Server`] it is not known which keys hold, both are kept, and
    /// [`SignedIn::resume`] finds out.
    pub async fn complete(self) -> Result<Rotated> {
        let Self { me, holder, password, follows } = self;
        let inner = &me.inner;
        let _guard = inner.device.lock(state::LOCK).await?;
        let signing = inner.signing().await?;
        // What counts under the keys that sign it must be known before they are retired.
        inner.sync_sent_pairs().await?;
        let log = inner.member_log().await?;
        let (request, registration) = holder.start(&password)?;
        let call = Call::new(routes::CREDENTIAL_CHALLENGE, &[]);
        let begin = sealpost_api::account::CredentialRegister { request };
        let challenge = inner.caller.post(call, &begin).await?;
        let next = holder.finish(registration, challenge, &log, Some(follows)).await?;
        let request = RotateAccount {
            entry: log.signer(&inner.account)?.rotate(&holder.account)?.into_raw(),
            bundle: holder.account.bundle().raw(),
            opaque_record: next.opaque_record,
            credential: next.credential.raw().clone(),
            envelope: next.envelope,
            vault: inner.next_vault(&holder.account, &next.credential, &log).await?,
        };
        drop(log);
        let waiting = Waiting::new(&holder, request);
        state::save(&inner.device, &waiting)?;
        let sent = inner.send_rotation(&holder.account, &next.credential, waiting).await;
        match sent {
            // Ours, or another device's?
            Err(error) if error.kind() == ErrorKind::AccountRotated => {
                sign_in_anew(&inner.device, inner.caller.server(), &holder, overtaken()).await?;
            }
            outcome => outcome.map_err(unknown)?,
        }
        drop(signing);
        let me = inner.adopt(holder, &next.credential).await?;
        let cancelled = inner.open_invites().await?;
        Ok(Rotated { me, cancelled })
    }
}

/// No answer, or none that decides.
fn unknown(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Network | ErrorKind::Server => {
            error.context("it is not known yet whether the new keys count").with_hint(
                "Keep the old recovery kit and the new one. The next command finds out which of them holds.",
            )
        }
        _ => error,
    }
}

impl Inner {
    /// Our own history with everybody, ourselves included, as far as the server shows it.
    async fn sync_sent_pairs(&self) -> Result<()> {
        let log = self.member_log().await?;
        if !log.is_active_ops(self.profile.user_id) {
            return Ok(());
        }
        for recipient in self.sent_to().await? {
            self.sent_pair(&log, recipient).await?;
        }
        self.flush(&log).await
    }

    /// The vault under the next keys, with this seed among the old ones.
    async fn next_vault(
        &self,
        next: &Account,
        credential: &VerifiedCredential,
        log: &Log,
    ) -> Result<sealpost_api::account::VaultBlob> {
        let old_seed = (self.profile.generation, self.device.seed()?);
        self.vault().await?.for_next_keys(next, old_seed, credential, log)
    }

    /// Addresses of people whom we invited under these keys, and who are not in the log.
    async fn open_invites(&self) -> Result<Vec<String>> {
        let log = self.log().await;
        let vault = self.vault().await?;
        let open = vault.vault().invites.values().filter(|invite| self.may_be_certified(&log, invite));
        let mut emails: Vec<String> = open.map(|invite| invite.email.clone()).collect();
        emails.sort_unstable();
        emails.dedup();
        Ok(emails)
    }

    /// Sends until the server has decided. When an entry of somebody else holds the place, or another device changed the
    /// vault, only entry and vault are made anew: credential, OPAQUE record and envelope name neither.
    async fn send_rotation(
        &self,
        next: &Account,
        credential: &VerifiedCredential,
        mut waiting: Waiting,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let Some(request) = &waiting.sent else { break };
            let call = Call::new(routes::ROTATE, &[]);
            let error = match self.caller.post::<LogAppended>(call, request).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            match error.code() {
                "log_conflict" | "vault_conflict" => {}
                "credential_changed" | "record_invalid" => {
                    return match self.look(next.bundle().id()).await? {
                        Holds::New => Ok(()),
                        Holds::Old => Err(self.refused(error, waiting)?),
                        Holds::Another => Err(overtaken()),
                    };
                }
                _ => return Err(error),
            }
            match self.look(next.bundle().id()).await? {
                Holds::New => return Ok(()),
                Holds::Old => waiting = self.sign_again(next, credential, waiting).await?,
                Holds::Another => return Err(overtaken()),
            }
        }
        Err(Error::new(ErrorKind::Conflict, "log_conflict", "others keep changing the organisation's log")
            .with_hint("Run the same command again."))
    }

    /// The same change for the log and the vault as they are now, kept before it is sent.
    async fn sign_again(
        &self,
        next: &Account,
        credential: &VerifiedCredential,
        mut waiting: Waiting,
    ) -> Result<Waiting> {
        let log = self.log().await;
        self.vault().await?.refresh(self.access()).await?;
        let vault = self.next_vault(next, credential, &log).await?;
        let entry = log.signer(&self.account)?.rotate(next)?.into_raw();
        if let Some(request) = &mut waiting.sent {
            (request.entry, request.vault) = (entry, vault);
        }
        state::save(&self.device, &waiting)?;
        Ok(waiting)
    }

    /// Which keys the log has for us now.
    async fn look(&self, next: RecordId) -> Result<Holds> {
        let log = log_sync::sync(&self.caller, Some(self.log().await.clone()), self.profile.org_id).await?;
        let holds = holds(&log, &self.account, next);
        self.take_log(log).await?;
        Ok(holds)
    }

    /// The server will never take these bytes. The keys are kept: their kit was written down.
    fn refused(&self, error: Error, mut waiting: Waiting) -> Result<Error> {
        waiting.sent = None;
        state::save(&self.device, &waiting)?;
        Ok(error.context("the keys are not changed").with_hint(
            "The old kit and the old keys hold. Run `sealpost rotate` again: it goes on with the new kit that you \
             were shown.",
        ))
    }

    /// From now on this device is one of the new keys.
    async fn adopt(&self, holder: Holder, credential: &VerifiedCredential) -> Result<SignedIn> {
        let log = log_sync::sync(&self.caller, Some(self.log().await.clone()), self.profile.org_id).await?;
        let Holder { account, seed, account_key, .. } = holder;
        if holds(&log, &self.account, account.bundle().id()) != Holds::New {
            return Err(Error::verification(
                "log_rollback",
                "the server took the new keys, and shows a log without them",
            ));
        }
        let profile = Profile { generation: account.generation(), ..self.profile.clone() };
        keep(&self.device, &profile, &seed, account_key.as_ref(), credential, &log)?;
        Ok(SignedIn::assemble(self.caller.clone(), self.device.clone(), profile, account, log, None))
    }
}

/// Another device of ours was first. What was to be sent is forgotten once this one signs in under the other's keys.
fn overtaken() -> Error {
    let message = "another device of yours changed the account's keys at the same moment";
    Error::new(ErrorKind::AccountRotated, "account_rotated", message).with_hint(
        "The kit that was shown there counts; throw the one away that was shown here. Then sign in on this device: \
         sealpost login.",
    )
}

/// Which keys the log has as an account's current ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Old,
    New,
    /// Made by another device.
    Another,
}

fn holds(log: &Log, old: &Account, next: RecordId) -> Holds {
    match log.member(old.user_id()).map(|member| member.current().bundle) {
        Some(current) if current == next => Holds::New,
        Some(current) if current == old.bundle().id() => Holds::Old,
        _ => Holds::Another,
    }
}

/// Everything of the new keys becomes the device's. After a crash in the middle it is done once more: what waits is
/// forgotten last.
fn keep(
    device: &Device,
    profile: &Profile,
    seed: &AccountSeed,
    account_key: Option<&AccountKey>,
    credential: &VerifiedCredential,
    log: &Log,
) -> Result<()> {
    log_sync::save(device, log)?;
    vault::pin_credential(device, credential)?;
    if let Some(key) = account_key {
        device.save_account_key(key)?;
    }
    device.save_seed(seed)?;
    device.claim(profile)?;
    state::clear(device)
}

/// Finds out what became of a rotation whose answer never came, before the device's session is taken up.
///
/// # Errors
/// [`ErrorKind::Network`] while that can't be known.
pub(crate) async fn settle(device: &Device, server: &Server) -> Result<()> {
    if state::load(device)?.is_none_or(|waiting| waiting.sent.is_none()) {
        return Ok(());
    }
    // Another process of this device may be in the middle of it.
    let _guard = device.lock(state::LOCK).await?;
    let Some(waiting) = state::load(device)? else { return Ok(()) };
    let Some(request) = waiting.sent.clone() else { return Ok(()) };
    let profile =
        device.profile()?.ok_or_else(|| Error::state("the state folder does not say whose it is"))?;
    let holder = waiting.holder(&profile)?;
    let credential = VerifiedCredential::verify(request.credential, holder.account.bundle())?;
    let session = Session::resume(device.clone(), server.clone())?;
    let caller = Caller::account(server.clone(), session);
    let known = log_sync::load(device, profile.org_id)?;
    let log = match log_sync::sync(&caller, known.clone(), profile.org_id).await {
        Err(error) if error.kind() == ErrorKind::AccountRotated => {
            sign_in_anew(device, server, &holder, error).await?;
            let caller = Caller::account(server.clone(), Session::resume(device.clone(), server.clone())?);
            log_sync::sync(&caller, known, profile.org_id).await?
        }
        outcome => outcome?,
    };
    let next = holder.account.bundle().id();
    if log.member(profile.user_id).is_some_and(|member| member.current().bundle == next) {
        let profile = Profile { generation: holder.account.generation(), ..profile };
        return keep(device, &profile, &holder.seed, holder.account_key.as_ref(), &credential, &log);
    }
    let old = Account::derive(&device.seed()?, profile.org_id, profile.user_id, profile.generation)?;
    let me = SignedIn::assemble(caller, device.clone(), profile, old, log, None);
    let _signing = me.inner.signing().await?;
    match me.inner.send_rotation(&holder.account, &credential, waiting).await {
        Ok(()) => me.inner.adopt(holder, &credential).await.map(drop),
        // It is known now that the old keys hold, or another device's.
        Err(error) if state::load(device)?.is_none_or(|waiting| waiting.sent.is_none()) => {
            if error.kind() == ErrorKind::AccountRotated { Err(error) } else { Ok(()) }
        }
        Err(error) => Err(unknown(error)),
    }
}

/// The old key opens no session any more: if the new one does, it is ours that counts.
async fn sign_in_anew(device: &Device, server: &Server, holder: &Holder, rotated: Error) -> Result<()> {
    let opened = match key_login::authenticate(server, holder.account.org_id(), &holder.seed).await {
        Err(error) if error.code() == "login_failed" => return Err(rotated),
        outcome => outcome?,
    };
    if opened.account.bundle().id() != holder.account.bundle().id() {
        return Err(rotated);
    }
    Session::begin(device.clone(), server.clone(), opened.session.tokens).map(drop)
}
