//! Output of completions and man.

use schemars::JsonSchema;
use serde::Serialize;

use crate::printer::Show;

/// `completions`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Completions {
    /// For which shell.
    pub shell: String,
    /// What that shell reads.
    pub script: String,
}

impl Show for Completions {
    fn human(&self) -> String {
        self.script.clone()
    }

    fn ids(&self) -> Vec<String> {
        self.script.lines().map(str::to_owned).collect()
    }
}

/// `man`
#[derive(Debug, Serialize, JsonSchema)]
pub struct ManPage {
    /// The program's page, in roff.
    pub page: String,
}

impl Show for ManPage {
    fn human(&self) -> String {
        self.page.clone()
    }

    fn ids(&self) -> Vec<String> {
        self.page.lines().map(str::to_owned).collect()
    }
}

/// `man DIR`
#[derive(Debug, Serialize, JsonSchema)]
pub struct ManPages {
    /// The files that were written.
    pub pages: Vec<String>,
}

impl Show for ManPages {
    fn human(&self) -> String {
        self.pages.iter().map(|page| format!("{page}\n")).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.pages.clone()
    }
}
