//! Shares to people who are not certified yet, from the intent to the file; on both databases.

use std::time::Duration;

use sealpost_client::{Delivery, DeliveryStatus, ErrorKind, FileId, QueueEnd, Settled, ShareStatus, Terms};
use sealpost_tests::{
    TestServer, on_both_databases,
    sdk::{self, Device, address},
};

const BOB: &str = "bob@example.com";
const OTTO: &str = "otto@example.com";

on_both_databases! {
    async fn a_share_to_somebody_pending_waits_and_is_completed_on_its_terms(server: TestServer) {
        let ops = sdk::found(&server).await;
        let code = ops.invite(BOB).await;
        let file = ops.upload("a.txt", b"content").await;
        let terms = Terms { expires_at: Some(server.now() + 3_600), downloads: Some(1) };
        assert!(matches!(share(&ops, file, BOB, terms).await, ShareStatus::Queued(_)));
        // Again is the same intent, on the newest terms.
        share(&ops, file, BOB, Terms { downloads: Some(2), ..terms }).await;
        share(&ops, file, BOB, terms).await;
        let listed = ops.me.files(None).await.unwrap().items.remove(0);
        assert!(listed.shares.is_empty());
        assert_eq!((listed.queued.len(), &*listed.queued[0].email, listed.queued[0].terms), (1, BOB, terms));
        assert!(ops.me.complete_queued().await.unwrap().is_empty());

        let bob = sdk::join(&server.url(), BOB, code).await;
        assert!(ops.me.complete_queued().await.unwrap().is_empty(), "joined is not admitted");
        ops.me.certify_accepted().await.unwrap();
        let settled = ops.me.complete_queued().await.unwrap();
        assert_eq!(ends(&settled), [QueueEnd::Shared]);
        assert_eq!((settled[0].name.as_deref(), &*settled[0].share.email), (Some("a.txt"), BOB));
        assert_eq!(bob.download(file).await.unwrap(), b"content");
        assert_eq!(bob.download(file).await.unwrap_err().kind(), ErrorKind::NotFound, "one download was allowed");
        let listed = ops.me.files(None).await.unwrap().items.remove(0);
        assert_eq!((listed.shares.len(), listed.queued.len()), (1, 0));
        assert_eq!((listed.shares[0].limit, listed.shares[0].expires_at), (Some(1), terms.expires_at));
        assert!(ops.me.complete_queued().await.unwrap().is_empty());
    }

    async fn for_a_colleagues_invitee_the_owner_completes_it(server: TestServer) {
        let ops = sdk::found(&server).await;
        let otto = ops.welcome_ops(&server.url(), OTTO, "Otto").await;
        let first = ops.invite(BOB).await;
        let file = otto.upload("a.txt", b"content").await;
        assert!(matches!(share(&otto, file, BOB, Terms::default()).await, ShareStatus::Queued(_)));
        let nobody = otto.me.share(file, &[address("nobody@example.com")], Terms::default()).await.unwrap();
        assert_eq!(nobody[0].result.as_ref().unwrap_err().kind(), ErrorKind::RecipientUnknown);
        // Invited once more, by the owner this time: the same account, and the intent still is for it.
        drop(first);
        let bob = sdk::join(&server.url(), BOB, otto.invite(BOB).await).await;
        otto.me.certify_accepted().await.unwrap();
        assert!(ops.me.complete_queued().await.unwrap().is_empty(), "it is not theirs");
        assert_eq!(ends(&otto.me.complete_queued().await.unwrap()), [QueueEnd::Shared]);
        assert_eq!(bob.download(file).await.unwrap(), b"content");
    }

    async fn several_devices_complete_it_once_and_what_was_decided_since_counts(server: TestServer) {
        let ops = sdk::found(&server).await;
        let code = ops.invite(BOB).await;
        let [file, other] = [ops.upload("a", b"a").await, ops.upload("b", b"b").await];
        for file in [file, other] {
            share(&ops, file, BOB, Terms::default()).await;
        }
        let devices = [ops.other_device(&server.url()).await, ops.other_device(&server.url()).await];
        let bob = sdk::join(&server.url(), BOB, code).await;
        ops.me.certify_accepted().await.unwrap();
        let (one, two) = tokio::join!(devices[0].me.complete_queued(), devices[1].me.complete_queued());
        let all = [ends(&one.unwrap()), ends(&two.unwrap())].concat();
        assert_eq!(all.iter().filter(|end| **end == QueueEnd::Shared).count(), 2, "{all:?}");
        assert!(ops.me.complete_queued().await.unwrap().is_empty());
        assert_eq!(bob.me.shared(None).await.unwrap().items.len(), 2);

        ops.me.unshare(file, &bob.email).await.unwrap();
        for device in &devices {
            assert!(device.me.complete_queued().await.unwrap().is_empty());
        }
        assert_eq!(bob.download(file).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(bob.download(other).await.unwrap(), b"b");
    }

    async fn what_was_taken_back_is_never_shared(server: TestServer) {
        let ops = sdk::found(&server).await;
        let code = ops.invite(BOB).await;
        let [kept, taken, gone] =
            [ops.upload("kept", b"kept").await, ops.upload("taken", b"x").await, ops.upload("gone", b"x").await];
        for file in [kept, taken, gone] {
            share(&ops, file, BOB, Terms::default()).await;
        }
        // This one knows all three, and does not look again by itself.
        let other = ops.other_device(&server.url()).await;
        assert_eq!(other.me.files(None).await.unwrap().items.iter().map(|own| own.queued.len()).sum::<usize>(), 3);
        ops.me.unshare(taken, &address(BOB)).await.unwrap();
        let again = ops.me.unshare(taken, &address(BOB)).await.unwrap_err();
        assert_eq!((again.kind(), again.code()), (ErrorKind::NotFound, "not_shared"));
        ops.me.remove(gone).await.unwrap();

        let bob = sdk::join(&server.url(), BOB, code).await;
        other.me.certify_accepted().await.unwrap();
        assert_eq!(ends(&other.me.complete_queued().await.unwrap()), [QueueEnd::Shared]);
        assert_eq!(bob.me.shared(None).await.unwrap().items.len(), 1);
        assert_eq!(bob.download(kept).await.unwrap(), b"kept");
        // Taken back is not for ever: the owner may share after all.
        ops.share(taken, &bob, Terms::default()).await.unwrap();
        assert_eq!(bob.download(taken).await.unwrap(), b"x");
    }

    async fn what_can_not_be_completed_is_dropped_with_a_word(server: TestServer) {
        let ops = sdk::found(&server).await;
        let code = ops.invite(BOB).await;
        let [late, gone] = [ops.upload("late", b"x").await, ops.upload("gone", b"x").await];
        share(&ops, late, BOB, Terms { expires_at: Some(now() + 2), downloads: None }).await;
        share(&ops, gone, BOB, Terms::default()).await;
        let other = ops.other_device(&server.url()).await;
        // As if another device had deleted it and not come to say so in the vault.
        server.execute(format!("UPDATE files SET deleted_at = 1 WHERE file_id = {}", server.literal(&gone))).await;
        while now() < late_enough(&ops, late).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(ends(&other.me.complete_queued().await.unwrap()), [QueueEnd::Expired]);
        let bob = sdk::join(&server.url(), BOB, code).await;
        ops.me.certify_accepted().await.unwrap();
        assert_eq!(ends(&ops.me.complete_queued().await.unwrap()), [QueueEnd::FileGone]);
        assert!(ops.me.complete_queued().await.unwrap().is_empty());
        assert!(bob.me.shared(None).await.unwrap().items.is_empty());
    }

    async fn a_list_may_name_people_who_have_not_joined(server: TestServer) {
        let ops = sdk::found(&server).await;
        let code = ops.invite(BOB).await;
        let path = server.scratch().join("november.pdf");
        std::fs::write(&path, b"content").unwrap();
        let recipients = vec![(address(BOB), Terms::default())];
        let delivery = Delivery { path, note: String::new(), recipients };
        let status = |delivered: sealpost_client::Delivered| delivered.recipients.into_iter().next().unwrap().result;
        assert_eq!(status(ops.me.foresee(&delivery).await.unwrap()).unwrap(), DeliveryStatus::Queued);
        for _ in 0..2 {
            let delivered = ops.me.deliver(&delivery, &|_| {}).await.unwrap();
            assert_eq!(status(delivered).unwrap(), DeliveryStatus::Queued);
        }
        let bob = sdk::join(&server.url(), BOB, code).await;
        ops.me.certify_accepted().await.unwrap();
        ops.me.complete_queued().await.unwrap();
        let delivered = ops.me.deliver(&delivery, &|_| {}).await.unwrap();
        assert!(matches!(status(delivered).unwrap(), DeliveryStatus::Already(_)));
        assert_eq!(bob.me.shared(None).await.unwrap().items.len(), 1);
    }
}

async fn share(from: &Device, file: FileId, to: &str, terms: Terms) -> ShareStatus {
    let outcomes = from.me.share(file, &[address(to)], terms).await.expect("sharing");
    outcomes.into_iter().next().expect("one outcome").result.expect("shared or queued")
}

fn ends(settled: &[Settled]) -> Vec<QueueEnd> {
    settled.iter().map(|settled| settled.end).collect()
}

/// When the queued share of a file is over.
async fn late_enough(ops: &Device, file: FileId) -> u64 {
    let files = ops.me.files(None).await.unwrap().items;
    let own = files.iter().find(|own| own.file.file_id == file).unwrap();
    own.queued[0].terms.expires_at.unwrap()
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
