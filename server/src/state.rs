//! What every handler shares.

use std::sync::{Arc, OnceLock};

use sealpost_api::problem::ErrorCode;
use sealpost_crypto::id::OrgId;

use crate::{
    clock::Clock,
    db::{self, Db, DbError},
    keys::ServerKeys,
    problem::ApiError,
};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Shared>);

/// The shared things.
pub(crate) struct Shared {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The server's secrets.
    pub keys: ServerKeys,
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
    pub(crate) fn new(db: Db, clock: Clock, keys: ServerKeys) -> Self {
        Self(Arc::new(Shared { db, clock, keys, org_id: OnceLock::new() }))
    }

    /// The organisation; 503 `not_founded` while there is none.
    pub(crate) async fn org_id(&self) -> Result<OrgId, ApiError> {
        self.org_id_if_founded().await?.ok_or_else(|| {
            ApiError::new(ErrorCode::NotFounded, "This server keeps no organisation yet.")
                .hint("Found one with the setup token that the server's first start printed.")
        })
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
