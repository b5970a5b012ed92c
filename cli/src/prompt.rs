//! Asks for passwords and confirmations, or takes them from where a script put them.

use std::{
    fs::File,
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// Shortest new password, characters. Argon2id makes guessing dear; this makes it long.
pub const MIN_PASSWORD_CHARS: usize = 10;
/// Longest password, and longest secret line from a file or standard input, bytes.
pub const MAX_SECRET_BYTES: u64 = 1_024;
/// Environment variable with the password itself, for systems that hand secrets over this way.
pub const PASSWORD_VARIABLE: &str = "SEALPOST_PASSWORD";

/// Time that a password prompt gets to put the terminal back in order after Ctrl-C.
const RESTORE_TERMINAL: Duration = Duration::from_millis(100);

/// A secret line that somebody typed, or that stood in a file.
pub type Secret = Zeroizing<String>;

static READING_PASSWORD: AtomicBool = AtomicBool::new(false);

/// Where the password comes from.
#[derive(Clone)]
pub enum PasswordSource {
    /// First line of a file.
    File(PathBuf),
    /// First line of standard input.
    Stdin,
    /// [`PASSWORD_VARIABLE`].
    Environment(Secret),
    /// The person at the terminal.
    Terminal,
}

impl PasswordSource {
    /// Flags first, then the environment, then a person.
    pub fn new(file: Option<PathBuf>, stdin: bool) -> Self {
        match (file, std::env::var(PASSWORD_VARIABLE)) {
            _ if stdin => Self::Stdin,
            (Some(file), _) => Self::File(file),
            (None, Ok(password)) => Self::Environment(Zeroizing::new(password)),
            (None, Err(_)) => Self::Terminal,
        }
    }
}

/// Asks the person, if there is one.
#[derive(Clone)]
pub struct Prompter {
    source: PasswordSource,
    yes: bool,
}

impl Prompter {
    /// `yes`: every confirmation is given in advance.
    pub fn new(source: PasswordSource, yes: bool) -> Self {
        Self { source, yes }
    }

    /// Whether standard input is where the password comes from, and so can't hold anything else.
    pub fn reads_stdin(&self) -> bool {
        matches!(self.source, PasswordSource::Stdin)
    }

    /// Whether there is a person to ask: with the password handed over, nothing prompts.
    pub fn interactive(&self) -> bool {
        matches!(self.source, PasswordSource::Terminal) && on_terminal()
    }

    /// An existing password.
    pub async fn password(&self) -> Outcome<Secret> {
        self.password_as("Password: ").await
    }

    /// An existing password, asked for with these words.
    pub async fn password_as(&self, question: &str) -> Outcome<Secret> {
        match &self.source {
            PasswordSource::File(path) => secret_file(path),
            PasswordSource::Stdin => blocking(|| first_line(io::stdin().lock(), "standard input")).await,
            PasswordSource::Environment(password) => Ok(password.clone()),
            PasswordSource::Terminal => self.hidden(question).await,
        }
    }

    /// A new password, asked for twice and long enough.
    pub async fn new_password(&self) -> Outcome<Secret> {
        if !self.interactive() {
            let password = self.password().await?;
            return check_new(&password).map(|()| password);
        }
        self.ask_new().await
    }

    /// A new password beside the current one: from `file`, else asked for.
    pub async fn replacement(&self, file: Option<&Path>) -> Outcome<Secret> {
        match file {
            Some(path) => {
                let password = secret_file(path)?;
                check_new(&password).map(|()| password)
            }
            None if self.interactive() => self.ask_new().await,
            None => Err(Failure::usage("no new password was given, and there is nobody to ask")
                .hint("Add --new-password-file FILE.")),
        }
    }

    async fn ask_new(&self) -> Outcome<Secret> {
        loop {
            let password =
                self.hidden(&format!("New password (at least {MIN_PASSWORD_CHARS} characters): ")).await?;
            let problem = match check_new(&password) {
                Err(failure) => failure.message,
                Ok(()) if self.hidden("The same again: ").await? != password => "the two differ".to_owned(),
                Ok(()) => return Ok(password),
            };
            say(&format!("That will not do: {problem}.\n"));
        }
    }

    /// A secret that is not the password: shown nowhere while typed. `None` if nobody can be asked.
    pub async fn secret(&self, question: &str) -> Outcome<Option<Secret>> {
        if self.interactive() { self.hidden(question).await.map(Some) } else { Ok(None) }
    }

    /// A line of text. `None` if nobody can be asked.
    pub async fn line(&self, question: &str) -> Outcome<Option<String>> {
        if !self.interactive() {
            return Ok(None);
        }
        say(question);
        let line = blocking(|| first_line(io::stdin().lock(), "standard input")).await?;
        Ok(Some(line.trim().to_owned()))
    }

    /// Whether `-y` answers every confirmation in advance.
    pub fn says_yes(&self) -> bool {
        self.yes
    }

    /// Yes or no; yes without asking when `-y` or a password was handed over. Nobody to ask is an error.
    pub async fn confirm(&self, question: &str) -> Outcome<bool> {
        if self.yes || !matches!(self.source, PasswordSource::Terminal) {
            return Ok(true);
        }
        match self.line(&format!("{question} [y/N] ")).await? {
            Some(answer) => Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes")),
            None => {
                Err(Failure::usage("this needs a yes, and there is no terminal to ask on").hint("Add -y."))
            }
        }
    }

    async fn hidden(&self, question: &str) -> Outcome<Secret> {
        if !on_terminal() {
            return Err(Failure::usage("no password was given, and there is no terminal to ask on")
                .hint("Use --password-file FILE or --password-stdin."));
        }
        let question = question.to_owned();
        blocking(move || read_hidden(&question)).await
    }
}

/// After Ctrl-C: lets a password prompt switch the terminal's echo on again before the process ends.
pub async fn restore_terminal() {
    if READING_PASSWORD.load(Ordering::Acquire) {
        tokio::time::sleep(RESTORE_TERMINAL).await;
    }
}

/// The first line of a file that holds a secret.
pub fn secret_file(path: &Path) -> Outcome<Secret> {
    let file = File::open(path).map_err(|error| Failure::local("read", path, &error))?;
    first_line(io::BufReader::new(file), &path.display().to_string())
}

/// The first line of standard input, where a script hands over a secret.
pub async fn secret_stdin() -> Outcome<Secret> {
    blocking(|| first_line(io::stdin().lock(), "standard input")).await
}

fn on_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn say(text: &str) {
    // When standard error is gone there is nowhere left to say so.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Runs what may wait for a person or a pipe, so that Ctrl-C is still heard.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
    spawn_blocking(work).await.unwrap_or_else(|_| Err(Failure::interrupted()))
}

fn read_hidden(question: &str) -> Outcome<Secret> {
    READING_PASSWORD.store(true, Ordering::Release);
    let answer = rpassword::prompt_password(question);
    READING_PASSWORD.store(false, Ordering::Release);
    answer.map(Zeroizing::new).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => Failure::interrupted(),
        _ => Failure::new(Exit::LocalFile, "terminal", format!("can't read from the terminal: {error}"))
            .hint("Where there is no terminal, use --password-file FILE."),
    })
}

/// One line without its line end; at most [`MAX_SECRET_BYTES`], not empty.
fn first_line(source: impl BufRead, name: &str) -> Outcome<Secret> {
    let mut line = Zeroizing::new(String::with_capacity(MAX_SECRET_BYTES as usize + 2));
    let read = source.take(MAX_SECRET_BYTES + 2).read_line(&mut line);
    read.map_err(|error| {
        Failure::new(Exit::LocalFile, "local_file", format!("can't read {name}: {error}"))
            .hint("Check the path and its permissions.")
    })?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    if line.is_empty() || line.len() as u64 > MAX_SECRET_BYTES {
        let limit = format!("the first line of {name} must have 1 to {MAX_SECRET_BYTES} bytes");
        return Err(Failure::usage(limit).hint("Put the secret there, alone."));
    }
    Ok(line)
}

fn check_new(password: &str) -> Outcome {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        let message = format!("a new password needs at least {MIN_PASSWORD_CHARS} characters");
        return Err(Failure::new(Exit::Usage, "password_too_short", message)
            .hint("Several unrelated words are easy to remember and hard to guess."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Outcome<Secret> {
        first_line(text.as_bytes(), "the file")
    }

    #[test]
    fn only_the_line_end_is_cut_off() {
        for text in ["pass word ", "pass word \n", "pass word \r\n", "pass word \nsecond line\n"] {
            assert_eq!(line(text).unwrap().as_str(), "pass word ", "{text:?}");
        }
    }

    #[test]
    fn empty_and_endless_secrets_are_refused() {
        let limit = MAX_SECRET_BYTES as usize;
        assert!(line(&"x".repeat(limit)).is_ok());
        for wrong in ["", "\n", &"x".repeat(limit + 1), &"x".repeat(1 << 20)] {
            assert_eq!(line(wrong).unwrap_err().exit, Exit::Usage);
        }
    }

    #[test]
    fn a_new_password_has_a_minimum_in_characters_not_bytes() {
        assert!(check_new("ääääääääää").is_ok());
        assert!(check_new("äääääääää").is_err());
    }

    #[tokio::test]
    async fn with_a_password_file_nothing_prompts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pw");
        std::fs::write(&path, "correct horse\n").unwrap();
        let prompter = Prompter::new(PasswordSource::File(path), false);
        assert_eq!(prompter.new_password().await.unwrap().as_str(), "correct horse");
        assert!(prompter.confirm("Really?").await.unwrap());
        assert!(prompter.line("Name: ").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_missing_password_file_says_so() {
        let failure =
            Prompter::new(PasswordSource::File("/nowhere/pw".into()), false).password().await.unwrap_err();
        assert_eq!(failure.exit, Exit::LocalFile);
        assert!(failure.message.contains("/nowhere/pw"));
    }
}
