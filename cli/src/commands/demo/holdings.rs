//! What the server holds, seen as somebody with its disk sees it: straight from the database file, past the server.

use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, Row, SqlSafeStr, SqliteConnection, sqlite::SqliteConnectOptions};

use super::search::{Report, Search};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// One table of the database.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// All values together, bytes.
    pub bytes: u64,
    columns: Vec<String>,
}

/// A read-only view of the database file.
pub struct Holdings {
    connection: SqliteConnection,
}

impl Holdings {
    /// Opens the file beside the running server.
    pub async fn open(database: &Path) -> Outcome<Self> {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        Ok(Self { connection: SqliteConnection::connect_with(&options).await.map_err(failed)? })
    }

    /// Every table with rows.
    pub async fn tables(&mut self) -> Outcome<Vec<Table>> {
        let names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
        let names =
            sqlx::query_scalar::<_, String>(names).fetch_all(&mut self.connection).await.map_err(failed)?;
        let mut tables = Vec::with_capacity(names.len());
        for name in names {
            let table = self.table(name).await?;
            if table.rows > 0 {
                tables.push(table);
            }
        }
        Ok(tables)
    }

    async fn table(&mut self, name: String) -> Outcome<Table> {
        let columns = "SELECT name FROM pragma_table_info($1)";
        let columns: Vec<String> =
            sqlx::query_scalar(columns).bind(&name).fetch_all(&mut self.connection).await.map_err(failed)?;
        let sizes: Vec<_> = columns
            .iter()
            .map(|column| format!("coalesce(length(CAST({} AS BLOB)), 0)", quoted(column)))
            .collect();
        let sum = format!("SELECT count(*), coalesce(sum({}), 0) FROM {}", sizes.join(" + "), quoted(&name));
        let row = sqlx::query(safe(sum)).fetch_one(&mut self.connection).await.map_err(failed)?;
        let number = |index: usize| row.try_get::<i64, _>(index).map(i64::unsigned_abs).map_err(failed);
        Ok(Table { rows: number(0)?, bytes: number(1)?, name, columns })
    }

    /// Looks through every value of a table: long ones are scattered over the file's pages.
    pub async fn search(&mut self, table: &Table, search: &Search, report: &mut Report) -> Outcome {
        let place = format!("table {}", table.name);
        for column in &table.columns {
            let values = format!("SELECT CAST({} AS BLOB) FROM {}", quoted(column), quoted(&table.name));
            let values: Vec<Option<Vec<u8>>> =
                sqlx::query_scalar(safe(values)).fetch_all(&mut self.connection).await.map_err(failed)?;
            for value in values.into_iter().flatten() {
                search.value(&place, &value, report);
            }
        }
        Ok(())
    }
}

/// Every file below `folder` with its size, bytes.
pub fn files(folder: &Path) -> std::io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push((entry.path(), entry.metadata()?.len()));
        }
    }
    Ok(found)
}

/// Names come from the database's own schema, quoted (SQLite, "SQL Keywords").
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn safe(sql: String) -> sqlx::SqlStr {
    AssertSqlSafe(sql).into_sql_str()
}

fn failed(error: sqlx::Error) -> Failure {
    Failure::new(
        Exit::LocalFile,
        "demo_database",
        format!("can't look into the demo server's database: {error}"),
    )
}
