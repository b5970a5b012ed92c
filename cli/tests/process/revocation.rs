//! Memberships that end, files of former members, and the server's new checkpoint key.

use serde_json::{Value, json};

use crate::world::{CLIENT, OPS, World, text};

#[test]
fn a_membership_ends_with_a_yes() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let id = world.deliver(&world.file("report.pdf", b"content"), CLIENT);
    world.ops.json(&["revoke", OPS]).fails(5, "last_ops");
    world.ops.json(&["revoke", "nobody@example.com"]).fails(4, "recipient_unknown");
    client.json(&["revoke", OPS]).fails(5, "role_forbidden");

    let shown = world.ops.run(&["revoke", CLIENT]).ok();
    assert!(shown.stderr.contains("1 share to them can be used now"), "{shown:?}");
    assert!(shown.text().contains("is not a member any more (left)"), "{shown:?}");
    let told = client.json(&["shared"]).fails(5, "account_ended");
    assert_eq!(text(&told, "message"), "Your membership has ended");
    let shared = world.ops.json(&["share", &id, CLIENT]);
    assert_eq!(shared.code, 4, "{shared:?}");
    let own = world.ops.json(&["info", &id]).json();
    assert_eq!(text(&own["shares"][0], "status"), "account_ended");

    let contacts = world.ops.run(&["contacts", "--json"]).ok();
    assert!(contacts.stderr.contains("contacts --all"), "{contacts:?}");
    assert_eq!(contacts.json()["contacts"], json!([]));
    let all = world.ops.json(&["contacts", "--all"]).json();
    assert_eq!(text(&all["contacts"][0], "status"), "left");

    world.ops.json(&["revoke", CLIENT]).fails(5, "already_revoked");
    let revoked = world.ops.json(&["revoke", CLIENT, "--reason", "compromised"]).json();
    assert_eq!((text(&revoked, "email"), text(&revoked, "reason")), (CLIENT.into(), "compromised".into()));
    world.ops.json(&["revoke", CLIENT, "--reason", "compromised"]).fails(5, "already_revoked");
}

#[test]
fn what_was_left_is_listed_and_only_that_is_withdrawn() {
    let world = World::new();
    let _client = world.joined("client", CLIENT);
    let id = world.deliver(&world.file("report.pdf", b"content"), CLIENT);
    world.ops.json(&["left", OPS]).fails(4, "recipient_unknown");
    let own = world.ops.json(&["withdraw", &id]);
    assert_eq!(own.code, 5, "{own:?}");
    let printed: Value = serde_json::from_slice(&own.stdout).unwrap();
    assert_eq!(text(&printed["files"][0]["error"], "code"), "owner_active");
    let missing = world.ops.json(&["withdraw", &"ab".repeat(16)]);
    assert_eq!(missing.code, 4, "{missing:?}");
    world.ops.json(&["revoke", CLIENT]).ok();
    assert_eq!(world.ops.json(&["left", CLIENT]).json()["files"], json!([]));
    assert_eq!(world.ops.json(&["withdraw", "--all-of", CLIENT]).json()["files"], json!([]));
}

#[test]
fn another_checkpoint_key_counts_once_the_words_were_compared() {
    let mut world = World::new();
    let client = world.joined("client", CLIENT);
    let id = world.deliver(&world.file("before.pdf", b"before"), CLIENT);
    world.ops.json(&["service"]).fails(4, "no_service_key");
    world.server.start_again_with(&["--new-checkpoint-key"]);
    let words: Vec<String> = serde_json::from_value(world.server.started["service_words"].clone()).unwrap();
    let read = words.join(" ");
    world.ops.json(&["service", "-y"]).fails(2, "words_needed");
    world.ops.json(&["service", "--words", &read.replacen(&words[0], "zebra", 1)]).fails(7, "words_differ");
    let shown = world.ops.json(&["service", "--words", &read]).json();
    assert_eq!(shown["words"], json!(words));
    world.server.start_again();
    assert!(world.server.started["service_words"].is_null());
    client.run(&["download", &id, "-o", &world.path("before")]).ok();
    let after = world.deliver(&world.file("after.pdf", b"after"), CLIENT);
    client.run(&["download", &after, "-o", &world.path("after")]).ok();
}
