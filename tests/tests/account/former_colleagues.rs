//! An Ops member's membership ends: what becomes of the files that they sent and left behind, on every backend.

use std::collections::BTreeMap;

use sealpost_client::{ContactStatus, ErrorKind, RevokeReason, Terms};
use sealpost_tests::{
    TestServer, on_every_backend,
    sdk::{self, CLIENT, OPS, address, told},
};

const OTHER: &str = "other@example.com";

on_every_backend! {
    async fn what_an_ops_member_sent_stays_marked_or_counts_no_more_and_can_be_withdrawn(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let other = ops.welcome_ops(&server.url(), OTHER, "Otto Other").await;
        let late = other.welcome(&server.url(), "late@example.com").await;
        let kept = other.deliver(&client, "kept").await;
        let shared_late = other.deliver(&late, "late").await;
        other.me.upload(&b"never"[..], sdk::describe("never shared", b"never"), &|_| {}).await.unwrap();

        assert!(!client.me.shared(None).await.unwrap().items[0].sender_left);
        let revocation = ops.me.revocation(&address(OTHER)).await.unwrap();
        assert_eq!((revocation.shares_by_them(), revocation.certified().len()), (2, 1));
        let revoked = revocation.revoke(RevokeReason::Left).await.unwrap();
        assert_eq!(revoked.certified[0].email, "late@example.com");
        assert_eq!(told(other.me.files(None).await).1, "account_ended");

        // Left: readable, marked.
        let page = client.me.shared(None).await.unwrap();
        assert!(page.items[0].sender_left && page.rejected.is_empty());
        assert!(client.me.download(kept).await.unwrap().sender_left());
        assert_eq!(client.download(kept).await.unwrap(), b"kept");
        let never_seen = client.other_device(&server.url()).await;
        assert_eq!(never_seen.download(kept).await.unwrap(), b"kept");

        // What they left behind, without names.
        let left = ops.me.left_files(&address(OTHER), None).await.unwrap();
        assert_eq!((left.items.len(), left.rejected.len(), left.next_cursor.is_none()), (3, 0, true));
        let of_client = left.items.iter().find(|file| file.file_id == kept).unwrap();
        assert_eq!(of_client.shares[0].recipient.email, CLIENT);
        assert!(of_client.shares[0].downloads > 0 && of_client.withdrawn_by.is_none());
        ops.me.withdraw(kept).await.unwrap();
        ops.me.withdraw(kept).await.unwrap();
        assert_eq!(told(client.download(kept).await).0, ErrorKind::NotFound);
        let page = client.me.shared(None).await.unwrap();
        assert!(page.items.is_empty() && page.rejected.is_empty(), "it is simply not offered");
        let left = ops.me.left_files(&address(OTHER), None).await.unwrap();
        let withdrawn: Vec<_> = left.items.iter().filter_map(|file| file.withdrawn_by.as_ref()).collect();
        assert_eq!(withdrawn.iter().map(|by| by.email.as_str()).collect::<Vec<_>>(), [OPS]);

        // Compromised: a verification failure that says whom to ask, and not hidden in lists.
        let again = ops.me.revocation(&address(OTHER)).await.unwrap();
        again.revoke(RevokeReason::Compromised).await.unwrap();
        let fresh = late.other_device(&server.url()).await;
        let error = fresh.me.download(shared_late).await.map(drop).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "signer_compromised"));
        assert!(error.hint().unwrap().contains("Ask an Ops member"), "{error:?}");
        let page = fresh.me.shared(None).await.unwrap();
        assert!(page.items.is_empty());
        assert_eq!(page.rejected[0].error.code(), "signer_compromised");
    }

    async fn what_a_former_member_sealed_anew_is_listed_once(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let other = ops.welcome_ops(&server.url(), OTHER, "Otto Other").await;
        let late = other.welcome(&server.url(), "late@example.com").await;
        let file = other.deliver(&client, "content").await;
        other.share(file, &late, Terms::default()).await.unwrap();
        other.me.unshare_rekeying(file, std::slice::from_ref(&late.email), &|_| {}).await.unwrap();
        let revocation = ops.me.revocation(&address(OTHER)).await.unwrap();
        revocation.revoke(RevokeReason::Left).await.unwrap();
        let left = ops.me.left_files(&address(OTHER), None).await.unwrap();
        let shares = left.items[0].shares.iter().map(|share| (share.recipient.email.as_str(), share.ended));
        assert_eq!(shares.collect::<BTreeMap<_, _>>(), BTreeMap::from([(CLIENT, false), (late.email.as_str(), true)]));
        assert_eq!((left.items.len(), left.items[0].shares.len()), (1, 2));
    }

    async fn only_what_former_members_own_is_withdrawn(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let other = ops.welcome_ops(&server.url(), OTHER, "Otto Other").await;
        let (own, colleagues) = (ops.deliver(&client, "own").await, other.deliver(&client, "theirs").await);
        assert_eq!(told(ops.me.withdraw(own).await).1, "owner_active");
        assert_eq!(told(ops.me.withdraw(colleagues).await).0, ErrorKind::NotFound);
        assert_eq!(told(ops.me.left_files(&address(OTHER), None).await).1, "recipient_unknown");
        assert_eq!(told(client.me.withdraw(own).await).0, ErrorKind::Forbidden);
        for file in [own, colleagues] {
            client.download(file).await.unwrap();
        }
    }

    async fn an_ops_member_may_revoke_themselves_while_another_stays(server: TestServer) {
        let (ops, _client) = sdk::organisation(&server).await;
        let other = ops.welcome_ops(&server.url(), OTHER, "Otto Other").await;
        let revocation = ops.me.revocation(&address(OPS)).await.unwrap();
        assert!(revocation.is_oneself());
        revocation.revoke(RevokeReason::Left).await.unwrap();
        assert_eq!(told(ops.me.files(None).await).1, "account_ended");
        let contacts = other.me.contacts().await.unwrap();
        assert!(contacts.iter().any(|contact| contact.person.email == OPS && contact.status == ContactStatus::Left));
    }
}
