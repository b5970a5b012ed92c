//! Every statement on both databases, and the promises of transactions.

use super::*;

/// A Postgres database of this test's own, dropped at the end of the throw-away cluster.
pub(crate) async fn postgres() -> Db {
    let url = std::env::var("SEALPOST_TEST_POSTGRES")
        .expect("SEALPOST_TEST_POSTGRES is not set: run the tests with `cargo xtask test`");
    let options: PgConnectOptions = url.parse().unwrap();
    let admin = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    let name = format!("unit_{}", UserId::random());
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(4).connect_with(options.database(&name)).await.unwrap();
    MIGRATIONS.run(&pool).await.unwrap();
    Db::Postgres(pool)
}

/// A SQLite database in a test's own folder.
pub(crate) async fn sqlite(folder: &Path) -> Db {
    Db::sqlite(&folder.join("test.sqlite")).await.unwrap()
}

#[tokio::test]
async fn every_statement_prepares_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    prepare_all(&sqlite(folder.path()).await).await;
}

#[tokio::test]
async fn every_statement_prepares_on_postgres() {
    prepare_all(&postgres().await).await;
}

async fn prepare_all(db: &Db) {
    use sqlx::{Executor, SqlStr};
    for statement in STATEMENTS.iter().flat_map(|module| *module) {
        let text = SqlStr::from_static(statement);
        let prepared = match &mut db.write().await.unwrap() {
            Tx::Postgres(tx) => tx.prepare(text).await.map(drop),
            Tx::Sqlite(tx) => tx.prepare(text).await.map(drop),
        };
        assert!(prepared.is_ok(), "{statement}: {prepared:?}");
    }
}

#[tokio::test]
async fn fifty_writers_at_once_all_succeed_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    fifty_writers(sqlite(folder.path()).await).await;
}

#[tokio::test]
async fn fifty_writers_at_once_all_succeed_on_postgres() {
    fifty_writers(postgres().await).await;
}

/// Each appends the entry after the last it sees: without the lock two would see the same last one.
async fn fifty_writers(db: Db) {
    let writers = (0..50).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { append(&db).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    let mut tx = db.read().await.unwrap();
    let (count, last) = sql!(&mut tx, one (i64, i64): COUNT_AND_LAST).unwrap();
    assert_eq!((count, last), (50, 49));
}

const NEXT: &str = "SELECT COALESCE(MAX(sequence), -1) + 1 FROM log_entries";
const COUNT_AND_LAST: &str = "SELECT COUNT(*), MAX(sequence) FROM log_entries";
const APPEND: &str = "INSERT INTO log_entries (sequence, entry_id, record, bundle, checkpoint, appended_at) \
    VALUES ($1, $2, $3, $4, $5, $6)";

async fn append(db: &Db) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    tx.lock(Lock::Organisation).await?;
    let (next,) = sql!(&mut tx, one (i64,): NEXT)?;
    insert_entry(&mut tx, next).await?;
    tx.commit().await
}

async fn insert_entry(tx: &mut Tx, sequence: i64) -> Result<u64, DbError> {
    let (id, bundle) = (UserId::random(), None::<String>);
    sql!(tx, execute APPEND, sequence, &id.as_bytes()[..], "record", bundle, "checkpoint", 0_i64)
}

#[tokio::test]
async fn a_taken_place_is_a_conflict_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    taken_place(sqlite(folder.path()).await).await;
}

#[tokio::test]
async fn a_taken_place_is_a_conflict_on_postgres() {
    taken_place(postgres().await).await;
}

async fn taken_place(db: Db) {
    let mut tx = db.write().await.unwrap();
    assert_eq!(insert_entry(&mut tx, 7).await.unwrap(), 1);
    assert!(matches!(insert_entry(&mut tx, 7).await, Err(DbError::Conflict)));
}

#[test]
fn placeholders_are_counted() {
    assert_eq!(placeholders("SELECT 1"), 0);
    assert_eq!(placeholders("a = $1 AND b = $2 OR c = $1"), 2);
    assert_eq!(placeholders("$12"), 12);
}
