//! What a command fails with: one sentence, a hint, a stable code, an exit code.

use std::{borrow::Cow, io, path::Path};

use sealpost_client::Error;

use crate::exit::Exit;

/// A failed command, ready to be rendered by [`crate::hint`].
#[derive(Debug, Clone)]
pub struct Failure {
    /// Stable name for scripts.
    pub code: Cow<'static, str>,
    /// What happened: one sentence without a full stop.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// A file with the proof, when the server showed two different histories.
    pub proof: Option<String>,
    /// The process's exit code.
    pub exit: Exit,
    /// Nothing is left to be said: the reader of standard output is gone, or everything was reported before.
    pub silent: bool,
}

/// What commands return.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with its code and its exit code.
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), hint: None, proof: None, exit, silent: false }
    }

    /// The command line is not usable.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// Part of the contract that a later version brings.
    pub fn later(what: &str) -> Self {
        Self::new(Exit::Usage, "unsupported", format!("{what} comes with a later version of Sealpost"))
            .hint("Leave it out for now.")
    }

    /// A local file or folder can't be used for `doing` ("read", "write", …).
    pub fn local(doing: &str, path: &Path, error: &io::Error) -> Self {
        let failure =
            Self::new(Exit::LocalFile, "local_file", format!("can't {doing} {}: {error}", path.display()));
        match error.kind() {
            io::ErrorKind::NotFound => failure.hint("Check the path."),
            io::ErrorKind::PermissionDenied => failure.hint("Check who owns it and its permissions."),
            io::ErrorKind::StorageFull => failure.hint("Free some space, then run the command again."),
            _ => failure,
        }
    }

    /// Ended by Ctrl-C.
    pub fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted", "interrupted")
            .hint("The same command goes on where this one ended.")
    }

    /// Ends with `exit` and says nothing more.
    pub fn silent(exit: Exit) -> Self {
        Self { silent: true, ..Self::new(exit, "reported", "reported before") }
    }

    /// Names the file or person that it is about, unless it does so by itself.
    #[must_use]
    pub fn about(mut self, item: &str) -> Self {
        if !self.message.contains(item) {
            self.message = format!("{item}: {}", self.message);
        }
        self
    }

    /// Adds what to do next, unless that is known already.
    #[must_use]
    pub fn or_hint(self, hint: &str) -> Self {
        if self.hint.is_some() { self } else { self.hint(hint) }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: Cow::Owned(error.code().to_owned()),
            message: error.to_string().trim_end_matches('.').to_owned(),
            hint: error.hint().map(str::to_owned),
            proof: error.proof().map(str::to_owned),
            exit: error.kind().into(),
            silent: false,
        }
    }
}
