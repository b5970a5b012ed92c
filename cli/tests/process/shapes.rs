//! What `--json` prints, held to docs/cli.schema.json: everything that any test of the process sees ([`check`]), and once
//! every command there is, compared with what was captured before (`shapes.txt`): members, their order, one line where
//! there is one line for each row.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::Path,
    sync::{Arc, LazyLock},
};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::world::{CLIENT, Done, Home, OPS, Server, World, sealpost, text};

/// Set to anything, this environment variable writes what was captured to the file instead of comparing it.
const WRITE: &str = "SEALPOST_TEST_WRITE";

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.schema.json");
    let mut schema = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    close(&mut schema);
    schema["$defs"].as_object_mut().unwrap().values_mut().for_each(let_variants_have_the_rest);
    schema
});

/// Gives back what a command did; with `--json`, held to the schema.
#[track_caller]
pub fn checked(arguments: &[&str], done: Done) -> Done {
    let is_command = |argument: &&&str| SCHEMA["$defs"].get(**argument).is_some();
    if let (true, Some(command)) = (arguments.contains(&"--json"), arguments.iter().find(is_command)) {
        check(command, &done);
    }
    done
}

/// Holds what a command printed to the schema. Members that it does not name are errors, too.
#[track_caller]
pub fn check(command: &str, done: &Done) {
    let stdout = done.text();
    let schema = &SCHEMA["$defs"][command];
    assert!(schema.is_object(), "docs/cli.schema.json has no {command}");
    let is_lines = schema["x-lines"] == true;
    let documents: Vec<&str> = if is_lines { stdout.lines().collect() } else { vec![&stdout] };
    let is_due = is_lines || done.code == 0;
    for document in documents.into_iter().filter(|document| is_due || is_whole(document)) {
        hold(command, document);
        assert_eq!(document.trim_end().lines().count(), 1, "one document, one line: {document}");
    }
    for line in done.stderr.lines().filter(|line| line.starts_with("{\"")) {
        hold("error", line);
    }
}

/// A failed command may have printed nothing, or the beginning of a list.
fn is_whole(document: &str) -> bool {
    serde_json::from_str::<Value>(document).is_ok()
}

#[track_caller]
fn hold(name: &str, document: &str) {
    let value: Value =
        serde_json::from_str(document).unwrap_or_else(|error| panic!("{name}: {error}: {document}"));
    let errors: Vec<_> = validator(name)
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()).chars().take(300).collect::<String>())
        .collect();
    assert!(errors.is_empty(), "{name} --json is not as docs/cli.schema.json says: {}", errors.join("; "));
}

fn validator(name: &str) -> Arc<Validator> {
    static KNOWN: LazyLock<Vec<(String, Arc<Validator>)>> = LazyLock::new(|| {
        let of = |(name, schema): (&String, &Value)| {
            (name.clone(), Arc::new(jsonschema::validator_for(schema).expect("a schema")))
        };
        SCHEMA["$defs"].as_object().unwrap().iter().map(of).collect()
    });
    let known = KNOWN.iter().find(|(known, _)| known == name).expect("a schema of this name");
    Arc::clone(&known.1)
}

/// Lets no object have members that it does not name.
fn close(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.contains_key("properties") {
                members.insert("additionalProperties".into(), false.into());
            }
        }
        _ => {}
    }
}

/// Where a document has members of its own and those of one of several types, all of them together are all there are.
fn let_variants_have_the_rest(document: &mut Value) {
    if document.get("properties").is_none() || document.get("anyOf").is_none() {
        return;
    }
    let closed = document.as_object_mut().unwrap();
    closed.remove("additionalProperties");
    closed.insert("unevaluatedProperties".into(), false.into());
    for variant in document["anyOf"].as_array().unwrap().clone() {
        let target = variant["$ref"].as_str().unwrap().trim_start_matches('#');
        document.pointer_mut(target).unwrap().as_object_mut().unwrap().remove("additionalProperties");
    }
}

/// What was captured.
#[derive(Default)]
struct Captured {
    text: String,
    commands: BTreeSet<String>,
    /// What differs from run to run, and what stands for it.
    known: Vec<(String, String)>,
}

impl Captured {
    /// Runs a command and keeps what it printed; gives the document, or the last line.
    fn run(&mut self, home: &Home, arguments: &[&str]) -> Value {
        let done = home.json(arguments);
        self.keep(arguments, &done);
        let stdout = done.text();
        stdout.lines().last().map_or(Value::Null, |line| serde_json::from_str(line).unwrap())
    }

    fn keep(&mut self, arguments: &[&str], done: &Done) {
        self.commands.insert(arguments[0].to_owned());
        check(arguments[0], done);
        let shown: Vec<_> = arguments.iter().map(|argument| self.masked(argument)).collect();
        writeln!(self.text, "$ sealpost {} --json", shown.join(" ")).unwrap();
        done.text().lines().for_each(|line| {
            let line = self.masked(&mask(line));
            writeln!(self.text, "{line}").unwrap();
        });
        if done.code != 0 {
            let error = done.stderr.lines().rfind(|line| line.starts_with("{\"error\"")).expect("an error");
            let error = self.masked(&mask(error));
            writeln!(self.text, "exit {}: {error}", done.code).unwrap();
        }
        self.text.push('\n');
    }

    /// From now on `name` stands for `text`.
    fn know(&mut self, text: &str, name: &str) {
        self.known.push((text.to_owned(), name.to_owned()));
    }

    fn masked(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, (known, name)| text.replace(known, name))
    }
}

/// Members whose text is another one each time.
const RANDOM: [&str; 10] = [
    "code",
    "link",
    "words",
    "account_key",
    "organisation",
    "payload",
    "signature",
    "time",
    "enc",
    "ciphertext",
];

/// A line of JSON with what differs from run to run replaced: ids, times, secrets. Nothing is moved.
fn mask(line: &str) -> String {
    let (mut masked, mut rest, mut member) = (String::new(), line, String::new());
    while let Some(at) = rest.find('"') {
        let (before, after) = rest.split_at(at + 1);
        let end = end_of_text(after);
        let (content, after) = after.split_at(end);
        masked += before;
        if after[1..].starts_with(':') {
            member = content.to_owned();
            masked += content;
        } else {
            masked += &stand_in(&member, content);
        }
        masked.push('"');
        rest = &after[1..];
    }
    masked + rest
}

fn end_of_text(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' if !escaped => return at,
            _ => escaped = character == '\\' && !escaped,
        }
    }
    text.len()
}

fn stand_in(member: &str, content: &str) -> String {
    let is_hex = |length| content.len() == length && content.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_time = content.len() == 20 && content.ends_with('Z') && content.as_bytes()[10] == b'T';
    match content {
        _ if is_hex(32) => "ID".to_owned(),
        _ if is_hex(64) => "HASH".to_owned(),
        _ if is_time => "TIME".to_owned(),
        "" => String::new(),
        // The code of an error is no secret.
        _ if RANDOM.contains(&member) && (member != "code" || content.contains('-')) => member.to_uppercase(),
        content => content.to_owned(),
    }
}

#[test]
fn every_command_prints_what_it_printed_before() {
    let mut captured = Captured::default();
    let data = tempfile::tempdir().unwrap();
    let world = story(&mut captured, data);
    captured.know(&world.folder.path().display().to_string(), "FOLDER");
    without_a_server(&mut captured, &world);
    let documented: BTreeSet<_> = SCHEMA["$defs"].as_object().unwrap().keys().cloned().collect();
    let missing: Vec<_> = documented.difference(&captured.commands).filter(|name| *name != "error").collect();
    assert!(missing.is_empty(), "not run here: {missing:?}");

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/shapes.txt");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &captured.text).unwrap();
    }
    let before = fs::read_to_string(&path).unwrap_or_default();
    for (now, before) in captured.text.lines().zip(before.lines()) {
        assert_eq!(now, before, "members are only ever added: {WRITE}=1 writes shapes.txt anew");
    }
    assert_eq!(captured.text.lines().count(), before.lines().count());
}

/// The whole life of a few files.
fn story(captured: &mut Captured, folder: tempfile::TempDir) -> World {
    let data = folder.path().join("data").display().to_string();
    captured.know(&folder.path().display().to_string(), "FOLDER");
    let server = Server::start(&["--data", &data]);
    captured.know(&server.url, "SERVER");
    captured.know(&text(&server.started, "url"), "SERVER");
    let token = server.setup_token.clone().unwrap();
    captured.know(&token, "SETUP_TOKEN");
    let started = Done { code: 0, stdout: server.started.to_string().into_bytes(), stderr: String::new() };
    check("serve", &started);
    captured.commands.insert("serve".into());
    let ops = Home::new(folder.path(), "ops", &server.url);
    captured.run(
        &ops,
        &["init", "--setup-token", &token, "--email", OPS, "--org", "Example & Co", "--name", "Olga"],
    );
    let mut world = World { server, ops, folder };
    people(captured, &world);
    files(captured, &world);
    ending(captured, &mut world);
    world
}

fn people(captured: &mut Captured, world: &World) {
    let ops = &world.ops;
    let client = world.home("client");
    let code = text(&captured.run(ops, &["invite", CLIENT]), "code");
    captured.know(&code, "CODE");
    let joined = captured.run(&client, &["join", &code]);
    let kit = world.file("kit.json", joined["recovery_kit"].to_string().as_bytes());
    captured.run(ops, &["watch", "--once"]);
    captured.run(&client, &["whoami"]);
    let new = world.file("new.password", b"another horse of the client\n");
    captured.run(&client, &["passwd", "--new-password-file", &new]);
    fs::write(&client.password_file, "a third horse of the client\n").unwrap();
    captured.run(&client, &["recover", "--kit-file", &kit]);
    captured.run(&client, &["logout"]);
    captured.run(&client, &["whoami"]);
    captured.run(&client, &["login", "--email", CLIENT]);
    captured.run(&client, &["rotate"]);

    let colleague =
        text(&captured.run(ops, &["invite", "otto@example.com", "--role", "ops", "--name", "Otto"]), "code");
    captured.know(&colleague, "CODE");
    let otto = world.home("otto");
    captured.run(&otto, &["join", &colleague]);
    let words = otto.json(&["whoami"]).json()["words"].clone();
    let words: Vec<_> =
        words.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect();
    captured.know(&words.join(" "), "WORDS");
    captured.run(ops, &["confirm", "otto@example.com", "--words", &words.join(" ")]);
    captured.run(ops, &["verify", "otto@example.com"]);
    captured.run(ops, &["contacts"]);
}

fn files(captured: &mut Captured, world: &World) {
    let (ops, client) = (&world.ops, world.home("client"));
    let path = world.file("contract.pdf", b"contract");
    let waiting = "late@example.com";
    let code = text(&ops.json(&["invite", waiting]).json(), "code");
    let uploaded = captured.run(
        ops,
        &[
            "upload",
            &path,
            "--to",
            CLIENT,
            waiting,
            "nobody@example.com",
            "--note",
            "November",
            "--expires",
            "30d",
            "--downloads",
            "3",
        ],
    );
    let id = text(&uploaded["files"][0], "file_id");
    captured.know(&id, "FILE_ID");
    captured.run(ops, &["ls"]);
    captured.run(&client, &["shared"]);
    let inbox = world.path("inbox/");
    captured.run(&client, &["download", &id, "00112233445566778899aabbccddeeff", "-o", &inbox]);
    captured.run(&client, &["download", &id, "-o", &inbox]);
    captured.run(&client, &["info", &id]);
    captured.run(ops, &["info", &id]);
    captured.run(ops, &["receipts"]);
    let evidence = world.path("evidence.json");
    captured.run(ops, &["evidence", &id, "--recipient", CLIENT, "-o", &evidence, "--disclose"]);
    let org = text(&ops.json(&["whoami"]).json(), "org_id");
    captured.know(&org, "ORG_ID");
    captured.run(ops, &["verify-evidence", &evidence, "--org", &org, "--file", &path]);

    let second =
        text(&ops.json(&["upload", &world.file("second.pdf", b"second")]).json()["files"][0], "file_id");
    captured.know(&second, "OTHER_ID");
    captured.run(ops, &["share", &second, CLIENT, waiting, "nobody@example.com"]);
    captured.run(ops, &["unshare", &second, waiting, "nobody@example.com"]);
    let list = format!(
        "path,email,note,expires,downloads\n{path},{CLIENT},November,,\n{path},{waiting},November,,\n{path},otto@example.com,November,30d,3\n"
    );
    let list = world.file("list.csv", list.as_bytes());
    captured.run(ops, &["deliver", &list, "--dry-run"]);
    captured.run(ops, &["deliver", &list]);
    captured.run(ops, &["deliver", &world.file("bad.csv", b"path,email\nmissing.pdf,nobody@example.com\n")]);
    let late = world.home("late");
    late.json(&["join", &code]).ok();
    captured.run(ops, &["watch", "--once"]);
}

/// What people and files come to.
fn ending(captured: &mut Captured, world: &mut World) {
    let ops = &world.ops;
    let again = ops.json(&["invite", CLIENT, "--replace"]).json();
    let anew = world.home("anew");
    anew.json(&["join", &text(&again, "code")]).ok();
    let words: Vec<_> = anew.json(&["whoami"]).json()["words"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect();
    captured.know(&words.join(" "), "WORDS");
    captured.run(ops, &["confirm", CLIENT, "--words", &words.join(" ")]);
    let account = text(&anew.json(&["whoami"]).json(), "user_id");
    captured.know(&account, "USER_ID");
    captured.run(ops, &["reshare", CLIENT, "-y", "--account", &account]);
    captured.run(ops, &["contacts", "--all"]);

    let otto = world.home("otto");
    let left = otto.json(&["upload", &world.file("left.pdf", b"left"), "--to", CLIENT]).json();
    let left = text(&left["files"][0], "file_id");
    captured.know(&left, "LEFT_ID");
    captured.run(ops, &["revoke", "otto@example.com", "-y"]);
    captured.run(ops, &["left", "otto@example.com"]);
    captured.run(ops, &["withdraw", &left, "00112233445566778899aabbccddeeff", "-y"]);
    let gone = text(&ops.json(&["upload", &world.file("gone.pdf", b"gone")]).json()["files"][0], "file_id");
    captured.know(&gone, "GONE_ID");
    captured.run(ops, &["rm", &gone, "-y"]);

    world.server.start_again_with(&["--new-checkpoint-key"]);
    let words: Vec<_> = world.server.started["service_words"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect();
    captured.know(&words.join(" "), "WORDS");
    captured.run(&world.ops, &["service", "--words", &words.join(" ")]);
}

fn without_a_server(captured: &mut Captured, world: &World) {
    let run = |arguments: &[&str]| -> Done {
        let mut command = sealpost();
        command
            .args(arguments)
            .arg("--json")
            .env("TMPDIR", world.folder.path())
            .env("HOME", world.folder.path());
        command.output().unwrap().into()
    };
    let pages = world.path("man1");
    captured.keep(&["man", &pages], &run(&["man", &pages]));
    for command in [&["man"][..], &["completions", "bash"], &["demo"]] {
        let done = run(command).ok();
        check(command[0], &done);
        captured.commands.insert(command[0].to_owned());
    }
}

#[test]
fn what_is_not_documented_is_noticed() {
    let done =
        |value: &Value| Done { code: 0, stdout: value.to_string().into_bytes(), stderr: String::new() };
    let honest = json!({ "removed": "00112233445566778899aabbccddeeff" });
    let refused = |command: &'static str, value: Value| {
        let done = done(&value);
        std::panic::catch_unwind(move || check(command, &done)).is_err()
    };
    assert!(refused("logout", honest.clone()));
    assert!(refused("ls", json!({ "files": [], "rejected": [], "more": 1 })));
    assert!(refused("ls", json!({ "files": [] })));
    assert!(refused("ls", json!({ "files": [{ "file_id": 7 }], "rejected": [] })));
    assert!(!refused("ls", json!({ "files": [], "rejected": [] })));
    assert!(refused("info", json!({ "own": true, "more": 1 })));
}
