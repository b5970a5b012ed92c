//! How a log begins: the founder's genesis, and the founder's bundle with equal fields (protocol §4, §6).

use std::collections::HashMap;

use super::{Generation, Log, Member, Stored};
use crate::{
    account::Account,
    bundle::{BundleError, VerifiedBundle},
    encoding::Text,
    error::failures,
    id::{Digest, OrgId, RecordId, UserId},
    keys::AccountKeys,
    record::{RawRecord, RecordError, Signed},
    records::{Genesis, Role, SUITE},
    secret::AccountSeed,
    sign::SigningPublicKey,
};

/// Greatest length of an organisation's or a person's name in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 256;

failures! {
    /// Why a genesis was refused.
    FoundingError {
        /// Not the suite of this version.
        UnsupportedSuite = "unsupported_suite", "the organisation names a suite that this version does not know";
        /// The first generation is 1.
        Generation = "genesis_generation", "the founder's keys are not of generation 1";
        /// The founder's Ed25519 key is not valid.
        SigningKey = "signing_key_invalid", "the founder's signing key is not valid";
        /// The server's checkpoint key is not valid.
        CheckpointKey = "checkpoint_key_invalid", "the server's checkpoint key is not valid";
        /// Empty, longer than [`MAX_NAME_BYTES`], or with control characters.
        Name = "organisation_name", "an organisation's name has 1 to 256 bytes and no control characters";
        /// The founder's bundle says something else than the genesis.
        BundleDiffers = "genesis_bundle", "the founder's bundle does not agree with the genesis";
    }
    from {
        /// The genesis record itself.
        Record(RecordError),
        /// The founder's bundle.
        Bundle(BundleError),
    }
}

/// What a founder decides.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The founder's account: fresh and random.
    pub user_id: UserId,
    /// Commitment to the founder's opening.
    pub subject: Digest,
    /// The organisation's name, 1 to [`MAX_NAME_BYTES`] bytes.
    pub name: String,
    /// As fetched from the server that will keep the organisation.
    pub checkpoint_key: SigningPublicKey,
    /// Fresh and random.
    pub nonce: Digest,
}

impl Log {
    /// Founds an organisation under the keys of `seed`: its log of one entry, and the founder's account.
    pub fn create(seed: &AccountSeed, founding: Founding) -> Result<(Self, Account), FoundingError> {
        let keys = AccountKeys::derive(seed);
        let genesis = Genesis {
            user_id: founding.user_id,
            subject: founding.subject,
            signing_key: keys.signing.public_key(),
            kem_key: keys.kem.public_key().clone(),
            suite: SUITE,
            generation: 1,
            nonce: founding.nonce,
            name: Text(founding.name),
            checkpoint_key: founding.checkpoint_key,
        };
        let genesis = Signed::sign(genesis, &keys.signing)?;
        let org_id = OrgId::new(*genesis.id().as_bytes());
        let account = Account::derive(seed, org_id, founding.user_id, 1)?;
        let log = Self::found(genesis.into_raw(), account.bundle().raw())?;
        Ok((log, account))
    }

    /// Begins a log with the `genesis` and the founder's `bundle`, both unverified.
    ///
    /// Anybody can make a genesis: the caller compares [`Log::org_id`] with the organisation that it knows
    /// from its envelope or an OFFER.
    pub fn found(genesis: RawRecord, bundle: RawRecord) -> Result<Self, FoundingError> {
        let genesis = verify_genesis(genesis)?;
        let org_id = OrgId::new(*genesis.id().as_bytes());
        let bundle_id = bundle.id();
        let bundle = VerifiedBundle::verify(bundle, bundle_id)?;
        if !agrees(&genesis, org_id, &bundle) {
            return Err(FoundingError::BundleDiffers);
        }
        Ok(Self::begin(org_id, genesis, bundle))
    }

    fn begin(org_id: OrgId, genesis: Signed<Genesis>, bundle: VerifiedBundle) -> Self {
        let founder = Member {
            user_id: genesis.user_id,
            subject: genesis.subject,
            role: Role::Ops,
            admitted: 0,
            certified_by: genesis.user_id,
            offer: RecordId::ZERO,
            replaces: None,
            ended: None,
            first: Generation { bundle: bundle.id(), number: 1, since: 1, until: None },
            later: Vec::new(),
        };
        Self {
            org_id,
            name: genesis.name.0.clone(),
            checkpoint_keys: vec![(1, genesis.checkpoint_key.clone())],
            members: HashMap::from([(founder.user_id, founder)]),
            entries: vec![Stored { id: genesis.id(), bundle: Some(bundle.id()), raw: genesis.into_raw() }],
            bundles: HashMap::from([(bundle.id(), bundle)]),
            active_ops: 1,
            checkpoint: None,
        }
    }
}

fn verify_genesis(raw: RawRecord) -> Result<Signed<Genesis>, FoundingError> {
    let claim: Genesis = raw.claim()?;
    if claim.suite != SUITE {
        return Err(FoundingError::UnsupportedSuite);
    }
    if !claim.signing_key.is_valid() {
        return Err(FoundingError::SigningKey);
    }
    let genesis = Signed::<Genesis>::verify(raw, &claim.signing_key)?;
    if genesis.generation != 1 {
        return Err(FoundingError::Generation);
    }
    if !genesis.checkpoint_key.is_valid() {
        return Err(FoundingError::CheckpointKey);
    }
    if !valid_name(&genesis.name.0) {
        return Err(FoundingError::Name);
    }
    Ok(genesis)
}

fn valid_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
}

fn agrees(genesis: &Genesis, org_id: OrgId, bundle: &VerifiedBundle) -> bool {
    bundle.org_id() == org_id
        && bundle.user_id() == genesis.user_id
        && bundle.signing_key() == &genesis.signing_key
        && bundle.kem_key() == &genesis.kem_key
        && bundle.generation() == genesis.generation
}
