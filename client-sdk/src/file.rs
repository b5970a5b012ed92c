//! From what the server says about a file to what is known about it: the order of verification (protocol §8,
//! steps 3 to 8). Nothing of a file is shown before it passed here.

use std::sync::Arc;

use sealpost_api::file::FileView;
use sealpost_crypto::{
    encoding::Base64,
    id::FileId,
    keys::FileKeys,
    log::{Log, Standing},
    metadata::{Metadata, Stated},
    record::RawRecord,
    secret::FileKey,
    share::{SealedShare, VerifiedShare},
    vault::Pin,
};

use crate::{
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
        let share = VerifiedShare::verify(claimed.share, claimed.manifest.clone(), log, me, false);
        let share = share.map_err(|error| self.keep_fork(log, error.into()))?;
        let context = share.context();
        if (context.file_id, context.version) != (claimed.file_id, claimed.version) {
            return Err(Error::verification("other_file", "the server answers with another file or version"));
        }
        self.check_version(&share).await?;
        self.check_in_force(log, pairs, &share).await?;
        let file = self.open_verified(share, claimed.metadata)?;
        self.pin_version(&file.share).await?;
        Ok(file)
    }

    /// The file key and the metadata of a verified share.
    fn open_verified(&self, share: VerifiedShare, sealed: &Base64) -> Result<OpenFile> {
        let opened = share.open(&self.account)?;
        let manifest = share.manifest();
        let stated = Stated { hash: manifest.get().metadata, layout: *manifest.layout() };
        let metadata = Metadata::open(&opened.keys.metadata, &opened.place, &stated, &sealed.0)?;
        Ok(OpenFile { share, metadata, file_key: opened.file_key, keys: Arc::new(opened.keys) })
    }

    /// Never an older version than was seen, nor another one under the same number.
    async fn check_version(&self, share: &VerifiedShare) -> Result<()> {
        let context = share.context();
        let Some(pin) = self.vault().await?.file(context.file_id) else { return Ok(()) };
        if context.version < pin.sequence {
            return Err(Error::verification(
                "version_rollback",
                "the server shows an older version than before",
            ));
        }
        if context.version == pin.sequence && context.manifest != pin.head {
            return Err(Error::verification(
                "version_conflict",
                "the owner signed two different files as one version",
            ));
        }
        if context.version > pin.sequence + 1
            || (context.version > pin.sequence && share.manifest().get().previous != pin.head)
        {
            return Err(Error::verification(
                "version_chain",
                "the new version does not follow the one seen before",
            ));
        }
        Ok(())
    }

    /// The share must stand, not ended, in the history of what its sender shared with us.
    async fn check_in_force(&self, log: &Log, pairs: &mut Pairs, share: &VerifiedShare) -> Result<()> {
        let context = share.context();
        let pair = pairs.received(self, log, context.sender, context.pair_sequence).await?;
        if pair.live(share.context().file_id) == Some(share.id()) {
            return Ok(());
        }
        Err(Error::verification(
            "share_not_in_force",
            "the server shows a share that its sender has ended or never made",
        ))
    }

    async fn pin_version(&self, share: &VerifiedShare) -> Result<()> {
        let context = share.context();
        let pin = Pin { sequence: context.version, head: context.manifest };
        self.vault().await?.pin_file(context.file_id, pin);
        Ok(())
    }
}
