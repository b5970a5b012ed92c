//! A32, A62, A69: what was shared, in which order, and what has ended.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sealpost_api::{file::PairPage, routes};
use sealpost_client::{ErrorKind, SignedIn, Terms};
use sealpost_tests::{TestServer, on_both_databases};
use serde_json::{Value, json};

use crate::{memberships::resigned, scene::Scene};

/// Ends the share of the scene's file; what the client was shown of file and pair before that.
async fn unshared(scene: &Scene) -> (Value, Value) {
    let view = scene.view(&scene.client, scene.file).await;
    let seen = scene.evil.seen_of(routes::PAIR);
    let before = serde_json::from_slice(&seen.last().unwrap().answered.body).unwrap();
    scene.ops.me.unshare(scene.file, &scene.client.email).await.unwrap();
    (view, before)
}

on_both_databases! {
    async fn a32_a_share_left_out_is_a_gap_with_its_number(server: TestServer) {
        let scene = Scene::set(server).await;
        scene.another_file().await;
        // The first of the shares to this client is withheld; the later one proves that it exists.
        scene.evil.json(routes::PAIR, |page| {
            page["records"].as_array_mut().unwrap().retain({
                let mut first = true;
                move |_| !std::mem::take(&mut first)
            });
        });
        let page = scene.client.me.shared(None).await.unwrap();
        assert!(page.items.is_empty());
        for rejected in &page.rejected {
            assert_eq!(rejected.error.code(), "pair_gap");
            assert!(rejected.error.to_string().contains("record 1 "), "{}", rejected.error);
        }
        assert!(!page.rejected.is_empty());
        scene.refuses("pair_gap").await;
        scene.ends_well().await;
    }

    async fn a32_what_was_ended_does_not_come_back(server: TestServer) {
        let scene = Scene::set(server).await;
        let other = scene.another_file().await;
        let (view, before) = unshared(&scene).await;
        // The client learns of it, by whatever it does next.
        assert_eq!(scene.client.me.shared(None).await.unwrap().items.len(), 1);
        scene.evil.answers(routes::FILE, {
            let (view, ended) = (view.clone(), scene.file.to_string());
            move |asked, answered| {
                if asked.path.contains(&ended) {
                    answered.status = axum::http::StatusCode::OK;
                    answered.say(&view);
                }
            }
        });
        let ended = scene.client.download(scene.file).await.unwrap_err();
        assert_eq!((ended.kind(), ended.code()), (ErrorKind::Verification, "share_not_in_force"), "{ended}");
        // Nor when the history is shown as it was before, to a program that starts again with its pins.
        scene.evil.json(routes::PAIR, move |page| *page = before.clone());
        scene.evil.json(routes::PAIR, |page| page["newest"] = json!(1));
        let resumed = SignedIn::resume(Arc::new(scene.client.store.clone())).await.unwrap();
        let error = resumed.download(scene.file).await.map(drop).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "pair_rollback"), "{error}");
        scene.evil.repent();
        assert!(scene.client.download(other).await.is_ok(), "the honest run");
        scene.kept_secrets().await;
    }

    async fn a32_a_fresh_device_is_shown_no_less_than_another_one_has_seen(server: TestServer) {
        let scene = Scene::set(server).await;
        let other = scene.another_file().await;
        let (view, before) = unshared(&scene).await;
        // One device learns of it, and keeps that in the vault.
        assert_eq!(scene.client.me.shared(None).await.unwrap().items.len(), 1);
        scene.evil.answers(routes::FILE, move |_, answered| {
            answered.status = axum::http::StatusCode::OK;
            answered.say(&view);
        });
        scene.evil.json(routes::PAIR, move |page| *page = before.clone());
        let fresh = scene.client.other_device(&scene.evil.url()).await;
        let error = fresh.download(scene.file).await.expect_err("not noticed");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "pair_rollback"), "{error}");
        scene.evil.repent();
        assert!(fresh.download(other).await.is_ok(), "the honest run");
        scene.kept_secrets().await;
    }

    async fn a32_a_sender_who_signs_two_histories_is_found_out_on_a_fresh_device(server: TestServer) {
        let scene = Scene::set(server).await;
        let view = scene.view(&scene.client, scene.file).await;
        // The sender's second first share is signed as well as the one that was seen; it just can't be another one.
        let second = resigned(&view, &scene.ops.account(1).await, |context| context.time += 1);
        let record = second["share"]["record"].clone();
        scene.evil.json(routes::FILE, move |view| *view = second.clone());
        scene.evil.json(routes::PAIR, move |page| *page = json!({ "records": [record], "newest": 1 }));
        let fresh = scene.client.other_device(&scene.evil.url()).await;
        let error = fresh.download(scene.file).await.expect_err("not noticed");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "pair_conflict"), "{error}");
        scene.ends_well().await;
    }

    async fn a66_an_unshare_that_was_first_cancels_the_share(server: TestServer) {
        let scene = Scene::set(server).await;
        let client = scene.client.me.whoami().await.unwrap().user_id.to_string();
        let file = scene.another_file().await;
        scene.ops.me.unshare(file, &scene.client.email).await.unwrap();
        let other = scene.ops.other_device(&scene.evil.url()).await;
        // The other device has synced; then this one shares and ends the share, which the other one does not see yet.
        other.me.share(scene.file, std::slice::from_ref(&scene.client.email), Terms::default()).await.unwrap();
        let before: PairPage = {
            let seen = scene.evil.seen_of(routes::PAIR);
            let of_client = seen.iter().rfind(|seen| seen.asked.path.contains(&client));
            serde_json::from_slice(&of_client.unwrap().answered.body).unwrap()
        };
        scene.ops.share(file, &scene.client, Terms::default()).await.unwrap();
        scene.ops.me.unshare(file, &scene.client.email).await.unwrap();
        let stale = AtomicBool::new(true);
        scene.evil.answers(routes::PAIR, move |asked, answered| {
            if asked.path.contains(&client) && stale.swap(false, Ordering::SeqCst) {
                answered.say(&json!({"records": [], "newest": before.newest}));
            }
        });
        scene.evil.forget();
        let cancelled = other.share(file, &scene.client, Terms::default()).await.unwrap_err();
        assert_eq!((cancelled.kind(), cancelled.code()), (ErrorKind::Conflict, "share_cancelled"), "{cancelled}");
        let shares = scene.evil.seen_of(routes::SHARE);
        assert_eq!(shares.len(), 1, "it lost its place once, and signed for no other");
        let lost: Value = serde_json::from_slice(&shares[0].answered.body).unwrap();
        let problem = &lost["results"][0]["problem"];
        assert_eq!((problem["code"].as_str(), problem["record"].is_object()), (Some("pair_conflict"), true), "{lost}");
        // By the owner's next wish it is shared after all.
        other.share(file, &scene.client, Terms::default()).await.unwrap();
        assert!(scene.client.download(file).await.is_ok());
        scene.ends_well().await;
    }

    async fn a66_what_another_device_has_shared_and_ended_meanwhile_is_no_lie(server: TestServer) {
        let scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        let other = Arc::new(scene.ops.other_device(&scene.server.url()).await);
        let (file, email) = (scene.file, bob.email.clone());
        scene.evil.meanwhile(routes::SHARE, {
            let (other, email) = (Arc::clone(&other), email.clone());
            async move { drop(other.me.share(file, &[email], Terms::default()).await.unwrap()) }
        });
        // First the place is taken; then the server says that the file is shared, which has ended before the sender looks.
        scene.evil.after(routes::SHARE, 2, async move { other.me.unshare(file, &email).await.unwrap() });
        scene.evil.forget();
        let error = scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "share_cancelled"), "{error}");
        assert_eq!(scene.evil.seen_of(routes::SHARE).len(), 2);
        scene.evil.repent();
        scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap();
        assert!(bob.download(scene.file).await.is_ok());
        scene.ends_well().await;
    }

    async fn a66_another_device_may_sign_under_a_newer_log_meanwhile(server: TestServer) {
        let scene = Scene::set(server).await;
        let (url, client) = (scene.server.url(), scene.client.me.whoami().await.unwrap().user_id);
        let (mine, theirs) = (scene.ops.upload("a.txt", b"a").await, scene.ops.upload("b.txt", b"b").await);
        let (other, email) = (scene.ops.other_device(&url).await, scene.client.email.clone());
        // Between the look at the log and the look at what was shared with the client.
        scene.evil.meanwhile_of(routes::PAIR, client, 1, async move {
            other.welcome(&url, "bob@example.com").await;
            let shared = other.me.share(theirs, &[email], Terms::default()).await.unwrap();
            shared[0].result.as_ref().unwrap();
        });
        scene.ops.share(mine, &scene.client, Terms::default()).await.unwrap();
        scene.evil.repent();
        assert_eq!(scene.client.me.shared(None).await.unwrap().items.len(), 3);
        scene.ends_well().await;
    }

    async fn a66_a_place_is_lost_again_while_the_winner_of_the_last_one_is_looked_at(server: TestServer) {
        let scene = Scene::set(server).await;
        let client = scene.client.me.whoami().await.unwrap().user_id;
        let other = Arc::new(scene.ops.other_device(&scene.server.url()).await);
        let [mine, first, second] =
            [scene.ops.upload("a", b"a").await, scene.ops.upload("b", b"b").await, scene.ops.upload("c", b"c").await];
        let email = scene.client.email.clone();
        let theirs = move |file| {
            let (other, email) = (Arc::clone(&other), email.clone());
            async move { drop(other.me.share(file, &[email], Terms::default()).await.unwrap()) }
        };
        scene.evil.meanwhile(routes::SHARE, theirs(first));
        // Asked for before the first try, and after it was lost; then for what lies between.
        scene.evil.meanwhile_of(routes::PAIR, client, 3, theirs(second));
        scene.evil.forget();
        scene.ops.share(mine, &scene.client, Terms::default()).await.unwrap();
        assert_eq!(scene.evil.seen_of(routes::SHARE).len(), 3, "two places were lost");
        scene.evil.repent();
        assert_eq!(scene.client.me.shared(None).await.unwrap().items.len(), 4);
        scene.ends_well().await;
    }

    async fn a66_two_devices_that_race_for_a_place_both_arrive(server: TestServer) {
        let scene = Scene::set(server).await;
        let other = scene.ops.other_device(&scene.evil.url()).await;
        let files = [scene.file, scene.another_file().await];
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        let (one, two) = tokio::join!(
            scene.ops.share(files[0], &bob, Terms::default()),
            other.share(files[1], &bob, Terms::default()),
        );
        one.unwrap();
        two.unwrap();
        let shared = bob.me.shared(None).await.unwrap();
        assert_eq!((shared.items.len(), shared.rejected.len()), (2, 0));
        let pair = scene.evil.seen_of(routes::PAIR);
        let page: PairPage = serde_json::from_slice(&pair.last().unwrap().answered.body).unwrap();
        assert_eq!(page.newest, 2);
        scene.ends_well().await;
    }
}
