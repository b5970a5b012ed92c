//! One server: sends a request of the route table, reads a bounded answer, turns problem documents into errors. What
//! comes back is parsed, not believed.

use std::fmt::Display;

use bytes::Bytes;
use sealpost_api::{
    API_VERSION, HEADER_API, HEADER_PART_DIGEST, HEADER_TICKET, INVITE_SCHEME, OCTET_STREAM,
    problem::{PROBLEM_JSON, Problem},
    routes::Route,
    token::Token,
};
use sealpost_crypto::id::{Digest, TicketId};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{Error, ErrorKind, Result},
    http::{Method, Request, RequestBody, Response, SharedTransport},
    retry::with_retry,
    server_url::ServerUrl,
    wire::Turn,
};

/// Largest JSON answer that is read, bytes: a page of 1,000 log entries or 100 files is well below.
const MAX_JSON_ANSWER: usize = 32 * 1024 * 1024;
/// The longest wait that a person is told of in the server's name, seconds.
const LONGEST_WAIT_TOLD: u64 = 86_400;
const PARTIAL_CONTENT: u16 = 206;
const AUTHORIZATION: &str = "authorization";
const CONTENT_TYPE: &str = "content-type";
const IF_MATCH: &str = "if-match";
const RANGE: &str = "range";
const RETRY_AFTER: &str = "retry-after";

/// Who a request speaks for.
#[derive(Clone)]
pub(crate) enum Auth {
    Nobody,
    Invitee(Token),
    Bearer(Token),
}

/// What fills a route's placeholders.
pub(crate) type Values<'a> = &'a [&'a (dyn Display + Sync)];

/// One route with its placeholders filled, in somebody's name, under a download ticket and for one version's content where
/// that matters.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub route: Route,
    pub values: Values<'a>,
    pub ticket: Option<TicketId>,
    pub content: Option<Digest>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(route: Route, values: Values<'a>) -> Self {
        Self { route, values, ticket: None, content: None }
    }

    pub(crate) fn under(self, ticket: TicketId) -> Self {
        Self { ticket: Some(ticket), ..self }
    }

    /// Only if the content has this digest.
    pub(crate) fn of(self, content: Digest) -> Self {
        Self { content: Some(content), ..self }
    }
}

/// No request body.
pub(crate) const NO_BODY: Option<&()> = None;

/// One server.
#[derive(Clone)]
pub(crate) struct Server {
    url: ServerUrl,
    server: SharedTransport,
}

impl Server {
    pub(crate) fn new(url: ServerUrl, server: SharedTransport) -> Self {
        Self { url, server }
    }

    pub(crate) fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// A request with JSON in and out, sent again after passing faults.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        auth: &Auth,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T> {
        let body = encode(body)?;
        with_retry(|| async {
            let request = with_body(self.request(call, auth)?, body.clone());
            parse(self.send(request).await?).await
        })
        .await
    }

    /// The same, sent once: for requests that the server accepts once.
    pub(crate) async fn call_once<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        auth: &Auth,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        let request = with_body(self.request(call, auth)?, encode(Some(body))?);
        parse(self.send(request).await?).await
    }

    /// A request with a query string, JSON out.
    pub(crate) async fn query<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        auth: &Auth,
        query: &(impl Serialize + Sync),
    ) -> Result<T> {
        let query = query_string(query)?;
        with_retry(|| async {
            let request = self.request_to(call, &format!("?{query}"), auth)?;
            parse(self.send(request).await?).await
        })
        .await
    }

    /// A request without an answer worth reading.
    pub(crate) async fn post_empty(
        &self,
        call: Call<'_>,
        auth: &Auth,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<()> {
        let body = encode(body)?;
        with_retry(|| async {
            let request = with_body(self.request(call, auth)?, body.clone());
            self.send(request).await.map(drop)
        })
        .await
    }

    /// Uploads one part in its turn. The same bytes are sent again after passing faults.
    pub(crate) async fn put_part(
        &self,
        call: Call<'_>,
        auth: &Auth,
        digest: &Digest,
        bytes: &Bytes,
        turn: &Turn,
    ) -> Result<()> {
        with_retry(|| async {
            let request = self
                .request(call, auth)?
                .header(CONTENT_TYPE, OCTET_STREAM)
                .header(HEADER_PART_DIGEST, digest)
                .body(turn.body(bytes.clone()).await?);
            self.send(request).await.map(drop)
        })
        .await
    }

    /// Fetches `length` bytes of ciphertext from `start` on; an answer of any other length is an error.
    pub(crate) async fn get_range(
        &self,
        call: Call<'_>,
        auth: &Auth,
        start: u64,
        length: usize,
    ) -> Result<Vec<u8>> {
        with_retry(|| async {
            let last = start + length as u64 - 1;
            let request = self.request(call, auth)?.header(RANGE, format!("bytes={start}-{last}"));
            let response = self.send(request).await?;
            if response.status() != PARTIAL_CONTENT {
                return Err(Error::unexpected("the server did not answer the range that was asked for"));
            }
            read_exactly(response, length).await
        })
        .await
    }

    fn request(&self, call: Call<'_>, auth: &Auth) -> Result<Request> {
        self.request_to(call, "", auth)
    }

    fn request_to(&self, call: Call<'_>, query: &str, auth: &Auth) -> Result<Request> {
        let values: Vec<&dyn Display> = call.values.iter().map(|value| *value as &dyn Display).collect();
        let url = format!("{}{}{query}", self.url, call.route.fill(&values));
        let method = Method::of_route(call.route.method)
            .ok_or_else(|| Error::internal("a route has an unknown method"))?;
        let mut request = Request::new(method, url).header(HEADER_API, API_VERSION);
        if let Some(ticket) = call.ticket {
            request = request.header(HEADER_TICKET, ticket);
        }
        if let Some(digest) = call.content {
            request = request.header(IF_MATCH, format_args!("\"{digest}\""));
        }
        Ok(match auth {
            Auth::Nobody => request,
            Auth::Bearer(token) => request.header(AUTHORIZATION, format_args!("Bearer {}", token.expose())),
            Auth::Invitee(token) => {
                request.header(AUTHORIZATION, format_args!("{INVITE_SCHEME} {}", token.expose()))
            }
        })
    }

    async fn send(&self, request: Request) -> Result<Response> {
        let response = self.server.send(request).await?;
        if (200..300).contains(&response.status()) { Ok(response) } else { Err(problem(response).await) }
    }
}

fn encode(body: Option<&impl Serialize>) -> Result<Option<Bytes>> {
    let encoded = body.map(serde_json::to_vec).transpose();
    encoded.map(|bytes| bytes.map(Bytes::from)).map_err(|_| Error::internal("can't encode the request"))
}

fn with_body(request: Request, body: Option<Bytes>) -> Request {
    match body {
        Some(bytes) => request.header(CONTENT_TYPE, "application/json").body(RequestBody::of(bytes)),
        None => request,
    }
}

/// `key=value&…` of a flat struct whose values are numbers, ids and base64url: nothing needs escaping.
fn query_string(query: &impl Serialize) -> Result<String> {
    let serde_json::Value::Object(fields) =
        serde_json::to_value(query).map_err(|_| Error::internal("can't encode the query"))?
    else {
        return Err(Error::internal("can't encode the query"));
    };
    let pairs = fields.iter().map(|(name, value)| match value {
        serde_json::Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    });
    Ok(pairs.collect::<Vec<_>>().join("&"))
}

async fn parse<T: DeserializeOwned>(response: Response) -> Result<T> {
    let bytes = read_bounded(response, MAX_JSON_ANSWER).await?;
    serde_json::from_slice(&bytes).map_err(|_| {
        Error::unexpected("the server's answer is not what this version understands")
            .with_hint("A proxy in between may have answered, or the server is of another version.")
    })
}

async fn read_bounded(mut response: Response, limit: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.next_piece().await? {
        if bytes.len() + chunk.len() > limit {
            return Err(Error::unexpected("the server's answer is larger than any answer may be"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn read_exactly(mut response: Response, length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    while let Some(chunk) = response.next_piece().await? {
        if bytes.len() + chunk.len() > length {
            return Err(Error::unexpected("the server sent more than was asked for"));
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.len() < length {
        return Err(Error::new(ErrorKind::Network, "network", "the server sent less than was asked for")
            .with_hint("Run the same command again."));
    }
    Ok(bytes)
}

async fn problem(response: Response) -> Error {
    let status = response.status();
    let is_problem = response.header(CONTENT_TYPE).is_some_and(|value| value.starts_with(PROBLEM_JSON));
    let retry_after = response.header(RETRY_AFTER).and_then(|value| value.parse().ok());
    if is_problem
        && let Ok(bytes) = read_bounded(response, MAX_JSON_ANSWER).await
        && let Ok(problem) = serde_json::from_slice::<Problem>(&bytes)
    {
        return from_problem(problem, retry_after);
    }
    match status {
        502..=504 => {
            Error::new(ErrorKind::Server, "bad_gateway", format!("the server is not available ({status})"))
                .with_hint("Try again in a while; if it keeps happening, tell whoever runs the server.")
        }
        300..400 => Error::unexpected("the server sends requests elsewhere")
            .with_hint("Give the server's own address."),
        _ => Error::unexpected(format!("the server answered {status} without saying why"))
            .with_hint("Check that this is the address of a Sealpost server."),
    }
}

fn from_problem(problem: Problem, retry_after: Option<u64>) -> Error {
    let error = Error::from(problem);
    match retry_after {
        // Nobody is told to wait for years: only to be shown to people, never obeyed.
        Some(seconds) if error.kind() == ErrorKind::TooManyAttempts && seconds <= LONGEST_WAIT_TOLD => {
            error.with_hint(format!("Wait {seconds} seconds, then try again."))
        }
        _ => error,
    }
}
