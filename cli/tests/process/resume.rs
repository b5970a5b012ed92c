//! Clients that end without warning: the same command goes on where they ended, nothing is sent or counted twice.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::world::{CLIENT, on_both, text};

/// Some 24 parts.
const SIZE: u64 = 200_000_000;
/// Bytes of JSON that a journal grows by with each part: an index and a digest.
const JOURNAL_ENTRY: u64 = 68;

fn content() -> Vec<u8> {
    (0..SIZE).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

/// Starts `command` and kills it (SIGKILL) once `reached` says so.
fn kill_when(mut command: Command, reached: impl Fn() -> bool) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !reached() && started.elapsed() < Duration::from_secs(120) {
        thread::sleep(Duration::from_millis(2));
    }
    assert!(child.try_wait().unwrap().is_none(), "the command ended before it could be killed");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Bytes of the journals of unfinished uploads.
fn journalled(home: &Path) -> u64 {
    let Ok(state) = fs::read_dir(home.join("state")) else { return 0 };
    let segments = state.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name().into_string().unwrap_or_default();
        name.starts_with("upload-") && name.ends_with("-0")
    });
    segments.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_upload_goes_on() {
    on_both(|mut world| {
        let client = world.joined("client", CLIENT);
        let content = content();
        let source = world.file("large.bin", &content);
        let home = world.ops.path.clone();
        for parts in [3, 9] {
            kill_when(world.ops.command(&["upload", &source]), || journalled(&home) > parts * JOURNAL_ENTRY);
        }
        world.server.start_again();
        let id = world.deliver(&source, CLIENT);
        assert_eq!(world.ops.run(&["-q", "ls"]).ok().text().lines().count(), 1, "one file, not several");
        let arrived = client.run(&["download", &id, "-o", "-"]).ok();
        assert!(arrived.stdout == content);
        assert_eq!(journalled(&home), 0, "a complete upload leaves no journal");
        world.ops.json(&["upload", &source]).fails(5, "already_uploaded");
        assert_ne!(text(&world.ops.json(&["-y", "upload", &source]).json()["files"][0], "file_id"), id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_download_goes_on_and_counts_once() {
    on_both(|world| {
        let client = world.joined("client", CLIENT);
        let content = content();
        let source = world.file("large.bin", &content);
        let done = world.ops.json(&["upload", &source, "--to", CLIENT, "--downloads", "1"]).json();
        let id = text(&done["files"][0], "file_id");
        let (arrived, partial) =
            (world.path("back.bin"), PathBuf::from(world.path(&format!(".sealpost-{id}-1.part"))));
        let length = || fs::metadata(&partial).map_or(0, |metadata| metadata.len());
        for bytes in [20_000_000, 60_000_000] {
            kill_when(client.command(&["download", &id, "-o", &arrived]), || length() > bytes);
            assert!(!Path::new(&arrived).exists());
        }
        // What stands in the temporary file is checked, not believed.
        let mut damaged = fs::read(&partial).unwrap();
        damaged[12_000_000] ^= 1;
        fs::write(&partial, damaged).unwrap();
        client.run(&["download", &id, "-o", &arrived]).ok();
        assert!(fs::read(&arrived).unwrap() == content);
        assert!(!partial.exists());
        assert_eq!(world.ops.json(&["ls"]).json()["files"][0]["shares"][0]["downloads"], 1);
    })
    .await;
}

/// A source that changed between two tries is another file: nothing more goes out under the old key (A61).
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_source_begins_a_new_file() {
    on_both(|world| {
        let mut content = content();
        let source = world.file("large.bin", &content);
        let modified = fs::metadata(&source).unwrap().modified().unwrap();
        let home = world.ops.path.clone();
        kill_when(world.ops.command(&["upload", &source]), || journalled(&home) > 3 * JOURNAL_ENTRY);
        // Even when size and time say that nothing changed.
        content[1000] ^= 1;
        fs::write(&source, &content).unwrap();
        fs::File::options().write(true).open(&source).unwrap().set_modified(modified).unwrap();
        let id = text(&world.ops.json(&["upload", &source]).json()["files"][0], "file_id");
        let arrived = world.ops.run(&["download", &id, "-o", "-"]).ok();
        assert!(arrived.stdout == content);
    })
    .await;
}
