//! Arguments of the commands about other people: verify, confirm, reshare.

use clap::Args;
use sealpost_client::{EmailAddress, UserId};

const VERIFY_EXAMPLE: &str = "\
Example:
  sealpost verify client@example.com

Both of you run it, each with the other's address, and read the words to each other, by phone or face to
face. The same twelve words on both sides: nobody stands in between. Other words: tell whoever runs the
server, and share nothing until it is explained.";

/// `sealpost verify`
#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXAMPLE)]
pub struct VerifyArgs {
    /// With whom to compare
    pub email: EmailAddress,
}

const CONFIRM_EXAMPLE: &str = "\
Examples:
  sealpost confirm client@example.com
  sealpost confirm client@example.com --words \"abandon ability …\"      twelve, as they read them to you

For invites made with --role ops, --confirm or --replace. Call the person: the twelve words are the same on both sides
exactly when nobody else has used the code. -y does not answer for you.";

/// `sealpost confirm`
#[derive(Debug, Args)]
#[command(after_help = CONFIRM_EXAMPLE)]
pub struct ConfirmArgs {
    /// Who has accepted your invite
    pub email: EmailAddress,
    /// The twelve words that they read to you; asks nothing then
    #[arg(long, value_name = "WORDS")]
    pub words: Option<String>,
}

const RESHARE_EXAMPLE: &str = "\
Examples:
  sealpost reshare client@example.com
  sealpost reshare client@example.com -y --account 00112233445566778899aabbccddeeff

For somebody who lost password and kit, and has a new account since. Shows the old account, who admitted the
new one and when, and asks for each file that only the old one could read. Expiry and the downloads that are
left carry over. For scripts, -y counts only together with the new account's id.";

/// `sealpost reshare`
#[derive(Debug, Args)]
#[command(after_help = RESHARE_EXAMPLE)]
pub struct ReshareArgs {
    /// Who has a new account
    pub email: EmailAddress,
    /// The new account's id; with -y the files are shared with it without asking
    #[arg(long, value_name = "USER_ID")]
    pub account: Option<UserId>,
}
