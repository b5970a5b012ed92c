//! `cargo xtask bench [MIB]`: a file up and down over loopback, with the time and the peak memory of both processes,
//! and how long the server takes to be ready. A benchmark, not a test: it asserts nothing but that the file comes
//! back byte for byte.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

const DEFAULT_MIB: u64 = 1024;
const PASSWORD: &str = "correct horse battery staple\n";

/// One run of the command line: how long, and the most memory it had.
struct Run {
    time: Duration,
    peak_kib: u64,
    output: String,
}

/// What one benchmark works with.
struct Bench {
    binary: PathBuf,
    folder: tempfile::TempDir,
    url: String,
}

/// Builds the release binary and measures a transfer of `mib` MiB (1,024 if absent).
pub fn run(mib: Option<&str>) -> Result<()> {
    let mib: u64 = mib.map_or(Ok(DEFAULT_MIB), str::parse).context("the size is a number of MiB")?;
    let binary = build()?;
    let folder = tempfile::Builder::new().prefix("sealpost-bench-").tempdir()?;
    let started = Instant::now();
    let (mut server, url) = serve(&binary, folder.path())?;
    let ready = started.elapsed();
    let bench = Bench { binary, folder, url };
    let outcome = bench.measure(mib, server.id(), ready);
    server.kill()?;
    server.wait()?;
    outcome
}

fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--locked",
            "-p",
            "sealpost",
            "--message-format=json-render-diagnostics",
        ])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the build failed");
    let messages = String::from_utf8(output.stdout)?;
    let executable = messages.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        rest.split_once('"').map(|(path, _)| PathBuf::from(path))
    });
    executable.context("cargo did not say where the binary is")
}

/// Starts a server and waits until it says where it listens.
fn serve(binary: &Path, folder: &Path) -> Result<(Child, String)> {
    let mut server = Command::new(binary)
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("data"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    let stdout = server.stdout.take().context("the server has no output")?;
    BufReader::new(stdout).read_line(&mut line)?;
    let (_, rest) = line.split_once("\"url\":\"").context("the server did not say where it listens")?;
    let url = rest.split('"').next().unwrap_or_default().to_owned();
    Ok((server, url))
}

impl Bench {
    fn measure(&self, mib: u64, server: u32, ready: Duration) -> Result<()> {
        let source = self.path("source");
        fill(&source, mib)?;
        fs::write(self.path("password"), PASSWORD)?;
        let token = fs::read_to_string(self.path("data/setup-token"))?;
        self.sealpost(
            "ops",
            &["init", "--email", "ops@bench.example", "--org", "Bench", "--setup-token", token.trim()],
        )?;
        let uploaded = self.sealpost("ops", &["-q", "upload", &source.to_string_lossy()])?;
        let server_up = peak_kib(server)?;
        let destination = self.path("destination");
        let id = uploaded.output.trim();
        let downloaded = self.sealpost("ops", &["download", id, "-o", &destination.to_string_lossy()])?;
        ensure!(same(&source, &destination)?, "the file that came back is another one");
        let line = |what: &str, run: &Run, server_kib: u64| {
            let rate = mib as f64 / run.time.as_secs_f64();
            say(&format!(
                "{what:9} {mib} MiB  {:6.2} s  {rate:5.0} MiB/s  client {:4} MiB  server {:4} MiB",
                run.time.as_secs_f64(),
                run.peak_kib / 1024,
                server_kib / 1024
            ))
        };
        say(&format!("ready     {} ms after its start", ready.as_millis()))?;
        line("upload", &uploaded, server_up)?;
        line("download", &downloaded, peak_kib(server)?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs one command to its end, looking at its memory meanwhile.
    fn sealpost(&self, home: &str, arguments: &[&str]) -> Result<Run> {
        let started = Instant::now();
        let mut child = Command::new(&self.binary)
            .arg("--home")
            .arg(self.path(home))
            .arg("--password-file")
            .arg(self.path("password"))
            .args(["--server", &self.url])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut peak = 0;
        let status = loop {
            // The high-water mark only grows, so looking now and then misses the very last moment at most.
            peak = peak.max(peak_kib(child.id()).unwrap_or(0));
            match child.try_wait()? {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let time = started.elapsed();
        ensure!(status.success(), "sealpost {} failed: {status}", arguments.first().unwrap_or(&""));
        let mut output = String::new();
        child.stdout.take().context("no output")?.read_to_string(&mut output)?;
        Ok(Run { time, peak_kib: peak, output })
    }
}

/// Peak resident memory of a running process (Linux: `VmHWM`).
fn peak_kib(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { bail!("no VmHWM") };
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

/// Bytes that do not repeat within a part.
fn fill(path: &Path, mib: u64) -> Result<()> {
    let mut file = io::BufWriter::new(File::create(path)?);
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..mib * 1024 * 1024 / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    Ok(file.flush()?)
}

fn same(one: &Path, other: &Path) -> Result<bool> {
    let status = Command::new("cmp").arg("--silent").arg(one).arg(other).status()?;
    Ok(status.success())
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}
