//! Arguments of watch.

use clap::Args;

use crate::time::Lifetime;

/// The shortest pause between two looks, seconds.
const SHORTEST: u64 = 5;
/// The longest, seconds.
const LONGEST: u64 = 86_400;

const WATCH_EXAMPLE: &str = "\
Examples:
  sealpost watch                                 until Ctrl-C
  sealpost watch --json >> watch.jsonl           one JSON line for each thing that happens
  sealpost watch --once                          one look, for cron

Every command of yours admits people and completes queued shares in passing; watch is for machines that wait for
them. It needs no person: a session that has ended is renewed by the account's key (`sealpost login --key-file`).
It waits while the network or the server is away, longer each time, and goes on. Who must compare twelve words
(--confirm, --role ops, --replace) is named and never admitted here.

An answer to an invite that does not verify is named once and admits nobody; watching goes on. Ends with 0 on SIGTERM,
with 130 on Ctrl-C, with 7 when anything else does not verify, otherwise as other commands do.";

/// `sealpost watch`
#[derive(Debug, Args)]
#[command(after_help = WATCH_EXAMPLE)]
pub struct WatchArgs {
    /// Look once, then end
    #[arg(long, conflicts_with = "interval")]
    pub once: bool,
    /// The longest pause between two looks: 5s to 1d
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = interval)]
    pub interval: Lifetime,
}

fn interval(text: &str) -> Result<Lifetime, String> {
    let interval: Lifetime = text.parse().map_err(|_| bounds())?;
    if (SHORTEST..=LONGEST).contains(&interval.duration().as_secs()) { Ok(interval) } else { Err(bounds()) }
}

fn bounds() -> String {
    "write 5s to 1d".to_owned()
}
