//! What the server acknowledged is there after SIGKILL, byte for byte, on every backend.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    thread,
    time::Duration,
};

use sealpost_tests::{Backend, backend::DatabaseKind, postgres::TestDatabase};

use crate::world::{CLIENT, Done, World, text};

/// Kills in the middle of uploads.
const ROUNDS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_folder() {
    killed_again_and_again(Backend::SQLITE_FOLDER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_database() {
    killed_again_and_again(Backend::SQLITE_DATABASE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_folder() {
    killed_again_and_again(Backend::POSTGRES_FOLDER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_database() {
    killed_again_and_again(Backend::POSTGRES_DATABASE).await;
}

async fn killed_again_and_again(backend: Backend) {
    let database = match backend.database {
        DatabaseKind::Sqlite => None,
        DatabaseKind::Postgres => Some(TestDatabase::create().await),
    };
    let url = database.as_ref().map(|database| database.url().to_owned());
    tokio::task::spawn_blocking(move || kill_rounds(backend, url)).await.unwrap();
}

fn kill_rounds(backend: Backend, postgres: Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let blobs = match backend.blobs {
        sealpost_tests::backend::BlobKind::Folder => format!("file://{}", data.join("blobs").display()),
        sealpost_tests::backend::BlobKind::Database => "database".to_owned(),
    };
    let database = postgres.unwrap_or_else(|| format!("sqlite:{}", data.join("sealpost.sqlite").display()));
    let data = data.display().to_string();
    let mut world = World::on(folder, &["--data", &data, "--database", &database, "--blobs", &blobs]);
    let client = world.joined("client", CLIENT);
    let mut delivered = Vec::new();
    for round in 0..ROUNDS {
        let content: Vec<u8> =
            (0..30_000_000_u64).map(|n| (n.wrapping_mul(2_654_435_761) >> (round + 3)) as u8).collect();
        let small = world.file(&format!("small {round}"), &content[..10_000]);
        delivered.push((world.deliver(&small, CLIENT), content[..10_000].to_vec()));
        let large = world.file(&format!("large {round}"), &content);
        let id = interrupted_upload(&mut world, &large, Duration::from_millis(150 + 250 * round));
        let id = id.unwrap_or_else(|| world.deliver(&large, CLIENT));
        delivered.push((id, content));
    }
    world.server.kill();
    world.server.start_again();
    for (id, content) in delivered {
        let arrived = client.run(&["download", &id, "-o", "-"]).ok();
        assert!(arrived.stdout == content, "{id} is not what was sent");
    }
}

/// Uploads, and kills the server meanwhile. If the command had success before, its file must be there: its id.
fn interrupted_upload(world: &mut World, path: &str, after: Duration) -> Option<String> {
    let mut command = world.ops.command(&["upload", path, "--to", CLIENT, "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    thread::sleep(after);
    world.server.start_again();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let done = Done::from(child.wait_with_output().unwrap());
    let said = serde_json::from_str::<serde_json::Value>(&line).ok();
    // A client that outlives the restart by its own retries is as good.
    (done.code == 0).then(|| text(&said.expect("JSON")["files"][0], "file_id"))
}
