//! The examples, run as processes against real servers on every backend. `cargo test -p sealpost-client` builds them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use sealpost_client::{
    SignedIn,
    store::{FolderStore, StateStore},
};
use sealpost_tests::{
    TestServer, on_every_backend,
    raw::random_bytes,
    sdk::{self, CLIENT, Device},
};

/// A compiled example, which knows nothing of this environment.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(program.exists(), "{} is missing: cargo build -p sealpost-client --examples", program.display());
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    command
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[track_caller]
fn stdout(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The state of `device` in a folder, as `sealpost login` leaves it.
async fn state_folder(server: &TestServer, device: &Device) -> PathBuf {
    let folder = server.scratch().join("state");
    let store = FolderStore::open(&folder).unwrap();
    for name in ["profile", "seed", "session", "log", "account-key"] {
        if let Some(bytes) = device.blob(name) {
            store.save(name, &bytes).unwrap();
        }
    }
    SignedIn::resume(Arc::new(store)).await.unwrap();
    folder
}

/// Ends a process with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

on_every_backend! {
    async fn a_file_is_delivered_from_another_program_once(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let state = state_folder(&server, &ops).await;
        let file = server.scratch().join("report.pdf");
        fs::write(&file, "the report").unwrap();
        for expected in ["shared now", "shared before"] {
            let mut command = example("deliver_from_app");
            command.arg(&state).arg(CLIENT).arg(&file);
            assert_eq!(stdout(run(command).await), format!("{CLIENT}: {expected}\n"));
        }
        let shared = client.me.shared(None).await.unwrap().items;
        assert_eq!(shared.len(), 1);
        assert_eq!((shared[0].file.name.as_str(), shared[0].limit), ("report.pdf", Some(3)));
        assert_eq!(client.download(shared[0].file.file_id).await.unwrap(), b"the report");

        let mut stranger = example("deliver_from_app");
        stranger.arg(&state).arg("nobody@example.com").arg(&file);
        let refused = run(stranger).await;
        assert!(!refused.status.success());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("nobody@example.com"));
    }

    async fn everything_new_is_fetched_without_a_password(server: TestServer) {
        let ops = sdk::found(&server).await;
        let (client, kit) = sdk::joined_with_kit(&server.url(), CLIENT, ops.invite(CLIENT).await).await;
        assert_eq!(ops.me.certify_accepted().await.unwrap().len(), 1);
        let kit_file = server.scratch().join("kit.txt");
        fs::write(&kit_file, format!("{}\n{}\n", *kit.words, *kit.organisation)).unwrap();
        let inbox = server.scratch().join("inbox");
        fs::create_dir(&inbox).unwrap();
        let fetch = || {
            let mut command = example("fetch_new");
            command.arg(server.url()).arg(server.scratch().join("robot")).arg(&kit_file).arg(&inbox);
            run(command)
        };
        let contents = || {
            let files = fs::read_dir(&inbox).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
            let mut contents: Vec<Vec<u8>> = files.collect();
            contents.sort();
            contents
        };
        assert_eq!(stdout(fetch().await), "");
        for content in [&b"one"[..], b"two"] {
            let file = ops.upload("same name", content).await;
            ops.share(file, &client, sealpost_client::Terms::default()).await.unwrap();
        }
        assert_eq!(stdout(fetch().await).lines().count(), 2);
        assert_eq!(contents(), [b"one".to_vec(), b"two".to_vec()]);
        // Nothing is fetched twice, and a third file is not missed.
        let file = ops.upload("third", b"three").await;
        ops.share(file, &client, sealpost_client::Terms::default()).await.unwrap();
        assert_eq!(stdout(fetch().await).lines().count(), 1);
        assert_eq!(stdout(fetch().await), "");
        assert_eq!(contents().len(), 3);
    }

    async fn an_upload_passes_through_a_web_application(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let state = state_folder(&server, &ops).await;
        let mut command = example("axum_passthrough");
        command.arg(&state).arg(CLIENT).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut application = Running(command.spawn().unwrap());
        let url = first_line(&mut application.0);
        let content = random_bytes(9_000_000);
        let answer = sealpost_tests::http::Api::new(&url)
            .request("PUT", "/upload/large.bin")
            .body(content.clone())
            .send()
            .await
            .unwrap();
        let (status, said) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{said}");
        assert!(client.download(said.parse().unwrap()).await.unwrap() == content);
        assert!(!holds(server.scratch(), &content[..64]), "the plaintext touched the disk");
    }
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

/// Whether any file below `folder` contains `needle`.
fn holds(folder: &Path, needle: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        fs::read(&path).unwrap_or_default().windows(needle.len()).any(|window| window == needle)
    })
}
