//! A32, A62, A69: what was shared, in which order, and what has ended.

use sealpost_api::{file::PairPage, routes};
use sealpost_client::{ErrorKind, SignedIn, Terms};
use sealpost_tests::{TestServer, on_both_databases};
use serde_json::Value;

use crate::scene::Scene;

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
        let view = scene.view(&scene.client, scene.file).await;
        let before = scene.evil.seen_of(routes::PAIR).last().map(|seen| seen.answered.body.clone());
        scene.ops.me.unshare(scene.file, &scene.client.email).await.unwrap();
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
        if let Some(before) = before {
            let before: Value = serde_json::from_slice(&before).unwrap();
            scene.evil.json(routes::PAIR, move |page| *page = before.clone());
        }
        scene.evil.json(routes::PAIR, |page| page["newest"] = serde_json::json!(1));
        let resumed = SignedIn::resume(std::sync::Arc::new(scene.client.store.clone())).await.unwrap();
        let error = resumed.download(scene.file).await.err().expect("not noticed");
        assert_eq!(error.kind(), ErrorKind::Verification, "{error}");
        assert!(["pair_rollback", "share_not_in_force", "pair_behind"].contains(&error.code()), "{error:?}");
        scene.evil.repent();
        assert!(scene.client.download(other).await.is_ok(), "the honest run");
        scene.kept_secrets().await;
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
