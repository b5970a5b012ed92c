//! What the server must not know is nowhere in what it keeps or says: not in its files, tables, write-ahead log
//! or its own log; not raw, not in hex, not in base64.

use sealpost_client::Terms;
use sealpost_crypto::{encoding::from_base64, keys::AccountKeys, secret::AccountSeed};
use sealpost_tests::{
    TestServer, logs, on_every_backend,
    raw::random_bytes,
    sdk::{CLIENT, Device, OPS, describe, found, join},
    search::{Needle, everything, find},
    secrets::file_key,
};
use serde_json::Value;

on_every_backend! {
    async fn the_server_never_holds_what_it_must_not_know(server: TestServer) {
        let setup_token = server.setup_token();
        let ops = found(&server).await;
        let code = ops.invite(CLIENT).await;
        let revealed = code.reveal();
        let token = code.keys().token;
        let client = join(&server.url(), CLIENT, code).await;
        ops.me.certify_accepted().await.unwrap();
        let name = format!("Befund {}.pdf", server.address());
        let note = format!("only for you: {}", server.address());
        let content = random_bytes(200_000);
        let what = sealpost_client::NewFile { note: note.clone(), ..describe(&name, &content) };
        let file = ops.me.upload(&content[..], what, &|_| {}).await.unwrap().file_id;
        ops.share(file, &client, Terms::default()).await.unwrap();
        assert!(client.download(file).await.unwrap() == content);
        let other = client.other_device(&server.url()).await;
        other.me.logout().await.unwrap();

        let mut needles = vec![
            Needle::new("the file's name", name.as_bytes()),
            Needle::new("the note", note.as_bytes()),
            Needle::new("the invite code", revealed.as_bytes()),
            Needle::new("the invite code without hyphens", revealed.replace('-', "").as_bytes()),
            Needle::new("the invite's token", token.expose()),
            Needle::new("the setup token", setup_token.as_bytes()),
            Needle::new("the setup token's bytes", &from_base64(&setup_token).unwrap_or_else(|| setup_token.clone().into_bytes())),
        ];
        for at in [0, 65_536, 100_000, content.len() - 32] {
            needles.push(Needle::new("the content", &content[at..at + 32]));
        }
        for device in [&ops, &client] {
            needles.extend(secrets_of(device));
        }
        let session: Value = serde_json::from_slice(&ops.blob("session").unwrap()).unwrap();
        let token = session["value"]["access_token"].as_str().unwrap();
        let key = file_key(&server, token, &ops.blob("seed").unwrap()).await;
        needles.push(Needle::new("the file key", &key));
        let found = find(&everything(&server).await, &needles);
        assert!(found.is_empty(), "the server holds:\n{}", found.join("\n"));

        let log = [sealpost_tests::search::Place { name: "the log".into(), bytes: logs::captured() }];
        let people = [Needle::new("an address", OPS.as_bytes()), Needle::new("an address", CLIENT.as_bytes())];
        assert_eq!(find(&log, &people), [""; 0]);
        the_search_finds_what_is_there(&server).await;
    }
}

/// Plants a secret wherever the search looks, and proves that each is found.
async fn the_search_finds_what_is_there(server: &TestServer) {
    let planted = |place: &str| format!("canary in {place} of {}", server.address());
    let (file, table, log) = (planted("the folder"), planted("a table"), planted("the log"));
    std::fs::write(server.data().join("planted"), &file).unwrap();
    let hex: String = table.bytes().map(|byte| format!("{byte:02x}")).collect();
    server.execute(format!("UPDATE vaults SET sealed = {}", server.literal(&hex))).await;
    tracing::info!(target: "sealpost_server", secret = log, "planted");
    let needles = [
        Needle::new("file", file.as_bytes()),
        Needle::new("table", table.as_bytes()),
        Needle::new("log", log.as_bytes()),
    ];
    let found = find(&everything(server).await, &needles);
    let seen =
        |what: &str, place: &str| found.iter().any(|line| line.starts_with(what) && line.contains(place));
    assert!(seen("file", "planted"), "{found:?}");
    assert!(seen("table", "vaults.sealed"), "{found:?}");
    let ahead = if server.postgres_url().is_some() { "pg_wal" } else { "-wal" };
    assert!(seen("table", ahead), "{found:?}");
    assert!(seen("log", "log"), "{found:?}");
}

/// What a person's device keeps and the server must not.
fn secrets_of(device: &Device) -> Vec<Needle> {
    let who = device.email.as_str();
    let seed = device.blob("seed").expect("a seed");
    let session: Value = serde_json::from_slice(&device.blob("session").expect("a session")).unwrap();
    let mut needles = vec![
        Needle::new(&format!("the account seed of {who}"), &seed),
        Needle::new(&format!("the password of {who}"), device.password.as_bytes()),
    ];
    for name in ["access_token", "refresh_token"] {
        let token = session["value"][name].as_str().expect("a token");
        needles.push(Needle::new(&format!("the {name} of {who}"), token.as_bytes()));
        if let Some(bytes) = from_base64(token) {
            needles.push(Needle::new(&format!("the {name} of {who}, decoded"), &bytes));
        }
    }
    let keys = AccountKeys::derive(&AccountSeed::from_slice(&seed).unwrap());
    needles.push(Needle::new(&format!("the vault key of {who}"), keys.vault.expose()));
    if let Some(key) = device.blob("account-key") {
        needles.push(Needle::new(&format!("the account key of {who}"), &key));
    }
    needles
}
