//! Many shares in few requests: signed in the order of their places, a thousand at a time (protocol §7.5).

use std::collections::{BTreeMap, BTreeSet};

use sealpost_api::{batch::FileShare, limits::MAX_SHARES_PER_REQUEST, problem::ErrorCode};
use sealpost_crypto::{
    id::UserId, log::Log, manifest::VerifiedManifest, pair::PairState, secret::FileKey, vault::PairKey,
};
use tokio::task::yield_now;

use crate::{
    deliver::is_shared_already,
    error::{Error, Result},
    file::OpenFile,
    share::{ATTEMPTS, Terms, too_many_conflicts, unproven},
    signed_in::Inner,
};

/// A file of ours that can be shared.
#[derive(Clone)]
pub(crate) struct Granted {
    pub manifest: VerifiedManifest,
    pub file_key: FileKey,
}

impl From<OpenFile> for Granted {
    fn from(file: OpenFile) -> Self {
        Self { manifest: file.share.manifest().clone(), file_key: file.file_key }
    }
}

/// A share to be made. Two of one file to one person are not asked for.
pub(crate) struct Wanted<'a> {
    pub file: &'a Granted,
    pub recipient: UserId,
    pub terms: Terms,
}

/// Histories of what we shared with people, as far as they are signed.
type Pairs = BTreeMap<UserId, PairState>;

/// Of shares that the server calls made already, those that our own records don't have.
fn refute(wanted: &[Wanted<'_>], pairs: &Pairs, outcomes: &mut [Option<Result<UserId>>]) {
    for (share, outcome) in wanted.iter().zip(outcomes) {
        let is_missing = |pair: &PairState| pair.live(share.file.manifest.get().file_id).is_none();
        if matches!(outcome, Some(Err(error)) if is_shared_already(error))
            && pairs.get(&share.recipient).is_some_and(is_missing)
        {
            *outcome = Some(Err(unproven()));
        }
    }
}

impl Inner {
    /// Makes all shares; what became of each. When another of our records took a place, or one share was refused and
    /// the places after it moved: sync, sign for the next places.
    pub(crate) async fn share_all(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Result<UserId>>> {
        let mut outcomes: Vec<Option<Result<UserId>>> = wanted.iter().map(|_| None).collect();
        let _guard = self.signing().await?;
        // Histories that may differ from what we have signed.
        let mut unsettled: BTreeSet<UserId> = wanted.iter().map(|share| share.recipient).collect();
        for _ in 0..ATTEMPTS {
            if unsettled.is_empty() {
                break;
            }
            let log = self.ops_log().await?;
            let mut pairs = Pairs::new();
            for recipient in std::mem::take(&mut unsettled) {
                pairs.insert(recipient, self.pair_to_sign(&log, recipient).await?);
            }
            refute(wanted, &pairs, &mut outcomes);
            let open: Vec<usize> = (0..wanted.len()).filter(|at| outcomes[*at].is_none()).collect();
            for group in open.chunks(MAX_SHARES_PER_REQUEST) {
                self.share_group(&log, &mut pairs, wanted, group, &mut outcomes, &mut unsettled).await?;
            }
        }
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(too_many_conflicts()))).collect())
    }

    /// One request. Whose history is unsettled is passed over.
    async fn share_group(
        &self,
        log: &Log,
        pairs: &mut Pairs,
        wanted: &[Wanted<'_>],
        group: &[usize],
        outcomes: &mut [Option<Result<UserId>>],
        unsettled: &mut BTreeSet<UserId>,
    ) -> Result<()> {
        let (mut sending, mut shares) = (Vec::new(), Vec::new());
        for at in group.iter().filter(|at| !unsettled.contains(&wanted[**at].recipient)) {
            match self.sign_next(log, pairs, &wanted[*at]) {
                Ok(share) => {
                    sending.push(*at);
                    shares.push(share);
                }
                Err(error) => outcomes[*at] = Some(Err(error)),
            }
            yield_now().await;
        }
        if shares.is_empty() {
            return Ok(());
        }
        for (at, problem) in sending.iter().zip(self.send_shares(shares).await?) {
            let recipient = wanted[*at].recipient;
            match problem {
                None => outcomes[*at] = Some(Ok(recipient)),
                Some(problem) => {
                    unsettled.insert(recipient);
                    if problem.code != ErrorCode::PairConflict {
                        outcomes[*at] = Some(Err(problem.into()));
                    }
                }
            }
        }
        let touched: BTreeSet<UserId> = sending.iter().map(|at| wanted[*at].recipient).collect();
        for (recipient, pair) in pairs.iter().filter(|(recipient, _)| touched.contains(recipient)) {
            if !unsettled.contains(recipient) {
                let key = PairKey { sender: self.profile.user_id, recipient: *recipient };
                self.pin_pair(&key, pair).await?;
            }
        }
        Ok(())
    }

    /// Signs a share for the next place of its pair.
    fn sign_next(&self, log: &Log, pairs: &mut Pairs, share: &Wanted<'_>) -> Result<FileShare> {
        let Granted { manifest, file_key } = share.file;
        let pair = pairs.get_mut(&share.recipient).ok_or_else(|| Error::internal("no history"))?;
        let (sealed, entry) =
            self.seal_share(log, (manifest, file_key), share.recipient, pair, share.terms)?;
        pair.apply(&entry)?;
        Ok(FileShare { file_id: manifest.get().file_id, share: sealed })
    }
}
