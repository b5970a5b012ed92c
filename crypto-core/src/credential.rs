//! Credentials (protocol §3): one signed record for registration, password change, recovery and rotation. A
//! stolen session changes no password, and an old envelope can't come back.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    account::Account,
    bundle::VerifiedBundle,
    error::failures,
    id::{Digest, RecordId},
    record::{RawRecord, RecordError, Signed},
    records::Credential,
};

failures! {
    /// Why a credential was refused.
    #[derive(Copy)]
    CredentialError {
        /// Of another person, organisation, bundle or generation.
        Signer = "credential_signer", "the credential is not signed by this account's keys";
        /// Epochs begin at 1 and go up by one.
        Epoch = "credential_epoch", "the credential's epoch is not the next one";
        /// It does not follow the credential before.
        Previous = "credential_previous", "the credential does not follow the one before";
        /// Not the server's nonce for this change: a replay.
        Nonce = "credential_nonce", "the credential does not answer the server's challenge";
        /// The OPAQUE record beside it is another one.
        OpaqueRecord = "credential_opaque_record", "the password record is not the one that the credential names";
        /// The envelope beside it is another one.
        Envelope = "credential_envelope", "the envelope is not the one that the credential names";
        /// The envelope's flag is another one.
        AccountKey = "credential_account_key", "the credential and the envelope disagree about the account key";
        /// Older than one that this device has seen.
        Rollback = "credential_rollback", "the server shows an older credential than it has shown before";
        /// Another one of the same epoch than this device has seen.
        Conflict = "credential_conflict", "the server shows two different credentials for one change";
    }
    from {
        /// The record itself.
        Record(RecordError),
    }
}

/// Where the chain of credentials stands: what a device pins, and what the next credential follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialPin {
    /// From 1.
    pub epoch: u64,
    /// H(credential).
    pub id: RecordId,
}

/// What a credential covers beside who signs it.
#[derive(Debug, Clone, Copy)]
pub struct CredentialChange<'a> {
    /// The server's nonce for this change.
    pub nonce: Digest,
    /// Whether an account key is needed beside the password; what the envelope's flag says.
    pub account_key: bool,
    /// The OPAQUE registration record, 192 bytes.
    pub opaque_record: &'a [u8],
    /// The sealed envelope.
    pub envelope: &'a [u8],
    /// The credential before; `None` at registration.
    pub previous: Option<CredentialPin>,
}

/// A credential that the account's own keys signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCredential(Signed<Credential>);

/// The epoch that follows `previous`; what the envelope is sealed with before the credential is signed.
pub fn next_epoch(previous: Option<CredentialPin>) -> u64 {
    previous.map_or(1, |pin| pin.epoch + 1)
}

/// Signs the credential for `change` with the keys of `account`.
pub fn sign(account: &Account, change: &CredentialChange<'_>) -> Result<VerifiedCredential, RecordError> {
    let record = Credential {
        org_id: account.org_id(),
        signer: account.user_id(),
        signer_bundle: account.bundle().id(),
        generation: account.generation(),
        epoch: next_epoch(change.previous),
        account_key: change.account_key,
        nonce: change.nonce,
        opaque_record: sha256(change.opaque_record),
        envelope: sha256(change.envelope),
        previous: previous_id(change.previous),
    };
    Ok(VerifiedCredential(Signed::sign(record, &account.keys().signing)?))
}

impl VerifiedCredential {
    /// Verifies that the keys of `bundle` signed `raw` about themselves.
    pub fn verify(raw: RawRecord, bundle: &VerifiedBundle) -> Result<Self, CredentialError> {
        let record = Signed::<Credential>::verify(raw, bundle.signing_key())?;
        let signer = (record.org_id, record.signer, record.signer_bundle, record.generation);
        if signer != (bundle.org_id(), bundle.user_id(), bundle.id(), bundle.generation()) {
            return Err(CredentialError::Signer);
        }
        if record.epoch == 0 {
            return Err(CredentialError::Epoch);
        }
        if (record.epoch == 1) != record.previous.is_zero() {
            return Err(CredentialError::Previous);
        }
        Ok(Self(record))
    }

    /// The server's check before it stores a change: nonce, place in the chain, and everything beside it.
    pub fn check_change(&self, change: &CredentialChange<'_>) -> Result<(), CredentialError> {
        if self.0.nonce != change.nonce {
            return Err(CredentialError::Nonce);
        }
        if self.0.epoch != next_epoch(change.previous) {
            return Err(CredentialError::Epoch);
        }
        if self.0.previous != previous_id(change.previous) {
            return Err(CredentialError::Previous);
        }
        if self.0.opaque_record != sha256(change.opaque_record) {
            return Err(CredentialError::OpaqueRecord);
        }
        self.check_envelope(change.envelope, self.0.epoch, change.account_key)
    }

    /// The client's check after it opened `envelope`: the very bytes, of this epoch, with this flag.
    pub fn check_envelope(
        &self,
        envelope: &[u8],
        epoch: u64,
        account_key: bool,
    ) -> Result<(), CredentialError> {
        if self.0.envelope != sha256(envelope) {
            return Err(CredentialError::Envelope);
        }
        if self.0.epoch != epoch {
            return Err(CredentialError::Epoch);
        }
        if self.0.account_key != account_key {
            return Err(CredentialError::AccountKey);
        }
        Ok(())
    }

    /// The client's check against what its device has seen.
    pub fn check_pin(&self, pin: CredentialPin) -> Result<(), CredentialError> {
        match self.0.epoch.cmp(&pin.epoch) {
            std::cmp::Ordering::Less => Err(CredentialError::Rollback),
            std::cmp::Ordering::Equal if self.0.id() != pin.id => Err(CredentialError::Conflict),
            _ => Ok(()),
        }
    }

    /// What to pin, and what the next credential follows.
    pub fn pin(&self) -> CredentialPin {
        CredentialPin { epoch: self.0.epoch, id: self.0.id() }
    }

    /// What it says.
    pub fn get(&self) -> &Credential {
        self.0.get()
    }

    /// As it travels.
    pub fn raw(&self) -> &RawRecord {
        self.0.raw()
    }
}

fn previous_id(previous: Option<CredentialPin>) -> RecordId {
    previous.map_or(RecordId::ZERO, |pin| pin.id)
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::new(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{OrgId, UserId},
        secret::AccountSeed,
    };

    fn account() -> Account {
        Account::derive(&AccountSeed::random(), OrgId::new([1; 32]), UserId::new([2; 16]), 1).unwrap()
    }

    fn change(previous: Option<CredentialPin>) -> CredentialChange<'static> {
        CredentialChange {
            nonce: Digest::new([3; 32]),
            account_key: true,
            opaque_record: b"record",
            envelope: b"envelope",
            previous,
        }
    }

    #[test]
    fn a_chain_is_followed() {
        let account = account();
        let first = sign(&account, &change(None)).unwrap();
        assert_eq!(first.pin().epoch, 1);
        let second = sign(&account, &change(Some(first.pin()))).unwrap();
        let second = VerifiedCredential::verify(second.raw().clone(), account.bundle()).unwrap();
        assert_eq!(second.check_change(&change(Some(first.pin()))), Ok(()));
        assert_eq!(second.check_pin(first.pin()), Ok(()));
        assert_eq!(second.check_pin(second.pin()), Ok(()));
        assert_eq!(first.check_pin(second.pin()), Err(CredentialError::Rollback));
        let other = CredentialPin { id: RecordId::random(), ..second.pin() };
        assert_eq!(second.check_pin(other), Err(CredentialError::Conflict));
        assert_eq!(second.check_change(&change(None)), Err(CredentialError::Epoch));
        let elsewhere = CredentialPin { id: RecordId::random(), ..first.pin() };
        assert_eq!(second.check_change(&change(Some(elsewhere))), Err(CredentialError::Previous));
    }

    #[test]
    fn everything_beside_it_is_bound() {
        let credential = sign(&account(), &change(None)).unwrap();
        let check = |change: CredentialChange<'_>| credential.check_change(&change);
        assert_eq!(check(change(None)), Ok(()));
        assert_eq!(
            check(CredentialChange { nonce: Digest::ZERO, ..change(None) }),
            Err(CredentialError::Nonce)
        );
        assert_eq!(
            check(CredentialChange { opaque_record: b"other", ..change(None) }),
            Err(CredentialError::OpaqueRecord)
        );
        assert_eq!(
            check(CredentialChange { envelope: b"other", ..change(None) }),
            Err(CredentialError::Envelope)
        );
        assert_eq!(
            check(CredentialChange { account_key: false, ..change(None) }),
            Err(CredentialError::AccountKey)
        );
        assert_eq!(credential.check_envelope(b"envelope", 2, true), Err(CredentialError::Epoch));
    }

    #[test]
    fn only_the_accounts_own_keys_sign_it() {
        let (account, other) = (account(), account());
        let theirs = sign(&other, &change(None)).unwrap();
        assert_eq!(
            VerifiedCredential::verify(theirs.raw().clone(), account.bundle()),
            Err(RecordError::BadSignature.into())
        );
        let good = sign(&account, &change(None)).unwrap().get().clone();
        let verify = |record: Credential| {
            let raw = Signed::sign(record, &account.keys().signing).unwrap().into_raw();
            VerifiedCredential::verify(raw, account.bundle()).map(|_| ())
        };
        assert_eq!(verify(good.clone()), Ok(()));
        for wrong in [
            Credential { org_id: OrgId::ZERO, ..good.clone() },
            Credential { signer: UserId::ZERO, ..good.clone() },
            Credential { signer_bundle: RecordId::ZERO, ..good.clone() },
            Credential { generation: 2, ..good.clone() },
        ] {
            assert_eq!(verify(wrong), Err(CredentialError::Signer));
        }
        assert_eq!(verify(Credential { epoch: 0, ..good.clone() }), Err(CredentialError::Epoch));
        assert_eq!(verify(Credential { epoch: 2, ..good.clone() }), Err(CredentialError::Previous));
        let previous = RecordId::random();
        assert_eq!(verify(Credential { previous, ..good }), Err(CredentialError::Previous));
    }
}
