//! Everything that goes wrong in ordinary life: each ends with the right exit code and a sentence that helps,
//! and loses nothing.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::world::{CLIENT, Done, Home, OPS, World, text};

#[test]
fn a_wrong_password() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let laptop = world.home("laptop");
    fs::write(&laptop.password_file, "not the password\n").unwrap();
    let error = laptop.json(&["login", "--email", CLIENT]).fails(3, "login_failed");
    assert!(error["hint"].is_string());
    laptop.json(&["login", "--email", "nobody@example.com"]).fails(3, "login_failed");
    client.json(&["whoami"]).ok();
}

#[test]
fn a_password_that_is_too_short_or_missing() {
    let world = World::new();
    let code = world.invite(CLIENT);
    let client = world.home("client");
    for short in ["", "short\n"] {
        fs::write(&client.password_file, short).unwrap();
        assert_eq!(client.json(&["join", &code]).code, 2);
    }
    fs::remove_file(&client.password_file).unwrap();
    assert_eq!(client.json(&["join", &code]).code, 8);
    fs::write(&client.password_file, "a good long password\n").unwrap();
    client.json(&["join", &code]).ok();
}

#[test]
fn a_used_an_unknown_and_a_mistyped_invite() {
    let world = World::new();
    let code = world.invite(CLIENT);
    world.home("client").json(&["join", &code]).ok();
    let second = world.home("second");
    let error = second.json(&["join", &code]).fails(3, "invite_used");
    assert!(text(&error, "hint").to_lowercase().contains("sender"), "{error}");
    let mut typed: Vec<char> = code.chars().collect();
    let swap = if typed[5] == 'A' { 'B' } else { 'A' };
    typed[5] = swap;
    let mistyped: String = typed.into_iter().collect();
    let done = second.json(&["join", &mistyped]);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.stderr.contains("mistyped"), "{done:?}");
    // Case and hyphens are forgiven.
    let fresh = world.invite("fresh@example.com").to_lowercase().replace('-', " ");
    second.json(&["join", &fresh]).ok();
}

#[test]
fn an_unknown_recipient_is_refused_and_a_pending_one_waited_for() {
    let world = World::new();
    let id = text(&world.ops.json(&["upload", &world.file("a", b"a")]).json()["files"][0], "file_id");
    world.invite("invited@example.com");
    let done = world.ops.json(&["share", &id, "nobody@example.com", "invited@example.com"]);
    assert_eq!(done.code, 4, "{done:?}");
    let answer: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let error = &answer["shares"][0]["error"];
    assert_eq!(text(error, "code"), "recipient_unknown");
    assert!(error["hint"].is_string(), "{error}");
    assert_eq!(text(&answer["shares"][1], "status"), "queued");
}

#[test]
fn a_client_may_not_upload() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    world.ops.json(&["ls"]).ok();
    client.json(&["upload", &world.file("a", b"a")]).fails(5, "role_forbidden");
    client.json(&["ls"]).fails(5, "role_forbidden");
}

#[test]
fn a_file_that_is_missing_or_no_file() {
    let world = World::new();
    let done = world.ops.json(&["upload", &world.path("missing")]);
    assert_eq!(done.code, 8, "{done:?}");
    let done = world.ops.json(&["upload", "/dev/null"]);
    assert_eq!(done.code, 8, "{done:?}");
    assert_eq!(world.ops.json(&["ls"]).json()["files"].as_array().unwrap().len(), 0);
}

#[test]
fn a_file_that_changes_while_it_is_uploaded() {
    let world = World::new();
    let path = world.file("growing", &vec![7; 20_000_000]);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (stop, path) = (Arc::clone(&stop), path.clone());
        thread::spawn(move || {
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            while !stop.load(Ordering::Relaxed) {
                file.write_all(b"more").unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        })
    };
    let done = world.ops.json(&["upload", &path]);
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    done.fails(8, "source_changed");
    assert_eq!(world.ops.json(&["ls"]).json()["files"].as_array().unwrap().len(), 0);
    world.ops.json(&["upload", &path]).ok();
}

#[test]
fn a_destination_that_is_full_or_not_writable() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let id = world.deliver(&world.file("a", &vec![7; 100_000]), CLIENT);
    let full = File::create("/dev/full").unwrap();
    let done = Done::from(client.command(&["download", &id, "-o", "-"]).stdout(full).output().unwrap());
    assert_eq!(done.code, 8, "{done:?}");
    let blocked = format!("{}/below-a-file", world.file("blocking", b""));
    let done = client.json(&["download", &id, "-o", &blocked]);
    assert_eq!(done.code, 8, "{done:?}");
    client.json(&["download", &id, "-o", &world.path("fine")]).ok();
}

#[test]
fn a_reader_that_goes_away() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let id = world.deliver(&world.file("a", &vec![7; 20_000_000]), CLIENT);
    let mut command = client.command(&["download", &id, "-o", "-"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut some = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let done = Done::from(child.wait_with_output().unwrap());
    assert!(!done.stderr.contains("panicked"), "{done:?}");
}

#[test]
fn names_with_control_characters_and_path_parts() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let hostile = "a\u{1b}[2J\u{202e}fdp.exe";
    world.deliver(&world.file(hostile, b"content"), CLIENT);
    let up =
        world.ops.run_with(&["upload", "-", "--name", "../../up\n.txt", "--to", CLIENT, "-q"], b"up").ok();
    let shown = client.run(&["shared"]).ok();
    for character in ['\u{1b}', '\u{202e}'] {
        assert!(!shown.text().contains(character), "{shown:?}");
    }
    assert!(!shown.text().contains("up\n.txt"), "a name broke its line: {shown:?}");
    let listed = client.json(&["shared"]).json();
    let names: Vec<String> =
        listed["files"].as_array().unwrap().iter().map(|file| text(file, "name")).collect();
    assert!(names.contains(&hostile.to_owned()), "JSON has the true name: {names:?}");
    let inbox = world.path("a/b/");
    client.json(&["download", up.text().trim(), "-o", &inbox]).ok();
    let written: Vec<_> = fs::read_dir(&inbox).unwrap().flatten().collect();
    assert_eq!(written.len(), 1);
    let name = written[0].file_name().into_string().unwrap();
    assert!(!name.chars().any(char::is_control), "{name:?}");
    assert!(
        !world.folder.path().join("up\n.txt").exists() && !world.folder.path().join("a/up\n.txt").exists()
    );
}

#[test]
fn a_server_that_is_gone_before_or_in_the_middle() {
    let mut world = World::new();
    let path = world.file("large", &vec![7; 60_000_000]);
    let mut command = world.ops.command(&["upload", &path, "--json"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let upload = command.spawn().unwrap();
    thread::sleep(Duration::from_millis(400));
    world.server.kill();
    let done = Done::from(upload.wait_with_output().unwrap());
    assert!([0, 6].contains(&done.code), "{done:?}");
    let done = world.ops.json(&["upload", &path]);
    assert_eq!(done.code, 6, "{done:?}");
    world.server.start_again();
    let id = text(&world.ops.json(&["upload", &path]).json()["files"][0], "file_id");
    assert_eq!(world.ops.run(&["download", &id, "-o", "-"]).ok().stdout.len(), 60_000_000);
}

#[test]
fn a_state_folder_that_is_damaged_or_somebody_elses() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    let other = World::new();
    let stranger = Home::new(other.folder.path(), "client", &other.server.url);
    // Another organisation's invite into this home would mix two identities.
    let code = other.invite("me@example.com");
    let mixed = stranger.in_folder(&client.path);
    let done = mixed.json(&["join", &code]);
    assert_eq!(done.code, 8, "{done:?}");
    client.json(&["whoami"]).ok();

    for name in ["session", "profile", "seed"] {
        let blob = client.path.join("state").join(name);
        let good = fs::read(&blob).unwrap();
        for bad in [&b""[..], b"garbage", b"{\"format\":1,\"value\":{}}", b"{\"format\":999,\"value\":{}}"] {
            fs::write(&blob, bad).unwrap();
            let done = client.json(&["whoami"]);
            assert_eq!(done.code, 8, "{name} {:?}: {done:?}", String::from_utf8_lossy(bad));
            assert!(done.stderr.contains("hint"), "{done:?}");
            assert_eq!(fs::read(&blob).unwrap(), bad, "{name} was overwritten");
        }
        fs::write(&blob, good).unwrap();
        client.json(&["whoami"]).ok();
    }
}

#[test]
fn a_server_newer_than_the_client_and_one_that_talks_nonsense() {
    let world = World::new();
    let problem = r#"{"type":"urn:sealpost:problem:api_version","title":"t","status":400,"code":"api_version","hint":"Upgrade the client."}"#;
    for (status, body, code, hint) in [
        ("400 Bad Request", problem, "api_version", "upgrade"),
        ("200 OK", "<html>hello</html>", "unexpected_answer", "a proxy in between"),
        ("200 OK", r#"{"version":"0.1.0","login_resp"#, "unexpected_answer", "a proxy in between"),
        ("502 Bad Gateway", "oops", "bad_gateway", "try again"),
        ("404 Not Found", "oops", "unexpected_answer", "address of a sealpost server"),
        ("301 Moved", "oops", "unexpected_answer", "own address"),
    ] {
        let url = fake_server(status, body, body.len());
        let fresh = Home::new(world.folder.path(), "fresh", &url);
        let error = fresh.json(&["login", "--email", CLIENT]).fails(6, code);
        assert!(text(&error, "hint").to_lowercase().contains(hint), "{error}");
    }
    // A connection that ends in the middle of an answer.
    let url = fake_server("200 OK", r#"{"version":"#, 1_000);
    let fresh = Home::new(world.folder.path(), "fresh", &url);
    let error = fresh.json(&["login", "--email", CLIENT]).fails(6, "network");
    assert!(text(&error, "message").contains("connection broke"), "{error}");
}

#[test]
fn a_proxy_that_fails_for_a_while_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let world = World::on(folder, &["--data", &data]);
    let failing = Arc::new(AtomicUsize::new(0));
    let url = flaky_proxy(&world.server.url, Arc::clone(&failing));
    let client = Home::new(world.folder.path(), "client", &url);
    client.json(&["join", &world.invite(CLIENT)]).ok();
    let content = vec![7; 20_000_000];
    let id = world.deliver(&world.file("a", &content), CLIENT);
    failing.store(3, Ordering::Relaxed);
    assert!(client.run(&["download", &id, "-o", "-"]).ok().stdout == content);
    assert_eq!(failing.load(Ordering::Relaxed), 0, "it met the failures");
    failing.store(1_000, Ordering::Relaxed);
    let error = client.json(&["shared"]).fails(6, "bad_gateway");
    assert!(text(&error, "message").contains("not available (502"), "{error}");
}

#[test]
fn a_home_that_is_none_or_another_accounts() {
    let world = World::new();
    let file = world.file("file", b"");
    let home = world.ops.in_folder(file.as_ref());
    let error = home.json(&["whoami"]).fails(8, "home_unusable");
    assert!(text(&error, "hint").contains("folder"), "{error}");
    let blocked = world.home("blocked");
    fs::write(blocked.path.join("state"), "").unwrap();
    blocked.json(&["whoami"]).fails(8, "state_folder");

    // Another server's name is refused, never ignored; so is another account.
    let other = World::new();
    let error = world.ops.json(&["--server", &other.server.url, "ls"]).fails(2, "usage");
    assert!(text(&error, "message").contains(&world.server.url), "{error}");
    world.ops.json(&["--server", &other.server.url, "login", "--email", OPS]).fails(8, "state_foreign");
    world.ops.json(&["login", "--email", CLIENT]).fails(8, "state_foreign");
    world.ops.json(&["ls"]).ok();
}

/// Answers 502 to so many connections, and passes on the others.
fn flaky_proxy(server: &str, failing: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = server.trim_start_matches("http://").to_owned();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut client) = stream else { return };
            let fails = |left: usize| left.checked_sub(1);
            if failing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fails).is_ok() {
                let mut request = [0; 4_096];
                let _read = client.read(&mut request);
                let _written = client
                    .write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                continue;
            }
            let upstream = TcpStream::connect(&server).unwrap();
            for (mut from, mut to) in
                [(client.try_clone().unwrap(), upstream.try_clone().unwrap()), (upstream, client)]
            {
                thread::spawn(move || {
                    let _copied = std::io::copy(&mut from, &mut to);
                    let _closed = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    url
}

/// Answers every request alike, with a body that says it is so long.
fn fake_server(status: &str, body: &str, length: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let kind = if body.starts_with("{\"type\"") { "application/problem+json" } else { "text/html" };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let answer = answer.clone();
            thread::spawn(move || {
                let mut request = [0; 4_096];
                // Whatever was asked; whether the answer arrives is the client's to notice.
                let _read = stream.read(&mut request);
                let _written = stream.write_all(answer.as_bytes());
            });
        }
    });
    url
}
