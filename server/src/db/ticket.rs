//! Download tickets (protocol §7.6): the first request under a ticket counts as a download, all later ones are
//! free. No lock is taken: a row of `tickets` appears once, and a share's counter is raised by a statement that
//! checks the limit in the same breath, so no number of parallel requests can exceed it.

use sealpost_crypto::id::{RecordId, TicketId, UserId};

use super::{DbError, Tx, sql, statements};

statements! {
    LIVE = "SELECT started_at FROM tickets WHERE share_id = $1 AND ticket_id = $2 AND NOT closed \
        AND started_at > $3";
    INSERT = "INSERT INTO tickets (share_id, ticket_id, started_at, closed) VALUES ($1, $2, $3, FALSE) \
        ON CONFLICT (share_id, ticket_id) DO NOTHING";
    REOPEN = "UPDATE tickets SET started_at = $3, closed = FALSE WHERE share_id = $1 AND ticket_id = $2 \
        AND (closed OR started_at <= $4)";
    COUNT = "UPDATE shares SET downloads = downloads + 1 WHERE share_id = $1 AND NOT over AND unshare_id IS NULL \
        AND renewed_by IS NULL AND (expiry = 0 OR expiry > $2) AND (download_limit = 0 OR downloads < download_limit)";
    CLOSE = "UPDATE tickets SET closed = TRUE WHERE share_id = $1 AND ticket_id = $2";
    END_ALL = "DELETE FROM tickets WHERE share_id IN (SELECT share_id FROM shares WHERE recipient = $1)";
    HAND_OVER = "UPDATE tickets SET share_id = $2 WHERE share_id = $1 AND NOT closed";
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

/// Ends every download of somebody.
pub(crate) async fn end_all(tx: &mut Tx, recipient: UserId) -> Result<(), DbError> {
    sql!(tx, execute END_ALL, &recipient.as_bytes()[..])?;
    Ok(())
}

/// Downloads that are under way by a share go on by the one that renewed it, and are not counted twice.
pub(crate) async fn hand_over(tx: &mut Tx, old: RecordId, new: RecordId) -> Result<(), DbError> {
    sql!(tx, execute HAND_OVER, &old.as_bytes()[..], &new.as_bytes()[..])?;
    Ok(())
}

/// Deletes tickets that began before `before`; how many.
pub(crate) async fn sweep(tx: &mut Tx, before: i64, limit: u32) -> Result<u64, DbError> {
    sql!(tx, execute SWEEP, before, i64::from(limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{
        Db,
        tests::{insert_share, on_both},
    };

    const NOW: i64 = 1_800_000_000_000_000;
    const DAY_AGO: i64 = NOW - 86_400_000_000;

    async fn pay_once(db: &Db, share: RecordId, ticket: TicketId, now: i64, since: i64) -> bool {
        let mut tx = db.write().await.unwrap();
        let paid = pay(&mut tx, share, ticket, now, since).await.unwrap();
        if paid {
            tx.commit().await.unwrap();
        }
        paid
    }

    async fn race(db: &Db, share: RecordId, tickets: impl Iterator<Item = TicketId>) -> usize {
        let racers = tickets.map(|ticket| {
            let db = db.clone();
            tokio::spawn(async move { pay_once(&db, share, ticket, NOW, DAY_AGO).await })
        });
        let mut paid = 0;
        for racer in racers.collect::<Vec<_>>() {
            paid += usize::from(racer.await.unwrap());
        }
        paid
    }

    async fn downloads(db: &Db, share: RecordId) -> i64 {
        const DOWNLOADS: &str = "SELECT downloads FROM shares WHERE share_id = $1";
        let mut tx = db.read().await.unwrap();
        sql!(&mut tx, one (i64,): DOWNLOADS, &share.as_bytes()[..]).unwrap().0
    }

    on_both! {
        async fn a_hundred_racers_never_exceed_the_limit(db: Db) {
            let share = insert_share(&db, 0, 7).await;
            assert_eq!(race(&db, share, (0..100).map(|_| TicketId::random())).await, 7);
            assert_eq!(downloads(&db, share).await, 7);
        }

        async fn a_hundred_racers_with_one_ticket_count_once(db: Db) {
            let share = insert_share(&db, 0, 1).await;
            assert_eq!(race(&db, share, (0..100).map(|_| TicketId::new([7; 16]))).await, 100);
            assert_eq!(downloads(&db, share).await, 1);
        }

        async fn a_ticket_is_free_until_it_is_closed_or_a_day_old(db: Db) {
            let (share, ticket) = (insert_share(&db, 0, 2).await, TicketId::random());
            assert!(pay_once(&db, share, ticket, NOW, DAY_AGO).await);
            assert!(pay_once(&db, share, ticket, NOW, DAY_AGO).await);
            assert_eq!(downloads(&db, share).await, 1);

            let mut tx = db.write().await.unwrap();
            close(&mut tx, share, ticket).await.unwrap();
            assert!(!is_live(&mut tx, share, ticket, DAY_AGO).await.unwrap());
            tx.commit().await.unwrap();
            assert!(pay_once(&db, share, ticket, NOW, DAY_AGO).await);
            assert_eq!(downloads(&db, share).await, 2);
            assert!(!pay_once(&db, share, ticket, NOW + 1, NOW).await, "a third download of two");
        }

        async fn an_expired_share_sells_no_tickets(db: Db) {
            let share = insert_share(&db, NOW / 1_000_000, 0).await;
            assert!(!pay_once(&db, share, TicketId::random(), NOW, DAY_AGO).await);
            assert!(pay_once(&db, share, TicketId::random(), NOW - 1_000_000, DAY_AGO).await);
        }
    }
}
