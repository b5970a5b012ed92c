//! Errors as the REST interface reports them: RFC 9457 problem documents with a stable `code`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sealpost_crypto::record::RawRecord;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal, $status:literal, $title:literal;)*) => {
        /// Stable names of what went wrong; scripts may rely on them. Clients keep those they don't know.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])* $name,)*
            /// A code that this version does not know.
            Other(String),
        }

        impl ErrorCode {
            /// All that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As it stands in a problem document.
            pub fn as_str(&self) -> &str {
                match self { $(Self::$name => $text,)* Self::Other(text) => text }
            }

            /// Its HTTP status.
            pub fn status(&self) -> u16 {
                match self { $(Self::$name => $status,)* Self::Other(_) => 500 }
            }

            /// What it means, in a sentence.
            pub fn meaning(&self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*).trim_ascii(),)* Self::Other(_) => "" }
            }

            /// Short summary for people.
            pub fn title(&self) -> &str {
                match self { $(Self::$name => $title,)* Self::Other(_) => "Unknown error" }
            }
        }

        impl From<String> for ErrorCode {
            fn from(text: String) -> Self {
                match text.as_str() { $($text => Self::$name,)* _ => Self::Other(text) }
            }
        }
    };
}

codes! {
    /// The request is not of the form that the route takes.
    MalformedRequest = "malformed_request", 400, "The request is malformed";
    /// The client is too old or too new for this server.
    ApiVersion = "api_version", 400, "This server does not speak the client's version";
    /// No session, or it has ended.
    NotSignedIn = "not_signed_in", 401, "Not signed in";
    /// Address, password or account key are wrong; which, is not said.
    LoginFailed = "login_failed", 401, "Sign-in failed";
    /// The setup token is wrong.
    SetupToken = "setup_token", 401, "The setup token is not valid";
    /// The invite token is wrong, or the invite does not exist.
    InviteUnknown = "invite_unknown", 401, "No such invite";
    /// The caller's role may not do this.
    RoleForbidden = "role_forbidden", 403, "Not allowed for this role";
    /// The account is not certified yet.
    AccountPending = "account_pending", 403, "The account is not certified yet";
    /// The account was replaced, or its membership has ended. Told only to who holds its key.
    AccountEnded = "account_ended", 403, "The account has ended";
    /// The key is one that its holder has rotated. Told only to who holds it.
    AccountRotated = "account_rotated", 401, "The account's keys were changed";
    /// It does not exist, or is not the caller's to see.
    NotFound = "not_found", 404, "Not found";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", 405, "Method not allowed";
    /// The body came too slowly.
    Timeout = "timeout", 408, "The request took too long";
    /// Another log entry holds this place; it is in `record`.
    LogConflict = "log_conflict", 409, "Another log entry holds this place";
    /// Another record holds this place among the pair's records; it is in `record`.
    PairConflict = "pair_conflict", 409, "Another record holds this place";
    /// The stored vault is another than the one this change starts from.
    VaultConflict = "vault_conflict", 409, "The vault was changed meanwhile";
    /// The stored credential is another than the one this change follows.
    CredentialChanged = "credential_changed", 409, "The account's password was changed meanwhile";
    /// The id is in use for something else.
    IdTaken = "id_taken", 409, "The id is already in use";
    /// A part with other content is stored under this index.
    PartConflict = "part_conflict", 409, "A different part is stored here";
    /// The file version is complete already, with other content.
    AlreadyComplete = "already_complete", 409, "This version is already complete";
    /// The server keeps an organisation already.
    AlreadyFounded = "already_founded", 409, "An organisation exists already";
    /// The person has an account already.
    AlreadyMember = "already_member", 409, "The person has an account already";
    /// The file's shares are not what the request takes them for; the share that it must look at is in `record`.
    SharesChanged = "shares_changed", 409, "The file's shares were changed meanwhile";
    /// The file's owner is a member: they end its shares themselves.
    OwnerActive = "owner_active", 409, "The file's owner is still a member";
    /// There is already a live share of this file to this person.
    AlreadyShared = "already_shared", 409, "The file is shared with this person already";
    /// The share to be renewed is not in force any more, or less is left of it than the fresh one allows.
    ShareChanged = "share_changed", 409, "The share was changed meanwhile";
    /// The invite was accepted before, by somebody else.
    InviteUsed = "invite_used", 410, "This invite was used";
    /// The invite is past its expiry.
    InviteExpired = "invite_expired", 410, "This invite has expired";
    /// A newer invite took its place.
    InviteReplaced = "invite_replaced", 410, "A newer invite took this one's place";
    /// Whoever invited is not a member any more.
    InviteCancelled = "invite_cancelled", 410, "This invite was cancelled";
    /// A newer version of the file has taken the place of the one that the request names.
    VersionReplaced = "version_replaced", 412, "A newer version took its place";
    /// The body is larger than the route takes.
    TooLarge = "too_large", 413, "The request is too large";
    /// The body is of another media type or is compressed.
    MediaType = "media_type", 415, "Unsupported media type or encoding";
    /// The requested range can't be served.
    RangeNotSatisfiable = "range_not_satisfiable", 416, "The range can't be served";
    /// A record fails a check that the server can make.
    RecordInvalid = "record_invalid", 422, "A record is not valid";
    /// A part's bytes do not have the declared digest or length.
    DigestMismatch = "digest_mismatch", 422, "The bytes do not match their digest";
    /// `complete` before every part is there.
    PartsMissing = "parts_missing", 422, "Parts are missing";
    /// A record names a log that the server does not have.
    LogUnknown = "log_unknown", 422, "The record names an unknown log state";
    /// The recipient is not certified yet.
    RecipientPending = "recipient_pending", 422, "The recipient has not been certified yet";
    /// There is no such active recipient.
    RecipientUnknown = "recipient_unknown", 422, "No such recipient";
    /// The account to be replaced is not the active one of the invitee's address.
    ReplacesUnknown = "replaces_unknown", 422, "No such account to replace";
    /// The server knows the record, and this version does not take it yet.
    Unsupported = "unsupported", 422, "Not supported by this version";
    /// A limit was reached; `detail` names it.
    LimitReached = "limit_reached", 422, "A limit was reached";
    /// Too many attempts; `Retry-After` tells how long to wait.
    TooManyAttempts = "too_many_attempts", 429, "Too many attempts";
    /// Something failed inside; the log knows more.
    Internal = "internal", 500, "Internal error";
    /// The server keeps no organisation yet.
    NotFounded = "not_founded", 503, "No organisation exists yet";
    /// The database was restored from a backup with a shorter log, and the operator has not confirmed it.
    RestoreUnconfirmed = "restore_unconfirmed", 503, "The server was restored and its operator must confirm";
    /// Database or blob store can't be reached, or the server is stopping.
    Unavailable = "unavailable", 503, "Temporarily unavailable";
    /// The disk is full.
    StorageFull = "storage_full", 507, "The server's storage is full";
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for ErrorCode {
    fn schema_name() -> Cow<'static, str> {
        "ErrorCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[a-z_]+$",
            "description": "Stable name of what went wrong. Later versions may add some: treat one that you don't know by \
                            its status.",
            "examples": Self::ALL.iter().map(Self::as_str).collect::<Vec<_>>(),
        })
    }
}

/// An error response (RFC 9457).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Problem::example(&ErrorCode::AlreadyShared))]
pub struct Problem {
    /// `urn:sealpost:problem:CODE`.
    #[serde(rename = "type")]
    #[schemars(regex(pattern = "^urn:sealpost:problem:[a-z_]+$"))]
    pub kind: String,
    /// Summary, the same for every problem of this code.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable name.
    pub code: ErrorCode,
    /// What happened this time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// On a conflict: the record that holds the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RawRecord>,
}

impl Problem {
    /// A problem of `code`, with what happened this time.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:sealpost:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            hint: String::new(),
            record: None,
            code,
        }
    }

    /// One for the documentation.
    pub(crate) fn example(code: &ErrorCode) -> Self {
        Self::new(code.clone(), code.meaning())
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Adds the record that holds the place.
    pub fn record(mut self, record: RawRecord) -> Self {
        self.record = Some(record);
        self
    }
}
