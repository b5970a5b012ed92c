//! An application's own transport, and what it can and cannot do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sealpost_client::{
    Authorities, ClientBuilder, Error, ErrorKind, Result,
    http::{HttpTransport, Request, Response, ResponseBody, Transport},
};
use sealpost_tests::{TestServer, on_every_backend, sdk};

fn direct(server: &TestServer) -> HttpTransport {
    HttpTransport::new(&server.url().parse().unwrap(), &Authorities::System, HttpTransport::TIMEOUT).unwrap()
}

/// Changes one bit of what is downloaded, once armed.
pub struct Tampering {
    inner: HttpTransport,
    armed: AtomicBool,
}

impl Tampering {
    pub fn of(server: &TestServer) -> Arc<Self> {
        Arc::new(Self { inner: direct(server), armed: AtomicBool::new(false) })
    }

    pub fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
    }
}

#[async_trait::async_trait]
impl Transport for Tampering {
    async fn send(&self, request: Request) -> Result<Response> {
        let wanted = self.armed.load(Ordering::Relaxed) && request.url().ends_with("/download");
        let response = self.inner.send(request).await?;
        if !wanted {
            return Ok(response);
        }
        let headers = response.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = headers.collect::<Vec<_>>();
        Ok(Response::new(response.status(), headers, Box::new(Flipped { rest: response, done: false })))
    }
}

struct Flipped {
    rest: Response,
    done: bool,
}

#[async_trait::async_trait]
impl ResponseBody for Flipped {
    async fn next_piece(&mut self) -> Result<Option<bytes::Bytes>> {
        let Some(piece) = self.rest.next_piece().await? else { return Ok(None) };
        let mut piece = piece.to_vec();
        if !std::mem::replace(&mut self.done, true) {
            piece[0] ^= 1;
        }
        Ok(Some(piece.into()))
    }
}

/// Fails before every second request is sent, and hides every third answer.
struct Failing {
    inner: HttpTransport,
    requests: AtomicUsize,
}

#[async_trait::async_trait]
impl Transport for Failing {
    async fn send(&self, request: Request) -> Result<Response> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let broken = || Error::new(ErrorKind::Network, "network", "this network is a bad one");
        if number.is_multiple_of(2) {
            return Err(broken());
        }
        let response = self.inner.send(request).await?;
        if number.is_multiple_of(3) { Err(broken()) } else { Ok(response) }
    }
}

on_every_backend! {
    async fn retries_stay_on_the_sdks_side(server: TestServer) {
        let ops = sdk::found(&server).await;
        let transport = Arc::new(Failing { inner: direct(&server), requests: AtomicUsize::new(0) });
        let builder = ClientBuilder::new().transport(transport.clone());
        let me = builder.resume(Arc::new(ops.store.clone())).await.unwrap();
        let content = b"through a bad network".as_slice();
        let file = me.upload(content, sdk::describe("a", content), &|_| {}).await.unwrap().file_id;
        let mut arrived = Vec::new();
        me.download(file).await.unwrap().to_writer(&mut arrived, &|_| {}).await.unwrap();
        assert_eq!(arrived, content);
        assert_eq!(ops.me.files(None).await.unwrap().items.len(), 1, "once, however often it was sent");
        assert!(transport.requests.load(Ordering::Relaxed) > 10);
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_the_timeout() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let store = Arc::new(sealpost_client::store::MemoryStore::new());
    let builder = ClientBuilder::new().timeout(Duration::from_millis(50));
    let anonymous = builder.connect(&url, store).unwrap();
    let (email, password) = (sdk::address(sdk::OPS), sdk::secret("does not matter"));
    let error = anonymous.login(&email, password, None).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.hint().is_some());
}
