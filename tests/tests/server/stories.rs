//! Whole deliveries through the client SDK: what the product promises, with the world getting in the way.

use futures_util::future::join_all;
use sealpost_client::{ErrorKind, FileId, Overwrite, Role, ShareStatus, Status, Terms, store::MemoryStore};
use sealpost_tests::{
    TestServer, on_every_backend,
    proxy::LossyProxy,
    raw::random_bytes,
    sdk::{self, CLIENT, Device, OPS, anonymous, found, found_at, join, organisation, secret},
};

const NAME: &str = "Jahresabschluss 2026.pdf";

on_every_backend! {
    async fn from_founding_to_receipt_with_a_restart_after_every_step(server: TestServer) {
        let mut server = server;
        let content = random_bytes(9_000_000);
        let ops = found(&server).await;
        let who = ops.me.whoami().await.unwrap();
        assert_eq!((who.email.as_str(), who.role, who.status), (OPS, Role::Ops, Status::Active));
        assert_eq!(who.org_name, "Example & Co");
        server.restart().await;
        let code = ops.invite(CLIENT).await;
        server.restart().await;
        let client = join(&server.url(), CLIENT, code).await;
        let who = client.me.whoami().await.unwrap();
        assert_eq!((who.role, who.status), (Role::Client, Status::Pending));
        assert_eq!(who.inviter.expect("who must come online").email, OPS);
        server.restart().await;
        let certified = ops.me.certify_accepted().await.unwrap();
        assert_eq!(certified.iter().map(|person| person.email.as_str()).collect::<Vec<_>>(), [CLIENT]);
        server.restart().await;
        assert_eq!(client.me.whoami().await.unwrap().status, Status::Active);
        let file = ops.upload(NAME, &content).await;
        server.restart().await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        server.restart().await;

        let listed = client.me.shared(None).await.unwrap();
        assert_eq!((listed.items.len(), listed.rejected.len()), (1, 0));
        let entry = &listed.items[0];
        assert_eq!((entry.file.name.as_str(), entry.file.size), (NAME, 9_000_000));
        assert_eq!((entry.from.email.as_str(), entry.from.name.as_str()), (OPS, "Olga Ops"));
        let download = client.me.download(file).await.unwrap();
        assert_eq!((download.name(), download.size()), (NAME, 9_000_000));
        let target = server.scratch().join("arrived");
        let done = download.to_path(&target, Overwrite::Never, &|_| {}).await.unwrap();
        assert!(done.receipt_sent);
        assert!(std::fs::read(&target).unwrap() == content, "what arrived is not what was sent");
        server.restart().await;

        let receipts = ops.me.receipts(Some(file), None).await.unwrap();
        assert_eq!(receipts.items.len(), 1);
        assert_eq!((receipts.items[0].recipient.email.as_str(), receipts.items[0].name.as_str()), (CLIENT, NAME));
        let own = ops.me.files(None).await.unwrap();
        assert_eq!((own.items.len(), own.items[0].shares.len()), (1, 1));
        assert!(own.items[0].shares[0].received_at.is_some());
        assert_eq!(own.items[0].shares[0].downloads, 1);
    }

    async fn files_of_every_awkward_size(server: TestServer) {
        let (ops, client) = organisation(&server).await;
        for size in [0, 1, 4_096, 65_535, 65_536, 65_537, 8_388_607, 8_388_608, 8_388_609] {
            let content = random_bytes(size);
            let file = ops.upload("size", &content).await;
            ops.share(file, &client, Terms::default()).await.unwrap();
            assert!(client.download(file).await.unwrap() == content, "{size} bytes");
            assert!(ops.download(file).await.unwrap() == content, "{size} bytes, by the owner");
        }
    }

    async fn every_answer_may_be_lost_once(server: TestServer) {
        let proxy = LossyProxy::start(server.watched()).await;
        let content = random_bytes(100_000);
        let ops = found_at(&server, &proxy.url()).await;
        let client = ops.welcome(&proxy.url(), CLIENT).await;
        for every in [2, 3] {
            proxy.lose_every(every);
            let file = ops.upload(NAME, &content).await;
            ops.share(file, &client, Terms { downloads: Some(1), ..Terms::default() }).await.unwrap();
            assert!(client.download(file).await.unwrap() == content);
            let other = ops.welcome(&proxy.url(), &format!("client{every}@example.com")).await;
            ops.share(file, &other, Terms::default()).await.unwrap();
            ops.me.unshare(file, &other.email).await.unwrap();
            proxy.lose_every(0);
            assert_eq!(other.download(file).await.unwrap_err().kind(), ErrorKind::NotFound);
            let own = ops.me.files(None).await.unwrap();
            let own = own.items.iter().find(|own| own.file.file_id == file).unwrap();
            assert_eq!(own.shares.iter().map(|share| share.downloads).sum::<u64>(), 1);
            assert_eq!(own.shares.iter().filter(|share| share.received_at.is_some()).count(), 1);
        }
        assert!(proxy.answers() > 20);
    }

    async fn the_founding_survives_lost_answers(server: TestServer) {
        let proxy = LossyProxy::start(server.watched()).await;
        proxy.lose_every(2);
        let ops = found_at(&server, &proxy.url()).await;
        let client = ops.welcome(&proxy.url(), CLIENT).await;
        proxy.lose_every(0);
        assert_eq!(client.me.whoami().await.unwrap().status, Status::Active);
    }

    async fn limits_and_expiry_are_told_to_both_sides(server: TestServer) {
        let (ops, client) = organisation(&server).await;
        let content = random_bytes(10);
        let file = ops.upload(NAME, &content).await;
        let expires_at = Some(server.now() + 3_600);
        ops.share(file, &client, Terms { expires_at, downloads: Some(2) }).await.unwrap();
        let seen = client.me.shared(None).await.unwrap().items.remove(0);
        assert_eq!((seen.expires_at, seen.limit, seen.downloads), (expires_at, Some(2), 0));
        client.download(file).await.unwrap();
        assert_eq!(client.me.shared(None).await.unwrap().items[0].downloads, 1);
        client.download(file).await.unwrap();
        assert_eq!(client.download(file).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(client.me.shared(None).await.unwrap().items.is_empty());
        let own = ops.me.files(None).await.unwrap().items.remove(0);
        assert_eq!((own.shares[0].limit, own.shares[0].downloads), (Some(2), 2));

        let second = ops.upload(NAME, &content).await;
        ops.share(second, &client, Terms { expires_at, downloads: None }).await.unwrap();
        server.pass_time(3_601);
        assert_eq!(client.download(second).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(ops.download(second).await.unwrap() == content, "the owner's own access does not end");
    }

    async fn what_is_unshared_is_gone_and_what_is_shared_again_is_back(server: TestServer) {
        let (ops, client) = organisation(&server).await;
        let file = ops.upload(NAME, b"content").await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        assert_eq!(ops.share(file, &client, Terms::default()).await.unwrap_err().kind(), ErrorKind::Conflict);
        ops.me.unshare(file, &client.email).await.unwrap();
        assert_eq!(client.download(file).await.unwrap_err().kind(), ErrorKind::NotFound);
        ops.share(file, &client, Terms::default()).await.unwrap();
        assert_eq!(client.download(file).await.unwrap(), b"content");
    }

    async fn nobody_but_active_members_can_be_shared_with(server: TestServer) {
        let ops = found(&server).await;
        let pending = join(&server.url(), CLIENT, ops.invite(CLIENT).await).await;
        let file = ops.upload(NAME, b"content").await;
        let refused = pending.me.shared(None).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AccountPending);
        let outcomes = ops.me.share(file, &[sdk::address("nobody@example.com")], Terms::default()).await.unwrap();
        assert_eq!(outcomes[0].result.as_ref().unwrap_err().kind(), ErrorKind::RecipientUnknown);
        ops.invite("invited@example.com").await;
        let outcomes = ops.me.share(file, &[sdk::address("invited@example.com")], Terms::default()).await.unwrap();
        assert!(matches!(outcomes[0].result, Ok(ShareStatus::Queued(_))), "it waits until they are");
        assert!(ops.me.complete_queued().await.unwrap().is_empty());
    }

    async fn clients_download_and_do_nothing_else(server: TestServer) {
        let (ops, client) = organisation(&server).await;
        let file = ops.upload(NAME, b"content").await;
        assert_eq!(client.download(file).await.unwrap_err().kind(), ErrorKind::NotFound);
        let upload = client.me.upload(&b"x"[..], sdk::describe("x", b"x"), &|_| {}).await.unwrap_err();
        assert_eq!(upload.kind(), ErrorKind::Forbidden);
        assert_eq!(client.me.files(None).await.unwrap_err().kind(), ErrorKind::Forbidden);
        assert!(client.me.certify_accepted().await.unwrap().is_empty());
    }

    async fn a_fresh_device_needs_the_password_and_then_has_everything(server: TestServer) {
        let (ops, client) = organisation(&server).await;
        let file = ops.upload(NAME, b"content").await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        let wrong = anonymous(&server.url(), &MemoryStore::new()).login(&client.email, secret("wrong"), None).await;
        assert_eq!(wrong.err().expect("a wrong password").kind(), ErrorKind::LoginFailed);
        let without_key = anonymous(&server.url(), &MemoryStore::new()).login(&ops.email, secret(&ops.password), None).await;
        assert!(without_key.is_err(), "the Ops member's account key was not asked for");
        let mut laptop = client.other_device(&server.url()).await;
        assert_eq!(laptop.download(file).await.unwrap(), b"content");
        laptop.restart().await;
        assert_eq!(laptop.me.shared(None).await.unwrap().items.len(), 1);
        let office = ops.other_device(&server.url()).await;
        assert_eq!(office.me.files(None).await.unwrap().items[0].file.name, NAME);
        // An invite made on one device is certified on another.
        let other = join(&server.url(), "other@example.com", ops.invite("other@example.com").await).await;
        assert_eq!(office.me.certify_accepted().await.unwrap().len(), 1);
        office.share(file, &other, Terms::default()).await.unwrap();
        assert_eq!(other.download(file).await.unwrap(), b"content");
    }

    /// The server swaps one invitee's answer (A18): that one is refused, the other is admitted.
    async fn an_acceptance_that_does_not_verify_stands_in_nobody_elses_way(server: TestServer) {
        let ops = found(&server).await;
        let victim = join(&server.url(), "a@example.com", ops.invite("a@example.com").await).await;
        let honest = join(&server.url(), "b@example.com", ops.invite("b@example.com").await).await;
        let swap = "UPDATE invites SET accept_mac = offer_mac WHERE email = 'a@example.com'";
        server.execute(swap.to_owned()).await;
        let refused = ops.me.certify_accepted().await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Verification, "accept_mac"));
        assert!(refused.to_string().contains("a@example.com"));
        assert_eq!(victim.me.shared(None).await.unwrap_err().kind(), ErrorKind::AccountPending);
        assert!(honest.me.shared(None).await.is_ok());
    }

    async fn two_devices_of_one_person_race_and_both_succeed(server: TestServer) {
        let (ops, client) = organisation(&server).await;
        let office = ops.other_device(&server.url()).await;
        let deliver = async |device: &Device, content: Vec<u8>| {
            let file = device.upload(NAME, &content).await;
            device.share(file, &client, Terms::default()).await.unwrap();
            (file, content)
        };
        let deliveries = (0..6u8).map(|n| deliver(if n % 2 == 0 { &ops } else { &office }, vec![n; 100]));
        for (file, content) in join_all(deliveries).await {
            assert_eq!(client.download(file).await.unwrap(), content);
        }
        let listed = client.me.shared(None).await.unwrap();
        assert_eq!((listed.items.len(), listed.rejected.len()), (6, 0));
    }

    async fn two_devices_certify_at_the_same_time(server: TestServer) {
        let ops = found(&server).await;
        let office = ops.other_device(&server.url()).await;
        let mut people = Vec::new();
        for number in 0..3 {
            let email = format!("client{number}@example.com");
            people.push(join(&server.url(), &email, ops.invite(&email).await).await);
        }
        let (one, two) = tokio::join!(ops.me.certify_accepted(), office.me.certify_accepted());
        assert!(one.unwrap().len() + two.unwrap().len() >= 3);
        for person in people {
            assert_eq!(person.me.whoami().await.unwrap().status, Status::Active);
        }
    }

    async fn an_invite_is_used_once_and_only_as_it_was_made(server: TestServer) {
        let ops = found(&server).await;
        let code = ops.invite(CLIENT).await;
        let again = code.clone();
        join(&server.url(), CLIENT, code).await;
        let used = anonymous(&server.url(), &MemoryStore::new()).preview(again).await;
        let error = used.err().expect("a used invite");
        assert_eq!(error.kind(), ErrorKind::InviteEnded, "{error}");
        let unknown = anonymous(&server.url(), &MemoryStore::new()).preview(sealpost_client::InviteCode::random()).await;
        assert_eq!(unknown.err().expect("an unknown code").kind(), ErrorKind::InviteUnknown);
        let late = ops.invite("late@example.com").await;
        server.pass_time(86_401);
        let expired = anonymous(&server.url(), &MemoryStore::new()).preview(late).await;
        assert_eq!(expired.err().expect("an expired invite").kind(), ErrorKind::InviteEnded);
    }

    async fn signing_out_leaves_nothing_to_go_on_with(server: TestServer) {
        let (ops, client) = organisation(&server).await;
        let file = ops.upload(NAME, b"content").await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        let (copy, store) = (client.me.clone(), client.store.clone());
        client.me.clone().logout().await.unwrap();
        assert_eq!(copy.shared(None).await.unwrap_err().kind(), ErrorKind::NotSignedIn);
        assert!(client.blob("seed").is_none() && client.blob("session").is_none());
        let again = sealpost_client::SignedIn::resume(std::sync::Arc::new(store)).await;
        assert_eq!(again.err().expect("no session").kind(), ErrorKind::NotSignedIn);
    }

    async fn names_arrive_as_they_are_and_are_written_safely(server: TestServer) {
        let (ops, client) = organisation(&server).await;
        for name in ["../../etc/passwd", "CON", "a\u{202e}fdp.exe", "x\u{1b}[2J", "  .  ", "日本語.txt", "a/b\\c", ""] {
            let file = ops.upload(name, b"content").await;
            ops.share(file, &client, Terms::default()).await.unwrap();
            let download = client.me.download(file).await.unwrap();
            assert_eq!(download.name(), name);
            let safe = download.safe_name().to_string();
            let path = server.scratch().join(&safe);
            assert_eq!(path.parent(), Some(server.scratch()), "{safe}");
            download.to_path(&path, Overwrite::Replace, &|_| {}).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"content", "{safe}");
        }
    }

    async fn a_server_that_is_gone_is_an_error_that_says_so(server: TestServer) {
        let mut server = server;
        let (ops, client) = organisation(&server).await;
        let file = ops.upload(NAME, b"content").await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        server.stop().await;
        let error = client.download(file).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        assert!(error.hint().is_some());
        server.start_again().await;
        assert_eq!(client.download(file).await.unwrap(), b"content");
        assert_eq!(client.download(FileId::random()).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
