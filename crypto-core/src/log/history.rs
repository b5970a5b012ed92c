//! The whole log in one file, for people who have never seen the server (protocol §14.1): every entry, the bundles that
//! the entries introduce, and the server's signature over the head.

use serde::{Deserialize, Serialize};

use super::{CheckpointError, FoundingError, Log, LogError};
use crate::{
    error::failures,
    id::OrgId,
    record::{RawRecord, Record},
    records::{Certify, Rotate},
};

failures! {
    /// Why a history was refused.
    HistoryError {
        /// Of another organisation than the one that the reader trusts.
        ForeignOrganisation = "foreign_organisation", "the log is another organisation's";
        /// There is no genesis.
        Empty = "log_incomplete", "the log has no entries";
        /// An entry introduces keys, and their bundle is missing.
        BundleMissing = "log_bundle_missing", "the bundle that an entry introduces is missing";
        /// More bundles than the entries introduce.
        BundleLeft = "log_bundle_unexpected", "a bundle is there that no entry introduces";
    }
    from {
        /// The genesis.
        Founding(FoundingError),
        /// A later entry.
        Entry(LogError),
        /// The server's signature over the head.
        Checkpoint(CheckpointError),
    }
}

/// A log as it travels in one file. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// From genesis to the head.
    entries: Vec<RawRecord>,
    /// Those that genesis, `certify` and `rotate` introduce, in the order of these entries.
    bundles: Vec<RawRecord>,
    /// Covers exactly these entries.
    checkpoint: RawRecord,
}

impl History {
    /// The log as it stands; `None` if the server has not signed its head.
    pub fn of(log: &Log) -> Option<Self> {
        let checkpoint = log.checkpoint().filter(|checkpoint| checkpoint.position().size == log.size())?;
        let entries = log.entries(0).map(|entry| entry.record).collect();
        let bundles = log.entries(0).filter_map(|entry| entry.bundle).collect();
        Some(Self { entries, bundles, checkpoint: checkpoint.raw().clone() })
    }

    /// Verifies every entry against the state before it, from the genesis whose id is `org_id` on, and that the
    /// server signed exactly this head.
    pub fn verify(self, org_id: OrgId) -> Result<Log, HistoryError> {
        let mut bundles = self.bundles.into_iter();
        let mut entries = self.entries.into_iter();
        let genesis = entries.next().ok_or(HistoryError::Empty)?;
        let bundle = bundles.next().ok_or(HistoryError::BundleMissing)?;
        let mut log = Log::found(genesis, bundle)?;
        if log.org_id() != org_id {
            return Err(HistoryError::ForeignOrganisation);
        }
        for record in entries {
            let bundle = if introduces_keys(&record) { bundles.next() } else { None };
            log.apply(record, bundle)?;
        }
        if bundles.next().is_some() {
            return Err(HistoryError::BundleLeft);
        }
        log.accept_checkpoint(self.checkpoint)?;
        Ok(log)
    }
}

fn introduces_keys(entry: &RawRecord) -> bool {
    [Certify::KIND, Rotate::KIND].contains(&entry.kind.as_str())
}
