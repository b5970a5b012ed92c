//! A person's public keys (protocol §4, `bundle`). Wrapping and verifying take a [`VerifiedBundle`], and only
//! verification builds one.

use crate::{
    error::failures,
    id::{OrgId, RecordId, UserId},
    kem::{KemPublicKey, KeyError},
    record::{self, RawRecord, RecordError, Signed},
    records::{Bundle, SUITE},
    sign::{Signature, SigningPublicKey},
};

failures! {
    /// Why a bundle was refused.
    BundleError {
        /// Another bundle than the one that was named: the server shows other keys than were certified.
        WrongId = "bundle_mismatch", "the bundle is not the one that was certified";
        /// Not [`SUITE`]: there is nothing to negotiate.
        UnsupportedSuite = "unsupported_suite", "the bundle names a suite that this version does not know";
        /// Generations count from 1.
        Generation = "bundle_generation", "the bundle's generation is not possible";
        /// The Ed25519 key is no canonical point of large order.
        SigningKey = "signing_key_invalid", "the bundle's signing key is not valid";
    }
    from {
        /// The encryption key is not valid.
        KemKey(KeyError),
        /// The record itself.
        Record(RecordError),
    }
}

/// Public keys that are well formed, valid, and signed by their own signing key. Whether they belong to
/// somebody is the log's word, not the bundle's.
///
/// Kept decoded only, 1.4 KB: a log of 100,000 people holds as many.
#[derive(Debug, Clone)]
pub struct VerifiedBundle {
    id: RecordId,
    org_id: OrgId,
    user_id: UserId,
    generation: u64,
    signing_key: SigningPublicKey,
    kem_key: KemPublicKey,
    signature: Signature,
}

impl VerifiedBundle {
    /// Verifies that `raw` is the bundle with the id `expected`: the id, the suite, both keys, and the bundle's
    /// signature under its own key.
    pub fn verify(raw: RawRecord, expected: RecordId) -> Result<Self, BundleError> {
        if raw.id() != expected {
            return Err(BundleError::WrongId);
        }
        let claim: Bundle = raw.claim()?;
        if claim.suite != SUITE {
            return Err(BundleError::UnsupportedSuite);
        }
        if !claim.signing_key.is_valid() {
            return Err(BundleError::SigningKey);
        }
        Self::check(&Signed::verify(raw, &claim.signing_key)?)
    }

    /// What holds beyond the signature; the caller's type proves that one.
    pub(crate) fn check(signed: &Signed<Bundle>) -> Result<Self, BundleError> {
        if signed.generation == 0 {
            return Err(BundleError::Generation);
        }
        signed.kem_key.check()?;
        Ok(Self {
            id: signed.id(),
            org_id: signed.org_id,
            user_id: signed.user_id,
            generation: signed.generation,
            signing_key: signed.signing_key.clone(),
            kem_key: signed.kem_key.clone(),
            signature: signed.raw().signature.clone(),
        })
    }

    /// H(bundle).
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// The organisation it was made for.
    pub fn org_id(&self) -> OrgId {
        self.org_id
    }

    /// Whose keys they claim to be.
    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    /// From 1, up by one at each rotation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Ed25519.
    pub fn signing_key(&self) -> &SigningPublicKey {
        &self.signing_key
    }

    /// X-Wing; checked here, and once more by whoever wraps to it.
    pub fn kem_key(&self) -> &KemPublicKey {
        &self.kem_key
    }

    /// The record as it travels.
    pub fn raw(&self) -> RawRecord {
        let record = Bundle {
            org_id: self.org_id,
            user_id: self.user_id,
            signing_key: self.signing_key.clone(),
            kem_key: self.kem_key.clone(),
            suite: SUITE,
            generation: self.generation,
        };
        record::raw_again(&record, self.signature.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{account::Account, secret::AccountSeed};

    fn account() -> Account {
        Account::derive(&AccountSeed::random(), OrgId::random(), UserId::random(), 1).unwrap()
    }

    fn verify(account: &Account, change: impl FnOnce(&mut Bundle)) -> Result<VerifiedBundle, BundleError> {
        let mut record: Bundle = account.bundle().raw().claim().unwrap();
        change(&mut record);
        let raw = Signed::sign(record, &account.keys().signing).unwrap().into_raw();
        let id = raw.id();
        VerifiedBundle::verify(raw, id)
    }

    fn refused(change: impl FnOnce(&mut Bundle)) -> BundleError {
        verify(&account(), change).unwrap_err()
    }

    #[test]
    fn a_bundle_is_valid_in_every_field() {
        let account = account();
        let verified = verify(&account, |_| ()).unwrap();
        assert_eq!(verified.raw(), account.bundle().raw(), "derived again, byte for byte");
        assert_eq!(refused(|b| b.suite = 2), BundleError::UnsupportedSuite);
        assert_eq!(refused(|b| b.suite = 0), BundleError::UnsupportedSuite);
        assert_eq!(refused(|b| b.generation = 0), BundleError::Generation);
        let no_point = |b: &mut Bundle| b.signing_key = SigningPublicKey::new([0; 32]);
        assert_eq!(refused(no_point), BundleError::SigningKey);
        let zero_x25519 = |b: &mut Bundle| {
            let mut bytes = *b.kem_key.as_bytes();
            bytes[1184..].fill(0);
            b.kem_key = KemPublicKey::new(bytes);
        };
        assert_eq!(refused(zero_x25519), KeyError.into());
        let unreduced = |b: &mut Bundle| {
            let mut bytes = *b.kem_key.as_bytes();
            bytes[..3].fill(0xff);
            b.kem_key = KemPublicKey::new(bytes);
        };
        assert_eq!(refused(unreduced), KeyError.into());
    }

    #[test]
    fn a_bundle_is_signed_by_its_own_key() {
        let other = account();
        let foreign = |b: &mut Bundle| b.signing_key = other.bundle().signing_key().clone();
        assert_eq!(refused(foreign), RecordError::BadSignature.into());
    }

    #[test]
    fn no_bundle_stands_for_another() {
        let (one, other) = (account(), account());
        let shown = VerifiedBundle::verify(other.bundle().raw(), one.bundle().id());
        assert_eq!(shown.unwrap_err(), BundleError::WrongId);
    }
}
