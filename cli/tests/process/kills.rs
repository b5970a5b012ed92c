//! Ten times SIGKILL at random moments of a transfer, each time resumed: what arrives is byte for byte what was sent,
//! and the network has carried at most one part per kill more than the file has. A proxy outside of the client counts.

use std::{
    fs::{self, File},
    io::{BufWriter, Read, Write},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use sealpost_crypto::size::{Layout, PART_CIPHERTEXT};
use sealpost_tests::{postgres::TestDatabase, proxy::LossyProxy};

use crate::world::World;

/// Environment variable: the file's size in MiB, a power of two, where another than [`DEFAULT_MIB`] is wanted.
const SIZE_MIB: &str = "SEALPOST_TEST_KILLS_MIB";
/// 16 parts: the ordinary run stays short.
const DEFAULT_MIB: u64 = 128;
/// Kills in each direction.
const KILLS: u64 = 10;
/// Allowed for what is no content, bytes: each run's lists, records and log; each part's head.
const RUN_OVERHEAD: u64 = 64 * 1024;
const PART_OVERHEAD: u64 = 1024;
/// Longest time between two looks at the counter.
const LOOK: Duration = Duration::from_millis(1);
/// Kills come up to so much later than their point, to meet also what happens between two parts.
const JITTER_MILLIS: u64 = 25;
/// A run that has not come to its point by then never will.
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_each_way_cost_a_part_each_at_most() {
    let database = TestDatabase::create().await;
    let url = database.url().to_owned();
    tokio::task::spawn_blocking(move || {
        story(&[]);
        story(&["--database", &url]);
    })
    .await
    .unwrap();
}

fn story(database: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let mut proxy = None;
    let world = World::reached_by(folder, &[&["--data", &data], database].concat(), |server| {
        let address = server.url.trim_start_matches("http://").parse().unwrap();
        proxy.insert(tokio::runtime::Handle::current().block_on(LossyProxy::start(address))).url()
    });
    let proxy = proxy.unwrap();
    let mib = std::env::var(SIZE_MIB).map_or(DEFAULT_MIB, |mib| mib.parse().unwrap());
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);

    let (source, arrived) = (world.path("source"), world.path("arrived"));
    fill(&source, mib, &mut random);
    let layout = Layout::for_size(mib << 20).unwrap();
    let mut transfer = |arguments: &[&str], counter: &dyn Fn() -> u64| {
        let (before, random) = (counter(), &mut random);
        for left in (1..=KILLS).rev() {
            let missing = layout.ciphertext_length().saturating_sub(counter() - before);
            let point = counter() + random.random_range(0..=missing / (left + 2));
            let later = Duration::from_millis(random.random_range(0..=JITTER_MILLIS));
            kill_at(world.ops.command(arguments), counter, point, later);
        }
        let done = world.ops.run(arguments).ok();
        let carried = counter() - before;
        let parts = u64::from(layout.parts()) + KILLS;
        let overhead = (KILLS + 1) * RUN_OVERHEAD + parts * PART_OVERHEAD;
        let allowed = layout.ciphertext_length() + KILLS * PART_CIPHERTEXT + overhead;
        let report = format!(
            "{}: {carried} bytes for a file of {}, {:.1} of {KILLS} parts again; seed {seed}",
            arguments[1],
            layout.ciphertext_length(),
            carried.saturating_sub(layout.ciphertext_length()) as f64 / PART_CIPHERTEXT as f64
        );
        assert!(carried <= allowed, "{report}");
        say(&report);
        done.text()
    };

    let id = transfer(&["-q", "upload", &source], &|| proxy.bytes_up());
    transfer(&["-q", "download", id.trim(), "-o", &arrived], &|| proxy.bytes_down());
    assert!(same(&source, &arrived), "what arrived is not what was sent (seed {seed})");
}

/// Shown with `--nocapture`.
#[expect(clippy::print_stdout, reason = "the figures are what a large run is made for")]
fn say(report: &str) {
    println!("{report}");
}

/// Starts `command` and kills it (SIGKILL) some time after `counter` has come to `point`.
fn kill_at(mut command: Command, counter: &dyn Fn() -> u64, point: u64, later: Duration) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while counter() < point && started.elapsed() < PATIENCE {
        thread::sleep(LOOK);
    }
    thread::sleep(later);
    assert!(child.try_wait().unwrap().is_none(), "the command ended before it could be killed");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A file of random bytes.
fn fill(path: &str, mib: u64, random: &mut StdRng) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut piece = vec![0; 1 << 20];
    for _ in 0..mib {
        random.fill(&mut piece[..]);
        file.write_all(&piece).unwrap();
    }
    file.flush().unwrap();
}

/// Whether two files hold the same bytes; a piece of each in memory.
fn same(one: &str, other: &str) -> bool {
    let length = |path: &str| fs::metadata(path).unwrap().len();
    let (mut left, mut right) = (open(one), open(other));
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    length(one) == length(other)
        && (0..length(one) >> 20).all(|_| {
            left.read_exact(&mut a).unwrap();
            right.read_exact(&mut b).unwrap();
            a == b
        })
}

fn open(path: &str) -> File {
    File::open(path).unwrap()
}
