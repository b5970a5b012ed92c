//! Which type each command prints with `--json`.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};

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

/// The schema of what is written: a member that may be `null` is there nevertheless.
pub fn schema_of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

/// By the command's name; `None` for a command that is not listed here.
pub fn printed(command: &str) -> Option<Printed> {
    let list = |field, entry| Printed::List(field, entry, schema_of::<Rejected>());
    Some(match command {
        "serve" => Printed::Document(schema_of::<Started>()),
        "init" | "join" => Printed::Document(schema_of::<Enrolled>()),
        "invite" => Printed::Document(schema_of::<Invite>()),
        "login" | "whoami" | "recover" => Printed::Document(schema_of::<Account>()),
        "logout" => Printed::Document(schema_of::<SignedOut>()),
        "passwd" => Printed::Document(schema_of::<PasswordChanged>()),
        "rotate" => Printed::Document(schema_of::<RotatedKeys>()),
        "upload" => Printed::Document(schema_of::<Uploads>()),
        "deliver" => Printed::Rows(schema_of::<DeliveredRow>()),
        "watch" => Printed::Rows(schema_of::<WatchLine>()),
        "share" => Printed::Document(schema_of::<Shares>()),
        "unshare" => Printed::Document(schema_of::<Unshares>()),
        "ls" => list("files", schema_of::<OwnFile>()),
        "shared" => list("files", schema_of::<ReceivedFile>()),
        "download" => Printed::Document(schema_of::<Downloads>()),
        "receipts" => list("receipts", schema_of::<Receipt>()),
        "info" => Printed::Document(schema_of::<FileReport>()),
        "evidence" => Printed::Document(schema_of::<WrittenEvidence>()),
        "verify-evidence" => {
            Printed::Either(schema_of::<EvidenceReport>(), "Of two histories", schema_of::<ForkReport>())
        }
        "rm" => Printed::Document(schema_of::<Removed>()),
        "contacts" => Printed::Document(schema_of::<Contacts>()),
        "verify" => Printed::Document(schema_of::<Words>()),
        "confirm" => Printed::Document(schema_of::<Confirmed>()),
        "reshare" => Printed::Document(schema_of::<Reshares>()),
        "revoke" => Printed::Document(schema_of::<Revoked>()),
        "left" => list("files", schema_of::<LeftFile>()),
        "withdraw" => Printed::Document(schema_of::<Withdrawals>()),
        "service" => Printed::Document(schema_of::<ServiceKey>()),
        "demo" => Printed::Document(schema_of::<Demo>()),
        "completions" => Printed::Document(schema_of::<Completions>()),
        "man" => Printed::Either(schema_of::<ManPage>(), "With DIR", schema_of::<ManPages>()),
        _ => return None,
    })
}
