//! `unshare --rekey`, killed in the middle, on both databases.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sealpost_tests::postgres::TestDatabase;

use crate::world::{CLIENT, World, text};

const BOB: &str = "bob@example.com";
/// Some 10 parts.
const SIZE: u64 = 80_000_000;
/// Bytes of JSON that a journal grows by with each part: an index and a digest.
const JOURNAL_ENTRY: u64 = 68;

fn content() -> Vec<u8> {
    (0..SIZE).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

/// Bytes of the journals of what is under way.
fn journalled(home: &Path) -> u64 {
    let Ok(state) = fs::read_dir(home.join("state")) else { return 0 };
    let segments = state.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name().into_string().unwrap_or_default();
        name.starts_with("upload-") && name.ends_with("-0")
    });
    segments.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Starts `command` and kills it (SIGKILL) once so much is journalled.
fn kill_at(mut command: Command, home: &Path, bytes: u64) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while journalled(home) <= bytes && started.elapsed() < Duration::from_secs(120) {
        thread::sleep(Duration::from_millis(2));
    }
    assert!(child.try_wait().unwrap().is_none(), "the command ended before it could be killed");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Every file below a folder, but the database's.
fn files(folder: &Path, all: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, all);
        } else if !path.to_string_lossy().contains(".sqlite") {
            all.insert(path);
        }
    }
}

fn blobs(world: &World) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    files(&world.folder.path().join("data"), &mut all);
    all.retain(|path| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 100_000));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_rekey_goes_on_and_shuts_out_one_person() {
    let database = TestDatabase::create().await;
    let url = database.url().to_owned();
    tokio::task::spawn_blocking(move || {
        story(World::new());
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data").display().to_string();
        // Where the ciphertext can be seen to go.
        let blobs = format!("file://{data}/blobs");
        story(World::on(folder, &["--data", &data, "--database", &url, "--blobs", &blobs]));
    })
    .await
    .unwrap();
}

fn story(mut world: World) {
    let client = world.joined("client", CLIENT);
    let bob = world.joined("bob", BOB);
    let content = content();
    let source = world.file("contract.bin", &content);
    let id = world.deliver(&source, CLIENT);
    world.ops.json(&["share", &id, BOB, "--downloads", "3"]).ok();
    bob.run(&["download", &id, "-o", &world.path("bobs")]).ok();
    let old = blobs(&world);
    assert!(old.len() > 5, "{old:?}");

    let home = world.ops.path.clone();
    for parts in [3, 6] {
        kill_at(world.ops.command(&["unshare", &id, BOB, "--rekey"]), &home, parts * JOURNAL_ENTRY);
        // Nothing has happened yet, to anybody.
        assert_eq!(world.ops.json(&["info", &id]).json()["version"], 1);
    }
    world.server.start_again();
    let done = world.ops.json(&["unshare", &id, BOB, "--rekey"]).json();
    assert_eq!((&done["sealed_anew"], &done["version"]), (&true.into(), &2.into()), "{done}");
    assert_eq!(text(&done["unshares"][0], "status"), "unshared");
    assert_eq!(journalled(&home), 0, "what is done leaves no journal");

    let arrived = world.path("arrived");
    let got = client.json(&["download", &id, "-o", &arrived]).json();
    assert_eq!(got["files"][0]["version"], 2);
    assert!(fs::read(&arrived).unwrap() == content);
    for command in [&["download", &id][..], &["info", &id]] {
        bob.json(command).fails(4, "not_found");
    }
    assert_eq!(bob.json(&["shared"]).json()["files"].as_array().unwrap().len(), 0);
    let new = blobs(&world);
    assert!(new.is_disjoint(&old), "old ciphertext is still there: {:?}", new.intersection(&old));
    assert_eq!(new.len(), old.len());

    // People read that it is the second version, and that what was decrypted may have been kept.
    let shared = client.run(&["shared"]).ok().text();
    assert!(shared.contains("(version 2)"), "{shared}");
    let listed = world.ops.run(&["ls"]).ok().text();
    assert!(listed.contains("(version 2)") && listed.contains("ended"), "{listed}");
    let receipts = world.ops.json(&["receipts", &id]).json();
    let versions: Vec<_> = receipts["receipts"].as_array().unwrap().iter().map(|it| &it["version"]).collect();
    assert_eq!(versions, [2, 1]);
    let again = world.ops.json(&["unshare", &id, BOB, "--rekey"]).json();
    assert_eq!((&again["sealed_anew"], &again["version"]), (&false.into(), &2.into()), "{again}");
    let last = world.ops.run(&["unshare", &id, CLIENT, "--rekey"]).ok().text();
    assert!(last.contains("version 3") && last.contains("may have kept a copy"), "{last}");
    client.json(&["download", &id, "-f", "-o", &arrived]).fails(4, "not_found");
    assert!(world.ops.run(&["download", &id, "-o", "-"]).ok().stdout == content);
}
