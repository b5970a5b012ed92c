//! A password that is changed, and one that is lost.

use std::fs;

use serde_json::Value;

use crate::world::{CLIENT, Done, Home, OPS, Server, World, text};

/// The recovery kit as `join` has printed it.
fn printed_kit(done: &Done) -> String {
    let from = done.stderr.find("RECOVERY KIT").unwrap_or_else(|| panic!("no kit: {done:?}"));
    let sheet = done.stderr[from..].lines();
    sheet
        .take_while(|line| line.starts_with("RECOVERY") || line.starts_with("  ") || line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect()
}

/// `home` with another password file.
fn with_password(world: &World, home: &Home, name: &str, password: &str) -> Home {
    let mut changed = home.in_folder(&home.path);
    changed.password_file = world.file(name, password.as_bytes()).into();
    changed
}

#[test]
fn a_password_is_changed_by_who_knows_it() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let new = world.file("new.password", b"a whole other horse\n");
    let guesser = with_password(&world, &client, "guess", "not the password\n");
    let refused = guesser.json(&["passwd", "--new-password-file", &new]).fails(3, "login_failed");
    assert!(text(&refused, "hint").contains("Nothing was changed"));
    client.json(&["passwd"]).fails(2, "usage");
    let short = world.file("short", b"short\n");
    client.json(&["passwd", "--new-password-file", &short]).fails(2, "password_too_short");
    let same = client.password_file.display().to_string();
    client.json(&["passwd", "--new-password-file", &same]).fails(2, "password_unchanged");

    let changed = client.json(&["passwd", "--new-password-file", &new]).json();
    assert_eq!((text(&changed, "email"), changed["changed"].as_bool()), (CLIENT.into(), Some(true)));
    client.json(&["whoami"]).ok();
    let mut elsewhere = world.home("elsewhere");
    elsewhere.password_file = client.password_file.clone();
    elsewhere.json(&["login", "--email", CLIENT]).fails(3, "login_failed");
    elsewhere.password_file = new.into();
    elsewhere.json(&["login", "--email", CLIENT]).ok();
}

#[test]
fn a_lost_password_is_set_anew_with_the_printed_kit() {
    let world = World::new();
    let client = world.home("client");
    let kit = printed_kit(&client.run(&["join", &world.invite(CLIENT)]).ok());
    let id = world.deliver(&world.file("report.pdf", b"content"), CLIENT);

    // Nothing but the paper is left.
    let fresh = world.home("fresh");
    let file = world.file("kit.txt", kit.as_bytes());
    let shown = fresh.json(&["recover", "--kit-file", &file]).json();
    assert_eq!((text(&shown, "email"), text(&shown, "status")), (CLIENT.into(), "active".into()));
    let out = world.path("report.pdf.out");
    fresh.run(&["download", &id, "-o", &out]).ok();
    assert_eq!(fs::read(out).unwrap(), b"content");

    // The old password is gone, the old device is not, and the kit stays valid: also from standard input.
    let mut old = world.home("old");
    old.password_file = client.password_file.clone();
    old.json(&["login", "--email", CLIENT]).fails(3, "login_failed");
    client.json(&["shared"]).ok();
    let again = fresh.run_with(&["recover", "--kit-file", "-"], kit.as_bytes()).ok();
    assert!(again.stderr.contains(&format!("The kit of {CLIENT}, Client of Example & Co")), "{again:?}");
}

#[test]
fn what_is_wrong_with_a_kit_is_said() {
    let world = World::new();
    let client = world.home("client");
    let joined = client.json(&["join", &world.invite(CLIENT)]).json();
    let kit = joined["recovery_kit"].clone();
    let fresh = world.home("fresh");
    let recover =
        |home: &Home, kit: &str| home.json(&["recover", "--kit-file", &world.file("kit", kit.as_bytes())]);
    let (words, organisation) = (text(&kit, "words"), text(&kit, "organisation"));

    let mistyped = words.replacen(words.split(' ').nth(2).unwrap(), "sealpost", 1);
    let failure = recover(&fresh, &format!("{mistyped}\n{organisation}")).fails(3, "kit_word_unknown");
    assert!(text(&failure, "message").contains("word 3"), "{failure}");
    recover(&fresh, &words).fails(3, "kit_code_missing");
    let nobody = format!("{}art\n{organisation}", "abandon ".repeat(23));
    let failure = recover(&fresh, &nobody).fails(3, "kit_unknown");
    assert!(text(&failure, "hint").contains("new invite"), "{failure}");
    fresh.json(&["recover"]).fails(2, "usage");
    fresh.json(&["recover", "--kit-file", "/nowhere/kit"]).fails(8, "local_file");
    recover(&world.ops, &kit.to_string()).fails(8, "state_foreign");

    // Another organisation's server, and an Ops member's kit without its last line.
    let data = world.path("other-data");
    let server = Server::start(&["--data", &data]);
    let other = Home::new(world.folder.path(), "other", &server.url);
    let token = server.setup_token.clone().unwrap();
    let founded =
        other.json(&["init", "--setup-token", &token, "--email", OPS, "--org", "Other & Co"]).json();
    let there = Home::new(world.folder.path(), "there", &server.url);
    let failure = recover(&there, &kit.to_string()).fails(7, "foreign_organisation");
    assert!(text(&failure, "message").contains("another organisation"), "{failure}");
    let mut of_ops: Value = founded["recovery_kit"].clone();
    let whole = of_ops.to_string();
    of_ops["account_key"] = Value::Null;
    recover(&there, &of_ops.to_string()).fails(2, "kit_account_key_missing");
    recover(&there, &whole).ok();
    there.json(&["contacts"]).ok();
}

/// A machine without a person: no password anywhere, not even a right one in the file that every command is given.
#[test]
fn a_machine_signs_in_by_its_key_alone() {
    let world = World::new();
    let client = world.home("client");
    let sheet = printed_kit(&client.run(&["join", &world.invite(CLIENT)]).ok());
    let kit = world.file("kit.txt", sheet.as_bytes());
    let source = world.file("a", b"for the machine");
    let id = world.deliver(&source, CLIENT);

    let machine = with_password(&world, &world.home("machine"), "no.password", "not the password\n");
    machine.json(&["login", "--email", CLIENT]).fails(3, "login_failed");
    let signed_in = machine.json(&["login", "--key-file", &kit]).json();
    assert_eq!(text(&signed_in, "email"), CLIENT);
    assert_eq!(machine.run(&["download", &id, "-o", "-"]).ok().stdout, b"for the machine");

    // On standard input, and with an address that must be the key's.
    let other = with_password(&world, &world.home("other"), "no.password", "not the password\n");
    let wrong = other.json(&["login", "--key-file", &kit, "--email", OPS]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    other.run_with(&["login", "--key-file", "-", "--email", CLIENT], sheet.as_bytes()).ok();
    other.run(&["shared"]).ok();
    let stranger = World::new();
    let elsewhere = stranger.home("elsewhere");
    assert_ne!(elsewhere.json(&["login", "--key-file", &kit]).code, 0);
    other.json(&["login", "--key-file", &world.path("missing")]).fails(8, "local_file");
}
