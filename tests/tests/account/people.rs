//! People with devices, as the tests of this folder need them.

use std::{sync::Arc, time::Duration};

use sealpost_client::{
    Anonymous, FoundOrganisation, InviteRequest, NewFile, Password, SignedIn, Token, Uploaded,
    store::MemoryStore,
};
use sealpost_tests::TestServer;

/// The Ops member's address.
pub const OPS: &str = "ops@example.org";

/// Somebody with an account and one device.
pub struct Person {
    /// Their session.
    pub session: SignedIn,
}

/// The password that everybody here begins with.
pub fn password() -> Password {
    new_password("correct horse battery staple")
}

/// A password.
pub fn new_password(text: &str) -> Password {
    Password::new(text.to_owned()).unwrap()
}

/// A fresh device that nobody is signed in on.
pub fn device(server: &TestServer, store: &Arc<MemoryStore>) -> Anonymous {
    Anonymous::connect(&server.url().parse().unwrap(), store.clone()).unwrap()
}

/// The founder.
pub async fn founder(server: &TestServer) -> Person {
    let store = Arc::new(MemoryStore::new());
    let founding = FoundOrganisation {
        setup_token: Token::new(server.setup_token()),
        email: OPS.parse().unwrap(),
        name: "Olga".to_owned(),
        organisation: "Example & Co".to_owned(),
        password: password(),
    };
    let account = device(server, &store).found(founding).await.unwrap();
    Person { session: account.complete().await.unwrap() }
}

impl Person {
    /// Somebody who has joined by an invite of ours, and is certified.
    pub async fn welcome(&self, server: &TestServer, email: &str) -> Self {
        let person = self.invite(server, email).await;
        assert_eq!(self.session.certify_accepted().await.unwrap().len(), 1);
        person
    }

    /// Somebody who has joined and waits.
    pub async fn invite(&self, server: &TestServer, email: &str) -> Self {
        let request = InviteRequest {
            email: email.parse().unwrap(),
            expires_in: Duration::from_secs(3_600),
            account_key: false,
        };
        let invite = self.session.invite(request).await.unwrap();
        let store = Arc::new(MemoryStore::new());
        let preview = device(server, &store).preview(invite.code).await.unwrap();
        let account = preview.join(password()).await.unwrap();
        Self { session: account.complete().await.unwrap() }
    }

    /// A file of a few bytes.
    pub async fn upload(&self, name: &str) -> Uploaded {
        let content = name.as_bytes();
        let what = NewFile {
            name: name.to_owned(),
            media_type: "text/plain".to_owned(),
            size: content.len() as u64,
            modified: 0,
            note: "as discussed".to_owned(),
        };
        self.session.upload(content, what, &|_| ()).await.unwrap()
    }
}
