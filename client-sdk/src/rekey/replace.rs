//! The transaction: manifest, shares and ends of shares are signed, kept, and sent in one request.

use std::collections::HashSet;

use sealpost_api::file::{CompleteFile, RekeyFile};
use sealpost_crypto::{
    encoding::Base64,
    id::UserId,
    log::Log,
    manifest::VerifiedManifest,
    pair::{PairEntry, PairState},
    share,
    vault::PairKey,
};

use super::reseal::Next;
use crate::{
    contention::Contention,
    error::{Error, ErrorKind, Result},
    file::OpenFile,
    log_sync,
    outbox::Replacement,
    session::now,
    share::OTHERS_SHARE,
    signed_in::Inner,
};

/// What is signed for one request, and what becomes of the pairs' histories with it.
struct Signed {
    request: RekeyFile,
    pairs: Vec<(PairState, PairEntry)>,
}

impl Inner {
    /// Makes the next version live without the accounts `removed`. When another device was first somewhere: look again at
    /// what runs, sign for the next places.
    pub(super) async fn replace(
        &self,
        file: &OpenFile,
        next: &Next,
        removed: &HashSet<UserId>,
    ) -> Result<()> {
        let metadata = file.metadata.seal(&next.fresh.keys.metadata, &next.fresh.place)?;
        let manifest = {
            let log = self.ops_log().await?;
            let draft = next.fresh.draft(&next.digests, &metadata);
            file.share.manifest().sign_next(&log.ops_signer(&self.account)?, draft)?
        };
        let complete = |share| CompleteFile {
            manifest: manifest.raw().clone(),
            metadata: Base64(metadata.clone()),
            share,
        };
        let _guard = self.signing().await?;
        let mut races = Contention::default();
        loop {
            let log = self.ops_log().await?;
            let signed = self.sign_replacement(&log, (file, next, &manifest), removed, &complete).await;
            drop(log);
            let outcome = match signed {
                Ok(signed) => {
                    let (file_id, version) = (next.fresh.place.file_id, next.fresh.place.version);
                    let sent = Replacement { file_id, version, request: signed.request };
                    self.send_replacement(sent).await.map(|()| signed.pairs)
                }
                Err(error) => Err(error),
            };
            match outcome {
                Ok(pairs) => return self.accept(&manifest, pairs).await,
                Err(error) if was_overtaken(&error) => races.lost("pair_conflict", OTHERS_SHARE).await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Signs everything for the next places, by what runs now.
    async fn sign_replacement(
        &self,
        log: &Log,
        (file, next, manifest): (&OpenFile, &Next, &VerifiedManifest),
        removed: &HashSet<UserId>,
        complete: &(dyn Fn(share::SealedShare) -> CompleteFile + Sync),
    ) -> Result<Signed> {
        let me = self.profile.user_id;
        let own_pair = Self::to_sign(self.sent_pair(log, me).await?)?;
        let (own, entry) = self.share_with_self(log, &next.fresh, manifest, &own_pair)?;
        let mut pairs = vec![(own_pair, entry)];
        let (mut shares, mut unshares) = (Vec::new(), Vec::new());
        for running in self.running(log, file).await? {
            let recipient = running.recipient;
            let is_removed = removed.contains(&recipient);
            if !is_removed && !running.goes_on(log) {
                continue;
            }
            let pair = Self::to_sign(self.sent_pair(log, recipient).await?)?;
            // What the history has ended does not come back, whatever the server lists.
            if pair.live(file.file_id()) != Some(running.share) {
                continue;
            }
            if is_removed {
                let signer = log.ops_signer(&self.account)?;
                let (record, entry) = share::unshare(&signer, &pair, file.file_id(), now())?;
                unshares.push(record.into_raw());
                pairs.push((pair, entry));
            } else {
                let granted = (manifest, &next.fresh.file_key);
                let (share, entry) = self.seal_share(log, granted, recipient, &pair, running.terms())?;
                shares.push(share);
                pairs.push((pair, entry));
            }
        }
        Ok(Signed { request: RekeyFile { complete: complete(own), shares, unshares }, pairs })
    }

    /// The server says that it is live. Looked at, and only then taken for granted: until then the records stay where they
    /// are kept, and the same ones are sent again.
    async fn accept(&self, manifest: &VerifiedManifest, pairs: Vec<(PairState, PairEntry)>) -> Result<()> {
        let live = self.newest_own_file(manifest.get().file_id).await?;
        if live.share.manifest().id() != manifest.id() {
            let message = "the server says that the new version is live, and shows another one";
            return Err(Error::verification("rekey_unconfirmed", message));
        }
        for (mut pair, entry) in pairs {
            pair.apply(&entry)?;
            let key = PairKey { sender: pair.sender(), recipient: pair.recipient() };
            self.pin_pair(&key, &pair).await?;
        }
        self.forget_replacement()?;
        self.flush(&*self.log().await).await
    }
}

/// Whether it failed only because others have signed, or the log has grown, since we looked.
fn was_overtaken(error: &Error) -> bool {
    log_sync::is_behind(error)
        || error.kind() == ErrorKind::RecipientUnknown
        || matches!(error.code(), "pair_conflict" | "shares_changed")
}
