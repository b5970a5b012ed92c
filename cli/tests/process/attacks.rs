//! Rows of the attack catalogue whose surface is the program itself: what a person at the terminal is shown, what it leaves
//! in a folder, what it does by itself. The server is real, an adversary stands before it.

use std::{fs, os::unix::fs::PermissionsExt};

use sealpost_api::routes::{self, Route};
use sealpost_client::{RevokeReason, Terms, display_name};
use sealpost_crypto::{
    account::Account,
    id::Digest,
    record::Signed,
    records::Withdraw,
    secret::{AccountSeed, SigningSeed},
    sign::SigningKey,
};
use sealpost_tests::{
    TestServer,
    adversary::Adversary,
    on_both_databases,
    sdk::{self, Device, address, describe},
    search::Needle,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    colleagues::Watch,
    world::{CLIENT, Done, Home, OPS, text},
};

/// Clears a screen, names a window, turns text around, hides in it, begins lines of its own.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}fdp\u{200b}\u{2066}\u{2028}\r\nerror: all is well\nhint: run it";

/// An Ops member and a client at the terminal, and a server that lies to them.
struct Stage {
    server: TestServer,
    evil: Adversary,
    ops: Home,
    folder: TempDir,
}

impl Stage {
    async fn set(server: TestServer) -> Self {
        let evil = Adversary::before(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let ops = Home::new(folder.path(), "ops", &evil.url());
        let token = server.setup_token();
        ops.json(&["init", "--setup-token", &token, "--email", OPS, "--org", "Example & Co"]).ok();
        Self { server, evil, ops, folder }
    }

    fn invite(&self, email: &str) -> String {
        text(&self.ops.json(&["invite", email]).json(), "code")
    }

    fn home(&self, name: &str) -> Home {
        Home::new(self.folder.path(), name, &self.evil.url())
    }

    fn joined(&self, name: &str, email: &str) -> Home {
        let home = self.home(name);
        home.json(&["join", &self.invite(email)]).ok();
        self.ops.json(&["ls"]).ok();
        home
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn deliver(&self, path: &str, to: &str) -> String {
        text(&self.ops.json(&["upload", path, "--to", to]).json()["files"][0], "file_id")
    }

    /// Nobody's password or seed went over the wire, nor this.
    fn kept_secrets(&self, homes: &[&Home], content: &[u8]) {
        let mut needles = vec![Needle::new("the content", content)];
        for home in homes {
            let password = fs::read_to_string(&home.password_file).unwrap();
            needles.push(Needle::new("a password", password.trim().as_bytes()));
            needles.push(Needle::new("a seed", &fs::read(home.path.join("state/seed")).unwrap()));
        }
        self.evil.learned_none_of(&needles);
    }
}

/// The Ops member of a stage as the SDK's tests have them, and a file of somebody who has left.
async fn left_behind(server: &TestServer, evil: &Adversary) -> (Device, Device, sealpost_client::FileId) {
    let ops = sdk::found_at(server, &evil.url()).await;
    let client = ops.welcome(&evil.url(), CLIENT).await;
    let otto = ops.welcome_ops(&evil.url(), "otto@example.com", "Otto").await;
    let file = otto.upload("left.txt", b"left behind").await;
    otto.share(file, &client, Terms::default()).await.unwrap();
    let revocation = ops.me.revocation(&address("otto@example.com")).await.unwrap();
    revocation.revoke(RevokeReason::Left).await.unwrap();
    (ops, client, file)
}

/// A person's home folder, signed in on a device of the SDK's tests.
fn at_the_terminal(folder: &TempDir, url: &str, device: &Device) -> Home {
    let home = Home::new(folder.path(), "terminal", url);
    fs::write(&home.password_file, &device.password).unwrap();
    let state = home.path.join("state");
    fs::create_dir_all(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    for name in ["profile", "seed", "session", "log", "account-key", "pins"] {
        if let Some(blob) = device.blob(name) {
            let path = state.join(name);
            fs::write(&path, blob).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    home
}

/// Every route answers with an error whose every word is the adversary's.
fn speak(evil: &Adversary, route: Route) {
    evil.answers(route, |_, answered| {
        answered.status = 500.try_into().unwrap();
        answered.headers.insert("content-type", "application/problem+json".parse().unwrap());
        answered.say(&json!({
            "type": HOSTILE, "title": HOSTILE, "status": 500, "code": format!("x{HOSTILE}"), "detail": HOSTILE,
            "hint": HOSTILE, "instance": HOSTILE
        }));
    });
}

/// Nothing that was shown acts on a terminal or passes for a line of the program's own.
#[track_caller]
fn is_tame(done: &Done, forbidden: &[&str]) {
    for shown in [done.text(), done.stderr.clone()] {
        for line in shown.split('\n') {
            assert_eq!(display_name(line), line, "{done:?}");
            assert!(!forbidden.iter().any(|begin| line.starts_with(begin)), "{done:?}");
        }
    }
}

on_both_databases! {
    async fn a85_a_file_that_somebody_else_put_there_gets_nothing(server: TestServer) {
        let stage = Stage::set(server).await;
        let client = stage.joined("client", CLIENT);
        let content = "content that nobody else reads";
        let id = stage.deliver(&stage.file("a.txt", content.as_bytes()), CLIENT);
        // A folder for everybody: another user of the machine knows the name of the temporary file.
        let shared = stage.folder.path().join("shared");
        fs::create_dir(&shared).unwrap();
        let planted = shared.join(format!(".sealpost-{id}-1.part"));
        let destination = shared.join("a.txt").display().to_string();
        for mode in [0o666, 0o644, 0o660] {
            fs::write(&planted, "").unwrap();
            fs::set_permissions(&planted, fs::Permissions::from_mode(mode)).unwrap();
            let error = client.json(&["download", &id, "-o", &destination]).fails(8, "destination_unwritable");
            assert!(text(&error, "message").contains(".part"), "{error}");
            assert_eq!(fs::read(&planted).unwrap(), b"", "it was written to");
            let left: Vec<_> = fs::read_dir(&shared).unwrap().flatten().map(|entry| entry.path()).collect();
            assert_eq!(left, std::slice::from_ref(&planted));
            fs::remove_file(&planted).unwrap();
        }
        client.json(&["download", &id, "-o", &destination]).ok();
        assert_eq!(fs::read_to_string(&destination).unwrap(), content);
        assert_eq!(fs::metadata(&destination).unwrap().permissions().mode() & 0o077, 0);
        stage.kept_secrets(&[&stage.ops, &client], content.as_bytes());
    }

    async fn a86_the_program_does_not_say_uploaded_because_the_server_does(server: TestServer) {
        let stage = Stage::set(server).await;
        let content = vec![7; 2_000_000];
        let path = stage.file("a.bin", &content);
        stage.evil.json(routes::CREATE_FILE, |upload| upload["state"] = json!("live"));
        stage.ops.json(&["upload", &path]).fails(7, "upload_unproven");
        stage.evil.repent();
        let shown = stage.ops.json(&["upload", &path]).json();
        assert_eq!(shown["files"][0]["size"], json!(content.len()));
        stage.kept_secrets(&[&stage.ops], &content[..64]);
    }

    async fn a90_another_key_for_checkpoints_shows_other_words(server: TestServer) {
        let mut stage = Stage::set(server).await;
        stage.server.restart_with(|config| config.new_checkpoint_key = true).await;
        let console = stage.server.service_words().unwrap().join(" ");
        let stolen = json!(SigningKey::from_seed(&SigningSeed::random()).public_key());
        stage.evil.json(routes::SERVER, move |info| info["next_checkpoint_key"] = stolen.clone());
        stage.evil.forget();
        stage.ops.json(&["service", "--words", &console]).fails(7, "words_differ");
        stage.ops.json(&["service", "-y"]).fails(2, "words_needed");
        assert!(stage.evil.seen_of(routes::APPEND_LOG).is_empty(), "something was signed");
        stage.evil.repent();
        stage.ops.json(&["service", "--words", &console]).ok();
        stage.ops.json(&["service", "--words", &console]).fails(4, "no_service_key");
    }

    async fn a91_what_a_client_calls_withdrawn_is_withdrawn_all_the_same(server: TestServer) {
        let evil = Adversary::before(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let (ops, client, file) = left_behind(&server, &evil).await;
        let home = at_the_terminal(&folder, &evil.url(), &ops);
        let me = client.me.whoami().await.unwrap();
        let seed = AccountSeed::from_slice(&client.blob("seed").unwrap()).unwrap();
        let account = Account::derive(&seed, me.org_id, me.user_id, 1).unwrap();
        let record = Withdraw {
            org_id: me.org_id,
            signer: me.user_id,
            signer_bundle: account.bundle().id(),
            file_id: file,
        };
        let record = json!(Signed::sign(record, &account.keys().signing).unwrap().into_raw());
        evil.json(routes::LEFT_FILES, move |page| page["items"][0]["withdrawal"] = record.clone());
        let listed = home.json(&["left", "otto@example.com"]);
        listed.fails(7, "entries_rejected");
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        assert_eq!((&listed["files"], &listed["rejected"][0]["code"]), (&json!([]), &json!("withdraw_not_ops")));
        assert!(client.download(file).await.is_ok(), "it is in circulation");
        // Whoever takes everything out takes this out, too.
        home.json(&["withdraw", "--all-of", "otto@example.com", "-y"]).ok();
        assert!(client.download(file).await.is_err(), "it is in circulation still");
        evil.repent();
        let listed = home.json(&["left", "otto@example.com"]).json();
        assert_eq!(listed["files"][0]["withdrawn_by"]["email"], json!(OPS));
    }

    async fn a92_nothing_that_a_server_says_acts_on_a_terminal(server: TestServer) {
        let stage = Stage::set(server).await;
        let client = stage.joined("client", CLIENT);
        let id = stage.deliver(&stage.file("a.txt", b"content enough"), CLIENT);
        let code = stage.invite("bob@example.com");
        let forbidden = ["error: all is well", "hint: run it"];
        for route in [
            routes::LOG, routes::FILES, routes::FILES_SHARED, routes::FILE, routes::MEMBERS, routes::INVITES,
            routes::SHARE, routes::UNSHARE, routes::CREATE_INVITE, routes::LOGIN, routes::INVITE, routes::RECEIPTS,
            routes::DOWNLOAD, routes::PARTS, routes::VAULT, routes::SERVER, routes::DELETE_FILE,
        ] {
            speak(&stage.evil, route);
        }
        let bob = stage.home("bob");
        for form in [&[][..], &["--json"], &["-q"], &["-v"]] {
            let commands: [(&Home, &[&str]); 12] = [
                (&stage.ops, &["ls"]),
                (&stage.ops, &["info", &id]),
                (&stage.ops, &["share", &id, CLIENT]),
                (&stage.ops, &["unshare", &id, CLIENT]),
                (&stage.ops, &["invite", "carol@example.com"]),
                (&stage.ops, &["contacts"]),
                (&stage.ops, &["receipts"]),
                (&stage.ops, &["rm", &id, "-y"]),
                (&client, &["shared"]),
                (&client, &["download", &id, "-o", "/nonexistent/x"]),
                (&bob, &["join", &code]),
                (&bob, &["login", "--email", CLIENT]),
            ];
            for (who, command) in commands {
                let done = who.run(&[command, form].concat());
                assert_ne!(done.code, 0, "{command:?} {done:?}");
                is_tame(&done, &forbidden);
            }
        }
        stage.evil.repent();
        client.json(&["download", &id, "-o", &stage.path("received")]).ok();
        assert_eq!(fs::read(stage.path("received")).unwrap(), b"content enough");
        stage.kept_secrets(&[&stage.ops, &client], b"content enough");
    }

    async fn a92_nothing_that_a_sender_says_acts_on_a_terminal(server: TestServer) {
        let evil = Adversary::before(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let ops = sdk::found_at(&server, &evil.url()).await;
        let client = ops.welcome(&evil.url(), CLIENT).await;
        let mut hostile = describe(HOSTILE, b"content");
        (hostile.note, hostile.media_type) = (HOSTILE.into(), HOSTILE.into());
        let file = ops.me.upload(&b"content"[..], hostile, &|_| {}).await.unwrap().file_id;
        ops.share(file, &client, Terms::default()).await.unwrap();
        let home = at_the_terminal(&folder, &evil.url(), &client);
        let id = file.to_string();
        let place = format!("{}/", folder.path().join("received").display());
        for form in [&[][..], &["--json"], &["-q"], &["-v"]] {
            for command in [&["shared"][..], &["info", &id], &["download", &id, "-f", "-o", &place]] {
                let done = home.run(&[command, form].concat()).ok();
                is_tame(&done, &["error: all is well", "hint: run it"]);
            }
        }
        let received: Vec<_> = fs::read_dir(&place).unwrap().flatten().collect();
        assert_eq!(received.len(), 1, "{received:?}");
        assert_eq!(fs::read(received[0].path()).unwrap(), b"content");
        let listed = home.json(&["shared"]).json();
        assert_eq!(listed["files"][0]["name"], json!(HOSTILE), "scripts get what was said");
    }

    async fn a93_watch_goes_on_when_an_invitee_answers_wrongly(server: TestServer) {
        let stage = Stage::set(server).await;
        let (mallorys, bobs) = (stage.invite("mallory@example.com"), stage.invite("bob@example.com"));
        stage.evil.requests(routes::INVITE_ACCEPT, |asked| {
            let mut body: Value = serde_json::from_slice(&asked.body).unwrap();
            body["mac"] = json!(Digest::random().to_string());
            asked.body = serde_json::to_vec(&body).unwrap().into();
        });
        stage.home("mallory").json(&["join", &mallorys]).ok();
        stage.evil.repent();
        let mut watch = Watch::begin(&stage.ops);
        let refused = watch.next("refused");
        assert_eq!(text(&refused, "email"), "mallory@example.com");
        assert_eq!(text(&refused["error"], "code"), "accept_mac");
        stage.home("bob").json(&["join", &bobs]).ok();
        assert_eq!(text(&watch.next("certified"), "email"), "bob@example.com");
        drop(watch);
        stage.ops.json(&["watch", "--once"]).fails(7, "accept_mac");
    }
}
