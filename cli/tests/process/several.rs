//! Several processes on one home at one time: each does its work, and the home stays whole.

use std::process::{Child, Stdio};

use serde_json::Value;

use crate::world::{CLIENT, Done, Home, OPS, World, text};

fn start(home: &Home, arguments: &[&str]) -> Child {
    let mut command = home.command(&[arguments, &["--json"]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Done {
    child.wait_with_output().unwrap().into()
}

fn files(home: &Home) -> Vec<Value> {
    home.json(&["ls"]).json()["files"].as_array().unwrap().clone()
}

#[test]
fn uploads_a_login_and_a_share_at_one_time() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let early =
        text(&world.ops.json(&["upload", &world.file("early", b"early")]).json()["files"][0], "file_id");
    for round in 0..3 {
        let large = |name: &str| world.file(&format!("{name}{round}"), &vec![round; 12_000_000]);
        let (one, two) = (large("one"), large("two"));
        let running = [
            &["upload", &*one][..],
            &["upload", &*two, "--to", CLIENT],
            &["login", "--email", OPS],
            &["share", &*early, CLIENT],
            &["whoami"],
            &["ls"],
        ]
        .map(|arguments| start(&world.ops, arguments));
        for child in running {
            end(child).ok();
        }
        world.ops.json(&["unshare", &early, CLIENT]).ok();
    }
    assert_eq!(files(&world.ops).len(), 1 + 2 * 3);
    let shared = client.run(&["shared", "-q"]).ok().text();
    let ids: Vec<&str> = shared.lines().collect();
    assert_eq!(ids.len(), 3);
    let inbox = world.path("inbox/");
    let downloads = ids.iter().map(|id| start(&client, &["download", id, "-o", &inbox]));
    for child in downloads.collect::<Vec<_>>() {
        end(child).ok();
    }
    assert_eq!(world.ops.run(&["receipts", "-q"]).ok().text().lines().count(), 3);
    world.ops.json(&["whoami"]).ok();
}

#[test]
fn one_file_uploaded_twice_at_one_time_is_one_file() {
    let world = World::new();
    let path = world.file("large", &vec![7; 20_000_000]);
    let running = [(); 3].map(|()| start(&world.ops, &["upload", &path]));
    let done = running.map(end);
    let known = files(&world.ops);
    assert_eq!(known.len(), 1);
    // Whoever comes while the first has not ended goes on with its file; whoever comes later is told.
    assert!(done.iter().any(|done| done.code == 0), "{done:?}");
    for done in done {
        if done.code == 0 {
            assert_eq!(done.json()["files"][0]["file_id"], known[0]["file_id"]);
        } else {
            done.fails(5, "already_uploaded");
        }
    }
}

#[test]
fn one_list_delivered_twice_at_one_time_is_delivered_once() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let mut list = "path,email\n".to_owned();
    for number in 0..8 {
        let path = world.file(&format!("file{number}"), &vec![number; 1_000_000]);
        list += &format!("{path},{CLIENT}\n");
    }
    let list = world.file("list.csv", list.as_bytes());
    // Before, so that none of them has anything else to do at the server.
    world.ops.json(&["contacts"]).ok();
    for child in [(); 3].map(|()| start(&world.ops, &["deliver", &list])) {
        end(child).ok();
    }
    let files = files(&world.ops);
    assert_eq!(files.len(), 8);
    assert!(files.iter().all(|file| file["shares"].as_array().unwrap().len() == 1));
    assert_eq!(client.json(&["shared"]).json()["files"].as_array().unwrap().len(), 8);
}
