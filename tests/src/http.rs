//! Plain HTTP, for tests that speak to the server without the SDK.

use std::sync::Once;

use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use sealpost_api::{INVITE_SCHEME, problem::Problem, routes::Route};
use serde::{Serialize, de::DeserializeOwned};

use crate::contract::Exchange;

/// How a request identifies its sender.
#[derive(Clone)]
pub enum Credential {
    /// Not at all.
    Nobody,
    /// With an access token.
    Bearer(String),
    /// With an invite's token.
    Invite(String),
}

/// A client of one server, as one sender.
#[derive(Clone)]
pub struct Api {
    client: Client,
    server: String,
    credential: Credential,
}

impl Api {
    /// A stranger.
    pub fn new(server: &str) -> Self {
        install_tls();
        Self { client: Client::new(), server: server.to_owned(), credential: Credential::Nobody }
    }

    /// The same client as somebody else.
    pub fn with(&self, credential: Credential) -> Self {
        Self { credential, ..self.clone() }
    }

    /// Who this client says it is.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// A request of any method to any path, with the credential.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.client.request(method, format!("{}{path}", self.server));
        match &self.credential {
            Credential::Nobody => request,
            Credential::Bearer(token) => request.bearer_auth(token),
            Credential::Invite(token) => {
                request.header(header::AUTHORIZATION, format!("{INVITE_SCHEME} {token}"))
            }
        }
    }

    /// A request to a route of the table.
    pub fn route(&self, route: &Route, ids: &[&dyn std::fmt::Display]) -> RequestBuilder {
        self.request(route.method, &route.fill(ids))
    }

    /// Asks without a body.
    pub async fn get(&self, route: &Route, ids: &[&dyn std::fmt::Display]) -> Answer {
        send(self.route(route, ids)).await
    }

    /// Asks with a JSON body.
    pub async fn call(&self, route: &Route, ids: &[&dyn std::fmt::Display], body: &impl Serialize) -> Answer {
        send(self.route(route, ids).json(body)).await
    }
}

/// Sends and reads the whole answer, which must be one that the OpenAPI document lists.
pub async fn send(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.expect("a request");
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let sent = request.body().and_then(|body| body.as_bytes()).map(<[u8]>::to_vec);
    let response = client.execute(request).await.expect("the server did not answer");
    let answer = Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.bytes().await.expect("the answer was cut").to_vec(),
    };
    let exchange = Exchange {
        method: method.as_str(),
        path: &path,
        sent: sent.as_deref(),
        status: answer.status.as_u16(),
        headers: &answer.headers,
        body: Some(&answer.body),
    };
    exchange.check().unwrap_or_else(|broken| panic!("{broken}"));
    answer
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: header::HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body of a successful answer.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// Asserts success without a look at the body.
    #[track_caller]
    pub fn ok(&self) -> &Self {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        self
    }

    /// The problem document of a failed answer; that it is well formed is asserted (RFC 9457).
    #[track_caller]
    pub fn problem(&self) -> Problem {
        assert!(!self.status.is_success(), "{} where an error was expected: {}", self.status, self.text());
        let media_type = self.header("content-type");
        assert_eq!(media_type, "application/problem+json", "{}: {}", self.status, self.text());
        let problem: Problem = serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the problem {}", self.text()));
        assert_eq!(problem.status, self.status.as_u16(), "{problem:?}");
        assert_eq!(problem.kind, format!("urn:sealpost:problem:{}", problem.code.as_str()));
        assert_eq!(problem.code.status(), problem.status, "{problem:?}");
        assert_eq!(problem.title, problem.code.title());
        problem
    }

    /// Asserts the status and code of a failed answer.
    #[track_caller]
    pub fn fails(&self, status: u16, code: &str) -> Problem {
        let problem = self.problem();
        assert_eq!((problem.status, problem.code.as_str()), (status, code), "{problem:?}");
        problem
    }

    /// A header's text; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(2_000)]).into_owned()
    }
}

/// Chooses ring for TLS; once per process.
pub fn install_tls() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // Fails only if somebody chose before; then there is one, which is all that is needed.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
