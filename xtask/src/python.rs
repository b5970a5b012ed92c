//! A Python with the packages of `clients/python` and those that only tests need, in a virtual environment below
//! `target`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::postgres::{apt_get, is_root};

/// What the client needs, and what tests need beside it.
const REQUIREMENTS: [&str; 2] = ["clients/python/requirements.txt", "tests/requirements.txt"];

/// The interpreter of the environment, which is made anew when the pinned packages change.
pub fn prepare() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let requirements = REQUIREMENTS.map(|path| root.join(path));
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let environment = target.join("python");
    let (python, stamp) = (environment.join("bin/python"), environment.join("requirements.txt"));
    let read = |path: &PathBuf| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let wanted = requirements.iter().map(read).collect::<Result<Vec<_>>>()?.concat();
    if fs::read(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(python);
    }
    make(&environment)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet"]);
    requirements.iter().for_each(|path| {
        pip.arg("--requirement").arg(path);
    });
    run(&mut pip)?;
    // Last, so that an environment that was interrupted is made again.
    fs::write(&stamp, wanted)?;
    Ok(python)
}

fn make(environment: &Path) -> Result<()> {
    let venv = || run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment));
    if venv().is_ok() {
        return Ok(());
    }
    const BY_HAND: &str = "Python is needed for the tests: run `apt-get install python3-venv` as root";
    ensure!(is_root()? && Path::new("/usr/bin/apt-get").exists(), BY_HAND);
    apt_get(&["update", "-qq"])?;
    apt_get(&["install", "-y", "-qq", "--no-install-recommends", "python3-venv"])?;
    venv()
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}
