//! Which type each command prints with `--json`.

use schemars::{Schema, schema_for};

use crate::output::{
    Account, Completions, Confirmed, Contacts, DeliveredRow, Demo, Downloads, Enrolled, EvidenceReport,
    FileReport, ForkReport, Invite, LeftFile, ManPage, ManPages, OwnFile, PasswordChanged, Receipt,
    ReceivedFile, Rejected, Removed, Reshares, Revoked, RotatedKeys, ServiceKey, Shares, SignedOut, Started,
    Unshares, Uploads, WatchLine, Withdrawals, Words, WrittenEvidence,
};

/// What stands on standard output.
pub enum Printed {
    /// One document.
    Document(Schema),
    /// One document, or in the case that is named, another.
    Either(Schema, &'static str, Schema),
    /// One document for each row.
    Rows(Schema),
    /// One document with a list of this name, and a list of what did not verify.
    List(&'static str, Schema, Schema),
}

/// By the command's name; `None` for a command that is not listed here.
pub fn printed(command: &str) -> Option<Printed> {
    let list = |field, entry| Printed::List(field, entry, schema_for!(Rejected));
    Some(match command {
        "serve" => Printed::Document(schema_for!(Started)),
        "init" | "join" => Printed::Document(schema_for!(Enrolled)),
        "invite" => Printed::Document(schema_for!(Invite)),
        "login" | "whoami" | "recover" => Printed::Document(schema_for!(Account)),
        "logout" => Printed::Document(schema_for!(SignedOut)),
        "passwd" => Printed::Document(schema_for!(PasswordChanged)),
        "rotate" => Printed::Document(schema_for!(RotatedKeys)),
        "upload" => Printed::Document(schema_for!(Uploads)),
        "deliver" => Printed::Rows(schema_for!(DeliveredRow)),
        "watch" => Printed::Rows(schema_for!(WatchLine)),
        "share" => Printed::Document(schema_for!(Shares)),
        "unshare" => Printed::Document(schema_for!(Unshares)),
        "ls" => list("files", schema_for!(OwnFile)),
        "shared" => list("files", schema_for!(ReceivedFile)),
        "download" => Printed::Document(schema_for!(Downloads)),
        "receipts" => list("receipts", schema_for!(Receipt)),
        "info" => Printed::Document(schema_for!(FileReport)),
        "evidence" => Printed::Document(schema_for!(WrittenEvidence)),
        "verify-evidence" => {
            Printed::Either(schema_for!(EvidenceReport), "Of two histories", schema_for!(ForkReport))
        }
        "rm" => Printed::Document(schema_for!(Removed)),
        "contacts" => Printed::Document(schema_for!(Contacts)),
        "verify" => Printed::Document(schema_for!(Words)),
        "confirm" => Printed::Document(schema_for!(Confirmed)),
        "reshare" => Printed::Document(schema_for!(Reshares)),
        "revoke" => Printed::Document(schema_for!(Revoked)),
        "left" => list("files", schema_for!(LeftFile)),
        "withdraw" => Printed::Document(schema_for!(Withdrawals)),
        "service" => Printed::Document(schema_for!(ServiceKey)),
        "demo" => Printed::Document(schema_for!(Demo)),
        "completions" => Printed::Document(schema_for!(Completions)),
        "man" => Printed::Either(schema_for!(ManPage), "With DIR", schema_for!(ManPages)),
        _ => return None,
    })
}
