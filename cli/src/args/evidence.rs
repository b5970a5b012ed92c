//! Arguments of the commands about evidence: evidence, verify-evidence.

use std::path::PathBuf;

use clap::Args;
use sealpost_client::{EmailAddress, FileId, OrgId};

const EVIDENCE_NOTE: &str = "\
Examples:
  sealpost evidence FILE_ID --recipient client@example.com -o evidence.json
  sealpost evidence FILE_ID --disclose           name, size and content can be compared too

Of a file of yours: to whom you delivered it, with their receipts. Of one that you received: the same for you. The file
is confidential: it holds addresses, the whole log with everybody's public keys, and with --disclose the file's key.
Make it before the file is deleted or its share ends.";

/// `sealpost evidence`
#[derive(Debug, Args)]
#[command(after_help = EVIDENCE_NOTE)]
pub struct EvidenceArgs {
    /// The file: 32 hex digits, from `sealpost ls` or `sealpost shared`
    #[arg(value_name = "FILE_ID")]
    pub file: FileId,
    /// Only of the delivery to this person; else to everybody, each named in the file
    #[arg(long, value_name = "EMAIL")]
    pub recipient: Option<EmailAddress>,
    /// Where to; - is standard output [default: evidence-FILE_ID.json]
    #[arg(short, long, value_name = "PATH|-")]
    pub output: Option<PathBuf>,
    /// Put the file's key in: readers see name and size, and can compare a file with what was delivered
    #[arg(long)]
    pub disclose: bool,
    /// Overwrite what is there
    #[arg(short, long)]
    pub force: bool,
}

const VERIFY_NOTE: &str = "\
Examples:
  sealpost verify-evidence evidence.json --org ORG_ID
  sealpost verify-evidence evidence.json --org ORG_ID --file contract.pdf --json
  sealpost verify-evidence fork-7.json --org ORG_ID      did the server sign two different histories?

Needs no server, no account and no home folder, and writes nothing. ORG_ID stands in `sealpost whoami`: take it from
somebody of the organisation whom you trust, or from what it publishes, never from whoever gave you the evidence alone.
Anything wrong ends with exit code 7.";

/// `sealpost verify-evidence`
#[derive(Debug, Args)]
#[command(after_help = VERIFY_NOTE)]
pub struct VerifyEvidenceArgs {
    /// What `sealpost evidence` wrote, or a fork-….json; - is standard input
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,
    /// The organisation that you trust: 64 hex digits
    #[arg(long, value_name = "ORG_ID")]
    pub org: OrgId,
    /// Compare this file with what was delivered (needs evidence made with --disclose); - is standard input
    #[arg(long, value_name = "PLAINTEXT")]
    pub file: Option<PathBuf>,
}
