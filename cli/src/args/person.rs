//! Arguments of the commands about other people: verify.

use clap::Args;
use sealpost_client::EmailAddress;

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
