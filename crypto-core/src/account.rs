//! One's own account: all keys of one generation, and the bundle that names their public halves.

use crate::{
    bundle::{BundleError, VerifiedBundle},
    id::{OrgId, UserId},
    keys::AccountKeys,
    record::Signed,
    records::{Bundle, SUITE},
    secret::AccountSeed,
};

/// An account whose seed is open. Its bundle is derived from the seed, never taken from the server: Ed25519 is
/// deterministic, so the same seed always gives the same bundle, byte for byte (protocol §3).
#[derive(Debug)]
pub struct Account {
    keys: AccountKeys,
    bundle: VerifiedBundle,
}

impl Account {
    /// Derives the keys of `generation` (from 1) from `seed`, and signs their bundle.
    ///
    /// # Errors
    /// [`BundleError`] if the generation is no possible one.
    pub fn derive(
        seed: &AccountSeed,
        org_id: OrgId,
        user_id: UserId,
        generation: u64,
    ) -> Result<Self, BundleError> {
        let keys = AccountKeys::derive(seed);
        let record = Bundle {
            org_id,
            user_id,
            signing_key: keys.signing.public_key(),
            kem_key: keys.kem.public_key().clone(),
            suite: SUITE,
            generation,
        };
        let bundle = VerifiedBundle::check(&Signed::sign(record, &keys.signing)?)?;
        Ok(Self { keys, bundle })
    }

    /// The organisation.
    pub fn org_id(&self) -> OrgId {
        self.bundle.org_id()
    }

    /// Who this is.
    pub fn user_id(&self) -> UserId {
        self.bundle.user_id()
    }

    /// Which generation of keys.
    pub fn generation(&self) -> u64 {
        self.bundle.generation()
    }

    /// The private keys.
    pub fn keys(&self) -> &AccountKeys {
        &self.keys
    }

    /// The public keys.
    pub fn bundle(&self) -> &VerifiedBundle {
        &self.bundle
    }
}
