//! How requests travel. The SDK says what is asked and judges what comes back; a [`Transport`] carries it. The default
//! is [`HttpTransport`]; an application may bring its own, to go through its own proxy or connection pool, to count, or
//! to make a network fail in its tests.
//!
//! Retries, limits and everything that is checked stay on the SDK's side: a transport sends one request once and
//! reports what came. It is trusted with the access tokens in the headers, and with nothing else: what it carries is
//! ciphertext and signed records.
//!
//! ```
//! use std::sync::atomic::{AtomicUsize, Ordering};
//! use sealpost_client::{Result, http::{HttpTransport, Request, Response, Transport}};
//!
//! /// Counts requests.
//! struct Counting {
//!     inner: HttpTransport,
//!     requests: AtomicUsize,
//! }
//!
//! #[async_trait::async_trait]
//! impl Transport for Counting {
//!     async fn send(&self, request: Request) -> Result<Response> {
//!         self.requests.fetch_add(1, Ordering::Relaxed);
//!         self.inner.send(request).await
//!     }
//! }
//! ```

mod default;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

pub use default::HttpTransport;

use crate::error::Result;

/// Bytes of a body given away at once. Small, so that little waits in a connection's buffers when the next begins.
const PIECE: usize = 64 * 1024;

/// Carries requests to one server and back.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` once and gives the head of the answer, whatever its status; its body follows as it comes.
    /// Follows no redirects. When the future is dropped, the request is given up.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Network`] if there is no answer. The SDK sends idempotent requests again then.
    async fn send(&self, request: Request) -> Result<Response>;
}

/// What is done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
}

impl Method {
    /// As it stands in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) fn of_route(method: &str) -> Option<Self> {
        [Self::Get, Self::Post, Self::Put, Self::Delete].into_iter().find(|known| known.as_str() == method)
    }
}

/// A request as it is to be sent: nothing may be added but what HTTP itself needs (`Host`, `Content-Length`,
/// `User-Agent`).
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: RequestBody,
}

impl Request {
    pub(crate) fn new(method: Method, url: String) -> Self {
        Self { method, url, headers: Vec::new(), body: RequestBody::of(Bytes::new()) }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(crate) fn body(self, body: RequestBody) -> Self {
        Self { body, ..self }
    }

    /// What is done.
    pub fn method(&self) -> Method {
        self.method
    }

    /// To what: the whole address, with the server and the query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Names in lower case, and values. `authorization` is a secret.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The body, to be sent after the head.
    pub fn into_body(self) -> RequestBody {
        self.body
    }
}

/// Without header values: a token is among them.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {}, {} bytes)", self.method.as_str(), self.url, self.body.length)
    }
}

/// A request's body. A transport takes pieces as the connection takes them and reads little ahead: the next part of a
/// transfer begins when the last piece of this one was taken and the body dropped.
pub struct RequestBody {
    length: u64,
    rest: Bytes,
    _turn: Option<OwnedSemaphorePermit>,
}

impl RequestBody {
    pub(crate) fn of(bytes: Bytes) -> Self {
        Self { length: bytes.len() as u64, rest: bytes, _turn: None }
    }

    pub(crate) fn in_turn(bytes: Bytes, turn: OwnedSemaphorePermit) -> Self {
        Self { _turn: Some(turn), ..Self::of(bytes) }
    }

    /// All of it, in bytes; 0 if there is no body.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The next piece, at most 64 KiB; `None` after the last.
    pub fn next_piece(&mut self) -> Option<Bytes> {
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        (!piece.is_empty()).then_some(piece)
    }
}

/// An answer: its head, and its body as it comes.
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Box<dyn ResponseBody>,
}

/// The rest of an answer.
#[async_trait]
pub trait ResponseBody: Send {
    /// The next piece, as large as it came; `None` at the end. The SDK stops asking when it has more than it takes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Network`] if the connection broke.
    async fn next_piece(&mut self) -> Result<Option<Bytes>>;
}

impl Response {
    /// An answer with this status, these headers (names in any case; values that are no text left out) and this body.
    pub fn new(
        status: u16,
        headers: impl IntoIterator<Item = (String, String)>,
        body: Box<dyn ResponseBody>,
    ) -> Self {
        Self { status, headers: headers.into_iter().collect(), body }
    }

    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Every header as it came.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The next piece of the body; `None` at the end.
    ///
    /// # Errors
    /// As [`ResponseBody::next_piece`].
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>> {
        self.body.next_piece().await
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({})", self.status)
    }
}

/// Any transport, shared.
pub(crate) type SharedTransport = Arc<dyn Transport>;
