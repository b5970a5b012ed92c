//! Shares and unshares between two people, by pair sequence: kept for ever, without gaps.

use sealpost_crypto::{
    id::{RecordId, UserId},
    record::RawRecord,
};

use super::{
    DbError, Tx, sql, statements,
    value::{Stored, int, text, uint},
};

statements! {
    HEAD = "SELECT sequence, record_id, record FROM pair_records \
        WHERE sender = $1 AND recipient = $2 ORDER BY sequence DESC LIMIT 1";
    AT = "SELECT sequence, record_id, record FROM pair_records \
        WHERE sender = $1 AND recipient = $2 AND sequence = $3";
    KNOWN = "SELECT sequence FROM pair_records WHERE record_id = $1 AND sender = $2 AND kind = $3";
    INSERT = "INSERT INTO pair_records (record_id, sender, recipient, sequence, kind, record, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    PAGE = "SELECT sequence, record_id, record FROM pair_records \
        WHERE sender = $1 AND recipient = $2 AND sequence > $3 ORDER BY sequence LIMIT $4";
}

/// Which kind of record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A share.
    Share = 1,
    /// An unshare.
    Unshare = 2,
}

/// A record's place among those of its pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PairPlace {
    /// Who signed it.
    pub sender: UserId,
    /// Whom it is about.
    pub recipient: UserId,
    /// From 1.
    pub sequence: u64,
    /// The record before, or zeros.
    pub previous: RecordId,
}

/// A stored record.
#[derive(sqlx::FromRow)]
pub(crate) struct PairRecord {
    sequence: i64,
    #[sqlx(try_from = "Vec<u8>")]
    record_id: RecordId,
    /// As it travels.
    #[sqlx(try_from = "String")]
    pub record: Stored,
}

impl PairRecord {
    /// Its place, from 1.
    pub(crate) fn sequence(&self) -> Result<u64, DbError> {
        uint(self.sequence)
    }
}

/// Whether this very record of this kind by `sender` is stored.
pub(crate) async fn is_known(tx: &mut Tx, kind: Kind, id: RecordId, sender: UserId) -> Result<bool, DbError> {
    let (id, sender) = (&id.as_bytes()[..], &sender.as_bytes()[..]);
    Ok(sql!(tx, optional (i64,): KNOWN, id, sender, kind as i64)?.is_some())
}

/// The newest record of a pair.
pub(crate) async fn head(
    tx: &mut Tx,
    sender: UserId,
    recipient: UserId,
) -> Result<Option<PairRecord>, DbError> {
    sql!(tx, optional PairRecord: HEAD, &sender.as_bytes()[..], &recipient.as_bytes()[..])
}

/// The record that keeps another one from `place`: the one that stands there, or the newest one if the place is
/// not the next; `None` if the place is free and the next. The caller holds the sender's lock.
pub(crate) async fn obstacle(tx: &mut Tx, place: &PairPlace) -> Result<Option<Obstacle>, DbError> {
    let head = head(tx, place.sender, place.recipient).await?;
    let (sequence, id) = match &head {
        Some(head) => (head.sequence()?, head.record_id),
        None => (0, RecordId::ZERO),
    };
    if place.sequence == sequence + 1 && place.previous == id {
        return Ok(None);
    }
    let (sender, recipient) = (&place.sender.as_bytes()[..], &place.recipient.as_bytes()[..]);
    let there = sql!(tx, optional PairRecord: AT, sender, recipient, int(place.sequence))?;
    Ok(Some(Obstacle { record: there.or(head).map(|record| record.record.0) }))
}

/// What stands in the way.
pub(crate) struct Obstacle {
    /// The record; none if the pair has no record at all.
    pub record: Option<RawRecord>,
}

/// Stores a record at a place that [`obstacle`] found free.
pub(crate) async fn insert(
    tx: &mut Tx,
    place: &PairPlace,
    kind: Kind,
    id: RecordId,
    record: &RawRecord,
    now: i64,
) -> Result<(), DbError> {
    let (sender, recipient) = (&place.sender.as_bytes()[..], &place.recipient.as_bytes()[..]);
    let (id, record) = (&id.as_bytes()[..], text(record)?);
    sql!(tx, execute INSERT, id, sender, recipient, int(place.sequence), kind as i64, &record, now)?;
    Ok(())
}

/// Records of a pair after a sequence, in order.
pub(crate) async fn page(
    tx: &mut Tx,
    sender: UserId,
    recipient: UserId,
    after: u64,
    limit: u32,
) -> Result<Vec<PairRecord>, DbError> {
    let (sender, recipient) = (&sender.as_bytes()[..], &recipient.as_bytes()[..]);
    sql!(tx, all PairRecord: PAGE, sender, recipient, int(after), i64::from(limit))
}
