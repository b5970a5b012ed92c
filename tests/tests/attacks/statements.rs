//! A90, A91: what only Ops members may state, stated by the server, or by a client in league with it.

use sealpost_api::routes;
use sealpost_client::{ErrorKind, RevokeReason, Terms};
use sealpost_crypto::{
    account::Account,
    record::{RawRecord, Signed},
    records::{Checkpoint, Service, Withdraw},
    secret::{AccountSeed, SigningSeed},
    sign::SigningKey,
};
use sealpost_tests::{TestServer, on_both_databases, sdk::address};
use serde_json::{Value, json};

use crate::{memberships::newest, scene::Scene};

const OTTO: &str = "otto@example.com";

/// The server's own key for checkpoints, stated in somebody's name under somebody's keys.
async fn service(scene: &Scene, named: &Account, signed_by: &Account, key: &SigningKey) -> RawRecord {
    let position = newest(scene).await;
    let entry = Service {
        org_id: named.org_id(),
        signer: named.user_id(),
        signer_bundle: named.bundle().id(),
        sequence: position.size,
        previous: position.head,
        checkpoint_key: key.public_key(),
    };
    Signed::sign(entry, &signed_by.keys().signing).unwrap().into_raw()
}

fn withdrawal(of: sealpost_client::FileId, named: &Account, signed_by: &Account) -> Value {
    let record = Withdraw {
        org_id: named.org_id(),
        signer: named.user_id(),
        signer_bundle: named.bundle().id(),
        file_id: of,
    };
    json!(Signed::sign(record, &signed_by.keys().signing).unwrap().into_raw())
}

/// Another Ops member, who has delivered a file and left.
async fn former(scene: &mut Scene) -> Account {
    let otto = scene.ops.welcome_ops(&scene.evil.url(), OTTO, "Otto").await;
    scene.file = otto.upload(crate::scene::NAME, &scene.content).await;
    otto.share(scene.file, &scene.client, Terms::default()).await.unwrap();
    scene.file_key = Some(otto.me.file_key(scene.file).await.unwrap().expose().to_vec());
    let account = otto.account(1).await;
    let revocation = scene.ops.me.revocation(&address(OTTO)).await.unwrap();
    revocation.revoke(RevokeReason::Left).await.unwrap();
    account
}

on_both_databases! {
    async fn a90_a_checkpoint_key_that_no_ops_member_signed_for_is_not_the_servers(server: TestServer) {
        let scene = Scene::set(server).await;
        let (ops, client) = (scene.ops.account(1).await, scene.client.account(1).await);
        let thief = Account::derive(&AccountSeed::random(), ops.org_id(), ops.user_id(), 1).unwrap();
        let key = SigningKey::from_seed(&SigningSeed::random());
        for (named, signed_by, code) in [
            (&ops, &thief, "signature_invalid"),
            (&ops, &client, "signature_invalid"),
            (&client, &client, "log_signer_not_ops"),
        ] {
            let entry = service(&scene, named, signed_by, &key).await;
            let head = Checkpoint { org_id: ops.org_id(), log_size: newest(&scene).await.size + 1, log_head: entry.id() };
            let checkpoint = json!(Signed::sign(head, &key).unwrap().into_raw());
            scene.evil.json(routes::LOG, move |page| {
                page["entries"].as_array_mut().unwrap().push(json!({ "record": entry, "bundle": null }));
                page["checkpoint"] = checkpoint.clone();
            });
            for victim in [&scene.client, &scene.ops] {
                let error = victim.me.whoami().await.unwrap_err();
                assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, code), "{error}");
            }
            scene.evil.repent();
        }
        // Nor does it sign with a key that nobody stated.
        let position = newest(&scene).await;
        let head = Checkpoint { org_id: ops.org_id(), log_size: position.size, log_head: position.head };
        let checkpoint = json!(Signed::sign(head, &key).unwrap().into_raw());
        scene.evil.json(routes::LOG, move |page| page["checkpoint"] = checkpoint.clone());
        let error = scene.client.me.whoami().await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "position_malformed"), "{error}");
        scene.ends_well().await;
    }

    async fn a90_the_words_are_of_the_key_that_is_signed(server: TestServer) {
        let mut scene = Scene::set(server).await;
        scene.server.restart_with(|config| config.new_checkpoint_key = true).await;
        let console = scene.server.service_words().unwrap();
        let stolen = json!(SigningKey::from_seed(&SigningSeed::random()).public_key());
        let swap = || {
            let stolen = stolen.clone();
            scene.evil.json(routes::SERVER, move |info| info["next_checkpoint_key"] = stolen.clone());
        };
        // Swapped before: the words give it away. Whoever signs it nevertheless is refused by an honest server.
        swap();
        let key = scene.ops.me.service_key().await.unwrap();
        assert_ne!(key.words().map(str::to_owned).to_vec(), console);
        let error = key.accept().await.unwrap_err();
        assert_eq!(error.code(), "record_invalid", "{error}");
        scene.evil.repent();
        // Swapped after they were compared: what was compared is signed.
        let key = scene.ops.me.service_key().await.unwrap();
        assert_eq!(key.words().map(str::to_owned).to_vec(), console);
        swap();
        key.accept().await.unwrap();
        scene.evil.repent();
        assert_eq!(scene.ops.me.service_key().await.err().unwrap().code(), "no_service_key");
        let another = scene.another_file().await;
        scene.client.download(another).await.expect("the honest run");
        scene.ends_well().await;
    }

    async fn a91_a_file_is_out_of_circulation_by_an_ops_members_word_only(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let own = scene.file;
        let otto = former(&mut scene).await;
        let (ops, client) = (scene.ops.account(1).await, scene.client.account(1).await);
        let thief = Account::derive(&AccountSeed::random(), ops.org_id(), ops.user_id(), 1).unwrap();
        let lies = [
            (withdrawal(scene.file, &client, &client), "withdraw_not_ops"),
            (withdrawal(scene.file, &otto, &otto), "withdraw_not_ops"),
            (withdrawal(scene.file, &ops, &thief), "signature_invalid"),
            (withdrawal(own, &ops, &ops), "other_file"),
        ];
        for (record, code) in lies {
            scene.evil.json(routes::LEFT_FILES, move |page| page["items"][0]["withdrawal"] = record.clone());
            let left = scene.ops.me.left_files(&address(OTTO), None).await.unwrap();
            assert!(left.items.is_empty(), "{left:?}");
            assert_eq!((left.rejected[0].file_id, left.rejected[0].error.code()), (scene.file, code));
            assert_eq!(left.rejected[0].error.kind(), ErrorKind::Verification);
            scene.evil.repent();
        }
        // A share of another file, by somebody who is a member still, is not shown among its shares.
        let view = scene.view(&scene.ops, own).await;
        let foreign = view["share"]["record"].clone();
        scene.evil.json(routes::LEFT_FILES, move |page| page["items"][0]["shares"][0]["record"] = foreign.clone());
        let left = scene.ops.me.left_files(&address(OTTO), None).await.unwrap();
        assert_eq!((left.items.len(), left.rejected[0].error.code()), (0, "other_file"));
        scene.evil.repent();
        // A file of somebody who is a member still is not shown as left, whatever it comes with.
        scene.evil.json(routes::LEFT_FILES, move |page| {
            let item = &mut page["items"][0];
            (item["file_id"], item["manifest"]) = (view["file_id"].clone(), view["manifest"].clone());
            item["shares"] = json!([]);
        });
        let left = scene.ops.me.left_files(&address(OTTO), None).await.unwrap();
        assert_eq!((left.items.len(), left.rejected[0].error.code()), (0, "other_file"));
        scene.evil.repent();
        assert_eq!(scene.ops.me.withdraw(own).await.unwrap_err().code(), "owner_active");
        // Until an Ops member has signed it.
        scene.fetch().await.expect("the honest run");
        scene.ops.me.withdraw(scene.file).await.unwrap();
        let left = scene.ops.me.left_files(&address(OTTO), None).await.unwrap();
        assert_eq!(left.items[0].withdrawn_by.as_ref().unwrap().email, scene.ops.email.as_str());
        scene.kept_secrets().await;
    }
}
