//! Shares: who may read which version, on what terms.

use std::collections::HashMap;

use sealpost_api::{
    account::AccountStatus,
    file::{LeftShareView, ShareView},
};
use sealpost_crypto::{
    encoding::Base64,
    id::{FileId, RecordId, UserId},
    share::SealedShare,
};

use super::{
    DbError, Tx, sql, statements,
    value::{StatusColumn, Stored, int, uint},
};
use crate::{blob::VersionKey, check::CheckedShare, paging::Place};

/// Columns of a [`Row`].
macro_rules! columns {
    () => {
        "SELECT s.file_id, s.share_id, s.recipient, p.record AS share, s.enc, s.ciphertext, \
            s.downloads, u.record AS unshare, s.renewed_by, \
            s.created_at, (SELECT r.record FROM receipts r WHERE r.share_id = s.share_id \
                ORDER BY r.received_at DESC LIMIT 1) AS receipt "
    };
}

/// A share's record, and the one that ended it.
macro_rules! records {
    () => {
        "JOIN pair_records p ON p.record_id = s.share_id \
            LEFT JOIN pair_records u ON u.record_id = s.unshare_id "
    };
}

statements! {
    INSERT = "INSERT INTO shares (share_id, file_id, version, sender, recipient, enc, ciphertext, expiry, \
            download_limit, downloads, over, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, FALSE, $10)";
    FIND = "SELECT s.file_id, s.sender, s.recipient, s.unshare_id, s.renewed_by, v.manifest_id AS manifest FROM shares s \
        JOIN file_versions v ON v.file_id = s.file_id AND v.version = s.version WHERE s.share_id = $1";
    EVER = "SELECT share_id FROM shares WHERE file_id = $1 AND recipient = $2 LIMIT 1";
    LIVE = "SELECT share_id FROM shares WHERE file_id = $1 AND recipient = $2 AND NOT over";
    /// Shares past their terms make room for a new one to the same person.
    RETIRE = "UPDATE shares SET over = TRUE WHERE file_id = $1 AND recipient = $2 AND NOT over \
        AND ((expiry > 0 AND expiry <= $3) OR (download_limit > 0 AND downloads >= download_limit))";
    RECORD = "SELECT record FROM pair_records WHERE record_id = $1";
    /// Only while it is in force, and only for a share that allows no more than is left of it. The counter of downloads
    /// is raised under the same row's lock, so none slips in between.
    RENEW = "UPDATE shares SET over = TRUE, renewed_by = $2 WHERE share_id = $1 AND NOT over \
        AND unshare_id IS NULL AND file_id = $3 AND recipient = $4 \
        AND (expiry = 0 OR (expiry > $5 AND $6 > 0 AND $6 <= expiry)) \
        AND (download_limit = 0 OR ($7 > 0 AND $7 <= download_limit - downloads))";
    RETIRE_EXPIRED = "UPDATE shares SET over = TRUE WHERE share_id IN ( \
        SELECT share_id FROM shares WHERE NOT over AND expiry > 0 AND expiry <= $1 LIMIT $2)";
    END = "UPDATE shares SET unshare_id = $2, over = TRUE WHERE share_id = $1 AND unshare_id IS NULL";
    END_ALL = "UPDATE shares SET over = TRUE WHERE file_id = $1 AND NOT over";
    /// Every share of a version to others, in the order of its pair, with the standing of whom it is to.
    OF_VERSION = "SELECT s.share_id AS id, s.recipient, s.expiry, s.download_limit, s.unshare_id, a.status \
        FROM shares s JOIN pair_records p ON p.record_id = s.share_id JOIN accounts a ON a.user_id = s.recipient \
        WHERE s.file_id = $1 AND s.version = $2 AND s.recipient <> s.sender ORDER BY p.sequence";
    RETIRE_VERSION = "UPDATE shares SET over = TRUE WHERE file_id = $1 AND version = $2 AND NOT over";
    CARRY_DOWNLOADS = "UPDATE shares SET downloads = (SELECT o.downloads FROM shares o WHERE o.share_id = $1) \
        WHERE share_id = $2";
    OF_FILE = concat!(columns!(), "FROM shares s ", records!(),
        "WHERE s.file_id = $1 AND s.recipient <> s.sender AND (s.created_at, s.share_id) > ($2, $3) \
        ORDER BY s.created_at, s.share_id LIMIT $4");
    /// How many shares each file on one page of its owner's list has, counted up to a bound.
    COUNT_OF_PAGE = "SELECT (SELECT COUNT(*) FROM (SELECT x.share_id FROM shares x \
                WHERE x.file_id = f.file_id AND x.recipient <> x.sender LIMIT $5) counted) \
        FROM files f WHERE f.owner = $1 AND f.deleted_at IS NULL AND (f.live_at, f.file_id) < ($2, $3) \
        ORDER BY f.live_at DESC, f.file_id DESC LIMIT $4";
    /// The first shares of every file on one page of its owner's list; `$5 + 1` of each file, a few more if
    /// several were made in one microsecond.
    OF_PAGE = concat!(columns!(),
        "FROM (SELECT f.file_id, COALESCE((SELECT x.created_at FROM shares x WHERE x.file_id = f.file_id \
                AND x.recipient <> x.sender ORDER BY x.created_at, x.share_id LIMIT 1 OFFSET $5), \
                9223372036854775807) AS bound \
            FROM files f WHERE f.owner = $1 AND f.deleted_at IS NULL AND (f.live_at, f.file_id) < ($2, $3) \
            ORDER BY f.live_at DESC, f.file_id DESC LIMIT $4) page \
        JOIN shares s ON s.file_id = page.file_id AND s.created_at <= page.bound AND s.recipient <> s.sender ",
        records!(), "ORDER BY s.file_id, s.created_at, s.share_id");
}

/// A share as the file's owner sees it.
#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    /// The file.
    #[sqlx(try_from = "Vec<u8>")]
    pub file_id: FileId,
    #[sqlx(try_from = "Vec<u8>")]
    share_id: RecordId,
    #[sqlx(try_from = "Vec<u8>")]
    recipient: UserId,
    #[sqlx(try_from = "String")]
    share: Stored,
    enc: Vec<u8>,
    ciphertext: Vec<u8>,
    downloads: i64,
    unshare: Option<String>,
    renewed_by: Option<Vec<u8>>,
    created_at: i64,
    receipt: Option<String>,
}

impl Row {
    /// For the wire.
    pub(crate) fn view(self) -> Result<ShareView, DbError> {
        let record = |text: Option<String>| {
            text.map(Stored::try_from).transpose().map(|stored| stored.map(|stored| stored.0))
        };
        Ok(ShareView {
            recipient: self.recipient,
            share: SealedShare {
                record: self.share.0,
                enc: Base64(self.enc),
                ciphertext: Base64(self.ciphertext),
            },
            downloads: uint(self.downloads)?,
            unshare: record(self.unshare).map_err(|_| DbError::Corrupt)?,
            renewed_by: self.renewed_by.as_deref().map(RecordId::from_slice).transpose()?,
            receipt: record(self.receipt).map_err(|_| DbError::Corrupt)?,
        })
    }

    /// For Ops members, once its sender is none any more.
    pub(crate) fn left_view(self) -> Result<LeftShareView, DbError> {
        let downloads = uint(self.downloads)?;
        Ok(LeftShareView { record: self.share.0, downloads, ended: self.unshare.is_some() })
    }

    /// Its place among the file's shares.
    pub(crate) fn place(&self) -> Place {
        Place { at: self.created_at, id: self.share_id.as_bytes().to_vec() }
    }
}

/// A share as records refer to it.
#[derive(sqlx::FromRow)]
pub(crate) struct Found {
    /// The file.
    #[sqlx(try_from = "Vec<u8>")]
    pub file_id: FileId,
    /// Who shared it.
    #[sqlx(try_from = "Vec<u8>")]
    pub sender: UserId,
    /// With whom.
    #[sqlx(try_from = "Vec<u8>")]
    pub recipient: UserId,
    unshare_id: Option<Vec<u8>>,
    renewed_by: Option<Vec<u8>>,
    /// H(manifest) of the version shared.
    #[sqlx(try_from = "Vec<u8>")]
    pub manifest: RecordId,
}

impl Found {
    /// Whether it was unshared, or another one took its place.
    pub(crate) fn is_ended(&self) -> bool {
        self.unshare_id.is_some() || self.renewed_by.is_some()
    }
}

/// The newest share of a version to one person.
#[derive(sqlx::FromRow)]
pub(crate) struct Running {
    /// H(share).
    #[sqlx(try_from = "Vec<u8>")]
    pub id: RecordId,
    /// To whom.
    #[sqlx(try_from = "Vec<u8>")]
    pub recipient: UserId,
    expiry: i64,
    download_limit: i64,
    unshare_id: Option<Vec<u8>>,
    #[sqlx(try_from = "i64")]
    status: StatusColumn,
}

impl Running {
    /// Whether its owner ended it.
    pub(crate) fn is_ended(&self) -> bool {
        self.unshare_id.is_some()
    }

    /// Whether whom it is to is a member.
    pub(crate) fn is_active(&self) -> bool {
        self.status.0 == AccountStatus::Active
    }

    /// Whether it ends like this.
    pub(crate) fn has_terms(&self, expiry: u64, limit: u64) -> bool {
        (self.expiry, self.download_limit) == (int(expiry), int(limit))
    }

    /// Whether a next version must be shared, too. One whose downloads are used up counts: the last may be under way.
    pub(crate) fn goes_on(&self, now: i64) -> bool {
        !self.is_ended() && self.is_active() && (self.expiry == 0 || self.expiry > now / 1_000_000)
    }
}

/// The newest share of a version to each person who had one, the owner apart.
pub(crate) async fn running(tx: &mut Tx, key: VersionKey) -> Result<HashMap<UserId, Running>, DbError> {
    let rows = sql!(tx, all Running: OF_VERSION, &key.file_id.as_bytes()[..], int(key.version))?;
    Ok(rows.into_iter().map(|row| (row.recipient, row)).collect())
}

/// Makes room for the shares of a next version; nobody downloads by these any more.
pub(crate) async fn retire_version(tx: &mut Tx, key: VersionKey) -> Result<(), DbError> {
    sql!(tx, execute RETIRE_VERSION, &key.file_id.as_bytes()[..], int(key.version))?;
    Ok(())
}

/// What was downloaded by one share counts for the one that takes its place.
pub(crate) async fn carry_downloads(tx: &mut Tx, from: RecordId, to: RecordId) -> Result<(), DbError> {
    sql!(tx, execute CARRY_DOWNLOADS, &from.as_bytes()[..], &to.as_bytes()[..])?;
    Ok(())
}

/// A share by its id.
pub(crate) async fn find(tx: &mut Tx, share: RecordId) -> Result<Option<Found>, DbError> {
    sql!(tx, optional Found: FIND, &share.as_bytes()[..])
}

/// Whether a person ever had a share of a file.
pub(crate) async fn was_shared(tx: &mut Tx, file: FileId, recipient: UserId) -> Result<bool, DbError> {
    let (file, recipient) = (&file.as_bytes()[..], &recipient.as_bytes()[..]);
    Ok(sql!(tx, optional (Vec<u8>,): EVER, file, recipient)?.is_some())
}

/// Whether a person has a share of a file that is within its terms; one past them is retired in passing.
pub(crate) async fn is_live(tx: &mut Tx, file: FileId, recipient: UserId, now: i64) -> Result<bool, DbError> {
    let (file, recipient) = (&file.as_bytes()[..], &recipient.as_bytes()[..]);
    sql!(tx, execute RETIRE, file, recipient, now / 1_000_000)?;
    Ok(sql!(tx, optional (Vec<u8>,): LIVE, file, recipient)?.is_some())
}

/// Stores a share whose record is stored in its pair.
pub(crate) async fn insert(tx: &mut Tx, share: &CheckedShare, now: i64) -> Result<(), DbError> {
    let (id, context) = (share.signed().id(), share.context());
    let (file, version) = (&context.file_id.as_bytes()[..], int(context.version));
    let (sender, recipient) = (&context.sender.as_bytes()[..], &context.recipient.as_bytes()[..]);
    let (enc, ciphertext) = (&share.wrapped().enc.as_bytes()[..], &share.wrapped().ciphertext.as_bytes()[..]);
    let (expiry, limit) = (int(context.expiry), int(context.limit));
    let id = &id.as_bytes()[..];
    sql!(tx, execute INSERT, id, file, version, sender, recipient, enc, ciphertext, expiry, limit, now)?;
    Ok(())
}

/// Ends `old` in favour of `new`, which is not stored yet; false if it is not in force, or less is left of it than `new`
/// allows.
pub(crate) async fn renew(tx: &mut Tx, old: RecordId, new: &CheckedShare, now: i64) -> Result<bool, DbError> {
    let (id, context) = (new.signed().id(), new.context());
    let (old, id) = (&old.as_bytes()[..], &id.as_bytes()[..]);
    let (file, recipient) = (&context.file_id.as_bytes()[..], &context.recipient.as_bytes()[..]);
    let (now, expiry, limit) = (now / 1_000_000, int(context.expiry), int(context.limit));
    Ok(sql!(tx, execute RENEW, old, id, file, recipient, now, expiry, limit)? == 1)
}

/// A share's record.
pub(crate) async fn record(tx: &mut Tx, share: RecordId) -> Result<Option<Stored>, DbError> {
    let row = sql!(tx, optional (String,): RECORD, &share.as_bytes()[..])?;
    row.map(|(text,)| Stored::try_from(text).map_err(|_| DbError::Corrupt)).transpose()
}

/// Ends a share.
pub(crate) async fn end(tx: &mut Tx, share: RecordId, unshare: RecordId) -> Result<(), DbError> {
    sql!(tx, execute END, &share.as_bytes()[..], &unshare.as_bytes()[..])?;
    Ok(())
}

/// Takes a deleted file off everybody's list.
pub(crate) async fn end_all(tx: &mut Tx, file: FileId) -> Result<(), DbError> {
    sql!(tx, execute END_ALL, &file.as_bytes()[..])?;
    Ok(())
}

/// A file's shares to others, oldest first.
pub(crate) async fn of_file(
    tx: &mut Tx,
    file: FileId,
    after: &Place,
    limit: u32,
) -> Result<Vec<Row>, DbError> {
    sql!(tx, all Row: OF_FILE, &file.as_bytes()[..], after.at, &after.id[..], i64::from(limit))
}

/// How many shares each file on the page of [`super::file::own`] has, in its order; at most `bound`.
pub(crate) async fn counts(
    tx: &mut Tx,
    owner: UserId,
    after: &Place,
    limit: u32,
    bound: u32,
) -> Result<Vec<u64>, DbError> {
    let (owner, limit, bound) = (&owner.as_bytes()[..], i64::from(limit), i64::from(bound));
    let rows = sql!(tx, all (i64,): COUNT_OF_PAGE, owner, after.at, &after.id[..], limit, bound)?;
    rows.into_iter().map(|(count,)| uint(count)).collect()
}

/// The first shares of each file on the page of [`super::file::own`] with the same arguments: at least
/// `shown + 1` of each that has so many, by file and age.
pub(crate) async fn of_page(
    tx: &mut Tx,
    owner: UserId,
    after: &Place,
    limit: u32,
    shown: u32,
) -> Result<Vec<Row>, DbError> {
    let owner = &owner.as_bytes()[..];
    sql!(tx, all Row: OF_PAGE, owner, after.at, &after.id[..], i64::from(limit), i64::from(shown))
}

/// Takes expired shares off their recipients' lists; how many.
pub(crate) async fn retire_expired(tx: &mut Tx, now: i64, limit: u32) -> Result<u64, DbError> {
    sql!(tx, execute RETIRE_EXPIRED, now / 1_000_000, i64::from(limit))
}
