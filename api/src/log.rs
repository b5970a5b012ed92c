//! The organisation's log (protocol §5).

use schemars::JsonSchema;
use sealpost_crypto::record::RawRecord;
use serde::{Deserialize, Serialize};

use crate::limits::MAX_LOG_PAGE;

/// `GET /log?from=…&limit=…`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
pub struct LogQuery {
    /// Sequence of the first entry wanted.
    #[serde(default)]
    pub from: u64,
    /// Entries wanted, 1 to [`crate::limits::MAX_LOG_PAGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_LOG_PAGE))]
    pub limit: Option<u32>,
}

/// One entry of the log, with the bundle it introduces (genesis, certify, rotate).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LogEntry {
    /// The entry.
    pub record: RawRecord,
    /// The bundle whose hash the entry names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<RawRecord>,
}

/// A page of the log, with the checkpoint over the whole.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LogPage {
    /// The entries from `from` on.
    pub entries: Vec<LogEntry>,
    /// The newest checkpoint; its size tells whether there is more.
    pub checkpoint: RawRecord,
}

/// `POST /log`: appends an entry. Idempotent by the record. When another entry holds the place: 409
/// `log_conflict`, with that entry as `record` of the problem.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AppendLog {
    /// The entry.
    pub record: RawRecord,
}

/// Answer to [`AppendLog`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LogAppended {
    /// Checkpoint over the log with the entry.
    pub checkpoint: RawRecord,
}

/// `POST /log/seen`: what a client presents that is shown a shorter log than it has seen. If this server signed it, its
/// database was restored from a backup, and it appends nothing until its operator confirms.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LogSeen {
    /// The newest checkpoint that the client has verified.
    pub checkpoint: RawRecord,
}
