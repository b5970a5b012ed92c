//! A database that comes back from a backup with a shorter log: nothing is appended before the operator has confirmed.

use sealpost_api::{
    account::AccountView,
    log::{LogPage, LogSeen},
    routes,
};
use sealpost_crypto::{
    record::{RawRecord, Signed},
    records::{Checkpoint, RevokeReason},
    secret::SigningSeed,
    sign::SigningKey,
};
use sealpost_tests::{
    TestServer,
    http::Answer,
    on_every_backend,
    raw::{Person, found},
};

on_every_backend! {
    async fn the_mark_in_the_data_folder_gives_a_restore_away(server: TestServer) {
        let mut server = server;
        let ops = found(&server).await;
        let [one, two] = [ops.welcome("one@example.com").await, ops.welcome("two@example.com").await];
        ops.revoke(&one, RevokeReason::Left).await;
        server.restart().await;
        assert_eq!(server.missing_log(), None, "an ordinary restart is none");
        restore(&mut server, 3).await;
        assert_eq!(server.missing_log(), Some(4));

        // Everything but the log goes on.
        ops.upload().await;
        let entry = ops.revocation(&two, RevokeReason::Left).await;
        ops.append(&entry).await.fails(503, "restore_unconfirmed");
        server.restart().await;
        assert_eq!(server.missing_log(), Some(4), "a restart confirms nothing");
        ops.append(&entry).await.fails(503, "restore_unconfirmed");

        server.restart_with(|config| config.confirm_restore = true).await;
        assert_eq!(server.missing_log(), None);
        ops.append(&entry).await.ok();
        server.restart().await;
        assert_eq!(server.missing_log(), None);
    }

    async fn nor_are_keys_changed_before_that(server: TestServer) {
        let mut server = server;
        let (ops, _) = forgotten_revocation(&mut server).await;
        let current = async || ops.api.get(&routes::ACCOUNT, &[]).await.json::<AccountView>().credential;
        let (before, next) = (current().await, ops.next_keys().await);
        ops.send_rotation(&next).await.fails(503, "restore_unconfirmed");
        assert_eq!(current().await, before, "half of it was stored");
        server.restart_with(|config| config.confirm_restore = true).await;
        ops.send_rotation(&next).await.ok();
        assert_eq!(current().await, next.request.credential);
    }

    async fn a_second_restore_needs_a_second_confirmation(server: TestServer) {
        let mut server = server;
        let (ops, one) = forgotten_revocation(&mut server).await;
        server.restart_with(|config| config.confirm_restore = true).await;
        ops.revoke(&one, RevokeReason::Left).await;
        restore(&mut server, 2).await;
        assert_eq!(server.missing_log(), Some(3));
    }

    async fn a_client_that_has_seen_more_gives_it_away_too(server: TestServer) {
        let mut server = server;
        let ops = found(&server).await;
        let [one, two] = [ops.welcome("one@example.com").await, ops.welcome("two@example.com").await];
        let older = newest(&ops).await;
        ops.revoke(&one, RevokeReason::Left).await;
        let seen_by_two = newest(&ops).await;
        std::fs::remove_file(server.data().join("log-mark")).unwrap();
        restore(&mut server, 3).await;
        assert_eq!(server.missing_log(), None, "nothing is left that could tell");

        // What this server never signed tells nothing, nor what it has.
        let claim: Checkpoint = seen_by_two.claim().unwrap();
        let forger = SigningKey::from_seed(&SigningSeed::random());
        let forged = Signed::sign(Checkpoint { log_size: 99, ..claim }, &forger).unwrap().into_raw();
        present(&two, forged).await.fails(422, "record_invalid");
        present(&two, older).await.ok();
        let entry = ops.revocation(&two, RevokeReason::Left).await;
        present(&two, seen_by_two.clone()).await.ok();
        ops.append(&entry).await.fails(503, "restore_unconfirmed");

        server.restart_with(|config| config.confirm_restore = true).await;
        present(&two, seen_by_two).await.ok();
        ops.append(&entry).await.ok();
    }
}

/// A founder and a member whose end a restored backup does not have.
async fn forgotten_revocation(server: &mut TestServer) -> (Person, Person) {
    let ops = found(server).await;
    let one = ops.welcome("one@example.com").await;
    ops.revoke(&one, RevokeReason::Left).await;
    restore(server, 2).await;
    (ops, one)
}

/// Puts the log back to what a backup had.
async fn restore(server: &mut TestServer, size: u64) {
    server.stop().await;
    server.execute(format!("DELETE FROM log_entries WHERE sequence >= {size}")).await;
    server.execute("UPDATE accounts SET status = 2 WHERE status = 3".to_owned()).await;
    server.start_again().await;
}

async fn newest(person: &Person) -> RawRecord {
    person.api.get(&routes::LOG, &[]).await.json::<LogPage>().checkpoint
}

async fn present(person: &Person, checkpoint: RawRecord) -> Answer {
    person.api.call(&routes::LOG_SEEN, &[], &LogSeen { checkpoint }).await
}
