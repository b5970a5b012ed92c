//! Which shares of a file run: by the server's list, verified, and by each pair's history.

use sealpost_api::limits::CLOCK_SKEW_SECONDS;
use sealpost_crypto::{
    id::{RecordId, UserId},
    log::Log,
    record,
    records::{Share, ShareContext},
    share::VerifiedShare,
};

use crate::{error::Result, file::OpenFile, session::now, share::Terms, signed_in::Inner};

/// To whom a share of a file was ever made.
pub(super) struct Ever {
    pub recipient: UserId,
    /// Whether it is of the newest version.
    pub is_newest: bool,
}

/// The newest share of a version to one person.
pub(super) struct Running {
    pub recipient: UserId,
    pub share: RecordId,
    expiry: u64,
    limit: u64,
    sequence: u64,
}

impl Running {
    /// Whether it is worth going on with: not for somebody who is no member any more, nor when it is past its time. What
    /// has run out within the last minutes may still run by the server's clock, which takes both.
    pub(super) fn goes_on(&self, log: &Log) -> bool {
        runs(self.expiry, now()) && log.active(self.recipient).is_some()
    }

    /// The terms under which it goes on: its own. What was downloaded already, the server counts on.
    pub(super) fn terms(&self) -> Terms {
        let some = |value: u64| (value != 0).then_some(value);
        Terms { expires_at: some(self.expiry), downloads: some(self.limit) }
    }
}

impl Inner {
    /// Every share of the file, also those that have ended, as far as our own signatures say so.
    pub(super) async fn shares_ever(&self, log: &Log, file: &OpenFile) -> Result<Vec<Ever>> {
        let newest = file.share.manifest().id();
        let mut ever = Vec::new();
        for view in self.share_views(file.file_id()).await? {
            let share = log.verify_authored::<Share>(view.share.record).map_err(crate::convert::author)?;
            let context: ShareContext = record::parse(&share.context.0)?;
            if (share.signer, context.file_id) == (self.profile.user_id, file.file_id()) {
                ever.push(Ever { recipient: context.recipient, is_newest: context.manifest == newest });
            }
        }
        Ok(ever)
    }

    /// The newest share of the file's newest version to each person. Whether it is in force, the pair's history says.
    pub(super) async fn running(&self, log: &Log, file: &OpenFile) -> Result<Vec<Running>> {
        let manifest = file.share.manifest();
        let mut running: Vec<Running> = Vec::new();
        for view in self.share_views(file.file_id()).await? {
            let claimed: Share = view.share.record.claim()?;
            let claimed: ShareContext = record::parse(&claimed.context.0)?;
            if view.unshare.is_some() || claimed.manifest != manifest.id() {
                continue;
            }
            let raw = manifest.raw().clone();
            let share = VerifiedShare::verify(&view.share, raw, log, view.recipient, true)?;
            let context = share.context();
            let (expiry, limit, sequence) = (context.expiry, context.limit, context.pair_sequence);
            running.push(Running {
                recipient: context.recipient,
                share: share.id(),
                expiry,
                limit,
                sequence,
            });
        }
        running.sort_by_key(|share| (share.recipient, std::cmp::Reverse(share.sequence)));
        running.dedup_by_key(|share| share.recipient);
        Ok(running)
    }
}

fn runs(expiry: u64, now: u64) -> bool {
    expiry == 0 || expiry.saturating_add(CLOCK_SKEW_SECONDS) > now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_runs_until_its_time_by_any_clock() {
        assert!(runs(0, u64::MAX), "without an end");
        assert!(runs(u64::MAX, 1_000));
        assert!(runs(1_000, 1_000 + CLOCK_SKEW_SECONDS - 1));
        assert!(!runs(1_000, 1_000 + CLOCK_SKEW_SECONDS));
    }
}
