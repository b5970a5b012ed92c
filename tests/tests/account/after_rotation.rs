//! What goes on when somebody's keys have changed: evidence, what was queued, deliveries that are given again, and a
//! device that stops at any moment of the change.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use sealpost_client::{
    Before, Delivery, DeliveryStatus, Disclosure, Error, ErrorKind, Examined, Mark, Proves, QueueEnd,
    RecoveryKit, Result, ShareStatus, SignedIn, Terms, Verdict, examine_evidence,
    store::{MemoryStore, StateStore, StoreGuard},
};
use sealpost_tests::{
    TestServer, on_both_databases,
    sdk::{self, Device, address, secret},
};

on_both_databases! {
    async fn evidence_holds_and_says_that_keys_have_changed(server: TestServer) {
        let (mut ops, mut client) = sdk::organisation(&server).await;
        let file = ops.upload("settlement.txt", b"content").await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        client.download(file).await.unwrap();
        let early = ops.me.evidence(file, None, Disclosure::FileKey).await.unwrap();
        assert_eq!(marks(early.verdict()), [(Proves::Receipt, vec![], vec![None])]);

        client.rotate().await;
        let both = [evidence(&ops, file).await, evidence(&client, file).await];
        for verdict in &both {
            let of_recipient = Some(Mark::ReceiptKeyRetired);
            assert_eq!(marks(verdict), [(Proves::Receipt, vec![Mark::ReceiptKeyRetired], vec![of_recipient])]);
        }
        // Before the share is made anew, and after: the old one is proved as it was, the new one as any other.
        ops.rotate().await;
        let by_old_keys = vec![Mark::SenderKeyRetired, Mark::ReceiptKeyRetired];
        let old = (Proves::Receipt, by_old_keys, vec![Some(Mark::ReceiptKeyRetired)]);
        assert_eq!(marks(&evidence(&client, file).await), std::slice::from_ref(&old));
        ops.me.renew_shares().await.unwrap();
        client.download(file).await.unwrap();
        let mut all = marks(&evidence(&ops, file).await);
        all.sort_by_key(|(_, marks, _)| marks.len());
        assert_eq!(all, [(Proves::Receipt, vec![], vec![None]), old]);
        assert_eq!(marks(&evidence(&client, file).await), [(Proves::Receipt, vec![], vec![None])]);

        // What was made before says what it said: it holds the log of its time.
        let org_id = ops.me.whoami().await.unwrap().org_id;
        let Examined::Delivery(verdict) = examine_evidence(early.bytes(), org_id).unwrap() else { panic!() };
        assert_eq!(marks(&verdict), [(Proves::Receipt, vec![], vec![None])]);
    }

    async fn what_is_queued_outlives_its_owners_keys_and_a_watcher_is_told(server: TestServer) {
        let (mut ops, _) = sdk::organisation(&server).await;
        let code = ops.invite("bob@example.com").await;
        let file = ops.upload("a.txt", b"content").await;
        let outcome = ops.me.share(file, &[address("bob@example.com")], Terms::default()).await.unwrap();
        assert!(matches!(outcome[0].result, Ok(ShareStatus::Queued(_))));
        let mut watcher = ops.other_device(&server.url()).await;
        watcher.me.watch_once(|_| ()).await.unwrap();
        let kit = ops.rotate().await;
        ops.me.renew_shares().await.unwrap();
        drop(code);

        // It ends, and does not wait for what can't come.
        let ended = watcher.me.watch(std::time::Duration::from_millis(50), |_| ()).await.unwrap_err();
        assert_eq!((ended.kind(), ended.code()), (ErrorKind::AccountRotated, "account_rotated"));
        let key = RecoveryKit::parse(&kit).unwrap().account_key;
        let anonymous = sdk::anonymous(&server.url(), &watcher.store);
        watcher.me = anonymous.login(&watcher.email, secret(&watcher.password), key).await.unwrap();

        // Invited again, it is the same account, and what waited for it comes.
        let bob = sdk::join(&server.url(), "bob@example.com", ops.invite("bob@example.com").await).await;
        let mut ends = Vec::new();
        watcher.me.watch_once(|event| match event {
            sealpost_client::WatchEvent::Settled(settled) => ends.push(settled.end),
            sealpost_client::WatchEvent::Certified(person) => assert_eq!(person.email, "bob@example.com"),
            event => panic!("{event:?}"),
        }).await.unwrap();
        assert_eq!(ends, [QueueEnd::Shared]);
        assert_eq!(bob.download(file).await.unwrap(), b"content");
    }

    async fn deliveries_that_are_given_again_are_made_once(server: TestServer) {
        let (mut ops, mut client) = sdk::organisation(&server).await;
        let mut deliveries = Vec::new();
        for (name, length) in [("small", 3_000), ("large", 3_000_000)] {
            let path = server.scratch().join(name);
            std::fs::write(&path, vec![7; length]).unwrap();
            let recipients = vec![(client.email.clone(), Terms::default())];
            deliveries.push(Delivery { path, note: String::new(), recipients });
        }
        let first = deliver(&ops, &deliveries).await;
        assert!(first.iter().all(|(before, shared)| *before == Before::Nothing && *shared));
        for _ in 0..2 {
            ops.rotate().await;
            client.rotate().await;
            ops.me.renew_shares().await.unwrap();
            // Among many, and by itself: known by keys of before, and by the new ones.
            let again = deliver(&ops, &deliveries).await;
            assert!(again.iter().all(|(before, shared)| matches!(before, Before::Same(_)) && !shared), "{again:?}");
            let alone = ops.me.deliver(&deliveries[0], &|_| {}).await.unwrap();
            assert!(matches!(alone.before, Before::Same(_)), "{alone:?}");
        }
        let mine = ops.me.files(None).await.unwrap();
        assert_eq!((mine.items.len(), mine.rejected.len()), (2, 0));
        let theirs = client.me.shared(None).await.unwrap();
        assert_eq!((theirs.items.len(), theirs.rejected.len()), (2, 0));
        std::fs::write(&deliveries[0].path, b"other").unwrap();
        let changed = deliver(&ops, &deliveries).await;
        assert!(matches!(changed[0], (Before::Other(_), true)) && matches!(changed[1], (Before::Same(_), false)));
    }

    async fn what_was_seen_of_a_compromised_sender_counts_no_more(server: TestServer) {
        let (mut ops, client) = sdk::organisation(&server).await;
        let other = ops.welcome_ops(&server.url(), "otto@example.com", "Otto").await;
        let file = ops.upload("a", b"content").await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        client.download(file).await.unwrap();
        ops.rotate().await;
        assert!(client.me.download(file).await.unwrap().by_retired_key(), "it was seen");
        let revocation = other.me.revocation(&ops.email).await.unwrap();
        revocation.revoke(sealpost_client::RevokeReason::Compromised).await.unwrap();
        let error = client.me.download(file).await.map(drop).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "signer_compromised"));
    }

    async fn a_device_that_dies_at_any_moment_of_it_finds_out(server: TestServer) {
        let (mut ops, client) = sdk::organisation(&server).await;
        let file = ops.upload("a", b"content").await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        let (mut old, mut new) = (0, 0);
        for changes in 0.. {
            let dying = Dying { store: ops.store.clone(), left: Arc::new(AtomicUsize::new(usize::MAX)) };
            let me = SignedIn::resume(Arc::new(dying.clone())).await.unwrap();
            let rotation = me.prepare_rotation(secret(&ops.password), None).await.unwrap();
            let kit = RecoveryKit::parse(&rotation.kit()).unwrap();
            dying.left.store(changes, Ordering::Relaxed);
            let survived = rotation.complete().await.is_ok();
            ops.restart().await;
            assert_eq!(ops.me.files(None).await.unwrap().items.len(), 1, "after {changes} changes");
            assert!(ops.blob("rotation").is_none());
            if ops.blob("seed").unwrap() == kit.seed.expose() {
                new += 1;
                let store = MemoryStore::new();
                sdk::anonymous(&server.url(), &store).login_with_kit(kit).await.unwrap();
            } else {
                old += 1;
                assert!(!survived);
            }
            // The password, and the account key that this device has, open what counts.
            ops.other_device(&server.url()).await.me.whoami().await.unwrap();
            if survived {
                break;
            }
        }
        assert!(old > 0 && new > 3, "{old} before it was sent, {new} after");
        ops.me.renew_shares().await.unwrap();
        let fresh = client.other_device(&server.url()).await;
        assert_eq!(fresh.download(file).await.unwrap(), b"content");
    }
}

/// What was found of each delivery, and whether something was shared.
async fn deliver(ops: &Device, deliveries: &[Delivery]) -> Vec<(Before, bool)> {
    let mut outcomes = Vec::new();
    let mut done = |_, outcome: Result<sealpost_client::Delivered>| {
        let delivered = outcome.unwrap();
        let shared = matches!(delivered.recipients[0].result.as_ref().unwrap(), DeliveryStatus::Shared);
        outcomes.push((delivered.before, shared));
        std::ops::ControlFlow::Continue(())
    };
    ops.me.deliver_many(deliveries, &|_| {}, &mut done).await.unwrap();
    outcomes
}

async fn evidence(of: &Device, file: sealpost_client::FileId) -> Verdict {
    let evidence = of.me.evidence(file, None, Disclosure::FileKey).await.unwrap();
    let org_id = of.me.whoami().await.unwrap().org_id;
    match examine_evidence(evidence.bytes(), org_id).unwrap() {
        Examined::Delivery(verdict) => *verdict,
        Examined::Fork(_) => panic!("a fork"),
    }
}

/// Of each delivery: what it proves, what weakens it, and what weakens its receipts.
fn marks(verdict: &Verdict) -> Vec<(Proves, Vec<Mark>, Vec<Option<Mark>>)> {
    let of = |delivered: &sealpost_client::ProvenDelivery| {
        let receipts = delivered.receipts.iter().map(|receipt| receipt.mark).collect();
        (delivered.proves, delivered.marks.clone(), receipts)
    };
    verdict.deliveries.iter().map(of).collect()
}

/// A device whose program ends after so many changes to what it keeps.
#[derive(Clone)]
struct Dying {
    store: MemoryStore,
    left: Arc<AtomicUsize>,
}

impl Dying {
    fn change(&self) -> Result<()> {
        let spend = |left: usize| left.checked_sub(1);
        let spent = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend);
        spent.map(drop).map_err(|_| Error::new(ErrorKind::State, "died", "the program has ended"))
    }
}

impl StateStore for Dying {
    fn load(&self, name: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>> {
        self.store.load(name)
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.change()?;
        self.store.save(name, bytes)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.change()?;
        self.store.remove(name)
    }

    fn lock(&self, name: &str) -> Result<Box<dyn StoreGuard>> {
        self.store.lock(name)
    }
}
