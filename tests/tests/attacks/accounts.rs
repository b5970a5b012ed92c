//! A06 to A08, A11 to A13, A64, A65: envelope, vault, and what a server would like a client to do.

use axum::http::StatusCode;
use sealpost_api::{account::VaultBlob, routes};
use sealpost_client::{Error, ErrorKind, SignedIn, Terms, store::MemoryStore};
use sealpost_crypto::{
    encoding::Base64,
    vault::{Vault, VaultOwner},
};
use sealpost_tests::{
    KeptAccount, TestServer, on_both_databases,
    sdk::{self, Device},
};
use serde_json::{Value, json};

use crate::scene::Scene;

/// Signs in on a fresh device.
async fn login(scene: &Scene, who: &Device) -> Result<SignedIn, Error> {
    let client = sdk::anonymous(&scene.evil.url(), &MemoryStore::new());
    let key = who.blob("account-key").and_then(|key| sealpost_client::AccountKey::from_slice(&key));
    client.login(&who.email, sdk::secret(&who.password), key).await
}

/// The method and path of everything that went through.
fn requests(scene: &Scene) -> Vec<String> {
    scene.evil.seen().iter().map(|seen| format!("{} {}", seen.asked.method, seen.asked.path)).collect()
}

fn damage(value: &mut Value, at: usize, mask: u8) {
    let mut bytes: Base64 = serde_json::from_value(value.clone()).unwrap();
    bytes.0[at] ^= mask;
    *value = serde_json::to_value(&bytes).unwrap();
}

on_both_databases! {
    async fn a06_a07_a65_every_changed_envelope_gives_the_same_error_and_the_same_silence(server: TestServer) {
        let scene = Scene::set(server).await;
        scene.evil.forget();
        drop(login(&scene, &scene.client).await.unwrap());
        let honest = scene.evil.seen_of(routes::LOGIN_FINISH);
        let session: Value = serde_json::from_slice(&honest[0].answered.body).unwrap();
        let envelope: Base64 = serde_json::from_value(session["account"]["envelope"].clone()).unwrap();
        let length = envelope.0.len();
        let mut traffic = Vec::new();
        // Header with its flag (user_id, generation, suite, epoch, flag), nonce, seed, organisation, log, tag.
        for at in [0, 15, 23, 39, 40, 41, 60, 80, 110, length - 17, length - 1] {
            scene.evil.json(routes::LOGIN_FINISH, move |session| damage(&mut session["account"]["envelope"], at, 1));
            scene.evil.forget();
            let error = login(&scene, &scene.client).await.err().expect("not noticed");
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "envelope"), "{error} at {at}");
            traffic.push(requests(&scene));
            scene.evil.repent();
        }
        assert!(traffic.iter().all(|seen| *seen == ["POST /auth/login", "POST /auth/login/finish"]), "{traffic:?}");
        // Another person's envelope.
        let others = login_answer(&scene, &scene.ops).await["account"]["envelope"].clone();
        scene.evil.json(routes::LOGIN_FINISH, move |session| session["account"]["envelope"] = others.clone());
        assert_eq!(login(&scene, &scene.client).await.err().unwrap().code(), "envelope");
        scene.ends_well().await;
    }

    async fn a08_a11_a12_a13_what_a_server_would_like_clients_to_do_they_do_not(server: TestServer) {
        let scene = Scene::set(server).await;
        let everywhere = |change: fn(&mut Value)| {
            for route in routes::ALL {
                scene.evil.json(*route, change);
            }
        };
        scene.evil.forget();
        drop(login(&scene, &scene.ops).await.unwrap());
        let honest = requests(&scene);
        everywhere(|answer| {
            if let Value::Object(fields) = answer {
                fields.insert("kdf".into(), json!({ "algorithm": "pbkdf2", "iterations": 1, "memory": 1 }));
                fields.insert("policy".into(), json!({ "fingerprint_length": 0, "trust_depth": 9, "suite": 0 }));
                fields.insert("organisation_recovery_key".into(), json!("AAAA"));
                fields.insert("account_reset".into(), json!(true));
                fields.insert("set_up_new_keys".into(), json!(true));
            }
        });
        scene.evil.forget();
        let me = login(&scene, &scene.ops).await.expect("additions are ignored");
        assert_eq!(requests(&scene), honest);
        drop(me);
        scene.ops.share(scene.another_file().await, &scene.client, Terms::default()).await.ok();
        scene.ends_well().await;
    }

    async fn a64_an_older_vault_or_none_is_never_a_fresh_start(server: TestServer) {
        let scene = Scene::set(server).await;
        let other = scene.ops.other_device(&scene.evil.url()).await;
        let old = scene.evil.seen_of(routes::VAULT).last().unwrap().answered.body.clone();
        let old: Value = serde_json::from_slice(&old).unwrap();
        // The vault changes: an invite is kept in it; this device has seen that.
        other.invite("later@example.com").await;
        scene.evil.json(routes::VAULT, move |vault| *vault = old.clone());
        let resumed = SignedIn::resume(std::sync::Arc::new(other.store.clone())).await.unwrap();
        let error = resumed.invite(request("another@example.com")).await.err().expect("not noticed");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "vault_rollback"), "{error}");
        scene.evil.repent();
        // One that does not open, and none at all, on a device that knows nothing yet.
        scene.evil.json(routes::VAULT, |vault| damage(&mut vault["blob"], 100, 1));
        let error = login(&scene, &scene.ops).await.err().expect("not noticed");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "vault"), "{error}");
        scene.evil.repent();
        scene.evil.answers(routes::VAULT, |_, answered| {
            answered.status = StatusCode::NOT_FOUND;
            answered.say(&json!({
                "type": "urn:sealpost:problem:not_found", "title": "Not found", "status": 404,
                "code": "not_found", "detail": "There is no vault."
            }));
        });
        assert!(login(&scene, &scene.ops).await.is_err());
        scene.evil.repent();
        assert!(scene.evil.seen_of(routes::PUT_VAULT).iter().all(|put| put.answered.status.is_success()));
        scene.ends_well().await;
    }

    async fn a14_an_old_password_does_not_come_back_under_the_new_credential(server: TestServer) {
        let scene = Scene::set(server).await;
        let who = scene.client.me.whoami().await.unwrap().user_id;
        let (old, password) = (KeptAccount::take(&scene.server, who).await, sdk::secret("another horse, another battery"));
        scene.client.me.change_password(sdk::secret(&scene.client.password), password).await.unwrap();
        let new = KeptAccount::take(&scene.server, who).await;
        old.restore_only(&scene.server, &["opaque_record", "envelope"]).await;
        let error = login(&scene, &scene.client).await.err().expect("the old password counts again");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "credential_envelope"), "{error}");
        new.restore(&scene.server).await;
        scene.ends_well().await;
    }

    async fn a64_a_vault_of_another_branch_is_not_gone_on_with(server: TestServer) {
        let scene = Scene::set(server).await;
        let account = scene.ops.account(1).await;
        let owner = VaultOwner { org_id: account.org_id(), user_id: account.user_id() };
        let resumed = async || SignedIn::resume(std::sync::Arc::new(scene.ops.store.clone())).await.unwrap();
        scene.evil.forget();
        resumed().await.files(None).await.unwrap();
        assert!(scene.evil.seen_of(routes::PUT_VAULT).is_empty());
        let seen = scene.evil.seen_of(routes::VAULT);
        let blob: VaultBlob = serde_json::from_slice(&seen[0].answered.body).unwrap();
        let vault = Vault::open(&account.keys().vault, &owner, blob.version, &blob.blob.0).unwrap();
        // The owner's keys sealed it, as on a device that was told of no other: in the same place, and in the next one.
        for (version, previous) in [(vault.version, vault.previous), (vault.version + 1, vault.previous)] {
            let branch = Vault { version, previous, ..vault.clone() };
            let sealed = branch.seal(&account.keys().vault, &owner).unwrap();
            let shown = VaultBlob { version, previous, blob: Base64(sealed) };
            scene.evil.json(routes::VAULT, move |answer| *answer = serde_json::to_value(&shown).unwrap());
            scene.evil.forget();
            let error = resumed().await.invite(request("another@example.com")).await.err().expect("not noticed");
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "vault_rollback"), "{error}");
            assert!(scene.evil.seen_of(routes::PUT_VAULT).is_empty());
            scene.evil.repent();
        }
        resumed().await.invite(request("another@example.com")).await.unwrap();
        scene.ends_well().await;
    }
}

fn request(email: &str) -> sealpost_client::InviteRequest {
    sealpost_client::InviteRequest {
        email: sdk::address(email),
        expires_in: std::time::Duration::from_secs(3_600),
        account_key: false,
    }
}

/// What an honest sign-in is answered.
async fn login_answer(scene: &Scene, who: &Device) -> Value {
    scene.evil.forget();
    drop(login(scene, who).await.unwrap());
    serde_json::from_slice(&scene.evil.seen_of(routes::LOGIN_FINISH)[0].answered.body).unwrap()
}
