//! Looks for secrets in files and database values: as they are, as hex, as base64, and as base64 inside base64,
//! which is how text stands inside signed records.
//!
//! All patterns are looked for in one pass: their first eight bytes go into a small filter, so that almost every
//! position of the data is dismissed with one look-up.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use zeroize::Zeroizing;

use super::encode;

/// Shortest thing worth looking for, bytes: anything shorter occurs by chance.
pub const MIN_NEEDLE: usize = 8;
/// Patterns are recognised by so many bytes at their beginning.
const PREFIX: usize = 8;
/// Bits of the filter's index.
const FILTER_BITS: u32 = 16;
/// Bytes read at once.
const BLOCK: usize = 1 << 20;

/// Something that must not be on the server.
pub struct Needle {
    /// What it is, for people.
    pub label: String,
    /// The secret itself.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl Needle {
    /// A secret and what it is.
    pub fn new(label: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        Self { label: label.into(), bytes: Zeroizing::new(bytes.as_ref().to_vec()) }
    }
}

/// A secret that was found where it must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub label: String,
    /// How it was written: "plain", "hex", …
    pub form: &'static str,
    /// File or table.
    pub place: String,
}

/// What a search saw and found.
#[derive(Debug, Default)]
pub struct Report {
    /// Files looked at.
    pub files: u64,
    /// Database values looked at.
    pub values: u64,
    /// Bytes looked at.
    pub bytes: u64,
    /// Each secret at most once per form and place.
    pub findings: Vec<Finding>,
}

struct Pattern {
    needle: usize,
    form: &'static str,
    bytes: Zeroizing<Vec<u8>>,
}

/// Looks for a set of secrets.
pub struct Search {
    labels: Vec<String>,
    patterns: Vec<Pattern>,
    by_prefix: HashMap<u64, Vec<usize>>,
    filter: Vec<bool>,
    longest: usize,
}

impl Search {
    /// For these secrets, each of at least [`MIN_NEEDLE`] bytes; shorter ones are not looked for.
    pub fn new(needles: &[Needle]) -> Self {
        let mut search = Self {
            labels: needles.iter().map(|needle| needle.label.clone()).collect(),
            patterns: Vec::new(),
            by_prefix: HashMap::new(),
            filter: vec![false; 1 << FILTER_BITS],
            longest: PREFIX,
        };
        for (index, needle) in needles.iter().enumerate() {
            for (form, bytes) in encode::forms(&needle.bytes) {
                search.add(Pattern { needle: index, form, bytes });
            }
        }
        search
    }

    fn add(&mut self, pattern: Pattern) {
        let Some(prefix) = prefix(&pattern.bytes) else { return };
        self.filter[slot(prefix)] = true;
        self.by_prefix.entry(prefix).or_default().push(self.patterns.len());
        self.longest = self.longest.max(pattern.bytes.len());
        self.patterns.push(pattern);
    }

    /// Looks through every file below `folder`.
    pub fn folder(&self, folder: &Path, report: &mut Report) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.folder(&entry.path(), report)?;
            } else {
                self.file(&entry.path(), report)?;
            }
        }
        Ok(())
    }

    /// Looks through one file.
    pub fn file(&self, path: &Path, report: &mut Report) -> io::Result<()> {
        let place = path.file_name().unwrap_or_default().to_string_lossy();
        report.files += 1;
        self.reader(&place, File::open(path)?, report)
    }

    /// Looks through a stream; what straddles two blocks is found too.
    fn reader(&self, place: &str, mut source: impl Read, report: &mut Report) -> io::Result<()> {
        let mut window = Zeroizing::new(Vec::with_capacity(BLOCK + self.longest));
        loop {
            let kept = window.len();
            let read = source.by_ref().take(BLOCK as u64).read_to_end(&mut window)?;
            if read == 0 {
                return Ok(());
            }
            report.bytes += read as u64;
            self.scan(place, &window, report);
            let keep = (kept + read).min(self.longest - 1);
            window.drain(..kept + read - keep);
        }
    }

    /// Looks through one database value.
    pub fn value(&self, place: &str, value: &[u8], report: &mut Report) {
        report.values += 1;
        report.bytes += value.len() as u64;
        self.scan(place, value, report);
    }

    fn scan(&self, place: &str, data: &[u8], report: &mut Report) {
        for (position, window) in data.array_windows::<PREFIX>().enumerate() {
            let prefix = u64::from_le_bytes(*window);
            if self.filter[slot(prefix)] {
                self.check(place, &data[position..], prefix, report);
            }
        }
    }

    fn check(&self, place: &str, data: &[u8], prefix: u64, report: &mut Report) {
        let candidates = self.by_prefix.get(&prefix).into_iter().flatten();
        for pattern in candidates.map(|&index| &self.patterns[index]) {
            if !data.starts_with(&pattern.bytes) {
                continue;
            }
            let label = self.labels[pattern.needle].clone();
            let finding = Finding { label, form: pattern.form, place: place.to_owned() };
            if !report.findings.contains(&finding) {
                report.findings.push(finding);
            }
        }
    }
}

fn prefix(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk::<PREFIX>().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Fibonacci hashing: the upper bits of a product with 2^64 divided by the golden ratio.
fn slot(prefix: u64) -> usize {
    (prefix.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - FILTER_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of 29 bytes \xff\xfe\xfb\xef\xbe end";

    fn forms_found(data: &[u8]) -> Vec<&'static str> {
        let mut report = Report::default();
        Search::new(&[Needle::new("secret", SECRET)]).reader("here", data, &mut report).unwrap();
        report.findings.iter().map(|finding| finding.form).collect()
    }

    #[test]
    fn every_form_is_found_wherever_it_stands() {
        use encode::{Alphabet, base64, hex};
        for before in 0..7 {
            let mut plain = vec![b'x'; before];
            plain.extend_from_slice(SECRET);
            plain.extend_from_slice(b"tail");
            assert_eq!(forms_found(&plain), ["plain"]);
            assert_eq!(forms_found(hex(&plain).as_bytes()), ["hex"]);
            assert_eq!(forms_found(hex(&plain).to_uppercase().as_bytes()), ["hex"]);
            for alphabet in [Alphabet::Standard, Alphabet::UrlSafe] {
                let once = base64(&plain, alphabet);
                assert_eq!(forms_found(once.as_bytes()), ["base64"]);
                let record = format!("{{\"name\":\"{once}\"}}");
                assert_eq!(forms_found(base64(record.as_bytes(), alphabet).as_bytes()), ["base64 twice"]);
            }
        }
    }

    #[test]
    fn what_straddles_two_blocks_is_found() {
        for at in [BLOCK - SECRET.len(), BLOCK - 20, BLOCK - 1, BLOCK, 2 * BLOCK - 3] {
            let mut data = vec![0; at];
            data.extend_from_slice(SECRET);
            data.extend_from_slice(&[0; 100]);
            assert_eq!(forms_found(&data), ["plain"], "at {at}");
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert!(forms_found(&SECRET[1..]).is_empty());
        assert!(forms_found(&[0; 4096]).is_empty());
        assert!(forms_found(b"").is_empty());
    }

    #[test]
    fn a_folder_is_searched_to_its_leaves() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/leaf"), SECRET).unwrap();
        fs::write(dir.path().join("top"), b"nothing").unwrap();
        let mut report = Report::default();
        Search::new(&[Needle::new("secret", SECRET)]).folder(dir.path(), &mut report).unwrap();
        assert_eq!(report.files, 2);
        assert_eq!(
            report.findings,
            [Finding { label: "secret".into(), form: "plain", place: "leaf".into() }]
        );
    }
}
