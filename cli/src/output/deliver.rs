//! Output of deliver: one JSON line per row.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ItemError, count, share::terms};
use crate::{printer::Show, text};

/// One row of `deliver`. The rows of one path come together, when that path is done.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeliveredRow {
    /// The row's number, from 1; the header and empty lines do not count.
    pub row: u64,
    /// The line of the list on which it begins, from 1.
    pub line: u64,
    /// As the list has it.
    pub path: String,
    /// As the list has it.
    pub email: String,
    /// The file; `null` if there is none (yet).
    pub file_id: Option<String>,
    /// `shared`; `queued`, if they have not been admitted yet: shared once they are; `already`, if it was before;
    /// `would_share` and `would_queue` with `--dry-run`; `error`; `skipped`, if the run ended before it.
    pub status: String,
    /// Whether this run sealed (or with `--dry-run` would seal) the path as a new file.
    pub new_file: bool,
    /// When the share ends by itself.
    pub expires_at: Option<String>,
    /// Downloads allowed.
    pub download_limit: Option<u64>,
    /// Why not, when `status` is `error`.
    pub error: Option<ItemError>,
}

impl Show for DeliveredRow {
    fn human(&self) -> String {
        let done = match self.status.as_str() {
            "shared" => "Shared",
            "already" => "Already shared",
            "queued" => "Queued",
            "would_queue" if self.new_file => "Would upload and queue",
            "would_queue" => "Would queue",
            "would_share" if self.new_file => "Would upload and share",
            "would_share" => "Would share",
            "skipped" => "Not tried:",
            // Told as an error.
            _ => return String::new(),
        };
        let terms = terms(self.expires_at.as_deref(), self.download_limit);
        if matches!(self.status.as_str(), "queued" | "would_queue") {
            let (path, email) = (text::safe(&self.path), text::safe(&self.email));
            return format!("{done} {path} for {email}{terms}\n");
        }
        format!("{done} {} with {}{terms}\n", text::safe(&self.path), text::safe(&self.email))
    }

    fn ids(&self) -> Vec<String> {
        self.file_id.iter().cloned().collect()
    }
}

/// What a run of `deliver` came to.
#[derive(Debug, Default, Clone, Copy)]
pub struct DeliverySummary {
    /// Paths sealed anew.
    pub new_files: u64,
    /// Rows shared now.
    pub shared: u64,
    /// Rows that wait until their recipients are admitted.
    pub queued: u64,
    /// Rows that had been shared before.
    pub already: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Rows that were not tried.
    pub skipped: u64,
}

impl DeliverySummary {
    /// One line.
    pub fn human(&self) -> String {
        let mut facts = vec![
            format!("{} shared", self.shared),
            format!("{} already", self.already),
            count(self.new_files, "new file"),
        ];
        if self.queued > 0 {
            facts.push(format!("{} queued", self.queued));
        }
        if self.failed > 0 {
            facts.push(format!("{} failed", self.failed));
        }
        if self.skipped > 0 {
            facts.push(format!("{} not tried", self.skipped));
        }
        let rows = self.shared + self.queued + self.already + self.failed + self.skipped;
        format!("{}: {}.", count(rows, "row"), facts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_summed_up_in_one_line() {
        let done = DeliverySummary { new_files: 2, shared: 3, already: 1, ..Default::default() };
        assert_eq!(done.human(), "4 rows: 3 shared, 1 already, 2 new files.");
        let cut = DeliverySummary { new_files: 1, queued: 1, failed: 1, skipped: 2, ..Default::default() };
        assert_eq!(cut.human(), "4 rows: 0 shared, 0 already, 1 new file, 1 queued, 1 failed, 2 not tried.");
    }
}
