//! A31 and A69: two histories of one organisation, shown to two devices and to two people; and newer history withheld. The
//! adversary is the server, and holds its keys.

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex},
};

use axum::http::StatusCode;
use sealpost_api::routes;
use sealpost_client::{
    AccountKey, Delivered, Delivery, Error, ErrorKind, Examined, FileId, OrgId, RevokeReason, SignedIn,
    Terms, examine_evidence,
    store::{MemoryStore, StateStore},
};
use sealpost_crypto::{
    id::RecordId,
    record::{RawRecord, Signed},
    records::Checkpoint,
    secret::SigningSeed,
    sign::SigningKey,
};
use sealpost_tests::{
    TestServer,
    adversary::Adversary,
    on_both_databases,
    sdk::{self, Device, join},
};
use serde_json::{Value, json};

use crate::scene::Scene;

/// What the adversary shows instead of the log: entries, and its own signature over the last.
#[derive(Clone)]
struct History(Arc<Mutex<(Vec<Value>, Value)>>);

impl History {
    /// The honest log as it stands.
    async fn now(scene: &Scene) -> Self {
        scene.evil.repent();
        scene.evil.forget();
        // A fresh device fetches it whole.
        let _fresh = scene.ops.other_device(&scene.evil.url()).await;
        let page =
            scene.evil.seen_of(routes::LOG).into_iter().find(|seen| seen.asked.path.contains("from=0"));
        let page: Value = serde_json::from_slice(&page.expect("the log was fetched").answered.body).unwrap();
        let entries = page["entries"].as_array().unwrap().clone();
        Self(Arc::new(Mutex::new((entries, page["checkpoint"].clone()))))
    }

    /// From now on whoever asks is shown this one.
    fn show(&self, evil: &Adversary) {
        let shown = Arc::clone(&self.0);
        evil.answers(routes::LOG, move |asked, answered| {
            let (entries, checkpoint) = &*shown.lock().unwrap();
            let from = asked.path.split("from=").nth(1).and_then(|rest| rest.split('&').next()).unwrap();
            let from = from.parse::<usize>().unwrap().min(entries.len());
            answered.status = StatusCode::OK;
            answered.say(&json!({ "entries": entries[from..], "checkpoint": checkpoint }));
        });
    }

    /// Takes the entries that are appended from now on into this history only, and signs for them.
    fn take_appended(&self, evil: &Adversary, key: SigningKey, org_id: OrgId, bundle: Value) {
        let history = Arc::clone(&self.0);
        evil.answers(routes::APPEND_LOG, move |asked, answered| {
            let (entries, checkpoint) = &mut *history.lock().unwrap();
            let asked: Value = serde_json::from_slice(&asked.body).unwrap();
            let record: RawRecord = serde_json::from_value(asked["record"].clone()).unwrap();
            entries.push(json!({ "record": record, "bundle": bundle }));
            *checkpoint = sign(&key, org_id, entries.len() as u64, record.id());
            answered.status = StatusCode::OK;
            answered.say(&json!({ "checkpoint": checkpoint }));
        });
    }
}

fn sign(key: &SigningKey, org_id: OrgId, size: u64, head: RecordId) -> Value {
    let raw = Signed::sign(Checkpoint { org_id, log_size: size, log_head: head }, key).unwrap().into_raw();
    serde_json::to_value(raw).unwrap()
}

/// Two histories of three entries: the honest one, in which the first device admitted Bob; and one for another device of
/// the same person, which admitted Carol.
async fn fork(scene: &Scene) -> (Device, History) {
    let org_id = scene.ops.me.whoami().await.unwrap().org_id;
    let key = scene.server.checkpoint_key().await;
    let second = scene.ops.other_device(&scene.evil.url()).await;
    let other = History::now(scene).await;
    scene.ops.welcome(&scene.server.url(), "bob@example.com").await;

    other.show(&scene.evil);
    let code = second.invite("carol@example.com").await;
    scene.evil.forget();
    join(&scene.evil.url(), "carol@example.com", code).await;
    let accepted = scene.evil.seen_of(routes::INVITE_ACCEPT);
    let accepted: Value = serde_json::from_slice(&accepted.last().unwrap().asked.body).unwrap();
    other.take_appended(&scene.evil, key, org_id, accepted["registration"]["bundle"].clone());
    let certified = second.me.certify_accepted().await.expect("the other history hangs together");
    assert_eq!(certified.len(), 1);
    (second, other)
}

/// The error names the fork, and the proof that it left on the device convinces whoever trusts the organisation.
async fn proves(error: &Error, device: &Device, size: u64) {
    let org_id = device.me.whoami().await.map(|me| me.org_id).unwrap_or_else(|_| stored_org_id(device));
    assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "log_fork"), "{error}");
    let place = error.proof().expect("a proof");
    assert_eq!(place, format!("fork-{size}.json"));
    assert!(error.to_string().contains(place), "{error}");
    let proof = device.blob(place).expect("kept on the device");
    let Ok(Examined::Fork(fork)) = examine_evidence(&proof, org_id) else { panic!("not proven") };
    assert_eq!(fork.size(), size);
    assert_ne!(fork.heads()[0], fork.heads()[1]);
    let elsewhere = examine_evidence(&proof, OrgId::random()).unwrap_err();
    assert_eq!(elsewhere.code(), "foreign_organisation");
}

fn stored_org_id(device: &Device) -> OrgId {
    let profile: Value = serde_json::from_slice(&device.blob("profile").unwrap()).unwrap();
    profile["value"]["org_id"].as_str().unwrap().parse().unwrap()
}

async fn refused(device: &Device, file: FileId) -> Error {
    device.download(file).await.expect_err("not noticed")
}

on_both_databases! {
    async fn a31_two_devices_are_shown_different_histories(server: TestServer) {
        let scene = Scene::set(server).await;
        let (second, _) = fork(&scene).await;
        // The server shows the second device what the first one has seen.
        scene.evil.repent();
        let error = second.me.whoami().await.unwrap_err();
        proves(&error, &second, 3).await;
        scene.ends_well().await;
    }

    async fn a31_the_other_history_has_grown_meanwhile(server: TestServer) {
        let scene = Scene::set(server).await;
        let (second, _) = fork(&scene).await;
        scene.evil.repent();
        scene.ops.welcome(&scene.server.url(), "dave@example.com").await;
        let error = second.me.whoami().await.unwrap_err();
        proves(&error, &second, 3).await;
    }

    async fn a31_what_one_person_signed_shows_another_the_fork(server: TestServer) {
        let scene = Scene::set(server).await;
        let (_, other) = fork(&scene).await;
        // The client has seen Carol join, the sender has seen Bob.
        scene.client.me.shared(None).await.unwrap();
        scene.evil.repent();
        let file = scene.another_file().await;
        other.show(&scene.evil);
        let error = refused(&scene.client, file).await;
        proves(&error, &scene.client, 3).await;
        // In a list the entry is named, with the proof, and not shown.
        let page = scene.client.me.shared(None).await.unwrap();
        let entry = page.rejected.iter().find(|entry| entry.file_id == file).unwrap();
        assert_eq!((entry.error.code(), entry.error.proof()), ("log_fork", Some("fork-3.json")));
        scene.evil.repent();
        scene.kept_secrets().await;
    }

    async fn a31_newer_history_is_withheld(server: TestServer) {
        let scene = Scene::set(server).await;
        let old = History::now(&scene).await;
        scene.ops.welcome(&scene.server.url(), "bob@example.com").await;
        let file = scene.another_file().await;
        old.show(&scene.evil);
        let error = refused(&scene.client, file).await;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "log_withheld"), "{error}");
        assert!(error.hint().unwrap().contains("withholds"), "{error:?}");
        assert_eq!(error.proof(), None, "nothing is proven");
        let page = scene.client.me.shared(None).await.unwrap();
        assert_eq!(page.rejected[0].error.code(), "log_withheld");
        scene.evil.repent();
        scene.client.download(file).await.expect("the honest run");
        scene.ends_well().await;
    }

    async fn a31_newer_history_is_withheld_from_who_signed_under_it(server: TestServer) {
        let scene = Scene::set(server).await;
        let other = scene.ops.other_device(&scene.server.url()).await;
        let file = scene.ops.upload("mine.txt", b"mine").await;
        let old = History::now(&scene).await;
        other.welcome(&scene.server.url(), "bob@example.com").await;
        other.deliver(&scene.client, "theirs").await;
        old.show(&scene.evil);
        let single = scene.ops.share(file, &scene.client, Terms::default()).await.unwrap_err();
        let path = scene.server.scratch().join("many.txt");
        std::fs::write(&path, "many").unwrap();
        let recipients = vec![(scene.client.email.clone(), Terms::default())];
        let mut batch = None;
        let mut done = |_, outcome: Result<Delivered, Error>| {
            batch = outcome.err();
            ControlFlow::Continue(())
        };
        let list = [Delivery { path, note: String::new(), recipients }];
        scene.ops.me.deliver_many(&list, &|_| {}, &mut done).await.unwrap();
        for error in [single, batch.expect("delivered all the same")] {
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "log_withheld"), "{error}");
        }
        scene.evil.repent();
        scene.ops.share(file, &scene.client, Terms::default()).await.expect("the honest run");
        scene.ends_well().await;
    }

    async fn a31_no_device_is_shown_an_older_log_than_its_owner_has_pinned(server: TestServer) {
        let scene = Scene::set(server).await;
        let mut other = scene.ops.other_device(&scene.evil.url()).await;
        let old = History::now(&scene).await;
        let bob = scene.ops.welcome(&scene.server.url(), "bob@example.com").await;
        // What is pinned with this share binds all devices of its owner.
        scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap();
        old.show(&scene.evil);
        other.restart().await;
        let fresh = MemoryStore::new();
        let login = async || {
            let key = AccountKey::from_slice(&scene.ops.blob("account-key").unwrap());
            let client = sdk::anonymous(&scene.evil.url(), &fresh);
            client.login(&scene.ops.email, sdk::secret(&scene.ops.password), key).await
        };
        for error in [other.me.files(None).await.map(drop).unwrap_err(), login().await.map(drop).unwrap_err()] {
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "log_rollback"), "{error}");
        }
        assert!(fresh.load("log").unwrap().is_none() && fresh.load("seed").unwrap().is_none());
        scene.evil.repent();
        assert_eq!(other.me.files(None).await.unwrap().items.len(), 1);
        assert_eq!(login().await.unwrap().files(None).await.unwrap().items.len(), 1);
        scene.ends_well().await;
    }

    async fn a31_keys_that_have_ended_are_shown_to_no_device_of_who_knows(server: TestServer) {
        let scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.server.url(), "bob@example.com").await;
        let mut carol = scene.ops.welcome(&scene.server.url(), "carol@example.com").await;
        let mut other = scene.ops.other_device(&scene.evil.url()).await;
        for revoke in [true, false] {
            let old = History::now(&scene).await;
            if revoke {
                // Who ends a membership knows of it.
                let revocation = scene.ops.me.revocation(&bob.email).await.unwrap();
                revocation.revoke(RevokeReason::Compromised).await.unwrap();
            } else {
                carol.rotate().await;
                scene.ops.me.whoami().await.unwrap();
            }
            old.show(&scene.evil);
            other.restart().await;
            let fresh = MemoryStore::new();
            let key = AccountKey::from_slice(&scene.ops.blob("account-key").unwrap());
            let client = sdk::anonymous(&scene.evil.url(), &fresh);
            let login = client.login(&scene.ops.email, sdk::secret(&scene.ops.password), key).await.map(drop);
            for error in [other.me.whoami().await.map(drop).unwrap_err(), login.unwrap_err()] {
                assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "log_rollback"), "{error}");
            }
            scene.evil.repent();
            other.me.whoami().await.expect("the honest run");
        }
        scene.ends_well().await;
    }

    async fn a31_what_another_process_of_the_device_has_seen_is_kept(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let slow = SignedIn::resume(Arc::new(scene.ops.store.clone())).await.unwrap();
        scene.ops.welcome(&scene.server.url(), "bob@example.com").await;
        let old = History::now(&scene).await;
        scene.ops.welcome(&scene.server.url(), "carol@example.com").await;
        // News to the slower process, which keeps nothing shorter in place of what the other one has kept.
        old.show(&scene.evil);
        slow.whoami().await.unwrap();
        scene.ops.restart().await;
        scene.evil.forget();
        let error = scene.ops.me.whoami().await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "log_rollback"), "{error}");
        assert_eq!(scene.evil.seen_of(routes::LOG_SEEN).len(), 1, "a restored server is told");
        scene.evil.repent();
        scene.ops.me.whoami().await.expect("the honest run");
        scene.ends_well().await;
    }

    async fn a31_what_one_device_has_pinned_shows_another_the_fork(server: TestServer) {
        let scene = Scene::set(server).await;
        let (mut second, other) = fork(&scene).await;
        scene.evil.repent();
        scene.another_file().await;
        other.show(&scene.evil);
        second.restart().await;
        let error = second.me.whoami().await.unwrap_err();
        proves(&error, &second, 3).await;
        scene.evil.repent();
        scene.ends_well().await;
    }

    async fn a69_a_head_that_the_server_never_signed_accuses_nobody(server: TestServer) {
        let scene = Scene::set(server).await;
        let org_id = scene.ops.me.whoami().await.unwrap().org_id;
        // Somebody who has not the server's key signs another head for a size that the client knows.
        let stranger = SigningKey::from_seed(&SigningSeed::random());
        let framed = sign(&stranger, org_id, 2, RecordId::random());
        scene.evil.json(routes::LOG, move |page| page["checkpoint"] = framed.clone());
        let error = scene.client.me.shared(None).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "position_malformed"), "{error}");
        assert_eq!(error.proof(), None);
        assert_eq!(scene.client.blob("fork-2.json"), None);
        scene.evil.repent();
        // Nobody is blocked.
        assert_eq!(scene.client.me.shared(None).await.unwrap().items.len(), 1);
        scene.ends_well().await;
    }
}
