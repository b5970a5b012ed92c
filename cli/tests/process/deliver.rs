//! A list of files and people: checked before anything is sent, delivered once, safe to run again.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::world::{CLIENT, Done, Home, OPS, World, text};

const FILES: usize = 40;
const CLIENTS: usize = 25;

/// The rows that a run printed: one JSON document a line.
fn rows(done: &Done) -> Vec<Value> {
    done.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many rows have each status.
fn statuses(rows: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(text(row, "status")).or_default() += 1;
    }
    counts
}

fn deliver(world: &World, list: &str) -> Done {
    let mut command = world.ops.command(&["deliver", list, "--json"]);
    command.current_dir(world.folder.path()).output().unwrap().into()
}

/// All files of the Ops member.
fn listed(ops: &Home) -> Vec<Value> {
    ops.json(&["ls"]).json()["files"].as_array().unwrap().clone()
}

fn member(number: usize) -> String {
    format!("client{number}@example.com")
}

/// 39 statements for one client each, and terms for all.
fn monthly(world: &World) -> (String, usize) {
    let mut list = "path,email,note,expires,downloads\n".to_owned();
    for number in 1..FILES {
        let name = format!("statement-{number}.pdf");
        world.file(&name, format!("statement {number}").repeat(5_000).as_bytes());
        list += &format!("{name},{},November,30d,3\n", member(number % CLIENTS));
    }
    world.file("terms.pdf", &vec![7; 20_000_000]);
    for number in 0..CLIENTS {
        list += &format!("terms.pdf,{},,,\n", member(number));
    }
    (list, FILES - 1 + CLIENTS)
}

/// Runs until so many rows were printed, then kills (SIGKILL); the rows.
fn killed_after(world: &World, list: &str, lines: usize) -> Vec<Value> {
    let mut command = world.ops.command(&["deliver", list, "--json"]);
    command.current_dir(world.folder.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let seen = output.lines().take(lines).map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    seen
}

/// Kills (SIGKILL) while files that were sent together wait for their answer.
fn killed_in_a_batch(world: &World, list: &str) {
    let mut command = world.ops.command(&["deliver", list, "--json"]);
    command.current_dir(world.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let journal = world.ops.path.join("state/batch");
    while !journal.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_months_delivery_survives_being_killed_and_is_not_sent_twice() {
    let world = World::new();
    let clients: Vec<Home> =
        (0..CLIENTS).map(|number| world.joined(&format!("c{number}"), &member(number))).collect();
    let (content, expected) = monthly(&world);
    let list = world.file("november.csv", content.as_bytes());

    killed_in_a_batch(&world, &list);
    assert_eq!(killed_after(&world, &list, 7).len(), 7);
    killed_after(&world, &list, 20);
    let second = deliver(&world, &list).ok();
    let done = rows(&second);
    assert_eq!(done.len(), expected);
    let counts = statuses(&done);
    assert!(counts["already"] >= 20 && counts["already"] + counts["shared"] == expected, "{counts:?}");

    let third = deliver(&world, &list).ok();
    assert_eq!(statuses(&rows(&third)), BTreeMap::from([("already".into(), expected)]));
    assert!(third.stderr.contains("0 shared") && third.stderr.contains("0 new files"), "{third:?}");

    let files = listed(&world.ops);
    assert_eq!(files.len(), FILES, "each path was sealed once");
    let shares: usize = files.iter().map(|file| file["shares"].as_array().unwrap().len()).sum();
    assert_eq!(shares, expected, "each person got each file once");
    let of_first = clients[1].json(&["shared"]).json();
    let of_first = of_first["files"].as_array().unwrap();
    assert_eq!(of_first.len(), 3);
    let statement = of_first.iter().find(|file| text(file, "name") == "statement-1.pdf").unwrap();
    assert_eq!((text(statement, "note"), statement["downloads_left"].as_u64()), ("November".into(), Some(3)));
    assert!(statement["expires_at"].is_string());
}

#[test]
fn every_problem_is_told_before_anything_is_sent() {
    let world = World::new();
    world.joined("client", CLIENT);
    world.invite("invited@example.com");
    world.file("a.pdf", b"a");
    fs::create_dir(world.path("folder")).unwrap();
    let list = format!(
        "path,email,note,expires,downloads\n\
         a.pdf,{CLIENT},,,\n\
         missing.pdf,{CLIENT},,,\n\
         folder,{CLIENT},,,\n\
         a.pdf,{CLIENT},,,\n\
         a.pdf,nobody@example.com,,,\n\
         a.pdf,invited@example.com,,,\n\
         a.pdf,{OPS},,,\n\
         a.pdf,not an address,,soon,0\n\
         a.pdf,other@example.com,another note,,\n"
    );
    let list = world.file("list.csv", list.as_bytes());
    let done = deliver(&world, &list);
    let error = done.fails(2, "list_problems");
    assert!(text(&error, "message").contains("nothing was sent"), "{error}");
    let told: Vec<_> =
        rows(&done).iter().map(|row| (row["line"].as_u64().unwrap(), text(&row["error"], "code"))).collect();
    let expected = [
        (3, "source_unreadable"),
        (4, "not_a_file"),
        (5, "list_row"),
        (6, "recipient_unknown"),
        (8, "invalid_input"),
        (9, "list_row"),
        (9, "list_row"),
        (10, "list_row"),
    ];
    let told: Vec<_> = told.iter().map(|(line, code)| (*line, code.as_str())).collect();
    assert!(told.iter().all(|(line, _)| *line != 7), "who has not joined is waited for: {told:?}");
    assert_eq!(told.iter().filter(|(line, _)| *line == 9).count(), 3, "{told:?}");
    for problem in expected {
        assert!(told.contains(&problem), "{problem:?} is not in {told:?}");
    }
    assert!(listed(&world.ops).is_empty());

    let shown = world.ops.run(&["deliver", &list]);
    assert!(shown.code == 2 && shown.stderr.contains("line 6: nobody in the organisation"), "{shown:?}");
    let local = world.file("local.csv", format!("path,email\nmissing.pdf,{CLIENT}\n").as_bytes());
    deliver(&world, &local).fails(8, "list_problems");
    for (content, code) in [("path,mail\na,b\n", "list_unusable"), ("", "list_unusable")] {
        let list = world.file("broken.csv", content.as_bytes());
        deliver(&world, &list).fails(2, code);
    }
    deliver(&world, &world.path("no-list.csv")).fails(8, "local_file");
}

#[test]
fn a_changed_file_is_told_and_a_dry_run_sends_nothing() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    world.file("a.pdf", b"first");
    let list = world.file("list.csv", format!("email;path\n{CLIENT};a.pdf\n").as_bytes());
    let run = |arguments: &[&str]| -> Done {
        let mut command = world.ops.command(&[&["deliver", &list], arguments].concat());
        command.current_dir(world.folder.path()).output().unwrap().into()
    };
    let foreseen = run(&["--dry-run", "--json"]).ok();
    let row = &rows(&foreseen)[0];
    assert_eq!((text(row, "status"), row["new_file"].as_bool()), ("would_share".into(), Some(true)));
    assert!(row["file_id"].is_null() && listed(&world.ops).is_empty());

    let first = run(&["-q"]).ok().text().trim_end().to_owned();
    // The same content written again is the same file.
    world.file("a.pdf", b"first");
    assert_eq!(statuses(&rows(&run(&["--json"]).ok()))["already"], 1);
    world.file("a.pdf", b"other");
    assert!(run(&["--dry-run"]).ok().text().starts_with("Would upload and share"));
    let changed = run(&["--json"]).ok();
    assert!(changed.stderr.contains(&first), "the earlier file is named: {changed:?}");
    let row = &rows(&changed)[0];
    assert_eq!((text(row, "status"), row["new_file"].as_bool()), ("shared".into(), Some(true)));
    assert_eq!(client.json(&["shared"]).json()["files"].as_array().unwrap().len(), 2);

    // What was ended is not begun again behind its owner's back; what was deleted is delivered anew.
    let second = text(row, "file_id");
    world.ops.json(&["unshare", &second, CLIENT]).ok();
    assert_eq!(statuses(&rows(&run(&["--json"]).ok()))["already"], 1);
    world.ops.json(&["rm", &second, "-y"]).ok();
    assert_eq!(statuses(&rows(&run(&["--json"]).ok()))["shared"], 1);
}

#[test]
fn a_list_comes_from_standard_input_too() {
    let world = World::new();
    world.joined("client", CLIENT);
    let path = world.file("a.pdf", b"a");
    let list = format!("path,email\n{path},{CLIENT}\n");
    let done = world.ops.run_with(&["deliver", "-", "--json"], list.as_bytes()).ok();
    assert_eq!(statuses(&rows(&done))["shared"], 1);
}

#[test]
fn without_a_server_the_rest_is_not_tried() {
    let mut world = World::new();
    world.joined("client", CLIENT);
    let big = world.file("big", &vec![7; 30_000_000]);
    let small = world.file("small", b"small");
    let list = world.file("list.csv", format!("path,email\n{big},{CLIENT}\n{small},{CLIENT}\n").as_bytes());
    let mut command = world.ops.command(&["deliver", &list, "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let journal = || {
        let state = fs::read_dir(world.ops.path.join("state")).unwrap().flatten();
        state.into_iter().any(|entry| {
            entry.file_name().to_string_lossy().starts_with("upload-") && entry.path().extension().is_none()
        })
    };
    while !journal() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    world.server.kill();
    let done = Done::from(child.wait_with_output().unwrap());
    assert_eq!(done.code, 6, "{done:?}");
    assert_eq!(statuses(&rows(&done)), BTreeMap::from([("error".into(), 1), ("skipped".into(), 1)]));
    world.server.start_again();
    assert_eq!(statuses(&rows(&deliver(&world, &list).ok()))["shared"], 2);
    assert_eq!(listed(&world.ops).len(), 2);
}
