//! Output of demo.

use schemars::JsonSchema;
use serde::Serialize;

use super::Receipt;
use crate::printer::Show;

/// `demo`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Demo {
    /// Whether everything ended as it must.
    pub ok: bool,
    /// How long it took.
    pub seconds: f64,
    /// What was delivered.
    pub files: Vec<DemoFile>,
    /// What the client's device signed.
    pub receipts: Vec<Receipt>,
    /// The server's database.
    pub tables: Vec<DemoTable>,
    /// The search through everything that the server holds.
    pub search: DemoSearch,
}

/// A delivered file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DemoFile {
    /// Its id.
    pub file_id: String,
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Whether the client got exactly these bytes.
    pub identical: bool,
}

/// A table of the server's database.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DemoTable {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// All its values, bytes.
    pub bytes: u64,
}

/// A search through data folder, database, WAL and log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DemoSearch {
    /// Files looked at.
    pub files: u64,
    /// Database values looked at.
    pub values: u64,
    /// Bytes looked at.
    pub bytes: u64,
    /// Secrets looked for.
    pub secrets: u64,
    /// What was not looked for, and why.
    pub skipped: Vec<String>,
    /// Whether the search found what was planted and what the server must know; otherwise it proves nothing.
    pub controls_found: bool,
    /// Secrets that were found; must be empty.
    pub found: Vec<DemoFinding>,
}

/// A secret that was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DemoFinding {
    /// What it is.
    pub secret: String,
    /// How it was written.
    pub form: String,
    /// Where.
    pub place: String,
}

impl Demo {
    /// Whether every file arrived, every arrival was signed for, and nothing was readable.
    pub fn is_as_promised(&self) -> bool {
        let arrived = !self.files.is_empty() && self.files.iter().all(|file| file.identical);
        let signed = self.receipts.len() == self.files.len();
        arrived && signed && self.search.controls_found && self.search.found.is_empty()
    }
}

impl Show for Demo {
    fn human(&self) -> String {
        let verdict = if self.ok {
            "All went as promised: delivered byte for byte, signed for, and unreadable to the server."
        } else {
            "NOT as promised: see the lines in capitals above."
        };
        format!("\n{verdict} ({:.1} s)\n", self.seconds)
    }

    fn ids(&self) -> Vec<String> {
        self.files.iter().map(|file| file.file_id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Demo {
        let file = DemoFile { file_id: "0".into(), name: "a".into(), size: 1, identical: true };
        let receipt = Receipt {
            file_id: "0".into(),
            version: 1,
            name: "a".into(),
            email: "c@example.com".into(),
            time: String::new(),
            standing: "current".into(),
            record: serde_json::Value::Null,
        };
        let search = DemoSearch {
            files: 1,
            values: 1,
            bytes: 1,
            secrets: 1,
            skipped: Vec::new(),
            controls_found: true,
            found: Vec::new(),
        };
        Demo {
            ok: false,
            seconds: 0.0,
            files: vec![file],
            receipts: vec![receipt],
            tables: Vec::new(),
            search,
        }
    }

    #[test]
    fn any_broken_promise_is_told() {
        assert!(demo().is_as_promised());
        let breaks: [fn(&mut Demo); 5] = [
            |demo| demo.files[0].identical = false,
            |demo| demo.files.clear(),
            |demo| demo.receipts.clear(),
            |demo| demo.search.controls_found = false,
            |demo| {
                let finding = DemoFinding { secret: "s".into(), form: "hex".into(), place: "p".into() };
                demo.search.found.push(finding);
            },
        ];
        for (index, spoil) in breaks.iter().enumerate() {
            let mut broken = demo();
            spoil(&mut broken);
            assert!(!broken.is_as_promised(), "case {index}");
        }
    }
}
