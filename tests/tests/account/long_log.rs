//! A log that is longer than what one request gives.

use sealpost_api::{limits::MAX_LOG_PAGE, log::LogEntry};
use sealpost_crypto::{
    log::Log,
    record::{RawRecord, Signed},
    records::Checkpoint,
};
use sealpost_tests::{
    TestServer, on_both_databases,
    sdk::{self, Device},
};
use serde_json::Value;

on_both_databases! {
    async fn it_is_verified_whole(server: TestServer) {
        let mut server = server;
        let (ops, client) = sdk::organisation(&server).await;
        // A page that is exactly full may be the last one, or not.
        for size in [MAX_LOG_PAGE, MAX_LOG_PAGE + 2] {
            lengthen(&mut server, &ops, size.into()).await;
            let file = ops.deliver(&client, "content").await;
            assert_eq!(client.download(file).await.unwrap(), b"content");
            let fresh = client.other_device(&server.url()).await;
            assert_eq!(fresh.download(file).await.unwrap(), b"content");
            assert_eq!(log_of(&fresh).size(), u64::from(size));
        }
        // It goes on from there.
        ops.welcome(&server.url(), "late@example.com").await;
        assert_eq!(log_of(&ops).size(), u64::from(MAX_LOG_PAGE) + 3);
    }
}

/// Lets the server's log grow to that size, by entries that say nothing new: its key for checkpoints stays.
async fn lengthen(server: &mut TestServer, ops: &Device, size: u64) {
    let (account, key) = (ops.account(1).await, server.checkpoint_key().await);
    let mut log = log_of(ops);
    let mut rows = Vec::new();
    while log.size() < size {
        let entry = log.ops_signer(&account).unwrap().service(key.public_key()).unwrap().into_raw();
        let (sequence, id) = (log.size(), entry.id());
        log.apply(entry.clone(), None).unwrap();
        let checkpoint = Checkpoint { org_id: log.org_id(), log_size: log.size(), log_head: id };
        let checkpoint = Signed::sign(checkpoint, &key).unwrap().into_raw();
        let [entry, checkpoint] = [entry, checkpoint].map(|record| serde_json::to_string(&record).unwrap());
        rows.push(format!("({sequence}, {}, '{entry}', '{checkpoint}', 0)", server.literal(&id)));
    }
    server.stop().await;
    for rows in rows.chunks(100) {
        let columns = "sequence, entry_id, record, checkpoint, appended_at";
        server.execute(format!("INSERT INTO log_entries ({columns}) VALUES {}", rows.join(", "))).await;
    }
    server.start_again().await;
}

/// The log that a device keeps, verified.
fn log_of(device: &Device) -> Log {
    let kept: Value = serde_json::from_slice(&device.blob("log").unwrap()).unwrap();
    let entries: Vec<LogEntry> = serde_json::from_value(kept["value"]["entries"].clone()).unwrap();
    let mut entries = entries.into_iter();
    let genesis = entries.next().unwrap();
    let mut log = Log::found(genesis.record, genesis.bundle.unwrap()).unwrap();
    for entry in entries {
        log.apply(entry.record, entry.bundle).unwrap();
    }
    let checkpoint: RawRecord = serde_json::from_value(kept["value"]["checkpoint"].clone()).unwrap();
    log.accept_checkpoint(checkpoint).unwrap();
    log
}
