//! New keys after a suspected leak, from the command to what everybody else sees of it.

use std::fs;

use serde_json::{Value, json};

use crate::world::{CLIENT, OPS, World, text};

#[test]
fn new_keys_take_the_place_of_the_old_ones() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let report = world.file("report.pdf", b"content");
    let shared = world.ops.json(&["upload", &report, "--to", CLIENT, "--downloads", "3"]).json();
    let id = text(&shared["files"][0], "file_id");
    world.ops.json(&["invite", "later@example.com"]).ok();

    let guess = world.file("guess", b"not the password\n");
    let mut guesser = world.ops.in_folder(&world.ops.path);
    guesser.password_file = guess.into();
    let refused = guesser.json(&["rotate"]).fails(3, "login_failed");
    assert!(text(&refused, "hint").contains("Nothing was changed"), "{refused}");

    // A second device of hers, by the kit that is about to be of no use.
    let before = world.ops.json(&["rotate"]).json();
    assert_eq!((text(&before, "email"), before["complete"].as_bool()), (OPS.into(), Some(true)));
    assert_eq!(before["cancelled_invites"], json!(["later@example.com"]));
    assert_eq!((before["files"].as_u64(), text(&before["shares"][0], "email")), (Some(1), CLIENT.into()));
    let old_kit = world.file("old-kit.json", before["recovery_kit"].to_string().as_bytes());
    let other = world.home("other");
    other.json(&["login", "--key-file", &old_kit]).ok();

    let shown = world.ops.run(&["rotate"]).ok();
    assert!(
        shown.stderr.contains("RECOVERY KIT") && shown.text().contains("Only the new recovery kit is valid")
    );
    assert!(shown.text().contains("1 share made anew"), "{shown:?}");

    // The other device stops with a hint that a script's owner can use; so does the old kit.
    for command in [&["ls"][..], &["upload", &report], &["whoami"]] {
        let stopped = other.json(command).fails(3, "account_rotated");
        assert!(text(&stopped, "hint").contains("sealpost login"), "{stopped}");
    }
    let fresh = world.home("fresh");
    let old = fresh.json(&["recover", "--kit-file", &old_kit]).fails(3, "account_rotated");
    assert!(text(&old, "message").contains("before the account's keys were changed"), "{old}");
    fresh.json(&["login", "--key-file", &old_kit]).fails(3, "account_rotated");

    // Everybody else goes on, and is told.
    let out = world.path("out.pdf");
    client.run(&["download", &id, "-o", &out]).ok();
    assert_eq!(fs::read(&out).unwrap(), b"content");
    let contacts = client.json(&["contacts"]).json();
    let change = &contacts["contacts"][0]["keys_changed"];
    assert_eq!((change["generation"].as_u64(), change["at"].is_string()), (Some(3), true), "{contacts}");
    let size = change["log_size"].as_u64().unwrap();
    let people = client.run(&["contacts"]).ok().text();
    assert!(people.contains(&format!("at log size {size}")), "{people}");
    let words = |home: &crate::world::Home, with: &str| home.json(&["verify", with]).json()["words"].clone();
    assert_eq!(words(&client, OPS), words(&world.ops, CLIENT));
    let statuses: Vec<Value> = world.ops.json(&["info", &id]).json()["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|share| share["status"].clone())
        .collect();
    assert_eq!(statuses, ["renewed", "renewed", "active"]);
}

#[test]
fn a_client_rotates_with_a_new_password_and_reads_what_came_before() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let id = world.deliver(&world.file("report.pdf", b"content"), CLIENT);
    let new = world.file("new.password", b"a whole other horse\n");
    client
        .json(&["rotate", "--new-password-file", &world.file("short", b"x\n")])
        .fails(2, "password_too_short");
    let rotated = client.json(&["rotate", "--new-password-file", &new]).json();
    assert!(rotated["recovery_kit"]["account_key"].is_null());
    let out = world.path("out.pdf");
    client.run(&["download", &id, "-o", &out]).ok();
    assert_eq!(fs::read(&out).unwrap(), b"content");
    let mut elsewhere = world.home("elsewhere");
    elsewhere.password_file = client.password_file.clone();
    elsewhere.json(&["login", "--email", CLIENT]).fails(3, "login_failed");
    elsewhere.password_file = new.into();
    elsewhere.json(&["login", "--email", CLIENT]).ok();
    let seen = elsewhere.json(&["shared"]).json();
    assert_eq!(text(&seen["files"][0], "file_id"), id);
}
