//! Headers and path placeholders.

use schemars::SchemaGenerator;
use sealpost_crypto::{
    id::{Digest, FileId, InviteId, TicketId, UserId},
    size::MAX_PARTS,
};
use serde_json::{Value, json};

use crate::{
    API_VERSION, HEADER_API, HEADER_PART_DIGEST, HEADER_REQUEST_ID, HEADER_TICKET, limits::TICKET_SECONDS,
};

/// A request header that only some routes take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// [`HEADER_PART_DIGEST`].
    PartDigest,
    /// `Content-Length`.
    ContentLength,
    /// [`HEADER_TICKET`].
    Ticket,
    /// `Range`.
    Range,
    /// `If-Match`.
    IfMatch,
}

impl Parameter {
    /// As a Parameter Object.
    pub fn render(self, generator: &mut SchemaGenerator) -> Value {
        let (name, required, about, schema) = match self {
            Self::PartDigest => (
                HEADER_PART_DIGEST,
                true,
                "BLAKE3 of the bytes sent.".to_owned(),
                json!(generator.subschema_for::<Digest>()),
            ),
            Self::ContentLength => (
                "content-length",
                true,
                "The length of the part, at least 1: a part is not taken in chunks of unknown length."
                    .to_owned(),
                json!({ "type": "integer", "minimum": 1, "examples": [65_552] }),
            ),
            Self::Ticket => (
                HEADER_TICKET,
                false,
                format!(
                    "A download ticket. Requests under the same one, within {TICKET_SECONDS} seconds, count as one download \
                     together. The owner needs none."
                ),
                json!(generator.subschema_for::<TicketId>()),
            ),
            Self::Range => (
                "range",
                false,
                "One range of bytes (RFC 9110 §14.2). Several at once are refused; other units are ignored."
                    .to_owned(),
                json!({ "type": "string", "pattern": "^[Bb]ytes=([0-9]+-[0-9]*|-[0-9]+)$", "examples": ["bytes=0-65551"] }),
            ),
            Self::IfMatch => (
                "if-match",
                false,
                "The `ETag` of the version that is wanted: the digest in its manifest, in quotes. If another one is live, the \
                 answer is `version_replaced`."
                    .to_owned(),
                json!({ "type": "string", "pattern": "^\"[0-9a-f]{64}\"$" }),
            ),
        };
        json!({ "name": name, "in": "header", "required": required, "description": about, "schema": schema })
    }
}

/// The header in which every client says its version.
pub(super) fn api_version() -> Value {
    json!({
        "name": HEADER_API,
        "in": "header",
        "required": false,
        "description": "The version of this interface that the client speaks; absent means 1. Another one than the server \
                        speaks is refused with `api_version`.",
        "schema": { "type": "integer", "minimum": 1, "examples": [API_VERSION] },
    })
}

/// A placeholder of a path, as a Parameter Object; `None` for one that has no schema below.
pub(super) fn placeholder(name: &str, generator: &mut SchemaGenerator) -> Option<Value> {
    let (about, schema) = match name {
        "file_id" => ("The file.", json!(generator.subschema_for::<FileId>())),
        "invite_id" => ("The invite.", json!(generator.subschema_for::<InviteId>())),
        "user_id" => ("The person.", json!(generator.subschema_for::<UserId>())),
        "version" => ("The file's version, from 1.", json!({ "type": "integer", "minimum": 1 })),
        "index" => (
            "The part's place, from 0.",
            json!({ "type": "integer", "minimum": 0, "maximum": MAX_PARTS - 1, "examples": [0] }),
        ),
        _ => return None,
    };
    Some(json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema }))
}

/// A header of an answer; defined once, under `components/headers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ResponseHeader {
    /// [`HEADER_REQUEST_ID`].
    RequestId,
    /// `Retry-After`.
    RetryAfter,
    /// `WWW-Authenticate`.
    WwwAuthenticate,
    /// [`HEADER_TICKET`].
    Ticket,
    /// `ETag`.
    ETag,
    /// `Accept-Ranges`.
    AcceptRanges,
    /// `Content-Range`.
    ContentRange,
    /// `Content-Disposition`.
    ContentDisposition,
    /// `Content-Security-Policy`.
    ContentSecurityPolicy,
}

impl ResponseHeader {
    /// Each.
    pub const ALL: [Self; 9] = [
        Self::RequestId,
        Self::RetryAfter,
        Self::WwwAuthenticate,
        Self::Ticket,
        Self::ETag,
        Self::AcceptRanges,
        Self::ContentRange,
        Self::ContentDisposition,
        Self::ContentSecurityPolicy,
    ];

    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestId => HEADER_REQUEST_ID,
            Self::RetryAfter => "retry-after",
            Self::WwwAuthenticate => "www-authenticate",
            Self::Ticket => HEADER_TICKET,
            Self::ETag => "etag",
            Self::AcceptRanges => "accept-ranges",
            Self::ContentRange => "content-range",
            Self::ContentDisposition => "content-disposition",
            Self::ContentSecurityPolicy => "content-security-policy",
        }
    }

    /// As a Header Object.
    pub fn render(self, generator: &mut SchemaGenerator) -> Value {
        let text = |example: &str| json!({ "type": "string", "examples": [example] });
        let hex = json!(generator.subschema_for::<TicketId>());
        let (required, about, schema) = match self {
            Self::RequestId => (
                true,
                "Names the request in the server's log: quote it when you report a problem.",
                text("5e0d3b7a91c4f826a0b1c2d3e4f50617"),
            ),
            Self::RetryAfter => (
                false,
                "Seconds to wait before the next try.",
                json!({ "type": "integer", "minimum": 0, "examples": [2] }),
            ),
            Self::WwwAuthenticate => {
                (true, "RFC 9110 §11.6.1.", json!({ "type": "string", "const": "Bearer" }))
            }
            Self::Ticket => (
                false,
                "The ticket under which this download was counted; to go on with it, send it again. Absent for the file's owner.",
                hex,
            ),
            Self::ETag => (
                true,
                "The content's digest, the same for as long as the version exists.",
                text("\"d3a1f09c7b5e4286000000000000000000000000000000000000000000000000\""),
            ),
            Self::AcceptRanges => (true, "`bytes`.", json!({ "type": "string", "const": "bytes" })),
            Self::ContentRange => (true, "Which bytes of how many.", text("bytes 0-65551/131104")),
            Self::ContentDisposition => (
                true,
                "`attachment`: nothing here is for a browser to show.",
                json!({ "type": "string", "const": "attachment" }),
            ),
            Self::ContentSecurityPolicy => {
                (true, "The page runs no script and loads nothing.", text("default-src 'none'"))
            }
        };
        json!({ "required": required, "description": about, "schema": schema })
    }
}
