//! The transport that is used when an application brings none.

use std::{convert::Infallible, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, Client, header, redirect};

use super::{Request, RequestBody, Response, ResponseBody, Transport};
use crate::{
    authorities::Authorities,
    error::{Error, ErrorKind, Result},
    server_url::ServerUrl,
    unreachable::{root_cause, unreachable},
};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// HTTP/1.1 over TCP, with TLS by the system's certificates, and the system's proxy for servers elsewhere.
#[derive(Clone)]
pub struct HttpTransport {
    client: Client,
    server: ServerUrl,
}

impl HttpTransport {
    /// The longest silence in the middle of an answer, unless something else is said.
    pub const TIMEOUT: Duration = Duration::from_secs(60);

    /// For `server`, whose certificate is checked against `authorities`. Connects to nothing yet. `timeout`: the longest
    /// silence in the middle of an answer, or before it.
    ///
    /// # Errors
    /// [`ErrorKind::Network`] if this machine can't make secure connections.
    pub fn new(server: &ServerUrl, authorities: &Authorities, timeout: Duration) -> Result<Self> {
        // Fails when a provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("sealpost/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            // One connection for each part under way. A killed client's connection then still delivers what was
            // given to it; of HTTP/2, whose windows the peer keeps writing about, the system drops it.
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(timeout);
        if server.is_loopback() {
            builder = builder.no_proxy();
        }
        if !server.is_https() {
            // No TLS will be spoken: a machine without certificates must do.
            builder = builder.tls_certs_only(std::iter::empty());
        } else if let Some(certificates) = authorities.only() {
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|error| {
            Error::new(ErrorKind::Network, "tls_setup", format!("can't prepare secure connections: {error}"))
                .with_hint("Install the system's certificates (Debian: ca-certificates).")
        })?;
        Ok(Self { client, server: server.clone() })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<Response> {
        let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|_| Error::internal("no such method"))?;
        let mut sending = self.client.request(method, request.url());
        for (name, value) in request.headers() {
            sending = sending.header(name, value);
        }
        let body = request.into_body();
        if body.length() > 0 {
            sending = sending.header(header::CONTENT_LENGTH, body.length()).body(streamed(body));
        }
        let response = sending.send().await.map_err(|error| unreachable(&self.server, &error))?;
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        Ok(Response::new(response.status().as_u16(), headers.collect::<Vec<_>>(), Box::new(Rest(response))))
    }
}

fn streamed(body: RequestBody) -> Body {
    Body::wrap_stream(stream::unfold(body, |mut body| async move {
        body.next_piece().map(|piece| (Ok::<_, Infallible>(piece), body))
    }))
}

/// What is left of an answer.
struct Rest(reqwest::Response);

#[async_trait]
impl ResponseBody for Rest {
    async fn next_piece(&mut self) -> Result<Option<Bytes>> {
        self.0.chunk().await.map_err(|error| {
            let message = format!("the connection broke: {}", root_cause(&error));
            Error::new(ErrorKind::Network, "network", message).with_hint("Run the same command again.")
        })
    }
}
