//! The end of an upload: manifest and self share are signed, and the file exists.

use sealpost_api::{
    file::{CompleteFile, FileView},
    routes,
};
use sealpost_crypto::{
    encoding::Base64,
    id::Digest,
    keys::Place,
    log::Log,
    manifest::{self, VerifiedManifest},
    pair::{PairEntry, PairState},
    share::{self, SealedShare, ShareRequest},
    vault::PairKey,
};

use super::Fresh;
use crate::{
    contention::Contention,
    error::{Error, Result},
    server::Call,
    session::now,
    signed_in::Inner,
};

/// Why a race for a place among the owner's own shares was lost too often.
pub(super) const OTHERS_UPLOAD: &str = "your other uploads keep getting in first";

impl Inner {
    /// Signs manifest and self share, and makes the file exist. When another of our uploads took the place of
    /// the self share: sync, sign for the next place.
    pub(super) async fn complete(&self, fresh: &Fresh, digests: &[Digest], metadata: Vec<u8>) -> Result<()> {
        let manifest = self.sign_manifest(&*self.ops_log().await?, fresh, digests, &metadata)?;
        let me = self.profile.user_id;
        let _guard = self.signing().await?;
        let mut races = Contention::default();
        loop {
            let (log, pair) = self.newest_sent_pair(&|_| Ok(me)).await?;
            let mut pair = Self::to_sign(pair)?;
            let (share, entry) = self.share_with_self(&log, fresh, &manifest, &pair)?;
            let complete =
                CompleteFile { manifest: manifest.raw().clone(), metadata: Base64(metadata.clone()), share };
            let Place { file_id, version, .. } = fresh.place;
            let outcome: Result<FileView> =
                self.caller.post(Call::new(routes::COMPLETE, &[&file_id, &version]), &complete).await;
            match outcome {
                Ok(_) => {
                    pair.apply(&entry)?;
                    self.pin_pair(&PairKey { sender: me, recipient: me }, &pair).await?;
                    return self.flush(&log).await;
                }
                Err(error) if error.code() == "pair_conflict" => drop(log),
                Err(error) => return Err(error),
            }
            races.lost("pair_conflict", OTHERS_UPLOAD).await?;
        }
    }

    pub(super) fn sign_manifest(
        &self,
        log: &Log,
        fresh: &Fresh,
        digests: &[Digest],
        metadata: &[u8],
    ) -> Result<VerifiedManifest> {
        let signer = log.ops_signer(&self.account)?;
        Ok(manifest::sign(&signer, fresh.place.file_id, fresh.draft(digests, metadata))?)
    }

    pub(crate) fn share_with_self(
        &self,
        log: &Log,
        fresh: &Fresh,
        manifest: &VerifiedManifest,
        pair: &PairState,
    ) -> Result<(SealedShare, PairEntry)> {
        let recipient = log.active(self.profile.user_id).ok_or_else(|| Error::internal("not active"))?;
        let request = ShareRequest {
            manifest,
            file_key: &fresh.file_key,
            recipient,
            pair,
            expiry: 0,
            limit: 0,
            time: now(),
        };
        Ok(share::seal(&log.ops_signer(&self.account)?, &request)?)
    }
}
