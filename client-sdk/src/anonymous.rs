//! A server, and nobody signed in: founding an organisation, looking at an invite, signing in.

use std::sync::Arc;

use sealpost_api::{auth::ServerInfo, routes};

use crate::{
    authorities::Authorities,
    device::Device,
    error::Result,
    server_url::ServerUrl,
    store::StateStore,
    transport::{Auth, Call, NO_BODY, Transport},
};

/// One server and one state store, before anybody is signed in.
#[derive(Clone)]
pub struct Anonymous {
    pub(crate) transport: Transport,
    pub(crate) device: Device,
}

impl Anonymous {
    /// For the server at `server`. Sends nothing.
    pub fn connect(server: &ServerUrl, store: Arc<dyn StateStore>) -> Result<Self> {
        Self::connect_trusting(server, store, &Authorities::System)
    }

    /// The same, with the server's certificate checked against these authorities.
    pub fn connect_trusting(
        server: &ServerUrl,
        store: Arc<dyn StateStore>,
        authorities: &Authorities,
    ) -> Result<Self> {
        Ok(Self { transport: Transport::new(server.clone(), authorities)?, device: Device::new(store) })
    }

    /// What the server tells a stranger.
    pub(crate) async fn info(&self) -> Result<ServerInfo> {
        self.transport.call(Call::new(routes::SERVER, &[]), &Auth::Nobody, NO_BODY).await
    }
}
