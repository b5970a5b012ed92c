//! A02, A14, A62, A64 where keys were rotated: new keys that nobody rotated to, what rested on the old ones, and what
//! somebody signs with them afterwards. A94: devices that still have them.

use std::time::Duration;

use sealpost_api::{file::FileView, routes};
use sealpost_client::{Disclosure, Error, ErrorKind, InviteRequest, Terms, UserId, store::MemoryStore};
use sealpost_crypto::{
    account::Account,
    encoding::Base64,
    id::RecordId,
    keys::AccountKeys,
    record::{self, RawRecord, Signed},
    records::{Bundle, Checkpoint, LogPosition, Rotate, Share, ShareContext},
    secret::AccountSeed,
};
use sealpost_tests::{
    KeptAccount, TestServer, on_both_databases,
    sdk::{self, Device},
};
use serde_json::{Value, json};

use crate::{
    memberships::newest,
    scene::{Scene, attackers},
};

on_both_databases! {
    async fn a02_new_keys_need_a_rotate_by_the_old_ones(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        scene.client.rotate().await;
        // The attacker's keys under the true entry; under an entry of the attacker's own.
        let lies: [(Lie, &str); 2] = [
            (|entry| entry["bundle"] = attackers(&entry["bundle"]), "bundle_mismatch"),
            (forge_rotate, "signature_invalid"),
        ];
        for (lie, code) in lies {
            scene.evil.json(routes::LOG, move |page| {
                let entries = page["entries"].as_array_mut().unwrap().iter_mut();
                entries.filter(|entry| entry["record"]["type"] == "rotate").for_each(lie);
            });
            scene.evil.forget();
            let error = scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, code), "{error}");
            assert!(scene.evil.seen_of(routes::SHARE).is_empty(), "a wrapped key left the client");
            scene.evil.repent();
        }
        scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap();
        scene.ends_well().await;
    }

    async fn a14_a64_what_rested_on_the_old_keys_does_not_come_back(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let who = scene.client.me.whoami().await.unwrap().user_id;
        let old = KeptAccount::take(&scene.server, who).await;
        let vault = vault_of(&scene, &scene.client).await;
        let rotated = scene.client.rotate().await;
        let new = KeptAccount::take(&scene.server, who).await;
        drop(rotated);

        // Record, envelope and credential, to a device that has seen more, and to one that has only the log to go by.
        old.restore(&scene.server).await;
        for store in [scene.client.store.clone(), MemoryStore::new()] {
            let client = sdk::anonymous(&scene.evil.url(), &store);
            let login = client.login(&scene.client.email, sdk::secret(&scene.client.password), None).await;
            let error = login.err().expect("not noticed");
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "credential_rollback"), "{error}");
        }
        new.restore(&scene.server).await;
        scene.client.restart().await;

        // The old vault: older than was seen, and of other keys.
        scene.evil.json(routes::VAULT, move |answer| *answer = vault.clone());
        let error = scene.client.me.shared(None).await.expect_err("not noticed");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "vault"), "{error}");
        scene.evil.repent();
        scene.ends_well().await;
    }

    async fn a14_new_keys_that_were_taken_are_in_the_log_or_not_used(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let LogPosition { size, head, signature } = newest(&scene).await;
        let org_id = scene.ops.me.whoami().await.unwrap().org_id;
        let payload = record::encode(&Checkpoint { org_id, log_size: size, log_head: head }).unwrap();
        let old = RawRecord { kind: "checkpoint".into(), payload: Base64(payload), signature };
        scene.evil.json(routes::LOG, move |page| {
            page["entries"].as_array_mut().unwrap().retain(|entry| entry["record"]["type"] != "rotate");
            page["checkpoint"] = json!(old);
        });
        let password = sdk::secret(&scene.client.password);
        let rotation = scene.client.me.prepare_rotation(password, None).await.unwrap();
        let error = rotation.complete().await.err().unwrap();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "log_rollback"), "{error}");
        scene.evil.repent();
        // Which keys hold is found out when the program starts again.
        scene.client.restart().await;
        scene.ends_well().await;
    }

    async fn a62_what_rotated_keys_sign_is_backdated(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        scene.deliver_again().await;
        let control = bob.other_device(&scene.evil.url()).await;
        let stolen = AccountSeed::from_slice(&scene.ops.blob("seed").unwrap()).unwrap();
        let forged = forge_share(&scene, &stolen, &bob).await;

        // While the keys were current it would have gone through, but for the key that only the owner has.
        lie(&scene, &forged);
        let error = control.download(scene.file).await.unwrap_err();
        assert_eq!(error.code(), "file_key_unopenable", "{error}");
        scene.evil.repent();
        scene.ops.rotate().await;
        let renewal = scene.ops.me.renew_shares().await.unwrap();
        assert_eq!((renewal.files, renewal.shares.len()), (2, 2));

        lie(&scene, &forged);
        let error = bob.download(scene.file).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "signer_rotated"), "{error}");
        // Its owner is not shown it among what they shared.
        let (recipient, own) = (bob.me.whoami().await.unwrap().user_id, scene.file);
        let listed = json!({ "recipient": recipient, "share": forged["share"], "downloads": 0 });
        scene.evil.json(routes::FILES, move |page| {
            let mut items = page["items"].as_array_mut().unwrap().iter_mut();
            let item = items.find(|item| item["file_id"] == json!(own)).unwrap();
            item["shares"].as_array_mut().unwrap().push(listed.clone());
        });
        let page = scene.ops.me.files(None).await.unwrap();
        let rejected: Vec<_> = page.rejected.iter().map(|entry| (entry.file_id, entry.error.code())).collect();
        assert_eq!(rejected, [(own, "signer_rotated")]);
        // Its owner signs nothing on top of it, which would vouch for it.
        scene.evil.forget();
        let error = scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "signer_rotated"), "{error}");
        assert!(scene.evil.seen_of(routes::SHARE).is_empty());
        scene.evil.repent();

        // Without the lie the same delivery goes through, from devices that were not lied to.
        scene.client.me.shared(None).await.unwrap();
        scene.ends_well().await;
    }

    async fn a94_a_device_whose_session_outlives_its_keys_does_nothing_with_them(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        assert!(scene.client.download(scene.file).await.unwrap() == scene.content);
        let elsewhere = bob.me.whoami().await.unwrap().user_id;
        let (ops, client) =
            (outlived(&scene, &scene.ops, elsewhere).await, outlived(&scene, &scene.client, elsewhere).await);
        ops.me.renew_shares().await.unwrap();

        // Also after its program was started again.
        for _ in 0..2 {
            scene.evil.forget();
            let outcomes = [as_owner(&scene, &scene.ops, &bob).await, as_recipient(&scene, &scene.client).await];
            for (what, outcome) in outcomes.into_iter().flatten() {
                let error = outcome.expect_err(what);
                assert_eq!((error.kind(), error.code()), (ErrorKind::AccountRotated, "account_rotated"), "{what}: {error}");
            }
            let seen = scene.evil.seen();
            assert!(seen.iter().all(|seen| seen.answered.status.is_success()), "the sessions have ended");
            let written: Vec<_> = seen.iter().filter(|seen| seen.asked.method != "GET").map(|seen| &seen.asked.path).collect();
            assert!(written.is_empty(), "{written:?}");
            scene.ops.restart().await;
            scene.client.restart().await;
        }
        (scene.ops, scene.client) = (ops, client);
        scene.ends_well().await;
    }
}

/// A new device of somebody's, on which they have changed their keys. The server has not ended the session of the one that
/// they had.
async fn outlived(scene: &Scene, old: &Device, elsewhere: UserId) -> Device {
    let me = scene.server.literal(&old.me.whoami().await.unwrap().user_id);
    let elsewhere = scene.server.literal(&elsewhere);
    let hand_over = async |from: &str, to: &str| {
        scene.server.execute(format!("UPDATE sessions SET user_id = {to} WHERE user_id = {from}")).await;
    };
    hand_over(&me, &elsewhere).await;
    let mut new = old.other_device(&scene.evil.url()).await;
    new.rotate().await;
    hand_over(&elsewhere, &me).await;
    new
}

type Outcomes = Vec<(&'static str, Result<(), Error>)>;

/// What an owner does.
async fn as_owner(scene: &Scene, ops: &Device, bob: &Device) -> Outcomes {
    let (me, file, to) = (&ops.me, scene.file, std::slice::from_ref(&bob.email));
    let expires_in = Duration::from_secs(86_400);
    let invite = InviteRequest { email: sdk::address("new@example.com"), expires_in, account_key: false };
    vec![
        ("whoami", me.whoami().await.map(drop)),
        ("list", me.files(None).await.map(drop)),
        ("upload", me.upload(&b"x"[..], sdk::describe("x", b"x"), &|_| {}).await.map(drop)),
        ("share", me.share(file, to, Terms::default()).await.map(drop)),
        ("unshare", me.unshare(file, &scene.client.email).await),
        (
            "rekey",
            me.unshare_rekeying(file, std::slice::from_ref(&scene.client.email), &|_| {}).await.map(drop),
        ),
        ("remove", me.remove(file).await),
        ("download", me.download(file).await.map(drop)),
        ("receipts", me.receipts(None, None).await.map(drop)),
        ("evidence", me.evidence(file, None, Disclosure::Closed).await.map(drop)),
        ("contacts", me.contacts().await.map(drop)),
        ("invite", me.invite(invite).await.map(drop)),
        ("passwd", change_password(ops).await),
        ("rotate", me.prepare_rotation(sdk::secret(&ops.password), None).await.map(drop)),
    ]
}

/// What a recipient does.
async fn as_recipient(scene: &Scene, client: &Device) -> Outcomes {
    let me = &client.me;
    vec![
        ("whoami", me.whoami().await.map(drop)),
        ("list", me.shared(None).await.map(drop)),
        ("download", client.download(scene.file).await.map(drop)),
        ("passwd", change_password(client).await),
        ("rotate", me.prepare_rotation(sdk::secret(&client.password), None).await.map(drop)),
    ]
}

async fn change_password(of: &Device) -> Result<(), Error> {
    of.me.change_password(sdk::secret(&of.password), sdk::secret("another horse, another battery")).await
}

type Lie = fn(&mut Value);

/// A rotate to the attacker's keys, signed by them.
fn forge_rotate(entry: &mut Value) {
    let keys = AccountKeys::derive(&AccountSeed::random());
    let bundle: RawRecord = serde_json::from_value(entry["bundle"].clone()).unwrap();
    let mut bundle: Bundle = bundle.claim().unwrap();
    bundle.signing_key = keys.signing.public_key();
    bundle.kem_key = keys.kem.public_key().clone();
    let bundle = Signed::sign(bundle, &keys.signing).unwrap();
    let rotate: RawRecord = serde_json::from_value(entry["record"].clone()).unwrap();
    let mut rotate: Rotate = rotate.claim().unwrap();
    rotate.bundle = bundle.id();
    let rotate = Signed::sign(rotate, &keys.signing).unwrap();
    *entry = json!({ "record": rotate.raw(), "bundle": bundle.raw() });
}

/// A share of the delivered file to `to`, first of its pair, by whoever has stolen the owner's seed: at a log size at
/// which it was current.
async fn forge_share(scene: &Scene, stolen: &AccountSeed, to: &Device) -> Value {
    let identity = to.me.whoami().await.unwrap();
    let seed = AccountSeed::from_slice(&to.blob("seed").unwrap()).unwrap();
    let recipient = Account::derive(&seed, identity.org_id, identity.user_id, 1).unwrap();
    let view = scene.view(&scene.client, scene.file).await;
    let mut view: FileView = serde_json::from_value(view).unwrap();
    let mut share: Share = view.share.record.claim().unwrap();
    let mut context: ShareContext = record::parse(&share.context.0).unwrap();
    (context.recipient, context.recipient_bundle) = (identity.user_id, recipient.bundle().id());
    (context.pair_sequence, context.pair_previous) = (1, RecordId::ZERO);
    share.context = Base64(record::encode(&context).unwrap());
    let keys = AccountKeys::derive(stolen);
    view.share.record = Signed::sign(share, &keys.signing).unwrap().into_raw();
    serde_json::to_value(&view).unwrap()
}

/// The server shows the forged share, and a history with it, to everybody who asks.
fn lie(scene: &Scene, view: &Value) {
    let shown = view.clone();
    scene.evil.answers(routes::FILE, move |_, answered| {
        if !answered.status.is_success() {
            answered.status = axum::http::StatusCode::OK;
            answered.say(&shown);
        }
    });
    let record = view["share"]["record"].clone();
    scene.evil.json(routes::PAIR, move |page| {
        if page["newest"] == json!(0) {
            *page = json!({ "records": [record], "newest": 1 });
        }
    });
}

/// The vault as the server gives it now.
async fn vault_of(scene: &Scene, who: &Device) -> Value {
    scene.evil.forget();
    let mut again = who.other_device(&scene.evil.url()).await;
    again.restart().await;
    serde_json::from_slice(&scene.evil.seen_of(routes::VAULT)[0].answered.body).unwrap()
}
