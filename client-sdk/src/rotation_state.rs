//! New keys that may or may not be the account's already, on the device: kept before the request is sent that puts them
//! in place, until it is known what became of it.

use sealpost_api::{account::RotateAccount, token::Token};
use sealpost_crypto::{
    account::Account,
    kit::account_key_from_code,
    secret::{AccountKey, AccountSeed},
    vault::{OldSeed, Rest},
};
use serde::{Deserialize, Serialize};

use crate::{
    credential::Holder,
    device::{Device, Profile, ROTATION},
    error::{Error, Result},
};

/// Lock of whoever changes it.
pub(crate) const LOCK: &str = ROTATION;

/// Keys that wait to be known to count.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// Which generation they are.
    pub generation: u64,
    seed: OldSeed,
    /// As it stands on the kit.
    account_key: Option<Token>,
    /// What was sent last; `None` once it is known that the server did not take it and never will.
    pub sent: Option<RotateAccount>,
}

impl Waiting {
    pub(crate) fn new(holder: &Holder, request: RotateAccount) -> Self {
        let account_key = holder.kit().account_key.map(|code| Token::new(code.to_string()));
        let seed = OldSeed { seed: holder.seed.clone(), rest: Rest::new() };
        Self { generation: holder.account.generation(), seed, account_key, sent: Some(request) }
    }

    pub(crate) fn seed(&self) -> AccountSeed {
        self.seed.seed.clone()
    }

    pub(crate) fn account_key(&self) -> Result<Option<AccountKey>> {
        let damaged = |_| Error::state("the state folder's \"rotation\" is damaged");
        self.account_key
            .as_ref()
            .map(|code| account_key_from_code(code.expose()))
            .transpose()
            .map_err(damaged)
    }

    /// Who holds these keys.
    pub(crate) fn holder(&self, profile: &Profile) -> Result<Holder> {
        let (seed, account_key) = (self.seed(), self.account_key()?);
        let account = Account::derive(&seed, profile.org_id, profile.user_id, self.generation)?;
        Ok(Holder { email: profile.email.parse()?, seed, account, account_key })
    }
}

pub(crate) fn load(device: &Device) -> Result<Option<Waiting>> {
    device.load(ROTATION)
}

pub(crate) fn save(device: &Device, waiting: &Waiting) -> Result<()> {
    device.save(ROTATION, waiting)
}

pub(crate) fn clear(device: &Device) -> Result<()> {
    device.remove(ROTATION)
}

/// Keys of this generation are known to be the account's: what waits for it, or before it, waits for nothing.
pub(crate) fn overtaken_by(device: &Device, generation: u64) -> Result<()> {
    match load(device)? {
        Some(waiting) if waiting.generation <= generation => clear(device),
        _ => Ok(()),
    }
}
