//! Ending a share with a new key, by the SDK, from both sides; on both databases.

use std::sync::atomic::{AtomicBool, Ordering};

use sealpost_client::{
    Again, Delivery, DeliveryStatus, Disclosure, ErrorKind, FileAccess, FileId, Overwrite, Progress, Proves,
    QueueEnd, ShareInfo, Terms,
};
use sealpost_tests::{
    TestServer, on_both_databases,
    raw::random_bytes,
    sdk::{self, CLIENT, Device, address},
};
use tokio::sync::Notify;

pub(super) const BOB: &str = "bob@example.com";
/// Two whole parts and a bit more.
pub(super) const THREE_PARTS: usize = 2 * 128 * 65_536 + 70_000;

/// Seals a file anew without one person.
pub(super) async fn rekey(ops: &Device, file: FileId, without: &str) -> sealpost_client::Rekeyed {
    ops.me.unshare_rekeying(file, &[address(without)], &|_| {}).await.unwrap()
}

/// The same, cut off as soon as the first part is there.
pub(super) async fn rekey_cut_off(ops: &Device, file: FileId, without: &str) {
    let (begun, emails) = (Notify::new(), [address(without)]);
    let report = |progress: Progress| {
        if progress.done > 0 && progress.done < progress.total {
            begun.notify_one();
        }
    };
    tokio::select! {
        outcome = ops.me.unshare_rekeying(file, &emails, &report) => panic!("it was not cut off: {outcome:?}"),
        () = begun.notified() => {}
    }
}

async fn shares(ops: &Device, file: FileId) -> Vec<ShareInfo> {
    match ops.me.file(file).await.unwrap().access {
        FileAccess::Own(own) => own.shares,
        FileAccess::Shared(_) => panic!("it is our own"),
    }
}

pub(super) async fn version(device: &Device, file: FileId) -> u64 {
    match device.me.file(file).await.unwrap().access {
        FileAccess::Own(own) => own.file.version,
        FileAccess::Shared(shared) => shared.file.version,
    }
}

async fn delivered(server: &TestServer, content: &[u8]) -> (Device, Device, Device, FileId) {
    let (ops, client) = sdk::organisation(server).await;
    let bob = ops.welcome(&server.url(), BOB).await;
    let file = ops.upload("contract.pdf", content).await;
    ops.share(file, &bob, Terms::default()).await.unwrap();
    (ops, client, bob, file)
}

on_both_databases! {
    async fn those_who_keep_it_get_the_new_version_on_their_old_terms(server: TestServer) {
        let content = random_bytes(THREE_PARTS);
        let (ops, client, bob, file) = delivered(&server, &content).await;
        let terms = Terms { expires_at: Some(server.now() + 3_600), downloads: Some(3) };
        ops.share(file, &client, terms).await.unwrap();
        assert!(client.download(file).await.unwrap() == content);
        bob.download(file).await.unwrap();
        let key = ops.me.file_key(file).await.unwrap();

        let rekeyed = rekey(&ops, file, BOB).await;
        assert_eq!((rekeyed.version, rekeyed.sealed_anew), (2, true));
        assert!(rekeyed.recipients[0].result.is_ok());
        assert!(ops.me.file_key(file).await.unwrap() != key, "under another key");
        assert!(ops.download(file).await.unwrap() == content);
        assert_eq!(bob.download(file).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(bob.me.shared(None).await.unwrap().items.is_empty());

        let shared = client.me.shared(None).await.unwrap();
        assert!(shared.rejected.is_empty(), "{:?}", shared.rejected);
        let theirs = &shared.items[0];
        assert_eq!((theirs.file.version, theirs.downloads), (2, 1));
        assert_eq!((theirs.limit, theirs.expires_at), (Some(3), terms.expires_at));
        assert!(client.download(file).await.unwrap() == content);
        assert!(client.download(file).await.unwrap() == content);
        assert_eq!(client.download(file).await.unwrap_err().kind(), ErrorKind::NotFound, "3 of 3");

        // The owner's view: what ended, what was replaced, with its receipt, and what runs.
        let all = shares(&ops, file).await;
        let of = |email: &str, version: u64| {
            let it = |share: &&ShareInfo| share.recipient.email == email && share.version == version;
            all.iter().find(it).unwrap_or_else(|| panic!("no share of {email}"))
        };
        assert_eq!(all.len(), 3);
        assert!(of(BOB, 1).ended && !of(BOB, 1).replaced && of(BOB, 1).received_at.is_some());
        assert!(of(CLIENT, 1).replaced && !of(CLIENT, 1).ended && of(CLIENT, 1).received_at.is_some());
        assert!(!of(CLIENT, 2).replaced && of(CLIENT, 2).downloads == 3);
        let receipts = ops.me.receipts(Some(file), None).await.unwrap();
        assert!(receipts.rejected.is_empty(), "{:?}", receipts.rejected);
        let mut versions: Vec<u64> = receipts.items.iter().map(|receipt| receipt.version).collect();
        versions.sort_unstable();
        // Two receipts of one second for one share are the same record.
        let received = versions.len();
        versions.dedup_by(|again, before| again == before && *again == 2);
        assert_eq!(versions, [1, 1, 2], "one of Bob's, the others the client's");
        // On a device that never saw the first version, too, and in lists.
        let other = ops.other_device(&server.url()).await;
        assert_eq!(other.me.receipts(None, None).await.unwrap().items.len(), received);
        let listed = other.me.files(None).await.unwrap();
        assert_eq!((listed.items[0].file.version, listed.items[0].shares.len()), (2, 3));
        // Evidence is of the newest version.
        let evidence = ops.me.evidence(file, None, Disclosure::Closed).await.unwrap();
        let deliveries = &evidence.verdict().deliveries;
        assert_eq!(deliveries.len(), 1);
        assert!(matches!(deliveries[0].proves, Proves::Receipt));
        let bobs = ops.me.evidence(file, Some(&bob.email), Disclosure::Closed).await.unwrap_err();
        assert_eq!(bobs.code(), "not_shared");
    }

    async fn whoever_has_the_key_of_the_newest_version_is_worth_a_new_one(server: TestServer) {
        let (ops, client, bob, file) = delivered(&server, b"content").await;
        let both = [address("nobody@example.com"), client.email.clone()];
        let rekeyed = ops.me.unshare_rekeying(file, &both, &|_| {}).await.unwrap();
        assert_eq!((rekeyed.version, rekeyed.sealed_anew), (1, false), "neither has it");
        let kinds: Vec<_> =
            rekeyed.recipients.iter().map(|outcome| outcome.result.as_ref().unwrap_err().kind()).collect();
        assert_eq!(kinds, [ErrorKind::RecipientUnknown, ErrorKind::NotFound]);

        // Ended before, without a new key; and Bob was the only one.
        ops.me.unshare(file, &bob.email).await.unwrap();
        let rekeyed = rekey(&ops, file, BOB).await;
        assert_eq!((rekeyed.version, rekeyed.sealed_anew), (2, true));
        assert!(ops.download(file).await.unwrap() == b"content");
        // Again changes nothing: the key that he has opens nothing any more.
        let again = rekey(&ops, file, BOB).await;
        assert_eq!((again.version, again.sealed_anew), (2, false));
        assert!(again.recipients[0].result.is_ok());
        // He may have it again.
        ops.share(file, &bob, Terms::default()).await.unwrap();
        assert!(bob.download(file).await.unwrap() == b"content");
        assert_eq!(version(&bob, file).await, 2);
        let own = address(sdk::OPS);
        let refused = ops.me.unshare_rekeying(file, &[own], &|_| {}).await.unwrap();
        assert_eq!(refused.recipients[0].result.as_ref().unwrap_err().kind(), ErrorKind::InvalidInput);
        let stolen = client.me.unshare_rekeying(file, std::slice::from_ref(&bob.email), &|_| {}).await.unwrap_err();
        assert_eq!(stolen.kind(), ErrorKind::Forbidden);
    }

    async fn a_device_that_missed_versions_follows_the_chain(server: TestServer) {
        let (ops, client, bob, file) = delivered(&server, b"content").await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        let dora = ops.welcome(&server.url(), "dora@example.com").await;
        ops.share(file, &dora, Terms::default()).await.unwrap();
        assert_eq!(version(&client, file).await, 1);
        rekey(&ops, file, BOB).await;
        rekey(&ops, file, "dora@example.com").await;
        assert_eq!(version(&client, file).await, 3);
        assert!(client.download(file).await.unwrap() == b"content");
        assert_eq!(version(&client.other_device(&server.url()).await, file).await, 3);
        drop(bob);
        let all = shares(&ops, file).await;
        assert_eq!(all.iter().filter(|share| !share.ended && !share.replaced).count(), 1);
        assert_eq!(all.iter().map(|share| share.version).max(), Some(3));
    }

    async fn an_interrupted_one_goes_on_and_another_device_may_begin_anew(server: TestServer) {
        let content = random_bytes(THREE_PARTS);
        let (mut ops, client, _bob, file) = delivered(&server, &content).await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        rekey_cut_off(&ops, file, BOB).await;
        assert_eq!(version(&client, file).await, 1, "nothing has happened yet");
        assert!(client.download(file).await.unwrap() == content);
        ops.restart().await;
        let other = ops.other_device(&server.url()).await;
        rekey_cut_off(&other, file, BOB).await;
        // The first device again: its parts are gone, the last one wins.
        assert_eq!(rekey(&ops, file, BOB).await.version, 2);
        let late = rekey(&other, file, BOB).await;
        assert_eq!((late.version, late.sealed_anew), (2, false));
        assert!(client.download(file).await.unwrap() == content);
        assert_eq!(ops.blob("outbox-rekey"), None);
        // A deleted file leaves no journal.
        ops.share(file, &_bob, Terms::default()).await.unwrap();
        rekey_cut_off(&ops, file, BOB).await;
        ops.me.remove(file).await.unwrap();
        let gone = ops.me.unshare_rekeying(file, &[address(BOB)], &|_| {}).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
    }

    async fn a_download_under_way_goes_on_with_the_new_version_and_counts_once(server: TestServer) {
        let content = random_bytes(THREE_PARTS);
        let (ops, client, _bob, file) = delivered(&server, &content).await;
        let once = Terms { downloads: Some(1), ..Terms::default() };
        ops.share(file, &client, once).await.unwrap();
        let target = server.scratch().join("contract.pdf");
        let begun = Notify::new();
        let report = |progress: Progress| {
            if progress.done > 0 && progress.done < progress.total {
                begun.notify_one();
            }
        };
        let download = client.me.download(file).await.unwrap();
        tokio::select! {
            outcome = download.to_path(&target, Overwrite::Never, &report) => panic!("not cut off: {outcome:?}"),
            () = begun.notified() => {}
        }
        // Looked up before, fetched after: by itself it is the new version that arrives, from where the old one was.
        let download = client.me.download(file).await.unwrap();
        assert_eq!(download.version(), 1);
        rekey(&ops, file, BOB).await;
        let kept = AtomicBool::new(false);
        let report = |progress: Progress| {
            if progress.done > 0 && progress.done < progress.total {
                kept.store(true, Ordering::Relaxed);
            }
        };
        let done = download.to_path(&target, Overwrite::Never, &report).await.unwrap();
        assert_eq!((done.version, done.receipt_sent), (2, true));
        assert!(std::fs::read(&target).unwrap() == content);
        assert!(kept.load(Ordering::Relaxed));
        let left: Vec<_> = std::fs::read_dir(server.scratch()).unwrap().flatten().collect();
        assert!(left.iter().all(|entry| !entry.file_name().to_string_lossy().ends_with(".part")), "{left:?}");
        assert_eq!(client.download(file).await.unwrap_err().kind(), ErrorKind::NotFound, "one download of one");
        // To a writer nothing can be taken back: it says to begin anew.
        ops.share(file, &_bob, Terms::default()).await.unwrap();
        let download = ops.me.download(file).await.unwrap();
        rekey(&ops, file, BOB).await;
        let error = download.to_writer(Vec::new(), &|_| {}).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound), "{error}");
    }

    async fn queued_shares_and_deliveries_go_on_with_the_new_version(server: TestServer) {
        let ops = sdk::found(&server).await;
        let bob = ops.welcome(&server.url(), BOB).await;
        let path = server.scratch().join("monthly.pdf");
        std::fs::write(&path, b"content").unwrap();
        let code = ops.invite(CLIENT).await;
        let everybody = vec![(address(BOB), Terms::default()), (address(CLIENT), Terms::default())];
        let delivery = Delivery { path: path.clone(), note: String::new(), recipients: everybody };
        let file = ops.me.deliver(&delivery, &|_| {}).await.unwrap().file_id.unwrap();
        rekey(&ops, file, BOB).await;
        // Given again, the list shares nothing anew: what was ended stays so, what waits waits.
        let again = ops.me.deliver(&delivery, &|_| {}).await.unwrap();
        assert!(matches!(again.recipients[0].result, Ok(DeliveryStatus::Already(ref share)) if share.ended));
        assert!(matches!(again.recipients[1].result, Ok(DeliveryStatus::Queued)));
        let client = sdk::join(&server.url(), CLIENT, code).await;
        ops.me.certify_accepted().await.unwrap();
        let settled = ops.me.complete_queued().await.unwrap();
        assert_eq!(settled.iter().map(|settled| settled.end).collect::<Vec<_>>(), [QueueEnd::Shared]);
        assert_eq!(version(&client, file).await, 2);
        assert!(client.download(file).await.unwrap() == b"content");
        bob.download(file).await.unwrap_err();
        let again = ops.me.deliver(&delivery, &|_| {}).await.unwrap();
        assert!(matches!(again.recipients[1].result, Ok(DeliveryStatus::Already(ref share)) if share.version == 2));

        // One that only waits is taken back, and nobody has a key that would be worth a new one.
        let dora = ops.invite("dora@example.com").await;
        ops.me.share(file, &[address("dora@example.com")], Terms::default()).await.unwrap();
        let taken_back = rekey(&ops, file, "dora@example.com").await;
        assert_eq!((taken_back.version, taken_back.sealed_anew), (2, false));
        let dora = sdk::join(&server.url(), "dora@example.com", dora).await;
        ops.me.certify_accepted().await.unwrap();
        assert!(ops.me.complete_queued().await.unwrap().is_empty());
        dora.download(file).await.unwrap_err();
    }

    async fn files_of_a_batch_are_like_all_others(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let bob = ops.welcome(&server.url(), BOB).await;
        let recipients = vec![(client.email.clone(), Terms::default()), (bob.email.clone(), Terms::default())];
        let delivery = |number: usize| {
            let path = server.scratch().join(format!("batch{number}"));
            std::fs::write(&path, random_bytes(1_000 * number)).unwrap();
            Delivery { path, note: String::new(), recipients: recipients.clone() }
        };
        let files: Vec<Delivery> = (0..3).map(delivery).collect();
        let mut ids = vec![None; files.len()];
        let mut done = |at: usize, sent: sealpost_client::Result<sealpost_client::Sent>| {
            ids[at] = Some(sent.unwrap().file.file_id);
            std::ops::ControlFlow::Continue(())
        };
        ops.me.upload_many(&files, Again::Refuse, &|_| {}, &mut done).await.unwrap();
        let id = ids[1].unwrap();
        assert_eq!(rekey(&ops, id, BOB).await.version, 2);
        assert!(client.download(id).await.unwrap() == std::fs::read(&files[1].path).unwrap());
        assert_eq!(bob.me.shared(None).await.unwrap().items.len(), 2);
        // Shares made together are of the version that is live.
        let dora = ops.welcome(&server.url(), "dora@example.com").await;
        let more: Vec<Delivery> = files
            .iter()
            .map(|file| Delivery { recipients: vec![(dora.email.clone(), Terms::default())], ..file.clone() })
            .collect();
        let mut deliver = |_, delivered: sealpost_client::Result<sealpost_client::Delivered>| {
            assert!(delivered.unwrap().recipients[0].result.is_ok());
            std::ops::ControlFlow::Continue(())
        };
        ops.me.deliver_many(&more, &|_| {}, &mut deliver).await.unwrap();
        let theirs = dora.me.shared(None).await.unwrap();
        assert_eq!((theirs.items.len(), theirs.rejected.len()), (3, 0));
    }
}
