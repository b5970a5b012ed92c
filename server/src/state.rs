//! What every handler shares.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use sealpost_crypto::id::OrgId;

use crate::{
    arriving::Arriving,
    blob::BlobStore,
    bodies::Bodies,
    clock::Clock,
    db::{self, Db, DbError},
    keys::ServerKeys,
    org_log::{OrgLog, not_founded},
    problem::ApiError,
    restore::{self, LogMark},
};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Shared>);

/// The shared things.
pub(crate) struct Shared {
    /// The database.
    pub db: Db,
    /// Where parts live.
    pub blobs: Arc<dyn BlobStore>,
    /// Parts that are on their way there.
    pub arriving: Arriving,
    /// Room for large request bodies.
    pub bodies: Bodies,
    /// The time.
    pub clock: Clock,
    /// The server's secrets.
    pub keys: ServerKeys,
    /// The organisation's log.
    pub log: OrgLog,
    /// The setup token's file, which founding removes.
    pub setup_token: PathBuf,
    /// Where the data folder keeps how far the log had come.
    pub log_mark: Arc<LogMark>,
    org_id: OnceLock<OrgId>,
}

impl std::ops::Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl AppState {
    /// Puts it together.
    pub(crate) fn new(
        db: Db,
        blobs: Arc<dyn BlobStore>,
        clock: Clock,
        keys: ServerKeys,
        setup_token: PathBuf,
    ) -> Self {
        let (arriving, bodies) = (Arriving::default(), Bodies::default());
        let (log, org_id) = (OrgLog::default(), OnceLock::new());
        let log_mark = LogMark::new(setup_token.with_file_name(restore::MARK));
        Self(Arc::new(Shared {
            db,
            blobs,
            arriving,
            bodies,
            clock,
            keys,
            log,
            setup_token,
            log_mark,
            org_id,
        }))
    }

    /// The organisation; 503 `not_founded` while there is none.
    pub(crate) async fn org_id(&self) -> Result<OrgId, ApiError> {
        self.org_id_if_founded().await?.ok_or_else(not_founded)
    }

    /// The organisation, if there is one. Once there is, it never changes, so it is read once.
    pub(crate) async fn org_id_if_founded(&self) -> Result<Option<OrgId>, DbError> {
        if let Some(org_id) = self.org_id.get() {
            return Ok(Some(*org_id));
        }
        let mut tx = self.db.read().await?;
        let standing = db::server::standing(&mut tx).await?;
        Ok(standing.org_id.map(|org_id| *self.org_id.get_or_init(|| org_id)))
    }
}
