//! A18 to A21, A67: how keys become authentic, and who could come in between.

use sealpost_api::routes;
use sealpost_client::{ErrorKind, store::MemoryStore};
use sealpost_crypto::{
    encoding::Base64,
    id::Digest,
    invite::InviteCode,
    keys::AccountKeys,
    record::{RawRecord, Signed},
    records::{Accept, Bundle, Offer},
    secret::AccountSeed,
};
use sealpost_tests::{TestServer, on_both_databases, sdk};
use serde_json::{Value, json};

use crate::scene::Scene;

type Lie = fn(&mut Value);

const BOB: &str = "bob@example.com";

on_both_databases! {
    async fn a18_an_acceptance_with_other_keys_is_not_certified(server: TestServer) {
        let scene = Scene::set(server).await;
        let code = scene.ops.invite(BOB).await;
        let bob = sdk::join(&scene.evil.url(), BOB, code).await;
        let eve = scene.ops.invite("eve@example.com").await;
        sdk::join(&scene.evil.url(), "eve@example.com", eve).await;
        // The attacker's own keys under Bob's name, signed over Bob's OFFER; then Eve's whole acceptance.
        let attacks: [fn(&mut Value, &Value); 2] = [
            |bobs, _| {
                let keys = AccountKeys::derive(&AccountSeed::random());
                let raw: RawRecord = serde_json::from_value(bobs["acceptance"]["bundle"].clone()).unwrap();
                let mut bundle: Bundle = raw.claim().unwrap();
                bundle.signing_key = keys.signing.public_key();
                bundle.kem_key = keys.kem.public_key().clone();
                let bundle = Signed::sign(bundle, &keys.signing).unwrap();
                let raw: RawRecord = serde_json::from_value(bobs["acceptance"]["accept"].clone()).unwrap();
                let mut accept: Accept = raw.claim().unwrap();
                accept.signer_bundle = bundle.id();
                let accept = Signed::sign(accept, &keys.signing).unwrap();
                bobs["acceptance"]["bundle"] = serde_json::to_value(bundle.raw()).unwrap();
                bobs["acceptance"]["accept"] = serde_json::to_value(accept.raw()).unwrap();
            },
            |bobs, eves| bobs["acceptance"] = eves["acceptance"].clone(),
        ];
        for attack in attacks {
            scene.evil.json(routes::INVITES, move |page| {
                let items = page["items"].as_array_mut().unwrap();
                let of = |email: &str| items.iter().position(|it| it["email"] == email);
                let (Some(bob), Some(eve)) = (of(BOB), of("eve@example.com")) else { return };
                let eves = items[eve].clone();
                attack(&mut items[bob], &eves);
                items.remove(eve);
            });
            scene.evil.forget();
            let error = scene.ops.me.certify_accepted().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Verification, "{error}");
            assert!(scene.evil.seen_of(routes::APPEND_LOG).is_empty(), "somebody was certified");
            scene.evil.repent();
        }
        assert_eq!(scene.ops.me.certify_accepted().await.unwrap().len(), 2);
        scene.ops.share(scene.file, &bob, sealpost_client::Terms::default()).await.unwrap();
        assert!(bob.download(scene.file).await.unwrap() == scene.content);
        scene.ends_well().await;
    }

    async fn a19_an_offer_that_the_inviter_did_not_make_is_refused(server: TestServer) {
        let scene = Scene::set(server).await;
        let code = scene.ops.invite(BOB).await;
        let again = || code.reveal().parse::<InviteCode>().unwrap();
        let lies: [(&str, Lie); 4] = [
            ("offer_mac", |view| view["offer_mac"] = json!(Digest::random().to_string())),
            ("offer_mac", |view| {
                let mut offer: RawRecord = serde_json::from_value(view["offer"].clone()).unwrap();
                let text = String::from_utf8(offer.payload.0.clone()).unwrap();
                offer.payload = Base64(text.replace("\"role\":1", "\"role\":2").into_bytes());
                view["offer"] = serde_json::to_value(&offer).unwrap();
            }),
            ("offer_mac", |view| {
                let keys = AccountKeys::derive(&AccountSeed::random());
                let offer: RawRecord = serde_json::from_value(view["offer"].clone()).unwrap();
                let resigned = Signed::sign(offer.claim::<Offer>().unwrap(), &keys.signing).unwrap();
                view["offer"] = serde_json::to_value(resigned.raw()).unwrap();
            }),
            ("offer_email", |view| view["email"] = json!("eve@example.com")),
        ];
        for (code, lie) in lies {
            scene.evil.json(routes::INVITE, lie);
            scene.evil.forget();
            let client = sdk::anonymous(&scene.evil.url(), &MemoryStore::new());
            let error = client.preview(again()).await.err().expect("not noticed");
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, code), "{error}");
            assert!(scene.evil.seen_of(routes::INVITE_ACCEPT).is_empty());
            scene.evil.repent();
        }
        sdk::join(&scene.evil.url(), BOB, again()).await;
        assert_eq!(scene.ops.me.certify_accepted().await.unwrap().len(), 1);
        scene.ends_well().await;
    }

    async fn a20_a_code_works_once(server: TestServer) {
        let scene = Scene::set(server).await;
        let code = scene.ops.invite(BOB).await;
        let again = || code.reveal().parse::<InviteCode>().unwrap();
        sdk::join(&scene.evil.url(), BOB, again()).await;
        let second = |code| async {
            sdk::anonymous(&scene.evil.url(), &MemoryStore::new()).preview(code).await.err().expect("refused")
        };
        assert_eq!(second(again()).await.code(), "invite_used");
        // A server that says it is still open lets nobody in twice either: the account is certified once.
        scene.evil.json(routes::INVITE, |view| {
            view["state"] = json!("open");
            view.as_object_mut().unwrap().remove("acceptance");
        });
        let client = sdk::anonymous(&scene.evil.url(), &MemoryStore::new());
        let preview = client.preview(again()).await.expect("nothing tells yet");
        let account = preview.join(sdk::secret("eve's password")).await;
        let refused = match account {
            Ok(account) => account.complete().await.err().expect("a second acceptance"),
            Err(error) => error,
        };
        assert_eq!(refused.kind(), ErrorKind::InviteEnded, "{refused}");
        scene.evil.repent();
        scene.server.pass_time(0);
        let late = scene.ops.invite("late@example.com").await;
        scene.server.pass_time(2 * 86_400);
        assert_eq!(second(late).await.code(), "invite_expired");
        assert_eq!(scene.ops.me.certify_accepted().await.unwrap().len(), 1);
    }

    async fn a67_an_invite_to_become_ops_never_certifies_by_itself(server: TestServer) {
        let scene = Scene::set(server).await;
        let invite = scene.ops.me.invite_ops(sdk::ops_invite(BOB, "Bob")).await.unwrap();
        // Whoever listened in was first, and the server calls it an ordinary client's invite that needs nothing more.
        let (eve, kit) = sdk::joined_with_kit(&scene.evil.url(), BOB, invite.code).await;
        assert!(kit.account_key.is_some());
        scene.evil.json(routes::INVITES, |page| {
            for item in page["items"].as_array_mut().unwrap() {
                item["role"] = json!("client");
                item["confirm"] = json!(false);
            }
        });
        scene.evil.forget();
        let other = scene.ops.other_device(&scene.evil.url()).await;
        for device in [&scene.ops, &other] {
            let admitted = device.me.admit_accepted().await.unwrap();
            assert_eq!((admitted.certified.len(), admitted.waiting.len()), (0, 1));
            device.me.watch_once(|_| ()).await.unwrap();
        }
        assert!(scene.evil.seen_of(routes::APPEND_LOG).is_empty(), "somebody was certified");
        // The words are not Bob's, so the inviter gives a new code, and Eve is out.
        let heard = scene.ops.me.confirmation(&eve.email).await.unwrap();
        assert_eq!(Some(*heard.words()), eve.me.whoami().await.unwrap().words);
        let again = scene.ops.me.invite_ops(sdk::ops_invite(BOB, "Bob")).await.unwrap();
        let bob = sdk::join(&scene.evil.url(), BOB, again.code).await;
        let confirmation = scene.ops.me.confirmation(&bob.email).await.unwrap();
        assert_ne!(confirmation.words(), heard.words());
        let late = heard.admit().await.map(drop).unwrap_err();
        assert_eq!(late.code(), "record_invalid", "what Eve had accepted counts no more");
        confirmation.admit().await.unwrap();
        assert!(bob.me.files(None).await.is_ok());
        assert!(eve.me.files(None).await.is_err());
        scene.ends_well().await;
    }

    async fn a67_looking_at_an_invite_uses_nothing_up(server: TestServer) {
        let scene = Scene::set(server).await;
        let code = scene.ops.invite(BOB).await;
        let again = || code.reveal().parse::<InviteCode>().unwrap();
        for _ in 0..3 {
            let scanner = sdk::anonymous(&scene.evil.url(), &MemoryStore::new());
            let preview = scanner.preview(again()).await.unwrap();
            drop(preview.join(sdk::secret("never completed")).await.unwrap());
        }
        let bob = sdk::join(&scene.evil.url(), BOB, again()).await;
        let error = sdk::anonymous(&scene.evil.url(), &MemoryStore::new()).preview(again()).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InviteEnded);
        assert!(error.hint().is_some_and(|hint| hint.contains("sender")), "{:?}", error.hint());
        assert_eq!(scene.ops.me.certify_accepted().await.unwrap()[0].email, bob.email.as_str());
        scene.ends_well().await;
    }
}

#[test]
fn a21_a_shorter_code_is_no_code() {
    let code = InviteCode::random().reveal().replace('-', "");
    assert_eq!(code.len(), 32, "8 bits of version, 128 of secret, 24 of checksum");
    for length in 0..32 {
        assert!(code[..length].parse::<InviteCode>().is_err());
    }
    assert!(code.parse::<InviteCode>().is_ok());
}
