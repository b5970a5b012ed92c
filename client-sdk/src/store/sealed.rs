//! State whose secrets are sealed under keys that a keyring holds, such as that of a desktop session: what lies on the
//! disk opens nothing without it.
//!
//! | blob | sealed under the key |
//! |---|---|
//! | `seed`, `session` | `session`: made by signing in, forgotten by signing out |
//! | `account-key` | `account`: stays after sign-out, as the account key does |
//!
//! A sealed blob stands beside the others as `sealed-NAME`; `keyring` says under which id the keyring has the keys. How
//! secrets are kept is chosen by signing in ([`SealedStore::sign_in`]), and kept to until somebody signs in again: a
//! keyring that is missing later is an error, never a reason to write a secret to the disk.

use std::{path::PathBuf, sync::Arc};

use sealpost_crypto::{
    aead,
    id::StoreId,
    labels::{self, labelled},
    secret::KeyringKey,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{StateStore, StoreGuard};
use crate::{
    device::{ACCOUNT_KEY, Device, ROTATION, SEED, SESSION},
    error::{Error, ErrorKind, Result},
};

/// Says which keys in the keyring are this store's; there while secrets are sealed.
const MARK: &str = "keyring";
/// Every blob that holds a secret in the clear, and the key that seals it.
const SECRETS: [(&str, &str); 4] =
    [(SEED, SESSION_KEY), (SESSION, SESSION_KEY), (ROTATION, SESSION_KEY), (ACCOUNT_KEY, ACCOUNT_KEYS_KEY)];
const SESSION_KEY: &str = "session";
const ACCOUNT_KEYS_KEY: &str = "account";

/// Holds small keys outside of the store, durably: the keyring of a desktop session, a phone's key store.
///
/// Its errors say that it does not answer, or is locked; the SDK passes them on as they are.
pub trait Keyring: Send + Sync {
    /// The key of this name; `None` if the keyring answers and has none.
    fn find(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>>;

    /// Keeps a key, in place of one of the same name.
    fn keep(&self, name: &str, key: &[u8]) -> Result<()>;

    /// Forgets a key if it is there.
    fn forget(&self, name: &str) -> Result<()>;
}

/// A store with the account's secrets sealed, or, as chosen, not.
#[derive(Clone)]
pub struct SealedStore {
    inner: Arc<dyn StateStore>,
    keyring: Arc<dyn Keyring>,
    signing_in: bool,
}

/// The blob [`MARK`].
#[derive(Serialize, Deserialize)]
struct Mark {
    id: StoreId,
}

impl SealedStore {
    /// Goes on as the store is. The keyring is asked only if secrets are sealed.
    pub fn new(inner: Arc<dyn StateStore>, keyring: Arc<dyn Keyring>) -> Self {
        Self { inner, keyring, signing_in: false }
    }

    /// For signing in: chooses how secrets are kept from now on, and moves those that are there. That the keyring keeps
    /// what it is given is found out here, before anything is sent.
    ///
    /// A key that the keyring has lost is no error here: signing in brings back what it sealed.
    ///
    /// # Errors
    /// What `keyring` returns; [`ErrorKind::State`] if the store is damaged, or the keyring forgets at once.
    pub fn sign_in(inner: Arc<dyn StateStore>, keyring: Arc<dyn Keyring>, seal: bool) -> Result<Self> {
        let store = Self { inner, keyring, signing_in: true };
        let guard = store.inner.lock(MARK)?;
        if seal { store.seal_all() } else { store.unseal_all() }?;
        drop(guard);
        Ok(store)
    }

    /// Whether this store holds a secret that opens with the keyring only.
    pub fn needs_keyring(store: &dyn StateStore) -> Result<bool> {
        for (name, _) in SECRETS {
            if store.load(&sealed_name(name))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether what a session needs is on the disk in sealed form only.
    pub fn session_is_sealed(store: &dyn StateStore) -> Result<bool> {
        Ok(store.load(&sealed_name(SEED))?.is_some()
            && store.load(SEED)?.is_none()
            && store.load(SESSION)?.is_none())
    }

    fn seal_all(&self) -> Result<()> {
        let id = self.id_or_new()?;
        self.key_or_new(id, SESSION_KEY)?;
        for (name, key) in SECRETS {
            if let Some(bytes) = self.inner.load(name)? {
                self.save_sealed(id, name, key, &bytes)?;
            }
        }
        Ok(())
    }

    fn unseal_all(&self) -> Result<()> {
        let Some(id) = self.id()? else { return Ok(()) };
        for (name, key) in SECRETS {
            if let Some(bytes) = self.load_sealed(id, name, key)? {
                self.inner.save(name, &bytes)?;
            }
        }
        // Keys that seal nothing are left alone: the keyring need not answer for that.
        if Self::needs_keyring(&*self.inner)? {
            SECRETS.iter().try_for_each(|(name, _)| self.inner.remove(&sealed_name(name)))?;
            self.forget(id, SESSION_KEY)?;
            self.forget(id, ACCOUNT_KEYS_KEY)?;
        }
        self.inner.remove(MARK)
    }

    /// The id, for blobs that are secret; others never ask for it.
    fn id_for(&self, name: &str) -> Result<Option<StoreId>> {
        if key_of(name).is_some() { self.id() } else { Ok(None) }
    }

    fn id(&self) -> Result<Option<StoreId>> {
        let mark = Device::new(Arc::clone(&self.inner)).load::<Mark>(MARK)?;
        Ok(mark.map(|mark| mark.id))
    }

    fn id_or_new(&self) -> Result<StoreId> {
        if let Some(id) = self.id()? {
            return Ok(id);
        }
        let id = StoreId::random();
        Device::new(Arc::clone(&self.inner)).save(MARK, &Mark { id })?;
        Ok(id)
    }

    /// `None` if there is no such blob, or, when signing in, none that opens.
    fn load_sealed(&self, id: StoreId, name: &str, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let Some(sealed) = self.inner.load(&sealed_name(name))? else { return Ok(None) };
        let opened = match self.key(id, key)? {
            Some(key) => aead::open(key.expose(), &aad(id, name), &sealed).ok(),
            None => None,
        };
        match opened {
            Some(bytes) => Ok(Some(bytes)),
            None if self.signing_in => Ok(None),
            None => Err(key_missing()),
        }
    }

    fn save_sealed(&self, id: StoreId, name: &str, key: &str, bytes: &[u8]) -> Result<()> {
        let key = match self.key(id, key)? {
            Some(key) => key,
            None if self.may_make(key)? => self.key_or_new(id, key)?,
            None => return Err(key_missing()),
        };
        let sealed = aead::seal(key.expose(), &aad(id, name), bytes);
        self.inner.save(&sealed_name(name), &sealed)?;
        self.inner.remove(name)
    }

    /// A new key is no answer to a lost one, except by signing in.
    fn may_make(&self, key: &str) -> Result<bool> {
        Ok(self.signing_in || !self.seals_something(key)?)
    }

    fn seals_something(&self, key: &str) -> Result<bool> {
        for (name, _) in SECRETS.into_iter().filter(|(_, sealed_under)| *sealed_under == key) {
            if self.inner.load(&sealed_name(name))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn key(&self, id: StoreId, key: &str) -> Result<Option<KeyringKey>> {
        let Some(bytes) = self.keyring.find(&key_name(id, key))? else { return Ok(None) };
        Ok(KeyringKey::from_slice(&bytes))
    }

    /// Under the lock [`MARK`]. Read back, because a keyring that forgets would lock the account out.
    fn key_or_new(&self, id: StoreId, name: &str) -> Result<KeyringKey> {
        if let Some(key) = self.key(id, name)? {
            return Ok(key);
        }
        let key = KeyringKey::random();
        self.keyring.keep(&key_name(id, name), key.expose())?;
        if self.key(id, name)?.as_ref() != Some(&key) {
            return Err(Error::new(
                ErrorKind::State,
                "keyring_forgets",
                "the keyring does not keep what it is given",
            )
            .with_hint("Sign in with `--keyring off`: the keys go to a file that only you can read."));
        }
        Ok(key)
    }

    fn forget(&self, id: StoreId, key: &str) -> Result<()> {
        self.keyring.forget(&key_name(id, key))
    }
}

impl StateStore for SealedStore {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let (Some(key), Some(id)) = (key_of(name), self.id_for(name)?) else { return self.inner.load(name) };
        match self.load_sealed(id, name, key)? {
            Some(bytes) => Ok(Some(bytes)),
            None => self.inner.load(name),
        }
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (Some(key), Some(id)) = (key_of(name), self.id_for(name)?) else {
            return self.inner.save(name, bytes);
        };
        let _guard = self.inner.lock(MARK)?;
        self.save_sealed(id, name, key, bytes)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.inner.remove(name)?;
        let (Some(key), Some(id)) = (key_of(name), self.id_for(name)?) else { return Ok(()) };
        let _guard = self.inner.lock(MARK)?;
        self.inner.remove(&sealed_name(name))?;
        if self.seals_something(key)? { Ok(()) } else { self.forget(id, key) }
    }

    fn place(&self, name: &str) -> Option<PathBuf> {
        self.inner.place(name)
    }

    fn lock(&self, name: &str) -> Result<Box<dyn StoreGuard>> {
        self.inner.lock(name)
    }
}

fn key_of(name: &str) -> Option<&'static str> {
    SECRETS.iter().find(|(secret, _)| *secret == name).map(|(_, key)| *key)
}

fn sealed_name(name: &str) -> String {
    format!("sealed-{name}")
}

fn key_name(id: StoreId, key: &str) -> String {
    format!("{id}/{key}")
}

fn aad(id: StoreId, name: &str) -> Vec<u8> {
    labelled(labels::KEYRING, &[id.as_bytes(), name.as_bytes()])
}

fn key_missing() -> Error {
    let message = "the system's keyring does not hold the key that seals this state folder's secrets";
    Error::new(ErrorKind::State, "keyring_key_missing", message).with_hint(
        "If you have another desktop session or keyring, use that one. Else sign in again: nothing else is lost. Ops \
         members need the account key from the recovery kit.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    /// A keyring that lives as long as the test; the real one is in the command line's tests.
    impl Keyring for MemoryStore {
        fn find(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
            self.load(name)
        }

        fn keep(&self, name: &str, key: &[u8]) -> Result<()> {
            self.save(name, key)
        }

        fn forget(&self, name: &str) -> Result<()> {
            self.remove(name)
        }
    }

    fn sign_in(disk: &MemoryStore, keyring: &MemoryStore, seal: bool) -> SealedStore {
        SealedStore::sign_in(Arc::new(disk.clone()), Arc::new(keyring.clone()), seal).unwrap()
    }

    fn has(disk: &MemoryStore, name: &str) -> bool {
        disk.load(name).unwrap().is_some()
    }

    #[test]
    fn a_sealed_blob_opens_under_its_own_name_only() {
        let (disk, keyring) = (MemoryStore::new(), MemoryStore::new());
        let store = sign_in(&disk, &keyring, true);
        store.save(SEED, &[1; 32]).unwrap();
        store.save(SESSION, b"tokens").unwrap();
        store.save("log", b"no secret").unwrap();
        assert_eq!(disk.load("log").unwrap().unwrap().as_slice(), b"no secret");
        assert!(!has(&disk, SEED) && !has(&disk, SESSION));
        let later = SealedStore::new(Arc::new(disk.clone()), Arc::new(keyring.clone()));
        assert_eq!(later.load(SEED).unwrap().unwrap().as_slice(), &[1; 32]);
        disk.save("sealed-seed", &disk.load("sealed-session").unwrap().unwrap()).unwrap();
        assert_eq!(later.load(SEED).unwrap_err().code(), "keyring_key_missing");
    }

    #[test]
    fn what_a_crash_left_of_moving_is_moved_by_the_next_sign_in() {
        let (disk, keyring) = (MemoryStore::new(), MemoryStore::new());
        disk.save(SEED, &[1; 32]).unwrap();
        disk.save(SESSION, b"tokens").unwrap();
        disk.save(ACCOUNT_KEY, &[2; 16]).unwrap();
        sign_in(&disk, &keyring, true);
        // Between sealing and removing: both are there, and the disk is not called sealed.
        disk.save(SEED, &[1; 32]).unwrap();
        assert!(!SealedStore::session_is_sealed(&disk).unwrap());
        let store = sign_in(&disk, &keyring, true);
        assert!(SealedStore::session_is_sealed(&disk).unwrap() && !has(&disk, ACCOUNT_KEY));
        assert_eq!(store.load(ACCOUNT_KEY).unwrap().unwrap().as_slice(), &[2; 16]);
        let store = sign_in(&disk, &keyring, false);
        assert_eq!(store.load(SEED).unwrap().unwrap().as_slice(), &[1; 32]);
        assert!(has(&disk, SEED) && has(&disk, SESSION) && has(&disk, ACCOUNT_KEY) && !has(&disk, MARK));
    }

    #[test]
    fn a_lost_key_is_replaced_by_signing_in_only() {
        let (disk, keyring) = (MemoryStore::new(), MemoryStore::new());
        sign_in(&disk, &keyring, true).save(SESSION, b"tokens").unwrap();
        let other = MemoryStore::new();
        let later = SealedStore::new(Arc::new(disk.clone()), Arc::new(other.clone()));
        assert_eq!(later.save(SESSION, b"renewed").unwrap_err().code(), "keyring_key_missing");
        let store = sign_in(&disk, &other, true);
        assert_eq!(store.load(SESSION).unwrap(), None);
        store.save(SESSION, b"new").unwrap();
        assert_eq!(later.load(SESSION).unwrap().unwrap().as_slice(), b"new");
    }
}
