//! More Ops members than one: how they come, what they share with each other and with a colleague's clients, and how
//! one who has lost everything is replaced; on both databases.

use std::time::Duration;

use sealpost_client::{Admitting, ErrorKind, InviteRequest, Role, Status, Terms, store::MemoryStore};
use sealpost_tests::{
    TestServer, on_both_databases,
    sdk::{self, CLIENT, OPS, address, anonymous, ops_invite, secret},
};

const OTTO: &str = "otto@example.com";
const OTTOS_NAME: &str = "Otto Ops";

on_both_databases! {
    async fn a_further_ops_member_has_an_account_key_and_waits_for_the_words(server: TestServer) {
        let ops = sdk::found(&server).await;
        let invite = ops.me.invite_ops(ops_invite(OTTO, OTTOS_NAME)).await.unwrap();
        assert_eq!((invite.role, invite.account_key, &*invite.name), (Role::Ops, true, OTTOS_NAME));
        let (otto, kit) = sdk::joined_with_kit(&server.url(), OTTO, invite.code).await;
        assert!(kit.account_key.is_some());
        let waiting = otto.me.whoami().await.unwrap();
        assert_eq!((waiting.role, waiting.status), (Role::Ops, Status::Pending));

        // In passing nobody is admitted, on no device of the inviter.
        let other = ops.other_device(&server.url()).await;
        for device in [&ops, &other, &ops] {
            let admitted = device.me.admit_accepted().await.unwrap();
            assert!(admitted.certified.is_empty());
            assert_eq!(admitted.waiting[0].email, OTTO);
        }
        assert_eq!(code(otto.me.files(None).await).0, ErrorKind::AccountPending);

        let confirmation = other.me.confirmation(&address(OTTO)).await.unwrap();
        assert_eq!((Some(*confirmation.words()), confirmation.role()), (waiting.words, Role::Ops));
        confirmation.admit().await.unwrap();
        let admitted = otto.me.whoami().await.unwrap();
        assert_eq!((admitted.role, admitted.status), (Role::Ops, Status::Active));
        let seen = ops.me.contacts().await.unwrap();
        assert_eq!((&*seen[0].person.name, seen[0].role), (OTTOS_NAME, Role::Ops));

        // The password alone opens nothing.
        let fresh = anonymous(&server.url(), &MemoryStore::new());
        let refused = fresh.login(&otto.email, secret(&otto.password), None).await;
        assert_eq!(code(refused).0, ErrorKind::LoginFailed);
        otto.other_device(&server.url()).await.me.files(None).await.unwrap();
    }

    async fn colleagues_share_with_each_other_and_with_each_others_clients(server: TestServer) {
        let (ops, carl) = sdk::organisation(&server).await;
        let otto = ops.welcome_ops(&server.url(), OTTO, OTTOS_NAME).await;
        // Certified by the founder; Otto has never heard of Carl, and needs nothing more than his address.
        let file = otto.upload("from otto", b"to carl").await;
        otto.share(file, &carl, Terms::default()).await.unwrap();
        let download = carl.me.download(file).await.unwrap();
        assert_eq!((&*download.from().email, &*download.from().name), (OTTO, OTTOS_NAME));
        drop(download);
        assert_eq!(carl.download(file).await.unwrap(), b"to carl");
        assert_eq!(otto.me.receipts(Some(file), None).await.unwrap().items.len(), 1);
        assert_eq!(code(ops.download(file).await).0, ErrorKind::NotFound, "colleagues see only what they are given");

        otto.share(file, &ops, Terms { expires_at: None, downloads: Some(1) }).await.unwrap();
        let shared = ops.me.shared(None).await.unwrap().items;
        assert_eq!((shared.len(), &*shared[0].from.email, shared[0].limit), (1, OTTO, Some(1)));
        assert_eq!(ops.download(file).await.unwrap(), b"to carl");
        assert!(ops.me.files(None).await.unwrap().items.is_empty(), "what was shared is not theirs");
        assert_eq!(code(ops.share(file, &carl, Terms::default()).await).0, ErrorKind::NotFound);
        let back = ops.upload("from ops", b"to otto").await;
        ops.share(back, &otto, Terms::default()).await.unwrap();
        assert_eq!(otto.download(back).await.unwrap(), b"to otto");

        // And the other way round: Otto invites, the founder shares.
        let dora = otto.welcome(&server.url(), "dora@example.com").await;
        ops.share(back, &dora, Terms::default()).await.unwrap();
        assert_eq!(dora.download(back).await.unwrap(), b"to otto");
    }

    async fn a_replaced_ops_member_leaves_what_they_shared_and_hands_nothing_on(server: TestServer) {
        let (ops, carl) = sdk::organisation(&server).await;
        let otto = ops.welcome_ops(&server.url(), OTTO, OTTOS_NAME).await;
        let file = otto.upload("before", b"from the old one").await;
        otto.share(file, &carl, Terms::default()).await.unwrap();
        let unseen = otto.upload("unseen", b"not looked at yet").await;
        otto.share(unseen, &carl, Terms::default()).await.unwrap();
        carl.download(file).await.unwrap();

        let invite = ops.me.invite_with(request(OTTO), Admitting::Replacing).await.unwrap();
        assert_eq!((invite.role, invite.account_key, &*invite.name), (Role::Ops, true, OTTOS_NAME));
        let new = sdk::join(&server.url(), OTTO, invite.code).await;
        assert!(ops.me.certify_accepted().await.unwrap().is_empty());
        otto.me.files(None).await.unwrap();
        let confirmation = ops.me.confirmation(&address(OTTO)).await.unwrap();
        assert_eq!(Some(*confirmation.words()), new.me.whoami().await.unwrap().words);
        confirmation.admit().await.unwrap();

        assert_eq!(code(otto.me.files(None).await).0, ErrorKind::AccountEnded);
        for (file, content) in [(file, &b"from the old one"[..]), (unseen, b"not looked at yet")] {
            assert_eq!(carl.download(file).await.unwrap(), content);
        }
        let shared = carl.me.shared(None).await.unwrap();
        assert!(shared.rejected.is_empty());
        assert_eq!(shared.items.iter().map(|file| file.sender_left).collect::<Vec<_>>(), [true, true]);
        assert!(new.me.files(None).await.unwrap().items.is_empty());
        assert_eq!(code(new.download(file).await).0, ErrorKind::NotFound);
        let again = new.upload("after", b"from the new one").await;
        new.share(again, &carl, Terms::default()).await.unwrap();
        assert_eq!(carl.download(again).await.unwrap(), b"from the new one");
        // A fresh device comes to the same end.
        assert_eq!(carl.other_device(&server.url()).await.download(unseen).await.unwrap(), b"not looked at yet");
        assert_eq!(carl.me.verify(&address(OPS)).await.unwrap().words.len(), 12);
        assert_eq!(ops.me.verify(&address(CLIENT)).await.unwrap().role, Role::Client);
    }
}

fn request(email: &str) -> InviteRequest {
    InviteRequest { email: address(email), expires_in: Duration::from_secs(86_400), account_key: false }
}

fn code<T>(outcome: Result<T, sealpost_client::Error>) -> (ErrorKind, String) {
    let error = outcome.map(drop).expect_err("refused");
    (error.kind(), error.code().to_owned())
}
