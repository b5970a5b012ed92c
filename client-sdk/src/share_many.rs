//! Many shares in few requests: signed in the order of their places, a thousand at a time (protocol §7.5).

use std::collections::{BTreeMap, BTreeSet};

use sealpost_api::{batch::FileShare, limits::MAX_SHARES_PER_REQUEST, problem::ErrorCode};
use sealpost_crypto::{
    id::UserId,
    log::Log,
    manifest::VerifiedManifest,
    pair::{PairEntry, PairState},
    secret::FileKey,
    vault::PairKey,
};
use tokio::task::yield_now;

use crate::{
    contention::Contention,
    deliver::is_shared_already,
    error::{Error, Result},
    file::OpenFile,
    share::{OTHERS_SHARE, Terms, cancelled, unproven},
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

/// Histories of what we shared with people.
type Pairs = BTreeMap<UserId, PairState>;

/// What becomes of shares, over several requests.
struct Round<'a> {
    wanted: &'a [Wanted<'a>],
    /// One for each share that is decided.
    outcomes: Vec<Option<Result<UserId>>>,
    /// Whose histories may differ from what we have signed.
    unsettled: BTreeSet<UserId>,
    /// As far as they are signed.
    pairs: Pairs,
    /// Another of our devices took a place that was signed for.
    lost: bool,
}

impl<'a> Round<'a> {
    fn first(wanted: &'a [Wanted<'a>]) -> Self {
        let outcomes = wanted.iter().map(|_| None).collect();
        let unsettled = wanted.iter().map(|share| share.recipient).collect();
        Self { wanted, outcomes, unsettled, pairs: Pairs::new(), lost: false }
    }

    fn open(&self) -> Vec<usize> {
        (0..self.wanted.len()).filter(|at| self.outcomes[*at].is_none()).collect()
    }

    /// Of shares that the server calls made already, those that our own records don't have.
    fn refute(&mut self) {
        for (share, outcome) in self.wanted.iter().zip(&mut self.outcomes) {
            let is_missing = |pair: &PairState| pair.live(share.file.manifest.get().file_id).is_none();
            if matches!(outcome, Some(Err(error)) if is_shared_already(error))
                && self.pairs.get(&share.recipient).is_some_and(is_missing)
            {
                *outcome = Some(Err(unproven()));
            }
        }
    }

    /// Nothing more is tried: what is open has failed, and so has what the server said of histories that were not looked
    /// at since.
    fn give_up(&mut self, error: &Error) {
        for (share, outcome) in self.wanted.iter().zip(&mut self.outcomes) {
            let is_unproven = matches!(outcome, Some(Err(said)) if is_shared_already(said))
                && self.unsettled.contains(&share.recipient);
            if outcome.is_none() || is_unproven {
                *outcome = Some(Err(error.clone()));
            }
        }
    }
}

impl Inner {
    /// Makes all shares; what became of each. When another of our devices took a place: after a wait, look at what it
    /// holds, and sign for the next one, unless it ends a share of the same file (protocol §5.5). The same without a wait
    /// when one share was refused and the places after it moved.
    pub(crate) async fn share_all(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Result<UserId>>> {
        let _guard = self.signing().await?;
        let mut round = Round::first(wanted);
        let mut synced = Pairs::new();
        let mut races = Contention::default();
        while !round.unsettled.is_empty() {
            let (log, pairs) = self.newest_sent_pairs(&std::mem::take(&mut round.unsettled)).await?;
            for pair in pairs {
                if let Some(before) = synced.insert(pair.recipient(), pair.clone()) {
                    self.stop_ended(&log, before, &pair, &mut round).await?;
                }
                round.pairs.insert(pair.recipient(), Self::to_sign(pair)?);
            }
            round.refute();
            round.lost = false;
            for group in round.open().chunks(MAX_SHARES_PER_REQUEST) {
                self.share_group(&log, &mut round, group).await?;
            }
            drop(log);
            if round.lost
                && let Err(error) = races.lost("pair_conflict", OTHERS_SHARE).await
            {
                round.give_up(&error);
                break;
            }
        }
        let lost = || Err(Error::internal("a share was not decided"));
        Ok(round.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect())
    }

    /// Shares that one of our other devices has ended since, at this moment, are not begun again; nor has the server lied that
    /// called them made.
    async fn stop_ended(
        &self,
        log: &Log,
        before: PairState,
        now: &PairState,
        round: &mut Round<'_>,
    ) -> Result<()> {
        let news = self.pair_between(log, before, now).await?;
        let ended: BTreeSet<_> =
            news.iter().filter(|entry| entry.is_unshare()).map(PairEntry::file_id).collect();
        for (share, outcome) in round.wanted.iter().zip(&mut round.outcomes) {
            let is_open = outcome.as_ref().is_none_or(|it| it.as_ref().is_err_and(is_shared_already));
            if is_open
                && share.recipient == now.recipient()
                && ended.contains(&share.file.manifest.get().file_id)
            {
                *outcome = Some(Err(cancelled()));
            }
        }
        Ok(())
    }

    /// One request. Whose history is unsettled is passed over.
    async fn share_group(&self, log: &Log, round: &mut Round<'_>, group: &[usize]) -> Result<()> {
        let (mut sending, mut shares) = (Vec::new(), Vec::new());
        let wanted = round.wanted;
        for at in group.iter().filter(|at| !round.unsettled.contains(&wanted[**at].recipient)) {
            match self.sign_next(log, &mut round.pairs, &wanted[*at]) {
                Ok(share) => {
                    sending.push(*at);
                    shares.push(share);
                }
                Err(error) => round.outcomes[*at] = Some(Err(error)),
            }
            yield_now().await;
        }
        if shares.is_empty() {
            return Ok(());
        }
        for (at, problem) in sending.iter().zip(self.send_shares(shares).await?) {
            let recipient = wanted[*at].recipient;
            match problem {
                None => round.outcomes[*at] = Some(Ok(recipient)),
                Some(problem) => {
                    let is_first = round.unsettled.insert(recipient);
                    if problem.code == ErrorCode::PairConflict {
                        // After a share of ours that was refused, the next ones leave a gap: nobody else was there.
                        round.lost |= is_first;
                    } else {
                        round.outcomes[*at] = Some(Err(problem.into()));
                    }
                }
            }
        }
        let touched: BTreeSet<UserId> = sending.iter().map(|at| wanted[*at].recipient).collect();
        for recipient in touched.difference(&round.unsettled) {
            let key = PairKey { sender: self.profile.user_id, recipient: *recipient };
            if let Some(pair) = round.pairs.get(recipient) {
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
