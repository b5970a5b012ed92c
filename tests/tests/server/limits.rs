//! Every limit that a request can reach: at the limit it is served, one past it is refused by name. Limits in
//! time are reached by moving the server's clock.

use sealpost_api::{
    HEADER_PART_DIGEST, OCTET_STREAM,
    account::VaultBlob,
    batch::{CreateFiles, FileResults, FileShare, FileShareResults, ShareFiles},
    file::{PartDigests, ShareFile, ShareResults},
    limits::{
        CERTIFY_GRACE_SECONDS, CLOCK_SKEW_SECONDS, MAX_BATCH_BODY, MAX_BATCH_CIPHERTEXT, MAX_DOWNLOAD_LIMIT,
        MAX_FILES_PER_BATCH, MAX_INVITE_SECONDS, MAX_JSON_BODY, MAX_OPEN_INVITES, MAX_OPEN_UPLOADS, MAX_PAGE,
        MAX_PART_DIGESTS_PAGE, MAX_SHARE_BODY, MAX_SHARES_PER_REQUEST, MAX_SHARES_SHOWN, MAX_VAULT_BODY,
        REGISTRATION_SECONDS, UPLOAD_SECONDS,
    },
    log::AppendLog,
    paging::Page,
    routes,
};
use sealpost_crypto::{
    encoding::Base64,
    id::{Digest, FileId, UserId},
    log::MAX_NAME_BYTES,
    record::RawRecord,
    records::Role,
    size::{MAX_PARTS, PART_CIPHERTEXT},
};
use sealpost_tests::{
    TestServer,
    http::send,
    on_every_backend,
    raw::{Person, Terms, Upload, found, found_and_join, random_bytes, sha256, subject},
    wire::Wire,
};
use serde_json::{Value, json};

/// Most bytes of a sealed vault (protocol §4).
const MAX_VAULT: usize = 4 * 1024 * 1024;
/// Most bytes of sealed metadata (protocol §4).
const MAX_METADATA: usize = 16 * 1024;

on_every_backend! {
    async fn json_bodies(server: TestServer) {
        let api = server.api();
        let login = json!({"email": "a@example.com", "ke1": Base64(random_bytes(96))}).to_string();
        // White space after the JSON is still JSON.
        let send_padded = async |length: usize| {
            let body = padded(&login, length);
            send(api.route(&routes::LOGIN, &[]).header("content-type", "application/json").body(body)).await
        };
        assert_ne!(send_padded(MAX_JSON_BODY).await.status, 413);
        let head = "POST /auth/login\ncontent-type: application/json";
        assert_eq!(Wire::announce(&server, &api, head, MAX_JSON_BODY + 1).await, 413);
    }

    async fn the_vault_and_its_body(server: TestServer) {
        let ops = found(&server).await;
        let stored: VaultBlob = ops.api.get(&routes::VAULT, &[]).await.json();
        let next = |length| VaultBlob {
            version: stored.version + 1,
            previous: sha256(&[&stored.blob.0]),
            blob: Base64(random_bytes(length)),
        };
        let put = async |vault: &VaultBlob, length: usize| {
            let body = padded(&json!(vault).to_string(), length);
            let request = ops.api.route(&routes::PUT_VAULT, &[]).header("content-type", "application/json");
            send(request.body(body)).await
        };
        let head = "PUT /account/vault\ncontent-type: application/json";
        assert_eq!(Wire::announce(&server, &ops.api, head, MAX_VAULT_BODY + 1).await, 413);
        assert!([413, 422].contains(&put(&next(MAX_VAULT + 1), 0).await.problem().status));
        let unchanged: VaultBlob = ops.api.get(&routes::VAULT, &[]).await.json();
        assert_eq!(unchanged.version, stored.version);
        put(&next(MAX_VAULT), MAX_VAULT_BODY).await.ok();
    }

    async fn the_vault_is_swapped_only_against_what_is_stored(server: TestServer) {
        let ops = found(&server).await;
        let stored: VaultBlob = ops.api.get(&routes::VAULT, &[]).await.json();
        assert_eq!((stored.version, stored.previous.is_zero()), (1, true));
        let previous = sha256(&[&stored.blob.0]);
        let vault = |version, previous| VaultBlob { version, previous, blob: Base64(random_bytes(4_136)) };
        for stale in [vault(1, previous), vault(3, previous), vault(2, Digest::random()), vault(2, Digest::ZERO)] {
            ops.api.call(&routes::PUT_VAULT, &[], &stale).await.fails(409, "vault_conflict");
        }
        let next = vault(2, previous);
        ops.api.call(&routes::PUT_VAULT, &[], &next).await.ok();
        let read: VaultBlob = ops.api.get(&routes::VAULT, &[]).await.json();
        assert_eq!((read.version, &read.blob), (2, &next.blob));
        // Two devices start from the same state: one of them wins.
        let previous = sha256(&[&next.blob.0]);
        let (one, two) = (vault(3, previous), vault(3, previous));
        let (one, two) = tokio::join!(ops.api.call(&routes::PUT_VAULT, &[], &one), ops.api.call(&routes::PUT_VAULT, &[], &two));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert!(statuses[0] < 300 && statuses[1] == 409, "{statuses:?}");
    }

    async fn pages(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let file = ops.upload().await;
        let id = file.upload.file_id;
        let pair = routes::PAIR.fill(&[&client.user_id]);
        let lists = [
            routes::FILES.path.to_owned(),
            routes::FILES_SHARED.path.to_owned(),
            routes::INVITES.path.to_owned(),
            routes::MEMBERS.path.to_owned(),
            routes::RECEIPTS.path.to_owned(),
            routes::SHARES.fill(&[&id]),
            routes::LOG.path.to_owned(),
            format!("{pair}?direction=sent"),
            format!("{pair}?direction=received"),
        ];
        for list in lists {
            let join = if list.contains('?') { '&' } else { '?' };
            let get = async |query: &str| send(ops.api.request("GET", &format!("{list}{join}{query}"))).await;
            get("limit=1").await.ok();
            get(&format!("limit={MAX_PAGE}")).await.ok();
            for wrong in [format!("limit={}", MAX_PAGE + 1), "limit=0".into(), "limit=-1".into(), "limit=x".into()] {
                get(&wrong).await.fails(400, "malformed_request");
            }
        }
        for list in [routes::FILES, routes::FILES_SHARED, routes::INVITES, routes::MEMBERS, routes::RECEIPTS] {
            for cursor in ["x", "AAAA", "!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
                let path = format!("{}?cursor={cursor}", list.path);
                send(ops.api.request("GET", &path)).await.fails(400, "malformed_request");
            }
        }
    }

    async fn every_list_can_be_walked_one_entry_at_a_time(server: TestServer) {
        let ops = found(&server).await;
        let mut clients = Vec::new();
        for number in 0..3 {
            clients.push(ops.welcome(&format!("client{number}@example.com")).await);
        }
        let mut files = Vec::new();
        for _ in 0..3 {
            let file = ops.upload().await;
            for client in &clients {
                let share = ops.share_with(&file, client, Terms::default()).await;
                let receipt = client.receipt(share.id(), file.manifest.id()).await;
                client.api.call(&routes::POST_RECEIPT, &[&file.upload.file_id], &receipt).await.ok();
            }
            files.push(file);
        }
        let id = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
        assert_eq!(walk(&ops, routes::FILES.path, |file| id(file, "file_id")).await.len(), 3);
        assert_eq!(walk(&clients[1], routes::FILES_SHARED.path, |file| id(file, "file_id")).await.len(), 3);
        assert_eq!(walk(&ops, routes::INVITES.path, |invite| id(invite, "invite_id")).await.len(), 3);
        assert_eq!(walk(&ops, routes::MEMBERS.path, |member| member["opening"]["user_id"].to_string()).await.len(), 4);
        assert_eq!(walk(&ops, routes::RECEIPTS.path, |item| item["receipt"].to_string()).await.len(), 9);
        let shares = routes::SHARES.fill(&[&files[0].upload.file_id]);
        assert_eq!(walk(&ops, &shares, |share| id(share, "recipient")).await.len(), 3);
    }

    async fn shares_in_one_request(server: TestServer) {
        let ops = found(&server).await;
        let file = ops.upload().await;
        let share = ops.sealed_share(&file.manifest, UserId::random(), ops.bundle.id(), Terms::default()).await;
        let post = async |count: usize, length: usize| {
            let body = json!(ShareFile { shares: vec![share.clone(); count], renews: vec![] }).to_string();
            assert!(body.len() <= MAX_SHARE_BODY, "{} bytes", body.len());
            let request = ops.api.route(&routes::SHARE, &[&file.upload.file_id]);
            send(request.header("content-type", "application/json").body(padded(&body, length))).await
        };
        let results: ShareResults = post(MAX_SHARES_PER_REQUEST, MAX_SHARE_BODY).await.json();
        assert_eq!(results.results.len(), MAX_SHARES_PER_REQUEST);
        post(MAX_SHARES_PER_REQUEST + 1, 0).await.fails(422, "limit_reached");
        let head = format!("POST {}\ncontent-type: application/json", routes::SHARE.fill(&[&file.upload.file_id]));
        assert_eq!(Wire::announce(&server, &ops.api, &head, MAX_SHARE_BODY + 1).await, 413);
    }

    async fn shares_of_many_files_in_one_request(server: TestServer) {
        let ops = found(&server).await;
        let file = ops.upload().await;
        let file_id = file.upload.file_id;
        let share = ops.sealed_share(&file.manifest, UserId::random(), ops.bundle.id(), Terms::default()).await;
        let post = async |count: usize, length: usize| {
            let shares = vec![FileShare { file_id, share: share.clone() }; count];
            let body = json!(ShareFiles { shares }).to_string();
            assert!(body.len() <= MAX_SHARE_BODY, "{} bytes", body.len());
            let request = ops.api.route(&routes::SHARE_FILES, &[]);
            send(request.header("content-type", "application/json").body(padded(&body, length))).await
        };
        let results: FileShareResults = post(MAX_SHARES_PER_REQUEST, MAX_SHARE_BODY).await.json();
        assert_eq!(results.results.len(), MAX_SHARES_PER_REQUEST);
        post(MAX_SHARES_PER_REQUEST + 1, 0).await.fails(422, "limit_reached");
        post(0, 0).await.fails(422, "limit_reached");
        let head = "POST /shares/batch\ncontent-type: application/json";
        assert_eq!(Wire::announce(&server, &ops.api, head, MAX_SHARE_BODY + 1).await, 413);
    }

    async fn files_in_one_batch(server: TestServer) {
        let ops = found(&server).await;
        let uploads: Vec<Upload> = (0..MAX_FILES_PER_BATCH).map(|_| Upload::of_size(10_240)).collect();
        let mut files = ops.whole(&uploads).await;
        let post = async |files: &[_], length: usize| {
            let body = padded(&json!(CreateFiles { files: files.to_vec() }).to_string(), length);
            let request = ops.api.route(&routes::CREATE_FILES, &[]).header("content-type", "application/json");
            send(request.body(body)).await
        };
        let results: FileResults = post(&files, MAX_BATCH_BODY).await.json();
        assert!(results.results.iter().all(|result| result.problem.is_none()), "{results:?}");
        assert_eq!(results.results.len(), MAX_FILES_PER_BATCH);
        assert_eq!(walk(&ops, routes::FILES.path, |file| file["file_id"].to_string()).await.len(), MAX_FILES_PER_BATCH);
        files.push(files[0].clone());
        post(&files, 0).await.fails(422, "limit_reached");
        post(&[], 0).await.fails(422, "limit_reached");
        let head = "POST /files/batch\ncontent-type: application/json";
        assert_eq!(Wire::announce(&server, &ops.api, head, MAX_BATCH_BODY + 1).await, 413);
    }

    async fn ciphertext_in_one_batch(server: TestServer) {
        let ops = found(&server).await;
        let largest = [4_194_304, 2_097_152, 1_048_576, 524_288, 262_144, 131_072, 65_536].map(Upload::of_size);
        let mut files = ops.whole(&largest).await;
        let total: usize = files.iter().map(|file| file.content.0.len()).sum();
        // No file has exactly the rest: one that is refused by itself fills it up.
        let filler = ops.whole(&[Upload::of_size(1)]).await.remove(0);
        files.push(filler);
        files.last_mut().unwrap().content.0 = vec![0; MAX_BATCH_CIPHERTEXT - total];
        let results = ops.create_files(&files).await;
        let refused: Vec<_> = results.iter().map(|result| result.problem.is_some()).collect();
        assert_eq!(refused, [false, false, false, false, false, false, false, true]);
        for upload in &largest {
            assert!(ops.download(upload.file_id, None).await.ok().body == upload.ciphertext());
        }
        files.last_mut().unwrap().content.0.push(0);
        let over = CreateFiles { files };
        ops.api.call(&routes::CREATE_FILES, &[], &over).await.fails(413, "too_large");
    }

    async fn download_limits_and_expiries_of_shares(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let file = ops.upload().await;
        for (expiry, limit) in [(0, MAX_DOWNLOAD_LIMIT + 1), (server.now(), 0), (1, 0)] {
            let refused = ops.share(&file, &client, Terms { expiry, limit }).await;
            assert!(refused.problem.is_some(), "{expiry} {limit}");
        }
        ops.share_with(&file, &client, Terms { expiry: server.now() + 60, limit: MAX_DOWNLOAD_LIMIT }).await;
    }

    async fn parts(server: TestServer) {
        let ops = found(&server).await;
        let file = FileId::random();
        ops.begin(file).await.ok();
        let whole = random_bytes(usize::try_from(PART_CIPHERTEXT).unwrap());
        ops.put_part(file, 0, &whole).await.ok();
        let path = routes::PUT_PART.fill(&[&file, &1, &1]);
        let digest = "ab".repeat(32);
        let head = format!("PUT {path}\ncontent-type: {OCTET_STREAM}\n{HEADER_PART_DIGEST}: {digest}");
        assert_eq!(Wire::announce(&server, &ops.api, &head, whole.len() + 1).await, 413);
        let last = usize::try_from(MAX_PARTS).unwrap() - 1;
        ops.put_part(file, last, b"the last one there can be").await.ok();
        assert!([400, 404, 422].contains(&ops.put_part(file, last + 1, b"one more").await.problem().status));
    }

    async fn digests_in_one_page(server: TestServer) {
        let ops = found(&server).await;
        let file = FileId::random();
        ops.begin(file).await.ok();
        let page = MAX_PART_DIGESTS_PAGE as usize;
        ops.put_part(file, page, b"the first part of the second page").await.ok();
        let get = async |from: usize| -> PartDigests {
            let path = format!("{}?from={from}", routes::PARTS.fill(&[&file, &1]));
            send(ops.api.request("GET", &path)).await.json()
        };
        let (first, second) = (get(0).await, get(page).await);
        assert_eq!((first.total, first.digests.0.len()), (MAX_PART_DIGESTS_PAGE + 1, page * 32));
        assert!(first.digests.0.iter().all(|byte| *byte == 0), "missing parts are zeros");
        assert_eq!((second.from, second.digests.0.len()), (MAX_PART_DIGESTS_PAGE, 32));
    }

    async fn sealed_metadata(server: TestServer) {
        let ops = found(&server).await;
        let mut upload = Upload::of_size(1);
        ops.begin(upload.file_id).await.ok();
        ops.put_part(upload.file_id, 0, &upload.parts[0]).await.ok();
        upload.metadata = random_bytes(MAX_METADATA + 41);
        let over = ops.completion(&upload).await;
        let refused = ops.complete(upload.file_id, &over).await.problem();
        assert!([413, 422].contains(&refused.status), "{refused:?}");
        upload.metadata = random_bytes(MAX_METADATA);
        let at = ops.completion(&upload).await;
        ops.complete(upload.file_id, &at).await.ok();
    }

    async fn records_of_more_than_8_kib(server: TestServer) {
        let ops = found(&server).await;
        let record = RawRecord {
            payload: Base64(vec![b' '; 8 * 1024 + 1]),
            ..ops.upload().await.manifest.into_raw()
        };
        let problem = ops.api.call(&routes::APPEND_LOG, &[], &AppendLog { record }).await.problem();
        assert!([400, 422].contains(&problem.status), "{problem:?}");
    }

    async fn how_far_a_clock_may_be_ahead(server: TestServer) {
        let ops = found(&server).await;
        let complete = async |ahead: u64| {
            let upload = Upload::of_size(1);
            ops.begin(upload.file_id).await.ok();
            ops.put_part(upload.file_id, 0, &upload.parts[0]).await.ok();
            let time = server.now() + ahead;
            let completion = ops.completion_with(&upload, |manifest| manifest.time = time).await;
            ops.complete(upload.file_id, &completion).await
        };
        complete(CLOCK_SKEW_SECONDS).await.ok();
        let problem = complete(CLOCK_SKEW_SECONDS + 119).await.fails(422, "record_invalid");
        assert!(problem.detail.contains("clock is 11 minutes ahead"), "{problem:?}");
    }

    async fn unfinished_uploads(server: TestServer) {
        let ops = found(&server).await;
        let first = FileId::random();
        ops.begin(first).await.ok();
        for _ in 1..MAX_OPEN_UPLOADS {
            ops.begin(FileId::random()).await.ok();
        }
        ops.begin(FileId::random()).await.fails(422, "limit_reached");
        // Beginning one of them again is no new one.
        ops.begin(first).await.ok();
    }

    async fn open_invites(server: TestServer) {
        let ops = found(&server).await;
        ops.invite("first@example.com").await;
        let columns = "offer, offer_mac, sealed_opening, expiry, state, created_at, inviter, name, salt, role";
        let random = |length: usize| match server.postgres_url() {
            // Two digests of a random number are as unique as need be.
            Some(_) => format!("substr(sha256(random()::text::bytea || n::text::bytea), 1, {length})"),
            None => format!("randomblob({length})"),
        };
        let rows = MAX_OPEN_INVITES - 2;
        let (id, long) = (random(16), random(32));
        server
            .execute(format!(
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows}) \
                 INSERT INTO invites (invite_id, token_hash, offer_id, user_id, email, {columns}) \
                 SELECT {id}, {long}, {long}, {id}, 'p' || n || '@example.com', {columns} FROM invites, numbers"
            ))
            .await;
        let last = ops.invite("last@example.com").await;
        let over = ops.offer("over@example.com").await;
        ops.api.call(&routes::CREATE_INVITE, &[], &over.request).await.fails(422, "limit_reached");
        // The same invite again is no new one; an accepted one makes room.
        ops.api.call(&routes::CREATE_INVITE, &[], &last.request).await.ok();
        last.accept().await;
        ops.api.call(&routes::CREATE_INVITE, &[], &over.request).await.ok();
    }

    async fn how_long_an_invite_may_stay_open(server: TestServer) {
        let ops = found(&server).await;
        let until = |seconds: u64| server.now() + seconds;
        for expiry in [until(MAX_INVITE_SECONDS + CLOCK_SKEW_SECONDS + 60), until(0) - 1, 0] {
            let refused = ops.offer_with("a@example.com", |offer| offer.expiry = expiry).await;
            let problem = ops.api.call(&routes::CREATE_INVITE, &[], &refused.request).await.problem();
            assert_eq!(problem.status, 422, "{expiry}: {problem:?}");
        }
        let expiry = until(MAX_INVITE_SECONDS);
        let taken = ops.offer_with("a@example.com", |offer| offer.expiry = expiry).await;
        ops.api.call(&routes::CREATE_INVITE, &[], &taken.request).await.ok();
    }

    async fn when_an_invite_has_expired(server: TestServer) {
        let mut ops = found(&server).await;
        let expiry = server.now() + 3_600;
        let offer = async |ops: &Person, email| {
            let invitation = ops.offer_with(email, |offer| offer.expiry = expiry).await;
            ops.api.call(&routes::CREATE_INVITE, &[], &invitation.request).await.ok();
            invitation
        };
        let (early, late, certified) =
            (offer(&ops, "a@example.com").await, offer(&ops, "b@example.com").await, offer(&ops, "c@example.com").await);
        let (_, too_late) = late.acceptance().await;
        let (first, second) = (early.accept().await, certified.accept().await);
        server.pass_time(3_601);
        ops.refresh().await;
        late.send_acceptance(&too_late).await.fails(410, "invite_expired");
        // What was accepted in time can still be certified, for a week.
        server.pass_time(CERTIFY_GRACE_SECONDS - 60);
        ops.refresh().await;
        ops.certify(&certified, &second).await;
        server.pass_time(120);
        ops.refresh().await;
        let record = ops.certificate(&early, &first).await.into_raw();
        let problem = ops.api.call(&routes::APPEND_LOG, &[], &AppendLog { record }).await.problem();
        assert_eq!(problem.status, 422, "{problem:?}");
    }

    async fn how_long_a_registration_may_take(server: TestServer) {
        let ops = found(&server).await;
        let invitation = ops.invite("a@example.com").await;
        let (_, started) = invitation.acceptance().await;
        server.pass_time(REGISTRATION_SECONDS + 1);
        let problem = invitation.send_acceptance(&started).await.problem();
        assert!([401, 422].contains(&problem.status), "{problem:?}");
        invitation.accept().await;
    }

    async fn uploads_that_nobody_continues_are_swept(server: TestServer) {
        let mut server = server;
        let mut ops = found(&server).await;
        let (dropped, kept, live) = (FileId::random(), FileId::random(), ops.upload().await);
        for file in [dropped, kept] {
            ops.begin(file).await.ok();
            ops.put_part(file, 0, b"something").await.ok();
        }
        server.pass_time(UPLOAD_SECONDS - 60);
        ops.refresh().await;
        ops.put_part(kept, 1, b"still alive").await.ok();
        server.pass_time(120);
        // The sweep also runs when a server starts.
        server.restart().await;
        ops.refresh().await;
        let parts = async |file: FileId| ops.api.get(&routes::PARTS, &[&file, &1]).await;
        for _ in 0..50 {
            if parts(dropped).await.status == 404 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        parts(dropped).await.fails(404, "not_found");
        assert_eq!(parts(kept).await.json::<PartDigests>().total, 2);
        assert_eq!(ops.download(live.upload.file_id, None).await.body, live.upload.ciphertext());
    }

    async fn names(server: TestServer) {
        let ops = found(&server).await;
        let invite = async |email: &str, name: String| {
            let mut opening = ops.offer(email).await.request.opening;
            opening.name = name;
            let commitment = subject(&opening.salt, opening.user_id, email, &opening.name);
            let mut request = ops
                .offer_with(email, |offer| {
                    // Clients have no name.
                    (offer.role, offer.account_key) = (Role::Ops, true);
                    (offer.subject, offer.user_id) = (commitment, opening.user_id);
                })
                .await
                .request;
            request.opening = opening;
            ops.api.call(&routes::CREATE_INVITE, &[], &request).await
        };
        invite("a@example.com", "n".repeat(MAX_NAME_BYTES)).await.ok();
        invite("b@example.com", "n".repeat(MAX_NAME_BYTES + 1)).await.fails(422, "record_invalid");
        invite("c@example.com", "two\nlines".into()).await.fails(400, "malformed_request");
    }

    async fn shares_shown_with_a_file(server: TestServer) {
        let ops = found(&server).await;
        let file = ops.upload().await;
        let client = ops.welcome("client@example.com").await;
        let shown = MAX_SHARES_SHOWN as usize;
        // Ended shares are shown too: one person is enough to have many.
        for _ in 0..=shown {
            let share = ops.share_with(&file, &client, Terms::default()).await;
            ops.unshare(file.upload.file_id, client.user_id, share.id()).await.ok();
        }
        let page: Page<Value> = ops.api.get(&routes::FILES, &[]).await.json();
        let entry = &page.items[0];
        assert_eq!(entry["shares"].as_array().unwrap().len(), shown);
        let cursor = entry["shares_cursor"].as_str().expect("there is one more");
        let path = format!("{}?cursor={cursor}", routes::SHARES.fill(&[&file.upload.file_id]));
        let rest: Page<Value> = send(ops.api.request("GET", &path)).await.json();
        assert_eq!((rest.items.len(), rest.next_cursor), (1, None));
    }
}

/// With white space up to `length`: after JSON that means nothing.
fn padded(json: &str, length: usize) -> String {
    json.to_owned() + &" ".repeat(length.saturating_sub(json.len()))
}

/// Walks a list one entry at a time; asserts that no entry comes twice, and that one page has the same.
async fn walk(person: &Person, path: &str, id: impl Fn(&Value) -> String) -> Vec<String> {
    let get = async |query: String| -> Page<Value> {
        send(person.api.request("GET", &format!("{path}?{query}"))).await.json()
    };
    let whole: Vec<String> = get(format!("limit={MAX_PAGE}")).await.items.iter().map(&id).collect();
    let mut walked = Vec::new();
    let mut page = get("limit=1".into()).await;
    loop {
        assert!(page.items.len() <= 1);
        walked.extend(page.items.iter().map(&id));
        let Some(cursor) = page.next_cursor else { break };
        assert!(walked.len() <= whole.len(), "{path} does not end");
        page = get(format!("limit=1&cursor={cursor}")).await;
    }
    assert_eq!(walked, whole, "{path}");
    walked
}
