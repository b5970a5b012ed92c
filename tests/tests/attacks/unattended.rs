//! A89, A93: what an Ops member's program does while nobody looks: completing queued shares, admitting people.

use std::time::Duration;

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
};
use sealpost_api::routes;
use sealpost_client::{Admitting, ErrorKind, InviteRequest, QueueEnd, ShareStatus, Terms, WatchEvent};
use sealpost_crypto::id::Digest;
use sealpost_tests::{
    TestServer, on_both_databases,
    sdk::{self, Device, address},
};
use serde_json::{Value, json};

use crate::{
    answers::{problem, results},
    scene::Scene,
};

const BOB: &str = "bob@example.com";
const CAROL: &str = "carol@example.com";
/// Nothing that is waited for takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Shares the scene's file with somebody who has not joined.
async fn queue(scene: &Scene, email: &str) {
    let shared = scene.ops.me.share(scene.file, &[address(email)], Terms::default()).await.unwrap();
    assert!(matches!(shared[0].result, Ok(ShareStatus::Queued(_))), "{shared:?}");
}

async fn ends(scene: &Scene) -> Vec<QueueEnd> {
    scene.ops.me.complete_queued().await.unwrap().iter().map(|settled| settled.end).collect()
}

/// Everybody behind the adversary sees the log end where it ends now.
async fn stop_the_log(scene: &Scene) {
    scene.evil.forget();
    scene.ops.me.whoami().await.unwrap();
    let page = scene.evil.seen_of(routes::LOG).pop().unwrap().answered.body;
    let checkpoint = serde_json::from_slice::<Value>(&page).unwrap()["checkpoint"].clone();
    scene.evil.json(routes::LOG, move |page| {
        page["entries"] = json!([]);
        page["checkpoint"] = checkpoint.clone();
    });
}

async fn replace(by: &Device, url: &str, email: &str) -> Device {
    let request =
        InviteRequest { email: address(email), expires_in: Duration::from_secs(3_600), account_key: false };
    let code = by.me.invite_with(request, Admitting::Replacing).await.unwrap().code;
    let new = sdk::join(url, email, code).await;
    by.me.confirmation(&address(email)).await.unwrap().admit().await.unwrap();
    new
}

on_both_databases! {
    async fn a89_a_queued_share_that_is_held_back_never_reaches_who_came_after(server: TestServer) {
        let scene = Scene::set(server).await;
        let honest = scene.server.url();
        let otto = scene.ops.welcome_ops(&honest, "otto@example.com", "Otto").await;
        let [bobs, carols] = [otto.invite(BOB).await, otto.invite(CAROL).await];
        queue(&scene, BOB).await;
        queue(&scene, CAROL).await;
        // Bob joins and is admitted, and the owner's programs hear nothing of it, until somebody else is Bob.
        stop_the_log(&scene).await;
        let bob = sdk::join(&honest, BOB, bobs).await;
        otto.me.certify_accepted().await.unwrap();
        assert_eq!(ends(&scene).await, []);
        let thief = replace(&otto, &honest, BOB).await;
        scene.evil.repent();
        scene.evil.forget();
        assert_eq!(ends(&scene).await, [QueueEnd::AccountEnded]);
        assert!(scene.evil.seen_of(routes::SHARE).is_empty(), "a wrapped key left the client");
        assert_eq!(thief.download(scene.file).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(bob.download(scene.file).await.unwrap_err().kind(), ErrorKind::AccountEnded);
        assert_eq!(ends(&scene).await, [], "it comes back");
        // Carol's is not held back.
        let carol = sdk::join(&honest, CAROL, carols).await;
        otto.me.certify_accepted().await.unwrap();
        assert_eq!(ends(&scene).await, [QueueEnd::Shared]);
        assert!(carol.download(scene.file).await.unwrap() == scene.content);
        scene.ends_well().await;
    }

    async fn a89_a_queued_share_is_not_dropped_by_the_servers_word(server: TestServer) {
        let scene = Scene::set(server).await;
        // The second is no code of the server's at all: what arrives of that record is not known, and it is sent again.
        for (email, code, kind, told, end) in [
            (BOB, "already_shared", ErrorKind::Verification, "share_unproven", QueueEnd::Shared),
            (CAROL, "share_cancelled", ErrorKind::Server, "share_cancelled", QueueEnd::Decided),
        ] {
            let invite = scene.ops.invite(email).await;
            queue(&scene, email).await;
            let person = sdk::join(&scene.evil.url(), email, invite).await;
            scene.ops.me.certify_accepted().await.unwrap();
            // Nothing arrives, and the server says that the owner has decided it otherwise.
            scene.evil.requests(routes::SHARE, |asked| asked.body = Bytes::new());
            scene.evil.answers(routes::SHARE, move |asked, answered| {
                let body: Value = serde_json::from_slice(&asked.body).unwrap();
                answered.status = StatusCode::OK;
                answered.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                answered.say(&results(&body["shares"], |result| result["problem"] = problem(409, code, "It is.")));
            });
            let error = scene.ops.me.complete_queued().await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (kind, told), "{error}");
            let listed = scene.ops.me.files(None).await.unwrap().items.remove(0);
            assert_eq!(listed.queued.len(), 1, "the intent is gone");
            scene.evil.repent();
            assert_eq!(ends(&scene).await, [end]);
            assert!(person.download(scene.file).await.unwrap() == scene.content, "the honest run");
        }
        scene.ends_well().await;
    }

    async fn a93_an_invitee_who_answers_wrongly_keeps_nobody_else_out(server: TestServer) {
        let scene = Scene::set(server).await;
        let [mallorys, bobs] = [scene.ops.invite("mallory@example.com").await, scene.ops.invite(BOB).await];
        queue(&scene, BOB).await;
        // Mallory has a code and sends an answer that no server can check, and the inviter can: its MAC is another.
        scene.evil.requests(routes::INVITE_ACCEPT, |asked| {
            let mut body: Value = serde_json::from_slice(&asked.body).unwrap();
            body["mac"] = json!(Digest::random().to_string());
            asked.body = serde_json::to_vec(&body).unwrap().into();
        });
        sdk::join(&scene.evil.url(), "mallory@example.com", mallorys).await;
        scene.evil.repent();

        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let me = scene.ops.me.clone();
        let report = move |event| drop(sender.send(event));
        let watching = tokio::spawn(async move { me.watch(Duration::from_millis(50), report).await.map(|_| ()) });
        let mut next = async || tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().expect("it has ended");
        let WatchEvent::Refused { person, error } = next().await else { panic!("she was not noticed") };
        assert_eq!((&*person.email, error.kind(), error.code()),
            ("mallory@example.com", ErrorKind::Verification, "accept_mac"));
        // Who comes after her is admitted all the same, and gets what was queued.
        let bob = sdk::join(&scene.evil.url(), BOB, bobs).await;
        assert!(matches!(next().await, WatchEvent::Certified(person) if person.email == BOB));
        assert!(matches!(next().await, WatchEvent::Settled(settled) if settled.end == QueueEnd::Shared));
        assert!(!watching.is_finished());
        watching.abort();
        assert!(bob.download(scene.file).await.unwrap() == scene.content);
        let contacts = scene.ops.me.contacts().await.unwrap();
        let hers = contacts.iter().find(|contact| contact.person.email == "mallory@example.com");
        assert!(hers.is_none_or(|contact| contact.status == sealpost_client::ContactStatus::Pending), "{contacts:?}");
        scene.ends_well().await;
    }
}
