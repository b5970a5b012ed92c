//! People who use the client SDK: what they say to the server is what every client says.

use std::{sync::Arc, time::Duration};

use sealpost_client::{
    Anonymous, EmailAddress, Error, ErrorKind, FileId, FoundOrganisation, InviteCode, InviteRequest, KitText,
    NewAccount, NewFile, OpsInvite, Password, SignedIn, Terms, Token,
    store::{MemoryStore, StateStore},
};

use sealpost_crypto::{account::Account, id::RecordId, secret::AccountSeed};

use crate::{http::install_tls, server::TestServer};

/// The founder's address.
pub const OPS: &str = "ops@example.com";
/// The first client's address.
pub const CLIENT: &str = "client@example.com";

/// One person on one device.
pub struct Device {
    /// Their address.
    pub email: EmailAddress,
    /// Their password.
    pub password: String,
    /// What the device keeps.
    pub store: MemoryStore,
    /// Their session.
    pub me: SignedIn,
}

/// A client of `server` on a device that keeps its state in `store`.
pub fn anonymous(server: &str, store: &MemoryStore) -> Anonymous {
    install_tls();
    let server = server.parse().expect("the server's address");
    Anonymous::connect(&server, Arc::new(store.clone())).expect("a client")
}

/// Founds the organisation.
pub async fn found(server: &TestServer) -> Device {
    found_at(server, &server.url()).await
}

/// Founds the organisation of a server that is reached under another address.
pub async fn found_at(server: &TestServer, url: &str) -> Device {
    let (store, password) = (MemoryStore::new(), new_password());
    let request = FoundOrganisation {
        setup_token: Token::new(server.setup_token()),
        email: address(OPS),
        name: "Olga Ops".into(),
        organisation: "Example & Co".into(),
        password: secret(&password),
    };
    let account = anonymous(url, &store).found(request).await.expect("founding");
    Device::new(OPS, password, store, account).await
}

/// An Ops member, and a certified client.
pub async fn organisation(server: &TestServer) -> (Device, Device) {
    let ops = found(server).await;
    let client = ops.welcome(&server.url(), CLIENT).await;
    (ops, client)
}

impl Device {
    async fn new(email: &str, password: String, store: MemoryStore, account: NewAccount) -> Self {
        let me = account.complete().await.expect("registration");
        Self { email: address(email), password, store, me }
    }

    /// Invites.
    pub async fn invite(&self, email: &str) -> InviteCode {
        let request = InviteRequest {
            email: address(email),
            expires_in: Duration::from_secs(86_400),
            account_key: false,
        };
        self.me.invite(request).await.expect("an invite").code
    }

    /// A further Ops member: invited, joined, and admitted after the words were compared.
    pub async fn welcome_ops(&self, url: &str, email: &str, name: &str) -> Self {
        let invite = self.me.invite_ops(ops_invite(email, name)).await.expect("an invite");
        let colleague = join(url, email, invite.code).await;
        let confirmation = self.me.confirmation(&address(email)).await.expect("they have joined");
        let heard = colleague.me.whoami().await.expect("they are signed in").words;
        assert_eq!(Some(*confirmation.words()), heard, "other words on the two sides");
        confirmation.admit().await.expect("admitting");
        colleague
    }

    /// Invites, lets join, certifies.
    pub async fn welcome(&self, url: &str, email: &str) -> Self {
        let person = join(url, email, self.invite(email).await).await;
        assert_eq!(self.me.certify_accepted().await.expect("certifying").len(), 1);
        person
    }

    /// The same person on a fresh device; `account_key` for Ops members comes from this one.
    pub async fn other_device(&self, url: &str) -> Self {
        let store = MemoryStore::new();
        let account_key = self
            .blob("account-key")
            .map(|key| sealpost_client::AccountKey::from_slice(&key).expect("an account key"));
        let client = anonymous(url, &store);
        let me = client.login(&self.email, secret(&self.password), account_key).await.expect("signing in");
        Self { email: self.email.clone(), password: self.password.clone(), store, me }
    }

    /// The same device after its program was started again.
    pub async fn restart(&mut self) {
        self.me = SignedIn::resume(Arc::new(self.store.clone())).await.expect("the session was kept");
    }

    /// Changes the keys, under the same password; the new kit. What the person shares is not made anew yet.
    pub async fn rotate(&mut self) -> KitText {
        let rotation = self.me.prepare_rotation(secret(&self.password), None).await.expect("new keys");
        let kit = rotation.kit();
        self.me = rotation.complete().await.expect("rotating").me;
        kit
    }

    /// The same for while something else is on its way; this device has to [`Device::restart`] then.
    pub fn rotation(&self) -> impl Future<Output = ()> + Send + 'static {
        let (me, password) = (self.me.clone(), self.password.clone());
        async move {
            let rotation = me.prepare_rotation(secret(&password), None).await.expect("new keys");
            rotation.complete().await.expect("rotating");
        }
    }

    /// The keys that this device has, as those of that generation: for whoever stole them.
    pub async fn account(&self, generation: u64) -> Account {
        let me = self.me.whoami().await.expect("the account");
        let seed = AccountSeed::from_slice(&self.blob("seed").expect("a seed")).expect("a seed");
        Account::derive(&seed, me.org_id, me.user_id, generation).expect("keys")
    }

    /// The id of their bundle.
    pub async fn bundle_id(&self, generation: u64) -> RecordId {
        self.account(generation).await.bundle().id()
    }

    /// What the device keeps under a name.
    pub fn blob(&self, name: &str) -> Option<Vec<u8>> {
        self.store.load(name).expect("the device's state").map(|bytes| bytes.to_vec())
    }

    /// Uploads.
    pub async fn upload(&self, name: &str, content: &[u8]) -> FileId {
        self.me.upload(content, describe(name, content), &|_| {}).await.expect("uploading").file_id
    }

    /// Shares with one person.
    pub async fn share(&self, file: FileId, with: &Self, terms: Terms) -> Result<(), Error> {
        let outcomes = self.me.share(file, std::slice::from_ref(&with.email), terms).await?;
        outcomes.into_iter().next().expect("one outcome").result.map(|_| ())
    }

    /// Uploads a file of this name and content, and shares it.
    pub async fn deliver(&self, to: &Self, content: &str) -> FileId {
        let file = self.upload(content, content.as_bytes()).await;
        self.share(file, to, Terms::default()).await.expect("sharing");
        file
    }

    /// Downloads into memory.
    pub async fn download(&self, file: FileId) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        self.me.download(file).await?.to_writer(&mut content, &|_| {}).await?;
        Ok(content)
    }
}

/// Joins with a code.
pub async fn join(url: &str, email: &str, code: InviteCode) -> Device {
    joined_with_kit(url, email, code).await.0
}

/// Joins with a code; the recovery kit, too.
pub async fn joined_with_kit(url: &str, email: &str, code: InviteCode) -> (Device, KitText) {
    let (store, password) = (MemoryStore::new(), new_password());
    let preview = anonymous(url, &store).preview(code).await.expect("the invite");
    assert_eq!(preview.email(), email);
    let account = preview.join(secret(&password)).await.expect("joining");
    let kit = account.kit();
    (Device::new(email, password, store, account).await, kit)
}

/// An invitation to become an Ops member, for a day.
pub fn ops_invite(email: &str, name: &str) -> OpsInvite {
    let expires_in = Duration::from_secs(86_400);
    OpsInvite { email: address(email), name: name.to_owned(), expires_in }
}

/// An address.
pub fn address(email: &str) -> EmailAddress {
    email.parse().expect("an address")
}

/// A password as the SDK takes it.
pub fn secret(password: &str) -> Password {
    Password::new(password.to_owned()).expect("a password")
}

/// What a person is told of a failure: its kind, its code, and the sentence.
pub fn told<T>(outcome: Result<T, Error>) -> (ErrorKind, String, String) {
    let error = outcome.err().expect("a failure");
    (error.kind(), error.code().to_owned(), error.to_string())
}

/// What an upload says about its file.
pub fn describe(name: &str, content: &[u8]) -> NewFile {
    NewFile {
        name: name.to_owned(),
        media_type: "application/octet-stream".into(),
        size: content.len() as u64,
        modified: 1_700_000_000,
        note: String::new(),
    }
}

/// A password that nobody else has, so that it can be searched for.
fn new_password() -> String {
    format!("correct horse {}", FileId::random())
}
