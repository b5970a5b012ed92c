//! A new code for somebody who is not certified yet, from any Ops member; on both databases.

use std::{sync::Arc, time::Duration};

use sealpost_client::{
    Admitting, ErrorKind, InviteCode, InviteRequest, SignedIn, UserId, store::MemoryStore,
};
use sealpost_tests::{
    TestServer, on_both_databases,
    sdk::{self, Device, address, anonymous, secret},
};

const BOB: &str = "bob@example.com";
const OTTO: &str = "otto@example.com";

on_both_databases! {
    async fn a_colleague_gives_a_new_code_for_the_same_account(server: TestServer) {
        let ops = sdk::found(&server).await;
        let otto = ops.welcome_ops(&server.url(), OTTO, "Otto").await;
        let first = ops.invite(BOB).await.reveal();
        let second = otto.invite(BOB).await;
        let again = || first.parse::<InviteCode>().unwrap();
        assert_eq!(look(&server, again()).await, "invite_replaced");
        let bob = sdk::join(&server.url(), BOB, second).await;
        assert!(ops.me.certify_accepted().await.unwrap().is_empty(), "it is Otto's to certify");
        assert_eq!(otto.me.certify_accepted().await.unwrap()[0].user_id, user_id(&bob).await);
        bob.me.shared(None).await.unwrap();
        assert_eq!(ops.me.admit_accepted().await.unwrap(), Default::default());
    }

    async fn whoever_accepts_the_newer_code_takes_the_place_of_the_older_registration(server: TestServer) {
        let ops = sdk::found(&server).await;
        let otto = ops.welcome_ops(&server.url(), OTTO, "Otto").await;
        let mut bob = sdk::join(&server.url(), BOB, ops.invite(BOB).await).await;
        let account = user_id(&bob).await;
        // The home has seen the first registration's vault; the second begins another one.
        bob.me.change_password(secret(&bob.password), secret("another horse")).await.unwrap();
        rejoin(&mut bob, &server, otto.invite(BOB).await).await;
        assert_eq!(user_id(&bob).await, account, "the same account under other keys");
        assert!(ops.me.certify_accepted().await.unwrap().is_empty(), "the first acceptance counts no more");
        assert_eq!(otto.me.certify_accepted().await.unwrap()[0].user_id, account);
        for _ in 0..2 {
            bob.me.shared(None).await.unwrap();
            bob.restart().await;
        }
        let file = ops.upload("a", b"content").await;
        ops.share(file, &bob, sealpost_client::Terms::default()).await.unwrap();
        assert_eq!(bob.download(file).await.unwrap(), b"content");
    }

    async fn once_certified_a_newer_code_admits_nobody(server: TestServer) {
        let ops = sdk::found(&server).await;
        let otto = ops.welcome_ops(&server.url(), OTTO, "Otto").await;
        let bob = sdk::join(&server.url(), BOB, ops.invite(BOB).await).await;
        let second = otto.invite(BOB).await.reveal();
        let eve = anonymous(&server.url(), &MemoryStore::new()).preview(second.parse().unwrap()).await.unwrap();
        let eve = eve.join(secret("eve's password")).await.unwrap();
        assert_eq!(ops.me.certify_accepted().await.unwrap()[0].user_id, user_id(&bob).await);
        assert_eq!(eve.complete().await.err().expect("too late").kind(), ErrorKind::InviteEnded);
        assert_eq!(look(&server, second.parse().unwrap()).await, "invite_replaced");
        let refused = otto.me.invite(request(BOB)).await.err().expect("a member");
        assert_eq!(refused.code(), "already_member");
        bob.me.shared(None).await.unwrap();
    }

    async fn a_person_whose_inviter_has_gone_is_invited_by_another(server: TestServer) {
        let ops = sdk::found(&server).await;
        let otto = ops.welcome_ops(&server.url(), OTTO, "Otto").await;
        let mut bob = sdk::join(&server.url(), BOB, otto.invite(BOB).await).await;
        let account = user_id(&bob).await;
        let replacing = ops.me.invite_with(request(OTTO), Admitting::Replacing).await.unwrap();
        sdk::join(&server.url(), OTTO, replacing.code).await;
        ops.me.confirmation(&address(OTTO)).await.unwrap().admit().await.unwrap();

        rejoin(&mut bob, &server, ops.invite(BOB).await).await;
        assert_eq!(ops.me.certify_accepted().await.unwrap()[0].user_id, account);
        bob.me.shared(None).await.unwrap();
    }

    async fn a_pending_ops_member_keeps_the_name_that_a_colleague_gave(server: TestServer) {
        let ops = sdk::found(&server).await;
        let otto = ops.welcome_ops(&server.url(), OTTO, "Otto").await;
        ops.me.invite_ops(sdk::ops_invite("petra@example.com", "Petra")).await.unwrap();
        let again = otto.me.invite_ops(sdk::ops_invite("petra@example.com", "")).await.unwrap();
        assert_eq!(again.name, "Petra");
        let petra = sdk::join(&server.url(), "petra@example.com", again.code).await;
        assert!(otto.me.certify_accepted().await.unwrap().is_empty());
        otto.me.confirmation(&petra.email).await.unwrap().admit().await.unwrap();
        assert_eq!(ops.me.verify(&petra.email).await.unwrap().person.name, "Petra");
    }
}

/// The same home once more, with another code.
async fn rejoin(device: &mut Device, server: &TestServer, code: InviteCode) {
    let preview = anonymous(&server.url(), &device.store).preview(code).await.unwrap();
    let account = preview.join(secret(&device.password)).await.unwrap();
    let before: SignedIn = std::mem::replace(&mut device.me, account.complete().await.unwrap());
    drop(before);
    device.me = SignedIn::resume(Arc::new(device.store.clone())).await.unwrap();
}

/// Why an invite can't be accepted.
async fn look(server: &TestServer, code: InviteCode) -> String {
    let preview = anonymous(&server.url(), &MemoryStore::new()).preview(code).await;
    preview.err().expect("refused").code().to_owned()
}

async fn user_id(device: &Device) -> UserId {
    device.me.whoami().await.unwrap().user_id
}

fn request(email: &str) -> InviteRequest {
    InviteRequest { email: address(email), expires_in: Duration::from_secs(86_400), account_key: false }
}
