//! Every limit of the REST interface, with its unit. Limits of the protocol itself (records, metadata, vault,
//! parts) stand in `sealpost-crypto` beside what they limit.

/// One limit, for the documentation.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Its name here.
    pub name: &'static str,
    /// What it limits, with the unit.
    pub meaning: &'static str,
    /// How much.
    pub value: u64,
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])* pub const $name:ident: $kind:ty = $value:expr;)*) => {
        $($(#[doc = $doc])* pub const $name: $kind = $value;)*

        /// All of them.
        pub const ALL: &[Limit] = &[$(Limit {
            name: stringify!($name),
            meaning: concat!($($doc),*).trim_ascii(),
            value: $name as u64,
        }),*];
    };
}

limits! {
    /// Largest JSON request body, bytes, where a route names no limit of its own.
    pub const MAX_JSON_BODY: usize = 256 * 1024;
    /// Largest body of `PUT /account/vault`, `POST /account/rotate`, `POST /organisation` and
    /// `POST /invites/{invite_id}/accept`, bytes: a vault of 4 MiB under base64, and the rest.
    pub const MAX_VAULT_BODY: usize = 6 * 1024 * 1024;
    /// Largest body of `POST /files/{file_id}/share`, `POST /shares/batch` and
    /// `POST /files/{file_id}/versions/{version}/rekey`, bytes: [`MAX_SHARES_PER_REQUEST`] shares.
    pub const MAX_SHARE_BODY: usize = 4 * 1024 * 1024;
    /// Shares in one `POST /files/{file_id}/share` or `POST /shares/batch`.
    pub const MAX_SHARES_PER_REQUEST: usize = 1_000;
    /// Shares and ends of shares in one `POST /files/{file_id}/versions/{version}/rekey`, beside the owner's own.
    pub const MAX_SHARES_PER_REKEY: usize = MAX_SHARES_PER_REQUEST;
    /// Versions that a file may have.
    pub const MAX_VERSIONS: u64 = 1_000;
    /// Files in one `POST /files/batch`.
    pub const MAX_FILES_PER_BATCH: usize = 500;
    /// Ciphertext of all files of one `POST /files/batch` together, bytes (8 MiB).
    pub const MAX_BATCH_CIPHERTEXT: usize = 8 * 1024 * 1024;
    /// Largest body of `POST /files/batch`, bytes: [`MAX_BATCH_CIPHERTEXT`] under base64, and the records.
    pub const MAX_BATCH_BODY: usize = 16 * 1024 * 1024;
    /// Bytes of request bodies that a server holds in memory at one time, beyond those of at most [`MAX_JSON_BODY`].
    /// Whoever comes when they are taken waits for their turn, and is told to come again when it does not come.
    pub const MAX_BODIES_IN_MEMORY: usize = 32 * 1024 * 1024;
    /// The same for callers without a session; they never take members' room.
    pub const MAX_STRANGERS_BODIES_IN_MEMORY: usize = 12 * 1024 * 1024;
    /// Entries of a page when the client names no number.
    pub const DEFAULT_PAGE: u32 = 100;
    /// Most entries of a page.
    pub const MAX_PAGE: u32 = 1_000;
    /// Most entries of a page of the organisation's log.
    pub const MAX_LOG_PAGE: u32 = 1_000;
    /// Digests in one page of a file's part list.
    pub const MAX_PART_DIGESTS_PAGE: u32 = 8_192;
    /// Shares shown inside one file of `GET /files`; the rest by `GET /files/{file_id}/shares`.
    pub const MAX_SHARES_SHOWN: u32 = 100;
    /// Unfinished uploads one Ops member may have.
    pub const MAX_OPEN_UPLOADS: u32 = 1_000;
    /// Invites one Ops member may have open at one time.
    pub const MAX_OPEN_INVITES: u32 = 10_000;
    /// Longest time an invite may stay open, seconds (90 days).
    pub const MAX_INVITE_SECONDS: u64 = 90 * 86_400;
    /// Most downloads a share may be limited to.
    pub const MAX_DOWNLOAD_LIMIT: u64 = 1_000_000;
    /// Lifetime of an access token, seconds.
    pub const ACCESS_TOKEN_SECONDS: u64 = 600;
    /// Sessions one account may have; a further one ends the one that was refreshed longest ago.
    pub const MAX_SESSIONS: u32 = 100;
    /// Lifetime of an unused refresh token, seconds (30 days).
    pub const REFRESH_TOKEN_SECONDS: u64 = 30 * 86_400;
    /// How long the previous refresh token still yields the same successor, seconds.
    pub const REFRESH_GRACE_SECONDS: u64 = 30;
    /// Lifetime of a started login, registration or key challenge, seconds.
    pub const CHALLENGE_SECONDS: u64 = 60;
    /// Lifetime of a started registration, seconds: a person writes down a recovery kit in between.
    pub const REGISTRATION_SECONDS: u64 = 3_600;
    /// Lifetime of a download ticket, seconds.
    pub const TICKET_SECONDS: u64 = 86_400;
    /// An upload without a new part for so long is swept, seconds (7 days).
    pub const UPLOAD_SECONDS: u64 = 7 * 86_400;
    /// How long after an invite's expiry its acceptance may still be certified, seconds (7 days).
    pub const CERTIFY_GRACE_SECONDS: u64 = sealpost_crypto::invite::CERTIFY_GRACE;
    /// Failed or unfinished sign-ins of one address within [`LOGIN_WINDOW_SECONDS`] before 429.
    pub const MAX_LOGIN_ATTEMPTS: u32 = 10;
    /// Window in which sign-in attempts are counted, seconds.
    pub const LOGIN_WINDOW_SECONDS: u64 = 600;
    /// How far a signer's clock may be ahead of the server's, seconds; for signing in by key also behind.
    pub const CLOCK_SKEW_SECONDS: u64 = sealpost_crypto::login::MAX_CLOCK_SKEW;
}
