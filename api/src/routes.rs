//! The route table: the whole REST interface on one page. The server mounts exactly these, the client calls
//! exactly these, the access matrix of the tests is generated from them, and so is the OpenAPI document (`openapi`).

/// Who may call a route at all. Which objects they may name is [`Object`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Anyone,
    /// Whoever holds the server's setup token (in the body).
    SetupToken,
    /// Whoever holds the invite's token ([`crate::INVITE_SCHEME`]).
    Invitee,
    /// An invitee, or any session, also of a pending account.
    InviteeOrSession,
    /// Any session, also of a pending account.
    Session,
    /// A session of an active account of either role.
    Member,
    /// A session of an active Ops member.
    Ops,
}

/// Which object a route names in its path, and whose it must be; for everybody else it is 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// None.
    None,
    /// A file of the caller's own.
    OwnFile,
    /// A file of the caller's own, or one shared with them.
    ReadableFile,
    /// An invite.
    Invite,
    /// A file of a former member; one of the caller's own is a conflict.
    LeftFile,
    /// A person; unknown ones give an empty answer.
    Person,
}

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// HTTP method.
    pub method: &'static str,
    /// Path with `{placeholders}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Which object it names.
    pub object: Object,
    /// Its constant's name below.
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
}

impl Route {
    /// Whether a request's path (without query) is one of this route's. Several routes may fit, such as `/files/shared`
    /// and `/files/{file_id}`: [`find`] tells which one it is.
    pub fn fits(&self, path: &str) -> bool {
        let (mut wanted, mut given) = (self.path.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(wanted), Some(given))
                    if wanted.starts_with('{') && !given.is_empty() || wanted == given => {}
                _ => return false,
            }
        }
    }

    /// Whether it answers clients of every version, so that they can find out which one this server speaks.
    pub fn answers_any_version(&self) -> bool {
        [HEALTHZ, READYZ, SERVER, OPENAPI, DOCS].contains(self)
    }

    /// The path with its placeholders filled in, in order. Values are ids and numbers, which need no escaping.
    pub fn fill(&self, values: &[&dyn std::fmt::Display]) -> String {
        let mut values = values.iter();
        let segments = self.path.split('/').map(|segment| match segment.strip_prefix('{') {
            Some(name) => values.next().map_or_else(|| name.to_owned(), ToString::to_string),
            None => segment.to_owned(),
        });
        segments.collect::<Vec<_>>().join("/")
    }
}

macro_rules! routes {
    ($($(#[doc = $doc:literal])* $name:ident = $method:literal $path:literal, $access:ident, $object:ident;)*) => {
        $($(#[doc = $doc])* pub const $name: Route = Route {
            method: $method,
            path: $path,
            access: Access::$access,
            object: Object::$object,
            name: stringify!($name),
            summary: concat!($($doc),*).trim_ascii(),
        };)*

        /// Every route.
        pub const ALL: &[Route] = &[$($name),*];
    };
}

routes! {
    /// Liveness: the process runs.
    HEALTHZ = "GET" "/healthz", Anyone, None;
    /// Readiness: database and blob store answer.
    READYZ = "GET" "/readyz", Anyone, None;
    /// What a stranger may know of the server.
    SERVER = "GET" "/server", Anyone, None;
    /// The description of this interface, as OpenAPI 3.1.
    OPENAPI = "GET" "/openapi.json", Anyone, None;
    /// The description of this interface, as a page for people.
    DOCS = "GET" "/docs", Anyone, None;

    /// The founder's OPAQUE registration, first message.
    ORGANISATION_REGISTER = "POST" "/organisation/register", SetupToken, None;
    /// Founds the organisation.
    ORGANISATION = "POST" "/organisation", SetupToken, None;

    /// OPAQUE KE1 → KE2.
    LOGIN = "POST" "/auth/login", Anyone, None;
    /// OPAQUE KE3 → session.
    LOGIN_FINISH = "POST" "/auth/login/finish", Anyone, None;
    /// Signing key → nonce to sign.
    KEY_CHALLENGE = "POST" "/auth/key/challenge", Anyone, None;
    /// Signed nonce → session.
    KEY_LOGIN = "POST" "/auth/key", Anyone, None;
    /// Refresh token → tokens.
    REFRESH = "POST" "/auth/refresh", Anyone, None;
    /// Ends the session at once.
    LOGOUT = "POST" "/auth/logout", Session, None;

    /// The signed-in account.
    ACCOUNT = "GET" "/account", Session, None;
    /// OPAQUE registration request → response, and a nonce: begins a change of the password.
    CREDENTIAL_CHALLENGE = "POST" "/account/credential/challenge", Session, None;
    /// Changes the password: credential, OPAQUE record and envelope at once.
    PUT_CREDENTIAL = "PUT" "/account/credential", Session, None;
    /// New keys: log entry, bundle, credential, OPAQUE record, envelope and vault at once.
    ROTATE = "POST" "/account/rotate", Member, None;
    /// The sealed vault.
    VAULT = "GET" "/account/vault", Session, None;
    /// Replaces the vault (compare and swap).
    PUT_VAULT = "PUT" "/account/vault", Session, None;
    /// Who is in the organisation, as far as the caller may know.
    MEMBERS = "GET" "/members", InviteeOrSession, None;

    /// What ends with somebody's membership.
    MEMBER = "GET" "/members/{user_id}", Ops, Person;
    /// What a former member left behind.
    LEFT_FILES = "GET" "/members/{user_id}/files", Ops, Person;

    /// A page of the organisation's log.
    LOG = "GET" "/log", InviteeOrSession, None;
    /// Appends to the log.
    APPEND_LOG = "POST" "/log", Ops, None;
    /// A checkpoint that the caller has seen, over more than the server has.
    LOG_SEEN = "POST" "/log/seen", InviteeOrSession, None;

    /// Creates an invite.
    CREATE_INVITE = "POST" "/invites", Ops, None;
    /// Lists invites.
    INVITES = "GET" "/invites", Ops, None;
    /// One invite, to its holder.
    INVITE = "GET" "/invites/{invite_id}", Invitee, Invite;
    /// The invitee's OPAQUE registration, first message.
    INVITE_REGISTER = "POST" "/invites/{invite_id}/register", Invitee, Invite;
    /// Accepts the invite.
    INVITE_ACCEPT = "POST" "/invites/{invite_id}/accept", Invitee, Invite;

    /// Begins an upload.
    CREATE_FILE = "POST" "/files", Ops, None;
    /// Uploads many small files at once.
    CREATE_FILES = "POST" "/files/batch", Ops, None;
    /// The caller's own files.
    FILES = "GET" "/files", Ops, None;
    /// What was shared with the caller.
    FILES_SHARED = "GET" "/files/shared", Member, None;
    /// One file.
    FILE = "GET" "/files/{file_id}", Member, ReadableFile;
    /// Deletes a file, or cancels its upload.
    DELETE_FILE = "DELETE" "/files/{file_id}", Ops, OwnFile;
    /// Uploads one part.
    PUT_PART = "PUT" "/files/{file_id}/versions/{version}/parts/{index}", Ops, OwnFile;
    /// Digests of a version's parts.
    PARTS = "GET" "/files/{file_id}/versions/{version}/parts", Member, ReadableFile;
    /// Completes an upload.
    COMPLETE = "POST" "/files/{file_id}/versions/{version}/complete", Ops, OwnFile;
    /// Puts a newly sealed version, with its shares, in place of the live one.
    REKEY = "POST" "/files/{file_id}/versions/{version}/rekey", Ops, OwnFile;
    /// Cancels the upload of one version.
    CANCEL_VERSION = "DELETE" "/files/{file_id}/versions/{version}", Ops, OwnFile;
    /// The manifests of a file's earlier versions.
    MANIFESTS = "GET" "/files/{file_id}/manifests", Member, ReadableFile;
    /// The ciphertext, whole or a range.
    DOWNLOAD = "GET" "/files/{file_id}/download", Member, ReadableFile;
    /// Shares a file.
    SHARE = "POST" "/files/{file_id}/share", Ops, OwnFile;
    /// Shares many files at once.
    SHARE_FILES = "POST" "/shares/batch", Ops, None;
    /// A file's shares.
    SHARES = "GET" "/files/{file_id}/shares", Ops, OwnFile;
    /// Ends a share.
    UNSHARE = "POST" "/files/{file_id}/unshare", Ops, OwnFile;
    /// Takes a former member's file out of circulation.
    WITHDRAW = "POST" "/files/{file_id}/withdraw", Ops, LeftFile;
    /// Stores a receipt.
    POST_RECEIPT = "POST" "/files/{file_id}/receipt", Member, ReadableFile;
    /// Receipts for the caller's files.
    RECEIPTS = "GET" "/receipts", Ops, None;
    /// Shares and unshares between the caller and one person.
    PAIR = "GET" "/pairs/{user_id}", Member, Person;
}

/// The route of a request, as the server's router finds it: what is literal counts more than a placeholder.
pub fn find(method: &str, path: &str) -> Option<&'static Route> {
    let fitting = ALL.iter().filter(|route| route.method == method && route.fits(path));
    fitting.min_by_key(|route| route.path.matches('{').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_order() {
        assert_eq!(PUT_PART.fill(&[&"ab", &1, &7]), "/files/ab/versions/1/parts/7");
        assert_eq!(LOGIN.fill(&[]), "/auth/login");
    }

    #[test]
    fn a_request_finds_its_route() {
        assert_eq!(find("GET", "/files/shared"), Some(&FILES_SHARED));
        assert_eq!(find("GET", "/files/ab"), Some(&FILE));
        assert_eq!(find("DELETE", "/files/shared"), Some(&DELETE_FILE));
        for (method, path) in
            [("GET", "/files/"), ("GET", "/files/ab/"), ("GET", "files/ab"), ("PATCH", "/files/ab")]
        {
            assert_eq!(find(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn no_route_stands_twice() {
        for (n, route) in ALL.iter().enumerate() {
            assert!(
                !ALL[..n].iter().any(|other| (other.method, other.path) == (route.method, route.path)),
                "{route:?}"
            );
        }
    }
}
