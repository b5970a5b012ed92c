//! Arguments of completions, man and reference: what this program says about itself.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

const COMPLETIONS_EXAMPLE: &str = "\
Examples:
  sealpost completions bash > /etc/bash_completion.d/sealpost
  sealpost completions zsh > ~/.zfunc/_sealpost
  sealpost completions fish > ~/.config/fish/completions/sealpost.fish";

/// `sealpost completions`
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLE)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

const MAN_EXAMPLE: &str = "\
Examples:
  sealpost man | man -l -
  sealpost man /usr/local/share/man/man1         one page for each command

Pages that are there already are replaced.";

/// `sealpost man`
#[derive(Debug, Args)]
#[command(after_help = MAN_EXAMPLE)]
pub struct ManArgs {
    /// Folder for a page of each command, made if need be; without it the main page goes to standard output
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `sealpost reference`
#[derive(Debug, Args)]
pub struct ReferenceArgs {
    /// The JSON Schema of all that `--json` prints
    #[arg(long)]
    pub schema: bool,
}
