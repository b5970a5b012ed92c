//! A program that uses the SDK as an application does, so that a test can look into its memory: two people in one
//! process found, join, upload, share, download, sign in again, change a password, and sign out.
//!
//! Arguments: the server, and a folder with one file for each secret that it is given. It says on standard output where
//! it is, and goes on when something comes on standard input.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code fails by panicking")]

use std::{
    fs::{self, File},
    hint::black_box,
    io::{BufRead, Read, Write, stdin, stdout},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sealpost_client::{
    AccountKey, Anonymous, EmailAddress, FileId, FoundOrganisation, InviteRequest, NewFile, Password,
    SignedIn, Terms, Token, store::FolderStore,
};
use sealpost_tests::sdk::{CLIENT, OPS};
use tokio::io::sink;

struct Subject {
    server: String,
    folder: PathBuf,
}

#[tokio::main]
async fn main() {
    sealpost_tests::http::install_tls();
    let mut arguments = std::env::args().skip(1);
    let subject = Subject { server: arguments.next().unwrap(), folder: arguments.next().unwrap().into() };
    // What the search must find: as it is, and as text.
    let planted = fs::read(subject.folder.join("planted")).unwrap();
    let text: String = planted.iter().map(|byte| format!("{byte:02x}")).collect();
    // In a task, as in a server: its future lies on the heap.
    tokio::spawn(async move { subject.run().await }).await.unwrap();
    drop((planted, text));
}

impl Subject {
    async fn run(&self) {
        let ops = self.found().await;
        let client = self.join(&ops).await;
        let file = self.deliver(&ops).await;
        download(&client, file).await;
        let laptop = self.sign_in_elsewhere().await;
        download(&laptop, file).await;
        let change = laptop.change_password(self.password("ops"), self.password("new"));
        change.await.unwrap();
        download(&ops, file).await;
        self.reached("signed in");
        for person in [ops, client, laptop] {
            person.logout().await.unwrap();
        }
        self.reached("signed out");
    }

    async fn found(&self) -> SignedIn {
        let request = FoundOrganisation {
            setup_token: Token::new(self.secret("setup-token")),
            email: address(OPS),
            name: "Olga Ops".into(),
            organisation: "Example & Co".into(),
            password: self.password("ops"),
        };
        let account = self.anonymous("desk").found(request).await.unwrap();
        drop(account.kit());
        account.complete().await.unwrap()
    }

    async fn join(&self, ops: &SignedIn) -> SignedIn {
        let request = InviteRequest {
            email: address(CLIENT),
            expires_in: Duration::from_secs(86_400),
            account_key: true,
        };
        let code = ops.invite(request).await.unwrap().code;
        let preview = self.anonymous("client").preview(code).await.unwrap();
        let account = preview.join(self.password("client")).await.unwrap();
        drop(account.kit());
        let client = account.complete().await.unwrap();
        assert_eq!(ops.certify_accepted().await.unwrap().len(), 1);
        client
    }

    async fn deliver(&self, ops: &SignedIn) -> FileId {
        let content = vec![7; 100_000];
        let what = NewFile {
            name: "report.pdf".into(),
            media_type: "application/pdf".into(),
            size: content.len() as u64,
            modified: 1_700_000_000,
            note: String::new(),
        };
        let file = ops.upload(&content[..], what, &|_| {}).await.unwrap().file_id;
        let shared = ops.share(file, &[address(CLIENT)], Terms::default()).await.unwrap();
        assert!(shared.iter().all(|share| share.result.is_ok()));
        file
    }

    async fn sign_in_elsewhere(&self) -> SignedIn {
        let key = zeroize::Zeroizing::new(fs::read(self.folder.join("desk/account-key")).unwrap());
        let key = AccountKey::from_slice(&key).unwrap();
        self.anonymous("laptop").login(&address(OPS), self.password("ops"), Some(key)).await.unwrap()
    }

    fn anonymous(&self, device: &str) -> Anonymous {
        let store = FolderStore::open(&self.folder.join(device)).unwrap();
        Anonymous::connect(&self.server.parse().unwrap(), Arc::new(store)).unwrap()
    }

    fn password(&self, whose: &str) -> Password {
        Password::new(self.secret(&format!("{whose}.password"))).unwrap()
    }

    fn secret(&self, name: &str) -> String {
        read(&self.folder.join(name))
    }

    /// Says so, and waits until the test has looked. Meanwhile what was planted lies on this thread's stack, inverted.
    fn reached(&self, place: &str) {
        let mut on_stack = [0; 32];
        File::open(self.folder.join("planted")).unwrap().read_exact(&mut on_stack).unwrap();
        on_stack.iter_mut().for_each(|byte| *byte = !*byte);
        let mut output = stdout().lock();
        writeln!(output, "{place}").unwrap();
        output.flush().unwrap();
        let mut line = String::new();
        stdin().lock().read_line(&mut line).unwrap();
        black_box(&on_stack);
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn address(text: &str) -> EmailAddress {
    text.parse().unwrap()
}

async fn download(person: &SignedIn, file: FileId) {
    person.download(file).await.unwrap().to_writer(&mut sink(), &|_| {}).await.unwrap();
}
