//! A database that was restored from a backup has a shorter log than the server has signed. Appending to it would sign
//! a second history, and every device that knows the first would prove a fork. So nothing is appended before the
//! operator has confirmed that there is no newer backup ([`crate::Config::confirm_restore`]).
//!
//! Two things give a restore away: a mark in the data folder, outside the database, of how far the log had come; and a
//! client that presents a checkpoint of this server's own key for a longer log than there is.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use sealpost_api::problem::ErrorCode;
use sealpost_crypto::id::RecordId;

use crate::{
    db::{self, Db, DbError, Lock, Tx},
    problem::ApiError,
    setup::{FileError, private_file},
    start::StartError,
};

/// The mark's name in the data folder.
pub(crate) const MARK: &str = "log-mark";

/// How far the log had come.
struct Mark {
    size: u64,
    head: RecordId,
}

/// Looks at start whether the log is shorter than the mark in the folder, or another one; gives the size that is
/// missing, unless `confirm` says that the operator knows.
pub(crate) async fn at_start(db: &Db, mark: &Path, confirm: bool) -> Result<Option<u64>, StartError> {
    let mut tx = db.write().await?;
    tx.lock(Lock::Organisation).await?;
    if let Some(known) = read(mark)?
        && !has(&mut tx, &known).await?
    {
        db::server::note_missing(&mut tx, known.size).await?;
    }
    if confirm {
        db::server::confirm_missing(&mut tx).await?;
    }
    let missing = db::server::missing(&mut tx).await?;
    if missing.is_none() {
        note(&mut tx, mark).await?;
    }
    tx.commit().await?;
    Ok(missing)
}

/// Refuses to append while a restore is not confirmed.
pub(crate) async fn check(tx: &mut Tx) -> Result<(), ApiError> {
    let Some(missing) = db::server::missing(tx).await? else { return Ok(()) };
    let detail = format!(
        "The server was restored from a backup: it has signed {missing} entries of the log once and does not have \
         them all. It takes no new ones until its operator confirms."
    );
    Err(ApiError::new(ErrorCode::RestoreUnconfirmed, detail).hint(
        "Tell whoever runs the server. They restore a newer backup, or start it once with --confirm-restore.",
    ))
}

/// A client has shown a checkpoint of this server over `size` entries, which it does not have.
pub(crate) async fn noticed(tx: &mut Tx, size: u64) -> Result<(), DbError> {
    if db::server::note_missing_beyond(tx, size).await? {
        tracing::error!(size, "a client knows a longer log: the database was restored from a backup");
    }
    Ok(())
}

/// The mark of a running server: it only goes forward, and is written by one request at a time.
pub(crate) struct LogMark {
    path: PathBuf,
    size: Mutex<u64>,
}

impl LogMark {
    /// The mark at `path`.
    pub(crate) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, size: Mutex::new(0) })
    }

    /// Notes how far the log has come. One that can't be written tells of a restore less, so it stands in nobody's way.
    pub(crate) async fn keep(self: &Arc<Self>, size: u64, head: RecordId) {
        let mark = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || mark.advance(size, head)).await;
        if !matches!(written, Ok(Ok(()))) {
            tracing::warn!("the mark of the log's size in the data folder could not be written");
        }
    }

    fn advance(&self, size: u64, head: RecordId) -> io::Result<()> {
        let mut kept = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        if size > *kept {
            write(&self.path, size, head)?;
            *kept = size;
        }
        Ok(())
    }
}

async fn note(tx: &mut Tx, mark: &Path) -> Result<(), StartError> {
    let size = db::log::size(tx).await?;
    let Some(last) = size.checked_sub(1) else { return Ok(()) };
    let (head, _) = db::log::at(tx, last).await?.ok_or(DbError::Corrupt)?;
    write(mark, size, head).map_err(|cause| FileError { path: mark.to_owned(), cause })?;
    Ok(())
}

/// Whether the log has, or had, the state of the mark.
async fn has(tx: &mut Tx, mark: &Mark) -> Result<bool, DbError> {
    let Some(last) = mark.size.checked_sub(1) else { return Ok(true) };
    Ok(db::log::at(tx, last).await?.is_some_and(|(head, _)| head == mark.head))
}

/// `None` if there is none; a damaged one is an error, never "none".
fn read(path: &Path) -> Result<Option<Mark>, FileError> {
    let failed = |cause| FileError { path: path.to_owned(), cause };
    let text = match fs::read_to_string(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(failed)?,
    };
    let mark = text
        .trim()
        .split_once(' ')
        .and_then(|(size, head)| Some(Mark { size: size.parse().ok()?, head: head.parse().ok()? }));
    mark.map(Some).ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidData, "not a mark of the log")))
}

/// Durable, and whole at every moment.
fn write(path: &Path, size: u64, head: RecordId) -> io::Result<()> {
    let next = path.with_extension("next");
    let mut file = private_file().truncate(true).open(&next)?;
    writeln!(file, "{size} {head}")?;
    file.sync_all()?;
    fs::rename(&next, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_a_damaged_one_is_not_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MARK);
        assert!(matches!(read(&path), Ok(None)));
        let head = RecordId::random();
        for size in [7, 8] {
            write(&path, size, head).unwrap();
            let Ok(Some(mark)) = read(&path) else { panic!("no mark") };
            assert_eq!((mark.size, mark.head), (size, head));
        }
        for damaged in ["", "7", "x ab", &format!("7 {head} 9")] {
            fs::write(&path, damaged).unwrap();
            assert!(read(&path).is_err(), "{damaged:?}");
        }
    }
}
