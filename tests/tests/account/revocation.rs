//! A client's membership ends: what those who stay see, and what the former member is told; the server's checkpoint key
//! changes. On every backend.

use std::sync::Arc;

use sealpost_client::{ContactStatus, ErrorKind, RevokeReason, Role, SignedIn, Terms, store::MemoryStore};
use sealpost_tests::{
    TestServer, on_every_backend,
    sdk::{self, CLIENT, OPS, address, told},
};

on_every_backend! {
    async fn a_former_client_is_told_so_and_gets_nothing_more(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let file = ops.upload("a.txt", b"content").await;
        ops.share(file, &client, Terms::default()).await.unwrap();
        let revocation = ops.me.revocation(&address(CLIENT)).await.unwrap();
        assert_eq!((revocation.role(), revocation.is_oneself(), revocation.has_left()), (Role::Client, false, false));
        assert_eq!((revocation.shares_to_them(), revocation.shares_by_them()), (1, 0));
        let revoked = revocation.revoke(RevokeReason::Left).await.unwrap();
        assert_eq!((revoked.person.email.as_str(), revoked.certified.len()), (CLIENT, 0));

        for _ in 0..2 {
            let (kind, code, message) = told(client.download(file).await);
            assert_eq!((kind, code.as_str()), (ErrorKind::AccountEnded, "account_ended"));
            assert_eq!(message, "Your membership has ended.");
        }
        let again = SignedIn::resume(Arc::new(client.store.clone())).await.unwrap();
        assert_eq!(told(again.whoami().await).1, "account_ended");
        // Also on a device that never was signed in: whoever knows the password.
        let fresh = sdk::anonymous(&server.url(), &MemoryStore::new());
        let fresh = fresh.login(&client.email, sdk::secret(&client.password), None).await;
        assert_eq!(told(fresh).1, "account_ended");
        let wrong = sdk::anonymous(&server.url(), &MemoryStore::new());
        assert_eq!(told(wrong.login(&client.email, sdk::secret("a wrong one"), None).await).1, "login_failed");

        let refused = ops.share(ops.upload("b.txt", b"b").await, &client, Terms::default()).await;
        let (kind, code, message) = told(refused);
        assert_eq!((kind, code.as_str()), (ErrorKind::RecipientUnknown, "recipient_ended"));
        assert!(message.contains("not a member"), "{message}");
        let contacts = ops.me.contacts().await.unwrap();
        assert_eq!(contacts.iter().map(|contact| contact.status).collect::<Vec<_>>(), [ContactStatus::Left]);
        let files = ops.me.files(None).await.unwrap().items;
        assert!(files.iter().flat_map(|own| &own.shares).all(|share| share.recipient_ended));
    }

    async fn who_left_can_be_called_compromised_later_and_only_one_ops_member_never_goes(server: TestServer) {
        let (ops, _client) = sdk::organisation(&server).await;
        let last = ops.me.revocation(&address(OPS)).await;
        assert_eq!(told(last).1, "last_ops");
        assert_eq!(told(ops.me.revocation(&address("nobody@example.com")).await).1, "recipient_unknown");
        ops.me.revocation(&address(CLIENT)).await.unwrap().revoke(RevokeReason::Left).await.unwrap();
        let again = ops.me.revocation(&address(CLIENT)).await.unwrap();
        assert!(again.has_left());
        again.revoke(RevokeReason::Compromised).await.unwrap();
        assert_eq!(ops.me.contacts().await.unwrap()[0].status, ContactStatus::Compromised);
        assert_eq!(told(ops.me.revocation(&address(CLIENT)).await).1, "already_revoked");
    }

    async fn two_devices_that_revoke_the_same_member_both_succeed(server: TestServer) {
        let (ops, _client) = sdk::organisation(&server).await;
        let other = ops.other_device(&server.url()).await;
        let one = ops.me.revocation(&address(CLIENT)).await.unwrap();
        let two = other.me.revocation(&address(CLIENT)).await.unwrap();
        let (one, two) = tokio::join!(one.revoke(RevokeReason::Left), two.revoke(RevokeReason::Left));
        assert_eq!(one.unwrap().person, two.unwrap().person);
    }

    async fn the_server_gets_another_checkpoint_key_and_everybody_follows(server: TestServer) {
        let mut server = server;
        let (mut ops, mut client) = sdk::organisation(&server).await;
        let before = ops.deliver(&client, "before").await;
        assert_eq!(told(ops.me.service_key().await).1, "no_service_key");
        server.restart_with(|config| config.new_checkpoint_key = true).await;
        let shown = server.service_words().unwrap();
        server.restart().await;
        assert_eq!(server.service_words().unwrap(), shown, "the same until it is signed");
        let key = ops.me.service_key().await.unwrap();
        assert_eq!(key.words().map(str::to_owned).to_vec(), shown);
        key.accept().await.unwrap();
        assert_eq!(told(ops.me.service_key().await).1, "no_service_key");

        let after = ops.deliver(&client, "after").await;
        for file in [before, after] {
            client.download(file).await.unwrap();
        }
        server.restart().await;
        assert!(server.service_words().is_none());
        ops.restart().await;
        client.restart().await;
        let fresh = client.other_device(&server.url()).await;
        ops.welcome(&server.url(), "next@example.com").await;
        for device in [&client, &fresh] {
            assert_eq!(device.download(after).await.unwrap(), b"after");
        }
    }
}
