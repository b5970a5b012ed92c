//! Uploading: parts in any order, nothing taken on trust, nothing lost, everything repeatable.

use sealpost_api::{
    file::{FileState, OwnFileView, PartDigests, UploadView},
    paging::Page,
    routes,
};
use sealpost_crypto::{
    id::{Digest, FileId, RecordId, UserId},
    parts::part_digest,
    record::{RawRecord, Signed},
    records::{Manifest, ShareContext},
    share::SealedShare,
    sign::Signature,
};
use sealpost_server::Database;
use sealpost_tests::{
    Backend, TestServer,
    forgetful::Forgetful,
    on_every_backend,
    raw::{Person, Terms, Upload, found, random_bytes},
};

/// Two parts.
const TWO_PARTS: u64 = 9 * 1024 * 1024;

on_every_backend! {
    async fn parts_may_come_in_any_order_and_twice(server: TestServer) {
        let ops = found(&server).await;
        let upload = Upload::of_size(TWO_PARTS);
        let file = upload.file_id;
        ops.begin(file).await.ok();
        ops.put_part(file, 1, &upload.parts[1]).await.ok();
        let missing: PartDigests = ops.api.get(&routes::PARTS, &[&file, &1]).await.json();
        assert_eq!(missing.digests.0, [[0; 32], *part_digest(&upload.parts[1]).as_bytes()].concat());
        for index in [0, 1, 0] {
            ops.put_part(file, index, &upload.parts[index]).await.ok();
        }
        let request = ops.completion(&upload).await;
        ops.complete(file, &request).await.ok();
        assert!(ops.download(file, None).await.body == upload.ciphertext());
    }

    async fn parallel_parts_all_arrive(server: TestServer) {
        let ops = found(&server).await;
        let file = FileId::random();
        ops.begin(file).await.ok();
        let parts: Vec<Vec<u8>> = (0..24).map(|_| random_bytes(100_000)).collect();
        let puts = parts.iter().enumerate().map(|(index, part)| ops.put_part(file, index, part));
        for answer in futures_util::future::join_all(puts).await {
            answer.ok();
        }
        let stored: PartDigests = ops.api.get(&routes::PARTS, &[&file, &1]).await.json();
        let digests: Vec<u8> = parts.iter().flat_map(|part| *part_digest(part).as_bytes()).collect();
        assert_eq!(stored.digests.0, digests);
    }

    async fn a_stored_part_is_never_replaced(server: TestServer) {
        let ops = found(&server).await;
        let upload = Upload::of_size(1);
        let file = upload.file_id;
        ops.begin(file).await.ok();
        ops.put_part(file, 0, &upload.parts[0]).await.ok();
        let other = random_bytes(upload.parts[0].len());
        ops.put_part(file, 0, &other).await.fails(409, "part_conflict");
        let request = ops.completion(&upload).await;
        ops.complete(file, &request).await.ok();
        // Nor after completion: the same bytes are a retry, others are a conflict.
        ops.put_part(file, 0, &upload.parts[0]).await.ok();
        let refused = ops.put_part(file, 0, &other).await.problem();
        assert_eq!(refused.status, 409, "{refused:?}");
        ops.put_part(file, 1, &other).await.fails(409, "already_complete");
        assert!(ops.download(file, None).await.body == upload.ciphertext());
    }

    async fn two_clients_racing_for_one_part_leave_one_whole_part(server: TestServer) {
        let ops = found(&server).await;
        let file = FileId::random();
        ops.begin(file).await.ok();
        let candidates: Vec<Vec<u8>> = (0..6).map(|_| random_bytes(500_000)).collect();
        let puts = candidates.iter().map(|part| ops.put_part(file, 0, part));
        let answers = futures_util::future::join_all(puts).await;
        let winners: Vec<usize> = (0..6).filter(|n| answers[*n].status.is_success()).collect();
        assert_eq!(winners.len(), 1, "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
        let stored: PartDigests = ops.api.get(&routes::PARTS, &[&file, &1]).await.json();
        assert_eq!(stored.digests.0, part_digest(&candidates[winners[0]]).as_bytes());
    }

    async fn completing_twice_is_completing_once(server: TestServer) {
        let ops = found(&server).await;
        let stored = ops.upload().await;
        let file = stored.upload.file_id;
        let request = sealpost_api::file::CompleteFile {
            manifest: stored.manifest.raw().clone(),
            metadata: sealpost_crypto::encoding::Base64(stored.upload.metadata.clone()),
            share: stored.own_share.clone(),
        };
        let (one, two) = (ops.complete(file, &request).await, ops.complete(file, &request).await);
        assert_eq!(one.ok().body, two.ok().body);
        let other = ops.completion(&stored.upload).await;
        ops.complete(file, &other).await.fails(409, "already_complete");
        let page: Page<OwnFileView> = ops.api.get(&routes::FILES, &[]).await.json();
        assert_eq!(page.items.len(), 1);
        assert_eq!(page.items[0].file.manifest, *stored.manifest.raw());
    }

    async fn parallel_completions_agree(server: TestServer) {
        let ops = found(&server).await;
        let upload = Upload::of_size(1);
        ops.begin(upload.file_id).await.ok();
        ops.put_part(upload.file_id, 0, &upload.parts[0]).await.ok();
        let request = ops.completion(&upload).await;
        let tries = (0..10).map(|_| ops.complete(upload.file_id, &request));
        for answer in futures_util::future::join_all(tries).await {
            answer.ok();
        }
        assert_eq!(ops.pair(ops.user_id, "sent", 0).await.newest, 1);
    }

    async fn an_upload_with_parts_missing_is_not_complete(server: TestServer) {
        let ops = found(&server).await;
        let upload = Upload::of_size(TWO_PARTS);
        let file = upload.file_id;
        ops.begin(file).await.ok();
        let request = ops.completion(&upload).await;
        ops.complete(file, &request).await.fails(422, "parts_missing");
        ops.put_part(file, 1, &upload.parts[1]).await.ok();
        ops.complete(file, &request).await.fails(422, "parts_missing");
        ops.download(file, None).await.fails(404, "not_found");
        ops.put_part(file, 0, &upload.parts[0]).await.ok();
        ops.complete(file, &request).await.ok();
    }

    async fn a_manifest_is_checked_against_everything_the_server_knows(server: TestServer) {
        type Change = fn(&mut Manifest);
        let ops = found(&server).await;
        let upload = Upload::of_size(1);
        let file = upload.file_id;
        ops.begin(file).await.ok();
        ops.put_part(file, 0, &upload.parts[0]).await.ok();
        let changes: [(&str, Change); 12] = [
            ("organisation", |m| m.org_id = sealpost_crypto::id::OrgId::random()),
            ("signer", |m| m.signer = UserId::random()),
            ("bundle", |m| m.signer_bundle = RecordId::random()),
            ("file", |m| m.file_id = FileId::random()),
            ("version", |m| m.version = 2),
            ("length", |m| m.length += 4_096),
            ("impossible length", |m| m.length += 1),
            ("digest", |m| m.digest = Digest::random()),
            ("metadata", |m| m.metadata = Digest::random()),
            ("previous", |m| m.previous = RecordId::random()),
            ("log head", |m| m.log_head = RecordId::random()),
            ("log signature", |m| m.log_sig = Signature::new([7; 64])),
        ];
        for (what, change) in changes {
            let request = ops.completion_with(&upload, change).await;
            let problem = ops.complete(file, &request).await.problem();
            assert!([400, 422].contains(&problem.status), "{what}: {problem:?}");
        }
        let honest = ops.completion(&upload).await;
        let mut forged = honest.clone();
        forged.manifest.signature = Signature::new([9; 64]);
        assert_eq!(ops.complete(file, &forged).await.problem().status, 422);
        let mut other_metadata = honest.clone();
        other_metadata.metadata.0[3] ^= 1;
        assert_eq!(ops.complete(file, &other_metadata).await.problem().status, 422);
        for (what, share) in own_shares_that_are_wrong(&ops, &honest.manifest).await {
            let mut request = honest.clone();
            request.share = share;
            let problem = ops.complete(file, &request).await.problem();
            assert!([400, 409, 422].contains(&problem.status), "{what}: {problem:?}");
        }
        ops.download(file, None).await.fails(404, "not_found");
        ops.complete(file, &honest).await.ok();
    }

    async fn a_file_id_belongs_to_whoever_used_it_first(server: TestServer) {
        let ops = found(&server).await;
        let client = ops.welcome("client@example.com").await;
        let file = FileId::random();
        ops.begin(file).await.ok();
        let owner = server.literal(&client.user_id);
        server.execute(format!("UPDATE files SET owner = {owner} WHERE file_id = {}", server.literal(&file))).await;
        ops.begin(file).await.fails(409, "id_taken");
    }

    async fn beginning_again_tells_where_the_upload_stands(server: TestServer) {
        let ops = found(&server).await;
        let upload = Upload::of_size(1);
        let file = upload.file_id;
        for _ in 0..2 {
            let view: UploadView = ops.begin(file).await.json();
            assert_eq!((view.file_id, view.version, view.state), (file, 1, FileState::Uploading));
        }
        ops.upload_all(upload).await;
        assert_eq!(ops.begin(file).await.json::<UploadView>().state, FileState::Live);
        // Version 2 may begin; it is the next one.
        let later = sealpost_api::file::CreateFile { file_id: file, version: 3 };
        ops.api.call(&routes::CREATE_FILE, &[], &later).await.fails(422, "unsupported");
    }

    async fn an_upload_goes_on_after_a_restart(server: TestServer) {
        let mut server = server;
        let ops = found(&server).await;
        let upload = Upload::of_size(TWO_PARTS);
        let file = upload.file_id;
        ops.begin(file).await.ok();
        ops.put_part(file, 0, &upload.parts[0]).await.ok();
        server.restart().await;
        let stored: PartDigests = ops.api.get(&routes::PARTS, &[&file, &1]).await.json();
        assert_eq!(stored.digests.0, part_digest(&upload.parts[0]).as_bytes());
        ops.put_part(file, 1, &upload.parts[1]).await.ok();
        let request = ops.completion(&upload).await;
        server.restart().await;
        ops.complete(file, &request).await.ok();
        server.restart().await;
        assert!(ops.download(file, None).await.body == upload.ciphertext());
    }
}

/// Shares to oneself that contradict the manifest, or are not to oneself.
async fn own_shares_that_are_wrong(ops: &Person, manifest: &RawRecord) -> Vec<(&'static str, SealedShare)> {
    type Change = fn(&mut ShareContext);
    let changes: [(&str, Change); 10] = [
        ("file", |c| c.file_id = FileId::random()),
        ("version", |c| c.version = 2),
        ("manifest", |c| c.manifest = RecordId::random()),
        ("commitment", |c| c.commitment = Digest::random()),
        ("recipient", |c| c.recipient = UserId::random()),
        ("recipient's bundle", |c| c.recipient_bundle = RecordId::random()),
        ("sender", |c| c.sender = UserId::random()),
        ("pair sequence", |c| c.pair_sequence = 2),
        ("previous in pair", |c| c.pair_previous = RecordId::random()),
        ("log", |c| c.log_size += 1),
    ];
    let manifest = Signed::<Manifest>::verify(manifest.clone(), &ops.keys.signing.public_key()).unwrap();
    let mut shares = Vec::new();
    let honest = ops.share_context(&manifest, ops.user_id, ops.bundle.id(), Terms::default()).await;
    for (what, change) in changes {
        let mut context = honest.clone();
        change(&mut context);
        shares.push((what, ops.seal(&context)));
    }
    let mut swapped = ops.seal(&honest);
    swapped.ciphertext.0[0] ^= 1;
    shares.push(("wrapped key", swapped));
    let mut short = ops.seal(&honest);
    short.enc.0.pop();
    shares.push(("length of enc", short));
    shares
}

/// Only a database that is reached over a connection can lose it.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_whose_commits_answer_was_lost_is_not_lost() {
    for backend in [Backend::POSTGRES_FOLDER, Backend::POSTGRES_DATABASE] {
        let mut server = TestServer::start(backend).await;
        let mut ops = found(&server).await;
        let (upload, other) = (Upload::of_size(1), Upload::of_size(1));
        for file in [upload.file_id, other.file_id] {
            ops.begin(file).await.ok();
        }
        let forgetful = Forgetful::before(server.postgres_url().unwrap(), "INSERT INTO parts");
        let database = Database::Postgres(forgetful.url().to_owned());
        server.restart_with(|config| config.database = database).await;
        ops.refresh().await;
        let answer = ops.put_part(upload.file_id, 0, &upload.parts[0]).await;
        assert!(forgetful.has_forgotten());
        answer.fails(503, "unavailable");
        // The client can't know, and sends it again; or not, because the part is listed.
        let listed: PartDigests = ops.api.get(&routes::PARTS, &[&upload.file_id, &1]).await.json();
        assert_eq!(listed.digests.0, part_digest(&upload.parts[0]).as_bytes());
        ops.put_part(upload.file_id, 0, &upload.parts[0]).await.ok();
        let request = ops.completion(&upload).await;
        ops.complete(upload.file_id, &request).await.ok();
        assert!(ops.download(upload.file_id, None).await.body == upload.ciphertext(), "{backend:?}");
        ops.put_part(other.file_id, 0, &other.parts[0]).await.ok();
        server.stop().await;
    }
}
