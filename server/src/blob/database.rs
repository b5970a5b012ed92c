//! Blobs as rows, for deployments with one thing to back up. A blob is cut into pieces, so that neither a slow
//! upload holds a transaction open nor a part is ever held whole.

use std::{collections::HashSet, ops::Range};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::{BlobError, BlobId, BlobKey, BlobStore, Body, Content, PutError, VersionKey};
use crate::db::{Db, DbError, Tx, sql, statements, value::int};

/// Bytes in every piece but a blob's last. What is stored depends on it.
const PIECE_BYTES: usize = 256 * 1024;

statements! {
    INSERT = "INSERT INTO part_bytes (file_id, version, blob, piece, bytes) VALUES ($1, $2, $3, $4, $5)";
    READ = "SELECT bytes FROM part_bytes WHERE file_id = $1 AND version = $2 AND blob = $3 AND piece = $4";
    DELETE = "DELETE FROM part_bytes WHERE file_id = $1 AND version = $2 AND blob = $3";
    DELETE_VERSION = "DELETE FROM part_bytes WHERE file_id = $1 AND version = $2";
    BLOBS = "SELECT blob FROM part_bytes WHERE file_id = $1 AND version = $2 AND piece = 0";
}

/// Ciphertext does not compress: kept out of line and unpacked, Postgres reads and writes it faster.
const STORAGE: &str = "SELECT attstorage::text FROM pg_attribute \
    WHERE attrelid = 'part_bytes'::regclass AND attname = 'bytes'";
const SET_STORAGE: &str = "ALTER TABLE part_bytes ALTER COLUMN bytes SET STORAGE EXTERNAL";

/// The store.
#[derive(Clone)]
pub(crate) struct Database {
    db: Db,
}

impl Database {
    /// Over the server's own database.
    pub(crate) async fn open(db: Db) -> Result<Self, DbError> {
        if let Db::Postgres(pool) = &db {
            let (storage,) = sqlx::query_as::<_, (String,)>(STORAGE).fetch_one(pool).await?;
            if storage != "e" {
                sqlx::query(SET_STORAGE).execute(pool).await?;
            }
        }
        Ok(Self { db })
    }

    async fn write(&self, key: BlobKey, mut body: Body) -> Result<(), PutError> {
        let mut buffer = Vec::with_capacity(PIECE_BYTES);
        let mut pieces = 0;
        while let Some(bytes) = body.next().await {
            let mut bytes = bytes?;
            while !bytes.is_empty() {
                let room = PIECE_BYTES - buffer.len();
                buffer.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
                if buffer.len() == PIECE_BYTES {
                    self.insert(key, pieces, &buffer).await?;
                    pieces += 1;
                    buffer.clear();
                }
            }
        }
        if !buffer.is_empty() {
            self.insert(key, pieces, &buffer).await?;
        }
        Ok(())
    }

    async fn insert(&self, key: BlobKey, piece: i64, bytes: &[u8]) -> Result<(), BlobError> {
        let mut tx = self.db.write().await?;
        insert(&mut tx, key, piece, bytes).await?;
        Ok(tx.commit().await?)
    }

    /// The bytes of `range` that lie in its first piece.
    async fn piece(&self, key: BlobKey, range: &Range<u64>) -> Result<Bytes, BlobError> {
        let size = PIECE_BYTES as u64;
        let (number, from) = (range.start / size, range.start % size);
        let until = size.min(from + (range.end - range.start));
        let mut tx = self.db.read().await?;
        let (file, version, blob) = columns(&key);
        let row = sql!(&mut tx, optional (Vec<u8>,): READ, file, version, blob, int(number))?;
        let bytes = Bytes::from(row.ok_or(BlobError::Missing)?.0);
        if (bytes.len() as u64) < until {
            return Err(BlobError::Missing);
        }
        Ok(bytes.slice(from as usize..until as usize))
    }
}

#[async_trait]
impl BlobStore for Database {
    async fn put(&self, key: BlobKey, body: Body) -> Result<(), PutError> {
        let mut unfinished = Unfinished { store: Some(self.clone()), key };
        let written = self.write(key, body).await;
        unfinished.store = None;
        if written.is_err() {
            self.delete(key).await?;
        }
        written
    }

    async fn put_all(&self, blobs: Vec<(BlobKey, Bytes)>) -> Result<(), BlobError> {
        let mut tx = self.db.write().await?;
        for (key, bytes) in &blobs {
            for (number, piece) in (0..).zip(bytes.chunks(PIECE_BYTES)) {
                insert(&mut tx, *key, number, piece).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    async fn read(&self, key: BlobKey, range: Range<u64>) -> Result<Content, BlobError> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        let first = self.piece(key, &range).await?;
        let rest = range.start + first.len() as u64..range.end;
        let store = self.clone();
        let pieces = stream::try_unfold((store, rest), move |(store, rest)| async move {
            if rest.is_empty() {
                return Ok(None);
            }
            let bytes = store.piece(key, &rest).await?;
            let rest = rest.start + bytes.len() as u64..rest.end;
            Ok(Some((bytes, (store, rest))))
        });
        Ok(stream::once(async { Ok(first) }).chain(pieces).boxed())
    }

    async fn delete(&self, key: BlobKey) -> Result<(), BlobError> {
        let mut tx = self.db.write().await?;
        let (file, version, blob) = columns(&key);
        sql!(&mut tx, execute DELETE, file, version, blob)?;
        Ok(tx.commit().await?)
    }

    async fn keep_only(&self, version: VersionKey, keep: &HashSet<BlobId>) -> Result<(), BlobError> {
        let (file, number) = (&version.file_id.as_bytes()[..], int(version.version));
        if keep.is_empty() {
            let mut tx = self.db.write().await?;
            sql!(&mut tx, execute DELETE_VERSION, file, number)?;
            return Ok(tx.commit().await?);
        }
        let mut tx = self.db.read().await?;
        let blobs = sql!(&mut tx, all (Vec<u8>,): BLOBS, file, number)?;
        drop(tx);
        let strays = blobs.iter().filter_map(|(id,)| BlobId::from_slice(id)).filter(|id| !keep.contains(id));
        for id in strays {
            self.delete(BlobKey { version, id }).await?;
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), BlobError> {
        let mut tx = self.db.read().await?;
        Ok(crate::db::server::ping(&mut tx).await?)
    }
}

/// Deletes the pieces of a put that was dropped before its end.
struct Unfinished {
    store: Option<Database>,
    key: BlobKey,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let (Some(store), key) = (self.store.take(), self.key) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = store.delete(key).await {
                tracing::warn!(cause = %error, "an unfinished blob stays until its upload is swept");
            }
        });
    }
}

async fn insert(tx: &mut Tx, key: BlobKey, piece: i64, bytes: &[u8]) -> Result<(), DbError> {
    let (file, version, blob) = columns(&key);
    sql!(tx, execute INSERT, file, version, blob, piece, bytes)?;
    Ok(())
}

fn columns(key: &BlobKey) -> (&[u8], i64, &[u8]) {
    (&key.version.file_id.as_bytes()[..], int(key.version.version), &key.id.as_bytes()[..])
}

impl From<DbError> for BlobError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Full => Self::Full,
            DbError::Unavailable(_) => Self::Unavailable,
            other => Self::Failed(Box::new(other)),
        }
    }
}

impl From<DbError> for PutError {
    fn from(error: DbError) -> Self {
        Self::Store(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{blob::conformance, db::tests};

    #[tokio::test]
    async fn conforms_on_sqlite() {
        let folder = tempfile::tempdir().unwrap();
        conforms(tests::sqlite(folder.path()).await).await;
    }

    #[tokio::test]
    async fn conforms_on_postgres() {
        conforms(tests::postgres().await).await;
    }

    async fn conforms(db: Db) {
        conformance::run(&Database::open(db).await.unwrap()).await;
    }
}
