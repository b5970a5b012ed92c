//! Arguments of deliver.

use std::path::PathBuf;

use clap::Args;

const DELIVER_EXAMPLE: &str = "\
The list is CSV with a header line. Columns, in any order: path and email; note, expires, downloads if wanted.

  path,email,note,expires,downloads
  november/4711.pdf,client@example.com,Statement for November,30d,3
  november/4712.pdf,other@example.com,Statement for November,2026-12-31,
  terms.pdf,client@example.com,,,
  terms.pdf,other@example.com,,,

Paths are relative to the current folder. expires is a duration (12h, 30d, 2w) or the last day (2026-12-31, UTC).
A path that stands on several lines is sealed once; its note must be the same on each, because a file has one
note for all its recipients. White space around fields and empty lines mean nothing; fields may also be
separated by semicolons.

Everything that is wrong with the list is told before anything is sent. Running it again does what is missing
and nothing twice: a file is known again by its path, its content and its note, also if `sealpost upload` has
sealed it. A path whose content or note has changed is told, and delivered as a new file.

Examples:
  sealpost deliver november.csv --dry-run
  sealpost deliver november.csv
  make-list | sealpost deliver - --json          one JSON line per row";

/// `sealpost deliver`
#[derive(Debug, Args)]
#[command(after_help = DELIVER_EXAMPLE)]
pub struct DeliverArgs {
    /// The list; - is standard input
    #[arg(value_name = "LIST.csv")]
    pub list: PathBuf,
    /// Check the list and say what would be done; send nothing
    #[arg(long)]
    pub dry_run: bool,
}
