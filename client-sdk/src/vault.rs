//! The vault and the pins (protocol §3, §5): what this person knows, sealed on the server and merged between
//! devices; and what this device has seen, which it never accepts less than.

use sealpost_api::{account::VaultBlob, routes};
use sealpost_crypto::{
    account::Account,
    credential::{CredentialPin, VerifiedCredential},
    encoding::Base64,
    id::{Digest, FileId},
    log::Log,
    secret::AccountSeed,
    sign::Signature,
    vault::{self, LogPin, OldSeed, PairKey, Pin, Pins, Rest, Vault, VaultOwner},
};
use serde::{Deserialize, Serialize};

use crate::{
    caller::Caller,
    contention::Contention,
    device::Device,
    error::{Error, ErrorKind, Result},
    server::Call,
};

const BLOB: &str = "pins";

/// What the device remembers of the vault between runs.
#[derive(Clone, Serialize, Deserialize)]
struct Seen {
    vault_version: u64,
    vault_hash: Digest,
    pins: Pins,
}

/// The newest vault that was fetched, and this device's pins.
pub(crate) struct Vaulted {
    sealed: Vec<u8>,
    vault: Vault,
    seen: Seen,
    /// Whether this device's blob lacks something.
    unsaved: bool,
    /// Whether the server's vault lacks something of ours.
    pins_changed: bool,
}

/// What sealing and fetching need.
#[derive(Clone, Copy)]
pub(crate) struct VaultAccess<'a> {
    pub caller: &'a Caller,
    pub device: &'a Device,
    pub account: &'a Account,
}

impl VaultAccess<'_> {
    fn owner(&self) -> VaultOwner {
        VaultOwner { org_id: self.account.org_id(), user_id: self.account.user_id() }
    }

    async fn fetch(&self) -> Result<(Vault, VaultBlob)> {
        let blob: VaultBlob = self.caller.get(Call::new(routes::VAULT, &[])).await?;
        let vault = Vault::open(&self.account.keys().vault, &self.owner(), blob.version, &blob.blob.0)?;
        Ok((vault, blob))
    }

    async fn put(&self, vault: &Vault) -> Result<Vec<u8>> {
        let sealed = vault.seal(&self.account.keys().vault, &self.owner())?;
        let blob =
            VaultBlob { version: vault.version, previous: vault.previous, blob: Base64(sealed.clone()) };
        self.caller.post_empty(Call::new(routes::PUT_VAULT, &[]), Some(&blob)).await?;
        Ok(sealed)
    }
}

impl Vaulted {
    /// Fetches the vault and holds it against what this device has seen. One that is missing, does not open or
    /// goes back is an error, never a fresh start. What it says is kept with [`Vaulted::save`] or
    /// [`Vaulted::flush`].
    pub(crate) async fn open(access: VaultAccess<'_>) -> Result<Self> {
        // Before the vault: another process of this device may change both meanwhile.
        let known = access.device.load::<Seen>(BLOB)?;
        let (vault, blob) = access.fetch().await?;
        let hash = vault::sealed_hash(&blob.blob.0);
        let seen = match known {
            Some(seen) => check_not_older(seen, &vault, hash)?,
            None => Seen { vault_version: vault.version, vault_hash: hash, pins: vault.pins.clone() },
        };
        let mut vaulted = Self { sealed: blob.blob.0, vault, seen, unsaved: true, pins_changed: false };
        vaulted.take_over()?;
        Ok(vaulted)
    }

    /// What the vault says.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Holds a credential against the newest that was seen, and pins it: durable with [`Vaulted::flush`].
    pub(crate) fn check_credential(&mut self, credential: &VerifiedCredential) -> Result<()> {
        self.seen.pins.credential = raised(self.seen.pins.credential, credential)?;
        self.unsaved = true;
        self.pins_changed |= self.vault.pins.credential.sequence < self.seen.pins.credential.sequence;
        Ok(())
    }

    /// The newest state of the log that this device, or another one by the vault, has seen.
    pub(crate) fn log_pin(&self) -> LogPin {
        self.seen.pins.log.clone()
    }

    /// How far a pair's records were seen.
    pub(crate) fn pair(&self, key: &PairKey) -> Option<Pin> {
        self.seen.pins.pairs.get(key).copied()
    }

    /// Every pair of which records were seen.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = PairKey> + '_ {
        self.seen.pins.pairs.keys().copied()
    }

    /// Which version of a file was seen.
    pub(crate) fn file(&self, file_id: FileId) -> Option<Pin> {
        self.seen.pins.files.get(&file_id).copied()
    }

    /// Never less than this from now on; durable with [`Vaulted::flush`].
    pub(crate) fn pin_pair(&mut self, key: PairKey, pin: Pin) {
        if self.pair(&key).is_none_or(|known| known.sequence < pin.sequence) {
            self.seen.pins.pairs.insert(key, pin);
            (self.unsaved, self.pins_changed) = (true, true);
        }
    }

    /// As [`Vaulted::pin_pair`]. First versions are pinned on the device only: there is nothing to go back to,
    /// and a vault of every file ever seen would grow without end.
    pub(crate) fn pin_file(&mut self, file_id: FileId, pin: Pin) {
        if self.file(file_id).is_none_or(|known| known.sequence < pin.sequence) {
            self.seen.pins.files.insert(file_id, pin);
            self.unsaved = true;
            self.pins_changed |= pin.sequence > 1;
        }
    }

    /// Makes new pins durable: on this device, and in the vault if it lacks any.
    pub(crate) async fn flush(&mut self, access: VaultAccess<'_>, log: &Log) -> Result<()> {
        if self.unsaved {
            self.save(access.device)?;
        }
        if self.pins_changed {
            self.change(access, |vault| raise_log(vault, log)).await?;
        }
        self.pin_lost_keys(access, log).await
    }

    /// Pins the log in the vault if it says of anybody's keys that they count no more, and the vault does not know: no other
    /// device of ours shall be shown the log from before that.
    pub(crate) async fn pin_lost_keys(&mut self, access: VaultAccess<'_>, log: &Log) -> Result<()> {
        if log.keys_lost_at() <= self.vault.pins.log.size {
            return Ok(());
        }
        self.change(access, |vault| raise_log(vault, log)).await
    }

    /// Changes the vault on the server. `change` runs again on the newest vault whenever another device got in
    /// first, so it says what is wanted, not what was there.
    pub(crate) async fn change(
        &mut self,
        access: VaultAccess<'_>,
        change: impl Fn(&mut Vault),
    ) -> Result<()> {
        let mut races = Contention::default();
        loop {
            let mut next = self.with_our_pins()?;
            change(&mut next);
            next.follow(self.vault.version, &self.sealed);
            match access.put(&next).await {
                Ok(sealed) => {
                    (self.vault, self.sealed, self.pins_changed) = (next, sealed, false);
                    self.take_over()?;
                    return self.save(access.device);
                }
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    races
                        .lost("vault_conflict", "other devices of yours keep saving at the same time")
                        .await?;
                    self.refresh(access).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The vault that follows this one under the account's next keys. The seed of the keys before it stays inside.
    pub(crate) fn for_next_keys(
        &self,
        next: &Account,
        (generation, seed): (u64, AccountSeed),
        credential: &VerifiedCredential,
        log: &Log,
    ) -> Result<VaultBlob> {
        let mut vault = self.with_our_pins()?;
        vault.old_seeds.insert(generation, OldSeed { seed, rest: Rest::new() });
        let pin = credential.pin();
        vault.pins.credential = Pin { sequence: pin.epoch, head: pin.id };
        raise_log(&mut vault, log);
        vault.follow(self.vault.version, &self.sealed);
        let owner = VaultOwner { org_id: next.org_id(), user_id: next.user_id() };
        let sealed = vault.seal(&next.keys().vault, &owner)?;
        Ok(VaultBlob { version: vault.version, previous: vault.previous, blob: Base64(sealed) })
    }

    /// Fetches the vault again: another device may have changed it.
    pub(crate) async fn refresh(&mut self, access: VaultAccess<'_>) -> Result<()> {
        let (vault, blob) = access.fetch().await?;
        let hash = vault::sealed_hash(&blob.blob.0);
        self.seen = check_not_older(self.seen.clone(), &vault, hash)?;
        (self.vault, self.sealed) = (vault, blob.blob.0);
        self.take_over()?;
        self.save(access.device)
    }

    /// The newest vault with this device's pins merged in.
    fn with_our_pins(&self) -> Result<Vault> {
        let mut mine = self.vault.clone();
        mine.pins = self.seen.pins.clone();
        mine.pins.files.retain(|_, pin| pin.sequence > 1);
        Ok(vault::merge(&mine, &self.vault)?)
    }

    /// Takes the vault's pins over where they are higher, and remembers its version.
    fn take_over(&mut self) -> Result<()> {
        let mut mine = self.vault.clone();
        mine.pins = self.seen.pins.clone();
        self.seen.pins = vault::merge(&mine, &self.vault)?.pins;
        self.seen.vault_version = self.vault.version;
        self.seen.vault_hash = vault::sealed_hash(&self.sealed);
        Ok(())
    }

    /// Keeps what was seen, and what another process of this device has kept meanwhile.
    pub(crate) fn save(&mut self, device: &Device) -> Result<()> {
        let _guard = device.hold(BLOB)?;
        let mut seen = self.seen.clone();
        if let Some(kept) = device.load::<Seen>(BLOB)? {
            let with = |pins: &Pins| Vault { pins: pins.clone(), ..self.vault.clone() };
            seen.pins = vault::merge(&with(&kept.pins), &with(&seen.pins))?.pins;
            if kept.vault_version > seen.vault_version {
                (seen.vault_version, seen.vault_hash) = (kept.vault_version, kept.vault_hash);
            }
        }
        // A session that began again meanwhile may have pinned a newer credential.
        self.seen.pins.credential = seen.pins.credential;
        self.unsaved = false;
        device.save(BLOB, &seen)
    }
}

/// Pins the log in the vault, if it has come further.
fn raise_log(vault: &mut Vault, log: &Log) {
    if let Some(position) = log.checkpoint().map(|checkpoint| checkpoint.position())
        && position.size > vault.pins.log.size
    {
        vault.pins.log = LogPin { size: position.size, head: position.head, signature: position.signature };
    }
}

/// Holds a credential against the newest that this device has seen, and pins it; for where no vault is at hand.
pub(crate) fn pin_credential(device: &Device, credential: &VerifiedCredential) -> Result<()> {
    let Some(mut seen) = device.load::<Seen>(BLOB)? else { return Ok(()) };
    seen.pins.credential = raised(seen.pins.credential, credential)?;
    device.save(BLOB, &seen)
}

/// The pin after `credential` was seen; an older or another one is refused.
fn raised(known: Pin, credential: &VerifiedCredential) -> Result<Pin> {
    credential.check_pin(CredentialPin { epoch: known.sequence, id: known.head })?;
    let pin = credential.pin();
    Ok(Pin { sequence: pin.epoch, head: pin.id })
}

fn check_not_older(seen: Seen, vault: &Vault, hash: Digest) -> Result<Seen> {
    let older = vault.version < seen.vault_version;
    let other = vault.version == seen.vault_version && hash != seen.vault_hash;
    let unchained = vault.version == seen.vault_version + 1 && vault.previous != seen.vault_hash;
    if older || other || unchained {
        return Err(Error::verification(
            "vault_rollback",
            "the server shows an older or another vault than before",
        ));
    }
    Ok(seen)
}

/// Nothing was seen of the vault of an account that has just been registered.
pub(crate) fn forget(device: &Device) -> Result<()> {
    device.remove(BLOB)
}

/// The vault of a new account, sealed. The founder's log is not signed by the server yet: zeros stand for that.
pub(crate) fn first(account: &Account, log: &Log, credential: Pin) -> Result<Vec<u8>> {
    let unsigned = || Signature::new([0; Signature::LEN]);
    let signature = log.checkpoint().map_or_else(unsigned, |checkpoint| checkpoint.position().signature);
    let pin = LogPin { size: log.size(), head: log.head(), signature };
    let owner = VaultOwner { org_id: account.org_id(), user_id: account.user_id() };
    Ok(Vault::first(pin, credential).seal(&account.keys().vault, &owner)?)
}
