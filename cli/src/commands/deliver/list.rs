//! Reads a list of deliveries: CSV in, rows and problems out.

use std::path::PathBuf;

use csv::{ReaderBuilder, StringRecord, Trim};
use sealpost_client::{EmailAddress, Terms};

use crate::{
    failure::{Failure, Outcome},
    time::Expiry,
};

/// Largest list, bytes.
pub const MAX_LIST_BYTES: u64 = 16 * 1024 * 1024;
/// Most rows of one list.
const MAX_ROWS: usize = 10_000;
/// Most downloads that a share can allow.
const MAX_DOWNLOADS: u64 = 1_000_000;

const PATH: &str = "path";
const EMAIL: &str = "email";
const NOTE: &str = "note";
const EXPIRES: &str = "expires";
const DOWNLOADS: &str = "downloads";
/// All columns; the first two must be there.
const COLUMNS: [&str; 5] = [PATH, EMAIL, NOTE, EXPIRES, DOWNLOADS];
const REQUIRED: usize = 2;

/// Where a row stands, and what it says there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowText {
    /// Its number, from 1; the header and empty lines do not count.
    pub row: u64,
    /// The line of the list on which it begins, from 1.
    pub line: u64,
    /// As written.
    pub path: String,
    /// As written.
    pub email: String,
}

/// A row that can be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// As written.
    pub text: RowText,
    /// The file.
    pub path: PathBuf,
    /// Whom it is for.
    pub email: EmailAddress,
    /// The note to its recipients, or empty.
    pub note: String,
    /// How the share ends.
    pub terms: Terms,
}

/// What is wrong with a row.
#[derive(Debug)]
pub struct Problem {
    /// Which row.
    pub at: RowText,
    /// What is wrong.
    pub failure: Failure,
}

/// Understands a list. The outer failure is for what concerns all of it.
pub fn parse(text: &[u8]) -> Outcome<(Vec<Row>, Vec<Problem>)> {
    let text = utf8(text)?;
    let delimiter = delimiter(text);
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).trim(Trim::All).flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| unusable(&error.to_string()))?.clone();
    check_header(&header)?;
    let (mut rows, mut problems, mut number) = (Vec::new(), Vec::new(), 0);
    for record in reader.records() {
        let record = record.map_err(|error| unusable(&error.to_string()))?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        number += 1;
        if number > MAX_ROWS {
            return Err(unusable(&format!("it has more than {MAX_ROWS} rows")));
        }
        let fields = Fields { header: &header, record: &record, number: number as u64 };
        match fields.row() {
            Ok(row) => rows.push(row),
            Err(failures) => {
                problems.extend(failures.into_iter().map(|failure| Problem { at: fields.text(), failure }))
            }
        }
    }
    if number == 0 {
        return Err(unusable("it has no rows below its header"));
    }
    Ok((rows, problems))
}

fn utf8(bytes: &[u8]) -> Outcome<&str> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        unusable(&format!("line {line} is not UTF-8 text"))
            .hint("Save it as \"CSV UTF-8\" in the spreadsheet program.")
    })
}

/// Spreadsheet programs of many countries write semicolons.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    if header.contains(';') && !header.contains(',') { b';' } else { b',' }
}

fn check_header(header: &StringRecord) -> Outcome {
    let names = COLUMNS.join(", ");
    for (index, name) in header.iter().enumerate() {
        let wrong = if !COLUMNS.contains(&name) {
            format!("column {} of its first line is named {name:?}", index + 1)
        } else if header.iter().take(index).any(|earlier| earlier == name) {
            format!("its first line has two columns named {name:?}")
        } else {
            continue;
        };
        return Err(unusable(&wrong).hint(format!("The first line names the columns, out of: {names}.")));
    }
    match COLUMNS[..REQUIRED].iter().find(|name| !header.iter().any(|column| column == **name)) {
        None => Ok(()),
        Some(name) => Err(unusable(&format!("its first line names no column {name:?}"))
            .hint(format!("The first line names the columns: {names}; path and email must be there."))),
    }
}

/// One record under its header.
struct Fields<'a> {
    header: &'a StringRecord,
    record: &'a StringRecord,
    number: u64,
}

impl Fields<'_> {
    fn get(&self, column: &str) -> &str {
        let index = self.header.iter().position(|name| name == column);
        index.and_then(|index| self.record.get(index)).unwrap_or_default()
    }

    fn text(&self) -> RowText {
        let line = self.record.position().map_or(0, csv::Position::line);
        RowText { row: self.number, line, path: self.get(PATH).into(), email: self.get(EMAIL).into() }
    }

    /// Everything that is wrong with it, or the row.
    fn row(&self) -> Result<Row, Vec<Failure>> {
        if self.record.len() != self.header.len() {
            let (fields, columns) = (self.record.len(), self.header.len());
            let failure = wrong(format!("it has {fields} fields, and the header names {columns} columns"));
            return Err(vec![failure.hint("A field with a comma or a line break in it needs \"quotes\".")]);
        }
        let (path, email) = (self.path(), self.email());
        let (expires, downloads) = (self.expires(), self.downloads());
        match (path, email, expires, downloads) {
            (Ok(path), Ok(email), Ok(expires_at), Ok(downloads)) => Ok(Row {
                text: self.text(),
                path,
                email,
                note: self.get(NOTE).to_owned(),
                terms: Terms { expires_at, downloads },
            }),
            (path, email, expires, downloads) => {
                Err([path.err(), email.err(), expires.err(), downloads.err()].into_iter().flatten().collect())
            }
        }
    }

    fn path(&self) -> Outcome<PathBuf> {
        match self.get(PATH) {
            "" => Err(wrong("it names no path")),
            path => Ok(path.into()),
        }
    }

    fn email(&self) -> Outcome<EmailAddress> {
        match self.get(EMAIL) {
            "" => Err(wrong("it names no e-mail address")),
            email => email.parse::<EmailAddress>().map_err(|error| wrong(format!("{email:?}: {error}"))),
        }
    }

    fn expires(&self) -> Outcome<Option<u64>> {
        match self.get(EXPIRES) {
            "" => Ok(None),
            text => match text.parse::<Expiry>() {
                Ok(expiry) => Ok(Some(expiry.ends_at())),
                Err(error) => Err(wrong(format!("expires is {text:?}: {error}"))),
            },
        }
    }

    fn downloads(&self) -> Outcome<Option<u64>> {
        match self.get(DOWNLOADS) {
            "" => Ok(None),
            text => match text.parse() {
                Ok(number) if (1..=MAX_DOWNLOADS).contains(&number) => Ok(Some(number)),
                _ => Err(wrong(format!("downloads is {text:?}: write a number from 1 to {MAX_DOWNLOADS}"))),
            },
        }
    }
}

/// One row.
pub fn wrong(message: impl Into<String>) -> Failure {
    let failure = Failure::usage(message).hint("`sealpost deliver --help` says what stands in a row.");
    Failure { code: "list_row".into(), ..failure }
}

/// The list as a whole.
pub fn unusable(why: &str) -> Failure {
    let failure = Failure::usage(format!("the list can't be used: {why}"))
        .hint("`sealpost deliver --help` shows a list.");
    Failure { code: "list_unusable".into(), ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn rows(text: &str) -> Vec<Row> {
        let (rows, problems) = parse(text.as_bytes()).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        rows
    }

    #[test]
    fn columns_come_in_any_order_and_three_are_optional() {
        let all = rows("email,path,downloads,note,expires\n C@Example.com , a b.pdf ,3,\"one,\ntwo\",30d\n");
        assert_eq!(all[0].email.as_str(), "c@example.com");
        assert_eq!((all[0].path.as_path(), all[0].note.as_str()), ("a b.pdf".as_ref(), "one,\ntwo"));
        assert!(all[0].terms.expires_at.is_some() && all[0].terms.downloads == Some(3));
        let two = rows("path,email\na,b@c\n\n,\nd,e@f\n");
        assert_eq!((two[1].text.row, two[1].text.line), (2, 5));
        assert_eq!(two[1].terms, Terms::default());
    }

    #[test]
    fn what_spreadsheet_programs_write_is_understood() {
        assert_eq!(rows("\u{feff}path;email\r\na;b@c\r\n").len(), 1);
        let failure = parse(b"path,email\na,b@c\nStra\xdfe.pdf,b@c\n").unwrap_err();
        assert!(failure.message.contains("line 3"), "{}", failure.message);
    }

    #[test]
    fn a_wrong_header_is_told() {
        for (header, told) in [
            ("path,mail\n", "\"mail\""),
            ("path,email,path\n", "two columns"),
            ("path,note\n", "no column \"email\""),
            ("a.pdf,b@c\n", "\"a.pdf\""),
            ("path,email\n", "no rows"),
            ("", "no column"),
            ("Path,email\n", "\"Path\""),
        ] {
            let failure = parse(header.as_bytes()).unwrap_err();
            assert!(failure.message.contains(told), "{header:?}: {}", failure.message);
            assert_eq!(failure.exit, Exit::Usage);
        }
    }

    #[test]
    fn every_problem_of_every_row_is_told_with_its_line() {
        let list =
            "path,email,expires,downloads\n,nobody,soon,0\na,b@c,2020-01-01,1\na,b@c\na,b@c,,1e3\na,b@c,,\n";
        let (rows, problems) = parse(list.as_bytes()).unwrap();
        assert_eq!(rows.len(), 1);
        let lines: Vec<_> = problems.iter().map(|problem| problem.at.line).collect();
        assert_eq!(lines, [2, 2, 2, 2, 3, 4, 5]);
    }

    #[test]
    fn a_list_has_limits() {
        let list = format!("path,email\n{}", "a,b@c\n".repeat(MAX_ROWS + 1));
        assert!(parse(list.as_bytes()).unwrap_err().message.contains("10000 rows"));
    }
}
