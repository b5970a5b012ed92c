//! One Postgres database per test, dropped afterwards.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Where `cargo xtask test` says its throw-away Postgres listens.
pub const TEST_POSTGRES: &str = "SEALPOST_TEST_POSTGRES";

/// A database for one test.
pub struct TestDatabase {
    url: String,
    name: String,
}

impl TestDatabase {
    /// Makes an empty one.
    pub async fn create() -> Self {
        let suffix = sealpost_crypto::id::FileId::random();
        let name = format!("test_{suffix}");
        execute(format!("CREATE DATABASE {name}")).await.expect("the test database could not be made");
        Self { url: with_database(&cluster_url(), &name), name }
    }

    /// How a server connects.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A thread of its own: dropping happens inside a runtime, where blocking is not allowed.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(statement))
        });
        if !matches!(dropped.join(), Ok(Ok(()))) && !std::thread::panicking() {
            panic!("the database {} could not be dropped", self.name);
        }
    }
}

async fn execute(statement: String) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(&cluster_url()).await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(connection.close().await?)
}

fn cluster_url() -> String {
    std::env::var(TEST_POSTGRES).unwrap_or_else(|_| {
        panic!(
            "{TEST_POSTGRES} is not set: run the tests with `cargo xtask test`, which starts a throw-away Postgres"
        )
    })
}

/// `postgres://app@localhost/app?host=…` with another database in the path.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, ""), |(address, query)| (address, query));
    let (server, _) = address.rsplit_once('/').expect("the URL names a database");
    format!("{server}/{name}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_replaced_and_nothing_else() {
        let url = "postgres://app@localhost/app?host=/tmp/x";
        assert_eq!(with_database(url, "one"), "postgres://app@localhost/one?host=/tmp/x");
    }
}
