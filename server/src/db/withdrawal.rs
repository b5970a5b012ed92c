//! Files of former members that were taken out of circulation.

use std::collections::HashMap;

use sealpost_crypto::{
    id::{FileId, UserId},
    record::{RawRecord, Signed},
    records::Withdraw,
};

use super::{
    DbError, Tx, sql, statements,
    value::{record, text},
};
use crate::paging::Place;

statements! {
    FIND = "SELECT file_id FROM withdrawals WHERE file_id = $1";
    INSERT = "INSERT INTO withdrawals (file_id, record_id, record, withdrawn_at) VALUES ($1, $2, $3, $4)";
    /// Of a page of [`super::file::own`]: as many as that has, or fewer.
    OF_PAGE = "SELECT w.file_id, w.record FROM withdrawals w JOIN files f ON f.file_id = w.file_id \
        WHERE f.owner = $1 AND (f.live_at, f.file_id) < ($2, $3) \
        ORDER BY f.live_at DESC, f.file_id DESC LIMIT $4";
}

/// Whether a file was withdrawn.
pub(crate) async fn is_withdrawn(tx: &mut Tx, file: FileId) -> Result<bool, DbError> {
    Ok(sql!(tx, optional (Vec<u8>,): FIND, &file.as_bytes()[..])?.is_some())
}

/// Keeps the record.
pub(crate) async fn insert(tx: &mut Tx, withdraw: &Signed<Withdraw>, now: i64) -> Result<(), DbError> {
    let (file, id) = (&withdraw.file_id.as_bytes()[..], withdraw.id());
    sql!(tx, execute INSERT, file, &id.as_bytes()[..], text(withdraw.raw())?, now)?;
    Ok(())
}

/// The records of the files on the page of [`super::file::own`] with the same arguments.
pub(crate) async fn of_page(
    tx: &mut Tx,
    owner: UserId,
    after: &Place,
    limit: u32,
) -> Result<HashMap<FileId, RawRecord>, DbError> {
    type Row = (Vec<u8>, String);
    let owner = &owner.as_bytes()[..];
    let rows = sql!(tx, all Row: OF_PAGE, owner, after.at, &after.id[..], i64::from(limit))?;
    rows.into_iter().map(|(file, text)| Ok((FileId::from_slice(&file)?, record(&text)?))).collect()
}
