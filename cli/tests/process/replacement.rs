//! Somebody who has lost password and kit, from the new invite to their files.

use std::fs;

use serde_json::{Value, json};

use crate::world::{CLIENT, OPS, World, text};

fn words(account: &Value) -> String {
    let words: Vec<&str> = account["words"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    words.join(" ")
}

#[test]
fn a_lost_account_is_replaced_by_who_hears_the_same_words() {
    let world = World::new();
    let old = world.joined("client", CLIENT);
    let id = world.deliver(&world.file("report.pdf", b"content"), CLIENT);
    let plain = world.ops.json(&["invite", CLIENT]);
    assert!(text(&plain.fails(5, "already_member"), "hint").contains("replace"), "{plain:?}");
    let invite = world.ops.json(&["invite", CLIENT, "--replace"]).json();
    assert_eq!((invite["confirm"].as_bool(), invite["replaces"].is_string()), (Some(true), true));

    world.ops.json(&["confirm", CLIENT, "--words", "x"]).fails(4, "recipient_pending");
    let code = text(&invite, "code");
    old.json(&["join", &code]).fails(8, "state_foreign");
    let new = world.home("new");
    let joined = new.json(&["join", &code]).json();
    assert_eq!(text(&joined, "status"), "pending");
    let heard = words(&new.json(&["whoami"]).json());
    assert_eq!(heard, words(&joined));
    assert!(new.run(&["whoami"]).ok().text().contains("if they call you to compare"));

    // In passing nobody is admitted, and no flag says yes for the words.
    let passing = world.ops.run(&["ls"]).ok();
    assert!(passing.stderr.contains(&format!("sealpost confirm {CLIENT}")), "{passing:?}");
    world.ops.json(&["confirm", CLIENT, "-y"]).fails(2, "words_needed");
    world.ops.json(&["confirm", CLIENT]).fails(2, "words_needed");
    let other = heard.replacen(heard.split(' ').next().unwrap(), "zebra", 1);
    world.ops.json(&["confirm", CLIENT, "--words", &other]).fails(7, "words_differ");
    old.json(&["shared"]).ok();
    let admitted = world.ops.json(&["confirm", CLIENT, "--words", &heard.to_uppercase()]).json();
    assert_eq!(text(&admitted, "user_id"), text(&joined, "user_id"));
    assert_eq!(text(&admitted, "replaced"), text(&invite, "replaces"));

    let told = old.json(&["shared"]).fails(5, "account_ended");
    assert!(text(&told, "hint").contains("Ops member"), "{told}");
    assert_eq!(new.json(&["shared"]).json()["files"], json!([]));
    let shown = world.ops.run(&["contacts"]).ok().text();
    assert!(shown.contains(&format!("new account, invited by {OPS} on 20")), "{shown}");
    let own = world.ops.json(&["info", &id]).json();
    assert_eq!(text(&own["shares"][0], "status"), "account_ended");

    // Only with a yes, and the yes of a script only for the account that it names.
    let account = text(&admitted, "user_id");
    world.ops.json(&["reshare", CLIENT]).fails(2, "yes_needed");
    world.ops.json(&["reshare", CLIENT, "-y"]).fails(2, "yes_needed");
    world.ops.json(&["reshare", CLIENT, "--account", &account]).fails(2, "yes_needed");
    let wrong = text(&invite, "replaces");
    world.ops.json(&["reshare", CLIENT, "-y", "--account", &wrong]).fails(2, "account_differs");
    let shared = world.ops.json(&["reshare", CLIENT, "-y", "--account", &account]).json();
    assert_eq!(text(&shared["shares"][0], "status"), "shared");
    assert_eq!(
        (text(&shared, "account"), shared["old_accounts"][0].as_str()),
        (account, Some(wrong.as_str()))
    );
    let out = world.path("report.pdf.out");
    new.run(&["download", &id, "-o", &out]).ok();
    assert_eq!(fs::read(out).unwrap(), b"content");
    assert_eq!(world.ops.json(&["reshare", CLIENT]).json()["shares"], json!([]));
}

#[test]
fn an_invite_may_wait_for_the_words() {
    let world = World::new();
    let invite = world.ops.json(&["invite", CLIENT, "--confirm"]).json();
    let client = world.home("client");
    let heard = words(&client.json(&["join", &text(&invite, "code")]).json());
    world.ops.json(&["ls"]).ok();
    client.json(&["shared"]).fails(5, "account_pending");
    let admitted = world.ops.json(&["confirm", CLIENT, "--words", &heard]).json();
    assert_eq!((text(&admitted, "email"), &admitted["replaced"]), (CLIENT.into(), &Value::Null));
    client.json(&["shared"]).ok();
    world.ops.json(&["confirm", CLIENT, "--words", &heard]).fails(4, "recipient_unknown");
    world.ops.json(&["reshare", CLIENT]).fails(4, "not_replaced");
}
