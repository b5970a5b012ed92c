//! Signed pair records that may not have arrived (protocol §5, "Concurrent writers"): kept before they are sent,
//! sent again byte for byte before anything new is signed for the same pair, so that no two records of ours ever
//! claim one place.

use sealpost_api::{
    batch::{FileShare, FileShareResult, FileShareResults, ShareFiles},
    file::{FileView, RekeyFile, ShareFile, ShareResult, ShareResults, UnshareFile},
    problem::Problem,
    routes,
};
use sealpost_crypto::{
    id::{FileId, RecordId, UserId},
    record::{self, RawRecord},
    records::{Share, ShareContext},
    share::SealedShare,
    vault::PairKey,
};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind, Result},
    server::Call,
    signed_in::Inner,
};

/// Blob of the shares that one request carries.
const BATCH: &str = "outbox-batch";
/// Blob of a version that goes live with all its shares.
const REPLACEMENT: &str = "outbox-rekey";

/// A next version with all that goes live with it, signed and on its way.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Replacement {
    pub file_id: FileId,
    pub version: u64,
    pub request: RekeyFile,
}

/// A signed record on its way.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Outgoing {
    Share {
        file_id: FileId,
        share: SealedShare,
        /// The share that it renews.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renews: Option<RecordId>,
    },
    Unshare {
        file_id: FileId,
        record: RawRecord,
    },
}

impl Inner {
    /// Keeps `record`, sends it, and forgets it once the server has decided about it.
    pub(crate) async fn send_pair_record(&self, key: &PairKey, record: Outgoing) -> Result<()> {
        self.device.save(&blob(key), &record)?;
        let outcome = self.post_pair_record(record).await;
        if outcome.as_ref().map_or_else(is_decided, |()| true) {
            self.device.remove(&blob(key))?;
        }
        outcome
    }

    /// Sends again what an interrupted run may not have delivered. Whether the server takes it or has another
    /// record in its place, the pair's history tells afterwards.
    pub(crate) async fn resend_pair_record(&self, key: &PairKey) -> Result<()> {
        if let Some(shares) = self.device.load::<Vec<FileShare>>(BATCH)?
            && let Err(error) = self.deliver_shares(shares).await
            && !is_decided(&error)
        {
            return Err(error);
        }
        self.resend_replacement().await?;
        let Some(record) = self.device.load::<Outgoing>(&blob(key))? else { return Ok(()) };
        match self.post_pair_record(record).await {
            Err(error) if !is_decided(&error) => Err(error),
            _ => self.device.remove(&blob(key)),
        }
    }

    /// Keeps shares of many files, sends them in one request, and forgets them once the server has decided about them.
    /// What it said, in their order: `None` where it took the share.
    pub(crate) async fn send_shares(&self, shares: Vec<FileShare>) -> Result<Vec<Option<Problem>>> {
        self.device.save(BATCH, &shares)?;
        self.deliver_shares(shares).await
    }

    async fn deliver_shares(&self, shares: Vec<FileShare>) -> Result<Vec<Option<Problem>>> {
        let mut asked = Vec::with_capacity(shares.len());
        for share in &shares {
            asked.push((share.file_id, recipient(&share.share)?));
        }
        let request = ShareFiles { shares };
        let answer: Result<FileShareResults> =
            self.caller.post(Call::new(routes::SHARE_FILES, &[]), &request).await;
        let outcome = match answer {
            Ok(FileShareResults { results }) if !results.iter().map(of_what).eq(asked) => Err(undecided()),
            answer => answer.map(|answer| answer.results.into_iter().map(|result| result.problem).collect()),
        };
        if outcome.as_ref().map_or_else(is_decided, |_: &Vec<_>| true) {
            self.device.remove(BATCH)?;
        }
        outcome
    }

    /// Keeps a next version's records and sends them. They are forgotten once the server has refused them, or the version
    /// was seen to be live ([`Inner::forget_replacement`]).
    pub(crate) async fn send_replacement(&self, replacement: Replacement) -> Result<()> {
        self.device.save(REPLACEMENT, &replacement)?;
        let outcome = self.post_replacement(&replacement).await;
        if outcome.as_ref().is_err_and(is_decided) {
            self.forget_replacement()?;
        }
        outcome
    }

    /// As [`Inner::resend_pair_record`], for a next version's records. The caller holds the lock of whoever signs.
    pub(crate) async fn resend_replacement(&self) -> Result<()> {
        let Some(replacement) = self.device.load::<Replacement>(REPLACEMENT)? else { return Ok(()) };
        match self.post_replacement(&replacement).await {
            Err(error) if !is_decided(&error) => Err(error),
            _ => self.forget_replacement(),
        }
    }

    /// The server has decided about the records.
    pub(crate) fn forget_replacement(&self) -> Result<()> {
        self.device.remove(REPLACEMENT)
    }

    async fn post_replacement(&self, replacement: &Replacement) -> Result<()> {
        let Replacement { file_id, version, request } = replacement;
        let live: Result<FileView> =
            self.caller.post(Call::new(routes::REKEY, &[file_id, version]), request).await;
        live.map(drop)
    }

    async fn post_pair_record(&self, record: Outgoing) -> Result<()> {
        match record {
            Outgoing::Share { file_id, share, renews } => {
                let recipient = recipient(&share)?;
                let body = ShareFile { shares: vec![share], renews: renews.into_iter().collect() };
                let answer: ShareResults =
                    self.caller.post(Call::new(routes::SHARE, &[&file_id]), &body).await?;
                match <[ShareResult; 1]>::try_from(answer.results) {
                    Ok([result]) if result.recipient == recipient => {
                        result.problem.map_or(Ok(()), |problem| Err(problem.into()))
                    }
                    _ => Err(undecided()),
                }
            }
            Outgoing::Unshare { file_id, record } => {
                let body = UnshareFile { record };
                self.caller.post_empty(Call::new(routes::UNSHARE, &[&file_id]), Some(&body)).await
            }
        }
    }
}

/// Whom a share of ours is to.
fn recipient(share: &SealedShare) -> Result<UserId> {
    let share: Share = share.record.claim()?;
    Ok(record::parse::<ShareContext>(&share.context.0)?.recipient)
}

/// Which share a result speaks of: the order of the results alone would let the server tell one person's fate as another's.
fn of_what(result: &FileShareResult) -> (FileId, UserId) {
    (result.file_id, result.recipient)
}

/// Whether the server said what became of the record, rather than failing on the way. A record that it refused as
/// invalid (a clock that was off, parts that are gone) must not stand before all that follow.
fn is_decided(error: &Error) -> bool {
    let failed = matches!(error.kind(), ErrorKind::Network | ErrorKind::Server | ErrorKind::NotSignedIn);
    !failed || matches!(error.code(), "record_invalid" | "parts_missing" | "digest_mismatch")
}

fn undecided() -> Error {
    Error::unexpected("the server did not say whether it shared")
}

fn blob(key: &PairKey) -> String {
    format!("outbox-{}", key.recipient)
}
