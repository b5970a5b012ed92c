//! The first start: the data folder, its lock, the server's secrets, and the setup token.

use std::{
    fs::{self, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use sealpost_api::token::Token;
use sealpost_crypto::{
    encoding::to_base64,
    id::Digest,
    password::ServerSetup,
    secret::{InviteToken, SigningSeed},
    sign::SigningKey,
    words::{self, COUNT},
};
use sha2::Digest as _;
use zeroize::Zeroizing;

use crate::{
    db::{self, Db, DbError, server::Secrets},
    keys::ServerSecret,
    lock::Lock,
    restore,
};

/// Where a file operation failed.
#[derive(Debug)]
pub(crate) struct FileError {
    pub(crate) path: PathBuf,
    pub(crate) cause: io::Error,
}

/// The data folder, held by this process alone until dropped.
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: Lock,
}

/// Why a data folder can't be used.
pub(crate) enum FolderError {
    /// Another server holds it.
    InUse,
    /// It can't be created or written.
    File(FileError),
}

impl DataFolder {
    /// Creates the folder if need be, for its owner only, and takes its lock.
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        create_private_folder(path).map_err(FolderError::File)?;
        let lock_path = path.join("lock");
        let lock = Lock::take(&lock_path).map_err(|error| match error {
            TryLockError::WouldBlock => FolderError::InUse,
            TryLockError::Error(cause) => FolderError::File(FileError { path: lock_path, cause }),
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is kept how far the log had come.
    pub(crate) fn log_mark_path(&self) -> PathBuf {
        self.path.join(restore::MARK)
    }

    /// Where the setup token lies until the organisation is founded.
    pub(crate) fn setup_token_path(&self) -> PathBuf {
        setup_token_path(&self.path)
    }
}

/// Where a data folder keeps its setup token.
pub(crate) fn setup_token_path(data: &Path) -> PathBuf {
    data.join("setup-token")
}

/// Creates a folder that only its owner may enter; leaves an existing one as it is.
pub(crate) fn create_private_folder(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|cause| FileError { path: path.to_owned(), cause })
}

/// Creates an empty file that only its owner may read, if there is none: SQLite keeps the mode that it finds, also
/// for the files it puts beside.
pub(crate) fn create_private_file(path: &Path) -> Result<(), FileError> {
    let opened = private_file().truncate(false).open(path);
    opened.map(drop).map_err(|cause| FileError { path: path.to_owned(), cause })
}

pub(crate) fn private_file() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The server's secrets; made at the very first start. Two servers that start at once on one Postgres agree.
pub(crate) async fn secrets(db: &Db) -> Result<Secrets, DbError> {
    let mut tx = db.write().await?;
    tx.lock(db::Lock::Organisation).await?;
    if let Some(secrets) = db::server::secrets(&mut tx).await? {
        return Ok(secrets);
    }
    let secrets = Secrets { secret: ServerSecret::random(), opaque_setup: ServerSetup::generate() };
    db::server::insert(&mut tx, &secrets, &SigningSeed::random()).await?;
    tx.commit().await?;
    Ok(secrets)
}

/// The words of the key that is offered to sign checkpoints from some day on; with `make`, of a fresh one if there is
/// none. Before the organisation is founded there is nothing to change.
pub(crate) async fn service_words(db: &Db, make: bool) -> Result<Option<[&'static str; COUNT]>, DbError> {
    let mut tx = db.write().await?;
    tx.lock(db::Lock::Organisation).await?;
    let Some(org_id) = db::server::standing(&mut tx).await?.org_id else { return Ok(None) };
    let mut offered = db::server::checkpoint_keys(&mut tx).await?.next;
    if offered.is_none() && make {
        let seed = SigningSeed::random();
        db::server::offer_checkpoint_key(&mut tx, &seed).await?;
        offered = Some(SigningKey::from_seed(&seed));
    }
    tx.commit().await?;
    Ok(offered.map(|key| words::service_words(org_id, &key.public_key())))
}

/// Why there is no setup token.
pub(crate) enum TokenError {
    Db(DbError),
    File(FileError),
}

/// The setup token while there is no organisation: the one in the folder if it is the one the database knows, a
/// fresh one else. Founding removes it.
pub(crate) async fn setup_token(db: &Db, folder: &DataFolder) -> Result<Option<Token>, TokenError> {
    let path = folder.setup_token_path();
    let mut tx = db.write().await.map_err(TokenError::Db)?;
    tx.lock(db::Lock::Organisation).await.map_err(TokenError::Db)?;
    let standing = db::server::standing(&mut tx).await.map_err(TokenError::Db)?;
    if standing.org_id.is_some() {
        remove(&path).map_err(TokenError::File)?;
        return Ok(None);
    }
    if let Some(token) = read_token(&path)
        && standing.setup_token_hash == Some(token_hash(&token))
    {
        return Ok(Some(token));
    }
    let token = Token::new(to_base64(InviteToken::random().expose()));
    write_token(&path, &token).map_err(|cause| TokenError::File(FileError { path, cause }))?;
    db::server::set_setup_token(&mut tx, &token_hash(&token)).await.map_err(TokenError::Db)?;
    tx.commit().await.map_err(TokenError::Db)?;
    Ok(Some(token))
}

/// As the database knows a token: SHA-256 of its text.
pub(crate) fn token_hash(token: &Token) -> Digest {
    Digest::new(sha2::Sha256::digest(token.expose().as_bytes()).into())
}

/// Removes the setup token's file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(FileError { path: path.to_owned(), cause })
        }
        _ => Ok(()),
    }
}

fn read_token(path: &Path) -> Option<Token> {
    let text = Zeroizing::new(fs::read_to_string(path).ok()?);
    Some(Token::new(text.trim().to_owned()))
}

fn write_token(path: &Path, token: &Token) -> io::Result<()> {
    // Anew, so that a file somebody else made with a wider mode is not written into.
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let mut file = private_file().create_new(true).open(path)?;
    writeln!(file, "{}", token.expose())?;
    file.sync_all()
}
