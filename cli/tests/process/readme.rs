//! The README's commands are run as they stand there.

use std::{fs, net::TcpListener, path::Path, process::Command};

use crate::world::SEALPOST;

/// The port that the README uses.
const PORT: &str = "8787";

#[test]
fn the_tour_of_the_readme_works() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let blocks = run_blocks(&readme);
    assert!(blocks.len() >= 4, "the README has no tour: {blocks:?}");
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut script = String::from("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
    for block in blocks {
        script += &block.replace(PORT, &port);
        if block.contains("sealpost serve") {
            // Whoever types has read the token before.
            script += "until [ -s server-data/setup-token ]; do sleep 0.1; done\n";
            script += &format!("until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.1; done\n");
        }
    }
    let programs = Path::new(SEALPOST).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(&script).current_dir(folder.path());
    bash.env("PATH", path).env("HOME", folder.path()).stdin(std::process::Stdio::null());
    bash.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    for (name, _) in std::env::vars() {
        if name.starts_with("SEALPOST_") || name.starts_with("XDG_") || name == "DATABASE_URL" {
            bash.env_remove(name);
        }
    }
    let output = bash.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}\n{script}", said(&output.stdout), said(&output.stderr));
}

/// The fenced blocks marked ```` ```sh run ````, in order.
fn run_blocks(readme: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "```sh run" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            blocks.push(block.join("\n") + "\n");
        }
    }
    blocks
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}
