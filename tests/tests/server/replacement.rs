//! A new account in place of one whose keys are lost (protocol §6; attack catalogue A70): the server's part.

use sealpost_api::{
    account::{AccountStatus, MemberView},
    auth::{KeyChallenge, KeyChallengeRequest, KeyLogin, Session},
    log::AppendLog,
    paging::Page,
    routes,
};
use sealpost_crypto::{id::UserId, record::RawRecord, records::Certify};
use sealpost_tests::{
    TestServer,
    http::Answer,
    on_every_backend,
    raw::{Invitation, Person, SignIn, Terms, found},
};

const EMAIL: &str = "client@example.com";
const OLD: &str = "correct horse battery staple";
const NEW: &str = "another horse, another battery";

on_every_backend! {
    async fn until_it_is_certified_the_old_account_is_the_one_that_counts(server: TestServer) {
        let ops = found(&server).await;
        let old = joined(&ops).await;
        let file = ops.upload().await;
        ops.share_with(&file, &old, Terms::default()).await;
        let begun = SignIn::start(&server.api(), EMAIL, OLD).await;
        let invitation = replacing(&ops, &old).await;
        let new = invitation.accept_with(NEW).await;
        let signed_in = async |password| -> Session {
            SignIn::run(&server.api(), EMAIL, password, &ops.org_id).await.json()
        };
        assert_eq!(signed_in(OLD).await.account.user_id, old.user_id);
        new.api.get(&routes::FILES_SHARED, &[]).await.fails(403, "account_pending");
        old.api.get(&routes::FILES_SHARED, &[]).await.ok();

        let record = certificate(&ops, &invitation, &new, old.user_id).await;
        for _ in 0..2 {
            append(&ops, record.clone()).await.ok();
        }
        assert_eq!(signed_in(NEW).await.account.user_id, new.user_id);
        new.api.get(&routes::FILES_SHARED, &[]).await.ok();
        // Nothing of the old one is left: session, password, a sign-in that had begun, downloads.
        old.api.get(&routes::FILES_SHARED, &[]).await.fails(401, "not_signed_in");
        let file_id = file.upload.file_id;
        old.api.get(&routes::DOWNLOAD, &[&file_id]).await.fails(401, "not_signed_in");
        SignIn::run(&server.api(), EMAIL, OLD, &ops.org_id).await.fails(401, "login_failed");
        let request = begun.finish(&ops.org_id);
        server.api().call(&routes::LOGIN_FINISH, &[], &request).await.fails(401, "login_failed");
        key_login(&server, &old).await.fails(403, "account_ended");
        key_login(&server, &new).await.ok();
        // And what it could read, the new one can't.
        new.api.get(&routes::FILE, &[&file_id]).await.fails(404, "not_found");
        assert_eq!(
            (status(&ops, old.user_id).await, status(&ops, new.user_id).await),
            (AccountStatus::Revoked, AccountStatus::Active)
        );
    }

    async fn only_the_active_account_of_that_address_is_replaced(server: TestServer) {
        let ops = found(&server).await;
        let old = joined(&ops).await;
        let other = ops.welcome("other@example.com").await;
        let create = async |email: &str, replaces| {
            let mut invitation = ops.offer(email).await;
            invitation.request.replaces = replaces;
            ops.api.call(&routes::CREATE_INVITE, &[], &invitation.request).await
        };
        create(EMAIL, None).await.fails(409, "already_member");
        for (email, replaces) in
            [(EMAIL, other.user_id), (EMAIL, UserId::random()), ("new@example.com", old.user_id)]
        {
            create(email, Some(replaces)).await.fails(422, "replaces_unknown");
        }
        create(EMAIL, Some(old.user_id)).await.ok();
    }

    async fn the_entry_replaces_exactly_whom_the_invite_named(server: TestServer) {
        let ops = found(&server).await;
        let old = joined(&ops).await;
        let other = ops.welcome("other@example.com").await;
        let invitation = replacing(&ops, &old).await;
        let new = invitation.accept().await;
        for wrong in [UserId::ZERO, other.user_id, UserId::random()] {
            let record = certificate(&ops, &invitation, &new, wrong).await;
            append(&ops, record).await.fails(422, "record_invalid");
        }
        // An ordinary invite replaces nobody.
        let ordinary = ops.invite("third@example.com").await;
        let third = ordinary.accept().await;
        let record = certificate(&ops, &ordinary, &third, old.user_id).await;
        append(&ops, record).await.fails(422, "record_invalid");
        old.api.get(&routes::FILES_SHARED, &[]).await.ok();
        let record = certificate(&ops, &invitation, &new, old.user_id).await;
        append(&ops, record).await.ok();
    }

    async fn one_replacement_waits_at_a_time_and_a_new_code_takes_its_place(server: TestServer) {
        let ops = found(&server).await;
        let old = joined(&ops).await;
        let first = replacing(&ops, &old).await;
        let thief = first.accept().await;
        let mut second = ops.offer(EMAIL).await;
        second.request.replaces = Some(old.user_id);
        ops.api.call(&routes::CREATE_INVITE, &[], &second.request).await.fails(409, "already_member");

        // The same account again, under a new code: whoever was first is out.
        let again = ops.offer_again(&first).await;
        ops.api.call(&routes::CREATE_INVITE, &[], &again.request).await.ok();
        let new = again.accept().await;
        thief.api.get(&routes::ACCOUNT, &[]).await.fails(401, "not_signed_in");
        let record = certificate(&ops, &again, &new, old.user_id).await;
        append(&ops, record).await.ok();
        let stale = certificate(&ops, &first, &thief, old.user_id).await;
        append(&ops, stale).await.fails(422, "record_invalid");
    }
}

/// A certified client with a password.
async fn joined(ops: &Person) -> Person {
    let invitation = ops.invite(EMAIL).await;
    let client = invitation.accept_with(OLD).await;
    ops.certify(&invitation, &client).await;
    client
}

/// An invite to the same address, in place of `old`.
async fn replacing(ops: &Person, old: &Person) -> Invitation {
    let mut invitation = ops.offer(&old.email).await;
    invitation.request.replaces = Some(old.user_id);
    ops.api.call(&routes::CREATE_INVITE, &[], &invitation.request).await.ok();
    invitation
}

async fn certificate(ops: &Person, invitation: &Invitation, new: &Person, replaces: UserId) -> RawRecord {
    let entry: Certify = ops.certificate(invitation, new).await.get().clone();
    ops.sign(Certify { replaces, ..entry }).into_raw()
}

async fn append(ops: &Person, record: RawRecord) -> Answer {
    ops.api.call(&routes::APPEND_LOG, &[], &AppendLog { record }).await
}

async fn key_login(server: &TestServer, person: &Person) -> Answer {
    let api = server.api();
    let request = KeyChallengeRequest { signing_key: person.keys.signing.public_key() };
    let challenge: KeyChallenge = api.call(&routes::KEY_CHALLENGE, &[], &request).await.json();
    assert_eq!(challenge.user_id, person.user_id);
    let login = sealpost_crypto::records::Login {
        org_id: person.org_id,
        signer: person.user_id,
        signer_bundle: person.bundle.id(),
        nonce: challenge.nonce,
        time: challenge.time,
    };
    let login = person.sign(login).into_raw();
    api.call(&routes::KEY_LOGIN, &[], &KeyLogin { login }).await
}

async fn status(ops: &Person, user_id: UserId) -> AccountStatus {
    let page: Page<MemberView> = ops.api.get(&routes::MEMBERS, &[]).await.json();
    page.items.iter().find(|member| member.opening.user_id == user_id).expect("listed").status
}
