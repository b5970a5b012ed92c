//! A30, A83: versions of a file, and the server around the moment when one takes another's place.

use axum::http::StatusCode;
use sealpost_api::{
    file::{FileView, PairPage, RekeyFile},
    routes,
};
use sealpost_client::{ErrorKind, FileAccess, Terms};
use sealpost_crypto::{
    record::{RawRecord, Signed, parse},
    records::{Manifest, Share, ShareContext},
};
use sealpost_tests::{TestServer, adversary::Answered, on_both_databases, sdk::Device};
use serde_json::{Value, json};

use crate::{memberships::resigned, scene::Scene};

const BOB: &str = "bob@example.com";

/// A file that somebody else had, too.
async fn with_bob(server: TestServer) -> (Scene, Device) {
    let scene = Scene::set(server).await;
    let bob = scene.ops.welcome(&scene.evil.url(), BOB).await;
    scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap();
    (scene, bob)
}

async fn rekey(scene: &Scene) {
    let rekeyed = scene.ops.me.unshare_rekeying(scene.file, &[BOB.parse().unwrap()], &|_| {}).await.unwrap();
    assert!(rekeyed.sealed_anew);
}

/// What the honest server says to the client between these people now.
async fn pair(scene: &Scene) -> Value {
    let seen = scene.evil.seen_of(routes::PAIR);
    serde_json::from_slice(&seen.last().expect("the client asked").answered.body).unwrap()
}

fn says(answered: &mut Answered, value: &Value) {
    answered.status = StatusCode::OK;
    answered.say(value);
}

/// A change of an answer.
type Lie = fn(&mut Value);

on_both_databases! {
    async fn a30_a_second_file_under_a_version_that_was_seen_is_a_conflict(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let view = scene.view(&scene.client, scene.file).await;
        // A program that starts again knows it from its folder alone.
        scene.client.restart().await;
        let owner = scene.ops.account(1).await;
        let manifest: RawRecord = serde_json::from_value(view["manifest"].clone()).unwrap();
        let manifest: Manifest = manifest.claim().unwrap();
        let other = Manifest { time: manifest.time + 1, ..manifest };
        let other = Signed::sign(other, &owner.keys().signing).unwrap().into_raw();
        let mut second = resigned(&view, &owner, |context| context.manifest = other.id());
        second["manifest"] = json!(other);
        scene.evil.json(routes::FILE, move |view| *view = second.clone());
        scene.refuses("version_conflict").await;
        scene.ends_well().await;
    }

    async fn a30_an_older_signed_version_is_a_rollback(server: TestServer) {
        let (scene, _bob) = with_bob(server).await;
        // What the server kept of the first version: everything that it ever gave out.
        let old = scene.view(&scene.client, scene.file).await;
        scene.evil.forget();
        let fresh = scene.client.other_device(&scene.evil.url()).await;
        fresh.download(scene.file).await.unwrap();
        let history = pair(&scene).await;
        let parts = scene.evil.seen_of(routes::PARTS).last().unwrap().answered.clone();
        let content = scene.evil.seen_of(routes::DOWNLOAD).last().unwrap().answered.clone();
        // A device that is signed in, and never sees the second version.
        let asleep = scene.client.other_device(&scene.evil.url()).await;
        rekey(&scene).await;
        scene.view(&scene.client, scene.file).await;

        let tell = || {
            let (view, history, parts, content) = (old.clone(), history.clone(), parts.clone(), content.clone());
            scene.evil.answers(routes::FILE, move |_, answered| says(answered, &view));
            scene.evil.answers(routes::PAIR, move |_, answered| says(answered, &history));
            scene.evil.answers(routes::PARTS, move |_, answered| *answered = parts.clone());
            scene.evil.answers(routes::DOWNLOAD, move |_, answered| *answered = content.clone());
        };
        tell();
        scene.refuses("version_rollback").await;
        // Nor by anybody else who knows: the owner, and a new device, whose vault does.
        let owners = scene.ops.me.file(scene.file).await.unwrap_err();
        assert_eq!(owners.kind(), ErrorKind::Verification, "{owners}");
        let next = scene.client.other_device(&scene.evil.url()).await;
        let refused = next.download(scene.file).await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Verification, "version_rollback"), "{refused}");
        // Whoever has seen nothing newer can't know. It is shown which version it is, and of when.
        let download = asleep.me.download(scene.file).await.unwrap();
        assert_eq!(download.version(), 1);
        assert_eq!(download.sealed_at(), sealed_at(&old));
        let FileAccess::Shared(shown) = asleep.me.file(scene.file).await.unwrap().access else {
            panic!("it is another's");
        };
        assert_eq!((shown.file.version, shown.file.sealed_at), (1, sealed_at(&old)));
        scene.evil.repent();
        // From the first look at the newer one on, it knows, too.
        assert!(asleep.download(scene.file).await.unwrap() == scene.content);
        tell();
        let refused = asleep.download(scene.file).await.unwrap_err();
        assert_eq!(refused.code(), "version_rollback", "{refused}");
        scene.ends_well().await;
    }

    async fn a30_a_newer_version_that_does_not_follow_is_none(server: TestServer) {
        let (scene, _bob) = with_bob(server).await;
        scene.view(&scene.client, scene.file).await;
        rekey(&scene).await;
        let lies: [(&str, Lie); 3] = [
            ("no chain", |answer| answer["manifests"] = json!([])),
            ("another one's", |answer| answer["manifests"][0]["signature"] = json!("A".repeat(86))),
            ("too much", |answer| {
                let one = answer["manifests"][0].clone();
                answer["manifests"] = Value::Array(vec![one; 1_001]);
            }),
        ];
        for (what, lie) in lies {
            scene.evil.json(routes::MANIFESTS, lie);
            let error = scene.client.download(scene.file).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Verification, "{what}: {error}");
            assert!(["version_chain", "signature_invalid"].contains(&error.code()), "{what}: {error:?}");
            scene.evil.repent();
        }
        // The second version's manifest stands in for the first one's.
        let second = scene.view(&scene.ops, scene.file).await["manifest"].clone();
        scene.evil.json(routes::MANIFESTS, move |answer| answer["manifests"] = json!([second.clone()]));
        scene.refuses("version_chain").await;
        scene.ends_well().await;
    }

    async fn a83_two_versions_do_not_mix(server: TestServer) {
        let (scene, bob) = with_bob(server).await;
        scene.evil.forget();
        scene.client.download(scene.file).await.unwrap();
        let old = scene.view(&scene.client, scene.file).await;
        scene.evil.forget();
        scene.client.download(scene.file).await.unwrap();
        let parts = scene.evil.seen_of(routes::PARTS).last().unwrap().answered.clone();
        let content = scene.evil.seen_of(routes::DOWNLOAD).last().unwrap().answered.clone();
        let bobs = scene.view(&bob, scene.file).await;
        rekey(&scene).await;
        let new = scene.view(&scene.client, scene.file).await;

        // The new manifest, and the old parts.
        scene.evil.answers(routes::DOWNLOAD, { let content = content.clone(); move |_, answered| *answered = content.clone() });
        scene.refuses("part_mismatch").await;
        scene.evil.answers(routes::PARTS, move |_, answered| *answered = parts.clone());
        scene.refuses("part_list_mismatch").await;
        scene.evil.repent();
        // Half of each.
        let mixed: [(&str, &str); 4] = [
            ("manifest", "share_manifest_mismatch"),
            ("share", "share_manifest_mismatch"),
            ("metadata", "metadata_mismatch"),
            ("version", "other_file"),
        ];
        for (member, code) in mixed {
            let piece = old[member].clone();
            scene.evil.json(routes::FILE, move |view| view[member] = piece.clone());
            scene.refuses(code).await;
            scene.evil.repent();
        }
        // To whom it ended for: with the share that they had, with another's, and with the history before the end.
        for (share, code) in [(&bobs["share"], "share_manifest_mismatch"), (&new["share"], "share_not_recipient")] {
            let mut view = new.clone();
            view["share"] = share.clone();
            scene.evil.answers(routes::FILE, move |_, answered| says(answered, &view));
            let error = bob.download(scene.file).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, code), "{error}");
            scene.evil.repent();
        }
        scene.evil.answers(routes::FILE, { let bobs = bobs.clone(); move |_, answered| says(answered, &bobs) });
        let error = bob.download(scene.file).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "share_not_in_force"), "{error}");
        scene.ends_well().await;
    }

    async fn a83_a_half_or_nothing_that_is_called_done_is_noticed(server: TestServer) {
        let (scene, bob) = with_bob(server).await;
        let emails = [bob.email.clone()];
        let before = scene.view(&scene.ops, scene.file).await;
        // The server says that it is live, and has done nothing.
        scene.evil.requests(routes::REKEY, |asked| asked.body = "{}".into());
        scene.evil.answers(routes::REKEY, { let before = before.clone(); move |_, answered| says(answered, &before) });
        let error = scene.ops.me.unshare_rekeying(scene.file, &emails, &|_| {}).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "rekey_unconfirmed"), "{error}");
        // The recipients are where they were, and lose nothing.
        assert!(scene.client.download(scene.file).await.unwrap() == scene.content);
        assert!(bob.download(scene.file).await.unwrap() == scene.content);
        // An honest server gets the very records that this one kept to itself.
        let first = scene.evil.seen_of(routes::REKEY).last().unwrap().asked.body.clone();
        scene.evil.repent();
        scene.evil.forget();
        rekey(&scene).await;
        assert!(scene.evil.seen_of(routes::REKEY)[0].asked.body == first, "no two records for one place");
        bob.download(scene.file).await.unwrap_err();
        scene.ends_well().await;
    }

    async fn a83_what_was_ended_gets_no_key_of_the_new_version(server: TestServer) {
        let (scene, bob) = with_bob(server).await;
        let carol = scene.ops.welcome(&scene.evil.url(), "carol@example.com").await;
        scene.ops.share(scene.file, &carol, Terms::default()).await.unwrap();
        scene.ops.me.unshare(scene.file, &carol.email).await.unwrap();
        // The server lists Carol's ended share as if it ran.
        scene.evil.json(routes::SHARES, |page| {
            for share in page["items"].as_array_mut().unwrap() {
                share.as_object_mut().unwrap().remove("unshare");
            }
        });
        scene.evil.forget();
        rekey(&scene).await;
        let sent = scene.evil.seen_of(routes::REKEY);
        let request: RekeyFile = serde_json::from_slice(&sent.last().unwrap().asked.body).unwrap();
        let carols = carol.me.whoami().await.unwrap().user_id;
        let recipients: Vec<_> = request.shares.iter().map(|share| recipient(&share.record)).collect();
        assert_eq!(recipients.len(), 1);
        assert!(!recipients.contains(&carols), "a key was wrapped for somebody whose share had ended");
        scene.evil.repent();
        carol.download(scene.file).await.unwrap_err();
        bob.download(scene.file).await.unwrap_err();
        scene.ends_well().await;
    }

    async fn a83_a_new_share_that_is_withheld_is_a_gap_once_another_comes(server: TestServer) {
        let (scene, _bob) = with_bob(server).await;
        let old = scene.view(&scene.client, scene.file).await;
        rekey(&scene).await;
        let other = scene.another_file().await;
        // The client is shown the first version, and the history without what followed.
        scene.evil.answers(routes::FILE, move |_, answered| says(answered, &old));
        scene.evil.json(routes::PAIR, |page| {
            page["records"].as_array_mut().unwrap().retain(|record| !is_of_version(record, 2));
        });
        let page = scene.client.me.shared(None).await.unwrap();
        let gap = page.rejected.iter().find(|rejected| rejected.file_id == other).expect("it is not shown");
        assert_eq!(gap.error.code(), "pair_gap", "{}", gap.error);
        scene.evil.repent();
        scene.ends_well().await;
    }
}

/// When the owner says that a version was sealed.
fn sealed_at(view: &Value) -> u64 {
    let view: FileView = serde_json::from_value(view.clone()).unwrap();
    view.manifest.claim::<Manifest>().unwrap().time
}

fn context(record: &RawRecord) -> Option<ShareContext> {
    let share: Share = record.claim().ok()?;
    parse(&share.context.0).ok()
}

fn recipient(record: &RawRecord) -> sealpost_client::UserId {
    context(record).expect("a share").recipient
}

fn is_of_version(record: &Value, version: u64) -> bool {
    let page = PairPage { records: vec![serde_json::from_value(record.clone()).unwrap()], newest: 1 };
    context(&page.records[0]).is_some_and(|context| context.version == version)
}
