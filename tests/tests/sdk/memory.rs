//! After sign-out nothing is left in memory that would open an account or a file.
//!
//! The test reads the heap of a process that has worked with the SDK. First it proves that it finds what is there: a value
//! that the process was given to keep, and the keys of those who are signed in; and that it tells a stack from the heap.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use sealpost_client::RecoveryKit;
use sealpost_crypto::{
    id::OrgId,
    secret::{AccountKey, AccountSeed},
};
use sealpost_tests::{
    TestServer, memory, on_both_databases,
    search::{Needle, find},
    secrets::{file_key, hmac, opaque_input},
};
use serde_json::Value;
use tempfile::TempDir;

on_both_databases! {
    async fn after_sign_out_no_secret_is_left_on_the_heap(server: TestServer) {
        let mut subject = Subject::start(&server);
        subject.wait_for("signed in");
        let needles = subject.needles(&server).await;
        let planted = subject.secret("planted");
        let on_stack: Vec<u8> = planted.iter().map(|byte| !byte).collect();
        let (planted, on_stack) = ([Needle::new("planted", &planted)], [Needle::new("on a stack", &on_stack)]);
        let signed_in = memory::of(subject.process.id());
        let found = find(&signed_in.heap, &planted);
        assert!(found.iter().any(|line| line.contains("(raw)")) && found.iter().any(|line| line.contains("(hex)")));
        assert!(!find(&signed_in.stacks, &on_stack).is_empty() && find(&signed_in.heap, &on_stack).is_empty());
        let found = find(&signed_in.heap, &needles);
        for live in ["the signing seed of desk", "the vault key of client", "the KEM seed of laptop"] {
            assert!(found.iter().any(|line| line.starts_with(live)), "{live} is not found: {found:#?}");
        }

        subject.go_on();
        subject.wait_for("signed out");
        let signed_out = memory::of(subject.process.id());
        assert!(!find(&signed_out.heap, &planted).is_empty());
        let heap = find(&signed_out.heap, &needles);
        assert!(heap.is_empty(), "still in memory: {heap:#?}");
        subject.go_on();
        assert!(subject.process.wait().unwrap().success());
    }
}

/// The process, its folder, and the way to talk to it.
struct Subject {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Subject {
    fn start(server: &TestServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secrets = ["ops", "client", "new"].map(|whose| {
            (format!("{whose}.password"), format!("correct horse {}", OrgId::random()).into_bytes())
        });
        let others = [
            ("setup-token".to_owned(), server.setup_token().into_bytes()),
            ("planted".to_owned(), rand::random::<[u8; 32]>().to_vec()),
        ];
        for (name, secret) in secrets.into_iter().chain(others) {
            fs::write(folder.path().join(name), secret).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_subject"));
        command.arg(server.url()).arg(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, input, output: BufReader::new(output), folder }
    }

    fn wait_for(&mut self, place: &str) {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.output.read_line(&mut line)).unwrap();
        assert_eq!(line.trim_end(), place);
    }

    fn go_on(&mut self) {
        writeln!(self.input).unwrap();
    }

    fn secret(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }

    /// Everything that must be gone after sign-out.
    async fn needles(&self, server: &TestServer) -> Vec<Needle> {
        let mut needles = Needles(Vec::new());
        for (device, passwords) in
            [("desk", &["ops"][..]), ("client", &["client"]), ("laptop", &["ops", "new"])]
        {
            let key = self.secret(&format!("{device}/account-key"));
            let seed = self.secret(&format!("{device}/seed"));
            needles.account(device, &seed, &key);
            for whose in passwords {
                let password = self.secret(&format!("{whose}.password"));
                needles.add(&format!("the password of {whose}"), &password);
                needles.add(&format!("pw' of {whose}"), &opaque_input(&password, Some(&key)));
            }
        }
        let session: Value = serde_json::from_slice(&self.secret("desk/session")).unwrap();
        let token = session["value"]["access_token"].as_str().unwrap();
        needles.add("the file key", &file_key(server, token, &self.secret("desk/seed")).await);
        needles.0
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It has ended if the test succeeded.
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

struct Needles(Vec<Needle>);

impl Needles {
    /// Memory that was freed and not wiped has lost its first bytes to the allocator, so the end is searched for too.
    fn add(&mut self, what: &str, secret: &[u8]) {
        self.0.push(Needle::new(what, secret));
        if secret.len() >= 32 {
            self.0.push(Needle::new(&format!("{what}, its end"), &secret[secret.len() - 16..]));
        }
    }

    /// The seed, what derives from it, and what the recovery kit makes of it.
    fn account(&mut self, device: &str, seed: &[u8], account_key: &[u8]) {
        let prk = hmac(b"sealpost/v1/account", seed);
        self.add(&format!("the seed of {device}"), seed);
        self.add(&format!("the account key of {device}"), account_key);
        for (what, label) in [("signing seed", "signing"), ("KEM seed", "kem"), ("vault key", "vault")] {
            let key = hmac(&prk, format!("sealpost/v1/{label}\0\x01").as_bytes());
            self.add(&format!("the {what} of {device}"), &key);
        }
        let kit = RecoveryKit {
            seed: AccountSeed::from_slice(seed).unwrap(),
            org_id: OrgId::random(),
            account_key: AccountKey::from_slice(account_key),
        };
        let text = kit.to_text();
        self.add(&format!("the words of {device}"), text.words.as_bytes());
        let code = text.account_key.unwrap();
        self.add(&format!("the account key's code of {device}"), code.as_bytes());
        self.add(
            &format!("the account key's code of {device}, without hyphens"),
            code.replace('-', "").as_bytes(),
        );
    }
}
