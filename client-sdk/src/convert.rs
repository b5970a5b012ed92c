//! Failures of the protocol as errors of the SDK: the sentence and the stable code are crypto-core's own.

use sealpost_crypto::{
    bundle::BundleError,
    chunk::ContentError,
    credential::CredentialError,
    email::EmailError,
    envelope::EnvelopeError,
    evidence::EvidenceError,
    fork::ForkError,
    invite::{AcceptError, AcceptanceError, AdmissionError, CodeError, InviteError, OfferError},
    log::{
        AuthorError, CheckpointError, Fork, FoundingError, LogError, PositionError, SignerError,
        StandingError,
    },
    manifest::{ManifestError, NextError, VersionError},
    metadata::MetadataError,
    opening::{OpeningError, ResolveError},
    pair::{PairEntryError, PairError},
    parts::PartError,
    password::{LoginFailed, PasswordError},
    receipt::{MakeReceiptError, ReceiptError},
    record::RecordError,
    share::{OpenShareError, SealError, ShareError, UnshareError},
    size::SizeError,
    vault::{MergeConflict, VaultError},
    withdraw::WithdrawError,
};

use crate::{
    error::{Error, ErrorKind, ROTATED_HINT},
    signed_in::pending,
};

const PROVES_NOTHING: &str = "It proves nothing. Check the organisation's id, and ask for another copy.";

macro_rules! verification {
    ($($failure:ty),* $(,)?) => { $(
        impl From<$failure> for Error {
            fn from(failure: $failure) -> Self {
                verification(&failure, failure.code())
            }
        }
    )* };
}

/// A failed check. If it found that the server signed two histories, that goes along until it is kept.
fn verification(failure: &(dyn std::error::Error + 'static), code: &str) -> Error {
    let fork = failure.source().and_then(|source| source.downcast_ref::<Box<Fork>>());
    Error::verification(code, failure.to_string()).with_fork(fork.map(|fork| fork.as_ref().clone()))
}

verification!(
    AcceptError,
    AcceptanceError,
    AdmissionError,
    BundleError,
    CheckpointError,
    ContentError,
    CredentialError,
    FoundingError,
    LogError,
    MakeReceiptError,
    ManifestError,
    OpenShareError,
    PairEntryError,
    PairError,
    PartError,
    PositionError,
    ReceiptError,
    RecordError,
    ResolveError,
    SealError,
    ShareError,
    StandingError,
    UnshareError,
    VersionError,
    WithdrawError,
);

/// What the user gave, rather than what somebody sent.
macro_rules! input {
    ($($failure:ty => $hint:literal),* $(,)?) => { $(
        impl From<$failure> for Error {
            fn from(failure: $failure) -> Self {
                Error::new(ErrorKind::InvalidInput, failure.code(), failure.to_string()).with_hint($hint)
            }
        }
    )* };
}

input!(
    EmailError => "Give an address like name@example.org.",
    InviteError => "Check the address, and that your own account is active.",
    SizeError => "One file holds at most 512 GiB.",
);

/// Who signed a record does not verify.
pub(crate) fn author(failure: AuthorError) -> Error {
    verification(&failure, failure.code())
}

impl From<CodeError> for Error {
    fn from(failure: CodeError) -> Self {
        Error::new(ErrorKind::InviteMistyped, failure.code(), failure.to_string())
            .with_hint("Check the code against the one you were given; case and hyphens do not matter.")
    }
}

impl From<MetadataError> for Error {
    fn from(failure: MetadataError) -> Self {
        match failure {
            MetadataError::TooLong => {
                Error::new(ErrorKind::InvalidInput, failure.code(), failure.to_string())
                    .with_hint("Shorten the note, or rename the file.")
            }
            other => verification(&other, other.code()),
        }
    }
}

impl From<OpeningError> for Error {
    fn from(failure: OpeningError) -> Self {
        match failure {
            OpeningError::NameTooLong => {
                Error::new(ErrorKind::InvalidInput, failure.code(), failure.to_string())
                    .with_hint("Give a shorter name.")
            }
            other => verification(&other, other.code()),
        }
    }
}

impl From<OfferError> for Error {
    fn from(failure: OfferError) -> Self {
        match failure {
            OfferError::Expired | OfferError::InviterGone => {
                Error::new(ErrorKind::InviteEnded, failure.code(), failure.to_string())
                    .with_hint("Ask your sender for a new invite.")
            }
            other => verification(&other, other.code()),
        }
    }
}

impl From<EvidenceError> for Error {
    fn from(failure: EvidenceError) -> Self {
        match failure {
            EvidenceError::Undisclosed => {
                Error::new(ErrorKind::InvalidInput, failure.code(), failure.to_string())
                    .with_hint("Ask for evidence made with --disclose, or leave the file out.")
            }
            other => verification(&other, other.code()).with_hint(PROVES_NOTHING),
        }
    }
}

impl From<ForkError> for Error {
    fn from(failure: ForkError) -> Self {
        verification(&failure, failure.code()).with_hint(PROVES_NOTHING)
    }
}

impl From<SignerError> for Error {
    fn from(failure: SignerError) -> Self {
        let (kind, hint) = match failure {
            SignerError::Pending => return pending(),
            SignerError::NotOps => (ErrorKind::Forbidden, "Ask an Ops member of your organisation."),
            SignerError::Ended => {
                (ErrorKind::AccountEnded, "Ask an Ops member of the organisation, if that is a mistake.")
            }
            SignerError::Rotated => (ErrorKind::AccountRotated, ROTATED_HINT),
            _ => return Error::verification(failure.code(), failure.to_string()),
        };
        Error::new(kind, failure.code(), failure.to_string()).with_hint(hint)
    }
}

impl From<NextError> for Error {
    fn from(failure: NextError) -> Self {
        match failure {
            NextError::Signer(failure) => failure.into(),
            other => verification(&other, other.code()),
        }
    }
}

impl From<EnvelopeError> for Error {
    fn from(failure: EnvelopeError) -> Self {
        Error::verification("envelope", failure.to_string())
    }
}

impl From<VaultError> for Error {
    fn from(failure: VaultError) -> Self {
        match failure {
            VaultError::TooLong => Error::new(
                ErrorKind::InvalidInput,
                "vault_full",
                "this account can keep no more notes for itself",
            )
            .with_hint(
                "Take queued shares back that are not wanted any more (`sealpost unshare`), then try again.",
            ),
            VaultError::Unopenable => Error::verification("vault", failure.to_string()),
        }
    }
}

impl From<MergeConflict> for Error {
    fn from(failure: MergeConflict) -> Self {
        Error::verification("pin_conflict", failure.to_string())
    }
}

impl From<LoginFailed> for Error {
    fn from(_: LoginFailed) -> Self {
        Error::new(
            ErrorKind::LoginFailed,
            "login_failed",
            "the address, the password or the account key is wrong",
        )
        .with_hint(
            "Check all three. An account key is on the recovery kit; accounts of Ops members have one.",
        )
    }
}

impl From<PasswordError> for Error {
    fn from(failure: PasswordError) -> Self {
        Error::new(ErrorKind::InvalidInput, "password", failure.to_string())
            .with_hint("Several unrelated words are easy to remember and hard to guess.")
    }
}
