//! A real server with an organisation and a delivered file, and what its clients said and heard on the way.

use std::{
    ops::ControlFlow,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use sealpost_api::routes;
use sealpost_client::{Again, Delivery, Error, FileId, Sent, Terms};
use sealpost_tests::{
    Backend, TestServer,
    adversary::{Adversary, Exchange},
    sdk::{self, Device},
};
use serde_json::Value;
use tokio::runtime::Runtime;

/// What was delivered.
pub(crate) const CONTENT: &[u8] = b"The settlement is 42,000.";

/// Runs between two looks at whether the people's sessions still live.
const RENEWAL: u32 = 256;

/// The server and its people.
pub(crate) struct Lab {
    pub(crate) runtime: Runtime,
    pub(crate) server: TestServer,
    pub(crate) http: reqwest::Client,
    pub(crate) ops: Device,
    pub(crate) client: Device,
    pub(crate) file: FileId,
    /// Every request of the story, in order.
    pub(crate) story: Vec<Exchange>,
    /// The two requests for many files and many shares that followed it.
    pub(crate) batches: Vec<Exchange>,
    /// A request for new keys, as somebody made it who is no part of the story; the server has not seen it.
    pub(crate) rotation: Exchange,
    runs: u32,
}

static LAB: Mutex<Option<Lab>> = Mutex::new(None);

/// Does something in the one lab of the process.
pub(crate) fn with(work: impl FnOnce(&Lab)) {
    let mut lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let lab = lab.get_or_insert_with(Lab::open);
    if lab.runs.is_multiple_of(RENEWAL) {
        // An input may have ended a session; the device goes on by its key.
        let renewed = async { drop((lab.ops.me.whoami().await, lab.client.me.whoami().await)) };
        lab.runtime.block_on(renewed);
    }
    lab.runs += 1;
    work(lab);
}

/// Ends the lab, if one was opened, and removes what it kept.
pub fn close() {
    let lab = LAB.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Lab { runtime, mut server, .. }) = lab {
        runtime.block_on(server.stop());
    }
}

/// The access token that a device holds.
pub(crate) fn token(device: &Device) -> String {
    let session: Value = serde_json::from_slice(&device.blob("session").unwrap()).unwrap();
    session["value"]["access_token"].as_str().unwrap().to_owned()
}

impl Lab {
    fn open() -> Self {
        let runtime = Runtime::new().unwrap();
        let Told { server, ops, client, file, story, batches, rotation } = runtime.block_on(tell());
        let http = reqwest::Client::new();
        Self { runtime, server, http, ops, client, file, story, batches, rotation, runs: 0 }
    }

    /// Where the server itself listens: what is said here is no honest client's.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }
}

/// What [`tell`] leaves.
struct Told {
    server: TestServer,
    ops: Device,
    client: Device,
    file: FileId,
    story: Vec<Exchange>,
    batches: Vec<Exchange>,
    rotation: Exchange,
}

/// A delivery with everything that clients ask a server, through a proxy that writes it down.
async fn tell() -> Told {
    let server = TestServer::start(Backend::SQLITE_FOLDER).await;
    let proxy = Adversary::before(&server).await;
    let ops = sdk::found_at(&server, &proxy.url()).await;
    let client = ops.welcome(&proxy.url(), sdk::CLIENT).await;
    let file = ops.upload("settlement.txt", CONTENT).await;
    let terms = Terms { expires_at: None, downloads: None };
    ops.share(file, &client, terms).await.unwrap();
    client.me.shared(None).await.unwrap();
    assert_eq!(client.download(file).await.unwrap(), CONTENT);
    ops.me.receipts(Some(file), None).await.unwrap();
    ops.me.files(None).await.unwrap();
    ops.me.unshare(file, &client.email).await.unwrap();
    ops.share(file, &client, terms).await.unwrap();
    let story = proxy.seen();
    let batches = many(&server, &proxy, &ops, &client).await;
    let rotation = new_keys(&proxy, &ops).await;
    // From here on they talk to the server itself, on devices of their own.
    let (ops, client) = (ops.other_device(&server.url()).await, client.other_device(&server.url()).await);
    Told { server, ops, client, file, story, batches, rotation }
}

/// What somebody sends who rotates their keys.
async fn new_keys(proxy: &Adversary, ops: &Device) -> Exchange {
    let turner = ops.welcome(&proxy.url(), "turner@example.com").await;
    proxy.requests(routes::ROTATE, |asked| asked.body = Bytes::new());
    let password = sdk::secret(&turner.password);
    let rotation = turner.me.prepare_rotation(password, None).await.unwrap();
    assert!(rotation.complete().await.is_err(), "nothing has arrived");
    let seen = proxy.seen_of(routes::ROTATE).into_iter().next().expect("a request");
    proxy.repent();
    seen
}

/// Several small files to one person, in two requests.
async fn many(server: &TestServer, proxy: &Adversary, ops: &Device, client: &Device) -> Vec<Exchange> {
    proxy.forget();
    let recipients = vec![(client.email.clone(), Terms::default())];
    let files: Vec<Delivery> = ["one", "two", "three"]
        .map(|name| {
            let path = server.scratch().join(name);
            std::fs::write(&path, name).unwrap();
            Delivery { path, note: String::new(), recipients: recipients.clone() }
        })
        .to_vec();
    let done = &mut |_, sent: Result<Sent, Error>| {
        sent.unwrap();
        ControlFlow::Continue(())
    };
    ops.me.upload_many(&files, Again::Refuse, &|_| {}, done).await.unwrap();
    let seen = [routes::CREATE_FILES, routes::SHARE_FILES].map(|route| proxy.seen_of(route));
    let seen: Vec<Exchange> = seen.into_iter().flatten().collect();
    assert_eq!(seen.len(), 2);
    seen
}
