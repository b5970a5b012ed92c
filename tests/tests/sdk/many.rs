//! Many files at once: few requests, everything once, whatever comes between.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use sealpost_api::routes;
use sealpost_client::{
    Again, Before, Delivered, Delivery, DeliveryStatus, EmailAddress, Error, OwnFile, QueueEnd, Sent,
    ShareStatus, SignedIn, Terms,
};
use sealpost_tests::{
    TestServer,
    adversary::Adversary,
    on_every_backend,
    sdk::{self, Device},
};

const FILES: usize = 40;

on_every_backend! {
    async fn many_small_files_are_a_handful_of_requests(server: TestServer) {
        let (proxy, ops, clients) = world(&server, 3).await;
        let files = files(&server, FILES, &clients);
        proxy.forget();
        let sent = upload(&ops.me, &files, Again::Refuse).await;
        assert!(sent.iter().all(is_well), "{sent:?}");
        assert_eq!(proxy.seen_of(routes::CREATE_FILES).len(), 1);
        assert_eq!(proxy.seen_of(routes::SHARE_FILES).len(), 1);
        let requests: Vec<_> = proxy.seen().into_iter().map(|seen| seen.asked.path).collect();
        assert!(requests.len() <= 20, "{} requests: {requests:#?}", requests.len());

        let own = own(&ops.me).await;
        assert_eq!(own.len(), FILES);
        assert!(own.iter().all(|file| file.shares.len() == clients.len()));
        for (file, sent) in files.iter().zip(&sent) {
            let content = std::fs::read(&file.path).unwrap();
            let uploaded = &sent.as_ref().unwrap().file;
            assert_eq!(uploaded.file.size, content.len() as u64);
            assert!(clients[1].download(uploaded.file_id).await.unwrap() == content, "{:?}", file.path);
        }
        // The call ended well, so the same again is a second upload.
        for refused in upload(&ops.me, &files, Again::Refuse).await {
            assert_eq!(refused.unwrap_err().code(), "already_uploaded");
        }
        let second = upload(&ops.me, &files[..2], Again::Allow).await;
        assert_ne!(second[0].as_ref().unwrap().file.file_id, sent[0].as_ref().unwrap().file.file_id);
    }

    async fn what_was_created_before_an_interruption_is_not_sent_again(server: TestServer) {
        let (proxy, ops, clients) = world(&server, 2).await;
        let files = files(&server, FILES, &clients);
        // The server does it, and the answer never comes.
        for (route, retried) in [(routes::CREATE_FILES, 0), (routes::SHARE_FILES, 1)] {
            proxy.forget();
            proxy.answers(route, |_, answered| answered.status = 500.try_into().unwrap());
            let sent = upload(&ops.me, &files, Again::Refuse).await;
            assert!(!sent.iter().any(is_well), "{sent:?}");
            proxy.repent();
            // Of the shares, the same bytes are given again before anything new is signed.
            assert!(proxy.seen_of(routes::SHARE_FILES).len() <= retried + 1);
        }
        assert!(proxy.seen_of(routes::CREATE_FILES).is_empty(), "ciphertext was sent again");
        let sent = upload(&ops.me, &files, Again::Refuse).await;
        assert!(sent.iter().all(is_well), "{sent:?}");
        assert!(proxy.seen_of(routes::CREATE_FILES).is_empty(), "ciphertext was sent again");
        let own = own(&ops.me).await;
        assert_eq!(own.len(), FILES);
        assert!(own.iter().all(|file| file.shares.len() == clients.len()));
        assert!(ops.blob("batch").is_none() && ops.blob("outbox-batch").is_none());
    }

    async fn what_did_not_arrive_is_sent_again_byte_for_byte_unless_its_source_changed(server: TestServer) {
        let (proxy, ops, clients) = world(&server, 1).await;
        let files = files(&server, 4, &clients);
        lost(&proxy, &ops, &files).await;
        lost(&proxy, &ops, &files).await;
        let seen = proxy.seen_of(routes::CREATE_FILES);
        assert!(seen.len() >= 2 && seen.iter().all(|seen| seen.asked.body == seen_body(&proxy)), "signed again");
        std::fs::write(&files[1].path, b"something else").unwrap();
        // By itself, too, it goes on where the batch ended.
        let alone = ops.me.upload_path(&files[0].path, "", Again::Refuse, &|_| {}).await.unwrap();
        let first: serde_json::Value = serde_json::from_slice(&seen_body(&proxy)).unwrap();
        assert_eq!(first["files"][0]["file_id"], alone.file_id.to_string());
        let rest = upload(&ops.me, &files[1..], Again::Refuse).await;
        assert!(rest.iter().all(is_well), "{rest:?}");
        let ids = |at: usize| rest[at - 1].as_ref().unwrap().file.file_id.to_string();
        assert_ne!(first["files"][1]["file_id"], ids(1), "another content under the same key");
        assert_eq!(first["files"][2]["file_id"], ids(2));
        assert_eq!(first["files"][3]["file_id"], ids(3));
        assert_eq!(own(&ops.me).await.len(), 4);
        let content = clients[0].download(rest[0].as_ref().unwrap().file.file_id).await.unwrap();
        assert_eq!(content, b"something else");
    }

    async fn one_bad_file_or_person_does_not_stop_the_others(server: TestServer) {
        let (_proxy, ops, clients) = world(&server, 1).await;
        let mut files = files(&server, 5, &clients);
        std::fs::remove_file(&files[1].path).unwrap();
        files[2].note = "x".repeat(20_000);
        files[3].recipients.insert(0, (sdk::address("nobody@example.com"), Terms::default()));
        let sent = upload(&ops.me, &files, Again::Refuse).await;
        let codes: Vec<_> = sent.iter().map(|sent| sent.as_ref().err().map(Error::code)).collect();
        assert_eq!(codes, [None, Some("source_unreadable"), Some("metadata_too_long"), None, None]);
        let shares = &sent[3].as_ref().unwrap().shares;
        assert_eq!(shares[0].result.as_ref().unwrap_err().code(), "recipient_unknown");
        assert!(shares[1].result.is_ok());
        // Given again it completes what was missing, and only that.
        let created = sent[0].as_ref().unwrap().file.file_id;
        ops.welcome(&server.url(), "nobody@example.com").await;
        std::fs::write(&files[1].path, b"found again").unwrap();
        let again = upload(&ops.me, &files, Again::Refuse).await;
        assert_eq!(again[0].as_ref().unwrap().file.file_id, created);
        assert!(is_well(&again[1]) && is_well(&again[3]) && again[2].is_err(), "{again:?}");
        let own = own(&ops.me).await;
        assert_eq!(own.len(), 4);
        assert_eq!(own.iter().map(|file| file.shares.len()).sum::<usize>(), 5);
    }

    async fn two_devices_at_one_time_get_out_of_each_others_way(server: TestServer) {
        let (_proxy, ops, clients) = world(&server, 2).await;
        let laptop = ops.other_device(&server.url()).await;
        let all = files(&server, 2 * FILES, &clients);
        let (mine, theirs) = all.split_at(FILES);
        let (one, two) =
            tokio::join!(upload(&ops.me, mine, Again::Refuse), upload(&laptop.me, theirs, Again::Refuse));
        assert!(one.iter().chain(&two).all(is_well), "{one:?}\n{two:?}");
        let own = own(&ops.me).await;
        assert_eq!(own.len(), 2 * FILES);
        assert!(own.iter().all(|file| file.shares.len() == clients.len()));
    }

    async fn many_deliveries_are_made_once(server: TestServer) {
        let (proxy, ops, clients) = world(&server, 2).await;
        let files = files(&server, FILES, &clients);
        proxy.forget();
        proxy.answers(routes::SHARE_FILES, |_, answered| answered.status = 500.try_into().unwrap());
        assert!(deliver(&ops.me, &files).await.iter().all(Result::is_err));
        proxy.repent();
        let done = deliver(&ops.me, &files).await;
        let shared = |status: &DeliveryStatus| matches!(status, DeliveryStatus::Shared);
        let statuses = |done: &[Result<Delivered, Error>]| {
            let of = |done: &Result<Delivered, Error>| {
                let recipients = &done.as_ref().unwrap().recipients;
                recipients.iter().map(|outcome| shared(outcome.result.as_ref().unwrap())).collect::<Vec<_>>()
            };
            done.iter().flat_map(of).collect::<Vec<_>>()
        };
        // The shares had arrived, and were given again before these were looked at.
        assert_eq!(statuses(&done).len(), 2 * FILES);
        assert!(done.iter().all(|done| matches!(done.as_ref().unwrap().before, Before::Same(_))));
        std::fs::write(&files[7].path, b"other").unwrap();
        let changed = deliver(&ops.me, &files).await;
        let expected: Vec<bool> = (0..2 * FILES).map(|at| at / 2 == 7).collect();
        assert_eq!(statuses(&changed), expected, "only what changed is delivered again");
        assert_eq!(proxy.seen_of(routes::CREATE_FILES).len(), 2);
        let own = own(&ops.me).await;
        assert_eq!(own.len(), FILES + 1);
        assert!(own.iter().all(|file| file.shares.len() == clients.len()), "somebody got a file twice");
        // What was deleted is delivered anew.
        ops.me.remove(changed[3].as_ref().unwrap().file_id.unwrap()).await.unwrap();
        let anew = deliver(&ops.me, &files).await;
        let expected: Vec<bool> = (0..2 * FILES).map(|at| at / 2 == 3).collect();
        assert_eq!(statuses(&anew), expected);
    }

    async fn a_share_that_another_device_ends_at_this_moment_is_not_made(server: TestServer) {
        let (proxy, ops, clients) = world(&server, 1).await;
        let mut files = files(&server, 3, &[]);
        let first = deliver(&ops.me, &files).await;
        let ids: Vec<_> = first.iter().map(|file| file.as_ref().unwrap().file_id.unwrap()).collect();
        files.iter_mut().for_each(|file| file.recipients = vec![(clients[0].email.clone(), Terms::default())]);
        let (laptop, email) = (ops.other_device(&server.url()).await, clients[0].email.clone());
        // Between the look at what there is and the request that shares.
        proxy.meanwhile(routes::SHARE_FILES, async move {
            for file in &ids[..2] {
                let shared = laptop.me.share(*file, std::slice::from_ref(&email), Terms::default()).await;
                shared.unwrap()[0].result.as_ref().unwrap();
            }
            laptop.me.unshare(ids[0], &email).await.unwrap();
        });
        let done = deliver(&ops.me, &files).await;
        let results: Vec<_> = done.iter().map(|done| &done.as_ref().unwrap().recipients[0].result).collect();
        let cancelled = results[0].as_ref().unwrap_err();
        assert_eq!(cancelled.code(), "share_cancelled");
        assert!(cancelled.hint().is_some_and(|hint| hint.contains("Nothing was shared")), "{cancelled:?}");
        assert!(matches!(results[1], Ok(DeliveryStatus::Already(_))), "{results:?}");
        assert!(matches!(results[2], Ok(DeliveryStatus::Shared)), "{results:?}");
        // A race that was lost, then a share that is there already, which leaves a gap before the last one.
        assert_eq!(proxy.seen_of(routes::SHARE_FILES).len(), 3);
        assert_eq!(clients[0].me.shared(None).await.unwrap().items.len(), 2);
    }

    async fn a_share_that_another_device_makes_and_ends_at_this_moment_is_no_lie(server: TestServer) {
        let (proxy, ops, clients) = world(&server, 1).await;
        let (mut files, email) = (files(&server, 2, &[]), clients[0].email.clone());
        let first = deliver(&ops.me, &files).await;
        let file = first[0].as_ref().unwrap().file_id.unwrap();
        files.iter_mut().for_each(|file| file.recipients = vec![(email.clone(), Terms::default())]);
        let laptop = Arc::new(ops.other_device(&server.url()).await);
        proxy.meanwhile(routes::SHARE_FILES, {
            let (laptop, email) = (Arc::clone(&laptop), email.clone());
            async move { drop(laptop.me.share(file, &[email], Terms::default()).await.unwrap()) }
        });
        // First the place is taken; then the server says that the file is shared, which has ended before the sender looks.
        proxy.after(routes::SHARE_FILES, 2, async move { laptop.me.unshare(file, &email).await.unwrap() });
        let done = deliver(&ops.me, &files).await;
        let results: Vec<_> = done.iter().map(|done| &done.as_ref().unwrap().recipients[0].result).collect();
        assert_eq!(results[0].as_ref().unwrap_err().code(), "share_cancelled", "{results:?}");
        assert!(matches!(results[1], Ok(DeliveryStatus::Shared)), "{results:?}");
        assert_eq!(clients[0].me.shared(None).await.unwrap().items.len(), 1);
    }

    async fn another_device_may_sign_under_a_newer_log_meanwhile(server: TestServer) {
        let (proxy, ops, clients) = world(&server, 1).await;
        let files = files(&server, 2, &clients);
        let (url, client) = (server.url(), clients[0].me.whoami().await.unwrap().user_id);
        let (other, theirs) = (ops.other_device(&url).await, ops.upload("b.txt", b"b").await);
        let email = clients[0].email.clone();
        proxy.meanwhile_of(routes::PAIR, client, 1, async move {
            other.welcome(&url, "late@example.com").await;
            other.me.share(theirs, &[email], Terms::default()).await.unwrap()[0].result.as_ref().unwrap();
        });
        let done = deliver(&ops.me, &files).await;
        for done in &done {
            let result = &done.as_ref().unwrap().recipients[0].result;
            assert!(matches!(result, Ok(DeliveryStatus::Shared)), "{result:?}");
        }
        assert_eq!(clients[0].me.shared(None).await.unwrap().items.len(), 3);
    }

    async fn who_has_not_joined_waits_for_all_files_at_once(server: TestServer) {
        let (proxy, ops, clients) = world(&server, 1).await;
        let (email, terms) = ("late@example.com", Terms { expires_at: None, downloads: Some(2) });
        let code = ops.invite(email).await;
        let mut files = files(&server, FILES, &clients);
        files.iter_mut().for_each(|file| file.recipients.push((sdk::address(email), terms)));
        // The vault can't be written: who has joined gets the files, who has not is told of and not forgotten.
        proxy.requests(routes::PUT_VAULT, |asked| asked.path = "/nowhere".into());
        let (shared, queued) = statuses(&upload(&ops.me, &files, Again::Refuse).await);
        assert_eq!((shared, queued), (FILES, 0));
        proxy.repent();
        proxy.forget();
        assert_eq!(statuses(&upload(&ops.me, &files, Again::Refuse).await), (FILES, FILES));
        assert!(proxy.seen_of(routes::CREATE_FILES).is_empty(), "uploaded twice");
        let changes = proxy.seen_of(routes::PUT_VAULT).len();
        assert!(changes <= 3, "the vault was written {changes} times");
        let waiting = |own: &[OwnFile]| own.iter().map(|file| file.queued.len()).sum::<usize>();
        assert_eq!(waiting(&own(&ops.me).await), FILES);

        // A list that names them again changes nothing.
        let delivered = deliver(&ops.me, &files).await;
        let again = delivered.iter().map(|done| done.as_ref().unwrap().recipients[1].result.as_ref().unwrap());
        assert!(again.into_iter().all(|status| *status == DeliveryStatus::Queued));
        assert_eq!(waiting(&own(&ops.me).await), FILES);

        let late = sdk::join(&server.url(), email, code).await;
        ops.me.certify_accepted().await.unwrap();
        let settled = ops.me.complete_queued().await.unwrap();
        assert!(settled.len() == FILES && settled.iter().all(|one| one.end == QueueEnd::Shared), "{settled:?}");
        let received = late.me.shared(None).await.unwrap().items;
        assert_eq!(received.len(), FILES);
        assert!(received.iter().all(|file| file.limit == Some(2)), "on other terms");
    }
}

/// How many shares were made, and how many wait.
fn statuses(sent: &[Result<Sent, Error>]) -> (usize, usize) {
    let all = sent.iter().flat_map(|sent| &sent.as_ref().unwrap().shares);
    let all: Vec<_> = all.filter_map(|share| share.result.as_ref().ok()).collect();
    let shared = all.iter().filter(|status| matches!(status, ShareStatus::Shared(_))).count();
    (shared, all.len() - shared)
}

/// An Ops member behind a proxy, and clients.
pub(super) async fn world(server: &TestServer, clients: usize) -> (Adversary, Device, Vec<Device>) {
    let proxy = Adversary::before(server).await;
    let ops = sdk::found_at(server, &proxy.url()).await;
    let mut people = Vec::new();
    for number in 0..clients {
        people.push(ops.welcome(&server.url(), &format!("client{number}@example.com")).await);
    }
    (proxy, ops, people)
}

/// Files of some KiB, each for everybody.
pub(super) fn files(server: &TestServer, count: usize, people: &[Device]) -> Vec<Delivery> {
    let recipients: Vec<(EmailAddress, Terms)> =
        people.iter().map(|person| (person.email.clone(), Terms::default())).collect();
    let file = |number: usize| {
        let path = server.scratch().join(format!("file{number}.txt"));
        std::fs::write(&path, format!("content of {number} ").repeat(10 * number)).unwrap();
        Delivery { path, note: String::new(), recipients: recipients.clone() }
    };
    (0..count).map(file).collect()
}

pub(super) async fn upload(me: &SignedIn, files: &[Delivery], again: Again) -> Vec<Result<Sent, Error>> {
    let mut sent = Vec::new();
    let mut done = |at: usize, outcome| {
        assert_eq!(at, sent.len(), "in order");
        sent.push(outcome);
        ControlFlow::Continue(())
    };
    me.upload_many(files, again, &|_| {}, &mut done).await.unwrap();
    sent
}

pub(super) async fn deliver(me: &SignedIn, files: &[Delivery]) -> Vec<Result<Delivered, Error>> {
    let mut delivered = Vec::new();
    let mut done = |_, outcome| {
        delivered.push(outcome);
        ControlFlow::Continue(())
    };
    me.deliver_many(files, &|_| {}, &mut done).await.unwrap();
    delivered
}

/// An upload whose request to create files gets lost on its way.
async fn lost(proxy: &Adversary, ops: &Device, files: &[Delivery]) {
    proxy.requests(routes::CREATE_FILES, |asked| asked.path = "/nowhere".into());
    let sent = upload(&ops.me, files, Again::Refuse).await;
    assert!(sent.iter().all(Result::is_err), "{sent:?}");
    proxy.repent();
}

/// What the first request to create files said.
fn seen_body(proxy: &Adversary) -> Vec<u8> {
    proxy.seen_of(routes::CREATE_FILES)[0].asked.body.to_vec()
}

pub(super) fn is_well(sent: &Result<Sent, Error>) -> bool {
    sent.as_ref().is_ok_and(|sent| sent.shares.iter().all(|share| share.result.is_ok()))
}

/// All of our files, once each.
async fn own(me: &SignedIn) -> Vec<OwnFile> {
    let (mut files, mut cursor) = (BTreeMap::new(), None);
    loop {
        let page = me.files(cursor).await.unwrap();
        assert!(page.rejected.is_empty(), "{:?}", page.rejected);
        for file in page.items {
            assert!(files.insert(file.file.file_id, file).is_none(), "listed twice");
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return files.into_values().collect();
        }
    }
}
