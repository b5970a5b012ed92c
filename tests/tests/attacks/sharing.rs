//! A28, A33 to A36, A39, A58, A80: who shared what with whom.

use sealpost_api::{file::FileView, routes};
use sealpost_client::{ErrorKind, QueueEnd, ShareStatus, Terms};
use sealpost_crypto::{
    encoding::{Base64, to_base64},
    keys::AccountKeys,
    record::{self, RawRecord, Record, Signed},
    records::{Manifest, Share, ShareContext},
    secret::AccountSeed,
};
use sealpost_tests::{
    TestServer, on_both_databases,
    sdk::{self, Device},
};
use serde_json::{Value, json};

use crate::scene::Scene;

fn keys(device: &Device) -> AccountKeys {
    AccountKeys::derive(&AccountSeed::from_slice(&device.blob("seed").unwrap()).unwrap())
}

/// A record of the server's answer, changed and signed by somebody else.
fn resigned<R: Record>(raw: &RawRecord, forger: &AccountKeys, change: impl FnOnce(&mut R)) -> RawRecord {
    let mut record: R = raw.claim().unwrap();
    change(&mut record);
    Signed::sign(record, &forger.signing).unwrap().into_raw()
}

/// Puts records signed by `forger` in the place of the owner's, as if they were the owner's or their own.
fn forged(view: &Value, forger: &AccountKeys, as_themselves: Option<&Share>) -> Value {
    let mut view: FileView = serde_json::from_value(view.clone()).unwrap();
    let name = |signer: &mut _, bundle: &mut _| {
        if let Some(own) = as_themselves {
            (*signer, *bundle) = (own.signer, own.signer_bundle);
        }
    };
    view.manifest =
        resigned::<Manifest>(&view.manifest, forger, |it| name(&mut it.signer, &mut it.signer_bundle));
    let manifest = view.manifest.id();
    view.share.record = resigned::<Share>(&view.share.record, forger, |it| {
        name(&mut it.signer, &mut it.signer_bundle);
        let mut context: ShareContext = record::parse(&it.context.0).unwrap();
        (context.sender, context.sender_bundle) = (it.signer, it.signer_bundle);
        context.manifest = manifest;
        it.context = Base64(record::encode(&context).unwrap());
    });
    serde_json::to_value(&view).unwrap()
}

/// Another certified client, in league with the server.
async fn mallory(scene: &mut Scene) -> (Device, AccountKeys, Share) {
    let mallory = scene.ops.welcome(&scene.evil.url(), "mallory@example.com").await;
    // A delivery from after she was certified: her keys were current when its records were signed.
    scene.deliver_again().await;
    scene.ops.share(scene.file, &mallory, Terms::default()).await.unwrap();
    let view: FileView = serde_json::from_value(scene.view(&mallory, scene.file).await).unwrap();
    let mut own: Share = view.share.record.claim().unwrap();
    let context: ShareContext = record::parse(&own.context.0).unwrap();
    (own.signer, own.signer_bundle) = (context.recipient, context.recipient_bundle);
    let keys = keys(&mallory);
    (mallory, keys, own)
}

on_both_databases! {
    async fn a80_nobody_is_queued_for_by_the_servers_word(server: TestServer) {
        let scene = Scene::set(server).await;
        let otto = scene.ops.welcome_ops(&scene.evil.url(), "otto@example.com", "Otto").await;
        let code = otto.invite("bob@example.com").await;
        let file = scene.file;
        let ask = async || {
            let emails = [sdk::address("bob@example.com"), sdk::address("eve@example.com")];
            let outcomes = scene.ops.me.share(file, &emails, Terms::default()).await.unwrap();
            outcomes.into_iter().map(|outcome| outcome.result.map_err(|error| error.kind())).collect::<Vec<_>>()
        };
        // The server calls somebody pending whom no Ops member has invited, and Bob's account another one.
        scene.evil.json(routes::MEMBERS, |page| {
            let members = page["items"].as_array_mut().unwrap();
            let mut invented = members.iter().find(|member| member["status"] == "pending").unwrap().clone();
            invented["opening"]["email"] = json!("eve@example.com");
            invented["opening"]["user_id"] = json!("7".repeat(32));
            members.push(invented);
        });
        scene.evil.json(routes::INVITES, |page| {
            let items = page["items"].as_array_mut().unwrap();
            for item in items.iter_mut() {
                item["opening"]["user_id"] = json!("7".repeat(32));
            }
            let mut invented = items.clone();
            for item in &mut invented {
                item["email"] = json!("eve@example.com");
                item["opening"]["email"] = json!("eve@example.com");
            }
            items.extend(invented);
        });
        assert_eq!(ask().await, [Err(ErrorKind::RecipientPending); 2]);
        scene.evil.repent();
        let honest = ask().await;
        assert!(matches!(honest[..], [Ok(ShareStatus::Queued(_)), Err(ErrorKind::RecipientUnknown)]), "{honest:?}");
        let bob = sdk::join(&scene.evil.url(), "bob@example.com", code).await;
        otto.me.certify_accepted().await.unwrap();
        assert_eq!(scene.ops.me.complete_queued().await.unwrap()[0].end, QueueEnd::Shared);
        assert!(bob.download(file).await.unwrap() == scene.content);
        scene.ends_well().await;
    }

    async fn a28_a_file_planted_in_a_colleagues_name_is_not_listed(server: TestServer) {
        let scene = Scene::set(server).await;
        let view = scene.view(&scene.client, scene.file).await;
        let planted = forged(&view, &AccountKeys::derive(&AccountSeed::random()), None);
        let listed = json!({ "items": [planted, view] });
        scene.evil.json(routes::FILES_SHARED, move |page| *page = listed.clone());
        let page = scene.client.me.shared(None).await.unwrap();
        assert_eq!(page.items.len(), 1, "the honest one is shown");
        assert_eq!(page.rejected.len(), 1);
        assert_eq!(page.rejected[0].error.code(), "signature_invalid");
        scene.ends_well().await;
    }

    async fn a33_a58_a_clients_signature_is_no_ops_members(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let (_, forger, own) = mallory(&mut scene).await;
        let view = scene.view(&scene.client, scene.file).await;
        // Mallory re-signs the file as her own, then only its share, then in the owner's name.
        let hers = forged(&view, &forger, Some(&own));
        scene.evil.json(routes::FILE, { let hers = hers.clone(); move |view| *view = hers.clone() });
        scene.refuses("signer_not_ops").await;
        scene.evil.repent();
        let share = hers["share"].clone();
        scene.evil.json(routes::FILE, move |view| view["share"] = share.clone());
        scene.refuses("share_not_owner").await;
        scene.evil.repent();
        let as_owner = forged(&view, &forger, None);
        scene.evil.json(routes::FILE, move |view| *view = as_owner.clone());
        scene.refuses("signature_invalid").await;
        scene.ends_well().await;
    }

    async fn a34_somebody_elses_share_is_not_mine(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let (mallory, ..) = mallory(&mut scene).await;
        let hers = scene.view(&mallory, scene.file).await["share"].clone();
        let owners = scene.view(&scene.ops, scene.file).await["share"].clone();
        for share in [hers, owners] {
            scene.evil.json(routes::FILE, move |view| view["share"] = share.clone());
            scene.refuses("share_not_recipient").await;
            scene.evil.repent();
        }
        scene.ends_well().await;
    }

    async fn a35_a_wrapped_key_fits_no_other_share(server: TestServer) {
        let scene = Scene::set(server).await;
        let other = scene.another_file().await;
        let other = scene.view(&scene.client, other).await["share"].clone();
        for fields in [&["enc"][..], &["ciphertext"], &["enc", "ciphertext"]] {
            let other = other.clone();
            scene.evil.json(routes::FILE, move |view| {
                for field in fields {
                    view["share"][field] = other[field].clone();
                }
            });
            scene.refuses("share_sealed_mismatch").await;
            scene.evil.repent();
        }
        scene.evil.json(routes::FILE, move |view| view["share"] = other.clone());
        scene.refuses("share_manifest_mismatch").await;
        scene.ends_well().await;
    }

    async fn a36_a_wrap_without_its_post_quantum_half_is_refused(server: TestServer) {
        let scene = Scene::set(server).await;
        let view = scene.view(&scene.client, scene.file).await;
        let view: FileView = serde_json::from_value(view).unwrap();
        // X-Wing: 1,088 bytes of ML-KEM-768, then 32 of X25519.
        let classical = to_base64(&view.share.enc.0[1_088..]);
        scene.evil.json(routes::FILE, move |view| view["share"]["enc"] = json!(classical));
        scene.refuses("malformed").await;
        scene.evil.repent();
        scene.evil.json(routes::FILE, |view| {
            let mut enc: Base64 = serde_json::from_value(view["share"]["enc"].clone()).unwrap();
            enc.0[..1_088].fill(0);
            view["share"]["enc"] = serde_json::to_value(&enc).unwrap();
        });
        scene.refuses("share_sealed_mismatch").await;
        scene.ends_well().await;
    }

    async fn a39_a_signature_counts_for_its_own_type_only(server: TestServer) {
        let scene = Scene::set(server).await;
        let view = scene.view(&scene.client, scene.file).await;
        let (manifest, share) = (view["manifest"].clone(), view["share"]["record"].clone());
        let (as_manifest, as_share) = (share.clone(), manifest.clone());
        scene.evil.json(routes::FILE, move |view| view["manifest"] = as_manifest.clone());
        scene.refuses("wrong_type").await;
        scene.evil.repent();
        scene.evil.json(routes::FILE, move |view| view["share"]["record"] = as_share.clone());
        scene.refuses("wrong_type").await;
        scene.evil.repent();
        // Called what is expected, it is not what was signed: neither the fields nor the signature fit.
        scene.evil.json(routes::FILE, move |view| {
            view["manifest"] = share.clone();
            view["manifest"]["type"] = json!("manifest");
        });
        scene.refuses("malformed").await;
        scene.ends_well().await;
    }

    async fn a40_a_record_has_one_encoding(server: TestServer) {
        let scene = Scene::set(server).await;
        let view: FileView = serde_json::from_value(scene.view(&scene.client, scene.file).await).unwrap();
        let text = String::from_utf8(view.manifest.payload.0.clone()).unwrap();
        let ops = keys(&scene.ops);
        // Even the owner's own signature over another encoding of the same statement does not count.
        let variants = [
            text.replacen('{', "{ ", 1),
            format!("{text} "),
            text.replacen("\"version\":1", "\"version\":1,\"version\":1", 1),
            text.replacen("\"version\":1", "\"version\":1.0", 1),
            text.replacen('}', ",\"unknown\":1}", 1),
            text.replacen("\"version\":1,", "", 1),
        ];
        for variant in variants {
            assert_ne!(variant, text);
            let signed = [b"sealpost/v1/manifest\0", variant.as_bytes()].concat();
            let raw = RawRecord {
                kind: "manifest".into(),
                payload: Base64(variant.into_bytes()),
                signature: ops.signing.sign(&signed),
            };
            scene.evil.json(routes::FILE, move |view| view["manifest"] = serde_json::to_value(&raw).unwrap());
            scene.refuses("malformed").await;
            scene.evil.repent();
        }
        scene.ends_well().await;
    }
}
