//! Arguments of the commands about files: upload, share, unshare, ls, shared, download, receipts, demo.

use std::path::PathBuf;

use clap::Args;
use sealpost_client::{EmailAddress, FileId};

use crate::time::Lifetime;

const UPLOAD_EXAMPLE: &str = "\
Examples:
  sealpost upload contract.pdf --to client@example.com --expires 30d --downloads 3
  sealpost upload reports/                       every file in the folder, each on its own
  pg_dump app | sealpost upload - --name app.sql

Standard input is kept in an unnamed temporary file in --home until it is sealed: its size must be known.";

/// `sealpost upload`
#[derive(Debug, Args)]
#[command(after_help = UPLOAD_EXAMPLE)]
pub struct UploadArgs {
    /// Files or folders; - is standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Share with these people at once
    #[arg(long, value_name = "EMAIL", num_args = 1.., value_delimiter = ',')]
    pub to: Vec<EmailAddress>,
    /// A note that recipients see beside the name
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub note: String,
    /// The name of what comes from standard input
    #[arg(long, default_value = "stdin")]
    pub name: String,
    /// How the shares end.
    #[command(flatten)]
    pub terms: TermsArgs,
}

/// How shares end.
#[derive(Debug, Clone, Copy, Args)]
pub struct TermsArgs {
    /// Shares end after this time: 12h, 7d, 2w
    #[arg(long, value_name = "DURATION")]
    pub expires: Option<Lifetime>,
    /// Shares end after so many downloads by each person
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub downloads: Option<u64>,
}

/// `sealpost share`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealpost share FILE_ID client@example.com --expires 7d --downloads 3")]
pub struct ShareArgs {
    /// The file: 32 hex digits, from `sealpost ls`
    #[arg(value_name = "FILE_ID")]
    pub file: FileId,
    /// With whom
    #[arg(required = true, value_name = "EMAIL")]
    pub emails: Vec<EmailAddress>,
    /// How the shares end.
    #[command(flatten)]
    pub terms: TermsArgs,
}

const UNSHARE_NOTE: &str = "\
Examples:
  sealpost unshare FILE_ID client@example.com
  sealpost unshare FILE_ID client@example.com --rekey

The server refuses the file to them from now on. Whoever downloaded it before may have kept a copy.

With --rekey the file is downloaded, verified and sealed anew under another key, as its next version. That version
and everybody else's shares go live at once, on the terms that they have; then the server deletes the old ciphertext,
so that the key they have opens nothing that is kept there. After an interruption the same command goes on. Evidence of
what was delivered is made of the newest version only: make it before (`sealpost evidence`) if you need it.";

/// `sealpost unshare`
#[derive(Debug, Args)]
#[command(after_help = UNSHARE_NOTE)]
pub struct UnshareArgs {
    /// The file: 32 hex digits, from `sealpost ls`
    #[arg(value_name = "FILE_ID")]
    pub file: FileId,
    /// Whose share ends
    #[arg(required = true, value_name = "EMAIL")]
    pub emails: Vec<EmailAddress>,
    /// Seal the file anew under another key for those who keep it
    #[arg(long)]
    pub rekey: bool,
}

const INFO_EXAMPLE: &str = "\
Example:
  sealpost info FILE_ID --json

Of a file of yours: every share with its terms, downloads and receipt. Of one shared with you: who sealed it.";

/// `sealpost info`
#[derive(Debug, Args)]
#[command(after_help = INFO_EXAMPLE)]
pub struct InfoArgs {
    /// The file: 32 hex digits, from `sealpost ls` or `sealpost shared`
    #[arg(value_name = "FILE_ID")]
    pub file: FileId,
}

const RM_NOTE: &str = "\
Example:
  sealpost rm FILE_ID -y

The server deletes what it keeps of the content and refuses the file to everybody from now on. Whoever
downloaded it before may have kept a copy. What was signed (shares, receipts) stays as evidence.";

/// `sealpost rm`
#[derive(Debug, Args)]
#[command(after_help = RM_NOTE)]
pub struct RmArgs {
    /// The file: 32 hex digits, from `sealpost ls`
    #[arg(value_name = "FILE_ID")]
    pub file: FileId,
}

/// `sealpost ls`, `sealpost shared`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Stop after so many files
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

const DOWNLOAD_EXAMPLE: &str = "\
Examples:
  sealpost download FILE_ID                      into this folder, under the sender's name for it
  sealpost download FILE_ID -o contract.pdf
  sealpost download FILE_ID OTHER_ID -o inbox/   an existing folder, or one to be made
  sealpost download FILE_ID -o - | tar x

A file appears only when every byte of it was verified. -o - writes each piece once it is verified.";

/// `sealpost download`
#[derive(Debug, Args)]
#[command(after_help = DOWNLOAD_EXAMPLE)]
pub struct DownloadArgs {
    /// The files: 32 hex digits each, from `sealpost shared`
    #[arg(required = true, value_name = "FILE_ID")]
    pub files: Vec<FileId>,
    /// Where to: a path, a folder (ending in /), or - for standard output
    #[arg(short, long, value_name = "PATH|DIR|-")]
    pub output: Option<PathBuf>,
    /// Overwrite what is there
    #[arg(short, long)]
    pub force: bool,
}

/// `sealpost receipts`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sealpost receipts FILE_ID\n  sealpost receipts --json > receipts.json")]
pub struct ReceiptsArgs {
    /// Only of this file
    #[arg(value_name = "FILE_ID")]
    pub file: Option<FileId>,
    /// Stop after so many receipts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

/// `sealpost demo`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sealpost demo\n  sealpost demo report.pdf")]
pub struct DemoArgs {
    /// Files to deliver; without any the demo makes some
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}
