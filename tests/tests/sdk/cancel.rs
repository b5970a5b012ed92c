//! Futures dropped in the middle, at many points: the same call again ends well, and nothing is lost or doubled.

use std::{future::Future, ops::ControlFlow, path::Path, pin::pin};

use futures_util::poll;
use sealpost_client::{Again, Delivery, EmailAddress, FileId, OnProgress, Overwrite, SignedIn, Terms};
use sealpost_tests::{TestServer, on_every_backend, raw::random_bytes, sdk};

/// Drops `attempt`s after 1, 2, 3, … polls, until one comes to its end; what it returned, and how many were dropped.
async fn dropped_again_and_again<T, F: Future<Output = T>>(mut attempt: impl FnMut() -> F) -> (T, usize) {
    for polls in 1.. {
        let mut future = pin!(attempt());
        for _ in 0..polls {
            if let std::task::Poll::Ready(outcome) = poll!(&mut future) {
                return (outcome, polls - 1);
            }
            // Lets what the future waits for happen, mostly.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
    unreachable!("polls without end")
}

on_every_backend! {
    async fn every_operation_can_be_dropped_and_repeated(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let content = random_bytes(300_000);
        let path = server.scratch().join("contract.bin");
        std::fs::write(&path, &content).unwrap();

        let upload = || async { ops.me.upload_path(&path, "note", Again::Allow, &|_| {}).await };
        let (uploaded, dropped) = dropped_again_and_again(upload).await;
        let file = uploaded.unwrap().file_id;
        assert!(dropped > 3, "an upload was dropped {dropped} times only");
        assert_eq!(ops.me.files(None).await.unwrap().items.len(), 1, "one file, not several");

        let emails = [client.email.clone()];
        let terms = Terms { downloads: Some(1), ..Terms::default() };
        let share = || async { ops.me.share(file, &emails, terms).await };
        let (shared, dropped) = dropped_again_and_again(share).await;
        assert_eq!(shared.unwrap().len(), 1);
        assert!(dropped > 3, "a share was dropped {dropped} times only");
        let own = ops.me.files(None).await.unwrap().items.remove(0);
        assert_eq!(own.shares.len(), 1, "one share, not several");

        let arrived = server.scratch().join("arrived.bin");
        let download = || async {
            // Only the receipt's way was cut off: the file is there, and a second download is another one.
            if arrived.exists() {
                return Ok(());
            }
            let download = client.me.download(file).await?;
            download.to_path(&arrived, Overwrite::Never, &|_| {}).await.map(drop)
        };
        let (downloaded, dropped) = dropped_again_and_again(download).await;
        downloaded.unwrap();
        assert!(dropped > 3, "a download was dropped {dropped} times only");
        assert!(std::fs::read(&arrived).unwrap() == content);
        let own = ops.me.files(None).await.unwrap().items.remove(0);
        assert_eq!(own.shares[0].downloads, 1);
        let names = std::fs::read_dir(server.scratch()).unwrap().filter_map(Result::ok);
        let partial = names.filter(|entry| entry.file_name().to_string_lossy().ends_with(".part")).count();
        assert_eq!(partial, 0, "a finished download leaves no temporary file");

        let remove = || async { ops.me.remove(file).await };
        let (removed, _) = dropped_again_and_again(remove).await;
        removed.unwrap();
        assert!(ops.me.files(None).await.unwrap().items.is_empty());
    }

    async fn sealing_a_file_anew_can_be_dropped_and_repeated(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let bob = ops.welcome(&server.url(), "bob@example.com").await;
        let content = random_bytes(300_000);
        let file = ops.upload("contract.bin", &content).await;
        ops.share(file, &client, Terms { downloads: Some(1), ..Terms::default() }).await.unwrap();
        ops.share(file, &bob, Terms::default()).await.unwrap();
        let emails = [bob.email.clone()];
        let rekey = || async { ops.me.unshare_rekeying(file, &emails, &|_| {}).await };
        let (rekeyed, dropped) = dropped_again_and_again(rekey).await;
        assert_eq!(rekeyed.unwrap().version, 2, "one new version, not several");
        assert!(dropped > 3, "dropped {dropped} times only");
        assert!(client.download(file).await.unwrap() == content);
        bob.download(file).await.unwrap_err();
        let own = ops.me.files(None).await.unwrap().items.remove(0);
        let live: Vec<_> = own.shares.iter().filter(|share| !share.ended && !share.replaced).collect();
        assert_eq!(live.len(), 1);
        assert_eq!((live[0].version, live[0].downloads, live[0].limit), (2, 1, Some(1)));
    }

    async fn calls_on_many_files_can_be_dropped_and_repeated(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let recipients = vec![(client.email.clone(), Terms::default())];
        let file = |number: usize| {
            let path = server.scratch().join(format!("file{number}"));
            std::fs::write(&path, random_bytes(100 * number)).unwrap();
            Delivery { path, note: "note".into(), recipients: recipients.clone() }
        };
        let files: Vec<Delivery> = (0..6).map(file).collect();
        let (uploads, deliveries) = files.split_at(3);
        let upload = || async {
            let mut well = 0;
            let mut done = |_, sent: sealpost_client::Result<sealpost_client::Sent>| {
                well += sent.unwrap().shares.iter().filter(|share| share.result.is_ok()).count();
                ControlFlow::Continue(())
            };
            ops.me.upload_many(uploads, Again::Refuse, &|_| {}, &mut done).await.unwrap();
            well
        };
        let (well, dropped) = dropped_again_and_again(upload).await;
        assert_eq!(well, 3);
        assert!(dropped > 3, "dropped {dropped} times only");
        let deliver = || async {
            let mut well = 0;
            let mut done = |_, delivered: sealpost_client::Result<sealpost_client::Delivered>| {
                well += delivered.unwrap().recipients.iter().filter(|outcome| outcome.result.is_ok()).count();
                ControlFlow::Continue(())
            };
            ops.me.deliver_many(deliveries, &|_| {}, &mut done).await.unwrap();
            well
        };
        let (well, dropped) = dropped_again_and_again(deliver).await;
        assert_eq!(well, 3);
        assert!(dropped > 3, "dropped {dropped} times only");
        let own = ops.me.files(None).await.unwrap().items;
        assert_eq!(own.len(), 6, "each file once");
        assert!(own.iter().all(|file| file.shares.len() == 1), "each share once");
    }
}

/// Never called: that it compiles says that a server may run every operation on any of its threads.
#[expect(dead_code, reason = "a statement about types")]
fn every_future_moves_between_threads(
    me: &SignedIn,
    file: FileId,
    delivery: &Delivery,
    emails: &[EmailAddress],
) {
    fn moves<T: Send>(_: T) {}
    let quiet: OnProgress<'_> = &|_| {};
    moves(me.upload(tokio::io::empty(), sdk::describe("a", b""), quiet));
    moves(me.upload_path(Path::new("a"), "", Again::Refuse, quiet));
    moves(me.deliver(delivery, quiet));
    moves(async move {
        let many = std::slice::from_ref(delivery);
        me.upload_many(many, Again::Refuse, quiet, &mut |_, _| ControlFlow::Continue(())).await?;
        me.deliver_many(many, quiet, &mut |_, _| ControlFlow::Continue(())).await
    });
    moves(me.share(file, emails, Terms::default()));
    moves(me.unshare(file, &emails[0]));
    moves(me.unshare_rekeying(file, emails, quiet));
    moves(me.files(None));
    moves(me.shared(None));
    moves(me.receipts(None, None));
    moves(me.remove(file));
    moves(me.certify_accepted());
    moves(async move {
        let download = me.download(file).await?;
        download.read_range(0..1).await?;
        download.to_path(Path::new("a"), Overwrite::Never, quiet).await?;
        me.download(file).await?.to_writer(Vec::new(), quiet).await
    });
}
