//! Searching what a server keeps for something it must not know.
//!
//! Values are searched as they are and as hex and base64 would show them. Files are read raw (which covers
//! write-ahead logs and free pages), and every value of every table is read through SQL (which covers values
//! that the database splits over pages or compresses).

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

use crate::{logs, server::TestServer};

/// Something that must not be found.
pub struct Needle {
    what: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Needle {
    /// `bytes` in each form in which a careless program would write them.
    pub fn new(what: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 8, "{what} is too short to be found by accident only");
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![("raw", bytes.to_vec()), ("hex", hex.clone().into_bytes())];
        forms.push(("HEX", hex.to_uppercase().into_bytes()));
        for shift in 0..3 {
            let standard = base64_within(bytes, shift);
            forms.push(("base64url", standard.replace('+', "-").replace('/', "_").into_bytes()));
            forms.push(("base64", standard.into_bytes()));
        }
        Self { what: what.to_owned(), forms }
    }
}

/// The base64 characters that depend on `bytes` alone when `shift` other bytes stand before it in the text.
fn base64_within(bytes: &[u8], shift: usize) -> String {
    let mut shifted = vec![0; shift];
    shifted.extend_from_slice(bytes);
    let whole = shifted.len() / 3 * 3;
    let text = STANDARD_NO_PAD.encode(&shifted[..whole]);
    let skip = if shift == 0 { 0 } else { 4 };
    text[skip..].to_owned()
}

/// One place that was searched.
pub struct Place {
    /// Which file, table or log.
    pub name: String,
    /// What stands there.
    pub bytes: Vec<u8>,
}

/// Where `needles` were found, one line each; empty is good.
pub fn find(places: &[Place], needles: &[Needle]) -> Vec<String> {
    let index = Index::new(needles);
    let mut found = Vec::new();
    for place in places {
        let mut here = index.search(&place.bytes);
        here.sort_unstable();
        here.dedup();
        found.extend(here.into_iter().map(|(what, form)| format!("{what} ({form}) in {}", place.name)));
    }
    found
}

/// All forms of all needles by their first two bytes, so that one pass over a place is enough: write-ahead logs
/// are large.
struct Index<'a> {
    by_start: Vec<Vec<(&'a str, &'static str, &'a [u8])>>,
}

impl<'a> Index<'a> {
    fn new(needles: &'a [Needle]) -> Self {
        let mut by_start = vec![Vec::new(); 1 << 16];
        for needle in needles {
            for (form, bytes) in &needle.forms {
                let entry = (needle.what.as_str(), *form, &bytes[..]);
                by_start[start(bytes[0], bytes[1])].push(entry);
            }
        }
        Self { by_start }
    }

    fn search(&self, place: &[u8]) -> Vec<(&'a str, &'static str)> {
        let mut found = Vec::new();
        let mut at = 0;
        // A plain loop: without optimisation, iterators take several times as long.
        while at + 1 < place.len() {
            let candidates = &self.by_start[start(place[at], place[at + 1])];
            if !candidates.is_empty() {
                let rest = &place[at..];
                let here = candidates.iter().filter(|(.., bytes)| rest.starts_with(bytes));
                found.extend(here.map(|(what, form, _)| (*what, *form)));
            }
            at += 1;
        }
        found
    }
}

fn start(first: u8, second: u8) -> usize {
    usize::from(u16::from_be_bytes([first, second]))
}

/// Everything the server keeps or says: its files, every table, and its log.
pub async fn everything(server: &TestServer) -> Vec<Place> {
    let mut places = files(&server.data());
    match server.postgres_url() {
        Some(url) => places.extend(postgres(url).await),
        None => places.extend(sqlite(&server.data().join("sealpost.sqlite")).await),
    }
    places.push(Place { name: "the server's log".into(), bytes: logs::captured() });
    places
}

/// Every file below `folder`, and its name.
pub fn files(folder: &Path) -> Vec<Place> {
    let mut places = Vec::new();
    for entry in fs::read_dir(folder).expect("an existing folder").flatten() {
        let path = entry.path();
        let name = path.display().to_string();
        places.push(Place { name: format!("the name {name}"), bytes: name.clone().into_bytes() });
        if path.is_dir() {
            places.extend(files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            places.push(Place { name, bytes });
        }
    }
    places
}

/// Every table of a SQLite file.
pub async fn sqlite(file: &Path) -> Vec<Place> {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}?mode=ro", file.display()))
        .await
        .expect("the database does not open");
    let columns = sqlx::query(
        "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'",
    )
    .fetch_all(&mut connection)
    .await
    .expect("the list of columns");
    let mut places = Vec::new();
    for column in columns {
        let (table, column): (String, String) = (column.get(0), column.get(1));
        let statement = format!(r#"SELECT CAST("{column}" AS BLOB) FROM "{table}""#);
        let rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(&mut connection).await.expect("the rows");
        places.push(place(&table, &column, rows.iter().map(|row| row.get(0))));
    }
    places
}

/// Every table of a Postgres database, and the cluster's own files (heap, indexes, write-ahead log).
pub async fn postgres(url: &str) -> Vec<Place> {
    let mut connection = PgConnection::connect(url).await.expect("the database does not open");
    // What is in memory only would be missed in the files.
    sqlx::query("CHECKPOINT").execute(&mut connection).await.expect("a checkpoint");
    let columns = sqlx::query(
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
         WHERE table_schema = 'public'",
    )
    .fetch_all(&mut connection)
    .await
    .expect("the list of columns");
    let mut places = Vec::new();
    for column in columns {
        let (table, column, kind): (String, String, String) = (column.get(0), column.get(1), column.get(2));
        let value = match kind.as_str() {
            "bytea" => format!(r#""{column}""#),
            _ => format!(r#"convert_to("{column}"::text, 'UTF8')"#),
        };
        let statement = format!(r#"SELECT {value} FROM "{table}""#);
        let rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(&mut connection).await.expect("the rows");
        places.push(place(&table, &column, rows.iter().map(|row| row.get(0))));
    }
    places.extend(cluster_files(&mut connection).await);
    places
}

fn place(table: &str, column: &str, values: impl Iterator<Item = Option<Vec<u8>>>) -> Place {
    // A zero between values, so that nothing is found across two of them.
    let bytes = values.flatten().flat_map(|value| value.into_iter().chain([0])).collect();
    Place { name: format!("{table}.{column}"), bytes }
}

/// The files of this database and the write-ahead log of the cluster.
async fn cluster_files(connection: &mut PgConnection) -> Vec<Place> {
    let row = sqlx::query(
        "SELECT current_setting('data_directory'), oid::bigint FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(connection)
    .await
    .expect("the cluster's folder");
    let (folder, oid): (String, i64) = (row.get(0), row.get(1));
    let folder = Path::new(&folder);
    [folder.join("base").join(oid.to_string()), folder.join("pg_wal")]
        .iter()
        .flat_map(|folder| files(folder))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_wherever_it_begins() {
        let secret = b"a secret that must not be seen";
        let needle = [Needle::new("the secret", secret)];
        for before in 0..4 {
            let text = [&b"xxxx"[..before], secret, b"yy"].concat();
            let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
            for bytes in [text.clone(), hex.into_bytes(), STANDARD_NO_PAD.encode(&text).into_bytes()] {
                let places = [Place { name: "here".into(), bytes }];
                assert!(!find(&places, &needle).is_empty(), "missed after {before} bytes");
            }
        }
        let clean = [Place { name: "here".into(), bytes: b"a secret that must not be seem".to_vec() }];
        assert!(find(&clean, &needle).is_empty());
    }
}
