//! A folder of a thousand small files: a handful of requests, and nothing twice when the command is given again.

use std::{fs, process::Stdio, thread, time::Duration};

use sealpost_tests::proxy::LossyProxy;

use crate::world::World;

const FILES: usize = 1_000;
/// As many bytes as some of the files have on the wire.
const SOME: u64 = 4 * 1024 * 1024;
/// Requests of the whole upload with its shares: three for the files, six for the shares, and what each command asks.
const REQUESTS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_a_thousand_files_survives_a_kill_and_is_sent_once() {
    tokio::task::spawn_blocking(story).await.unwrap();
}

fn story() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let mut proxy = None;
    let world = World::reached_by(folder, &["--data", &data], |server| {
        let address = server.url.trim_start_matches("http://").parse().unwrap();
        proxy.insert(tokio::runtime::Handle::current().block_on(LossyProxy::start(address))).url()
    });
    let proxy = proxy.unwrap();
    let people = ["a@example.com", "b@example.com", "c@example.com"];
    for (number, email) in people.iter().enumerate() {
        world.joined(&format!("client{number}"), email);
    }
    // Before, so that the command has nothing else to do at the server.
    world.ops.json(&["contacts"]).ok();
    let source = world.path("folder");
    fs::create_dir(&source).unwrap();
    for number in 0..FILES {
        let content = format!("{number:05}").repeat(2_048);
        fs::write(format!("{source}/{number}.txt"), content).unwrap();
    }
    let upload = [
        "upload", &source, "--to", people[0], "--to", people[1], "--to", people[2], "--note", "all", "--json",
    ];

    let (sent, answered) = (proxy.bytes_up(), proxy.answers());
    let mut child = world.ops.command(&upload).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while proxy.bytes_up() - sent < SOME {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(child.try_wait().unwrap().is_none(), "the command ended before it could be killed");
    child.kill().unwrap();
    child.wait().unwrap();
    let done = world.ops.run(&upload).json();
    let files = done["files"].as_array().unwrap();
    assert_eq!(files.len(), FILES);
    let shared = |file: &serde_json::Value| file["shares"].as_array().unwrap().len();
    assert!(files.iter().all(|file| file["error"].is_null() && shared(file) == people.len()));
    let requests = proxy.answers() - answered;
    assert!(requests <= REQUESTS, "{requests} requests");

    let listed = world.ops.json(&["ls"]).json();
    let listed = listed["files"].as_array().unwrap();
    assert_eq!(listed.len(), FILES, "each file once");
    assert!(listed.iter().all(|file| shared(file) == people.len()), "each share once");
    world.ops.run(&upload).fails(5, "already_uploaded");
}
