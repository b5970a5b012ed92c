//! Bringing an account back with its recovery kit, when the password is lost (protocol §3.6).

use std::sync::Arc;

use sealpost_crypto::{kit::RecoveryKit, password::Password};

use crate::{
    anonymous::Anonymous,
    device::Device,
    error::{Error, ErrorKind, Result},
    key_login::KeySignIn,
    login::foreign,
    signed_in::{Identity, SignedIn},
    store::MemoryStore,
};

/// An account that a recovery kit opened, before it has a new password. Nothing is kept on this device yet, and
/// nothing is changed on the server.
#[must_use = "nothing is recovered before `set_password`"]
pub struct Recovery {
    anonymous: Anonymous,
    kit: RecoveryKit,
    identity: Identity,
}

impl Anonymous {
    /// Finds the account of a recovery kit and verifies everything about it: log, keys, credential, address. The
    /// organisation is the kit's; what the server says about it is only compared.
    ///
    /// # Errors
    /// [`ErrorKind::LoginFailed`] (`kit_unknown`) if no account here has this kit, (`clock_off`) if this device's clock
    /// is wrong; [`ErrorKind::AccountEnded`] if the account was replaced or revoked; [`ErrorKind::AccountRotated`] if
    /// the kit is from before the account's keys were changed; [`ErrorKind::InvalidInput`] if the
    /// kit lacks the account key, or has one that the account does not use; [`ErrorKind::State`] if this device holds
    /// another account; [`ErrorKind::Verification`] if it is another organisation's kit, or the server's copy of the
    /// account does not agree with it.
    pub async fn recover(self, kit: RecoveryKit) -> Result<Recovery> {
        if self.device.profile()?.is_some_and(|profile| profile.org_id != kit.org_id) {
            return Err(foreign());
        }
        // On a device in memory: should anything be wrong, nothing was kept.
        let looking = Self { server: self.server.clone(), device: Device::new(Arc::new(MemoryStore::new())) };
        let server = self.server.url().to_string();
        let found = looking.sign_in_by_key(kit.org_id, kit.seed.clone(), None, None).await;
        let KeySignIn { me, account_key, .. } = found.map_err(|error| explain(error, &server))?;
        let identity = me.whoami().await?;
        me.logout().await?;
        self.device.check_unclaimed_or(&identity.email, self.server.url())?;
        check_account_key(&kit, account_key)?;
        Ok(Recovery { anonymous: self, kit, identity })
    }
}

impl Recovery {
    /// Whose account it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Gives the account a new password, and signs it in on this device. Keys and account key stay: the kit stays
    /// valid. Every other session ends. After an interruption, begin again with the kit.
    pub async fn set_password(self, new: Password) -> Result<SignedIn> {
        let Self { anonymous, kit: RecoveryKit { seed, org_id, account_key }, identity } = self;
        let email = identity.email.parse()?;
        let found = anonymous.sign_in_by_key(org_id, seed, Some(&email), account_key).await?;
        let inner = &found.me.inner;
        let log = inner.synced_log().await?;
        let (caller, device) = (&inner.caller, &inner.device);
        let previous = found.credential.pin();
        let next = inner.holder()?.change(caller, device, &new, &log, previous).await;
        let next =
            next.map_err(|error| error.context("signed in with the kit, but the password is not changed"))?;
        drop(log);
        inner.settle_password(&next).await?;
        Ok(found.me)
    }
}

/// The account says whether it has an account key; a kit that says otherwise is not this account's, or not whole.
fn check_account_key(kit: &RecoveryKit, needed: bool) -> Result<()> {
    match (needed, &kit.account_key) {
        (true, None) => {
            let message = "this account has an account key, and the kit was given without it";
            Err(Error::new(ErrorKind::InvalidInput, "kit_account_key_missing", message).with_hint(
                "It stands below the words, after the organisation's code: 31 letters and digits.",
            ))
        }
        (false, Some(_)) => {
            let message = "this account has no account key, and the kit was given with one";
            Err(Error::new(ErrorKind::InvalidInput, "kit_account_key_unexpected", message).with_hint(
                "Are all pieces from the same kit? Leave the account key out if there is none on it.",
            ))
        }
        _ => Ok(()),
    }
}

/// What the person with the kit can do about it.
pub(crate) fn explain(error: Error, server: &str) -> Error {
    let (kind, message, hint) = match error.code() {
        "login_failed" => {
            let message = format!("no account at {server} has this recovery kit");
            let hint = "Check the server's address. If the account's keys were renewed since, only the newest kit is \
                        valid. Without a kit, ask an Ops member of your organisation for a new invite.";
            return Error::new(ErrorKind::LoginFailed, "kit_unknown", message).with_hint(hint);
        }
        "account_ended" => (
            ErrorKind::AccountEnded,
            "this recovery kit is not valid any more: its account was replaced or revoked".to_owned(),
            "Use the kit of the new account. Without one, ask an Ops member of your organisation for a new invite.",
        ),
        "account_rotated" => (
            ErrorKind::AccountRotated,
            "this recovery kit is from before the account's keys were changed".to_owned(),
            "Use the kit that was shown when they were changed. If you did not change them, somebody else has the \
             old keys: tell an Ops member of your organisation.",
        ),
        "foreign_organisation" => (
            ErrorKind::Verification,
            format!("this recovery kit is of another organisation than the one at {server}"),
            "Check the server's address, and that all pieces are from the same kit.",
        ),
        _ => return error,
    };
    Error::new(kind, error.code(), message).with_hint(hint)
}
