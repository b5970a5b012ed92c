//! A01, A03 to A05, A10, A56, A57, A72: whose keys a file is wrapped to, and whose log that rests on.

use sealpost_api::routes;
use sealpost_client::{Admitting, ErrorKind, InviteRequest, Terms};
use sealpost_crypto::{encoding::Base64, keys::AccountKeys, record::RawRecord, secret::AccountSeed};
use sealpost_tests::{
    TestServer,
    adversary::Adversary,
    on_both_databases,
    sdk::{self, Device},
};
use serde_json::{Value, json};

use crate::scene::{Scene, attackers};

/// Shares with the client from a device that knows nothing yet; says by which check that failed. No wrapped key left.
async fn fresh_device_refuses(scene: &Scene, ops: &Device) -> String {
    scene.evil.forget();
    let store = sealpost_client::store::MemoryStore::new();
    let key = sealpost_client::AccountKey::from_slice(&ops.blob("account-key").unwrap());
    let client = sdk::anonymous(&scene.evil.url(), &store);
    let error = client.login(&ops.email, sdk::secret(&ops.password), key).await.err().expect("not noticed");
    assert_eq!(error.kind(), ErrorKind::Verification, "{error}");
    assert!(scene.evil.seen_of(routes::SHARE).is_empty());
    error.code().to_owned()
}

/// Sharing with `to` fails at `code`, and nothing was wrapped for anybody.
async fn sharing_refused(scene: &Scene, to: &Device, code: &str) {
    scene.evil.forget();
    let error = scene.ops.share(scene.file, to, Terms::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, code), "{error}");
    assert!(scene.evil.seen_of(routes::SHARE).is_empty(), "a wrapped key left the client");
}

on_both_databases! {
    async fn a01_an_attackers_key_for_the_recipient_is_not_used(server: TestServer) {
        let scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        // In the log, where keys come from, on a device that has not pinned it yet.
        scene.evil.json(routes::LOG, |page| {
            for entry in page["entries"].as_array_mut().unwrap() {
                if entry["record"]["type"] == "certify" {
                    entry["bundle"] = attackers(&entry["bundle"]);
                }
            }
        });
        assert_eq!(fresh_device_refuses(&scene, &scene.ops).await, "bundle_mismatch");
        scene.evil.repent();
        // A device that has pinned the log never asks again: what is said elsewhere changes nothing.
        scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap();
        assert!(bob.download(scene.file).await.is_ok());
        scene.ends_well().await;
    }

    async fn a03_the_keys_that_were_compared_are_the_keys_that_are_used(server: TestServer) {
        let scene = Scene::set(server).await;
        // Bob is admitted by the words of his keys, K1, which the server swaps for K2 as soon as they were read.
        let request = InviteRequest {
            email: sdk::address("bob@example.com"),
            expires_in: std::time::Duration::from_secs(3_600),
            account_key: false,
        };
        let code = scene.ops.me.invite_with(request, Admitting::Confirmed).await.unwrap().code;
        let bob = sdk::join(&scene.evil.url(), "bob@example.com", code).await;
        let confirmation = scene.ops.me.confirmation(&bob.email).await.unwrap();
        assert_eq!(Some(*confirmation.words()), bob.me.whoami().await.unwrap().words);
        scene.evil.json(routes::INVITES, |page| {
            for item in page["items"].as_array_mut().unwrap() {
                if item["acceptance"].is_object() {
                    item["acceptance"]["bundle"] = attackers(&item["acceptance"]["bundle"]);
                }
            }
        });
        confirmation.admit().await.unwrap();
        let shown = scene.ops.me.verify(&bob.email).await.unwrap().words;
        assert_eq!(shown, bob.me.verify(&scene.ops.email).await.unwrap().words);
        // And once more between looking and wrapping: the log goes on with other keys of his.
        scene.evil.json(routes::LOG, |page| {
            let forged = page["entries"].as_array().unwrap().iter().find(|it| it["record"]["type"] == "certify").cloned();
            let forged = forged.unwrap_or_else(|| json!({"record": {"type": "rotate", "payload": "e30",
                "signature": Base64(vec![7; 64])}, "bundle": null}));
            page["entries"].as_array_mut().unwrap().push(forged);
        });
        scene.evil.forget();
        let error = scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Verification, "{error}");
        assert!(scene.evil.seen_of(routes::SHARE).is_empty(), "a wrapped key left the client");
        // Told elsewhere than in the log, nothing asks for them: K1 is used.
        scene.evil.repent();
        scene.evil.json(routes::MEMBERS, |page| {
            for member in page["items"].as_array_mut().unwrap() {
                member["bundle"] = json!("other keys");
            }
        });
        scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap();
        assert!(bob.download(scene.file).await.is_ok());
        assert_eq!(scene.ops.me.verify(&bob.email).await.unwrap().words, shown);
        scene.ends_well().await;
    }

    async fn a04_a56_an_address_leads_to_certified_people_only(server: TestServer) {
        let scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        let mallory = scene.ops.welcome(&scene.evil.url(), "mallory@example.com").await;
        let opening = |page: &mut Value, email: &str, change: &dyn Fn(&mut Value)| {
            let members = page["items"].as_array_mut().unwrap();
            let member = members.iter_mut().find(|member| member["opening"]["email"] == email).unwrap();
            change(&mut member["opening"]);
        };
        // Mallory is called Bob.
        scene.evil.json(routes::MEMBERS, move |page| {
            opening(page, "mallory@example.com", &|it| it["email"] = json!("bob@example.com"));
        });
        sharing_refused(&scene, &bob, "opening_mismatch").await;
        scene.evil.repent();
        // Bob's address, salt and name, Mallory's account.
        let hers = json!(mallory.me.whoami().await.unwrap().user_id.to_string());
        scene.evil.json(routes::MEMBERS, move |page| {
            opening(page, "bob@example.com", &|it| it["user_id"] = hers.clone());
        });
        sharing_refused(&scene, &bob, "opening_mismatch").await;
        scene.evil.repent();
        scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap();
        assert!(mallory.download(scene.file).await.is_err());
        scene.ends_well().await;
    }

    async fn a05_ones_own_keys_are_never_the_servers_to_say(server: TestServer) {
        let scene = Scene::set(server).await;
        scene.evil.json(routes::LOG, |page| {
            for entry in page["entries"].as_array_mut().unwrap() {
                if entry["record"]["type"] == "genesis" {
                    entry["bundle"] = attackers(&entry["bundle"]);
                }
            }
        });
        assert_eq!(fresh_device_refuses(&scene, &scene.ops).await, "genesis_bundle");
        assert!(scene.evil.seen_of(routes::CREATE_FILE).is_empty());
        scene.ends_well().await;
    }

    async fn a10_another_suite_is_not_supported(server: TestServer) {
        let scene = Scene::set(server).await;
        scene.evil.json(routes::LOG, |page| {
            for entry in page["entries"].as_array_mut().unwrap() {
                if entry["record"]["type"] == "certify" {
                    let raw: RawRecord = serde_json::from_value(entry["bundle"].clone()).unwrap();
                    let keys = AccountKeys::derive(&AccountSeed::random());
                    let text = String::from_utf8(raw.payload.0).unwrap().replace("\"suite\":1", "\"suite\":2");
                    let payload = Base64(text.into_bytes());
                    let signed = [b"sealpost/v1/bundle\0", &payload.0[..]].concat();
                    let signature = keys.signing.sign(&signed);
                    let raw = RawRecord { kind: "bundle".into(), payload, signature };
                    entry["bundle"] = serde_json::to_value(&raw).unwrap();
                }
            }
        });
        let code = fresh_device_refuses(&scene, &scene.ops).await;
        assert!(["bundle_mismatch", "unsupported_suite"].contains(&&*code), "{code}");
        scene.ends_well().await;
    }

    async fn a57_an_invented_organisation_is_not_ones_own(server: TestServer) {
        let scene = Scene::set(server).await;
        let other = TestServer::start(scene.server.backend()).await;
        let elsewhere = Adversary::before(&other).await;
        let founder = sdk::found_at(&other, &elsewhere.url()).await;
        founder.welcome(&elsewhere.url(), "somebody@example.com").await;
        let invented = elsewhere.seen_of(routes::LOG);
        let invented: Value = serde_json::from_slice(&invented[0].answered.body).unwrap();
        scene.evil.json(routes::LOG, move |page| *page = invented.clone());
        assert_eq!(fresh_device_refuses(&scene, &scene.ops).await, "foreign_organisation");
        scene.evil.repent();
        // Said at sign-in already: the password is bound to the organisation, and the login fails.
        let foreign = json!(founder.me.whoami().await.unwrap().org_id.to_string());
        scene.evil.json(routes::LOGIN, move |answer| answer["org_id"] = foreign.clone());
        scene.evil.forget();
        let store = sealpost_client::store::MemoryStore::new();
        let key = sealpost_client::AccountKey::from_slice(&scene.ops.blob("account-key").unwrap());
        let client = sdk::anonymous(&scene.evil.url(), &store);
        let error = client.login(&scene.ops.email, sdk::secret(&scene.ops.password), key).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::LoginFailed, "{error}");
        assert!(scene.evil.seen_of(routes::LOGIN_FINISH).is_empty());
        scene.ends_well().await;
    }

    async fn a72_an_ops_members_name_is_what_was_certified(server: TestServer) {
        let scene = Scene::set(server).await;
        for (field, value) in [("name", "Your Bank"), ("email", "bank@example.com")] {
            scene.evil.json(routes::MEMBERS, move |page| {
                for member in page["items"].as_array_mut().unwrap() {
                    if member["role"] == "ops" {
                        member["opening"][field] = json!(value);
                    }
                }
            });
            scene.refuses("opening_mismatch").await;
            scene.evil.repent();
        }
        scene.evil.json(routes::MEMBERS, |page| page["items"] = json!([]));
        scene.refuses("sender_unknown").await;
        scene.ends_well().await;
    }
}
