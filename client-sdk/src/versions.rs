//! Versions of a file (protocol §7.3, §8 step 5): a device that has seen one accepts the same or a newer one that leads back
//! to it.

use sealpost_api::{file::Manifests, limits::MAX_VERSIONS, routes};
use sealpost_crypto::{
    id::FileId,
    log::Log,
    manifest::{PinCheck, VerifiedManifest},
    record::RawRecord,
    share::VerifiedShare,
    vault::Pin,
};

use crate::{
    error::{Error, Result},
    server::Call,
    signed_in::Inner,
};

impl Inner {
    /// Never an older version than was seen, nor another one under the same number; a newer one only by the manifests
    /// between both.
    pub(crate) async fn check_version(&self, log: &Log, share: &VerifiedShare) -> Result<()> {
        let (file_id, manifest) = (share.context().file_id, share.manifest());
        let Some(pin) = self.vault().await?.file(file_id) else { return Ok(()) };
        if manifest.check_pin(&pin)? == PinCheck::Same {
            return Ok(());
        }
        let earlier = self.earlier_manifests(file_id).await?;
        manifest.check_chain(&pin, earlier, log).map_err(|error| self.keep_fork(log, error.into()))
    }

    /// Never less than this version from now on.
    pub(crate) async fn pin_version(&self, manifest: &VerifiedManifest) -> Result<()> {
        let pin = Pin { sequence: manifest.get().version, head: manifest.id() };
        self.vault().await?.pin_file(manifest.get().file_id, pin);
        Ok(())
    }

    /// The manifests of the versions before `newest`, verified, the newest of them first.
    pub(crate) async fn earlier_versions(
        &self,
        log: &Log,
        newest: &VerifiedManifest,
    ) -> Result<Vec<VerifiedManifest>> {
        let earlier = self.earlier_manifests(newest.get().file_id).await?;
        newest.follow_back(earlier, log).map_err(|error| self.keep_fork(log, error.into()))
    }

    /// What the server says that they are.
    async fn earlier_manifests(&self, file_id: FileId) -> Result<Vec<RawRecord>> {
        let answer: Manifests = self.caller.get(Call::new(routes::MANIFESTS, &[&file_id])).await?;
        if answer.manifests.len() as u64 <= MAX_VERSIONS {
            return Ok(answer.manifests);
        }
        Err(Error::verification("version_chain", "the server shows more versions than a file may have"))
    }
}
