use std::{net::SocketAddr, path::Path};

use sealpost_api::token::Token;

use crate::{Config, Running, StartError, start};

fn config(folder: &Path) -> Config {
    Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Config::new(folder.join("data")) }
}

async fn refused(config: Config) -> StartError {
    match start(config).await {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

fn token(running: &Running) -> String {
    running.setup_token().map(Token::expose).unwrap().to_owned()
}

#[tokio::test]
async fn it_listens_until_stopped_and_keeps_its_setup_token() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(config(folder.path())).await.unwrap();
    let address = first.addr();
    tokio::net::TcpStream::connect(address).await.unwrap();
    let setup_token = token(&first);
    let file = folder.path().join("data/setup-token");
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), setup_token);
    first.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());

    let second = start(config(folder.path())).await.unwrap();
    assert_eq!(token(&second), setup_token);
    second.stop().await;

    // A lost file: a fresh token, and the old one is void.
    std::fs::remove_file(&file).unwrap();
    let third = start(config(folder.path())).await.unwrap();
    assert_ne!(token(&third), setup_token);
    third.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_on_the_machine_may_look() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let running = start(config(folder.path())).await.unwrap();
    let mode = |path: &str| std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("data"), 0o700);
    for file in ["data/setup-token", "data/lock", "data/sealpost.sqlite", "data/sealpost.sqlite-wal"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_or_port_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(config(folder.path())).await.unwrap();
    assert!(matches!(refused(config(folder.path())).await, StartError::FolderInUse(_)));
    let elsewhere = tempfile::tempdir().unwrap();
    let config = Config { listen: running.addr(), ..config(elsewhere.path()) };
    assert!(matches!(refused(config).await, StartError::AddressInUse(_)));
    running.stop().await;
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    // It takes the connection and then says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    for (address, told) in [
        ("127.0.0.1:1", "127.0.0.1:1"),
        (&*silent, &*silent),
        ("nowhere.invalid", "nowhere.invalid:5432"),
        ("[bad", "not a Postgres URL"),
    ] {
        let url = format!("postgres://app:hunter2@{address}/app");
        let message = refused(config(folder.path()).postgres(url)).await.to_string();
        assert!(message.contains("Postgres") && message.contains(told), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    start(config(folder.path())).await.unwrap().stop().await;
    let file = folder.path().join("data/sealpost.sqlite");
    let pool = sqlx::SqlitePool::connect(file.to_str().unwrap()).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (9999, 'later', TRUE, X'00', 0)";
    sqlx::query(newer).execute(&pool).await.unwrap();
    pool.close().await;
    assert!(matches!(refused(config(folder.path())).await, StartError::DatabaseNewer));
}

#[tokio::test]
async fn a_file_where_the_folder_should_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), "").unwrap();
    assert!(matches!(refused(config(folder.path())).await, StartError::File { .. }));
}
