//! The desktop's keyring seals what a home folder keeps: with a real bus, a real Secret Service, and whole processes.

use std::{fs, path::Path, process::Command};

use sealpost_client::seed_from_words;
use sealpost_crypto::keys::AccountKeys;
use sealpost_tests::search::{Needle, files, find};
use serde_json::Value;

use crate::{
    desktop::Desktop,
    world::{CLIENT, Done, Home, OPS, World, text},
};

/// Somebody who works in a desktop session.
struct Person {
    home: Home,
    bus: String,
}

impl Person {
    fn new(home: Home, desktop: &Desktop) -> Self {
        Self { home, bus: desktop.address() }
    }

    /// Whoever was invited, with the keyring taken by itself; and what `join` said.
    fn joined(world: &World, desktop: &Desktop) -> (Self, Value) {
        let person = Self::new(world.home("client"), desktop);
        let joined = person.json(&["join", &world.invite(CLIENT)]).json();
        world.ops.json(&["ls"]).ok();
        (person, joined)
    }

    /// The Ops member of `world` on another device, and the arguments with which they sign in there.
    fn ops(world: &World, desktop: &Desktop) -> (Self, Vec<String>) {
        let key = fs::read(world.ops.path.join("state/account-key")).unwrap();
        let sheet = world.file("account-key.txt", grouped_account_key(&key).as_bytes());
        let arguments = ["login", "--email", OPS, "--account-key-file", &sheet].map(str::to_owned).to_vec();
        let person = Self::new(world.ops.in_folder(&world.folder.path().join("laptop")), desktop);
        (person, arguments)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(arguments);
        command.arg("--json").env("DBUS_SESSION_BUS_ADDRESS", &self.bus);
        command
    }

    fn json(&self, arguments: &[&str]) -> Done {
        self.command(arguments).output().unwrap().into()
    }

    /// Where the keys are, by the program's own word.
    #[track_caller]
    fn keys(&self) -> String {
        text(&self.json(&["whoami"]).json(), "keys")
    }

    /// Where the keys are, by what lies in the folder.
    fn has(&self, name: &str) -> bool {
        self.home.path.join("state").join(name).exists()
    }
}

/// An account key as a recovery kit shows it.
fn grouped_account_key(key: &[u8]) -> String {
    let key = sealpost_client::AccountKey::from_slice(key).unwrap();
    let kit = sealpost_client::RecoveryKit {
        seed: sealpost_client::AccountSeed::random(),
        org_id: sealpost_client::OrgId::random(),
        account_key: Some(key),
    };
    kit.to_text().account_key.unwrap().to_string()
}

/// Everything in a home folder, and in the keyring's files, by which an account could be taken over.
fn leaks(person: &Person, desktop: &Desktop, joined: &Value) -> Vec<String> {
    let words = text(&joined["recovery_kit"], "words");
    let seed = seed_from_words(&words).unwrap();
    let keys = AccountKeys::derive(&seed);
    let needles = [
        Needle::new("the words", words.as_bytes()),
        Needle::new("the seed", seed.expose()),
        Needle::new("the vault key", keys.vault.expose()),
        Needle::new("the tokens", b"refresh_token"),
    ];
    let mut places = files(&person.home.path);
    places.extend(files(&desktop.files()));
    assert!(places.len() > 20, "this looks in the wrong place");
    find(&places, &needles)
}

#[test]
fn with_a_keyring_the_home_folder_alone_opens_nothing() {
    let (world, desktop) = (World::new(), Desktop::new());
    let (client, joined) = Person::joined(&world, &desktop);
    assert_eq!((text(&joined, "keys"), desktop.keys()), ("keyring".into(), 1));

    let id = world.deliver(&world.file("a.txt", b"content"), CLIENT);
    let target = world.path("arrived.txt");
    client.json(&["download", &id, "-o", &target]).ok();
    assert_eq!(fs::read(&target).unwrap(), b"content");
    client.json(&["passwd", "--new-password-file", &world.file("new", b"another horse of mine")]).ok();
    assert_eq!(leaks(&client, &desktop, &joined), [""; 0]);
    assert_eq!(world.ops.json(&["whoami"]).json()["keys"], "file");

    // The same search finds what lies there when the keyring is not wanted.
    let again = ["login", "--email", CLIENT, "--keyring", "off", "--password-file", &world.path("new")];
    assert_eq!(client.json(&again).json()["keys"], "file");
    assert_eq!(desktop.keys(), 0);
    let found = leaks(&client, &desktop, &joined);
    for secret in ["the seed (raw)", "the tokens (raw)"] {
        assert!(found.iter().any(|line| line.starts_with(secret)), "{found:?}");
    }
}

#[test]
fn a_keyring_that_is_gone_is_an_error_and_loses_nothing() {
    let (world, mut desktop) = (World::new(), Desktop::new());
    let (client, _) = Person::joined(&world, &desktop);
    let before = state(&client);

    desktop.lock();
    for command in [&["whoami"][..], &["shared"], &["logout"], &["login", "--email", CLIENT]] {
        client.json(command).fails(8, "keyring_locked");
    }
    desktop.end();
    for command in [
        &["whoami"][..],
        &["shared"],
        &["logout"],
        &["login", "--email", CLIENT],
        &["login", "--email", CLIENT, "--keyring", "off"],
    ] {
        let error = client.json(command).fails(8, "keyring_unreachable");
        assert!(text(&error, "hint").contains("desktop session"), "{error}");
    }
    let other = Desktop::new();
    let elsewhere = Person { home: client.home.in_folder(&client.home.path), bus: other.address() };
    let error = elsewhere.json(&["shared"]).fails(8, "keyring_key_missing");
    assert!(text(&error, "hint").contains("sign in again"), "{error}");
    assert!(state(&client) == before, "a command that failed has changed the folder");

    desktop.begin_again();
    assert_eq!(client.keys(), "keyring");
    // Lost for good: signing in makes another key.
    assert_eq!(text(&elsewhere.json(&["login", "--email", CLIENT]).json(), "keys"), "keyring");
    assert_eq!((elsewhere.keys(), other.keys()), ("keyring".into(), 1));
}

/// Every file of the home folder but locks.
fn state(person: &Person) -> Vec<(String, Vec<u8>)> {
    let places = files(&person.home.path).into_iter().filter(|place| !place.name.contains(".lock"));
    let mut state: Vec<_> = places.map(|place| (place.name, place.bytes)).collect();
    state.sort();
    state
}

#[test]
fn signing_out_takes_the_key_from_the_keyring() {
    let (world, desktop) = (World::new(), Desktop::new());
    let (client, _) = Person::joined(&world, &desktop);
    client.json(&["logout"]).ok();
    assert_eq!((desktop.keys(), client.has("sealed-seed"), client.has("sealed-session")), (0, false, false));
    client.json(&["whoami"]).fails(3, "not_signed_in");

    // An Ops member's account key outlives the session, as without a keyring.
    let (ops, arguments) = Person::ops(&world, &desktop);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    ops.json(&arguments).ok();
    assert_eq!(desktop.keys(), 2);
    ops.json(&["logout"]).ok();
    assert_eq!((desktop.keys(), ops.has("account-key"), ops.has("sealed-seed")), (1, false, false));
    ops.json(&["login", "--email", OPS]).ok();
    assert_eq!((ops.keys(), desktop.keys()), ("keyring".into(), 2));
}

#[test]
fn where_keys_are_kept_is_chosen_by_signing_in() {
    let (world, mut desktop) = (World::new(), Desktop::new());
    let (ops, arguments) = Person::ops(&world, &desktop);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let secrets = ["seed", "session", "account-key"];
    let in_clear = || secrets.map(|name| ops.has(name));
    let sealed = || secrets.map(|name| ops.has(&format!("sealed-{name}")));

    // Flag > environment > file.
    fs::create_dir_all(&ops.home.path).unwrap();
    fs::write(ops.home.path.join("config.json"), r#"{"keyring": "off"}"#).unwrap();
    assert_eq!(text(&ops.json(&arguments).json(), "keys"), "file");
    assert_eq!((in_clear(), sealed(), desktop.keys()), ([true; 3], [false; 3], 0));
    let mut by_environment = ops.command(&["login", "--email", OPS]);
    let done = Done::from(by_environment.env("SEALPOST_KEYRING", "on").output().unwrap());
    assert_eq!(text(&done.json(), "keys"), "keyring");
    assert_eq!((in_clear(), sealed(), desktop.keys()), ([false; 3], [true; 3], 2));
    let mut by_flag = ops.command(&["login", "--email", OPS, "--keyring", "off"]);
    let done = Done::from(by_flag.env("SEALPOST_KEYRING", "on").output().unwrap());
    assert_eq!(text(&done.json(), "keys"), "file");
    assert_eq!((in_clear(), sealed(), desktop.keys()), ([true; 3], [false; 3], 0));

    // A folder whose keys are in files takes to a keyring at the next sign-in, and not before.
    fs::remove_file(ops.home.path.join("config.json")).unwrap();
    assert_eq!(ops.keys(), "file");
    ops.json(&["logout"]).ok();
    ops.json(&["login", "--email", OPS]).ok();
    assert_eq!((ops.keys(), in_clear(), sealed()), ("keyring".into(), [false; 3], [true; 3]));

    // A locked keyring is not taken in passing, and none at all only if nobody insists on one.
    desktop.lock();
    let fresh = Person::new(ops.home.in_folder(Path::new(&world.path("fresh"))), &desktop);
    let done = fresh.json(&arguments);
    assert!(done.stderr.contains("keyring is locked"), "{done:?}");
    assert_eq!(text(&done.json(), "keys"), "file");
    desktop.end();
    let third = Person::new(ops.home.in_folder(Path::new(&world.path("third"))), &desktop);
    third.json(&[&arguments[..], &["--keyring", "on"]].concat()).fails(8, "keyring_unreachable");
    assert!(!third.has("session") && !third.has("keyring"));
    assert_eq!(text(&third.json(&arguments).json(), "keys"), "file");
}

#[test]
fn two_processes_share_a_home_that_the_keyring_seals() {
    let (world, desktop) = (World::new(), Desktop::new());
    let (ops, arguments) = Person::ops(&world, &desktop);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (one, two) = (world.file("one", b"content"), world.file("two", b"content"));
    let (login, whoami) = (&arguments[..], &["whoami"][..]);
    // Both find a folder without a key.
    at_once(&ops, &[login, login]);
    at_once(&ops, &[&["upload", &one], whoami, login, &["upload", &two], whoami]);
    assert_eq!((ops.keys(), desktop.keys()), ("keyring".into(), 2));
    assert_eq!(ops.json(&["ls"]).json()["files"].as_array().unwrap().len(), 2);
}

fn at_once(person: &Person, commands: &[&[&str]]) {
    std::thread::scope(|scope| {
        let running: Vec<_> =
            commands.iter().map(|arguments| scope.spawn(move || person.json(arguments))).collect();
        running.into_iter().for_each(|command| drop(command.join().unwrap().ok()));
    });
}
