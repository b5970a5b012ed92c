//! A data folder of an earlier release is brought up to date at start, and nothing in it is lost.

use std::path::{Path, PathBuf};

use sealpost_tests::{TestServer, on_every_backend, sdk};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection, migrate::Migrator};

/// The tables that every release has had, with what they looked like then.
const FIRST_RELEASE: &str = "0001_tables.sql";

fn migrations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations")
}

/// The first release's tables, those that others refer to first.
fn tables() -> Vec<String> {
    let sql = std::fs::read_to_string(migrations().join(FIRST_RELEASE)).unwrap();
    let tables = sql.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next());
    tables.map(str::to_owned).collect()
}

/// What the first release would have made of its database.
async fn first_release(scratch: &Path) -> Migrator {
    let folder = scratch.join("first-release");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(migrations().join(FIRST_RELEASE), folder.join(FIRST_RELEASE)).unwrap();
    Migrator::new(folder).await.unwrap()
}

/// Puts a stopped server's rows into the tables of the first release, which know nothing of later columns.
async fn go_back_to_the_first_release(server: &TestServer) {
    let migrator = first_release(server.scratch()).await;
    match server.postgres_url() {
        Some(url) => go_back_on_postgres(url, &migrator).await,
        None => go_back_on_sqlite(&server.data().join("sealpost.sqlite"), &migrator).await,
    }
}

async fn go_back_on_sqlite(file: &Path, migrator: &Migrator) {
    let newer = file.with_extension("newer");
    std::fs::rename(file, &newer).unwrap();
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let mut older = SqliteConnection::connect(&url).await.unwrap();
    migrator.run(&mut older).await.unwrap();
    run(&mut older, format!("ATTACH '{}' AS newer", newer.display())).await;
    for table in tables() {
        let columns =
            format!("SELECT group_concat('\"' || name || '\"', ',') FROM pragma_table_info('{table}')");
        let columns: String = sqlx::query_scalar(AssertSqlSafe(columns)).fetch_one(&mut older).await.unwrap();
        run(&mut older, format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}"))
            .await;
    }
    older.close().await.unwrap();
    std::fs::remove_file(newer).unwrap();
}

async fn go_back_on_postgres(url: &str, migrator: &Migrator) {
    let mut database = PgConnection::connect(url).await.unwrap();
    run(&mut database, "ALTER SCHEMA public RENAME TO newer".to_owned()).await;
    run(&mut database, "CREATE SCHEMA public".to_owned()).await;
    migrator.run(&mut database).await.unwrap();
    for table in tables() {
        let columns = format!(
            "SELECT string_agg(quote_ident(column_name), ',') FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name = '{table}'"
        );
        let columns: String =
            sqlx::query_scalar(AssertSqlSafe(columns)).fetch_one(&mut database).await.unwrap();
        run(
            &mut database,
            format!("INSERT INTO public.{table} ({columns}) SELECT {columns} FROM newer.{table}"),
        )
        .await;
    }
    run(&mut database, "DROP SCHEMA newer CASCADE".to_owned()).await;
    database.close().await.unwrap();
}

async fn run<'c, E: Executor<'c>>(database: E, statement: String) {
    database.execute(AssertSqlSafe(statement)).await.unwrap();
}

on_every_backend! {
    async fn a_database_of_the_first_release_is_upgraded_with_everything_in_it(server: TestServer) {
        let mut server = server;
        let (mut ops, mut client) = sdk::organisation(&server).await;
        let content = b"kept over an update";
        let kept = ops.upload("kept.txt", content).await;
        ops.share(kept, &client, sealpost_client::Terms::default()).await.unwrap();
        assert_eq!(client.download(kept).await.unwrap(), content);

        server.stop().await;
        go_back_to_the_first_release(&server).await;
        server.start_again().await;

        ops.restart().await;
        client.restart().await;
        assert_eq!(client.download(kept).await.unwrap(), content);
        let files = ops.me.files(None).await.unwrap().items;
        assert_eq!((files.len(), files[0].shares.len(), files[0].shares[0].downloads), (1, 1, 2));
        assert!(!ops.me.receipts(Some(kept), None).await.unwrap().items.is_empty());
        let laptop = client.other_device(&server.url()).await;
        assert_eq!(laptop.me.shared(None).await.unwrap().items.len(), 1);
        // What the release did not have yet works on its data.
        ops.me.remove(kept).await.unwrap();
        assert!(client.me.shared(None).await.unwrap().items.is_empty());
    }
}
