//! Settings of a client before there is one.

use std::{sync::Arc, time::Duration};

use crate::{
    anonymous::Anonymous,
    authorities::Authorities,
    device::Device,
    error::Result,
    http::{HttpTransport, SharedTransport, Transport},
    server::Server,
    server_url::ServerUrl,
    signed_in::SignedIn,
    store::StateStore,
};

/// How a client talks to its server. Everything has a default: [`Anonymous::connect`] and [`SignedIn::resume`] are what
/// most programs need.
///
/// ```no_run
/// # async fn example() -> sealpost_client::Result<()> {
/// use std::{path::Path, sync::Arc, time::Duration};
/// use sealpost_client::{ClientBuilder, store::FolderStore};
///
/// let store = Arc::new(FolderStore::open(Path::new("/var/lib/app/sealpost"))?);
/// let me = ClientBuilder::new().timeout(Duration::from_secs(20)).resume(store).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct ClientBuilder {
    transport: Option<SharedTransport>,
    timeout: Option<Duration>,
    authorities: Authorities,
}

impl ClientBuilder {
    /// With every default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends requests by `transport` instead of [`HttpTransport`].
    #[must_use]
    pub fn transport(self, transport: Arc<dyn Transport>) -> Self {
        Self { transport: Some(transport), ..self }
    }

    /// Gives a request up, and sends it again if that is safe, after so long a silence. Default: 60 s. A transport of
    /// the application's own has its own patience.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Checks the server's TLS certificate against these authorities. Default: those of the system. A transport of the
    /// application's own decides by itself.
    #[must_use]
    pub fn authorities(self, authorities: Authorities) -> Self {
        Self { authorities, ..self }
    }

    /// Nobody signed in yet, at the server of this address. Sends nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Network`] if this machine can't make secure connections.
    pub fn connect(self, server: &ServerUrl, store: Arc<dyn StateStore>) -> Result<Anonymous> {
        Ok(Anonymous { server: self.server(server.clone())?, device: Device::new(store) })
    }

    /// The session that `store` holds, at the server that it is of: see [`SignedIn::resume`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotSignedIn`]; [`crate::ErrorKind::State`] if the store is damaged.
    pub async fn resume(self, store: Arc<dyn StateStore>) -> Result<SignedIn> {
        SignedIn::resume_by(Device::new(store), |server| self.server(server)).await
    }

    fn server(self, server: ServerUrl) -> Result<Server> {
        let transport = match self.transport {
            Some(transport) => transport,
            None => {
                let timeout = self.timeout.unwrap_or(HttpTransport::TIMEOUT);
                Arc::new(HttpTransport::new(&server, &self.authorities, timeout)?)
            }
        };
        Ok(Server::new(server, transport))
    }
}
