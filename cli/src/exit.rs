//! Exit codes: scripts rely on them, so their numbers never change.

use std::process::ExitCode;

use sealpost_client::ErrorKind;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Ok = 0,
    /// The command line or an argument is not usable.
    Usage = 2,
    /// Not signed in; wrong password; the invite or the setup token does not work.
    Authentication = 3,
    /// Not found, expired, used up, or not shared with this account.
    NotFound = 4,
    /// This role or this account may not do that.
    Forbidden = 5,
    /// The server can't be reached, or failed.
    Network = 6,
    /// Something the server returned, or somebody signed, does not verify.
    Verification = 7,
    /// A local file or folder can't be read or written.
    LocalFile = 8,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        use ErrorKind as K;
        match kind {
            K::InvalidInput | K::Unsupported => Self::Usage,
            K::NotSignedIn | K::LoginFailed | K::SetupToken | K::TooManyAttempts => Self::Authentication,
            K::AccountRotated => Self::Authentication,
            K::InviteMistyped | K::InviteUnknown | K::InviteEnded => Self::Authentication,
            K::NotFound | K::RecipientUnknown | K::RecipientPending => Self::NotFound,
            K::Forbidden | K::AccountPending | K::AccountEnded | K::Conflict => Self::Forbidden,
            K::Verification => Self::Verification,
            K::LocalFile | K::SourceChanged | K::DestinationExists | K::State => Self::LocalFile,
            K::Interrupted => Self::Interrupted,
            _ => Self::Network,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_documented_exit_codes() {
        let documented = [
            (ErrorKind::InvalidInput, 2),
            (ErrorKind::LoginFailed, 3),
            (ErrorKind::InviteEnded, 3),
            (ErrorKind::AccountRotated, 3),
            (ErrorKind::NotFound, 4),
            (ErrorKind::RecipientPending, 4),
            (ErrorKind::AccountPending, 5),
            (ErrorKind::Network, 6),
            (ErrorKind::Version, 6),
            (ErrorKind::StorageFull, 6),
            (ErrorKind::Verification, 7),
            (ErrorKind::DestinationExists, 8),
            (ErrorKind::Interrupted, 130),
        ];
        for (kind, code) in documented {
            assert_eq!(Exit::from(kind) as u8, code, "{kind:?}");
        }
    }
}
