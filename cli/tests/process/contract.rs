//! What scripts rely on: JSON shapes, ids, exit codes, and which stream says what.

use std::{fs, process::Stdio};

use serde_json::{Value, json};

use crate::world::{CLIENT, OPS, SEALPOST, Server, World, sealpost, text};

#[test]
fn from_init_to_receipt() {
    let world = World::new();
    let who = world.ops.json(&["whoami"]).json();
    assert_eq!(
        (text(&who, "email"), text(&who, "role"), text(&who, "status")),
        (OPS.into(), "ops".into(), "active".into())
    );
    assert_eq!(
        (text(&who, "org_name"), text(&who, "server")),
        ("Example & Co".into(), world.server.url.clone())
    );
    assert!(is_hex(&text(&who, "user_id"), 32) && is_hex(&text(&who, "org_id"), 64));

    let invite = world.ops.json(&["invite", CLIENT]).json();
    assert_eq!((text(&invite, "email"), text(&invite, "role")), (CLIENT.into(), "client".into()));
    let link = text(&invite, "link");
    assert!(link.starts_with(&format!("{}/join#", world.server.url)), "{link}");
    assert!(is_time(&invite["expires_at"]));

    let client = world.home("client");
    let joined = client.json(&["join", &link]).json();
    assert_eq!((text(&joined, "status"), text(&joined, "email")), ("pending".into(), CLIENT.into()));
    assert_eq!(text(&joined["recovery_kit"], "words").split(' ').count(), 24);
    client.json(&["shared"]).fails(5, "account_pending");

    let path = world.file("report.pdf", b"the content");
    let uploaded = world
        .ops
        .json(&[
            "upload",
            &path,
            "--to",
            CLIENT,
            "--note",
            "as agreed",
            "--expires",
            "7d",
            "--downloads",
            "2",
        ])
        .json();
    let file = &uploaded["files"][0];
    assert_eq!((text(file, "name"), file["size"].as_u64()), ("report.pdf".into(), Some(11)));
    assert_eq!(
        (text(&file["shares"][0], "email"), text(&file["shares"][0], "status")),
        (CLIENT.into(), "shared".into())
    );
    let id = text(file, "file_id");
    assert!(is_hex(&id, 32));

    let shared = client.json(&["shared"]).json();
    let entry = &shared["files"][0];
    assert_eq!((text(entry, "file_id"), text(entry, "name")), (id.clone(), "report.pdf".into()));
    assert_eq!((entry["size"].as_u64(), entry["downloads_left"].as_u64()), (Some(11), Some(2)));
    assert_eq!((text(&entry["from"], "email"), text(entry, "note")), (OPS.into(), "as agreed".into()));
    assert!(is_time(&entry["expires_at"]) && is_time(&entry["shared_at"]));

    let target = world.path("arrived.pdf");
    let downloaded = client.json(&["download", &id, "-o", &target]).json();
    assert_eq!(text(&downloaded["files"][0], "path"), target);
    assert_eq!(fs::read(&target).unwrap(), b"the content");

    let receipts = world.ops.json(&["receipts", &id]).json();
    assert_eq!(text(&receipts["receipts"][0], "email"), CLIENT);
    assert!(is_time(&receipts["receipts"][0]["time"]));
    let listed = world.ops.json(&["ls"]).json();
    let own = &listed["files"][0];
    assert_eq!((text(own, "file_id"), own["size"].as_u64()), (id.clone(), Some(11)));
    assert!(is_time(&own["created_at"]) && is_time(&own["shares"][0]["receipt_at"]));
    assert_eq!(
        (text(&own["shares"][0], "email"), own["shares"][0]["downloads"].as_u64()),
        (CLIENT.into(), Some(1))
    );

    world.ops.json(&["unshare", &id, CLIENT]).ok();
    client.json(&["download", &id, "-o", &world.path("again")]).fails(4, "not_found");
    world.ops.json(&["share", &id, CLIENT]).ok();
    client.json(&["download", &id, "-o", &world.path("again")]).ok();
}

#[test]
fn data_goes_to_stdout_and_everything_else_to_stderr() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let path = world.file("a.txt", b"piped");
    let quiet = world.ops.run(&["upload", &path, "--to", CLIENT, "-q"]).ok();
    let id = quiet.text().trim_end().to_owned();
    assert!(is_hex(&id, 32), "-q prints just the id: {quiet:?}");
    assert_eq!(quiet.stderr, "");
    assert_eq!(client.run(&["shared", "-q"]).ok().text(), format!("{id}\n"));
    let piped = client.run(&["download", &id, "-o", "-"]).ok();
    assert_eq!(piped.stdout, b"piped");
    for arguments in [&["ls"][..], &["receipts"], &["whoami"]] {
        let done = world.ops.run(arguments).ok();
        assert!(
            !done.text().contains('\u{1b}') && !done.stderr.contains('\u{1b}'),
            "escapes without a terminal: {done:?}"
        );
    }
}

#[test]
fn standard_input_and_folders_can_be_uploaded() {
    let world = World::new();
    let done = world.ops.run_with(&["upload", "-", "--name", "dump.sql", "--json"], b"select 1").json();
    assert_eq!(
        (text(&done["files"][0], "name"), done["files"][0]["size"].as_u64()),
        ("dump.sql".into(), Some(8))
    );
    let folder = world.folder.path().join("reports");
    fs::create_dir(&folder).unwrap();
    for name in ["one.txt", "two.txt"] {
        fs::write(folder.join(name), name).unwrap();
    }
    let done = world.ops.json(&["upload", &folder.display().to_string()]).json();
    assert_eq!(done["files"].as_array().unwrap().len(), 2);
    assert_eq!(world.ops.json(&["ls"]).json()["files"].as_array().unwrap().len(), 3);
    assert_eq!(world.ops.json(&["ls", "--limit", "2"]).json()["files"].as_array().unwrap().len(), 2);
}

#[test]
fn several_recipients_and_files_succeed_or_fail_each_by_itself() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let one = world.file("one", b"1");
    // What can't be read is found out before anything is sent.
    assert_eq!(world.ops.json(&["upload", &one, &world.path("missing"), "--to", CLIENT]).code, 8);
    assert_eq!(world.ops.json(&["ls"]).json()["files"].as_array().unwrap().len(), 0);
    let done = world.ops.json(&["upload", &one, "--to", CLIENT, "nobody@example.com"]);
    assert_eq!(done.code, 4, "{done:?}");
    let files: Value = serde_json::from_slice(&done.stdout).unwrap();
    let shares = files["files"][0]["shares"].as_array().unwrap();
    assert_eq!(text(&shares[0], "status"), "shared");
    assert_eq!(text(&shares[1]["error"], "code"), "recipient_unknown");
    let id = text(&files["files"][0], "file_id");
    let folder = world.path("inbox/");
    let unknown = "0".repeat(32);
    let done = client.json(&["download", &id, &unknown, "-o", &folder]);
    assert_eq!(done.code, 4, "{done:?}");
    assert_eq!(fs::read(world.folder.path().join("inbox/one")).unwrap(), b"1");
}

#[test]
fn nothing_is_overwritten_unless_asked() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let id = world.deliver(&world.file("a", b"new"), CLIENT);
    let target = world.file("target", b"old");
    client.json(&["download", &id, "-o", &target]).fails(8, "destination_exists");
    assert_eq!(fs::read(&target).unwrap(), b"old");
    client.json(&["download", &id, "-o", &target, "--force"]).ok();
    assert_eq!(fs::read(&target).unwrap(), b"new");
}

#[test]
fn what_a_later_version_brings_is_refused_in_a_sentence() {
    let world = World::new();
    let error = world.ops.json(&["serve", "--blobs", "s3://bucket"]).fails(2, "unsupported");
    assert!(text(&error, "message").contains("later version"), "{error}");
}

#[test]
fn signing_in_and_out() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let id = world.deliver(&world.file("a", b"content"), CLIENT);
    client.json(&["logout"]).ok();
    client.json(&["shared"]).fails(3, "not_signed_in");
    client.json(&["login", "--email", CLIENT]).ok();
    client.run(&["download", &id, "-o", "-"]).ok();
    // A device that never saw the account needs nothing but the password.
    let laptop = client.in_folder(&world.home("laptop").path);
    let who = laptop.json(&["login", "--email", CLIENT]).json();
    assert_eq!(text(&who, "status"), "active");
    assert_eq!(laptop.run(&["download", &id, "-o", "-"]).ok().stdout, b"content");
}

#[test]
fn passwords_and_settings_come_from_where_they_should() {
    let world = World::new();
    let client = world.home("client");
    let mut join = sealpost();
    join.arg("--home").arg(&client.path).args([
        "join",
        "--json",
        "--password-stdin",
        "--server",
        &world.server.url,
    ]);
    join.arg(world.invite(CLIENT)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = join.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"a password from a pipe\n").unwrap();
    crate::world::Done::from(child.wait_with_output().unwrap()).ok();
    let config = json!({ "server": world.server.url, "email": CLIENT, "password_file": "pw" });
    let fresh = world.home("fresh");
    fs::write(fresh.path.join("config.json"), config.to_string()).unwrap();
    fs::write(fresh.path.join("pw"), "a password from a pipe\n").unwrap();
    let mut login = sealpost();
    login.arg("login").arg("--json").env("SEALPOST_HOME", &fresh.path);
    crate::world::Done::from(login.output().unwrap()).ok();
}

#[test]
fn without_a_terminal_nothing_waits_for_an_answer() {
    let world = World::new();
    let mut login = sealpost();
    login
        .args(["login", "--json", "--email", OPS, "--server", &world.server.url])
        .arg("--home")
        .arg(world.path("nobody"));
    let done = crate::world::Done::from(login.output().unwrap());
    assert_eq!(done.code, 2, "{done:?}");
}

#[test]
fn mistakes_in_the_command_line_are_usage_errors() {
    for arguments in [
        &["frobnicate"][..],
        &["upload"],
        &["download", "not-an-id"],
        &["invite", "not an address"],
        &["ls", "--limit", "0"],
        &["--json", "-q", "ls"],
    ] {
        let done = crate::world::Done::from(sealpost().args(arguments).output().unwrap());
        assert_eq!(done.code, 2, "{arguments:?}: {done:?}");
        assert!(done.stdout.is_empty() && !done.stderr.is_empty(), "{arguments:?}: {done:?}");
    }
    for help in [&["--help"][..], &["upload", "--help"], &["--version"]] {
        let done = crate::world::Done::from(sealpost().args(help).output().unwrap()).ok();
        assert!(!done.stdout.is_empty() && done.stderr.is_empty());
    }
}

#[test]
fn a_server_stops_in_good_order_and_keeps_its_secrets_to_itself() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&["--data", &data.display().to_string()]);
    let mode = |name: &str| fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("setup-token"), mode("sealpost.sqlite")), (0o700, 0o600, 0o600));
    assert_eq!(
        fs::read_to_string(data.join("setup-token")).unwrap().trim(),
        server.setup_token.clone().unwrap()
    );
    let mut second = sealpost();
    second.args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    let done = crate::world::Done::from(second.output().unwrap());
    assert!([6, 8].contains(&done.code) && done.stderr.contains("another server uses"), "{done:?}");
    assert!(server.terminate());
}

#[test]
fn the_demo_tells_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own file.bin");
    fs::write(&own, vec![b'x'; 100_000]).unwrap();
    let before = temporary_files(folder.path());
    for arguments in [&["demo", "--json"][..], &["demo", "--json", &own.display().to_string()]] {
        let mut demo = sealpost();
        demo.args(arguments).env("TMPDIR", folder.path()).env("HOME", folder.path());
        let done = crate::world::Done::from(demo.output().unwrap()).json();
        assert_eq!(done["ok"], true, "{done}");
        assert_eq!(done["search"]["controls_found"], true);
        assert_eq!(done["search"]["found"], json!([]));
    }
    assert_eq!(temporary_files(folder.path()), before, "the demo left something behind");
    assert!(std::path::Path::new(SEALPOST).exists());
}

fn temporary_files(folder: &std::path::Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    names
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// RFC 3339 in UTC.
fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T')
}
