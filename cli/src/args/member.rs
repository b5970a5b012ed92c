//! Arguments of the commands about members and the server: revoke, left, withdraw, service, contacts.

use clap::{Args, ValueEnum};
use sealpost_client::{EmailAddress, FileId, RevokeReason};

const REVOKE_EXAMPLE: &str = "\
Examples:
  sealpost revoke client@example.com
  sealpost revoke olga@example.com --reason compromised -y

`left`: what they have sent stays readable, marked, because they could backdate it from now on. `compromised`: their keys
may be in other hands, so nothing that they ever signed counts any more; somebody else must deliver it again. Who left may
be called compromised later, never the reverse. Whoever downloaded a file may have kept a copy.";

/// `sealpost revoke`
#[derive(Debug, Args)]
#[command(after_help = REVOKE_EXAMPLE)]
pub struct RevokeArgs {
    /// Whose membership ends
    pub email: EmailAddress,
    /// Why
    #[arg(long, value_enum, default_value_t = ReasonArg::Left)]
    pub reason: ReasonArg,
}

/// Why a membership ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReasonArg {
    /// They are not a member any more
    Left,
    /// Their keys may be in other hands
    Compromised,
}

impl From<ReasonArg> for RevokeReason {
    fn from(reason: ReasonArg) -> Self {
        match reason {
            ReasonArg::Left => Self::Left,
            ReasonArg::Compromised => Self::Compromised,
        }
    }
}

const LEFT_EXAMPLE: &str = "\
Examples:
  sealpost left olga@example.com
  sealpost left olga@example.com --json --limit 100

Ids, sizes, dates and recipients. The names and contents were never for you, and are not shown.";

/// `sealpost left`
#[derive(Debug, Args)]
#[command(after_help = LEFT_EXAMPLE)]
pub struct LeftArgs {
    /// Who has left
    pub email: EmailAddress,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

const WITHDRAW_EXAMPLE: &str = "\
Examples:
  sealpost withdraw 00112233445566778899aabbccddeeff
  sealpost withdraw --all-of olga@example.com

Recipients are not offered it any more, and can't download it. The server keeps it as evidence. While its owner is a
member, only they end its shares.";

/// `sealpost withdraw`
#[derive(Debug, Args)]
#[command(after_help = WITHDRAW_EXAMPLE)]
pub struct WithdrawArgs {
    /// Ids, as `sealpost left` lists them
    #[arg(value_name = "FILE_ID", required_unless_present = "all_of", conflicts_with = "all_of")]
    pub files: Vec<FileId>,
    /// Everything that this former member left behind
    #[arg(long, value_name = "EMAIL")]
    pub all_of: Option<EmailAddress>,
}

const SERVICE_EXAMPLE: &str = "\
Examples:
  sealpost service
  sealpost service --words \"abandon ability …\"      twelve, as the server's console shows them

The operator starts the server once with --new-checkpoint-key and reads the words to you, by phone or face to face. The
same words: sign. Other words: somebody else offers you a key; sign nothing. -y does not answer for you.";

/// `sealpost service`
#[derive(Debug, Args)]
#[command(after_help = SERVICE_EXAMPLE)]
pub struct ServiceArgs {
    /// The twelve words that the server's console shows; asks nothing then
    #[arg(long, value_name = "WORDS")]
    pub words: Option<String>,
}

/// `sealpost contacts`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sealpost contacts --json\n  sealpost contacts --all")]
pub struct ContactsArgs {
    /// Also former members, and accounts that others have replaced
    #[arg(long)]
    pub all: bool,
}
