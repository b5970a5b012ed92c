//! What Sealpost's server and clients agree on: routes, messages, limits, error codes. Data only, and the
//! OpenAPI document that describes it.

pub mod account;
pub mod auth;
pub mod batch;
pub mod file;
pub mod invite;
pub mod limits;
pub mod log;
pub mod openapi;
pub mod paging;
pub mod problem;
pub mod routes;
pub mod token;

/// The version of the REST interface that this code speaks; sent by clients in [`HEADER_API`].
pub const API_VERSION: u32 = 1;

/// Request header: the client's [`API_VERSION`]. Absent means 1.
pub const HEADER_API: &str = "sealpost-api";
/// Request header of a part upload: the part's BLAKE3 digest as 64 lowercase hex digits.
pub const HEADER_PART_DIGEST: &str = "sealpost-part-digest";
/// Request and response header of a download: the ticket, 32 lowercase hex digits chosen by the recipient.
pub const HEADER_TICKET: &str = "sealpost-ticket";
/// Response header of every response: names the request in the server's log.
pub const HEADER_REQUEST_ID: &str = "sealpost-request";
/// `Authorization` scheme of an invitee who has no account yet: `Sealpost-Invite <token>`.
pub const INVITE_SCHEME: &str = "Sealpost-Invite";
/// Media type of parts and downloads.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// A point in time for the examples of the documentation, UTC seconds.
pub(crate) const EXAMPLE_TIME: u64 = 1_767_225_600;
