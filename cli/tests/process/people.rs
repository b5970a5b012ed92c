//! Contacts, the twelve words, and what the program says about itself.

use std::fs;

use serde_json::json;

use crate::world::{CLIENT, Done, OPS, World, sealpost, text};

#[test]
fn two_people_compare_the_same_twelve_words() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let of_ops = world.ops.json(&["verify", CLIENT]).json();
    let of_client = client.json(&["verify", OPS]).json();
    assert_eq!(of_ops["words"], of_client["words"]);
    assert_eq!(of_ops["words"].as_array().unwrap().len(), 12);
    assert_eq!((text(&of_client, "email"), text(&of_client, "role")), (OPS.into(), "ops".into()));
    let shown = world.ops.run(&["verify", CLIENT]).ok();
    assert!(shown.text().contains("12 ") && shown.stderr.contains("compare by phone"), "{shown:?}");

    world.ops.json(&["verify", "nobody@example.com"]).fails(4, "recipient_unknown");
    world.ops.json(&["verify", OPS]).fails(2, "invalid_input");
}

#[test]
fn contacts_are_whom_one_may_know() {
    let world = World::new();
    assert_eq!(world.ops.json(&["contacts"]).json(), json!({"contacts": []}));
    let client = world.joined("client", CLIENT);
    world.invite("later@example.com");
    let seen = world.ops.json(&["contacts"]).json();
    let of = |index: usize, member: &str| text(&seen["contacts"][index], member);
    assert_eq!(
        (of(0, "email"), of(0, "status"), of(0, "role")),
        (CLIENT.into(), "active".into(), "client".into())
    );
    assert_eq!((of(1, "email"), of(1, "status")), ("later@example.com".into(), "pending".into()));
    assert_eq!(seen["contacts"][0]["has_shares"], false);
    // Clients learn of the Ops members only.
    assert_eq!(client.run(&["contacts", "-q"]).ok().text(), format!("{OPS}\n"));
}

#[test]
fn a_file_is_looked_at_and_deleted() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let id = world.deliver(&world.file("report.pdf", b"content"), CLIENT);
    let own = world.ops.json(&["info", &id]).json();
    assert_eq!((own["own"].as_bool(), own["size"].as_u64()), (Some(true), Some(7)));
    assert_eq!((text(&own, "name"), text(&own["shares"][0], "email")), ("report.pdf".into(), CLIENT.into()));
    assert!(own["stored_size"].as_u64().unwrap() > 4_096);
    let received = client.json(&["info", &id]).json();
    assert_eq!((received["own"].as_bool(), text(&received["from"], "email")), (Some(false), OPS.into()));

    client.json(&["rm", &id]).fails(5, "role_forbidden");
    let shown = world.ops.json(&["rm", &id, "-y"]).json();
    assert_eq!(shown, json!({"file_id": id, "removed": true}));
    world.ops.json(&["rm", &id, "-y"]).ok();
    client.json(&["download", &id]).fails(4, "not_found");
    world.ops.json(&["info", &id]).fails(4, "not_found");
    assert_eq!(world.ops.json(&["ls"]).json()["files"], json!([]));
}

#[test]
fn completions_and_manual_pages_need_no_home_and_no_server() {
    let run = |arguments: &[&str]| -> Done {
        sealpost().args(arguments).env_remove("HOME").output().unwrap().into()
    };
    let script = run(&["completions", "bash"]).ok().text();
    assert!(script.contains("complete -F") && script.contains("--downloads"), "{script}");
    let shown = run(&["completions", "fish", "--json"]).json();
    assert_eq!(text(&shown, "shell"), "fish");

    assert!(run(&["man"]).ok().text().contains(".TH sealpost 1"));
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("man1").display().to_string();
    let pages = run(&["man", &dir, "--json"]).json();
    assert!(pages["pages"].as_array().unwrap().len() > 15, "{pages}");
    let page = fs::read_to_string(folder.path().join("man1/sealpost-verify.1")).unwrap();
    assert!(page.contains("read the words to each other"), "{page}");

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let inside = file.join("man1").display().to_string();
    assert_eq!(run(&["man", &inside]).code, 8);
}
