//! Arguments of the commands about accounts: init, invite, join, login, passwd, rotate, recover.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sealpost_client::EmailAddress;
use serde::Deserialize;

use crate::time::Lifetime;

/// Where signing in puts the keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyringArg {
    /// In the desktop's keyring if there is one that is unlocked, else in a file that only you can read
    #[default]
    Auto,
    /// In the keyring, or not at all
    On,
    /// In a file that only you can read
    Off,
}

/// What every command that signs in takes.
#[derive(Debug, Clone, Copy, Args)]
pub struct KeepArgs {
    /// Seal this device's keys with the desktop's keyring (Secret Service) [default: auto]
    #[arg(long, value_enum, value_name = "WHEN", env = "SEALPOST_KEYRING", hide_possible_values = false)]
    pub keyring: Option<KeyringArg>,
}

const INIT_EXAMPLE: &str = "\
Example:
  sealpost init --server http://127.0.0.1:8787 --setup-token \"$(cat data/setup-token)\" \\
      --email ops@example.org --org \"Example & Partners\"

The recovery kit is shown once: write it down, it is the only way back if the password is lost.
With --json the kit is part of the JSON, because a script has no other way to it: keep that safe.";

/// `sealpost init`
#[derive(Debug, Args)]
#[command(after_help = INIT_EXAMPLE)]
pub struct InitArgs {
    /// The one-time token that the server printed at its first start
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SEALPOST_SETUP_TOKEN",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub setup_token: Option<String>,
    /// Your e-mail address; you sign in with it
    #[arg(long, env = "SEALPOST_EMAIL")]
    pub email: Option<EmailAddress>,
    /// The organisation's name, as its clients see it
    #[arg(long, value_name = "NAME")]
    pub org: String,
    /// Your name, as clients see it
    #[arg(long, default_value = "", hide_default_value = true)]
    pub name: String,
    /// Where the keys are kept.
    #[command(flatten)]
    pub keep: KeepArgs,
}

const INVITE_EXAMPLE: &str = "\
Examples:
  sealpost invite client@example.com --expires 7d
  sealpost invite client@example.com --replace      they have lost password and recovery kit
  sealpost invite olaf@example.org --role ops --name \"Olaf Ops\"

Inviting somebody again who is not admitted yet gives a new code for the same account, also when a colleague
invited them: the newest code counts. A further Ops member always needs an account key, and is admitted only after
both of you have compared 12 words: `sealpost confirm EMAIL`.

The code is a key: whoever uses it first is the invitee. Hand it over by another way than this
server: your own mail, a chat, on paper. The server never learns it.";

/// `sealpost invite`
#[derive(Debug, Args)]
#[command(after_help = INVITE_EXAMPLE)]
pub struct InviteArgs {
    /// Whom to invite
    pub email: EmailAddress,
    /// What they will be; a client if nothing is said, and with --replace what they were
    #[arg(long, value_enum)]
    pub role: Option<RoleArg>,
    /// An Ops member's name, as clients will see it
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// How long the code works: 12h, 7d, 2w
    #[arg(long, value_name = "DURATION", default_value = "14d")]
    pub expires: Lifetime,
    /// Admit only after both have compared 12 words: `sealpost confirm EMAIL`
    #[arg(long)]
    pub confirm: bool,
    /// Their account also needs an account key, beside the password
    #[arg(long)]
    pub account_key: bool,
    /// In place of their account, whose password and kit are lost; always needs `sealpost confirm EMAIL`
    #[arg(long)]
    pub replace: bool,
}

/// A role, as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Downloads what is shared with them
    Client,
    /// Uploads, shares, invites
    Ops,
}

const JOIN_EXAMPLE: &str = "\
Examples:
  sealpost join https://files.example.org/join#CODE
  sealpost join CODE --server https://files.example.org
  sealpost join - < code.txt            the code does not appear in the process list

Without CODE you are asked for it. The recovery kit is shown once: write it down.
With --json the kit is part of the JSON, because a script has no other way to it: keep that safe.";

/// `sealpost join`
#[derive(Debug, Args)]
#[command(after_help = JOIN_EXAMPLE)]
pub struct JoinArgs {
    /// The code or the whole link; - reads it from standard input
    #[arg(value_name = "CODE|LINK")]
    pub code: Option<String>,
    /// Where the keys are kept.
    #[command(flatten)]
    pub keep: KeepArgs,
}

const LOGIN_EXAMPLE: &str = "\
Examples:
  sealpost login --server https://files.example.org --email client@example.com
  sealpost login --server https://files.example.org --key-file kit.txt      a machine without a person

The key file holds the recovery kit as it was printed, or the JSON that init and join print. Keep it readable by its
owner only (chmod 600). It is needed once: the session renews itself.";

/// `sealpost login`
#[derive(Debug, Args)]
#[command(after_help = LOGIN_EXAMPLE)]
pub struct LoginArgs {
    /// Your e-mail address
    #[arg(long, env = "SEALPOST_EMAIL")]
    pub email: Option<EmailAddress>,
    /// File whose first line is the account key from the recovery kit; Ops members need it on a new device
    #[arg(long, value_name = "FILE", env = "SEALPOST_ACCOUNT_KEY_FILE")]
    pub account_key_file: Option<PathBuf>,
    /// File with the recovery kit: signs in by the account's key, without a password; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "account_key_file", env = "SEALPOST_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// Where the keys are kept.
    #[command(flatten)]
    pub keep: KeepArgs,
}

const PASSWD_EXAMPLE: &str = "\
Examples:
  sealpost passwd
  sealpost passwd --password-file old.txt --new-password-file new.txt

Your keys and your recovery kit stay as they are. Sessions elsewhere end; your other devices sign in again by
themselves, because they hold your key.";

/// `sealpost passwd`
#[derive(Debug, Args)]
#[command(after_help = PASSWD_EXAMPLE)]
pub struct PasswdArgs {
    /// File whose first line is the new password; --password-file is the current one
    #[arg(long, value_name = "FILE", env = "SEALPOST_NEW_PASSWORD_FILE")]
    pub new_password_file: Option<PathBuf>,
}

const ROTATE_EXAMPLE: &str = "\
Examples:
  sealpost rotate
  sealpost rotate --password-file old.txt --new-password-file new.txt --json > new-kit.json

When a device, a backup or the recovery kit may be in other hands. You get a new recovery kit first: write it down, the
old one is of no use afterwards. Then everything changes at once, or nothing does: your other devices ask for the password
(and the new account key), your open invites are cancelled, and what you share is made anew under the new keys, on
what is left of its terms. What others have fetched before, they have. Interrupted, it goes on with the next command.
With --json the kit is part of the JSON, because a script has no other way to it: keep that safe. If such a script is
interrupted before it has the JSON, let it rotate again.";

/// `sealpost rotate`
#[derive(Debug, Args)]
#[command(after_help = ROTATE_EXAMPLE)]
pub struct RotateArgs {
    /// File whose first line is a new password; without it the password stays. --password-file is the current one
    #[arg(long, value_name = "FILE", env = "SEALPOST_NEW_PASSWORD_FILE")]
    pub new_password_file: Option<PathBuf>,
}

const RECOVER_EXAMPLE: &str = "\
Examples:
  sealpost recover --server https://files.example.org
  sealpost recover --server https://files.example.org --kit-file kit.txt --password-file new.txt
  sealpost recover --server https://files.example.org --kit-file - < kit.txt

The kit is asked for and not shown while you type. A file may hold it as it was printed, in any layout, or the
JSON that init and join print; --password-file is the new password. The kit stays valid: keep it. Kit and password
both lost: ask an Ops member of your organisation for a new invite.";

/// `sealpost recover`
#[derive(Debug, Args)]
#[command(after_help = RECOVER_EXAMPLE)]
pub struct RecoverArgs {
    /// File with the recovery kit; - reads it from standard input
    #[arg(long, value_name = "FILE", env = "SEALPOST_KIT_FILE")]
    pub kit_file: Option<PathBuf>,
    /// Where the keys are kept.
    #[command(flatten)]
    pub keep: KeepArgs,
}
