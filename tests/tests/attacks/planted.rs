//! A81, A82: the server is in league with somebody who has the old keys, and keeps back what they have signed until these
//! are rotated. The new keys' next record would vouch for it (protocol §5.4, rule (b)).

use std::{
    collections::HashMap,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::body::Bytes;
use sealpost_api::routes;
use sealpost_client::{Again, Delivery, Error, ErrorKind, FileId, Sent, Terms, UserId};
use sealpost_tests::{
    TestServer,
    adversary::{Adversary, Answered, Asked},
    on_both_databases,
    sdk::{Device, describe},
};
use serde_json::Value;

use crate::scene::Scene;

/// Records of each pair before the thief's: the scene has one file, which was shared once.
const BEFORE: u64 = 1;

on_both_databases! {
    async fn what_another_device_shared_and_could_not_pin_goes_on_after_a_rotation(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap();
        let file = scene.another_file().await;
        let other = scene.ops.other_device(&scene.evil.url()).await;
        scene.evil.requests(routes::PUT_VAULT, |asked| asked.body = Bytes::new());
        other.share(file, &bob, Terms::default()).await.expect_err("the vault was not saved");
        scene.evil.repent();
        // It was signed while the keys were the owner's: known to the rotating device before they are not.
        scene.ops.rotate().await;
        let renewal = scene.ops.me.renew_shares().await.unwrap();
        assert_eq!((renewal.files, renewal.shares.len(), renewal.ended.len()), (2, 4, 0), "{renewal:?}");
        assert!(bob.download(file).await.is_ok());
        scene.ends_well().await;
    }

    async fn a81_a_file_is_planted_among_ones_own(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let thief = Thief::of(&scene.ops, &scene).await;
        hide(&scene, &[thief.me, thief.client], &Arc::default());
        let planted = thief.device.upload("instructions.pdf", b"pay into this account").await;
        let planted_view = scene_view(&thief, planted).await;
        scene.ops.rotate().await;
        scene.evil.repent();

        // It is not shown as ours, and nothing is signed on top of it: neither one file nor many.
        let page = scene.ops.me.files(None).await.unwrap();
        assert_eq!(page.items.iter().map(|own| own.file.file_id).collect::<Vec<_>>(), [scene.file]);
        assert_eq!((page.rejected[0].file_id, page.rejected[0].error.code()), (planted, "signer_rotated"));
        scene.evil.forget();
        for error in [upload(&scene.ops).await, upload_small(&scene).await] {
            let error = error.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "signer_rotated"), "{error}");
        }
        assert!(scene.evil.seen_of(routes::COMPLETE).is_empty() && scene.evil.seen_of(routes::CREATE_FILES).is_empty());

        // Nor on another device: what this one was shown and refused it has not put into the vault.
        let other = scene.ops.other_device(&scene.evil.url()).await;
        let page = other.me.files(None).await.unwrap();
        assert_eq!(page.rejected.iter().map(|it| (it.file_id, it.error.code())).collect::<Vec<_>>(), [(planted, "signer_rotated")]);

        // What we share is made anew, and the planted file ends before that; its owner is told.
        let renewal = scene.ops.me.renew_shares().await.unwrap();
        assert_eq!((renewal.files, renewal.shares.len(), renewal.rejected.len()), (1, 1, 0), "{renewal:?}");
        let ended: Vec<_> = renewal.ended.iter().map(|it| (it.file_id, it.recipient.email.as_str())).collect();
        assert_eq!(ended, [(planted, scene.ops.email.as_str())]);
        upload(&scene.ops).await.unwrap();
        upload_small(&scene).await.unwrap();

        // It does not come back, not even on a device that has seen nothing, if the server goes on showing it.
        scene.evil.json(routes::FILES, move |page| {
            page["items"].as_array_mut().unwrap().push(planted_view.clone());
        });
        for device in [&scene.ops, &scene.ops.other_device(&scene.evil.url()).await] {
            let page = device.me.files(None).await.unwrap();
            assert!(page.items.len() == 4 && page.items.iter().all(|own| own.file.file_id != planted));
            let codes: Vec<_> = page.rejected.iter().map(|entry| entry.error.code()).collect();
            assert_eq!(codes, ["share_not_in_force"]);
        }
        scene.evil.repent();
        scene.ops.me.remove(planted).await.unwrap();
        scene.ends_well().await;
    }

    async fn a82_what_the_thief_shared_turns_up_while_the_owner_shares_anew(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let thief = Thief::of(&scene.ops, &scene).await;
        let signing = Arc::new(AtomicBool::new(false));
        hide(&scene, &[thief.me, thief.client], &signing);
        let forged = thief.device.upload("instructions.pdf", b"pay into this account").await;
        let second = thief.device.upload("more.pdf", b"and into this one").await;
        for file in [forged, second] {
            thief.device.share(file, &scene.client, Terms::default()).await.unwrap();
        }
        // What is ended last.
        let last = forged.max(second);
        let last_view = view_of(&scene, last).await;
        scene.ops.rotate().await;

        // The owner looks for what is unknown, finds nothing, and signs. Only then the server shows it.
        let shows = Arc::clone(&signing);
        scene.evil.answers(routes::SHARE, move |_, _| shows.store(true, Ordering::Relaxed));
        let renewal = scene.ops.me.renew_shares().await.unwrap();
        assert!(signing.load(Ordering::Relaxed));
        assert_eq!((renewal.files, renewal.shares.len()), (1, 1), "{renewal:?}");
        let listed_before: Vec<_> = renewal.rejected.iter().map(|it| (it.file_id, it.error.code())).collect();
        assert_eq!(listed_before, [(second, "share_not_in_force"), (forged, "share_not_in_force")]);
        let mut ended: Vec<_> = renewal.ended.iter().map(|it| (it.file_id, it.recipient.email.as_str())).collect();
        ended.sort_unstable();
        let mut expected = Vec::new();
        for file in [forged, second] {
            expected.extend([&scene.client, &scene.ops].map(|whose| (file, whose.email.as_str())));
        }
        expected.sort_unstable();
        assert_eq!(ended, expected);

        // The first end stands on top of the second share, and does not vouch for it where the second end is kept back.
        let owner = [(thief.me.0, 4)];
        scene.evil.repent();
        show_of(&scene, &owner, "received", &Arc::default());
        scene.evil.answers(routes::FILE, move |_, answered| {
            answered.status = axum::http::StatusCode::OK;
            answered.say(&last_view);
        });
        for device in [&scene.client, &scene.client.other_device(&scene.evil.url()).await] {
            let error = device.download(last).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "signer_rotated"), "{error}");
        }

        // Nothing of it reaches whom it was for, on any device.
        scene.evil.repent();
        for device in [&scene.client, &scene.client.other_device(&scene.evil.url()).await] {
            let page = device.me.shared(None).await.unwrap();
            assert_eq!(page.items.iter().map(|it| it.file.file_id).collect::<Vec<_>>(), [scene.file]);
            assert!(page.rejected.is_empty(), "{:?}", page.rejected);
            assert_eq!(device.download(forged).await.unwrap_err().kind(), ErrorKind::NotFound);
        }
        let again = scene.ops.me.renew_shares().await.unwrap();
        assert_eq!((again.files, again.shares.len(), again.ended.len()), (0, 0, 0));
        scene.ends_well().await;
    }

    async fn a82_and_later_still_nothing_is_signed_on_top_of_it(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let thief = Thief::of(&scene.ops, &scene).await;
        // To somebody who had nothing of the owner's, so that there is nothing to be made anew.
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        let to_bob = (bob.me.whoami().await.unwrap().user_id, 0);
        hide(&scene, &[thief.me, thief.client, to_bob], &Arc::default());
        let forged = thief.device.upload("instructions.pdf", b"pay into this account").await;
        thief.device.share(forged, &bob, Terms::default()).await.unwrap();
        scene.ops.rotate().await;
        // The server holds back what the honest one would have said about the owner's own files.
        let page = scene.ops.me.renew_shares().await.map(drop);
        assert!(page.is_err(), "own files are signed on top of what is hidden");
        scene.evil.repent();
        let renewal = scene.ops.me.renew_shares().await.unwrap();
        assert_eq!((renewal.files, renewal.shares.len(), renewal.ended.len()), (1, 1, 2), "{renewal:?}");
        scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap();
        let page = bob.me.shared(None).await.unwrap();
        assert_eq!(page.items.iter().map(|it| it.file.file_id).collect::<Vec<_>>(), [scene.file]);
        scene.ends_well().await;
    }
}

/// Somebody who has the owner's keys, on a device of their own, and whom the server lets leave no trace in the vault.
struct Thief {
    device: Device,
    way: Adversary,
    /// The owner's history with herself, and with the client: how much of it is hers.
    me: (UserId, u64),
    client: (UserId, u64),
}

impl Thief {
    async fn of(owner: &Device, scene: &Scene) -> Self {
        let way = Adversary::before(&scene.server).await;
        let device = owner.other_device(&way.url()).await;
        way.requests(routes::PUT_VAULT, |asked| asked.method = "GET".into());
        way.answers(routes::PUT_VAULT, |_, answered| {
            answered.status = axum::http::StatusCode::NO_CONTENT;
            answered.body = Bytes::new();
        });
        let me = (device.me.whoami().await.unwrap().user_id, BEFORE);
        let client = (scene.client.me.whoami().await.unwrap().user_id, BEFORE);
        Self { device, way, me, client }
    }
}

/// Of what the owner has sent to each of these people, the server shows only so many records, until it `shows` all.
fn hide(scene: &Scene, of: &[(UserId, u64)], shows: &Arc<AtomicBool>) {
    show_of(scene, of, "sent", shows);
}

fn show_of(scene: &Scene, of: &[(UserId, u64)], direction: &'static str, shows: &Arc<AtomicBool>) {
    let of: HashMap<String, u64> = of.iter().map(|(id, count)| (id.to_string(), *count)).collect();
    let shows = Arc::clone(shows);
    scene.evil.answers(routes::PAIR, move |asked, answered| {
        if !shows.load(Ordering::Relaxed) {
            cut(asked, answered, &of, direction);
        }
    });
}

fn cut(asked: &Asked, answered: &mut Answered, of: &HashMap<String, u64>, direction: &str) {
    let (path, query) = asked.path.split_once('?').unwrap();
    let Some(count) = of.get(path.rsplit('/').next().unwrap()).filter(|_| query.contains(direction)) else {
        return;
    };
    let after = query.split('&').find_map(|pair| pair.strip_prefix("after=")).unwrap_or("0");
    let shown = count.saturating_sub(after.parse().unwrap());
    answered.edit(|page| {
        page["records"].as_array_mut().unwrap().truncate(usize::try_from(shown).unwrap());
        page["newest"] = Value::from(page["newest"].as_u64().unwrap().min(*count));
    });
}

/// What the honest server lists of a file among the owner's own.
async fn scene_view(thief: &Thief, file: FileId) -> Value {
    thief.way.forget();
    thief.device.me.files(None).await.unwrap();
    let page = &thief.way.seen_of(routes::FILES)[0].answered.body;
    let page: Value = serde_json::from_slice(page).unwrap();
    let items = page["items"].as_array().unwrap();
    items.iter().find(|item| item["file_id"] == file.to_string()).unwrap().clone()
}

/// What the honest server would say to the client about a file: to a device of theirs that is not lied to.
async fn view_of(scene: &Scene, file: FileId) -> Value {
    let way = Adversary::before(&scene.server).await;
    let device = scene.client.other_device(&way.url()).await;
    device.download(file).await.unwrap();
    serde_json::from_slice(&way.seen_of(routes::FILE)[0].answered.body).unwrap()
}

async fn upload(ops: &Device) -> Result<FileId, Error> {
    let what = describe("letter.pdf", b"content");
    ops.me.upload(&b"content"[..], what, &|_| {}).await.map(|uploaded| uploaded.file_id)
}

/// As many small ones, which one request creates: what became of the first.
async fn upload_small(scene: &Scene) -> Result<FileId, Error> {
    let mut files = Vec::new();
    for name in ["one.pdf", "two.pdf"] {
        let path = scene.server.scratch().join(name);
        std::fs::write(&path, b"content").unwrap();
        files.push(Delivery { path, note: String::new(), recipients: Vec::new() });
    }
    let mut outcomes = Vec::new();
    let mut done = |_, outcome: Result<Sent, Error>| {
        outcomes.push(outcome.map(|sent| sent.file.file_id));
        ControlFlow::Continue(())
    };
    scene.ops.me.upload_many(&files, Again::Allow, &|_| {}, &mut done).await?;
    outcomes.remove(0)
}
