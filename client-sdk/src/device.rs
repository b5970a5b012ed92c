//! What one device keeps of one identity, as typed blobs in a [`StateStore`].
//!
//! | blob | what | secret |
//! |---|---|---|
//! | `profile` | server, organisation, account | no |
//! | `seed` | account seed, 32 bytes; gone after sign-out | yes |
//! | `session` | tokens; gone after sign-out | yes |
//! | `log` | the verified log, as it travels | no |
//! | `admission` | what a joined account expects to be certified as | no |
//! | `account-key` | second factor of the password; stays after sign-out | yes |
//! | `password-sent` | the credential that was sent last, until it is known to have arrived | no |
//! | `rotation` | new keys whose request was sent, until it is known whether they count | yes |
//! | `pins`, `pair-…` | what this device has seen and won't accept less than | no |
//! | `outbox-…` | signed records that may not have arrived | no |
//! | `batch` | small files that were sent together and may not have arrived; their file keys are sealed under the vault key | sealed |
//! | `outbox-batch` | signed shares of many files that may not have arrived | no |
//! | `outbox-rekey` | a next version's signed records that may not have arrived | no |
//! | `upload-…` | journals of uploads, of new files and of next versions, that were interrupted; the file key is sealed under the vault key | sealed |
//! | `keyring`, `sealed-…` | with [`crate::store::SealedStore`]: seed, session and account key, sealed under keys of a keyring | sealed |
//! | `uploads` | files that were uploaded, so that a second time is noticed | no |
//! | `fork-….json` | proofs that the server showed two histories; never overwritten | no |
//! | `tickets` | downloads begun and not finished | no |

use std::sync::Arc;

use sealpost_crypto::{
    id::{OrgId, UserId},
    secret::{AccountKey, AccountSeed},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    error::{Error, ErrorKind, Result},
    server_url::ServerUrl,
    store::{StateStore, StoreGuard},
};

/// The version of these blobs that this code writes.
const FORMAT: u32 = 1;

const PROFILE: &str = "profile";
pub(crate) const SEED: &str = "seed";
pub(crate) const ACCOUNT_KEY: &str = "account-key";
pub(crate) const SESSION: &str = "session";
/// Seed, account key and request of a rotation: see `rotation_state`.
pub(crate) const ROTATION: &str = "rotation";

/// Typed access to a device's state.
#[derive(Clone)]
pub(crate) struct Device {
    store: Arc<dyn StateStore>,
}

/// Who this device belongs to. Stays after sign-out, with the pins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub server: String,
    pub org_id: OrgId,
    pub user_id: UserId,
    pub email: String,
    pub generation: u64,
}

#[derive(Serialize, Deserialize)]
struct Blob<T> {
    format: u32,
    value: T,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Device {
    pub(crate) fn new(store: Arc<dyn StateStore>) -> Self {
        Self { store }
    }

    /// Reads a JSON blob; a damaged one is an error, never "none".
    pub(crate) fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(bytes) = self.store.load(name)? else { return Ok(None) };
        let damaged = || Error::state(format!("the state folder's {name:?} is damaged"));
        let Format { format } = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        if format > FORMAT {
            return Err(Error::state("the state folder was written by a newer version of this program")
                .with_hint("Upgrade this program."));
        }
        serde_json::from_slice::<Blob<T>>(&bytes).map(|blob| Some(blob.value)).map_err(|_| damaged())
    }

    pub(crate) fn save<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        let bytes = serde_json::to_vec(&Blob { format: FORMAT, value })
            .map(zeroize::Zeroizing::new)
            .map_err(|_| Error::state(format!("can't encode {name:?}")))?;
        self.store.save(name, &bytes)
    }

    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        self.store.remove(name)
    }

    /// Keeps a file that is handed to others as it is; one that stands there stays. Says where it is.
    pub(crate) fn keep_file(&self, name: &str, bytes: &[u8]) -> Result<String> {
        if self.store.load(name)?.is_none() {
            self.store.save(name, bytes)?;
        }
        let place = self.store.place(name).map(|path| path.display().to_string());
        Ok(place.unwrap_or_else(|| name.to_owned()))
    }

    pub(crate) fn profile(&self) -> Result<Option<Profile>> {
        self.load(PROFILE)
    }

    /// Takes possession of the folder for `profile`.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if it belongs to another account, or to the same under another server's name.
    pub(crate) fn claim(&self, profile: &Profile) -> Result<()> {
        self.check_claim(profile)?;
        self.save(PROFILE, profile)
    }

    /// Whether [`Device::claim`] is possible.
    pub(crate) fn check_claim(&self, profile: &Profile) -> Result<()> {
        self.check_unclaimed_by_others(profile.user_id)?;
        match self.profile()? {
            Some(owner) if owner.org_id != profile.org_id => Err(foreign(&owner)),
            _ => Ok(()),
        }
    }

    /// Refuses another account than the one that the folder belongs to, also one of the same person.
    pub(crate) fn check_unclaimed_by_others(&self, user_id: UserId) -> Result<()> {
        match self.profile()? {
            Some(owner) if owner.user_id != user_id => Err(foreign(&owner)),
            _ => Ok(()),
        }
    }

    /// Refuses before anything is sent when the folder belongs to somebody else.
    pub(crate) fn check_unclaimed_or(&self, email: &str, server: &ServerUrl) -> Result<()> {
        match self.profile()? {
            Some(owner) if owner.email != email || owner.server != server.as_str() => Err(foreign(&owner)),
            _ => Ok(()),
        }
    }

    pub(crate) fn seed(&self) -> Result<AccountSeed> {
        let bytes = self.store.load(SEED)?.ok_or_else(not_signed_in)?;
        AccountSeed::from_slice(&bytes).ok_or_else(|| Error::state("the state folder's \"seed\" is damaged"))
    }

    pub(crate) fn save_seed(&self, seed: &AccountSeed) -> Result<()> {
        self.store.save(SEED, seed.expose())
    }

    pub(crate) fn session<T: DeserializeOwned>(&self) -> Result<T> {
        self.load(SESSION)?.ok_or_else(not_signed_in)
    }

    pub(crate) fn save_session<T: Serialize>(&self, session: &T) -> Result<()> {
        self.save(SESSION, session)
    }

    /// Removes what only a signed-in device may hold.
    pub(crate) fn forget_session(&self) -> Result<()> {
        self.store.remove(SESSION)?;
        self.store.remove(ROTATION)?;
        self.store.remove(SEED)
    }

    /// The account key that was used here before.
    pub(crate) fn account_key(&self) -> Result<Option<AccountKey>> {
        let Some(bytes) = self.store.load(ACCOUNT_KEY)? else { return Ok(None) };
        let key = AccountKey::from_slice(&bytes);
        key.map(Some).ok_or_else(|| Error::state("the state folder's \"account-key\" is damaged"))
    }

    pub(crate) fn save_account_key(&self, key: &AccountKey) -> Result<()> {
        self.store.save(ACCOUNT_KEY, key.expose())
    }

    pub(crate) fn forget_account_key(&self) -> Result<()> {
        self.store.remove(ACCOUNT_KEY)
    }

    /// Takes a lock over this state for the moment that a blob is read, changed and written.
    pub(crate) fn hold(&self, name: &str) -> Result<Box<dyn StoreGuard>> {
        self.store.lock(name)
    }

    /// Takes a lock over this state without holding up the async threads.
    pub(crate) async fn lock(&self, name: &str) -> Result<Box<dyn StoreGuard>> {
        let (store, name) = (Arc::clone(&self.store), name.to_owned());
        tokio::task::spawn_blocking(move || store.lock(&name))
            .await
            .map_err(|_| Error::state("can't lock the state folder"))?
    }
}

fn not_signed_in() -> Error {
    Error::new(ErrorKind::NotSignedIn, "not_signed_in", "nobody is signed in on this device")
        .with_hint("Run `sealpost login`, or `sealpost join` with an invite.")
}

fn foreign(owner: &Profile) -> Error {
    Error::new(
        ErrorKind::State,
        "state_foreign",
        format!("this state folder belongs to {} at {}", owner.email, owner.server),
    )
    .with_hint(
        "Name another folder with --home: one folder holds one account. A new account that replaces a lost one is \
         another one too.",
    )
}
