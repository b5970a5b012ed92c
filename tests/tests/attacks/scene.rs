//! What every row begins with: an Ops member and a client who reach the server through the adversary, and a file
//! that one shared with the other.

use std::path::PathBuf;

use sealpost_api::routes;
use sealpost_client::{Error, ErrorKind, FileId, Overwrite, Terms};
use sealpost_crypto::{
    keys::AccountKeys,
    record::{RawRecord, Signed},
    records::Bundle,
    secret::AccountSeed,
};
use sealpost_tests::{
    TestServer,
    adversary::Adversary,
    raw::random_bytes,
    sdk::{self, CLIENT, Device, describe},
    search::Needle,
};
use serde_json::Value;

/// A small file: one part.
pub const SMALL: usize = 100_000;
/// Two whole parts and a bit more.
pub const THREE_PARTS: usize = 2 * 128 * 65_536 + 70_000;
/// The name of every file here.
pub const NAME: &str = "Befund Maria Muster.pdf";

/// A delivery under attack.
pub struct Scene {
    /// The server behind the adversary.
    pub server: TestServer,
    /// The adversary.
    pub evil: Adversary,
    /// The sender.
    pub ops: Device,
    /// The recipient.
    pub client: Device,
    /// What was delivered.
    pub file: FileId,
    /// Its content.
    pub content: Vec<u8>,
    /// The file key, where somebody else has sent it.
    pub file_key: Option<Vec<u8>>,
}

impl Scene {
    /// A file of `size` bytes, uploaded and shared, not looked at yet.
    pub async fn with_file(server: TestServer, size: usize) -> Self {
        let evil = Adversary::before(&server).await;
        let ops = sdk::found_at(&server, &evil.url()).await;
        let client = ops.welcome(&evil.url(), CLIENT).await;
        let content = random_bytes(size);
        let file = ops.upload(NAME, &content).await;
        ops.share(file, &client, Terms::default()).await.expect("sharing");
        Self { server, evil, ops, client, file, content, file_key: None }
    }

    /// The same with a small file.
    pub async fn set(server: TestServer) -> Self {
        Self::with_file(server, SMALL).await
    }

    /// The attack goes on with a new file.
    pub async fn deliver_again(&mut self) {
        self.content = random_bytes(self.content.len());
        self.file = self.ops.upload(NAME, &self.content).await;
        self.ops.share(self.file, &self.client, Terms::default()).await.expect("sharing");
    }

    /// Another file of the same owner, shared with the same client.
    pub async fn another_file(&self) -> FileId {
        let content = random_bytes(self.content.len());
        let file = self.ops.me.upload(&content[..], describe("another.pdf", &content), &|_| {}).await;
        let file = file.expect("uploading").file_id;
        self.ops.share(file, &self.client, Terms::default()).await.expect("sharing");
        file
    }

    /// What the honest server says to a person about a file.
    pub async fn view(&self, device: &Device, file: FileId) -> Value {
        self.evil.forget();
        drop(device.me.download(file).await.expect("looking the file up"));
        let seen = self.evil.seen_of(routes::FILE);
        serde_json::from_slice(&seen.last().expect("the server was asked").answered.body).expect("JSON")
    }

    /// Where downloads go.
    pub fn folder(&self) -> PathBuf {
        self.server.scratch().join("received")
    }

    /// The client downloads.
    pub async fn fetch(&self) -> Result<(), Error> {
        std::fs::create_dir_all(self.folder()).expect("a folder");
        let download = self.client.me.download(self.file).await?;
        download.to_path(&self.folder().join("file"), Overwrite::Never, &|_| {}).await.map(drop)
    }

    /// The client is attacked while downloading: it says that verification failed, and by which check; nothing
    /// is left.
    #[track_caller]
    pub fn refuses<'a>(&'a self, code: &'a str) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let error = self.fetch().await.expect_err(&format!("the attack at {caller} was not noticed"));
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, code), "{error} at {caller}");
            self.left_nothing();
        }
    }

    /// No file, whole or in part, stands where the download was to go.
    #[track_caller]
    pub fn left_nothing(&self) {
        let left: Vec<_> = std::fs::read_dir(self.folder()).expect("the folder").flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// The adversary stops lying: the same delivery succeeds, and in all that was sent no secret left a client.
    pub async fn ends_well(self) {
        self.evil.repent();
        self.fetch().await.expect("the honest run");
        assert!(std::fs::read(self.folder().join("file")).expect("the file") == self.content);
        self.kept_secrets().await;
    }

    /// No secret left a client in anything that went through so far.
    pub async fn kept_secrets(&self) {
        let mut needles = vec![Needle::new("the file's name", NAME.as_bytes())];
        for at in [0, self.content.len() / 2, self.content.len() - 32] {
            needles.push(Needle::new("the content", &self.content[at..at + 32]));
        }
        needles.extend(secrets_of(&self.ops));
        needles.extend(secrets_of(&self.client));
        let key = match &self.file_key {
            Some(key) => key.clone(),
            None => self.ops.me.file_key(self.file).await.expect("the owner's key").expose().to_vec(),
        };
        needles.push(Needle::new("the file key", &key));
        self.evil.learned_none_of(&needles);
    }
}

/// What a person's device knows and no server may.
pub fn secrets_of(device: &Device) -> Vec<Needle> {
    let who = device.email.as_str();
    let mut needles = vec![Needle::new(&format!("the password of {who}"), device.password.as_bytes())];
    for name in ["seed", "account-key"] {
        if let Some(secret) = device.blob(name) {
            needles.push(Needle::new(&format!("the {name} of {who}"), &secret));
        }
    }
    needles
}

/// A bundle in somebody's name with the attacker's keys, signed by them.
pub fn attackers(bundle: &Value) -> Value {
    let raw: RawRecord = serde_json::from_value(bundle.clone()).expect("a bundle");
    let keys = AccountKeys::derive(&AccountSeed::random());
    let mut claimed: Bundle = raw.claim().expect("a bundle");
    claimed.signing_key = keys.signing.public_key();
    claimed.kem_key = keys.kem.public_key().clone();
    serde_json::to_value(Signed::sign(claimed, &keys.signing).expect("a bundle").raw()).expect("a bundle")
}
