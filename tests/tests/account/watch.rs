//! Watching: whatever happens to the server meanwhile, who joins is admitted and gets what was queued; on both
//! databases.

use std::time::Duration;

use sealpost_api::routes;
use sealpost_client::{ErrorKind, QueueEnd, Terms, WatchEvent};
use sealpost_tests::{
    TestServer,
    adversary::Adversary,
    on_both_databases,
    sdk::{self, Device, address},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};

const BOB: &str = "bob@example.com";
/// Looks come often here, so that the tests need not wait.
const PAUSE: Duration = Duration::from_millis(50);
/// Nothing that is waited for takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

struct Watching {
    events: UnboundedReceiver<WatchEvent>,
    task: JoinHandle<sealpost_client::Error>,
}

impl Watching {
    fn begin(device: &Device) -> Self {
        let (sender, events) = unbounded_channel();
        let me = device.me.clone();
        let report = move |event| sender.send(event).unwrap();
        let task = tokio::spawn(async move { me.watch(PAUSE, report).await.unwrap_err() });
        Self { events, task }
    }

    async fn next(&mut self) -> WatchEvent {
        tokio::time::timeout(PATIENCE, self.events.recv())
            .await
            .expect("nothing happened")
            .expect("it has ended")
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

on_both_databases! {
    async fn who_joins_is_admitted_and_gets_what_was_queued(server: TestServer) {
        let mut server = server;
        let ops = sdk::found(&server).await;
        let code = ops.invite(BOB).await;
        let waits = ops.me.invite_ops(sdk::ops_invite("otto@example.com", "Otto")).await.unwrap().code;
        let file = ops.upload("a.txt", b"content").await;
        ops.me.share(file, &[address(BOB)], Terms::default()).await.unwrap()[0].result.as_ref().unwrap();
        let watcher = ops.other_device(&server.url()).await;
        let mut watching = Watching::begin(&watcher);

        let bob = sdk::join(&server.url(), BOB, code).await;
        assert!(matches!(watching.next().await, WatchEvent::Certified(person) if person.email == BOB));
        assert!(matches!(watching.next().await, WatchEvent::Settled(it) if it.end == QueueEnd::Shared));
        assert_eq!(bob.download(file).await.unwrap(), b"content");
        // Who must be heard first is named once, and not admitted.
        sdk::join(&server.url(), "otto@example.com", waits).await;
        assert!(matches!(watching.next().await, WatchEvent::Waiting(person) if person.email == "otto@example.com"));

        // Queued on another device while it watches, for somebody who joins after a restart of the server and the end
        // of every session.
        let code = ops.invite("carol@example.com").await;
        ops.me.share(file, &[address("carol@example.com")], Terms::default()).await.unwrap();
        server.stop().await;
        assert!(matches!(watching.next().await, WatchEvent::Offline { .. }));
        server.start_again().await;
        assert!(matches!(watching.next().await, WatchEvent::Online));
        server.execute("DELETE FROM sessions".to_owned()).await;
        let carol = sdk::join(&server.url(), "carol@example.com", code).await;
        assert!(matches!(watching.next().await, WatchEvent::Certified(person) if person.email == carol.email.as_str()));
        assert!(matches!(watching.next().await, WatchEvent::Settled(it) if it.end == QueueEnd::Shared));
        assert_eq!(carol.download(file).await.unwrap(), b"content");
        assert!(!watching.task.is_finished());
    }

    async fn an_answer_that_does_not_verify_is_told_once_and_ends_nothing(server: TestServer) {
        let evil = Adversary::before(&server).await;
        let ops = sdk::found_at(&server, &evil.url()).await;
        let code = ops.invite(BOB).await;
        let honest = ops.invite("carol@example.com").await;
        sdk::join(&server.url(), BOB, code).await;
        sdk::join(&server.url(), "carol@example.com", honest).await;
        evil.json(routes::INVITES, |page| {
            for item in page["items"].as_array_mut().unwrap() {
                if item["email"] == BOB && item["acceptance"].is_object() {
                    item["acceptance"]["mac"] = item["offer_mac"].clone();
                }
            }
        });
        let mut watching = Watching::begin(&ops);
        // The other one is admitted all the same.
        assert!(matches!(watching.next().await, WatchEvent::Certified(person) if person.email == "carol@example.com"));
        let WatchEvent::Refused { person, error } = watching.next().await else { panic!("not told") };
        assert_eq!((&*person.email, error.kind(), error.code()), (BOB, ErrorKind::Verification, "accept_mac"));
        let once = ops.me.watch_once(|_| ()).await.unwrap_err();
        assert_eq!((once.kind(), once.code()), (ErrorKind::Verification, "accept_mac"));
        evil.repent();
        assert!(matches!(watching.next().await, WatchEvent::Certified(person) if person.email == BOB));
        assert!(!watching.task.is_finished());
    }

    async fn a_log_that_does_not_verify_ends_it(server: TestServer) {
        let evil = Adversary::before(&server).await;
        let ops = sdk::found_at(&server, &evil.url()).await;
        evil.json(routes::LOG, |page| page["checkpoint"]["payload"] = "e30".into());
        let mut watching = Watching::begin(&ops);
        let ended = tokio::time::timeout(PATIENCE, &mut watching.task).await.unwrap().unwrap();
        assert_eq!(ended.kind(), ErrorKind::Verification);
        evil.repent();
        ops.me.watch_once(|_| ()).await.unwrap();
    }

    async fn clients_have_nothing_to_watch(server: TestServer) {
        let (_, client) = sdk::organisation(&server).await;
        let refused = client.me.watch(PAUSE, |_| ()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
    }
}
