//! Download tickets (protocol §7.6): the first request under a ticket counts as a download, all later ones are
//! free. No lock is taken: a row of `tickets` appears once, and a share's counter is raised by a statement that
//! checks the limit in the same breath, so no number of parallel requests can exceed it.

use sealpost_crypto::id::{RecordId, TicketId};

use super::{DbError, Tx, sql, statements};

statements! {
    LIVE = "SELECT started_at FROM tickets WHERE share_id = $1 AND ticket_id = $2 AND NOT closed \
        AND started_at > $3";
    INSERT = "INSERT INTO tickets (share_id, ticket_id, started_at, closed) VALUES ($1, $2, $3, FALSE) \
        ON CONFLICT (share_id, ticket_id) DO NOTHING";
    REOPEN = "UPDATE tickets SET started_at = $3, closed = FALSE WHERE share_id = $1 AND ticket_id = $2 \
        AND (closed OR started_at <= $4)";
    COUNT = "UPDATE shares SET downloads = downloads + 1 WHERE share_id = $1 AND unshare_id IS NULL \
        AND (expiry = 0 OR expiry > $2) AND (download_limit = 0 OR downloads < download_limit)";
    CLOSE = "UPDATE tickets SET closed = TRUE WHERE share_id = $1 AND ticket_id = $2";
    SWEEP = "DELETE FROM tickets WHERE (share_id, ticket_id) IN ( \
        SELECT share_id, ticket_id FROM tickets WHERE started_at <= $1 LIMIT $2)";
}

/// Whether a ticket was paid for, and neither closed nor left to expire.
pub(crate) async fn is_live(
    tx: &mut Tx,
    share: RecordId,
    ticket: TicketId,
    since: i64,
) -> Result<bool, DbError> {
    let (share, ticket) = (&share.as_bytes()[..], &ticket.as_bytes()[..]);
    Ok(sql!(tx, optional (i64,): LIVE, share, ticket, since)?.is_some())
}

/// Pays for a ticket unless it is live already. False if the share allows no further download: then the caller
/// must not commit.
pub(crate) async fn pay(
    tx: &mut Tx,
    share: RecordId,
    ticket: TicketId,
    now: i64,
    since: i64,
) -> Result<bool, DbError> {
    let (share, ticket) = (&share.as_bytes()[..], &ticket.as_bytes()[..]);
    let inserted = sql!(tx, execute INSERT, share, ticket, now)? == 1;
    let is_new = inserted || sql!(tx, execute REOPEN, share, ticket, now, since)? == 1;
    Ok(!is_new || sql!(tx, execute COUNT, share, now / 1_000_000)? == 1)
}

/// Closes a ticket: the download is done.
pub(crate) async fn close(tx: &mut Tx, share: RecordId, ticket: TicketId) -> Result<(), DbError> {
    sql!(tx, execute CLOSE, &share.as_bytes()[..], &ticket.as_bytes()[..])?;
    Ok(())
}

/// Deletes tickets that began before `before`; how many.
pub(crate) async fn sweep(tx: &mut Tx, before: i64, limit: u32) -> Result<u64, DbError> {
    sql!(tx, execute SWEEP, before, i64::from(limit))
}
