//! A02, A69: keys that nobody agreed to, log states that nobody signed; and a reader that lags behind a change of the
//! server's checkpoint key.

use std::sync::atomic::{AtomicBool, Ordering};

use sealpost_api::{file::FileView, routes};
use sealpost_client::{ErrorKind, Terms};
use sealpost_crypto::{
    account::Account,
    encoding::Base64,
    id::RecordId,
    record::{self, RawRecord, Signed},
    records::{Checkpoint, LogPosition, Manifest, Rotate, Share, ShareContext},
    secret::AccountSeed,
    sign::SigningKey,
};
use sealpost_tests::{TestServer, on_both_databases};
use serde_json::{Value, json};

use crate::scene::Scene;

/// Somebody's share, with another context, signed by the same sender.
pub fn resigned(view: &Value, sender: &Account, change: impl Fn(&mut ShareContext)) -> Value {
    let mut view: FileView = serde_json::from_value(view.clone()).unwrap();
    let mut share: Share = view.share.record.claim().unwrap();
    let mut context: ShareContext = record::parse(&share.context.0).unwrap();
    change(&mut context);
    share.context = Base64(record::encode(&context).unwrap());
    view.share.record = Signed::sign(share, &sender.keys().signing).unwrap().into_raw();
    serde_json::to_value(&view).unwrap()
}

pub fn at(context: &mut ShareContext, position: &LogPosition) {
    (context.log_size, context.log_head) = (position.size, position.head);
    context.log_sig = position.signature.clone();
}

/// The newest log state that the server has signed.
pub async fn newest(scene: &Scene) -> LogPosition {
    scene.evil.forget();
    scene.ops.me.whoami().await.unwrap();
    let seen = scene.evil.seen_of(routes::LOG);
    let page: Value = serde_json::from_slice(&seen.last().unwrap().answered.body).unwrap();
    let checkpoint: RawRecord = serde_json::from_value(page["checkpoint"].clone()).unwrap();
    let claim: Checkpoint = checkpoint.claim().unwrap();
    LogPosition { size: claim.log_size, head: claim.log_head, signature: checkpoint.signature }
}

on_both_databases! {
    async fn a02_new_keys_without_the_old_ones_consent_are_nobodys(server: TestServer) {
        let scene = Scene::set(server).await;
        let (ops, client) = (scene.ops.account(1).await, scene.client.account(1).await);
        let position = newest(&scene).await;
        let thief = Account::derive(&AccountSeed::random(), client.org_id(), client.user_id(), 2).unwrap();
        let rotate = Rotate {
            org_id: client.org_id(),
            signer: client.user_id(),
            signer_bundle: client.bundle().id(),
            sequence: position.size,
            previous: position.head,
            bundle: thief.bundle().id(),
            generation: 2,
        };
        // Signed by the new keys; by a colleague; by the old keys, for a bundle that is another one.
        let by = |keys: &SigningKey| Signed::sign(rotate.clone(), keys).unwrap().into_raw();
        let honest = by(&client.keys().signing);
        let other = Account::derive(&AccountSeed::random(), client.org_id(), client.user_id(), 2).unwrap();
        let forgeries = [
            (by(&thief.keys().signing), thief.bundle().raw(), "signature_invalid"),
            (by(&ops.keys().signing), thief.bundle().raw(), "signature_invalid"),
            (honest, other.bundle().raw(), "bundle_mismatch"),
        ];
        for (record, bundle, code) in forgeries {
            let entry = json!({ "record": record, "bundle": bundle });
            scene.evil.json(routes::LOG, move |page| {
                page["entries"].as_array_mut().unwrap().push(entry.clone());
            });
            scene.evil.forget();
            let error = scene.ops.share(scene.file, &scene.client, Terms::default()).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, code), "{error}");
            assert!(scene.evil.seen_of(routes::SHARE).is_empty(), "a wrapped key left the client");
            scene.evil.repent();
        }
        scene.ends_well().await;
    }

    async fn a69_an_invented_log_state_frames_nobody(server: TestServer) {
        let scene = Scene::set(server).await;
        let sender = scene.ops.account(1).await;
        let now = newest(&scene).await;
        let honest = scene.view(&scene.client, scene.file).await;
        let invented = |size| LogPosition { size, head: RecordId::random(), signature: now.signature.clone() };
        // One that everybody can check, and one beyond everybody's log.
        for position in [invented(now.size), invented(now.size + 7)] {
            let forged = resigned(&honest, &sender, |context| at(context, &position));
            scene.evil.json(routes::FILE, move |view| *view = forged.clone());
            scene.refuses("position_malformed").await;
            scene.evil.repent();
        }
        // In a manifest too.
        let mut view: FileView = serde_json::from_value(honest.clone()).unwrap();
        let mut manifest: Manifest = view.manifest.claim().unwrap();
        manifest.log_head = RecordId::random();
        view.manifest = Signed::sign(manifest, &sender.keys().signing).unwrap().into_raw();
        let id = view.manifest.id();
        let forged = resigned(&serde_json::to_value(&view).unwrap(), &sender, |context| context.manifest = id);
        scene.evil.json(routes::FILE, move |view| *view = forged.clone());
        scene.refuses("position_malformed").await;
        // Nobody is blocked: neither the client's log nor what others send it.
        scene.ends_well().await;
    }

    async fn a_reader_that_lags_behind_a_change_of_the_checkpoint_key_syncs_and_goes_on(server: TestServer) {
        let mut scene = Scene::set(server).await;
        scene.client.me.whoami().await.unwrap();
        let before = scene.evil.seen_of(routes::LOG);
        let before: Value = serde_json::from_slice(&before.last().unwrap().answered.body).unwrap();
        scene.server.restart_with(|config| config.new_checkpoint_key = true).await;
        scene.ops.me.service_key().await.unwrap().accept().await.unwrap();
        scene.deliver_again().await;
        let withheld = json!({ "entries": [], "checkpoint": before["checkpoint"] });
        // A server that goes on withholding it is refused.
        let always = withheld.clone();
        scene.evil.json(routes::LOG, move |page| *page = always.clone());
        scene.refuses("position_malformed").await;
        scene.evil.repent();
        // Once is as if the log had grown between two requests.
        let lied = AtomicBool::new(false);
        scene.evil.json(routes::LOG, move |page| {
            if !lied.swap(true, Ordering::Relaxed) {
                *page = withheld.clone();
            }
        });
        assert!(scene.client.download(scene.file).await.unwrap() == scene.content);
        scene.ends_well().await;
    }
}
