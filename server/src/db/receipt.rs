//! Receipts: recipients' signed statements that every byte arrived.

use sealpost_api::file::ReceiptView;
use sealpost_crypto::{
    encoding::Base64,
    id::{FileId, RecordId, UserId},
    record::Signed,
    records::Receipt,
    share::SealedShare,
};

use super::{
    DbError, Tx, sql, statements,
    value::{Stored, text},
};
use crate::{db::share::Found, paging::Place};

/// Receipts by others for somebody's files, with what one needs to show them.
macro_rules! views {
    ($filter:literal) => {
        concat!(
            "SELECT r.file_id, r.receipt_id, r.received_at, r.record AS receipt, p.record AS share, s.enc, \
                s.ciphertext, v.manifest, v.metadata, q.record AS own_share, o.enc AS own_enc, \
                o.ciphertext AS own_ciphertext \
            FROM receipts r \
                JOIN shares s ON s.share_id = r.share_id \
                JOIN pair_records p ON p.record_id = s.share_id \
                JOIN file_versions v ON v.file_id = s.file_id AND v.version = s.version \
                JOIN shares o ON o.file_id = s.file_id AND o.version = s.version \
                    AND o.recipient = s.sender AND o.unshare_id IS NULL AND o.renewed_by IS NULL \
                JOIN pair_records q ON q.record_id = o.share_id \
            WHERE r.owner = $1 AND r.recipient <> r.owner AND (r.received_at, r.receipt_id) < ($2, $3) ",
            $filter,
            "ORDER BY r.received_at DESC, r.receipt_id DESC LIMIT $4"
        )
    };
}

statements! {
    INSERT = "INSERT INTO receipts (receipt_id, share_id, file_id, owner, recipient, record, received_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (receipt_id) DO NOTHING";
    KNOWN = "SELECT received_at FROM receipts WHERE receipt_id = $1 AND recipient = $2";
    ALL = views!("");
    OF_FILE = views!("AND r.file_id = $5 ");
}

/// A receipt, to the file's owner.
#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    #[sqlx(try_from = "Vec<u8>")]
    file_id: FileId,
    #[sqlx(try_from = "Vec<u8>")]
    receipt_id: RecordId,
    received_at: i64,
    #[sqlx(try_from = "String")]
    receipt: Stored,
    #[sqlx(try_from = "String")]
    share: Stored,
    enc: Vec<u8>,
    ciphertext: Vec<u8>,
    #[sqlx(try_from = "String")]
    manifest: Stored,
    metadata: Vec<u8>,
    #[sqlx(try_from = "String")]
    own_share: Stored,
    own_enc: Vec<u8>,
    own_ciphertext: Vec<u8>,
}

impl Row {
    /// For the wire.
    pub(crate) fn view(self) -> ReceiptView {
        ReceiptView {
            file_id: self.file_id,
            receipt: self.receipt.0,
            share: sealed(self.share, self.enc, self.ciphertext),
            manifest: self.manifest.0,
            metadata: Base64(self.metadata),
            own_share: sealed(self.own_share, self.own_enc, self.own_ciphertext),
        }
    }

    /// Its place in the list.
    pub(crate) fn place(&self) -> Place {
        Place { at: self.received_at, id: self.receipt_id.as_bytes().to_vec() }
    }
}

fn sealed(record: Stored, enc: Vec<u8>, ciphertext: Vec<u8>) -> SealedShare {
    SealedShare { record: record.0, enc: Base64(enc), ciphertext: Base64(ciphertext) }
}

/// Whether this very receipt by `recipient` is stored.
pub(crate) async fn is_known(tx: &mut Tx, id: RecordId, recipient: UserId) -> Result<bool, DbError> {
    Ok(sql!(tx, optional (i64,): KNOWN, &id.as_bytes()[..], &recipient.as_bytes()[..])?.is_some())
}

/// Stores a receipt; fine if it is stored already.
pub(crate) async fn insert(
    tx: &mut Tx,
    receipt: &Signed<Receipt>,
    share: &Found,
    now: i64,
) -> Result<(), DbError> {
    let (id, of) = (receipt.id(), &receipt.share.as_bytes()[..]);
    let (file, owner) = (&share.file_id.as_bytes()[..], &share.sender.as_bytes()[..]);
    let (recipient, record) = (&share.recipient.as_bytes()[..], text(receipt.raw())?);
    sql!(tx, execute INSERT, &id.as_bytes()[..], of, file, owner, recipient, &record, now)?;
    Ok(())
}

/// Receipts for somebody's files, or for one of them, newest first.
pub(crate) async fn page(
    tx: &mut Tx,
    owner: UserId,
    file: Option<FileId>,
    after: &Place,
    limit: u32,
) -> Result<Vec<Row>, DbError> {
    let (owner, id, limit) = (&owner.as_bytes()[..], &after.id[..], i64::from(limit));
    match file {
        None => sql!(tx, all Row: ALL, owner, after.at, id, limit),
        Some(file) => sql!(tx, all Row: OF_FILE, owner, after.at, id, limit, &file.as_bytes()[..]),
    }
}
