//! Every statement on both databases, and the promises of transactions.

use sealpost_crypto::id::{FileId, RecordId};

use super::*;
use crate::blob::VersionKey;

/// Connections to a test's Postgres database.
const POSTGRES_CONNECTIONS: u32 = 4;

/// A Postgres database of this test's own, dropped at the end of the throw-away cluster.
pub(crate) async fn postgres() -> Db {
    let url = std::env::var("SEALPOST_TEST_POSTGRES")
        .expect("SEALPOST_TEST_POSTGRES is not set: run the tests with `cargo xtask test`");
    let options: PgConnectOptions = url.parse().unwrap();
    let admin = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    let name = format!("unit_{}", UserId::random());
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .connect_with(options.database(&name))
        .await
        .unwrap();
    MIGRATIONS.run(&pool).await.unwrap();
    Db::Postgres(pool)
}

/// A SQLite database in a test's own folder.
pub(crate) async fn sqlite(folder: &Path) -> Db {
    Db::sqlite(&folder.join("test.sqlite")).await.unwrap()
}

/// Makes two tests of each `async fn name(db: Db) { … }`, one for each database.
macro_rules! on_both {
    ($(async fn $name:ident($db:ident: Db) $body:block)*) => { $(
        mod $name {
            use super::*;

            async fn body($db: Db) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                let folder = tempfile::tempdir().unwrap();
                body($crate::db::tests::sqlite(folder.path()).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                body($crate::db::tests::postgres().await).await;
            }
        }
    )* };
}
pub(crate) use on_both;

const ACCOUNT: &str = "INSERT INTO accounts (user_id, email, name, salt, role, status, bundle_id, bundle, \
    signing_key, opaque_record, credential_id, credential, epoch, envelope, created_at) \
    VALUES ($1, $2, '', $1, 2, 2, $1, '', $1, $1, $1, '', 1, $1, 0)";
const PAIR_RECORD: &str = "INSERT INTO pair_records (record_id, sender, recipient, sequence, kind, record, \
    created_at) VALUES ($1, $2, $2, 1, 1, '', 0)";
const SHARE: &str = "INSERT INTO shares (share_id, file_id, version, sender, recipient, enc, ciphertext, expiry, \
    download_limit, downloads, over, created_at) VALUES ($1, $2, 1, $3, $3, $1, $1, $4, $5, 0, FALSE, 0)";

const LIVE: &str = "UPDATE file_versions SET state = 2 WHERE file_id = $1";

/// An active Ops member, as far as other rows need one.
pub(crate) async fn insert_account(db: &Db) -> UserId {
    let user = UserId::random();
    let mut tx = db.write().await.unwrap();
    sql!(&mut tx, execute ACCOUNT, &user.as_bytes()[..], user.to_string()).unwrap();
    tx.commit().await.unwrap();
    user
}

/// An upload of a new file.
pub(crate) async fn insert_upload(db: &Db, owner: UserId, now: i64) -> VersionKey {
    let key = VersionKey { file_id: FileId::random(), version: 1 };
    let mut tx = db.write().await.unwrap();
    file::insert(&mut tx, key, owner, now).await.unwrap();
    tx.commit().await.unwrap();
    key
}

/// A share on these terms, with everything that it needs.
pub(crate) async fn insert_share(db: &Db, expiry: i64, limit: i64) -> RecordId {
    let (owner, share) = (insert_account(db).await, RecordId::random());
    let file = insert_upload(db, owner, 0).await.file_id;
    let mut tx = db.write().await.unwrap();
    let (id, owner) = (&share.as_bytes()[..], &owner.as_bytes()[..]);
    sql!(&mut tx, execute LIVE, &file.as_bytes()[..]).unwrap();
    sql!(&mut tx, execute PAIR_RECORD, id, owner).unwrap();
    sql!(&mut tx, execute SHARE, id, &file.as_bytes()[..], owner, expiry, limit).unwrap();
    tx.commit().await.unwrap();
    share
}

on_both! {
    async fn a_transaction_that_is_given_up_as_it_begins_is_nobody_elses(db: Db) {
        // One connection is left, and goes from hand to hand.
        let mut held = Vec::new();
        for _ in 1..POSTGRES_CONNECTIONS {
            held.push(db.read().await.unwrap());
        }
        insert_account(&db).await;
        for round in 0..20 {
            while matches!(&db, Db::Postgres(pool) if pool.num_idle() == 0) {
                tokio::task::yield_now().await;
            }
            // As far as it gets before its request is dropped: not at all, or until the database has been asked.
            let mut beginning = Box::pin(db.read());
            for _ in 0..round % 4 {
                if futures_util::poll!(&mut beginning).is_ready() {
                    break;
                }
            }
            drop(beginning);
            // In a transaction that only reads this is an error.
            let user = insert_account(&db).await;
            let mut tx = db.read().await.unwrap();
            assert!(account::is_active(&mut tx, user).await.unwrap(), "written into a transaction of somebody else's");
        }
    }
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
