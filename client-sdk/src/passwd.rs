//! Changing the password of a signed-in account (protocol §3.4).

use sealpost_crypto::{
    account::Account,
    credential::VerifiedCredential,
    email::EmailAddress,
    password::{OpaqueInput, Password},
};

use crate::{
    anonymous::Anonymous,
    credential::{self, Holder},
    error::{Error, ErrorKind, Result},
    log_sync, login,
    signed_in::{Inner, SignedIn},
};

impl SignedIn {
    /// Puts `new` in place of `current`. Keys, account key and recovery kit stay as they are; every other session of
    /// the account ends. Repeated after an interruption with the same two passwords, it gives the same result.
    ///
    /// # Errors
    /// [`ErrorKind::LoginFailed`] if `current` is not the password: nothing is changed. [`ErrorKind::Conflict`]
    /// (`credential_changed`) if another device changed it at the same moment. [`ErrorKind::Verification`] if what the
    /// server keeps of the account is not the account's, or older than this device has seen.
    pub async fn change_password(&self, current: Password, new: Password) -> Result<()> {
        let inner = &self.inner;
        // Keys that another device has put in place of ours are no other account's.
        drop(inner.synced_log().await?);
        let stands = match inner.prove_password(&current).await {
            Err(error) if error.kind() == ErrorKind::LoginFailed => {
                return inner
                    .was_changed_before(&new)
                    .await
                    .and_then(|done| if done { Ok(()) } else { Err(error) });
            }
            outcome => outcome?,
        };
        let log = inner.log().await;
        let holder = inner.holder()?;
        let (caller, device) = (&inner.caller, &inner.device);
        let next = holder.change(caller, device, &new, &log, stands.pin()).await?;
        drop(log);
        inner.settle_password(&next).await
    }
}

impl Inner {
    /// Proves a password by a whole login with it, and gives the credential that it rests on.
    pub(crate) async fn prove_password(&self, password: &Password) -> Result<VerifiedCredential> {
        let anonymous = Anonymous { server: self.caller.server().clone(), device: self.device.clone() };
        let account_key = self.device.account_key()?;
        let input = OpaqueInput::derive(password, account_key.as_ref());
        let (session, org_id, key) = anonymous.authenticate(&self.email()?, input).await?;
        let opened = login::open(&session.account, org_id, &key, account_key.is_some())?;
        if opened.account.bundle().id() != self.account.bundle().id() {
            return Err(Error::verification("other_account", "the server answers for another account"));
        }
        if let Some((size, head)) = opened.sealed_at {
            log_sync::check_extends(&*self.synced_log().await?, size, head)?;
        }
        self.vault().await?.check_credential(&opened.credential)?;
        Ok(opened.credential)
    }

    /// Whether an earlier try, whose answer never came, has set this very password.
    async fn was_changed_before(&self, new: &Password) -> Result<bool> {
        let Some(sent) = credential::sent(&self.device)? else { return Ok(false) };
        match self.prove_password(new).await {
            Ok(stands) if stands.pin() == sent => self.settle_password(&stands).await.map(|()| true),
            Err(error) if error.kind() != ErrorKind::LoginFailed => Err(error),
            _ => Ok(false),
        }
    }

    /// From now on no device accepts an older credential (attack: the server restores what rested on an old password).
    pub(crate) async fn settle_password(&self, credential: &VerifiedCredential) -> Result<()> {
        let log = self.log().await;
        let mut vault = self.vault().await?;
        vault.check_credential(credential)?;
        let flushed = vault.flush(self.access(), &log).await;
        flushed
            .map_err(|error| error.context("the new password counts, but that was not noted in the vault"))?;
        credential::settled(&self.device)
    }

    /// This account's secrets, as the device keeps them.
    pub(crate) fn holder(&self) -> Result<Holder> {
        let (seed, profile) = (self.device.seed()?, &self.profile);
        let account = Account::derive(&seed, profile.org_id, profile.user_id, profile.generation)?;
        Ok(Holder { email: self.email()?, seed, account, account_key: self.device.account_key()? })
    }

    pub(crate) fn email(&self) -> Result<EmailAddress> {
        Ok(self.profile.email.parse()?)
    }
}
