//! Where output goes: data to standard output (a table for people, JSON, or bare ids), all else to standard error.

use std::io::{self, IsTerminal, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    hint, text,
};

/// How data is written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
    /// Just the ids, one a line.
    Ids,
}

/// Data that commands show. The JSON comes from `Serialize`, and `docs/cli.md` describes it by its schema.
pub trait Show: Serialize + JsonSchema {
    /// For people; may be several lines, each ended. Text from others goes through [`text::safe`].
    fn human(&self) -> String;

    /// The ids that `-q` prints.
    fn ids(&self) -> Vec<String>;
}

/// The one way to standard output and standard error.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    format: Format,
    verbose: bool,
    colour: bool,
}

impl Printer {
    /// In this format; `verbose` shows what [`Self::detail`] says. `NO_COLOR` (no-color.org) turns colours off.
    pub fn new(format: Format, verbose: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { format, verbose, colour: io::stderr().is_terminal() && !no_colour }
    }

    /// How data is written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether a person looks at standard output in the human format.
    pub fn on_terminal(&self) -> bool {
        self.format == Format::Human && io::stdout().is_terminal()
    }

    /// Shows one piece of data.
    pub fn show(&self, data: &impl Show) -> Outcome {
        match self.format {
            Format::Human => self.out(&data.human()),
            Format::Json => self.out(&(to_json(data)? + "\n")),
            Format::Ids => self.out(&lines(&data.ids())),
        }
    }

    /// Begins a list whose entries are shown as they arrive: `{"<field>":[…]}` in JSON.
    pub fn list(&self, field: &'static str) -> List<'_> {
        List { printer: self, field, count: 0 }
    }

    /// Progress of the work, for people: standard error, unless quiet.
    pub fn note(&self, message: &str) {
        if self.format != Format::Ids {
            self.err(&format!("{message}\n"));
        }
    }

    /// Like [`Self::note`], only with `-v`.
    pub fn detail(&self, message: &str) {
        if self.verbose {
            self.err(&format!("{}\n", text::safe(message)));
        }
    }

    /// A warning that does not end the command.
    pub fn warn(&self, message: &str) {
        self.err(&hint::warning(message, self.colour));
    }

    /// Why the command failed.
    pub fn failure(&self, failure: &Failure) {
        if failure.silent {
            return;
        }
        self.err(&hint::human(failure, self.colour));
        self.detail(&format!("code: {}, exit code: {}", failure.code, failure.exit as u8));
        if self.format == Format::Json {
            self.err(&(hint::json(failure) + "\n"));
        }
    }

    /// Text on standard output, as it is.
    pub fn out(&self, text: &str) -> Outcome {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| stdout_failure(&error))
    }

    /// Text on standard error, as it is.
    pub fn err(&self, text: &str) {
        // When standard error is gone there is nowhere left to say so.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// A list in the making.
#[derive(Debug)]
pub struct List<'a> {
    printer: &'a Printer,
    field: &'static str,
    count: u64,
}

impl List<'_> {
    /// Shows one entry.
    pub fn entry(&mut self, data: &impl Show) -> Outcome {
        let first = self.count == 0;
        self.count += 1;
        match self.printer.format {
            Format::Human => self.printer.out(&data.human()),
            Format::Ids => self.printer.out(&lines(&data.ids())),
            Format::Json => {
                let before = if first { format!("{{\"{}\":[", self.field) } else { ",".to_owned() };
                self.printer.out(&(before + &to_json(data)?))
            }
        }
    }

    /// Ends the list. `rejected` are the entries that could not be shown: a further member of the JSON object.
    /// People are told `empty` if no entry came.
    pub fn end(self, rejected: &[impl Serialize], empty: &str) -> Outcome {
        match self.printer.format {
            Format::Ids => Ok(()),
            Format::Human => {
                if self.count == 0 {
                    self.printer.note(empty);
                }
                Ok(())
            }
            Format::Json => {
                let open = if self.count == 0 { format!("{{\"{}\":[", self.field) } else { String::new() };
                self.printer.out(&format!("{open}],\"rejected\":{}}}\n", to_json(&rejected)?))
            }
        }
    }
}

fn to_json(data: &impl Serialize) -> Outcome<String> {
    let json = serde_json::to_string(data).map_err(|error| {
        Failure::new(Exit::Network, "internal", format!("the result can't be written as JSON: {error}"))
            .hint("This is a fault of the program: report it.")
    })?;
    Ok(text::safe_json(&json))
}

fn lines(ids: &[String]) -> String {
    ids.iter().map(|id| format!("{id}\n")).collect()
}

/// A reader that has seen enough (`| head`) is no error; a full disk is.
fn stdout_failure(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::silent(Exit::Ok);
    }
    Failure::new(Exit::LocalFile, "stdout", format!("can't write to standard output: {error}"))
        .hint("Check where the output goes, and that there is room.")
}
