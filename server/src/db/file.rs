//! Files and their versions: uploads, and what their readers see.

use sealpost_api::{
    file::{FileState, FileView, LeftFileView},
    limits::MAX_SHARES_SHOWN,
};
use sealpost_crypto::{
    encoding::Base64,
    id::{Digest, FileId, RecordId, TicketId, UserId},
    record::RawRecord,
    records::Manifest,
    share::SealedShare,
    size::Layout,
};

use super::{
    DbError, Tx, share, sql, statements,
    value::{Stored, int, text, uint},
};
use crate::{blob::VersionKey, check::CheckedManifest, paging::Place};

/// `file_versions.state` while parts come in.
const UPLOADING: i64 = 1;

/// Columns of a [`Row`].
macro_rules! columns {
    () => {
        "SELECT s.file_id, s.version, v.manifest, v.metadata, p.record AS share, s.enc, s.ciphertext, \
            s.downloads, f.live_at, f.owner, s.share_id, s.created_at, \
            (SELECT r.record FROM receipts r WHERE r.share_id = s.share_id \
                ORDER BY r.received_at DESC LIMIT 1) AS receipt "
    };
}

/// A share with its file, version and record.
macro_rules! joined {
    () => {
        "FROM shares s \
            JOIN files f ON f.file_id = s.file_id \
            JOIN file_versions v ON v.file_id = s.file_id AND v.version = s.version \
            JOIN pair_records p ON p.record_id = s.share_id "
    };
}

statements! {
    OWNER = "SELECT owner FROM files WHERE file_id = $1";
    OPEN_UPLOADS = "SELECT COUNT(*) + (SELECT COUNT(*) FROM file_versions v JOIN files f ON f.file_id = v.file_id \
            WHERE v.state = 1 AND v.version > 1 AND f.owner = $1) \
        FROM files WHERE owner = $1 AND live_at IS NULL AND deleted_at IS NULL";
    INSERT = "INSERT INTO files (file_id, owner, created_at) VALUES ($1, $2, $3)";
    INSERT_VERSION = "INSERT INTO file_versions (file_id, version, state, created_at, updated_at) \
        VALUES ($1, $2, 1, $3, $3)";
    VERSION = "SELECT v.state, v.manifest_id FROM file_versions v \
        JOIN files f ON f.file_id = v.file_id \
        WHERE v.file_id = $1 AND v.version = $2 AND f.owner = $3 AND v.state IN (1, 2, 6, 7)";
    TOUCH = "UPDATE file_versions SET updated_at = $3 WHERE file_id = $1 AND version = $2";
    COMPLETE = "UPDATE file_versions SET state = 2, manifest_id = $3, manifest = $4, metadata = $5, length = $6, \
        digest = $7, updated_at = $8 WHERE file_id = $1 AND version = $2 AND state = 1";
    GO_LIVE = "UPDATE files SET live_version = $2, live_at = $3 WHERE file_id = $1";
    LIVE = "SELECT v.version, v.manifest FROM files f \
        JOIN file_versions v ON v.file_id = f.file_id AND v.version = f.live_version \
        WHERE f.file_id = $1 AND f.owner = $2 AND f.deleted_at IS NULL";
    /// What a reader may see now: not ended, not expired, not used up (but for who holds a live ticket).
    READABLE = concat!(columns!(), joined!(),
        "WHERE s.file_id = $1 AND s.recipient = $2 AND s.unshare_id IS NULL AND s.renewed_by IS NULL AND v.state = 2 \
            AND (s.expiry = 0 OR s.expiry > $3) \
            AND (s.download_limit = 0 OR s.downloads < s.download_limit OR EXISTS ( \
                SELECT 1 FROM tickets t WHERE t.share_id = s.share_id AND (t.ticket_id = $4 OR $6) \
                    AND NOT t.closed AND t.started_at > $5)) \
        ORDER BY s.created_at DESC LIMIT 1");
    OWN = concat!(columns!(), joined!(),
        "WHERE f.owner = $1 AND s.recipient = $1 AND s.version = f.live_version AND s.unshare_id IS NULL \
            AND s.renewed_by IS NULL AND f.deleted_at IS NULL AND (f.live_at, f.file_id) < ($2, $3) \
        ORDER BY f.live_at DESC, f.file_id DESC LIMIT $4");
    SHARED = concat!(columns!(), joined!(),
        "WHERE s.recipient = $1 AND s.sender <> s.recipient AND NOT s.over AND v.state = 2 \
            AND (s.expiry = 0 OR s.expiry > $2) AND (s.download_limit = 0 OR s.downloads < s.download_limit) \
            AND (s.created_at, s.share_id) < ($3, $4) \
        ORDER BY s.created_at DESC, s.share_id DESC LIMIT $5");
    DELETED = "SELECT deleted_at FROM files WHERE file_id = $1 AND deleted_at IS NOT NULL";
    DELETE = "UPDATE files SET deleted_at = $2 WHERE file_id = $1 AND deleted_at IS NULL";
    DELETE_VERSIONS = "UPDATE file_versions SET state = 4, updated_at = $2 WHERE file_id = $1 AND state IN (1, 2)";
    CANCEL_VERSIONS = "UPDATE file_versions SET state = 4, updated_at = $2 WHERE state = 1 \
        AND file_id IN (SELECT f.file_id FROM files f WHERE f.owner = $1)";
    CANCEL_FILES = "UPDATE files SET deleted_at = $2 WHERE owner = $1 AND live_at IS NULL AND deleted_at IS NULL";
    WITHDRAW = "UPDATE file_versions SET state = 5, updated_at = $2 WHERE file_id = $1 AND state = 2";
    /// Deleted versions whose blobs are still to go.
    DELETED_VERSIONS = "SELECT v.file_id, v.version FROM file_versions v WHERE v.state = 4 AND EXISTS ( \
            SELECT 1 FROM parts p WHERE p.file_id = v.file_id AND p.version = v.version) LIMIT $1";
    STALE = "SELECT file_id, version FROM file_versions WHERE state IN (1, 3) AND updated_at <= $1 \
        ORDER BY updated_at LIMIT $2";
    MARK_SWEEPING = "UPDATE file_versions SET state = 3 WHERE file_id = $1 AND version = $2 AND state IN (1, 3) \
        AND updated_at <= $3";
    DELETE_VERSION = "DELETE FROM file_versions WHERE file_id = $1 AND version = $2 AND state = 3";
    DELETE_EMPTY = "DELETE FROM files WHERE file_id = $1 AND live_at IS NULL \
        AND NOT EXISTS (SELECT 1 FROM file_versions v WHERE v.file_id = files.file_id)";
}

/// A version, to its owner.
pub(crate) struct Version {
    /// Where it stands.
    pub state: FileState,
    /// H(manifest) once it is live.
    pub manifest: Option<RecordId>,
}

/// A file as one reader may see it.
#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    #[sqlx(try_from = "Vec<u8>")]
    file_id: FileId,
    version: i64,
    #[sqlx(try_from = "String")]
    manifest: Stored,
    metadata: Vec<u8>,
    #[sqlx(try_from = "String")]
    share: Stored,
    enc: Vec<u8>,
    ciphertext: Vec<u8>,
    downloads: i64,
    live_at: i64,
    #[sqlx(try_from = "Vec<u8>")]
    owner: UserId,
    #[sqlx(try_from = "Vec<u8>")]
    share_id: RecordId,
    created_at: i64,
    receipt: Option<String>,
}

impl Row {
    /// For the wire.
    pub(crate) fn view(self) -> Result<FileView, DbError> {
        Ok(FileView {
            file_id: self.file_id,
            version: uint(self.version)?,
            manifest: self.manifest.0,
            metadata: Base64(self.metadata),
            share: SealedShare {
                record: self.share.0,
                enc: Base64(self.enc),
                ciphertext: Base64(self.ciphertext),
            },
            downloads: uint(self.downloads)?,
            created_at: uint(self.live_at)? / 1_000_000,
            receipt: self
                .receipt
                .map(Stored::try_from)
                .transpose()
                .map_err(|_| DbError::Corrupt)?
                .map(|r| r.0),
        })
    }

    /// What a former member left behind, with its first shares, one more than are shown if there are more.
    pub(crate) fn left_view(
        self,
        shares: Vec<share::Row>,
        withdrawal: Option<RawRecord>,
    ) -> Result<LeftFileView, DbError> {
        let (shown, more_shares) = (MAX_SHARES_SHOWN as usize, shares.len() > MAX_SHARES_SHOWN as usize);
        Ok(LeftFileView {
            file_id: self.file_id,
            version: uint(self.version)?,
            manifest: self.manifest.0,
            created_at: uint(self.live_at)? / 1_000_000,
            shares: shares.into_iter().take(shown).map(share::Row::left_view).collect::<Result<_, _>>()?,
            more_shares,
            withdrawal,
        })
    }

    /// Proof that `reader`, for whom the row was read, may read the version.
    pub(crate) fn access(&self, reader: UserId) -> Result<Access, DbError> {
        let manifest: Manifest = self.manifest.0.claim().map_err(|_| DbError::Corrupt)?;
        Ok(Access {
            version: VersionKey { file_id: self.file_id, version: uint(self.version)? },
            share: self.share_id,
            is_owner: self.owner == reader,
            layout: Layout::for_ciphertext(manifest.length).map_err(|_| DbError::Corrupt)?,
            digest: manifest.digest,
        })
    }

    /// Its place in the owner's list.
    pub(crate) fn own_place(&self) -> Place {
        Place { at: self.live_at, id: self.file_id.as_bytes().to_vec() }
    }

    /// Its place in the recipient's list.
    pub(crate) fn shared_place(&self) -> Place {
        Place { at: self.created_at, id: self.share_id.as_bytes().to_vec() }
    }

    /// The file.
    pub(crate) fn file_id(&self) -> FileId {
        self.file_id
    }
}

/// Proof that somebody may read a version now; only a row that the predicates above let through gives one.
pub(crate) struct Access {
    /// What they may read.
    pub version: VersionKey,
    /// By which share.
    pub share: RecordId,
    /// Whether it is their own file.
    pub is_owner: bool,
    /// How the ciphertext is laid out.
    pub layout: Layout,
    /// The content digest.
    pub digest: Digest,
}

/// Who owns a file, if there is one.
pub(crate) async fn owner(tx: &mut Tx, file: FileId) -> Result<Option<UserId>, DbError> {
    let row = sql!(tx, optional (Vec<u8>,): OWNER, &file.as_bytes()[..])?;
    Ok(row.map(|(owner,)| UserId::from_slice(&owner)).transpose()?)
}

/// Whether its owner deleted a file.
pub(crate) async fn is_deleted(tx: &mut Tx, file: FileId) -> Result<bool, DbError> {
    Ok(sql!(tx, optional (i64,): DELETED, &file.as_bytes()[..])?.is_some())
}

/// Takes a file out of everybody's reach; its records stay.
pub(crate) async fn delete(tx: &mut Tx, file: FileId, now: i64) -> Result<(), DbError> {
    sql!(tx, execute DELETE, &file.as_bytes()[..], now)?;
    sql!(tx, execute DELETE_VERSIONS, &file.as_bytes()[..], now)?;
    Ok(())
}

/// Takes a file out of circulation: its versions are read by nobody any more, and keep their blobs.
pub(crate) async fn withdraw(tx: &mut Tx, file: FileId, now: i64) -> Result<(), DbError> {
    sql!(tx, execute WITHDRAW, &file.as_bytes()[..], now)?;
    Ok(())
}

/// Cancels every upload of somebody that is not complete.
pub(crate) async fn cancel_uploads(tx: &mut Tx, owner: UserId, now: i64) -> Result<(), DbError> {
    let owner = &owner.as_bytes()[..];
    sql!(tx, execute CANCEL_VERSIONS, owner, now)?;
    sql!(tx, execute CANCEL_FILES, owner, now)?;
    Ok(())
}

/// Deleted versions that still have blobs.
pub(crate) async fn deleted(tx: &mut Tx, limit: u32) -> Result<Vec<VersionKey>, DbError> {
    let rows = sql!(tx, all KeyColumns: DELETED_VERSIONS, i64::from(limit))?;
    rows.into_iter().map(key).collect()
}

/// How many unfinished uploads somebody has.
pub(crate) async fn open_uploads(tx: &mut Tx, owner: UserId) -> Result<u64, DbError> {
    let (count,) = sql!(tx, one (i64,): OPEN_UPLOADS, &owner.as_bytes()[..])?;
    uint(count)
}

/// Begins a file with an upload of its first version.
pub(crate) async fn insert(tx: &mut Tx, key: VersionKey, owner: UserId, now: i64) -> Result<(), DbError> {
    sql!(tx, execute INSERT, &key.file_id.as_bytes()[..], &owner.as_bytes()[..], now)?;
    sql!(tx, execute INSERT_VERSION, &key.file_id.as_bytes()[..], int(key.version), now)?;
    Ok(())
}

/// One version of somebody's own file, also one that was replaced since; `None` for everybody else's, and for one that is
/// being swept.
pub(crate) async fn version(tx: &mut Tx, key: VersionKey, owner: UserId) -> Result<Option<Version>, DbError> {
    type Columns = (i64, Option<Vec<u8>>);
    let (file, owner) = (&key.file_id.as_bytes()[..], &owner.as_bytes()[..]);
    let row = sql!(tx, optional Columns: VERSION, file, int(key.version), owner)?;
    row.map(|(state, manifest)| {
        let state = if state == UPLOADING { FileState::Uploading } else { FileState::Live };
        let manifest = manifest.as_deref().map(RecordId::from_slice).transpose()?;
        Ok(Version { state, manifest })
    })
    .transpose()
}

/// Notes that an upload goes on.
pub(crate) async fn touch(tx: &mut Tx, key: VersionKey, now: i64) -> Result<(), DbError> {
    sql!(tx, execute TOUCH, &key.file_id.as_bytes()[..], int(key.version), now)?;
    Ok(())
}

/// Makes an upload live.
pub(crate) async fn complete(
    tx: &mut Tx,
    manifest: &CheckedManifest,
    metadata: &[u8],
    now: i64,
) -> Result<(), DbError> {
    let signed = manifest.signed();
    let (file, id, digest) = (&signed.file_id.as_bytes()[..], signed.id(), &signed.digest.as_bytes()[..]);
    let (version, length, record) = (int(signed.version), int(signed.length), text(signed.raw())?);
    let id = &id.as_bytes()[..];
    match sql!(tx, execute COMPLETE, file, version, id, &record, metadata, length, digest, now)? {
        1 => {}
        _ => return Err(DbError::Conflict),
    }
    sql!(tx, execute GO_LIVE, file, version, now)?;
    Ok(())
}

/// The live version of somebody's own file, with its manifest.
pub(crate) async fn live(
    tx: &mut Tx,
    file: FileId,
    owner: UserId,
) -> Result<Option<(VersionKey, Stored)>, DbError> {
    type Columns = (i64, String);
    let row = sql!(tx, optional Columns: LIVE, &file.as_bytes()[..], &owner.as_bytes()[..])?;
    row.map(|(version, manifest)| {
        let manifest = Stored::try_from(manifest).map_err(|_| DbError::Corrupt)?;
        Ok((VersionKey { file_id: file, version: uint(version)? }, manifest))
    })
    .transpose()
}

/// By what right somebody reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    /// The share's terms alone.
    Terms,
    /// A ticket that was paid for, also when the limit is used up since.
    Ticket(TicketId),
    /// Any such ticket of the share.
    AnyTicket,
}

/// A file as `reader` may see it now. Tickets are live when they began after `tickets_since`.
pub(crate) async fn readable(
    tx: &mut Tx,
    file: FileId,
    reader: UserId,
    by: By,
    now: i64,
    tickets_since: i64,
) -> Result<Option<Row>, DbError> {
    // Nobody can hold the ticket of zeros.
    let ticket = if let By::Ticket(ticket) = by { ticket } else { TicketId::ZERO };
    let any = matches!(by, By::AnyTicket);
    let (file, reader, ticket) = (&file.as_bytes()[..], &reader.as_bytes()[..], &ticket.as_bytes()[..]);
    sql!(tx, optional Row: READABLE, file, reader, now / 1_000_000, ticket, tickets_since, any)
}

/// Somebody's own live files, newest first.
pub(crate) async fn own(tx: &mut Tx, owner: UserId, after: &Place, limit: u32) -> Result<Vec<Row>, DbError> {
    sql!(tx, all Row: OWN, &owner.as_bytes()[..], after.at, &after.id[..], i64::from(limit))
}

/// What others share with somebody now, newest first.
pub(crate) async fn shared(
    tx: &mut Tx,
    recipient: UserId,
    now: i64,
    after: &Place,
    limit: u32,
) -> Result<Vec<Row>, DbError> {
    let recipient = &recipient.as_bytes()[..];
    sql!(tx, all Row: SHARED, recipient, now / 1_000_000, after.at, &after.id[..], i64::from(limit))
}

/// Uploads untouched since `before`, oldest first.
pub(crate) async fn stale(tx: &mut Tx, before: i64, limit: u32) -> Result<Vec<VersionKey>, DbError> {
    let rows = sql!(tx, all KeyColumns: STALE, before, i64::from(limit))?;
    rows.into_iter().map(key).collect()
}

/// File id and version.
type KeyColumns = (Vec<u8>, i64);

fn key((file, version): KeyColumns) -> Result<VersionKey, DbError> {
    Ok(VersionKey { file_id: FileId::from_slice(&file)?, version: uint(version)? })
}

/// Takes an upload out of reach before its blobs go; false if it was touched meanwhile.
pub(crate) async fn mark_sweeping(tx: &mut Tx, key: VersionKey, before: i64) -> Result<bool, DbError> {
    let changed = sql!(tx, execute MARK_SWEEPING, &key.file_id.as_bytes()[..], int(key.version), before)?;
    Ok(changed == 1)
}

/// Deletes the rows of a swept upload; its id is free again.
pub(crate) async fn delete_swept(tx: &mut Tx, key: VersionKey) -> Result<(), DbError> {
    sql!(tx, execute DELETE_VERSION, &key.file_id.as_bytes()[..], int(key.version))?;
    sql!(tx, execute DELETE_EMPTY, &key.file_id.as_bytes()[..])?;
    Ok(())
}
