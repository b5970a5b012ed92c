//! What the listing commands share: every page is shown as it arrives, and entries that do not verify are named.

use sealpost_client::{FileInfo, Page, Rejected as RejectedEntry};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    output::{FileFacts, Rejected, count},
    printer::{List, Printer, Show},
};

/// A listing in the making.
pub struct Listing<'a> {
    printer: &'a Printer,
    list: List<'a>,
    rejected: Vec<Rejected>,
    left: u64,
    state: State,
}

enum State {
    Next(Option<String>),
    Done,
}

impl<'a> Listing<'a> {
    /// Shown as the JSON member `field`; ends after `limit` entries.
    pub fn new(printer: &'a Printer, field: &'static str, limit: Option<u64>) -> Self {
        let left = limit.unwrap_or(u64::MAX);
        Self { printer, list: printer.list(field), rejected: Vec::new(), left, state: State::Next(None) }
    }

    /// The cursor of the page to fetch next; `None` when there is nothing more to fetch.
    pub fn next(&mut self) -> Option<Option<String>> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Next(cursor) if self.left > 0 => Some(cursor),
            _ => None,
        }
    }

    /// Shows a page.
    pub fn page<T, S: Show>(&mut self, page: Page<T>, output: impl Fn(T) -> S) -> Outcome {
        for entry in page.items {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            self.list.entry(&output(entry))?;
        }
        self.rejected.extend(page.rejected.into_iter().map(rejected));
        if let Some(cursor) = page.next_cursor {
            self.state = State::Next(Some(cursor));
        }
        Ok(())
    }

    /// Ends it. Entries that do not verify make the command fail, after everything else was shown.
    pub fn end(self, empty: &str) -> Outcome {
        self.list.end(&self.rejected, empty)?;
        for entry in &self.rejected {
            self.printer.warn(&format!("not shown: {}: {}", entry.file_id, entry.message));
        }
        if self.rejected.is_empty() {
            return Ok(());
        }
        let message = format!("{} did not verify", count(self.rejected.len() as u64, "listed file"));
        Err(Failure::new(Exit::Verification, "entries_rejected", message)
            .hint("The server returned something that its owner did not sign. Tell whoever runs it."))
    }
}

/// What owner and recipient see alike, as output.
pub fn facts(file: FileInfo) -> FileFacts {
    FileFacts {
        file_id: file.file_id.to_string(),
        version: file.version,
        name: file.name,
        size: file.size,
        media_type: file.media_type,
        note: file.note,
    }
}

fn rejected(entry: RejectedEntry) -> Rejected {
    Rejected {
        file_id: entry.file_id.to_string(),
        code: entry.error.code().to_owned(),
        message: entry.error.to_string(),
    }
}
