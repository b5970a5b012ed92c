//! Errors as callers meet them: one sentence that says what happened, a hint that says what to do next, a kind
//! to match on, a stable code for scripts.

use std::fmt;

use sealpost_api::problem::{ErrorCode, Problem};
use sealpost_crypto::log::Fork;

/// What went wrong, for callers to match on. More kinds may come, so a `match` needs a last arm.
///
/// [`Error::code`] is finer and as stable. The codes of the server's answers are listed by
/// [`sealpost_api::problem::ErrorCode`]; these are the ones that callers most often tell apart:
///
/// | kind | codes | what to do |
/// |---|---|---|
/// | [`InvalidInput`](Self::InvalidInput) | `invalid_input`, `password`, `range_outside`, `size_too_large`, `limit_reached`, `kit_…` | ask for something else |
/// | [`NotSignedIn`](Self::NotSignedIn) | `not_signed_in`, `session_ended` | sign in |
/// | [`AccountRotated`](Self::AccountRotated) | `account_rotated` | sign in with the password and the newest kit's account key |
/// | [`LoginFailed`](Self::LoginFailed) | `login_failed`, `clock_off`, `kit_unknown` | ask again; which of address, password and account key is wrong is not said |
/// | [`InviteMistyped`](Self::InviteMistyped), [`InviteUnknown`](Self::InviteUnknown), [`InviteEnded`](Self::InviteEnded) | `invite_…` | ask for the code, or for a new invite |
/// | [`TooManyAttempts`](Self::TooManyAttempts) | `too_many_attempts` | wait |
/// | [`NotFound`](Self::NotFound) | `not_found`, `not_shared` | nothing: it is gone, or was never for this account |
/// | [`RecipientUnknown`](Self::RecipientUnknown), [`RecipientPending`](Self::RecipientPending) | `recipient_unknown`, `recipient_pending` | invite; wait until they joined |
/// | [`Forbidden`](Self::Forbidden), [`AccountPending`](Self::AccountPending) | `role_forbidden`, `account_pending` | ask an Ops member |
/// | [`Conflict`](Self::Conflict) | `already_uploaded`, `already_shared`, `download_in_progress`, `version_replaced`, `rekey_overtaken`, `pair_conflict`, `vault_conflict`, `log_conflict` | it is there already, or somebody else was first: call again |
/// | [`Network`](Self::Network), [`Server`](Self::Server) | `connect`, `network`; `unavailable`, `bad_gateway`, `internal`, `unexpected_answer` | call again later: it was tried several times |
/// | [`Verification`](Self::Verification) | the name of the check: `part_mismatch`, `log_rollback`, `version_rollback`, `share_not_in_force`, `log_fork`, `log_withheld`, … | stop; nothing was used or written |
/// | [`LocalFile`](Self::LocalFile), [`DestinationExists`](Self::DestinationExists), [`SourceChanged`](Self::SourceChanged) | `source_unreadable`, `not_a_file`, `write_failed`; `destination_exists`; `source_changed` | look at the file |
/// | [`State`](Self::State) | `state_folder`, `state_foreign` | another folder, or sign in again |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is not usable.
    InvalidInput,
    /// Nobody is signed in on this device.
    NotSignedIn,
    /// Address, password or account key are wrong; which, is not said.
    LoginFailed,
    /// The invite code was mistyped: its checksum fails.
    InviteMistyped,
    /// The server does not know the invite.
    InviteUnknown,
    /// The invite was used, has expired or was replaced.
    InviteEnded,
    /// The setup token is not the server's.
    SetupToken,
    /// Too many attempts; wait.
    TooManyAttempts,
    /// It does not exist, has expired, is used up or was not shared with this account.
    NotFound,
    /// Nobody with this address can be shared with.
    RecipientUnknown,
    /// The recipient has not joined, or is not certified yet.
    RecipientPending,
    /// The role may not do this.
    Forbidden,
    /// This account is not certified yet.
    AccountPending,
    /// This account was replaced by a new one, or revoked.
    AccountEnded,
    /// This account's keys were changed on another device, or after the recovery kit was made.
    AccountRotated,
    /// It exists already.
    Conflict,
    /// The server can't be reached, or the connection broke.
    Network,
    /// The server failed or answered nonsense.
    Server,
    /// Server and client speak different versions.
    Version,
    /// The server's storage is full.
    StorageFull,
    /// Something the server returned, or somebody signed, does not verify.
    Verification,
    /// A local file can't be read or written.
    LocalFile,
    /// The file changed while it was being uploaded.
    SourceChanged,
    /// The destination exists and was not to be overwritten.
    DestinationExists,
    /// This device's state folder is damaged, or belongs to another organisation.
    State,
    /// This version does not do that yet.
    Unsupported,
    /// The user interrupted.
    Interrupted,
}

/// An error of the SDK.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    code: String,
    message: String,
    hint: Option<String>,
    fork: Option<Box<Fork>>,
    proof: Option<String>,
}

/// What a device does whose keys were changed elsewhere.
pub(crate) const ROTATED_HINT: &str = "Sign in on this device again: `sealpost login`, with the password and the \
    account key on the newest recovery kit, if there is one on it. If you did not change the keys, somebody else has \
    your old ones: ask an Ops member to end the account.";

/// What functions of the SDK return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`: `code` is stable, `message` one sentence without a full stop.
    pub fn new(kind: ErrorKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, code: code.into(), message: message.into(), hint: None, fork: None, proof: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts what was being done before the message.
    #[must_use]
    pub fn context(mut self, doing: &str) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Stable name for scripts: the server's code, or the name of the check that failed.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Where the proof is kept that the server showed two different histories: for `sealpost verify-evidence`.
    pub fn proof(&self) -> Option<&str> {
        self.proof.as_deref()
    }

    /// What the check found, until it is kept.
    pub(crate) fn fork(&self) -> Option<&Fork> {
        self.fork.as_deref()
    }

    #[must_use]
    pub(crate) fn with_fork(mut self, fork: Option<Fork>) -> Self {
        self.fork = fork.map(Box::new);
        self
    }

    /// Says where the proof is.
    #[must_use]
    pub(crate) fn with_proof(mut self, place: String) -> Self {
        self.message = format!("{}; what it signed is kept in {place}", self.message);
        self.hint = Some(format!(
            "Use this server for nothing more. Whoever knows the organisation's id can check the file: \
             sealpost verify-evidence {place} --org ID"
        ));
        (self.fork, self.proof) = (None, Some(place));
        self
    }

    /// Something that must verify does not. `code` names the check.
    pub fn verification(code: &str, message: impl Into<String>) -> Self {
        let hint = match code {
            "signer_compromised" => {
                "Nothing was used. Ask an Ops member of the organisation, by another way than this server, whether it is \
                 genuine: they can deliver it again."
            }
            "signer_left" => {
                "Nothing was used. Ask an Ops member of the organisation: what somebody signed after leaving does not count."
            }
            _ => {
                "Nothing was used or written. Tell the sender and whoever runs the server; do not try to work around it."
            }
        };
        Self::new(ErrorKind::Verification, code, message).with_hint(hint)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, "invalid_input", message)
    }

    pub(crate) fn state(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::State, "state_folder", message).with_hint(
            "Name another folder with --home, or move this one away and sign in again: keys come back from the server with your password.",
        )
    }

    /// The server did not answer as a server does.
    pub(crate) fn unexpected(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Server, "unexpected_answer", message)
            .with_hint("Try again; if it keeps happening, tell whoever runs the server.")
    }

    pub(crate) fn internal(message: &str) -> Self {
        Self::new(ErrorKind::Server, "internal", message)
            .with_hint("This is a fault of the program: tell whoever develops or runs it.")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let kind = kind_of(&problem.code);
        let message = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
        let mut error = Self::new(kind, printable(problem.code.as_str()), printable(message));
        let hint = if problem.hint.is_empty() { default_hint(kind) } else { Some(printable(&problem.hint)) };
        // What to do next is this program's to say.
        error.hint = if kind == ErrorKind::AccountRotated { default_hint(kind) } else { hint };
        error
    }
}

fn kind_of(code: &ErrorCode) -> ErrorKind {
    use ErrorCode as C;
    match code {
        C::NotSignedIn => ErrorKind::NotSignedIn,
        C::LoginFailed => ErrorKind::LoginFailed,
        C::SetupToken => ErrorKind::SetupToken,
        C::InviteUnknown => ErrorKind::InviteUnknown,
        C::InviteUsed | C::InviteExpired | C::InviteReplaced | C::InviteCancelled => ErrorKind::InviteEnded,
        C::TooManyAttempts => ErrorKind::TooManyAttempts,
        C::NotFound => ErrorKind::NotFound,
        C::RecipientUnknown => ErrorKind::RecipientUnknown,
        C::RecipientPending => ErrorKind::RecipientPending,
        C::RoleForbidden => ErrorKind::Forbidden,
        C::AccountPending => ErrorKind::AccountPending,
        C::AccountEnded => ErrorKind::AccountEnded,
        C::AccountRotated => ErrorKind::AccountRotated,
        C::ApiVersion => ErrorKind::Version,
        C::StorageFull => ErrorKind::StorageFull,
        C::Unsupported => ErrorKind::Unsupported,
        C::LimitReached | C::MalformedRequest => ErrorKind::InvalidInput,
        C::IdTaken
        | C::AlreadyFounded
        | C::AlreadyMember
        | C::AlreadyShared
        | C::OwnerActive
        | C::ShareChanged
        | C::SharesChanged
        | C::VersionReplaced
        | C::AlreadyComplete
        | C::PartConflict
        | C::LogConflict
        | C::PairConflict
        | C::VaultConflict
        | C::CredentialChanged => ErrorKind::Conflict,
        _ => ErrorKind::Server,
    }
}

fn default_hint(kind: ErrorKind) -> Option<String> {
    let hint = match kind {
        ErrorKind::NotSignedIn => "Run `sealpost login`.",
        ErrorKind::LoginFailed => {
            "Check the address and the password, and the account key if your account has one."
        }
        ErrorKind::AccountRotated => ROTATED_HINT,
        ErrorKind::InviteEnded | ErrorKind::InviteUnknown => "Ask your sender for a new invite.",
        ErrorKind::TooManyAttempts => "Wait a few minutes, then try again.",
        ErrorKind::AccountPending => "Whoever invited you has to use Sealpost once more; then try again.",
        ErrorKind::AccountEnded => "Ask an Ops member of the organisation, if that is a mistake.",
        ErrorKind::RecipientUnknown => "Check the address, or invite them: `sealpost invite EMAIL`.",
        ErrorKind::RecipientPending => {
            "They join with their invite code first; then any command of the Ops member who invited them admits them."
        }
        ErrorKind::Forbidden => "Ask an Ops member of your organisation.",
        ErrorKind::SetupToken => "`sealpost serve` printed it at its first start.",
        ErrorKind::Conflict => "Look at what is there now, then try again.",
        ErrorKind::Server | ErrorKind::Network => {
            "Try again; if it keeps happening, tell whoever runs the server."
        }
        ErrorKind::Version => "Upgrade the older of the two, client or server.",
        ErrorKind::StorageFull => "Whoever runs the server must free or add disk space.",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Text from the server as it may be shown: no control characters, bounded.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_the_server_cannot_drive_a_terminal() {
        let error = Error::from(Problem::new(ErrorCode::Internal, format!("\x1b[2J{}", "x".repeat(10_000))));
        assert!(!error.to_string().contains('\x1b'));
        assert!(error.to_string().len() <= 500);
    }
}
