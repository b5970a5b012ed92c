//! A malicious server: a real one behind a proxy that reads all traffic and rewrites what it is told to. Clients
//! are the unmodified SDK and the unmodified program.

use std::{
    fmt::Display,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use sealpost_api::routes::{self, Route};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    contract,
    http::install_tls,
    search::{Needle, Place, find},
    server::TestServer,
};

/// What a client asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method.
    pub method: String,
    /// Path with its query.
    pub path: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// What it is answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// One request and its answer as the client got it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The request, as the client sent it.
    pub asked: Asked,
    /// The answer, as the client got it.
    pub answered: Answered,
}

/// More than any body of the interface, bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

type ChangeRequest = dyn Fn(&mut Asked) + Send;
type ChangeAnswer = dyn Fn(&Asked, &mut Answered) + Send;

enum Lie {
    Request(Box<ChangeRequest>),
    Answer(Box<ChangeAnswer>),
}

#[derive(Default)]
struct Mind {
    lies: Mutex<Vec<(Route, Lie)>>,
    seen: Mutex<Vec<Exchange>>,
    /// What clients asked and the honest server said that the OpenAPI document does not list.
    broken: Mutex<Vec<String>>,
}

/// The proxy. Honest until it is told a lie.
pub struct Adversary {
    address: SocketAddr,
    mind: Arc<Mind>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Behind {
    server: SocketAddr,
    client: reqwest::Client,
    mind: Arc<Mind>,
}

/// What is done the nth time that something comes.
struct Nth<F>(Mutex<(usize, Option<F>)>);

impl<F: Future<Output = ()>> Nth<F> {
    fn new(nth: usize, what: F) -> Self {
        Self(Mutex::new((nth, Some(what))))
    }

    fn comes(&self) {
        let what = {
            let (left, what) = &mut *held(&self.0);
            *left = left.saturating_sub(1);
            what.take_if(|_| *left == 0)
        };
        if let Some(what) = what {
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(what));
        }
    }
}

impl Adversary {
    /// Takes its place before `server`.
    pub async fn before(server: &TestServer) -> Self {
        install_tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mind = Arc::new(Mind::default());
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let behind = Behind { server: server.address(), client, mind: Arc::clone(&mind) };
        let app = Router::new().fallback(pass).with_state(behind);
        let serving = tokio::spawn(async move {
            // Ends when the test drops the proxy.
            let _ended = axum::serve(listener, app).await;
        });
        Self { address, mind, serving }
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, answers of `route` are changed by `lie`.
    pub fn answers(&self, route: Route, lie: impl Fn(&Asked, &mut Answered) + Send + 'static) {
        held(&self.mind.lies).push((route, Lie::Answer(Box::new(lie))));
    }

    /// From now on, the JSON of successful answers of `route` is changed by `lie`.
    pub fn json(&self, route: Route, lie: impl Fn(&mut Value) + Send + 'static) {
        self.answers(route, move |_, answered| answered.edit(&lie));
    }

    /// From now on, requests to `route` are changed by `lie` before the server sees them.
    pub fn requests(&self, route: Route, lie: impl Fn(&mut Asked) + Send + 'static) {
        held(&self.mind.lies).push((route, Lie::Request(Box::new(lie))));
    }

    /// Does `what` when the next request to `route` is on its way.
    pub fn meanwhile(&self, route: Route, what: impl Future<Output = ()> + Send + 'static) {
        self.meanwhile_of(route, "", 1, what);
    }

    /// The same for the `nth` one, from 1, of those in whose path `part` is.
    pub fn meanwhile_of(
        &self,
        route: Route,
        part: impl Display,
        nth: usize,
        what: impl Future<Output = ()> + Send + 'static,
    ) {
        let (part, what) = (part.to_string(), Nth::new(nth, what));
        self.requests(route, move |asked| {
            if asked.path.contains(&part) {
                what.comes();
            }
        });
    }

    /// Does `what` when the `nth` answer of `route`, from 1, is on its way.
    pub fn after(&self, route: Route, nth: usize, what: impl Future<Output = ()> + Send + 'static) {
        let what = Nth::new(nth, what);
        self.answers(route, move |_, _| what.comes());
    }

    /// Lies no more.
    pub fn repent(&self) {
        held(&self.mind.lies).clear();
    }

    /// Everything that went through since the last call of [`Adversary::forget`].
    pub fn seen(&self) -> Vec<Exchange> {
        held(&self.mind.seen).clone()
    }

    /// Requests to `route` that went through.
    pub fn seen_of(&self, route: Route) -> Vec<Exchange> {
        self.seen().into_iter().filter(|seen| is(&route, &seen.asked)).collect()
    }

    /// Forgets what went through.
    pub fn forget(&self) {
        held(&self.mind.seen).clear();
    }

    /// Asserts that no secret left a client: not in a path, a header or a body; not raw, in hex or in base64.
    #[track_caller]
    pub fn learned_none_of(&self, needles: &[Needle]) {
        let mut places = Vec::new();
        for Exchange { asked, .. } in self.seen() {
            let head = format!("{} {}\n{:?}", asked.method, asked.path, asked.headers);
            let name = format!("{} {}", asked.method, asked.path);
            places.push(Place { name: format!("the head of {name}"), bytes: head.into_bytes() });
            places.push(Place { name, bytes: asked.body.to_vec() });
        }
        let found = find(&places, needles);
        assert!(found.is_empty(), "left a client:\n{}", found.join("\n"));
    }
}

impl Drop for Adversary {
    fn drop(&mut self) {
        self.serving.abort();
        let broken = held(&self.mind.broken);
        assert!(broken.is_empty() || std::thread::panicking(), "{}", broken.join("\n"));
    }
}

impl Answered {
    /// Changes the JSON of a successful answer.
    pub fn edit(&mut self, lie: impl Fn(&mut Value)) {
        if !self.status.is_success() {
            return;
        }
        if let Ok(mut value) = serde_json::from_slice(&self.body) {
            lie(&mut value);
            self.say(&value);
        }
    }

    /// Says something else.
    pub fn say(&mut self, value: &Value) {
        self.body = serde_json::to_vec(value).expect("JSON").into();
    }
}

/// Whether a request is one of `route`.
fn is(route: &Route, asked: &Asked) -> bool {
    routes::find(&asked.method, path(asked)) == Some(route)
}

fn path(asked: &Asked) -> &str {
    asked.path.split('?').next().unwrap_or_default()
}

fn is_documented(asked: &Asked) -> Result<(), String> {
    let body = Some(&*asked.body).filter(|body| !body.is_empty());
    contract::Asked { method: &asked.method, target: &asked.path, headers: &asked.headers, body }.check()
}

fn held_to_contract(asked: &Asked, answered: &Answered) -> Result<(), String> {
    let exchange = contract::Exchange {
        method: &asked.method,
        path: path(asked),
        sent: Some(&asked.body),
        status: answered.status.as_u16(),
        headers: &answered.headers,
        body: Some(&answered.body),
    };
    exchange.check()
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass(State(behind): State<Behind>, request: Request) -> Response {
    let original = asked(request).await;
    let mut sent = original.clone();
    for (route, lie) in &*held(&behind.mind.lies) {
        if let Lie::Request(lie) = lie
            && is(route, &original)
        {
            lie(&mut sent);
        }
    }
    let asked = sent.clone();
    let mut answered = forward(&behind, sent).await;
    let checked = [is_documented(&original), held_to_contract(&asked, &answered)];
    held(&behind.mind.broken).extend(checked.into_iter().filter_map(Result::err));
    for (route, lie) in &*held(&behind.mind.lies) {
        if let Lie::Answer(lie) = lie
            && is(route, &original)
        {
            lie(&original, &mut answered);
        }
    }
    held(&behind.mind.seen).push(Exchange { asked: original, answered: answered.clone() });
    let mut response = Response::new(Body::from(answered.body));
    *response.status_mut() = answered.status;
    *response.headers_mut() = answered.headers;
    response
}

async fn asked(request: Request) -> Asked {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    Asked { method: head.method.to_string(), path, headers: head.headers, body }
}

async fn forward(behind: &Behind, asked: Asked) -> Answered {
    let method = reqwest::Method::from_bytes(asked.method.as_bytes()).expect("a method");
    let mut headers = asked.headers;
    headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    let url = format!("http://{}{}", behind.server, asked.path);
    let request = behind.client.request(method, url).headers(headers).body(asked.body);
    let response = request.send().await.expect("the server did not answer");
    let (status, mut headers) = (response.status(), response.headers().clone());
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    Answered { status, headers, body: response.bytes().await.expect("the answer was cut") }
}
