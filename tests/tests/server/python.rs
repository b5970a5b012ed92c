//! The Python client, a second implementation of the protocol, against real servers and as it reads the vectors.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sealpost_client::FileId;
use sealpost_crypto::{id::OrgId, kit::RecoveryKit, secret::AccountSeed};
use sealpost_tests::{
    TestServer,
    backend::BlobKind,
    on_every_backend,
    sdk::{self, Device},
};
use serde_json::{Value, json};

/// Where `cargo xtask test` says which Python has the client's packages.
const PYTHON: &str = "SEALPOST_TEST_PYTHON";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/python")
}

pub fn interpreter() -> OsString {
    std::env::var_os(PYTHON).expect("run the tests with `cargo xtask test`: it prepares Python")
}

async fn python(script: &str, arguments: Vec<String>) -> Output {
    let script = folder().join(script);
    let mut command = Command::new(interpreter());
    command.arg("-B").arg(script).args(arguments);
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("Python did not start")
}

/// A script's machine: a kit in a file, a home of its own, and nothing else.
struct Script {
    server: String,
    kit: PathBuf,
    folder: PathBuf,
}

/// Exit codes that the client shares with the command line.
const NOT_FOUND: i32 = 4;
const VERIFICATION_FAILED: i32 = 7;
const LOCAL_FILE: i32 = 8;

impl Script {
    async fn new(server: &TestServer, of: &Device) -> Self {
        let folder = server.scratch().join("script");
        std::fs::create_dir_all(&folder).unwrap();
        let kit = folder.join("kit.json");
        write_kit(&kit, of).await;
        Self { server: server.url(), kit, folder }
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let home = self.home();
        let all = ["--server", &self.server, "--home", text(&home), "--kit", text(&self.kit)];
        python("sealpost.py", all.iter().chain(arguments).map(|&argument| argument.to_owned()).collect())
            .await
    }

    async fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// What a download says that ends in `code`; it leaves no file, and no piece of one.
    async fn refused(&self, code: i32, file: FileId) -> String {
        let before = self.received();
        let output = self.run(&["download", &file.to_string(), "-o", text(&self.out())]).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert_eq!(self.received(), before);
        String::from_utf8(output.stderr).unwrap()
    }

    /// Every file on the machine but the kit and what the client keeps in its home.
    fn received(&self) -> Vec<PathBuf> {
        let own = |path: &PathBuf| *path != self.kit && !path.starts_with(self.home());
        files(&self.folder).into_iter().filter(own).collect()
    }

    fn out(&self) -> PathBuf {
        self.folder.join("out")
    }

    fn home(&self) -> PathBuf {
        self.folder.join("home")
    }
}

async fn write_kit(path: &Path, of: &Device) {
    let seed = AccountSeed::from_slice(&of.blob("seed").unwrap()).unwrap();
    let org_id: OrgId = of.me.whoami().await.unwrap().org_id;
    let text = RecoveryKit { seed, org_id, account_key: None }.to_text();
    let json = json!({ "words": text.words.as_str(), "organisation": text.organisation.as_str() });
    std::fs::write(path, json.to_string()).unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Content with no pattern that a mistake could hide in, of several parts and no round size.
fn content() -> Vec<u8> {
    (0..9_000_001_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

on_every_backend! {
    async fn it_lists_downloads_verifies_and_leaves_a_receipt(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let content = content();
        let large = ops.upload("large – groß.bin", &content).await;
        let empty = ops.upload("empty", b"").await;
        for file in [large, empty] {
            ops.share(file, &client, Default::default()).await.unwrap();
        }
        let script = Script::new(&server, &client).await;
        let listed = script.lines(&["list"]).await;
        let names: Vec<_> = listed.iter().map(|line| (line["name"].as_str().unwrap(), line["from"].as_str())).collect();
        assert_eq!(names, [("empty", Some(sdk::OPS)), ("large – groß.bin", Some(sdk::OPS))]);

        for (file, expected) in [(large, &content[..]), (empty, &[])] {
            let path = script.folder.join(file.to_string());
            let told = script.lines(&["download", &file.to_string(), "-o", path.to_str().unwrap()]).await;
            assert_eq!(told[0]["size"], expected.len());
            assert!(std::fs::read(&path).unwrap() == expected, "the content differs");
        }
        let receipts = ops.me.receipts(None, None).await.unwrap();
        assert_eq!(receipts.items.len(), 2, "the SDK verified both");
    }

    async fn it_fetches_everything_new_once(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        for (name, content) in [("report.txt", "first"), ("report.txt", "second"), ("../\u{202e}x", "third")] {
            let file = ops.upload(name, content.as_bytes()).await;
            ops.share(file, &client, Default::default()).await.unwrap();
        }
        let script = Script::new(&server, &client).await;
        let inbox = script.folder.join("inbox");
        std::fs::create_dir(&inbox).unwrap();
        assert_eq!(script.lines(&["download-all", text(&inbox)]).await.len(), 3);
        let mut found: Vec<_> = files(&inbox).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
        found.sort();
        assert_eq!(found, ["first", "second", "third"]);
        assert!(inbox.join("report.txt").exists() && inbox.join("__x").exists(), "{:?}", files(&inbox));

        assert!(script.lines(&["download-all", text(&inbox)]).await.is_empty(), "nothing is new");
        assert_eq!(files(&inbox).len(), 3);
    }

    async fn it_follows_a_file_that_was_sealed_anew(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let content = content();
        let file = ops.upload("a.bin", &content).await;
        let [bob, dora] =
            [ops.welcome(&server.url(), "bob@example.com").await, ops.welcome(&server.url(), "dora@example.com").await];
        for person in [&client, &bob, &dora] {
            ops.share(file, person, Default::default()).await.unwrap();
        }
        let script = Script::new(&server, &client).await;
        assert_eq!(script.lines(&["list"]).await.len(), 1, "it has seen the first version");
        for person in [&bob, &dora] {
            let rekeyed = ops.me.unshare_rekeying(file, std::slice::from_ref(&person.email), &|_| {}).await;
            assert!(rekeyed.unwrap().sealed_anew);
        }
        // The third follows the first by a chain, and it says so in a receipt.
        script.lines(&["download", &file.to_string(), "-o", text(&script.out())]).await;
        assert!(std::fs::read(script.out()).unwrap() == content);
        let receipts = ops.me.receipts(Some(file), None).await.unwrap();
        assert_eq!(receipts.items.iter().map(|receipt| receipt.version).collect::<Vec<_>>(), [3]);
        ops.me.unshare_rekeying(file, std::slice::from_ref(&client.email), &|_| {}).await.unwrap();
        std::fs::remove_file(script.out()).unwrap();
        assert!(script.refused(NOT_FOUND, file).await.contains("not_found"));
    }

    async fn it_refuses_what_it_has_no_right_to_or_cannot_place(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let file = ops.upload("a.txt", b"content").await;
        let script = Script::new(&server, &client).await;
        assert!(script.refused(NOT_FOUND, file).await.contains("not_found"));

        ops.share(file, &client, Default::default()).await.unwrap();
        std::fs::write(script.out(), b"mine").unwrap();
        assert!(script.refused(LOCAL_FILE, file).await.contains("file_exists"));
        assert_eq!(std::fs::read(script.out()).unwrap(), b"mine");
        assert!(ops.me.receipts(None, None).await.unwrap().items.is_empty());
    }

    async fn it_refuses_a_part_that_was_changed_on_the_server(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let file = ops.upload("a.txt", &content()).await;
        ops.share(file, &client, Default::default()).await.unwrap();
        let script = Script::new(&server, &client).await;
        match server.backend().blobs {
            BlobKind::Folder => flip_last_byte(&server.data().join("blobs")),
            BlobKind::Database => server.execute(SWAP_PIECES.into()).await,
        }
        assert!(script.refused(VERIFICATION_FAILED, file).await.contains("part_mismatch"));
        assert!(ops.me.receipts(None, None).await.unwrap().items.is_empty());
    }

    async fn it_refuses_an_older_log_than_it_has_seen(server: TestServer) {
        let mut server = server;
        let (ops, client) = sdk::organisation(&server).await;
        ops.welcome(&server.url(), "third@example.com").await;
        let file = ops.upload("a.txt", b"content").await;
        ops.share(file, &client, Default::default()).await.unwrap();
        let script = Script::new(&server, &client).await;
        assert_eq!(script.lines(&["list"]).await.len(), 1);

        server.stop().await;
        server.execute("DELETE FROM log_entries WHERE sequence = 2".into()).await;
        server.start_again().await;
        assert!(script.refused(VERIFICATION_FAILED, file).await.contains("log_rollback"));
    }

    async fn it_refuses_a_file_in_anothers_place(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let (one, other) = (ops.upload("one.txt", b"one").await, ops.upload("other.txt", b"other").await);
        for file in [one, other] {
            ops.share(file, &client, Default::default()).await.unwrap();
        }
        let script = Script::new(&server, &client).await;
        let (one_id, other_id) = (server.literal(&one), server.literal(&other));
        server
            .execute(format!(
                "UPDATE file_versions SET metadata = (SELECT metadata FROM file_versions WHERE file_id = {other_id}) \
                 WHERE file_id = {one_id}"
            ))
            .await;
        assert!(script.refused(VERIFICATION_FAILED, one).await.contains("metadata_mismatch"));
    }

    async fn it_refuses_what_a_hostile_server_answers(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        for content in [&content()[..], b"small"] {
            let file = ops.upload("a.txt", content).await;
            ops.share(file, &client, Default::default()).await.unwrap();
        }
        ops.welcome(&server.url(), "third@example.com").await;
        let script = Script::new(&server, &client).await;
        let senders_kit = script.folder.join("sender.json");
        write_kit(&senders_kit, &ops).await;
        let hostile = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/hostile.py");
        let arguments = [text(&folder()), &script.server, text(&script.kit), text(&senders_kit)].map(str::to_owned);
        let output = python(text(&hostile), arguments.into()).await;
        assert!(output.status.success(), "{}\n{}", lossy(&output.stdout), lossy(&output.stderr));
    }
}

fn lossy(output: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(output)
}

/// One piece of a part in another's place.
const SWAP_PIECES: &str = "UPDATE part_bytes SET bytes = (SELECT other.bytes FROM part_bytes AS other \
    WHERE other.blob = part_bytes.blob AND other.piece = 0) WHERE piece = 1";

/// Changes a byte of the largest file below `folder`.
fn flip_last_byte(folder: &Path) {
    let largest = files(folder).into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&largest).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(largest, bytes).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn it_agrees_with_every_vector() {
    let output = python("check_vectors.py", vec![]).await;
    assert!(output.status.success(), "{}", lossy(&output.stdout));
}

/// What makes it readable in one sitting. README.md there says what it consists of.
const LINES_OF_A_FILE: usize = 400;

#[test]
fn it_is_short() {
    for name in ["protocol.py", "sealed.py", "sealpost.py"] {
        let lines = std::fs::read_to_string(folder().join(name)).unwrap().lines().count();
        assert!(lines < LINES_OF_A_FILE, "{name} has {lines} lines");
    }
}
