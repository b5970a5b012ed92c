use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::{ROWS, Results, State, page};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every source file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Names of the functions in a text.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<', ' ']).next())
}

/// The rows that a test's name begins with: `a06_a07_…`.
fn named_rows(name: &str) -> Vec<String> {
    let is_row = |part: &&str| part.len() == 3 && part.starts_with('a') && part[1..].parse::<u8>().is_ok();
    name.split('_').take_while(is_row).map(str::to_uppercase).collect()
}

fn played() -> BTreeMap<&'static str, BTreeSet<(&'static str, &'static str)>> {
    let played = ROWS.iter().filter_map(|row| match row.state {
        State::Played(tests) => Some((row.id, tests.iter().map(|test| (test.file, test.name)).collect())),
        State::Waits(_) => None,
    });
    played.collect()
}

#[test]
fn every_row_has_tests_that_exist_or_says_what_it_waits_for() {
    let ids: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "in order, and each once");
    let mut everywhere: BTreeMap<String, usize> = BTreeMap::new();
    for path in sources(&root()) {
        for name in functions(&fs::read_to_string(&path).unwrap()) {
            *everywhere.entry(name.to_owned()).or_default() += 1;
        }
    }
    for row in ROWS {
        let State::Played(tests) = row.state else { continue };
        assert!(!tests.is_empty(), "{} has no test", row.id);
        for test in tests {
            let there = functions(&read(test.file)).any(|name| name == test.name);
            assert!(there, "{}: no test {} in {}", row.id, test.name, test.file);
            assert_eq!(everywhere[test.name], 1, "{}: another function is called {}, too", row.id, test.name);
        }
    }
}

#[test]
fn every_test_that_is_named_by_a_row_stands_in_the_list() {
    let played = played();
    for path in sources(&root()) {
        let file = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        for name in functions(&fs::read_to_string(&path).unwrap()) {
            for row in named_rows(name) {
                let listed = played.get(&*row).is_some_and(|tests| tests.contains(&(&*file, name)));
                assert!(listed, "xtask/src/attacks/rows.rs: {row} does not name {name} in {file}");
            }
        }
    }
}

/// `A01`, `A04, A56`, `A22 to A25`.
fn ids(cell: &str) -> Vec<String> {
    if let Some((first, last)) = cell.split_once(" to ") {
        let number = |id: &str| id.trim()[1..].parse::<u8>().unwrap();
        return (number(first)..=number(last)).map(|number| format!("A{number:02}")).collect();
    }
    cell.split(',').map(|id| id.trim().to_owned()).collect()
}

fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// `a/{b,c/d}.rs` as the files that it stands for.
fn expanded(text: &str) -> Vec<String> {
    let Some((before, rest)) = text.split_once('{') else { return vec![text.to_owned()] };
    let (inside, after) = rest.split_once('}').unwrap();
    inside.split(',').map(|part| format!("{before}{part}{after}")).collect()
}

#[test]
fn the_threat_model_names_the_same_tests() {
    let (text, played) = (read("docs/threat-model.md"), played());
    let mut described = BTreeSet::new();
    let is_row = |line: &&str| line.starts_with("| A") && line.as_bytes()[3].is_ascii_digit();
    for line in text.lines().filter(is_row) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [rows, _, _, tests, defence] = cells[..] else { panic!("five columns: {line}") };
        let mut listed = BTreeSet::new();
        for id in ids(rows) {
            let tests = played.get(&*id).unwrap_or_else(|| panic!("{id} is not in the list"));
            listed.extend(tests.iter().map(|(file, _)| (*file).to_owned()));
            assert!(described.insert(id.clone()), "{id} stands twice");
        }
        let here = |name: &str| match name.contains('/') {
            true => name.to_owned(),
            false => format!("tests/tests/attacks/{name}.rs"),
        };
        let named: BTreeSet<String> = quoted(tests).map(here).collect();
        assert_eq!(named, listed, "{rows}: other tests than in xtask/src/attacks/rows.rs");
        for file in quoted(defence).flat_map(expanded) {
            assert!(root().join(&file).exists(), "{rows}: there is no {file}");
        }
    }
    let all: BTreeSet<String> = played.keys().map(|id| (*id).to_owned()).collect();
    assert_eq!(described, all, "rows in the threat model, and in the list");
    let waiting =
        text.lines().find_map(|line| line.strip_prefix("Not played yet: ")).expect("what is not played");
    let waiting: BTreeSet<&str> = waiting
        .split([' ', ',', '.', '(', ')'])
        .filter(|word| named_rows(&word.to_lowercase()).len() == 1)
        .collect();
    let waits = ROWS.iter().filter(|row| matches!(row.state, State::Waits(_))).map(|row| row.id);
    assert_eq!(waiting, waits.collect(), "what is not played");
}

#[test]
fn the_page_is_up_to_date() {
    assert!(read("docs/attacks.md") == page(), "run `cargo xtask docs`");
}

#[test]
fn results_are_read_from_what_the_tests_print() {
    let mut results = Results::default();
    assert_eq!(results.table(), "");
    results.read("test keys::a10_another_suite_is_not_supported::sqlite ... ok");
    results.read("running 2 tests");
    results.read("test keys::a10_another_suite_is_not_supported::postgres ... ok");
    results.read("test invites::a21_a_shorter_code_is_no_code::sqlite ... FAILED");
    results.read("test a_name_in_another_row ... ok");
    let table = results.table();
    assert!(table.contains("A10  holds     2 runs") && table.contains("A21  FAILED    1 runs"), "{table}");
    assert!(table.ends_with("1 rows hold, 1 failed, 0 wait.\n"), "{table}");
    assert!(!results.all_hold());

    let mut results = Results::default();
    for (_, tests) in played() {
        tests.iter().for_each(|(_, name)| results.read(&format!("test {name} ... ok")));
    }
    assert!(results.all_hold());
    assert_eq!(results.table().lines().filter(|line| line.starts_with("  A")).count(), ROWS.len());
}
