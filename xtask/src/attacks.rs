//! The attack catalogue: which tests play which row ([`ROWS`]), what came of them in a run, and the page that lists them.

mod rows;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt::Write};

pub use rows::ROWS;

/// One row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// `A` and two digits.
    pub id: &'static str,
    /// What the attacker does.
    pub attack: &'static str,
    /// How it is tried.
    pub state: State,
}

/// How a row is tried.
#[derive(Debug, Clone, Copy)]
pub enum State {
    /// By these tests.
    Played(&'static [Test]),
    /// Not at all: what it attacks does not exist yet.
    Waits(&'static str),
}

/// A test by its file, from the root of the repository, and its function. No two tests of the workspace that stand here
/// have one name, so that the name is enough to find its result.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// Where it stands.
    pub file: &'static str,
    /// What it is called.
    pub name: &'static str,
}

const fn played(id: &'static str, attack: &'static str, tests: &'static [Test]) -> Row {
    Row { id, attack, state: State::Played(tests) }
}

const fn waits(id: &'static str, attack: &'static str, what_for: &'static str) -> Row {
    Row { id, attack, state: State::Waits(what_for) }
}

const fn test(file: &'static str, name: &'static str) -> Test {
    Test { file, name }
}

/// What came of the tests of a run, read from the lines that they print. A test that runs on several backends has a result
/// for each.
#[derive(Debug, Default)]
pub struct Results(HashMap<String, Counts>);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
}

/// What came of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Holds(usize),
    Failed(usize),
    /// Some test of it did not run.
    NotRun,
    Waits,
}

impl Results {
    /// Takes note of a line of the test runner's: `test module::name::backend ... ok`.
    pub fn read(&mut self, line: &str) {
        let Some((path, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
        else {
            return;
        };
        for segment in path.split("::") {
            let counts = self.0.entry(segment.trim().to_owned()).or_default();
            match outcome.trim_end() {
                "ok" => counts.passed += 1,
                _ => counts.failed += 1,
            }
        }
    }

    fn of(&self, row: &Row) -> Verdict {
        let State::Played(tests) = row.state else { return Verdict::Waits };
        let counts: Vec<Counts> =
            tests.iter().map(|test| self.0.get(test.name).copied().unwrap_or_default()).collect();
        let failed = counts.iter().map(|counts| counts.failed).sum();
        if failed > 0 {
            Verdict::Failed(failed)
        } else if counts.iter().all(|counts| counts.passed > 0) {
            Verdict::Holds(counts.iter().map(|counts| counts.passed).sum())
        } else {
            Verdict::NotRun
        }
    }

    /// Whether every row that is played holds.
    pub fn all_hold(&self) -> bool {
        ROWS.iter().all(|row| matches!(self.of(row), Verdict::Holds(_) | Verdict::Waits))
    }

    /// The table of a run: all rows if all were tried, else those of which every test ran, or one failed. Empty if there
    /// are none.
    pub fn table(&self) -> String {
        let tried = |verdict| matches!(verdict, Verdict::Holds(_) | Verdict::Failed(_));
        let whole = ROWS.iter().all(|row| self.of(row) != Verdict::NotRun);
        let shown: Vec<(&Row, Verdict)> = ROWS
            .iter()
            .map(|row| (row, self.of(row)))
            .filter(|(_, verdict)| whole || tried(*verdict))
            .collect();
        if shown.is_empty() {
            return String::new();
        }
        let mut table = String::from("\nThe attack catalogue (docs/attacks.md):\n");
        for (row, verdict) in &shown {
            let (word, count) = match verdict {
                Verdict::Holds(runs) => ("holds", format!("{runs} runs")),
                Verdict::Failed(runs) => ("FAILED", format!("{runs} runs")),
                Verdict::NotRun => ("not run", String::new()),
                Verdict::Waits => ("waits", String::new()),
            };
            // Writing to a string can't fail.
            let _ = writeln!(table, "  {}  {word:<7} {count:>8}  {}", row.id, row.attack);
        }
        let count = |is: fn(&Verdict) -> bool| shown.iter().filter(|(_, verdict)| is(verdict)).count();
        let holds = count(|verdict| matches!(verdict, Verdict::Holds(_)));
        let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
        let waits = count(|verdict| *verdict == Verdict::Waits);
        let _ = writeln!(table, "{holds} rows hold, {failed} failed, {waits} wait.");
        table
    }
}

/// `docs/attacks.md`.
pub fn page() -> String {
    let mut page = String::from(
        "# The attack catalogue and its tests\n\n\
         Generated by `cargo xtask docs` from `xtask/src/attacks/rows.rs`; what each defence is and where it stands says\n\
         [threat-model.md](threat-model.md). Tests in `tests/tests` and `cli/tests` that are named by a row run on both databases and end\n\
         with the same story without the attack. `cargo xtask test` plays all and ends with this table and the results;\n\
         `cargo xtask test -- a63` plays one row.\n\n| row | attack | tests |\n|---|---|---|\n",
    );
    for row in ROWS {
        let tests = match row.state {
            State::Waits(what_for) => format!("none: waits for {what_for}"),
            State::Played(tests) => {
                let named = |test: &Test| format!("`{}` in [{}](../{})", test.name, test.file, test.file);
                tests.iter().map(named).collect::<Vec<_>>().join("<br>")
            }
        };
        let _ = writeln!(page, "| {} | {} | {tests} |", row.id, row.attack);
    }
    page
}
