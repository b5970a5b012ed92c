//! A server, and nobody signed in: founding an organisation, looking at an invite, signing in.

use std::sync::Arc;

use sealpost_api::{auth::ServerInfo, routes};

use crate::{
    builder::ClientBuilder,
    device::Device,
    error::Result,
    server::{Auth, Call, NO_BODY, Server},
    server_url::ServerUrl,
    store::StateStore,
};

/// One server and one state store, before anybody is signed in.
#[derive(Clone)]
pub struct Anonymous {
    pub(crate) server: Server,
    pub(crate) device: Device,
}

impl Anonymous {
    /// For the server at `server`, with every default; [`ClientBuilder`] has the settings. Sends nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Network`] if this machine can't make secure connections.
    pub fn connect(server: &ServerUrl, store: Arc<dyn StateStore>) -> Result<Self> {
        ClientBuilder::new().connect(server, store)
    }

    /// What the server tells a stranger.
    pub(crate) async fn info(&self) -> Result<ServerInfo> {
        self.server.call(Call::new(routes::SERVER, &[]), &Auth::Nobody, NO_BODY).await
    }
}
