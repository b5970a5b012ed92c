//! A28, A59, A62: an Ops member, revoked or not, and a server in league with them.

use reqwest::StatusCode;
use sealpost_api::{log::AppendLog, routes};
use sealpost_client::{ErrorKind, RevokeReason, Terms, UserId, store::MemoryStore};
use sealpost_crypto::{
    encoding::Base64,
    id::RecordId,
    record::{self, RawRecord, Signed},
    records::{Accept, Certify, Checkpoint, Offer, Revoke},
};
use sealpost_tests::{
    TestServer,
    http::Credential,
    on_both_databases,
    sdk::{self, Device, address},
};
use serde_json::{Value, json};

use crate::{
    memberships::{at, newest, resigned},
    scene::Scene,
};

const MALLORY: &str = "mallory@example.com";

/// An Ops member, active still, who has delivered a file to the client: the scene's file from now on.
async fn mallory(scene: &mut Scene) -> Device {
    let mallory = scene.ops.welcome_ops(&scene.evil.url(), MALLORY, "Mallory").await;
    scene.file = mallory.upload(crate::scene::NAME, &scene.content).await;
    mallory.share(scene.file, &scene.client, Terms::default()).await.unwrap();
    let key = mallory.me.file_key(scene.file).await.unwrap();
    scene.file_key = Some(key.expose().to_vec());
    mallory
}

async fn revoke(scene: &Scene, reason: RevokeReason) {
    let revocation = scene.ops.me.revocation(&address(MALLORY)).await.unwrap();
    revocation.revoke(reason).await.unwrap();
}

fn with(mut object: Value, more: Value) -> Value {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

/// Appends an entry that the program would not make.
async fn append(scene: &Scene, record: RawRecord) {
    let session: Value = serde_json::from_slice(&scene.ops.blob("session").unwrap()).unwrap();
    let token = session["value"]["access_token"].as_str().unwrap().to_owned();
    let api = scene.server.api().with(Credential::Bearer(token));
    api.call(&routes::APPEND_LOG, &[], &AppendLog { record }).await.ok();
}

on_both_databases! {
    async fn a28_a_colleagues_files_and_receipts_are_not_shown_among_ones_own(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let own = scene.file;
        let mallory = mallory(&mut scene).await;
        mallory.share(scene.file, &scene.ops, Terms::default()).await.unwrap();
        scene.fetch().await.unwrap();
        std::fs::remove_file(scene.folder().join("file")).unwrap();
        let view = scene.view(&scene.ops, scene.file).await;
        let shared = view["share"].clone();
        // To pass on what a colleague has shared is not offered, and nothing is signed for it.
        scene.evil.forget();
        let error = scene.ops.share(scene.file, &scene.client, Terms::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "not_found"), "{error}");
        assert!(scene.evil.seen_of(routes::SHARE).is_empty());
        scene.evil.forget();
        let receipts = mallory.me.receipts(None, None).await.unwrap().items;
        assert_eq!(receipts.iter().map(|receipt| receipt.by_retired_key).collect::<Vec<_>>(), [false]);
        let seen = scene.evil.seen_of(routes::RECEIPTS);
        let mut page: Value = serde_json::from_slice(&seen.last().unwrap().answered.body).unwrap();
        // Every record is true, and who looks can open the file: it is just not theirs.
        page["items"][0]["own_share"] = shared;
        scene.evil.json(routes::RECEIPTS, move |answer| *answer = page.clone());
        let page = scene.ops.me.receipts(None, None).await.unwrap();
        assert!(page.items.is_empty(), "{:?}", page.items);
        let [rejected] = &page.rejected[..] else { panic!("{:?}", page.rejected) };
        assert_eq!((rejected.error.kind(), rejected.error.code()), (ErrorKind::Verification, "other_file"));

        let listed = json!({ "items": [with(view, json!({ "shares": [] }))] });
        scene.evil.json(routes::FILES, move |answer| *answer = listed.clone());
        let page = scene.ops.me.files(None).await.unwrap();
        assert!(page.items.is_empty(), "{:?}", page.items);
        assert_eq!(page.rejected[0].error.code(), "not_the_owner");

        scene.evil.repent();
        assert!(scene.ops.me.receipts(Some(own), None).await.unwrap().rejected.is_empty());
        assert_eq!(scene.ops.me.files(None).await.unwrap().items.len(), 1);
        scene.ends_well().await;
    }

    async fn a59_a_log_from_before_the_revocation_is_too_old_for_a_later_offer(server: TestServer) {
        let mut scene = Scene::set(server).await;
        mallory(&mut scene).await;
        let old = newest(&scene).await;
        revoke(&scene, RevokeReason::Left).await;
        let code = scene.ops.invite("victim@example.com").await;
        let text = code.reveal();
        let checkpoint = Checkpoint {
            org_id: scene.ops.me.whoami().await.unwrap().org_id,
            log_size: old.size,
            log_head: old.head,
        };
        let payload = Base64(record::encode(&checkpoint).unwrap());
        let checkpoint = RawRecord { kind: "checkpoint".into(), payload, signature: old.signature.clone() };
        scene.evil.json(routes::LOG, move |page| {
            page["entries"].as_array_mut().unwrap().truncate(usize::try_from(old.size).unwrap());
            page["checkpoint"] = serde_json::to_value(&checkpoint).unwrap();
        });
        let look = async || {
            let client = sdk::anonymous(&scene.evil.url(), &MemoryStore::new());
            client.preview(text.parse().unwrap()).await.map(drop)
        };
        let error = look().await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "log_behind"), "{error}");
        scene.evil.repent();
        look().await.unwrap();
        scene.kept_secrets().await;
    }

    async fn a59_whoever_was_shown_another_history_finds_out_from_the_first_honest_record(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let mallory = mallory(&mut scene).await;
        let (olga, thief) = (scene.ops.account(1).await, mallory.account(1).await);
        scene.evil.forget();
        let code = mallory.invite("victim@example.com").await;
        let victim = sdk::join(&scene.evil.url(), "victim@example.com", code).await;
        let body = |route| -> Value {
            let seen = scene.evil.seen_of(route);
            serde_json::from_slice(&seen.last().unwrap().asked.body).unwrap()
        };
        let offer: RawRecord = serde_json::from_value(body(routes::CREATE_INVITE)["offer"].clone()).unwrap();
        let accepted = body(routes::INVITE_ACCEPT);
        let bundle: RawRecord = serde_json::from_value(accepted["registration"]["bundle"].clone()).unwrap();
        let accept: Accept =
            serde_json::from_value::<RawRecord>(accepted["accept"].clone()).unwrap().claim().unwrap();

        // In truth Mallory is revoked; the victim is shown that Mallory has admitted them instead.
        let fork = newest(&scene).await;
        revoke(&scene, RevokeReason::Left).await;
        let truth = newest(&scene).await;
        assert_eq!(truth.size, fork.size + 1);
        let offered: Offer = offer.claim().unwrap();
        let certify = Certify {
            org_id: thief.org_id(),
            signer: thief.user_id(),
            signer_bundle: thief.bundle().id(),
            sequence: fork.size,
            previous: fork.head,
            user_id: accept.signer,
            subject: offered.subject,
            role: offered.role,
            bundle: bundle.id(),
            generation: 1,
            offer: offer.id(),
            replaces: UserId::ZERO,
        };
        let certify = Signed::sign(certify, &thief.keys().signing).unwrap().into_raw();
        let head: RecordId = certify.id();
        let checkpoint = Checkpoint { org_id: thief.org_id(), log_size: truth.size, log_head: head };
        let key = scene.server.checkpoint_key().await;
        let checkpoint = Signed::sign(checkpoint, &key).unwrap().into_raw();
        let forked = checkpoint.clone();
        let (entry, fork_size) = (json!({ "record": certify, "bundle": bundle }), fork.size);
        scene.evil.answers(routes::LOG, move |asked, answered| {
            let from = asked.path.split("from=").nth(1).unwrap().split('&').next().unwrap();
            let entries = if from == fork_size.to_string() { vec![entry.clone()] } else { vec![] };
            answered.say(&json!({ "entries": entries, "checkpoint": checkpoint }));
        });
        let me = victim.me.whoami().await.unwrap();
        assert_eq!(me.status, sealpost_client::Status::Active, "nothing to notice yet");

        // Olga's first record for the victim names the true history.
        scene.evil.repent();
        let file = scene.ops.upload("a.txt", b"content").await;
        let view = scene.view(&scene.ops, file).await;
        let bundle_id = bundle.id();
        let view = resigned(&view, &olga, |context| {
            (context.recipient, context.recipient_bundle) = (me.user_id, bundle_id);
        });
        scene.evil.answers(routes::FILE, move |_, answered| {
            answered.status = StatusCode::OK;
            answered.say(&view);
        });
        scene.evil.json(routes::LOG, move |page| *page = json!({ "entries": [], "checkpoint": forked }));
        let error = victim.me.download(file).await.map(drop).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "log_fork"), "{error}");
        scene.evil.repent();
        scene.kept_secrets().await;
    }

    async fn a62_what_is_backdated_after_leaving_is_refused_or_marked(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let mallory = mallory(&mut scene).await;
        let thief = mallory.account(1).await;
        let honest = scene.view(&scene.client, scene.file).await;
        revoke(&scene, RevokeReason::Left).await;
        let now = newest(&scene).await;
        // From before: it counts, and is never shown without the mark.
        let page = scene.client.me.shared(None).await.unwrap();
        let of_mallory = page.items.iter().find(|file| file.file.file_id == scene.file).unwrap();
        assert!(of_mallory.sender_left);
        // Signed after leaving, and naming a log that has the revocation.
        let late = resigned(&honest, &thief, |context| at(context, &now));
        scene.evil.json(routes::FILE, move |view| *view = late.clone());
        scene.refuses("signer_not_current").await;
        scene.evil.repent();
        scene.ends_well().await;
    }

    async fn a62_records_beyond_the_last_valid_size_do_not_count(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let mallory = mallory(&mut scene).await;
        let (olga, thief) = (scene.ops.account(1).await, mallory.account(1).await);
        let position = newest(&scene).await;
        // Olga knows that nothing of Mallory's after the first entries is to be trusted.
        let revoke = Revoke {
            org_id: olga.org_id(),
            signer: olga.user_id(),
            signer_bundle: olga.bundle().id(),
            sequence: position.size,
            previous: position.head,
            user_id: thief.user_id(),
            last_valid_size: position.size - 1,
            reason: RevokeReason::Left,
        };
        let record = Signed::sign(revoke, &olga.keys().signing).unwrap().into_raw();
        append(&scene, record).await;
        scene.refuses("signer_left").await;
        scene.kept_secrets().await;
    }

    async fn a62_nothing_under_compromised_keys_counts_and_it_is_not_hidden(server: TestServer) {
        let mut scene = Scene::set(server).await;
        mallory(&mut scene).await;
        revoke(&scene, RevokeReason::Compromised).await;
        scene.refuses("signer_compromised").await;
        let page = scene.client.me.shared(None).await.unwrap();
        assert_eq!(page.rejected.iter().map(|entry| entry.error.code()).collect::<Vec<_>>(), ["signer_compromised"]);
        assert_eq!(page.items.len(), 1, "what others have sent is shown");
        scene.kept_secrets().await;
    }
}
