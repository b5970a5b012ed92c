//! The organisation's log as rows. Whether it is valid is `org_log`'s to say.

use sealpost_api::log::LogEntry;
use sealpost_crypto::{id::RecordId, record::RawRecord};

use super::{
    DbError, Tx, sql, statements,
    value::{int, record, text, uint},
};

statements! {
    SIZE = "SELECT COUNT(*) FROM log_entries";
    PAGE = "SELECT record, bundle FROM log_entries WHERE sequence >= $1 ORDER BY sequence LIMIT $2";
    NEWEST_CHECKPOINT = "SELECT checkpoint FROM log_entries ORDER BY sequence DESC LIMIT 1";
    AT = "SELECT entry_id, record FROM log_entries WHERE sequence = $1";
    INSERT = "INSERT INTO log_entries (sequence, entry_id, record, bundle, checkpoint, appended_at) \
        VALUES ($1, $2, $3, $4, $5, $6)";
}

/// A new entry.
pub(crate) struct NewEntry<'a> {
    /// Its place.
    pub sequence: u64,
    /// H(record).
    pub id: RecordId,
    /// The entry.
    pub record: &'a RawRecord,
    /// The bundle it introduces.
    pub bundle: Option<&'a RawRecord>,
    /// The server's signature over the log with it.
    pub checkpoint: &'a RawRecord,
}

/// How many entries there are.
pub(crate) async fn size(tx: &mut Tx) -> Result<u64, DbError> {
    let (size,) = sql!(tx, one (i64,): SIZE)?;
    uint(size)
}

/// At most `limit` entries from sequence `from` on.
pub(crate) async fn page(tx: &mut Tx, from: u64, limit: u32) -> Result<Vec<LogEntry>, DbError> {
    type Row = (String, Option<String>);
    let rows = sql!(tx, all Row: PAGE, int(from), i64::from(limit))?;
    let entry = |(entry, bundle): Row| {
        Ok(LogEntry { record: record(&entry)?, bundle: bundle.as_deref().map(record).transpose()? })
    };
    rows.into_iter().map(entry).collect()
}

/// The newest checkpoint; `None` before the organisation is founded.
pub(crate) async fn newest_checkpoint(tx: &mut Tx) -> Result<Option<RawRecord>, DbError> {
    sql!(tx, optional (String,): NEWEST_CHECKPOINT)?.map(|(text,)| record(&text)).transpose()
}

/// The entry at a place.
pub(crate) async fn at(tx: &mut Tx, sequence: u64) -> Result<Option<(RecordId, RawRecord)>, DbError> {
    let row = sql!(tx, optional (Vec<u8>, String): AT, int(sequence))?;
    row.map(|(id, text)| Ok((RecordId::from_slice(&id)?, record(&text)?))).transpose()
}

/// Appends an entry.
pub(crate) async fn insert(tx: &mut Tx, entry: &NewEntry<'_>, now: i64) -> Result<(), DbError> {
    let (id, bundle) = (&entry.id.as_bytes()[..], entry.bundle.map(text).transpose()?);
    let (stored, checkpoint) = (text(entry.record)?, text(entry.checkpoint)?);
    sql!(tx, execute INSERT, int(entry.sequence), id, stored, bundle, checkpoint, now)?;
    Ok(())
}
