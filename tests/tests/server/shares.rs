//! Sharing, downloading, receipts: who gets what, until when, how often, and what remains provable.

use std::ops::Range;

use futures_util::future::join_all;
use sealpost_api::{
    HEADER_TICKET,
    file::{FileView, OwnFileView, PostReceipt, ReceiptView, ShareFile, ShareResults, UnshareFile},
    limits::{TICKET_SECONDS, UPLOAD_SECONDS},
    paging::Page,
    routes,
};
use sealpost_crypto::{
    id::{FileId, RecordId, TicketId, UserId},
    record::RawRecord,
    records::ShareContext,
};
use sealpost_tests::{
    TestServer,
    http::{Answer, send},
    on_every_backend,
    raw::{Person, Stored, Terms, Upload, found_and_join},
};

/// Two parts.
const TWO_PARTS: u64 = 9 * 1024 * 1024;
const HOUR: u64 = 3_600;

on_every_backend! {
    async fn what_is_shared_arrives_byte_for_byte(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let file = ops.upload_all(Upload::of_size(TWO_PARTS)).await;
        let id = file.upload.file_id;
        client.download(id, None).await.fails(404, "not_found");
        assert!(shared(&client).await.is_empty());
        let share = ops.share_with(&file, &client, Terms::default()).await;

        let listed = shared(&client).await;
        assert_eq!(listed.len(), 1);
        assert_eq!((&listed[0].manifest, &listed[0].share.record), (file.manifest.raw(), &share));
        let one: FileView = client.api.get(&routes::FILE, &[&id]).await.json();
        assert_eq!((one.metadata.0, one.downloads), (file.upload.metadata.clone(), 0));
        let whole = client.download(id, None).await;
        assert!(whole.ok().body == file.upload.ciphertext());
        assert_eq!(whole.header("content-length"), whole.body.len().to_string());
        assert_eq!(whole.header("accept-ranges"), "bytes");
        assert!(whole.header("content-disposition").starts_with("attachment"));
        assert_eq!(whole.header("etag"), format!("\"{}\"", file.manifest.digest));

        let owner = files(&ops).await.remove(0);
        assert_eq!((owner.shares.len(), owner.shares[0].downloads), (1, 1));
        assert_eq!(owner.shares[0].recipient, client.user_id);
    }

    async fn any_range_is_served_exactly(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let file = ops.upload_all(Upload::of_size(TWO_PARTS)).await;
        ops.share_with(&file, &client, Terms { limit: 1, ..Terms::default() }).await;
        let bytes = file.upload.ciphertext();
        let (length, border) = (bytes.len(), file.upload.parts[0].len());
        let ticket = TicketId::random().to_string();
        let get = async |range: &str| {
            let request = client.api.route(&routes::DOWNLOAD, &[&file.upload.file_id]);
            send(request.header(HEADER_TICKET, &ticket).header("range", range)).await
        };
        let cases: [(String, Range<usize>); 8] = [
            ("bytes=0-0".into(), 0..1),
            ("bytes=0-".into(), 0..length),
            (format!("bytes={}-{}", border - 1, border), border - 1..border + 1),
            (format!("bytes={border}-{}", border + 99), border..border + 100),
            (format!("bytes=17-{}", length - 2), 17..length - 1),
            (format!("bytes={}-", length - 1), length - 1..length),
            (format!("bytes={}-{}", length - 5, length + 1_000), length - 5..length),
            ("bytes=-7".into(), length - 7..length),
        ];
        for (text, range) in cases {
            let answer = get(&text).await;
            assert_eq!(answer.status, 206, "{text}: {}", answer.text());
            assert!(answer.body == bytes[range.clone()], "{text}");
            let expected = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            assert_eq!(answer.header("content-range"), expected);
        }
        for outside in [format!("bytes={length}-"), format!("bytes={}-{}", length + 5, length + 9)] {
            let answer = get(&outside).await;
            answer.fails(416, "range_not_satisfiable");
            assert_eq!(answer.header("content-range"), format!("bytes */{length}"));
        }
        // One ticket, one count: the limit was 1 (A68).
        client.download(file.upload.file_id, None).await.fails(404, "not_found");
    }

    async fn a_hundred_racing_downloads_never_exceed_the_limit(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let file = ops.upload().await;
        ops.share_with(&file, &client, Terms { limit: 7, ..Terms::default() }).await;
        let answers = join_all((0..100).map(|_| client.download(file.upload.file_id, None))).await;
        let served = answers.iter().filter(|answer| answer.status.is_success()).count();
        assert_eq!(served, 7);
        for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
            answer.fails(404, "not_found");
        }
        assert_eq!(files(&ops).await[0].shares[0].downloads, 7);
    }

    async fn a_hundred_racing_requests_with_one_ticket_count_once(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let file = ops.upload().await;
        ops.share_with(&file, &client, Terms { limit: 1, ..Terms::default() }).await;
        let ticket = TicketId::random().to_string();
        let answers = join_all((0..100).map(|_| client.download(file.upload.file_id, Some(&ticket)))).await;
        for answer in &answers {
            answer.ok();
            assert_eq!(answer.header(HEADER_TICKET), ticket);
        }
        assert_eq!(files(&ops).await[0].shares[0].downloads, 1);
        assert!(shared(&client).await.is_empty(), "a used up share is still listed");
        // Whoever holds the ticket may go on; it ends too.
        client.download(file.upload.file_id, Some(&ticket)).await.ok();
        client.download(file.upload.file_id, Some(&TicketId::random().to_string())).await.fails(404, "not_found");
        server.pass_time(TICKET_SECONDS + 1);
        let mut client = client;
        client.refresh().await;
        client.download(file.upload.file_id, Some(&ticket)).await.fails(404, "not_found");
    }

    async fn tickets_are_well_formed_and_ones_own(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let other = ops.welcome("other@example.com").await;
        let file = ops.upload().await;
        ops.share_with(&file, &client, Terms { limit: 1, ..Terms::default() }).await;
        ops.share_with(&file, &other, Terms { limit: 1, ..Terms::default() }).await;
        let id = file.upload.file_id;
        for wrong in ["", "x", "00", &"AB".repeat(16)] {
            client.download(id, Some(wrong)).await.fails(400, "malformed_request");
        }
        let answer = client.download(id, None).await;
        let ticket = answer.ok().header(HEADER_TICKET).to_owned();
        client.download(id, Some(&ticket)).await.ok();
        // Somebody else's ticket is to me a fresh one: it uses up my own download.
        other.download(id, Some(&ticket)).await.ok();
        other.download(id, None).await.fails(404, "not_found");
    }

    async fn an_expired_share_looks_like_none(server: TestServer) {
        let (ops, mut client) = found_and_join(&server).await;
        let file = ops.upload().await;
        let id = file.upload.file_id;
        let share = ops.share_with(&file, &client, Terms { expiry: server.now() + HOUR, limit: 0 }).await;
        let ticket = TicketId::random().to_string();
        client.download(id, Some(&ticket)).await.ok();
        server.pass_time(HOUR + 1);
        client.refresh().await;
        let missing = client.download(FileId::random(), None).await;
        for answer in [
            client.download(id, None).await,
            client.download(id, Some(&ticket)).await,
            client.api.get(&routes::FILE, &[&id]).await,
            client.api.get(&routes::PARTS, &[&id, &1]).await,
        ] {
            answer.fails(404, "not_found");
            assert_eq!(answer.body, missing.body);
        }
        assert!(shared(&client).await.is_empty());
        // They did get it: the receipt still counts.
        let receipt = client.receipt(share.id(), file.manifest.id()).await;
        client.api.call(&routes::POST_RECEIPT, &[&id], &receipt).await.ok();
    }

    async fn unsharing_ends_access_at_once_and_can_be_undone(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let file = ops.upload().await;
        let id = file.upload.file_id;
        let share = ops.share_with(&file, &client, Terms::default()).await;
        let ticket = TicketId::random().to_string();
        client.download(id, Some(&ticket)).await.ok();
        let again = ops.share(&file, &client, Terms::default()).await.problem.expect("shared already");
        assert_eq!(again.code.as_str(), "already_shared");

        let record = ops.unshare_record(id, client.user_id, share.id()).await;
        let request = UnshareFile { record };
        for _ in 0..2 {
            ops.api.call(&routes::UNSHARE, &[&id], &request).await.ok();
        }
        client.download(id, Some(&ticket)).await.fails(404, "not_found");
        assert!(shared(&client).await.is_empty());
        assert!(files(&ops).await[0].shares[0].unshare.is_some());
        ops.download(id, None).await.ok();

        ops.share_with(&file, &client, Terms::default()).await;
        client.download(id, None).await.ok();
        assert_eq!(ops.pair(client.user_id, "sent", 0).await.records.len(), 3);
        assert_eq!(client.pair(ops.user_id, "received", 0).await.records.len(), 3);
    }

    async fn an_unshare_must_say_what_is_true(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let (file, other) = (ops.upload().await, ops.upload().await);
        let share = ops.share_with(&file, &client, Terms::default()).await;
        let id = file.upload.file_id;
        let own = ops.unshare_record(id, ops.user_id, file.own_share.record.id()).await;
        let wrong = [
            own,
            ops.unshare_record(id, client.user_id, RecordId::random()).await,
            ops.unshare_record(other.upload.file_id, client.user_id, share.id()).await,
            ops.unshare_record(id, UserId::random(), share.id()).await,
            share.clone(),
        ];
        for record in wrong {
            let problem = ops.api.call(&routes::UNSHARE, &[&id], &UnshareFile { record }).await.problem();
            assert!([404, 409, 422].contains(&problem.status), "{problem:?}");
        }
        client.download(id, None).await.ok();
    }

    async fn only_true_shares_to_active_members_are_stored(server: TestServer) {
        type Change = fn(&mut ShareContext);
        let (ops, client) = found_and_join(&server).await;
        let pending = ops.invite("pending@example.com").await.accept().await;
        let (file, other) = (ops.upload().await, ops.upload().await);
        let code = async |recipient: &Person| {
            ops.share(&file, recipient, Terms::default()).await.problem.map(|p| p.code.as_str().to_owned())
        };
        assert_eq!(code(&pending).await.as_deref(), Some("recipient_pending"));
        let nobody = ops.sealed_share(&file.manifest, UserId::random(), client.bundle.id(), Terms::default()).await;
        let refused = ops.send_share(file.upload.file_id, nobody).await.problem.unwrap();
        assert_eq!(refused.code.as_str(), "recipient_unknown");

        let honest = ops.share_context(&file.manifest, client.user_id, client.bundle.id(), Terms::default()).await;
        let changes: [Change; 9] = [
            |c| c.version = 2,
            |c| c.manifest = RecordId::random(),
            |c| c.commitment = sealpost_crypto::id::Digest::random(),
            |c| c.sender = UserId::random(),
            |c| c.sender_bundle = RecordId::random(),
            |c| c.recipient_bundle = RecordId::random(),
            |c| c.pair_sequence = 5,
            |c| c.log_head = RecordId::random(),
            |c| c.log_size = 1_000,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut context = honest.clone();
            change(&mut context);
            let result = ops.send_share(file.upload.file_id, ops.seal(&context)).await;
            assert!(result.problem.is_some(), "change {number} was taken");
        }
        let elsewhere = ops.send_share(other.upload.file_id, ops.seal(&honest)).await;
        assert!(elsewhere.problem.is_some(), "taken for another file");
        assert!(shared(&client).await.is_empty());
        ops.share_with(&file, &client, Terms::default()).await;
    }

    async fn one_request_shares_with_many_each_by_itself(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let other = ops.welcome("other@example.com").await;
        let pending = ops.invite("pending@example.com").await.accept().await;
        let file = ops.upload().await;
        let mut shares = Vec::new();
        for person in [&client, &pending, &other] {
            shares.push(ops.sealed_share(&file.manifest, person.user_id, person.bundle.id(), Terms::default()).await);
        }
        for _ in 0..2 {
            let request = ShareFile { shares: shares.clone(), renews: vec![] };
            let results: ShareResults = ops.api.call(&routes::SHARE, &[&file.upload.file_id], &request).await.json();
            let codes: Vec<_> = results.results.iter().map(|r| r.problem.as_ref().map(|p| p.code.as_str())).collect();
            assert_eq!(codes, [None, Some("recipient_pending"), None]);
            let recipients: Vec<_> = results.results.iter().map(|result| result.recipient).collect();
            assert_eq!(recipients, [client.user_id, pending.user_id, other.user_id]);
        }
        other.download(file.upload.file_id, None).await.ok();
    }

    async fn two_devices_writing_to_one_pair_both_succeed_in_the_end(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let mut uploads = Vec::new();
        for _ in 0..6 {
            uploads.push(ops.upload().await);
        }
        join_all(uploads.iter().map(|file| share_until_it_is_stored(&ops, file, &client))).await;
        let pair = client.pair(ops.user_id, "received", 0).await;
        assert_eq!((pair.records.len(), pair.newest), (6, 6));
        let mut previous = RecordId::ZERO;
        for record in &pair.records {
            let share: sealpost_crypto::records::Share = record.claim().unwrap();
            let context: ShareContext = serde_json::from_slice(&share.context.0).unwrap();
            assert_eq!(context.pair_previous, previous);
            previous = record.id();
        }
        assert_eq!(shared(&client).await.len(), 6);
    }

    async fn receipts_prove_what_they_name_and_nothing_else(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let other = ops.welcome("other@example.com").await;
        let (file, second) = (ops.upload().await, ops.upload().await);
        let id = file.upload.file_id;
        let share = ops.share_with(&file, &client, Terms::default()).await.id();
        let foreign = ops.share_with(&file, &other, Terms::default()).await.id();
        let post = async |receipt: &PostReceipt| client.api.call(&routes::POST_RECEIPT, &[&id], receipt).await;
        let wrong = [
            client.receipt(RecordId::random(), file.manifest.id()).await,
            client.receipt(share, second.manifest.id()).await,
            client.receipt(foreign, file.manifest.id()).await,
            other.receipt(share, file.manifest.id()).await,
            PostReceipt { receipt: file.manifest.raw().clone() },
        ];
        for receipt in wrong {
            let problem = post(&receipt).await.problem();
            assert!([404, 422].contains(&problem.status), "{problem:?}");
        }
        assert!(receipts(&ops, "").await.is_empty());
        let receipt = client.receipt(share, file.manifest.id()).await;
        for _ in 0..2 {
            post(&receipt).await.ok();
        }
        let kept = receipts(&ops, "").await;
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].file_id, &kept[0].receipt), (id, &receipt.receipt));
        assert_eq!(kept[0].manifest, *file.manifest.raw());
        assert_eq!(receipts(&ops, &format!("?file_id={id}")).await.len(), 1);
        assert!(receipts(&ops, &format!("?file_id={}", second.upload.file_id)).await.is_empty());
        assert_eq!(files(&ops).await.iter().find(|own| own.file.file_id == id).unwrap().shares.iter().filter(|share| share.receipt.is_some()).count(), 1);
    }

    async fn live_files_outlive_the_sweep(server: TestServer) {
        let mut server = server;
        let (ops, client) = found_and_join(&server).await;
        let file = ops.upload().await;
        ops.share_with(&file, &client, Terms::default()).await;
        server.pass_time(2 * UPLOAD_SECONDS);
        server.restart().await;
        let mut client = client;
        client.refresh().await;
        assert!(client.download(file.upload.file_id, None).await.ok().body == file.upload.ciphertext());
    }
}

/// As a device does: on a conflict it looks again and signs for the next place.
async fn share_until_it_is_stored(ops: &Person, file: &Stored, client: &Person) {
    for _ in 0..50 {
        match ops.share(file, client, Terms::default()).await.problem {
            None => return,
            Some(problem) => {
                assert_eq!(problem.code.as_str(), "pair_conflict");
                let holder: RawRecord = problem.record.expect("the record that holds the place");
                assert_eq!(holder.kind, "share");
            }
        }
    }
    panic!("no place in fifty tries");
}

async fn shared(person: &Person) -> Vec<FileView> {
    let answer: Answer = person.api.get(&routes::FILES_SHARED, &[]).await;
    answer.json::<Page<FileView>>().items
}

async fn files(person: &Person) -> Vec<OwnFileView> {
    person.api.get(&routes::FILES, &[]).await.json::<Page<OwnFileView>>().items
}

async fn receipts(person: &Person, query: &str) -> Vec<ReceiptView> {
    let request = person.api.request("GET", &format!("{}{query}", routes::RECEIPTS.path));
    send(request).await.json::<Page<ReceiptView>>().items
}
