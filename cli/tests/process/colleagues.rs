//! More Ops members than one, shares that wait for somebody, and `watch`, as people and scripts see them.

use std::{
    fs,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::world::{CLIENT, Home, World, text};

const OTTO: &str = "otto@example.com";

fn words(account: &Value) -> String {
    let words: Vec<&str> = account["words"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    words.join(" ")
}

/// A running `watch --json`, ended with this value.
pub struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    /// Begins to watch.
    pub fn begin(home: &Home) -> Self {
        let mut command = home.command(&["watch", "--interval", "5s", "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut watch = Self { child, lines };
        assert_eq!(watch.next("watching")["email"], Value::Null);
        watch
    }

    /// The next line, which tells of this event.
    #[track_caller]
    pub fn next(&mut self, event: &str) -> Value {
        let line = self.lines.next().expect("it has ended").unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(text(&line, "event"), event, "{line}");
        line
    }

    /// Its exit code after a signal.
    fn signal(mut self, name: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended before, by the test's own wish.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Joined by the words; their home, and their kit in a file.
fn further_ops_member(world: &World) -> (Home, String) {
    let code = text(&world.ops.json(&["invite", OTTO, "--role", "ops"]).json(), "code");
    let otto = world.home("otto");
    let joined = otto.json(&["join", &code]).json();
    world.ops.json(&["confirm", OTTO, "--words", &words(&joined)]).ok();
    (otto, world.file("kit.json", joined["recovery_kit"].to_string().as_bytes()))
}

#[test]
fn a_second_ops_member_comes_by_the_words() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    world.ops.json(&["invite", OTTO, "--name", "Otto"]).fails(2, "usage");
    let invite = world.ops.json(&["invite", OTTO, "--role", "ops", "--name", "Otto Ops"]).json();
    let told = |member: &str| invite[member].clone();
    assert_eq!(
        (told("role"), told("account_key"), told("confirm")),
        (json!("ops"), json!(true), json!(true))
    );
    let otto = world.home("otto");
    let joined = otto.json(&["join", &text(&invite, "code")]).json();
    assert!(joined["recovery_kit"]["account_key"].is_string());
    assert_eq!((text(&joined, "role"), text(&joined, "status")), ("ops".into(), "pending".into()));
    let passing = world.ops.run(&["ls"]).ok();
    assert!(passing.stderr.contains(&format!("sealpost confirm {OTTO}")), "{passing:?}");
    otto.json(&["ls"]).fails(5, "account_pending");
    let admitted = world.ops.json(&["confirm", OTTO, "--words", &words(&joined)]).json();
    assert_eq!(text(&admitted, "role"), "ops");

    let uploaded = otto.json(&["upload", &world.file("a.pdf", b"content"), "--to", CLIENT]).json();
    let id = text(&uploaded["files"][0], "file_id");
    assert_eq!(uploaded["files"][0]["shares"][0]["status"], "shared");
    let out = world.path("a.out");
    let download = client.run(&["download", &id, "-o", &out]).ok();
    assert!(download.text().contains("from Otto Ops <otto@example.com>, verified"), "{download:?}");
    assert_eq!(fs::read(out).unwrap(), b"content");

    // Lost, and replaced in the same role; another role is refused, and so is another name.
    world.ops.json(&["invite", OTTO, "--replace", "--role", "client"]).fails(2, "role_differs");
    world.ops.json(&["invite", OTTO, "--replace", "--role", "ops", "--name", "Eve"]).fails(2, "usage");
    let again = world.ops.json(&["invite", OTTO, "--replace"]).json();
    assert_eq!((text(&again, "role"), text(&again, "name")), ("ops".into(), "Otto Ops".into()));
    let new = world.home("new");
    let heard = words(&new.json(&["join", &text(&again, "code")]).json());
    let confirmed = world.ops.run(&["confirm", OTTO, "--words", &heard]).ok();
    assert!(confirmed.stderr.contains("inherits no files"), "{confirmed:?}");
    assert_eq!(new.json(&["ls"]).json()["files"], json!([]));
    otto.json(&["ls"]).fails(5, "account_ended");
    let shared = client.run(&["shared"]).ok().text();
    assert!(shared.contains("(sender has left; may be backdated)"), "{shared}");
}

#[test]
fn what_is_shared_with_somebody_who_has_not_joined_waits() {
    let world = World::new();
    let code = world.invite(CLIENT);
    let path = world.file("a.pdf", b"content");
    let uploaded = world.ops.json(&["upload", &path, "--to", CLIENT, "--downloads", "3"]).json();
    let id = text(&uploaded["files"][0], "file_id");
    assert_eq!(uploaded["files"][0]["shares"][0]["status"], "queued");
    let other = text(&world.ops.json(&["upload", &world.file("b.pdf", b"b")]).json()["files"][0], "file_id");
    let shown = world.ops.run(&["share", &other, CLIENT]).ok().text();
    assert!(shown.starts_with(&format!("Queued for {CLIENT}")), "{shown}");
    let listed = world.ops.json(&["info", &id]).json();
    assert_eq!(
        (&listed["shares"][0]["status"], &listed["shares"][0]["download_limit"]),
        (&json!("queued"), &json!(3))
    );
    let shown = world.ops.run(&["ls"]).ok().text();
    assert!(shown.contains(&format!("→ {CLIENT}  queued, 3 downloads")), "{shown}");
    let third = world.file("c.pdf", b"c");
    let list = world.file("list.csv", format!("path,email\n{third},{CLIENT}\n").as_bytes());
    let row = world.ops.json(&["deliver", &list, "--dry-run"]).json();
    assert_eq!(text(&row, "status"), "would_queue");
    let row = world.ops.json(&["deliver", &list]).json();
    assert_eq!(text(&row, "status"), "queued");

    world.ops.json(&["unshare", &other, CLIENT]).ok();
    world.ops.json(&["unshare", &other, CLIENT]).fails(4, "not_shared");
    let client = world.home("client");
    client.json(&["join", &code]).ok();
    // Whatever comes next admits, and shares; once.
    let passing = world.ops.run(&["ls"]).ok();
    assert!(passing.stderr.contains(&format!("{CLIENT} has joined: admitted.")), "{passing:?}");
    assert!(passing.stderr.contains(&format!("Shared a.pdf with {CLIENT}, as queued.")), "{passing:?}");
    assert!(!world.ops.run(&["ls"]).ok().stderr.contains("queued"));
    assert_eq!(client.json(&["shared"]).json()["files"].as_array().unwrap().len(), 2);
    let row = world.ops.json(&["deliver", &list]).json();
    assert_eq!(text(&row, "status"), "already");
}

#[test]
fn watch_waits_for_people_without_a_person() {
    let mut world = World::new();
    let (otto, kit) = further_ops_member(&world);
    // On a machine that has the kit and no password.
    let robot = world.home("robot");
    fs::remove_file(&robot.password_file).unwrap();
    robot.json(&["login", "--key-file", &kit]).ok();
    let invite = |email| text(&otto.json(&["invite", email]).json(), "code");
    let (code, later) = (invite(CLIENT), invite("later@example.com"));
    let uploaded = otto.json(&["upload", &world.file("a.pdf", b"content"), "--to", CLIENT]).json();
    let id = text(&uploaded["files"][0], "file_id");
    let mut watch = Watch::begin(&robot);
    let client = world.home("client");
    client.json(&["join", &code]).ok();
    assert_eq!(text(&watch.next("certified"), "email"), CLIENT);
    let shared = watch.next("shared");
    assert_eq!((text(&shared, "file_id"), text(&shared, "name")), (id.clone(), "a.pdf".into()));
    client.run(&["download", &id, "-o", &world.path("a.out")]).ok();

    world.server.start_again();
    world.home("later").json(&["join", &later]).ok();
    loop {
        let line = watch.lines.next().expect("it has ended").unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        match &*text(&line, "event") {
            // The restart may fall between two looks.
            "offline" | "online" => {}
            event => {
                assert_eq!((event, text(&line, "email")), ("certified", "later@example.com".into()));
                break;
            }
        }
    }
    assert_eq!(watch.signal("TERM"), Some(0));
    assert_eq!(Watch::begin(&robot).signal("INT"), Some(130));

    assert_eq!(world.ops.run(&["watch", "--once"]).ok().text(), "");
    let code = world.invite("third@example.com");
    world.home("third").json(&["join", &code]).ok();
    let once = world.ops.json(&["watch", "--once"]).json();
    assert_eq!(
        (text(&once, "event"), text(&once, "email")),
        ("certified".into(), "third@example.com".into())
    );
    client.json(&["watch"]).fails(5, "role_forbidden");
    world.server.kill();
    world.ops.json(&["watch", "--once"]).fails(6, "connect");
}
