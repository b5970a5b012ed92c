//! From what the server says about a file to what is known about it: the order of verification (protocol §8,
//! steps 3 to 8). Nothing of a file is shown before it passed here.

use std::sync::Arc;

use sealpost_api::file::FileView;
use sealpost_crypto::{
    account::Account,
    bundle::VerifiedBundle,
    encoding::Base64,
    id::FileId,
    keys::FileKeys,
    log::{Log, Standing, StandingError},
    metadata::{Metadata, Stated},
    record::RawRecord,
    secret::FileKey,
    share::{OpenShareError, SealedShare, ShareError, VerifiedShare},
    vault::OldSeed,
};

use crate::{
    device::Profile,
    error::{Error, Result},
    pairs::Pairs,
    signed_in::Inner,
};

/// A file whose share, manifest, key and metadata were verified and opened.
pub(crate) struct OpenFile {
    pub share: VerifiedShare,
    pub metadata: Metadata,
    pub file_key: FileKey,
    pub keys: Arc<FileKeys>,
}

impl OpenFile {
    pub(crate) fn file_id(&self) -> FileId {
        self.share.context().file_id
    }

    pub(crate) fn version(&self) -> u64 {
        self.share.context().version
    }

    /// Whether the keys that signed the share are not current any more.
    pub(crate) fn is_retired(&self) -> bool {
        self.share.standing() == Standing::Retired
    }

    pub(crate) fn sender_left(&self) -> bool {
        self.share.standing() == Standing::Left
    }
}

/// The parts of a server's answer that speak of one file.
pub(crate) struct Claimed<'a> {
    pub file_id: FileId,
    pub version: u64,
    pub manifest: &'a RawRecord,
    pub metadata: &'a Base64,
    pub share: &'a SealedShare,
}

impl<'a> From<&'a FileView> for Claimed<'a> {
    fn from(view: &'a FileView) -> Self {
        Self {
            file_id: view.file_id,
            version: view.version,
            manifest: &view.manifest,
            metadata: &view.metadata,
            share: &view.share,
        }
    }
}

impl Inner {
    /// Verifies and opens a file that is shared with us (the owner's self share included), and pins it.
    pub(crate) async fn open_file(
        &self,
        log: &Log,
        pairs: &mut Pairs,
        claimed: Claimed<'_>,
    ) -> Result<OpenFile> {
        let me = self.profile.user_id;
        let verify = |seen| VerifiedShare::verify(claimed.share, claimed.manifest.clone(), log, me, seen);
        let share = match verify(false) {
            Err(error) if is_rotated(&error) => self.seen_before(log, pairs, verify(true)?, error).await?,
            outcome => outcome.map_err(|error| self.keep_fork(log, error.into()))?,
        };
        let context = share.context();
        if (context.file_id, context.version) != (claimed.file_id, claimed.version) {
            return Err(other_file());
        }
        self.check_version(log, &share).await?;
        self.check_in_force(log, pairs, &share).await?;
        let file = self.open_verified(log, share, claimed.metadata).await?;
        self.pin_version(file.share.manifest()).await?;
        Ok(file)
    }

    /// A share whose signature does not count by itself: it does if this device has seen it count, or a record that
    /// counts leads to it (§5.4, rule (b)).
    async fn seen_before(
        &self,
        log: &Log,
        pairs: &mut Pairs,
        share: VerifiedShare,
        error: ShareError,
    ) -> Result<VerifiedShare> {
        let context = share.context();
        let pair = pairs.received(self, log, context.sender, context.pair_sequence).await?;
        if pair.live(context.file_id) != Some(share.id()) {
            return Err(not_in_force());
        }
        if pair.counts(context.file_id) { Ok(share) } else { Err(error.into()) }
    }

    /// Verifies and opens whichever version of a file of ours a receipt is for. Its records are our own, and that the
    /// receipt is of a version before the newest takes nothing from it: no pin is held against it, and none is made.
    pub(crate) async fn open_own_version(
        &self,
        log: &Log,
        pairs: &mut Pairs,
        claimed: Claimed<'_>,
    ) -> Result<OpenFile> {
        let me = self.profile.user_id;
        let share = self.own_share(log, pairs, claimed.share, claimed.manifest, me).await?;
        let context = share.context();
        if (context.sender, context.file_id, context.version) != (me, claimed.file_id, claimed.version) {
            return Err(other_file());
        }
        self.open_verified(log, share, claimed.metadata).await
    }

    /// The file key and the metadata of a verified share.
    async fn open_verified(&self, log: &Log, share: VerifiedShare, sealed: &Base64) -> Result<OpenFile> {
        let opened = match share.open(&self.account) {
            Err(OpenShareError::OtherGeneration) => share.open(&self.earlier_keys(log, &share).await?),
            outcome => outcome,
        }?;
        let manifest = share.manifest();
        let stated = Stated { hash: manifest.get().metadata, layout: *manifest.layout() };
        let metadata = Metadata::open(&opened.keys.metadata, &opened.place, &stated, &sealed.0)?;
        Ok(OpenFile { share, metadata, file_key: opened.file_key, keys: Arc::new(opened.keys) })
    }

    /// Our keys of the generation that a share is wrapped to: their seed is in the vault.
    async fn earlier_keys(&self, log: &Log, share: &VerifiedShare) -> Result<Account> {
        let bundle = log.bundle(share.context().recipient_bundle);
        let generation = bundle.map(VerifiedBundle::generation).ok_or(OpenShareError::OtherGeneration)?;
        let all = self.all_earlier_keys().await?;
        let earlier = all.into_iter().find(|account| account.generation() == generation);
        Ok(earlier.ok_or(OpenShareError::OtherGeneration)?)
    }

    /// Our keys of all earlier generations, the newest first.
    pub(crate) async fn all_earlier_keys(&self) -> Result<Vec<Account>> {
        if self.profile.generation == 1 {
            return Ok(Vec::new());
        }
        let Profile { org_id, user_id, .. } = self.profile;
        let vault = self.vault().await?;
        let seeds = vault.vault().old_seeds.iter().rev();
        let derive =
            |(generation, old): (&u64, &OldSeed)| Account::derive(&old.seed, org_id, user_id, *generation);
        Ok(seeds.map(derive).collect::<Result<_, _>>()?)
    }

    /// The share must stand, not ended, in the history of what its sender shared with us.
    async fn check_in_force(&self, log: &Log, pairs: &mut Pairs, share: &VerifiedShare) -> Result<()> {
        let context = share.context();
        let pair = pairs.received(self, log, context.sender, context.pair_sequence).await?;
        if pair.live(share.context().file_id) == Some(share.id()) {
            return Ok(());
        }
        Err(not_in_force())
    }
}

/// The signature is a good one, of keys that were rotated since. Nothing else is asked for what this device has seen: that
/// somebody is revoked as compromised, or had left before they signed, is said about everything it concerns.
pub(crate) fn is_rotated(error: &ShareError) -> bool {
    matches!(error, ShareError::Standing(StandingError::Rotated))
}

pub(crate) fn other_file() -> Error {
    Error::verification("other_file", "the server answers with another file or version")
}

fn not_in_force() -> Error {
    Error::verification(
        "share_not_in_force",
        "the server shows a share that its sender has ended or never made",
    )
}
