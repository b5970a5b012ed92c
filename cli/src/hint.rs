//! Renders failures, in one place: `error: …` and `hint: …` on standard error, and the same as JSON for scripts.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{failure::Failure, text};

/// What `--json` adds on standard error: `{"error":{"code","message","hint","proof"}}`, one line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorDocument<'a> {
    /// Why the command failed.
    error: ErrorBody<'a>,
}

/// An error inside JSON output: of the whole command, or of one recipient or file of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ErrorBody<'a> {
    /// Stable name.
    pub code: &'a str,
    /// What happened.
    pub message: &'a str,
    /// What to do next.
    pub hint: Option<&'a str>,
    /// A file with the proof, when the server showed two different histories.
    pub proof: Option<&'a str>,
}

impl<'a> From<&'a Failure> for ErrorBody<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            code: &failure.code,
            message: &failure.message,
            hint: failure.hint.as_deref(),
            proof: failure.proof.as_deref(),
        }
    }
}

/// For people: the error, and below it the hint.
pub fn human(failure: &Failure, colour: bool) -> String {
    let mut text = format!("{} {}\n", paint("error:", "1;31", colour), text::safe(&failure.message));
    if let Some(hint) = &failure.hint {
        text += &format!("{} {}\n", paint("hint:", "1;36", colour), text::safe(hint));
    }
    text
}

/// For scripts: one line of JSON.
pub fn json(failure: &Failure) -> String {
    let document = ErrorDocument { error: failure.into() };
    // A structure of strings always serialises.
    text::safe_json(&serde_json::to_string(&document).unwrap_or_default())
}

/// A warning that does not end the command.
pub fn warning(message: &str, colour: bool) -> String {
    format!("{} {}\n", paint("warning:", "1;33", colour), text::safe(message))
}

fn paint(word: &str, style: &str, colour: bool) -> String {
    if colour { format!("\x1b[{style}m{word}\x1b[0m") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn failure() -> Failure {
        Failure::new(Exit::NotFound, "not_found", "no such file\x1b[2J").hint("Run `sealpost ls`.")
    }

    #[test]
    fn people_read_the_error_and_the_hint_once_without_escapes() {
        assert_eq!(human(&failure(), false), "error: no such file\\u{1b}[2J\nhint: Run `sealpost ls`.\n");
        let plain = Failure::usage("no");
        assert_eq!(human(&plain, false), "error: no\n");
        assert_eq!(human(&plain, true), "\x1b[1;31merror:\x1b[0m no\n");
    }

    #[test]
    fn scripts_read_code_message_and_hint() {
        let line = json(&failure());
        assert!(!line.contains(['\n', '\x1b']));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["error"]["code"], "not_found");
        assert_eq!(value["error"]["message"], "no such file\x1b[2J");
        assert_eq!(value["error"]["hint"], "Run `sealpost ls`.");
    }
}
