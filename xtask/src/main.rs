//! Development commands, run as `cargo xtask COMMAND`.
//!
//! `cargo xtask test [-- ARGUMENTS FOR CARGO TEST]` runs every test of the workspace against a throw-away
//! Postgres, which is removed again, and with a Python environment, which stays in the target folder. Examples: `cargo xtask test`, `cargo xtask test -- login`,
//! `cargo xtask test -- -p sealpost-server --lib`. It ends with the attack catalogue's rows and what came of them. Without
//! arguments, that is with every test, it also looks for answers that `docs/openapi.json` lists and no test has seen.
//!
//! `cargo xtask docs` writes `docs/cli.md` and `docs/cli.schema.json` anew from the program, `docs/openapi.json` from the
//! route table, and `docs/attacks.md` from the list of attacks.
//!
//! `cargo xtask bench [MIB]` measures a file of 1,024 MiB, or as many as named, up and down over loopback.

mod attacks;
mod bench;
mod cleanup;
mod keyring;
mod postgres;
mod python;
mod seen;

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus, Stdio},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::{attacks::Results, cleanup::Cleanup, postgres::Postgres};

/// Where tests find their Postgres: a URL of a role that may create databases.
const TEST_POSTGRES: &str = "SEALPOST_TEST_POSTGRES";
/// Where tests find a Python that has the packages of `clients/python`.
const TEST_PYTHON: &str = "SEALPOST_TEST_PYTHON";

const USAGE: &str =
    "usage: cargo xtask test [-- ARGUMENTS FOR CARGO TEST] | cargo xtask docs | cargo xtask bench [MIB]";

fn main() -> Result<ExitCode> {
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        Some("test") => test(arguments.skip_while(|argument| argument == "--").collect()),
        Some("docs") => docs().map(|()| ExitCode::SUCCESS),
        Some("bench") => bench::run(arguments.next().as_deref()).map(|()| ExitCode::SUCCESS),
        _ => bail!(USAGE),
    }
}

fn test(extra: Vec<String>) -> Result<ExitCode> {
    let python = python::prepare()?;
    keyring::prepare()?;
    let folder = tempfile::Builder::new().prefix("sealpost-test-").tempdir_in(postgres::short_temp_dir())?;
    // From here on the cleaner removes the folder, even if this process is killed.
    let mut cleanup = Cleanup::start(folder.keep())?;
    let postgres = Postgres::start(&mut cleanup)?;
    let scratch = cleanup.folder().join("tmp");
    fs::create_dir(&scratch)?;
    let notes = cleanup.folder().join("seen");
    fs::create_dir(&notes)?;

    let mut cargo = cargo();
    cargo.args(["test", "--locked", "--no-fail-fast"]);
    if !extra.iter().any(|argument| matches!(argument.as_str(), "-p" | "--package")) {
        cargo.arg("--workspace");
    }
    let whole = extra.is_empty();
    cargo.args(extra).env(TEST_POSTGRES, postgres.url()).env(TEST_PYTHON, python).env("TMPDIR", &scratch);
    cargo.env(seen::FOLDER, &notes);
    let (status, printed) = run_in_group(&mut cargo, &mut cleanup)?;
    let unseen = if whole { seen::missing(&notes)? } else { Vec::new() };
    cleanup.finish()?;
    let results = printed.join().map_err(|_| anyhow!("what the tests printed could not be read"))??;
    io::stdout().write_all(results.table().as_bytes())?;
    ensure!(!whole || !status.success() || results.all_hold(), "a row of the attack catalogue was not tried");
    let listed = "listed in docs/openapi.json and seen by no test";
    ensure!(!status.success() || unseen.is_empty(), "{listed}:\n{}", unseen.join("\n"));
    Ok(exit_code(status))
}

/// Cargo as a person calls it. Cargo told this process about the package `xtask`; build scripts that look at such variables
/// (ring's) would run again, and everything above them be built again, after each change between the two ways to call it.
fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if told.iter().any(|start| name.to_string_lossy().starts_with(start)) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The program, its interface and its tests describe themselves.
fn docs() -> Result<()> {
    fs::write(docs_folder()?.join("attacks.md"), attacks::page())?;
    write_docs("openapi.json", &["--package", "sealpost-api", "--example", "openapi"])?;
    write_docs("cli.md", &["--package", "sealpost", "--", "reference"])?;
    write_docs("cli.schema.json", &["--package", "sealpost", "--", "reference", "--schema"])
}

/// Writes what a program of the workspace prints.
fn write_docs(name: &str, program: &[&str]) -> Result<()> {
    let mut cargo = cargo();
    cargo.args(["run", "--quiet", "--locked"]).args(program);
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "`cargo run {}` failed", program.join(" "));
    Ok(fs::write(docs_folder()?.join(name), output.stdout)?)
}

fn docs_folder() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    Ok(root.join("docs"))
}

/// What is read while tests run, until everybody who could print has ended.
type Printed = JoinHandle<io::Result<Results>>;

/// Runs `command` in a process group of its own, so that the cleaner can end whatever it has left running. What it prints is
/// passed on, and read for results.
fn run_in_group(command: &mut Command, cleanup: &mut Cleanup) -> Result<(ExitStatus, Printed)> {
    let mut child = command.process_group(0).stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
    cleanup.end_group_too(child.id())?;
    let stdout = child.stdout.take().context("cargo has no standard output")?;
    let printed = thread::spawn(move || pass_on(BufReader::new(stdout)));
    Ok((child.wait()?, printed))
}

fn pass_on(mut printed: impl BufRead) -> io::Result<Results> {
    let (mut results, mut line) = (Results::default(), Vec::new());
    while printed.read_until(b'\n', &mut line)? > 0 {
        io::stdout().write_all(&line)?;
        results.read(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(results)
}

fn exit_code(status: ExitStatus) -> ExitCode {
    match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    }
}
