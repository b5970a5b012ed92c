//! New keys for one's own account, on every backend: what ends, what goes on, and what others see of it.

use std::sync::Arc;

use crate::recovery::kit_of;
use sealpost_client::{
    AccountKey, Error, ErrorKind, FileId, KitText, RecoveryKit, SignedIn, Terms, store::MemoryStore,
};
use sealpost_tests::{
    TestServer, on_every_backend,
    proxy::LossyProxy,
    sdk::{self, CLIENT, Device, anonymous, secret},
};

on_every_backend! {
    async fn new_keys_count_at_once_and_the_old_ones_are_told_so(server: TestServer) {
        let (mut ops, client) = sdk::organisation(&server).await;
        let old_kit = kit_of(&ops).await;
        let mut other = ops.other_device(&server.url()).await;
        let wrong = ops.me.prepare_rotation(secret("not the password"), None).await.map(drop);
        assert_eq!(code(wrong), (ErrorKind::LoginFailed, "login_failed".into()));
        let words = client.me.verify(&ops.email).await.unwrap();
        assert_eq!(words.keys_changed, None);

        let kit = ops.rotate().await;
        assert_ne!(kit.words, old_kit.to_text().words);
        assert_ne!(kit.account_key, old_kit.to_text().account_key);
        assert!(ops.blob("rotation").is_none());
        let file = ops.upload("a.txt", b"content").await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        assert_eq!(client.download(file).await.unwrap(), b"content");

        // The other device of hers stops, whatever it does, also when it was started again.
        for _ in 0..2 {
            let stopped = code(other.me.files(None).await);
            assert_eq!(stopped, (ErrorKind::AccountRotated, "account_rotated".into()));
            let what = sdk::describe("x", b"x");
            let error = other.me.upload(&b"x"[..], what, &|_| {}).await.map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AccountRotated);
            assert!(error.hint().unwrap().contains("sealpost login"), "{error:?}");
            other.restart().await;
        }
        // It goes on with the password and the new account key; the old one opens nothing.
        let again = |key| anonymous(&server.url(), &other.store).login(&ops.email, secret(&ops.password), key);
        assert_eq!(code(again(None).await), (ErrorKind::LoginFailed, "login_failed".into()));
        let me = again(account_key(&kit)).await.unwrap();
        assert_eq!(me.files(None).await.unwrap().items.len(), 1);
        other.restart().await;
        other.share(file, &client, Terms::default()).await.unwrap_err();

        // The old kit is told apart from a wrong one, the new one works.
        let old = anonymous(&server.url(), &MemoryStore::new()).recover(old_kit.clone()).await;
        assert_eq!(code(old), (ErrorKind::AccountRotated, "account_rotated".into()));
        let old = anonymous(&server.url(), &MemoryStore::new()).login_with_kit(old_kit).await;
        let error = old.map(drop).unwrap_err();
        assert_eq!(error.code(), "account_rotated");
        assert!(error.to_string().contains("before the account's keys were changed"), "{error}");
        let new = RecoveryKit::parse(&kit).unwrap();
        anonymous(&server.url(), &MemoryStore::new()).login_with_kit(new).await.unwrap();

        // Everybody sees it: the words are others, and when the keys changed.
        let changed = client.me.verify(&ops.email).await.unwrap();
        assert_ne!(changed.words, words.words);
        assert_eq!(ops.me.verify(&client.email).await.unwrap().words, changed.words);
        let change = changed.keys_changed.unwrap();
        assert_eq!((change.generation, change.log_size), (2, 3));
        assert!(change.at.unwrap().abs_diff(server.now()) < 600);
        let contacts = client.me.contacts().await.unwrap();
        assert_eq!(contacts[0].keys_changed, Some(change));
    }

    async fn what_was_shared_is_shared_anew_on_what_is_left(server: TestServer) {
        let (mut ops, client) = sdk::organisation(&server).await;
        let expires_at = Some(server.now() + 3_600);
        let share = async |name: &str, terms| share(&ops, &client, name, terms).await;
        let limited = share("limited", Terms { expires_at, downloads: Some(3) }).await;
        let plain = share("plain", Terms::default()).await;
        let used_up = share("used up", Terms { expires_at: None, downloads: Some(1) }).await;
        let ended = share("ended", Terms::default()).await;
        for file in [limited, used_up] {
            client.download(file).await.unwrap();
        }
        ops.me.unshare(ended, &client.email).await.unwrap();
        let fresh_before = client.other_device(&server.url()).await;
        ops.rotate().await;

        // Between the two: who has seen a share goes on, who has not refuses what rotated keys signed.
        let listed = client.me.shared(None).await.unwrap();
        assert!(listed.items.iter().all(|file| file.by_retired_key) && listed.items.len() == 2, "{listed:?}");
        assert_eq!(client.download(plain).await.unwrap(), b"plain");
        let refused = fresh_before.download(plain).await;
        assert_eq!(code(refused), (ErrorKind::Verification, "signer_rotated".into()));

        let renewal = ops.me.renew_shares().await.unwrap();
        let mut renewed: Vec<_> = renewal.shares.iter().map(|share| (share.file.name.as_str(), share.terms)).collect();
        renewed.sort_by_key(|(name, _)| *name);
        assert_eq!(renewed, [("limited", Terms { expires_at, downloads: Some(2) }), ("plain", Terms::default())]);
        assert_eq!((renewal.files, renewal.ended.len(), renewal.rejected.len()), (4, 0, 0));
        let nothing = ops.me.renew_shares().await.unwrap();
        assert_eq!((nothing.files, nothing.shares.len()), (0, 0));

        for device in [&client, &fresh_before, &client.other_device(&server.url()).await] {
            let listed = device.me.shared(None).await.unwrap().items;
            assert!(listed.iter().all(|file| !file.by_retired_key) && listed.len() == 2, "{listed:?}");
        }
        for _ in 0..2 {
            assert_eq!(fresh_before.download(limited).await.unwrap(), b"limited");
        }
        assert_eq!(code(client.download(limited).await).0, ErrorKind::NotFound, "three downloads in all");
        assert_eq!(code(client.download(used_up).await).0, ErrorKind::NotFound);
        assert_eq!(code(client.download(ended).await).0, ErrorKind::NotFound);

        // The owner: every file once, the old shares marked, receipts of both.
        let devices = [&ops, &with_kit(&server, &ops, &kit_of(&ops).await.to_text()).await];
        for device in devices {
            let files = device.me.files(None).await.unwrap();
            assert_eq!((files.items.len(), files.rejected.len()), (4, 0), "{:?}", files.rejected);
            let of = |name| files.items.iter().find(|own| own.file.name == name).unwrap();
            let shares: Vec<_> = of("limited").shares.iter().map(|s| (s.renewed, s.limit, s.downloads)).collect();
            assert_eq!(shares, [(true, Some(3), 1), (false, Some(2), 2)]);
            let receipts = device.me.receipts(None, None).await.unwrap();
            // Two of one share within one second are the same receipt.
            let all = receipts.items.len();
            assert!((4..=5).contains(&all) && receipts.rejected.is_empty(), "{all}: {:?}", receipts.rejected);
        }
        // A renewed share ends like any other.
        ops.me.unshare(plain, &client.email).await.unwrap();
        assert_eq!(code(client.download(plain).await).0, ErrorKind::NotFound);
        ops.share(plain, &client, Terms::default()).await.unwrap();
        assert_eq!(client.download(plain).await.unwrap(), b"plain");
    }

    async fn what_was_not_made_anew_is_the_next_time_from_any_device(server: TestServer) {
        let proxy = LossyProxy::start(server.address()).await;
        let mut ops = sdk::found_at(&server, &proxy.url()).await;
        let client = ops.welcome(&server.url(), CLIENT).await;
        let names: Vec<String> = (0..3).map(|n| format!("file {n}")).collect();
        for name in &names {
            share(&ops, &client, name, Terms::default()).await;
        }
        let kit = ops.rotate().await;
        proxy.lose_after(12);
        assert_eq!(code(ops.me.renew_shares().await).0, ErrorKind::Network);
        proxy.lose_after(usize::MAX);
        let fresh = client.other_device(&server.url()).await;
        let some = fresh.me.shared(None).await.unwrap();
        let waiting = some.rejected.len() + some.items.iter().filter(|file| file.by_retired_key).count();
        assert!(waiting > 0, "the interruption came too late for this test");

        // The device that rotated is lost; another one has the kit.
        let other = with_kit(&server, &ops, &kit).await;
        let renewal = other.me.renew_shares().await.unwrap();
        assert_eq!((renewal.ended.len(), renewal.rejected.len()), (0, 0), "{renewal:?}");
        let all = fresh.me.shared(None).await.unwrap();
        assert_eq!((all.items.len(), all.rejected.len()), (3, 0), "{:?}", all.rejected);
        assert!(all.items.iter().all(|file| !file.by_retired_key));
        ops.restart().await;
        assert_eq!(ops.me.renew_shares().await.unwrap().shares.len(), 0, "it is done");
        for own in ops.me.files(None).await.unwrap().items {
            assert_eq!(own.shares.iter().filter(|share| !share.renewed).count(), 1, "{own:?}");
        }
    }

    async fn a_recipients_new_keys_open_what_was_wrapped_to_the_old_ones(server: TestServer) {
        let (ops, mut client) = sdk::organisation(&server).await;
        let before = share(&ops, &client, "before", Terms::default()).await;
        for round in 0..2 {
            let kit = client.rotate().await;
            let after = share(&ops, &client, "after", Terms::default()).await;
            for device in [&client, &with_kit(&server, &client, &kit).await] {
                assert_eq!(device.download(before).await.unwrap(), b"before", "{round}");
                assert_eq!(device.download(after).await.unwrap(), b"after", "{round}");
            }
        }
        let change = ops.me.verify(&client.email).await.unwrap().keys_changed.unwrap();
        assert_eq!(change.generation, 3);
        let receipts = ops.me.receipts(Some(before), None).await.unwrap().items;
        assert!(receipts.iter().any(|receipt| receipt.by_retired_key));
        // Owners renew nothing because of it.
        assert!(ops.me.renew_shares().await.unwrap().shares.is_empty());
    }

    async fn invites_and_begun_sign_ins_end_with_the_keys_that_made_them(server: TestServer) {
        let (mut ops, _) = sdk::organisation(&server).await;
        let open = ops.invite("open@example.com").await;
        let accepted = sdk::join(&server.url(), "accepted@example.com", ops.invite("accepted@example.com").await).await;
        let rotation = ops.me.prepare_rotation(secret(&ops.password), None).await.unwrap();
        let rotated = rotation.complete().await.unwrap();
        ops.me = rotated.me;
        assert_eq!(rotated.cancelled, ["accepted@example.com", "open@example.com"]);
        assert_eq!(ops.me.admit_accepted().await.unwrap(), Default::default());
        let used = anonymous(&server.url(), &MemoryStore::new()).preview(open).await.map(drop).unwrap_err();
        assert_eq!(used.kind(), ErrorKind::InviteEnded, "{used}");
        // Invited again, they come in.
        let again = sdk::join(&server.url(), "accepted@example.com", ops.invite("accepted@example.com").await).await;
        assert_eq!(ops.me.certify_accepted().await.unwrap().len(), 1);
        again.me.shared(None).await.unwrap();
        assert_eq!(code(accepted.me.whoami().await).0, ErrorKind::NotSignedIn);
        ops.welcome(&server.url(), "open@example.com").await;
    }

    async fn a_new_password_may_come_with_the_new_keys(server: TestServer) {
        let (mut ops, client) = sdk::organisation(&server).await;
        let rotation = ops.me.prepare_rotation(secret(&ops.password), Some(secret(NEW))).await.unwrap();
        let kit = rotation.kit();
        ops.me = rotation.complete().await.unwrap().me;
        let login = |password: &str| {
            anonymous(&server.url(), &MemoryStore::new()).login(&ops.email, secret(password), account_key(&kit))
        };
        assert_eq!(code(login(&ops.password).await).0, ErrorKind::LoginFailed);
        login(NEW).await.unwrap();
        // And changed again after that, the kit stays.
        ops.me.change_password(secret(NEW), secret("a third one, for good")).await.unwrap();
        assert_eq!(kit_of(&ops).await.to_text().words, kit.words);
        // Pending accounts have nothing to rotate.
        let pending = sdk::join(&server.url(), "new@example.com", ops.invite("new@example.com").await).await;
        let refused = pending.me.prepare_rotation(secret(&pending.password), None).await.map(drop);
        assert_eq!(code(refused).0, ErrorKind::AccountPending);
        drop(client);
    }

    async fn an_answer_that_is_lost_leaves_a_device_that_finds_out(server: TestServer) {
        let proxy = LossyProxy::start(server.address()).await;
        let ops = sdk::found(&server).await;
        let mut arrived = 0;
        // One answer after another is the first to be lost: the challenge's, the rotation's own, the log's after it.
        for answers in 2..5 {
            let email = format!("client{answers}@example.com");
            let mut client = ops.welcome(&proxy.url(), &email).await;
            let file = share(&ops, &client, "file", Terms::default()).await;
            let rotation = client.me.prepare_rotation(secret(&client.password), None).await.unwrap();
            let kit = rotation.kit();
            proxy.lose_after(answers);
            let outcome = rotation.complete().await.map(|rotated| rotated.me);
            let waits = client.blob("rotation").is_some();
            let resumed = SignedIn::resume(Arc::new(client.store.clone())).await.map(drop);
            assert_eq!(resumed.is_err(), waits, "nobody knows while there is no network");
            proxy.lose_after(usize::MAX);
            client.restart().await;
            assert_eq!(client.download(file).await.unwrap(), b"file");
            let new_holds = client.blob("seed").unwrap() == RecoveryKit::parse(&kit).unwrap().seed.expose();
            assert!(new_holds || !waits, "what was sent counts in the end");
            if outcome.is_ok() {
                assert!(new_holds);
            } else if new_holds {
                arrived += 1;
                with_kit(&server, &client, &kit).await.me.whoami().await.unwrap();
            } else {
                client.rotate().await;
            }
        }
        assert!(arrived > 0, "no answer of the change itself was lost");
    }

    async fn of_two_devices_that_rotate_at_once_one_holds_the_account(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let file = share(&ops, &client, "file", Terms::default()).await;
        let other = client.other_device(&server.url()).await;
        let mut rotations = Vec::new();
        for device in [&client, &other] {
            rotations.push(device.me.prepare_rotation(secret(&client.password), None).await.unwrap());
        }
        let kits: Vec<_> = rotations.iter().map(|rotation| rotation.kit()).collect();
        let second = rotations.pop().unwrap();
        let (one, two) = tokio::join!(rotations.pop().unwrap().complete(), second.complete());
        let outcomes = [one.map(|rotated| rotated.me), two.map(|rotated| rotated.me)];
        let won = outcomes.iter().position(Result::is_ok).expect("one of them");
        let lost = outcomes[1 - won].as_ref().map(drop).unwrap_err();
        assert!(
            matches!(lost.code(), "account_rotated" | "credential_changed" | "session_ended"),
            "{lost:?}"
        );
        let (mut winner, mut loser) = if won == 0 { (client, other) } else { (other, client) };
        winner.restart().await;
        assert_eq!(winner.download(file).await.unwrap(), b"file");
        with_kit(&server, &winner, &kits[won]).await.download(file).await.unwrap();
        let resumed = SignedIn::resume(Arc::new(loser.store.clone())).await;
        let stopped = match resumed {
            Ok(me) => code(me.whoami().await),
            Err(error) => code(Err::<(), _>(error)),
        };
        assert_eq!(stopped, (ErrorKind::AccountRotated, "account_rotated".into()));
        loser.me = anonymous(&server.url(), &loser.store).login(&loser.email, secret(&loser.password), None).await.unwrap();
        assert!(loser.blob("rotation").is_none());
        loser.restart().await;
        assert_eq!(loser.download(file).await.unwrap(), b"file");
    }

    async fn rotating_while_another_device_shares_loses_nothing(server: TestServer) {
        let (mut ops, client) = sdk::organisation(&server).await;
        let other = ops.other_device(&server.url()).await;
        let mut files = Vec::new();
        for n in 0..4 {
            files.push(ops.upload(&format!("{n}"), b"content").await);
        }
        let sharing = async {
            let mut shared = Vec::new();
            for file in &files {
                if other.share(*file, &client, Terms::default()).await.is_ok() {
                    shared.push(*file);
                }
            }
            shared
        };
        let rotation = ops.me.prepare_rotation(secret(&ops.password), None).await.unwrap();
        let (shared, rotated) = tokio::join!(sharing, rotation.complete());
        ops.me = rotated.unwrap().me;
        let renewal = ops.me.renew_shares().await.unwrap();
        // What was shared under the old keys is shared under the new ones, or was ended and said so.
        for file in shared {
            let ended = renewal.ended.iter().any(|share| share.file_id == file);
            let readable = client.download(file).await.is_ok();
            assert!(readable != ended, "{file}: {renewal:?}");
            if ended {
                ops.share(file, &client, Terms::default()).await.unwrap();
            }
        }
        let fresh = client.other_device(&server.url()).await;
        let listed = fresh.me.shared(None).await.unwrap();
        assert!(listed.rejected.is_empty(), "{:?}", listed.rejected);
        for file in &files {
            ops.share(*file, &client, Terms::default()).await.ok();
            assert_eq!(fresh.download(*file).await.unwrap(), b"content");
        }
    }

    async fn many_rotate_while_the_log_grows_and_all_come_through(server: TestServer) {
        let ops = sdk::found(&server).await;
        let mut clients = Vec::new();
        for n in 0..4 {
            clients.push(ops.welcome(&server.url(), &format!("client{n}@example.com")).await);
        }
        let mut waiting = Vec::new();
        for n in 0..3 {
            let email = format!("new{n}@example.com");
            waiting.push(sdk::join(&server.url(), &email, ops.invite(&email).await).await);
        }
        let rotating = async {
            let rotate = clients.iter_mut().map(|client| client.rotate());
            futures_util::future::join_all(rotate).await
        };
        let (_, certified) = tokio::join!(rotating, ops.me.certify_accepted());
        assert_eq!(certified.unwrap().len(), 3);
        let file = ops.upload("a", b"content").await;
        for device in clients.iter().chain(&waiting) {
            ops.share(file, device, Terms::default()).await.unwrap();
            assert_eq!(device.download(file).await.unwrap(), b"content");
        }
    }
}

const NEW: &str = "another horse, another battery";

/// A file whose content is its name.
async fn share(ops: &Device, with: &Device, name: &str, terms: Terms) -> FileId {
    let file = ops.upload(name, name.as_bytes()).await;
    ops.share(file, with, terms).await.expect("sharing");
    file
}

/// The person on a fresh device, by the kit alone.
async fn with_kit(server: &TestServer, person: &Device, kit: &KitText) -> Device {
    let store = MemoryStore::new();
    let kit = RecoveryKit::parse(kit).expect("a kit");
    let me = anonymous(&server.url(), &store).login_with_kit(kit).await.expect("the newest kit");
    Device { email: person.email.clone(), password: person.password.clone(), store, me }
}

fn account_key(kit: &KitText) -> Option<AccountKey> {
    RecoveryKit::parse(kit).expect("a kit").account_key
}

fn code<T>(outcome: Result<T, Error>) -> (ErrorKind, String) {
    let error = outcome.map(drop).unwrap_err();
    (error.kind(), error.code().to_owned())
}
