//! A session bus and a keyring for the tests of signing in on a desktop; each test starts and ends its own.

use std::{env, path::Path};

use anyhow::{Result, ensure};

use crate::postgres::{apt_get, is_root};

/// Programs, and Debian's packages of them.
const PROGRAMS: [&str; 3] = ["dbus-daemon", "dbus-send", "gnome-keyring-daemon"];
const PACKAGES: [&str; 2] = ["dbus", "gnome-keyring"];

/// Makes sure that the programs are there.
pub fn prepare() -> Result<()> {
    if there() {
        return Ok(());
    }
    let by_hand =
        format!("A keyring is needed for the tests: run `apt-get install {}` as root", PACKAGES.join(" "));
    ensure!(is_root()? && Path::new("/usr/bin/apt-get").exists(), by_hand);
    apt_get(&["update", "-qq"])?;
    apt_get(&[&["install", "-y", "-qq", "--no-install-recommends"][..], &PACKAGES].concat())?;
    ensure!(there(), by_hand);
    Ok(())
}

fn there() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    PROGRAMS.iter().all(|program| folders.iter().any(|folder| folder.join(program).exists()))
}
