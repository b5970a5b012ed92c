//! Somebody who has lost everything gets a new account, and back what each owner wants them to have again; on every
//! backend.

use std::{sync::Arc, time::Duration};

use sealpost_client::{
    Admitting, ContactStatus, ErrorKind, FileId, InviteCode, InviteRequest, Replacement, SignedIn, Terms,
    store::MemoryStore,
};
use sealpost_tests::{
    TestServer, on_every_backend,
    sdk::{self, CLIENT, Device, OPS, address, anonymous, secret},
};

on_every_backend! {
    async fn a_lost_account_is_replaced_once_both_have_read_the_same_words(server: TestServer) {
        let (ops, old) = sdk::organisation(&server).await;
        let file = ops.upload("a.txt", b"content").await;
        ops.share(file, &old, Terms::default()).await.unwrap();
        let new = sdk::join(&server.url(), CLIENT, invite(&ops, Admitting::Replacing).await).await;
        let waiting = new.me.whoami().await.unwrap();

        // In passing, nobody is replaced; and until then the old account goes on.
        for _ in 0..2 {
            let admitted = ops.me.admit_accepted().await.unwrap();
            assert!(admitted.certified.is_empty());
            assert_eq!(admitted.waiting[0].user_id, waiting.user_id);
        }
        assert_eq!(old.download(file).await.unwrap(), b"content");
        assert_eq!(code(new.download(file).await), (ErrorKind::AccountPending, "account_pending".into()));

        let confirmation = ops.me.confirmation(&address(CLIENT)).await.unwrap();
        assert_eq!(Some(*confirmation.words()), waiting.words);
        assert_eq!(confirmation.replaces().unwrap().user_id, old.me.whoami().await.unwrap().user_id);
        assert_eq!(confirmation.admit().await.unwrap().user_id, waiting.user_id);
        let admitted = new.me.whoami().await.unwrap();
        assert_eq!((admitted.words, admitted.inviter), (None, None));

        // The old device is told what happened, whatever it does.
        let ended = code(old.me.whoami().await);
        assert_eq!(ended, (ErrorKind::AccountEnded, "account_ended".into()));
        let again = SignedIn::resume(Arc::new(old.store.clone())).await.unwrap();
        let error = again.shared(None).await.map(drop).unwrap_err();
        assert_eq!(error.code(), "account_ended");
        assert!(error.hint().unwrap().contains("Ops member"), "{error:?}");
        assert_eq!(code(new.download(file).await).0, ErrorKind::NotFound);

        let contacts = ops.me.contacts().await.unwrap();
        let of = |status| contacts.iter().find(|contact| contact.status == status).unwrap();
        assert!(of(ContactStatus::Replaced).succession.is_none());
        let succession = of(ContactStatus::Active).succession.clone().unwrap();
        assert_eq!(succession.invited_by.unwrap().email, OPS);
        assert!(succession.since.unwrap().abs_diff(server.now()) < 600);
    }

    async fn shares_come_back_by_the_owners_wish_on_what_is_left_of_their_terms(server: TestServer) {
        let (ops, old) = sdk::organisation(&server).await;
        let expires_at = Some(server.now() + 3_600);
        let limited = share(&ops, &old, "limited", Terms { expires_at, downloads: Some(2) }).await;
        let plain = share(&ops, &old, "plain", Terms::default()).await;
        let used_up = share(&ops, &old, "used up", Terms { expires_at: None, downloads: Some(1) }).await;
        let ended = share(&ops, &old, "ended", Terms::default()).await;
        let deleted = share(&ops, &old, "deleted", Terms::default()).await;
        for file in [limited, used_up] {
            old.download(file).await.unwrap();
        }
        ops.me.unshare(ended, &old.email).await.unwrap();
        ops.me.remove(deleted).await.unwrap();
        assert_eq!(code(ops.me.replacement(&old.email).await).1, "not_replaced");
        let new = replace(&server, &ops).await;

        let replacement = ops.me.replacement(&new.email).await.unwrap();
        assert_eq!(names(&replacement), ["limited", "plain"]);
        assert_eq!(replacement.old, [user_id(&old)]);
        assert_eq!(replacement.new.user_id, new.me.whoami().await.unwrap().user_id);
        assert_eq!(replacement.succession.invited_by.as_ref().unwrap().email, OPS);
        let lost = |name| replacement.shares.iter().find(|share| share.file.name == name).unwrap();
        assert_eq!(lost("limited").terms, Terms { expires_at, downloads: Some(1) });
        assert!(new.me.shared(None).await.unwrap().items.is_empty(), "looking shares nothing");

        ops.me.reshare(&replacement, lost("limited")).await.unwrap();
        assert_eq!(new.download(limited).await.unwrap(), b"limited");
        assert_eq!(code(new.download(limited).await).0, ErrorKind::NotFound, "the limit went with it");
        assert_eq!(code(new.download(plain).await).0, ErrorKind::NotFound, "nobody has said yes");
        let left = ops.me.replacement(&new.email).await.unwrap();
        assert_eq!(names(&left), ["plain"]);

        // Replaced twice: what the first account had is still known.
        let newest = replace(&server, &ops).await;
        let twice = ops.me.replacement(&newest.email).await.unwrap();
        assert_eq!(twice.old, [replacement.new.user_id, user_id(&old)]);
        assert_eq!(names(&twice), ["plain"]);
        // What was looked at before is about an account that has ended.
        assert_eq!(code(ops.me.reshare(&left, &left.shares[0]).await).1, "account_changed");
        ops.me.reshare(&twice, &twice.shares[0]).await.unwrap();
        assert_eq!(newest.download(plain).await.unwrap(), b"plain");
        let files = ops.me.files(None).await.unwrap().items;
        let shares = &files.iter().find(|own| own.file.file_id == plain).unwrap().shares;
        let ended: Vec<_> = shares.iter().map(|share| (share.recipient_ended, share.succession.is_some())).collect();
        assert_eq!(ended, [(true, false), (false, true)]);
    }

    async fn whoever_has_used_a_stolen_code_is_out_with_the_next_one(server: TestServer) {
        let (ops, old) = sdk::organisation(&server).await;
        let thief = sdk::join(&server.url(), CLIENT, invite(&ops, Admitting::Replacing).await).await;
        let heard = thief.me.whoami().await.unwrap().words;
        let code_again = invite(&ops, Admitting::Replacing).await;
        let new = sdk::join(&server.url(), CLIENT, code_again).await;
        let waiting = new.me.whoami().await.unwrap();
        let confirmation = ops.me.confirmation(&address(CLIENT)).await.unwrap();
        assert_eq!(Some(*confirmation.words()), waiting.words);
        assert_ne!(waiting.words, heard);
        confirmation.admit().await.unwrap();
        new.me.shared(None).await.unwrap();
        assert_eq!(code(thief.me.whoami().await).0, ErrorKind::NotSignedIn);
        assert_eq!(code(old.me.whoami().await).0, ErrorKind::AccountEnded);
    }

    async fn an_ordinary_invite_may_wait_for_the_words_too(server: TestServer) {
        let ops = sdk::found(&server).await;
        assert_eq!(code(ops.me.confirmation(&address(CLIENT)).await).0, ErrorKind::RecipientUnknown);
        let code_of = invite(&ops, Admitting::Confirmed).await;
        assert_eq!(code(ops.me.confirmation(&address(CLIENT)).await).0, ErrorKind::RecipientPending);
        let client = sdk::join(&server.url(), CLIENT, code_of).await;
        assert!(ops.me.certify_accepted().await.unwrap().is_empty());
        // Another device of the inviter knows it too: the flag is in the vault.
        let other = ops.other_device(&server.url()).await;
        assert_eq!(other.me.admit_accepted().await.unwrap().waiting.len(), 1);
        let confirmation = other.me.confirmation(&address(CLIENT)).await.unwrap();
        assert!(confirmation.replaces().is_none());
        confirmation.admit().await.unwrap();
        client.me.shared(None).await.unwrap();
        assert_eq!(ops.me.admit_accepted().await.unwrap(), Default::default());
    }

    async fn who_can_be_replaced_and_where_a_new_account_lives(server: TestServer) {
        let (ops, old) = sdk::organisation(&server).await;
        let nobody = request("nobody@example.com");
        assert_eq!(code(ops.me.invite_with(nobody, Admitting::Replacing).await).0, ErrorKind::RecipientUnknown);
        let oneself = ops.me.invite_with(request(OPS), Admitting::Replacing).await;
        assert_eq!(code(oneself).0, ErrorKind::InvalidInput);
        let member = ops.me.invite_with(request(CLIENT), Admitting::InPassing).await;
        assert_eq!(code(member).1, "already_member");

        // The old home holds the old account: that is said before anything is sent.
        let code_of = invite(&ops, Admitting::Replacing).await;
        let text = code_of.reveal();
        let occupied = anonymous(&server.url(), &old.store).preview(code_of).await;
        assert_eq!(code(occupied), (ErrorKind::State, "state_foreign".into()));
        let fresh = anonymous(&server.url(), &MemoryStore::new()).preview(text.parse().unwrap()).await.unwrap();
        fresh.join(secret("another horse, another battery")).await.unwrap().complete().await.unwrap();
    }
}

fn request(email: &str) -> InviteRequest {
    InviteRequest { email: address(email), expires_in: Duration::from_secs(86_400), account_key: false }
}

async fn invite(ops: &Device, admitting: Admitting) -> InviteCode {
    ops.me.invite_with(request(CLIENT), admitting).await.expect("an invite").code
}

/// The client with a new account.
async fn replace(server: &TestServer, ops: &Device) -> Device {
    let new = sdk::join(&server.url(), CLIENT, invite(ops, Admitting::Replacing).await).await;
    ops.me.confirmation(&address(CLIENT)).await.unwrap().admit().await.unwrap();
    new
}

/// A file whose content is its name.
async fn share(ops: &Device, with: &Device, name: &str, terms: Terms) -> FileId {
    let file = ops.upload(name, name.as_bytes()).await;
    ops.share(file, with, terms).await.expect("sharing");
    file
}

fn names(replacement: &Replacement) -> Vec<&str> {
    let mut names: Vec<&str> = replacement.shares.iter().map(|share| share.file.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// Whose device it is, by what it keeps.
fn user_id(device: &Device) -> sealpost_client::UserId {
    let profile: serde_json::Value = serde_json::from_slice(&device.blob("profile").unwrap()).unwrap();
    profile["value"]["user_id"].as_str().unwrap().parse().unwrap()
}

fn code<T>(outcome: Result<T, sealpost_client::Error>) -> (ErrorKind, String) {
    let error = outcome.map(drop).unwrap_err();
    (error.kind(), error.code().to_owned())
}
