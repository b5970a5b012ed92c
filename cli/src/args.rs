//! The command line's grammar, and nothing else: what the words mean is in [`crate::commands`].

mod account;
mod deliver;
mod evidence;
mod file;
mod member;
mod person;
mod serve;
mod shell;
mod watch;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

pub use account::{
    InitArgs, InviteArgs, JoinArgs, KeepArgs, KeyringArg, LoginArgs, PasswdArgs, RecoverArgs, RoleArg,
    RotateArgs,
};
pub use deliver::DeliverArgs;
pub use evidence::{EvidenceArgs, VerifyEvidenceArgs};
pub use file::{
    DemoArgs, DownloadArgs, InfoArgs, ListArgs, ReceiptsArgs, RmArgs, ShareArgs, TermsArgs, UnshareArgs,
    UploadArgs,
};
pub use member::{ContactsArgs, LeftArgs, ReasonArg, RevokeArgs, ServiceArgs, WithdrawArgs};
pub use person::{ConfirmArgs, ReshareArgs, VerifyArgs};
pub use serve::{BlobsArg, DatabaseArg, ServeArgs};
pub use shell::{CompletionsArgs, ManArgs, ReferenceArgs};
pub use watch::WatchArgs;

const EXIT_CODES: &str = "\
Exit codes:
  0 done · 2 usage · 3 authentication · 4 not found, expired or not shared · 5 forbidden
  6 network or server · 7 verification failed · 8 local file · 130 interrupted

Every flag that names an environment variable can also be set there; server, email,
password_file, ca and keyring also in config.json (in --home, else ~/.config/sealpost). SEALPOST_PASSWORD may hold
the password itself.";

/// Deliver files that nobody but their recipient can read, and prove later that you did.
#[derive(Debug, Parser)]
#[command(name = "sealpost", version, arg_required_else_help = true, after_help = EXIT_CODES)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// The server, such as https://files.example.org
    #[arg(long, value_name = "URL", env = "SEALPOST_SERVER", global = true)]
    pub server: Option<String>,
    /// Folder with config, keys and pins of one identity [default: XDG folders]
    #[arg(long, value_name = "DIR", env = "SEALPOST_HOME", global = true)]
    pub home: Option<PathBuf>,
    /// File whose first line is the password; nothing prompts then
    #[arg(long, value_name = "FILE", env = "SEALPOST_PASSWORD_FILE", global = true)]
    pub password_file: Option<PathBuf>,
    /// Take the password from the first line of standard input; nothing prompts then
    #[arg(long, global = true)]
    pub password_stdin: bool,
    /// Certificates (PEM) of the authority that vouches for the server, instead of those of the system
    #[arg(long, value_name = "FILE", env = "SEALPOST_CA", global = true)]
    pub ca: Option<PathBuf>,
    /// Data as JSON on standard output, errors as JSON on standard error too
    #[arg(long, global = true, conflicts_with = "quiet")]
    pub json: bool,
    /// Print just the ids
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more about what is done
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Answer every confirmation with yes
    #[arg(short, long, global = true)]
    pub yes: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a server
    Serve(ServeArgs),
    /// Found the organisation on a fresh server: its first Ops member
    Init(InitArgs),
    /// Invite a person; hand the code over outside of this server
    Invite(InviteArgs),
    /// Accept an invite: make your account
    Join(JoinArgs),
    /// Sign in on this device
    Login(LoginArgs),
    /// End the session on this device
    #[command(after_help = "Example:\n  sealpost logout")]
    Logout,
    /// Who is signed in, and where
    #[command(after_help = "Example:\n  sealpost whoami --json")]
    Whoami,
    /// Change your password
    Passwd(PasswdArgs),
    /// Put new keys in place of yours, when the old ones may be in other hands
    Rotate(RotateArgs),
    /// Set a new password with your recovery kit, when the old one is lost
    Recover(RecoverArgs),
    /// Seal files and store them; share them at once with --to
    Upload(UploadArgs),
    /// Deliver a whole list of files and people; again does only what is missing
    Deliver(DeliverArgs),
    /// Share a file of yours
    Share(ShareArgs),
    /// End a share of yours
    Unshare(UnshareArgs),
    /// Admit who joins and share what was queued for them, until stopped
    Watch(WatchArgs),
    /// List your files and whom they are shared with
    #[command(
        after_help = "Examples:\n  sealpost ls --limit 20\n  sealpost ls -q | xargs -n 1 sealpost info"
    )]
    Ls(ListArgs),
    /// List what was shared with you
    #[command(
        after_help = "Examples:\n  sealpost shared\n  sealpost download $(sealpost shared -q) -o inbox/"
    )]
    Shared(ListArgs),
    /// Fetch, verify and open files
    Download(DownloadArgs),
    /// List the signed receipts of your files
    Receipts(ReceiptsArgs),
    /// Show everything about one file: sizes, sender, shares, receipts
    Info(InfoArgs),
    /// Write down what proves a delivery to others, for verify-evidence
    Evidence(EvidenceArgs),
    /// Check evidence, offline: what it proves, and what not
    VerifyEvidence(VerifyEvidenceArgs),
    /// Delete a file of yours, for everybody
    Rm(RmArgs),
    /// List whom you may know: role, whether they are active, whether files were shared
    Contacts(ContactsArgs),
    /// Show the twelve words to compare with somebody: the same on both sides, or somebody is in between
    Verify(VerifyArgs),
    /// Admit somebody whose invite waits for the twelve words (--role ops, --confirm, --replace)
    Confirm(ConfirmArgs),
    /// Share your files with somebody's new account, as they were shared with the old one
    Reshare(ReshareArgs),
    /// End somebody's membership
    Revoke(RevokeArgs),
    /// List what a former member left behind, and whom it was shared with
    Left(LeftArgs),
    /// Take a former member's files out of circulation
    Withdraw(WithdrawArgs),
    /// Sign that the server's new checkpoint key counts from now on
    Service(ServiceArgs),
    /// Show everything once, on a temporary server, and what that server saw
    Demo(DemoArgs),
    /// Print what a shell needs to complete commands and flags
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(ManArgs),
    /// Print docs/cli.md, or docs/cli.schema.json
    #[command(hide = true)]
    Reference(ReferenceArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_contract_parses() {
        for line in [
            "sealpost serve --listen 127.0.0.1:0 --data d --database sqlite:d/s.db --blobs file:///d/blobs",
            "sealpost serve --database postgres://u@h/d --blobs database --tls-cert c --tls-key k",
            "sealpost init --server https://h --setup-token T --email a@example.org --org Kanzlei",
            // One token in 64 begins with a hyphen.
            "sealpost init --server https://h --setup-token -6xT --email a@example.org --org Kanzlei",
            "sealpost invite b@example.org --role client --expires 14d --confirm --account-key --replace",
            "sealpost invite b@example.org --role ops --name Olaf",
            "sealpost join 0123-4567 --json",
            "sealpost join -",
            "sealpost login --email a@example.org -y",
            "sealpost login --email a@example.org --keyring on",
            "sealpost recover --keyring off",
            "sealpost logout -q",
            "sealpost whoami --home h --json",
            "sealpost passwd --new-password-file n --password-file p",
            "sealpost rotate --new-password-file n --json",
            "sealpost recover --server https://h --kit-file k --json",
            "sealpost recover --kit-file -",
            "sealpost upload a b - --name x --to x@example.org y@example.org --note n --expires 30d --downloads 3",
            "sealpost deliver list.csv --dry-run --json",
            "sealpost deliver -",
            "sealpost watch",
            "sealpost watch --interval 5m --json",
            "sealpost watch --once -q",
            "sealpost share 00112233445566778899aabbccddeeff a@example.org b@example.org --expires 7d",
            "sealpost unshare 00112233445566778899aabbccddeeff a@example.org --rekey",
            "sealpost ls --limit 5",
            "sealpost shared",
            "sealpost download 00112233445566778899aabbccddeeff -o - -f",
            "sealpost receipts",
            "sealpost receipts 00112233445566778899aabbccddeeff",
            "sealpost info 00112233445566778899aabbccddeeff",
            "sealpost evidence 00112233445566778899aabbccddeeff --recipient a@example.org -o e.json --disclose -f",
            "sealpost verify-evidence - --org 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff --file p",
            "sealpost rm 00112233445566778899aabbccddeeff -y",
            "sealpost contacts --json",
            "sealpost contacts --all",
            "sealpost revoke a@example.org --reason compromised -y",
            "sealpost left a@example.org --limit 5",
            "sealpost withdraw 00112233445566778899aabbccddeeff 00112233445566778899aabbccddee00",
            "sealpost withdraw --all-of a@example.org",
            "sealpost service --words one",
            "sealpost serve --new-checkpoint-key --confirm-restore",
            "sealpost verify a@example.org",
            "sealpost confirm a@example.org --words one",
            "sealpost reshare a@example.org -y --account 00112233445566778899aabbccddeeff",
            "sealpost demo a b",
            "sealpost completions bash",
            "sealpost man",
            "sealpost man out/man1 --json",
        ] {
            if let Err(error) = parse(line) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn nonsense_is_a_usage_error() {
        for line in [
            "sealpost frobnicate",
            "sealpost --json -q ls",
            "sealpost serve --tls-cert c",
            "sealpost serve --database mysql://h",
            "sealpost serve --blobs ftp://h",
            "sealpost share 0011 a@example.org",
            "sealpost share 00112233445566778899aabbccddeeff",
            "sealpost upload a --expires soon",
            "sealpost upload a --downloads 0",
            "sealpost upload a --downloads 1000001",
            "sealpost download",
            "sealpost watch --interval 1s",
            "sealpost watch --interval 5m --once",
            "sealpost revoke a@example.org --reason bored",
            "sealpost withdraw",
            "sealpost withdraw 00112233445566778899aabbccddeeff --all-of a@example.org",
            "sealpost completions tcsh",
            "sealpost login --keyring maybe",
        ] {
            assert_eq!(parse(line).map(|_| ()).map_err(|error| error.exit_code()), Err(2), "{line}");
        }
    }

    #[test]
    fn a_path_after_recipients_is_refused_instead_of_taken_for_one() {
        let cli = parse("sealpost upload a b --to x@example.org,y@example.org z@example.org").unwrap();
        let Command::Upload(upload) = cli.command else { panic!("not an upload") };
        assert_eq!((upload.paths.len(), upload.to.len()), (2, 3));
        assert!(parse("sealpost upload a --to x@example.org b.pdf").is_err());
    }
}
