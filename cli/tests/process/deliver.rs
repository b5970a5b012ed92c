//! A list of files and people: checked before anything is sent, delivered once, safe to run again.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::world::{CLIENT, Done, Home, OPS, World, on_both, text};

const FILES: usize = 40;
const CLIENTS: usize = 25;
const ROWS: usize = FILES * CLIENTS;

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

/// The month's files, each for everybody: statements of some KiB, one file that goes by parts, and one that is empty.
fn monthly(world: &World) -> String {
    let mut list = "path,email,note,expires,downloads\n".to_owned();
    for file in 0..FILES {
        let (name, content) = match file {
            0 => ("terms.pdf".to_owned(), vec![7; 20_000_000]),
            1 => ("empty.txt".to_owned(), Vec::new()),
            _ => (format!("statement-{file}.pdf"), format!("statement {file}").repeat(5_000).into_bytes()),
        };
        world.file(&name, &content);
        let terms = if file == 0 { ",," } else { "November,30d,3" };
        (0..CLIENTS).for_each(|client| list += &format!("{name},{},{terms}\n", member(client)));
    }
    list
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

/// The main job: forty files for twenty-five people, on both databases.
#[tokio::test(flavor = "multi_thread")]
async fn a_months_delivery_survives_being_killed_and_is_not_sent_twice() {
    on_both(month).await;
}

fn month(world: World) {
    let clients: Vec<Home> =
        (0..CLIENTS).map(|number| world.joined(&format!("c{number}"), &member(number))).collect();
    let list = world.file("november.csv", monthly(&world).as_bytes());

    killed_in_a_batch(&world, &list);
    assert_eq!(killed_after(&world, &list, CLIENTS + 7).len(), CLIENTS + 7);
    let second = deliver(&world, &list).ok();
    let done = rows(&second);
    // One line for each row of the list, in its order.
    let numbers: Vec<_> = done.iter().map(|row| row["row"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=ROWS as u64).collect::<Vec<_>>());
    let counts = statuses(&done);
    let of = |status: &str| counts.get(status).copied().unwrap_or_default();
    assert!(of("already") >= CLIENTS && of("already") + of("shared") == ROWS, "{counts:?}");

    let third = deliver(&world, &list).ok();
    assert_eq!(statuses(&rows(&third)), BTreeMap::from([("already".into(), ROWS)]));
    assert!(third.stderr.contains("0 shared") && third.stderr.contains("0 new files"), "{third:?}");

    let files = listed(&world.ops);
    assert_eq!(files.len(), FILES, "each path was sealed once");
    let shares: usize = files.iter().map(|file| file["shares"].as_array().unwrap().len()).sum();
    assert_eq!(shares, ROWS, "each person got each file once");
    let of_one = clients[1].json(&["shared"]).json();
    let of_one = of_one["files"].as_array().unwrap();
    assert_eq!(of_one.len(), FILES);
    let statement = of_one.iter().find(|file| text(file, "name") == "statement-2.pdf").unwrap();
    assert_eq!((text(statement, "note"), statement["downloads_left"].as_u64()), ("November".into(), Some(3)));
    assert!(statement["expires_at"].is_string());
    let (id, out) = (text(statement, "file_id"), world.path("out"));
    clients[1].run(&["download", &id, "-o", &out]).ok();
    assert_eq!(fs::read(&out).unwrap(), fs::read(world.path("statement-2.pdf")).unwrap());
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
fn what_a_plain_upload_has_sealed_is_not_sealed_again() {
    let world = World::new();
    let client = world.joined("client", CLIENT);
    // One goes up whole, the other by parts; of a third one the content changed, of a fourth one the note differs.
    let contents = [("small", vec![1; 5_000]), ("large", vec![2; 3_000_000]), ("changed", vec![3; 100])];
    let contents = contents.into_iter().chain([("noted", vec![4; 100])]);
    let mut ids = Vec::new();
    for (name, content) in contents {
        let path = world.file(name, &content);
        ids.push(text(
            &world.ops.json(&["upload", &path, "--note", "November"]).json()["files"][0],
            "file_id",
        ));
    }
    world.file("changed", &[5; 101]);
    let list = format!(
        "path,email,note\nsmall,{CLIENT},November\nlarge,{CLIENT},November\n\
         changed,{CLIENT},November\nnoted,{CLIENT},December\n"
    );
    let list = world.file("list.csv", list.as_bytes());
    let told = |done: &Done| {
        let one =
            |row: &Value| (row["new_file"].as_bool().unwrap(), row["file_id"].as_str().map(str::to_owned));
        rows(done).iter().map(one).collect::<Vec<_>>()
    };
    let mut dry = world.ops.command(&["deliver", &list, "--dry-run", "--json"]);
    let foreseen = told(&Done::from(dry.current_dir(world.folder.path()).output().unwrap()).ok());
    let known = |at: usize| (false, Some(ids[at].clone()));
    assert_eq!(foreseen, [known(0), known(1), (true, None), (true, None)]);
    for _ in 0..2 {
        let done = told(&deliver(&world, &list).ok());
        assert_eq!(done[..2], [known(0), known(1)]);
        assert!(done[2..].iter().all(|(_, id)| id.as_ref().is_some_and(|id| !ids.contains(id))), "{done:?}");
    }
    assert_eq!(listed(&world.ops).len(), 6);
    let out = world.path("out");
    client.run(&["download", &ids[1], "-o", &out]).ok();
    assert_eq!(fs::read(out).unwrap(), vec![2; 3_000_000]);
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
