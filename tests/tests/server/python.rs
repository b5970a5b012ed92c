//! The Python client, a second implementation of the protocol, against real servers and as it reads the vectors.

use std::{
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

async fn python(script: &str, arguments: Vec<String>) -> Output {
    let interpreter =
        std::env::var_os(PYTHON).expect("run the tests with `cargo xtask test`: it prepares Python");
    let script = folder().join(script);
    let mut command = Command::new(interpreter);
    command.arg("-B").arg(script).args(arguments);
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("Python did not start")
}

/// A script's machine: a kit in a file, and nothing else.
struct Script {
    server: String,
    kit: PathBuf,
    folder: PathBuf,
}

impl Script {
    async fn new(server: &TestServer, of: &Device) -> Self {
        let seed = AccountSeed::from_slice(&of.blob("seed").unwrap()).unwrap();
        let org_id: OrgId = of.me.whoami().await.unwrap().org_id;
        let text = RecoveryKit { seed, org_id, account_key: None }.to_text();
        let folder = server.scratch().to_owned();
        let kit = folder.join("kit.json");
        let json = json!({ "words": text.words.as_str(), "organisation": text.organisation.as_str() });
        std::fs::write(&kit, json.to_string()).unwrap();
        Self { server: server.url(), kit, folder }
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let all = ["--server", &self.server, "--kit", self.kit.to_str().unwrap()];
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

    /// What a refusal says; nothing may be at `path`.
    async fn refused(&self, file: FileId, path: &Path) -> String {
        let output = self.run(&["download", &file.to_string(), "-o", path.to_str().unwrap()]).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(!path.exists());
        String::from_utf8(output.stderr).unwrap()
    }
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

    async fn it_refuses_what_it_has_no_right_to_or_cannot_place(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let file = ops.upload("a.txt", b"content").await;
        let script = Script::new(&server, &client).await;
        let path = script.folder.join("out");
        assert!(script.refused(file, &path).await.contains("not_found"));

        ops.share(file, &client, Default::default()).await.unwrap();
        std::fs::write(&path, b"mine").unwrap();
        let output = script.run(&["download", &file.to_string(), "-o", path.to_str().unwrap()]).await;
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
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
        assert!(script.refused(file, &script.folder.join("out")).await.contains("part_mismatch"));
        assert!(ops.me.receipts(None, None).await.unwrap().items.is_empty());
    }
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
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
