//! A membership ends (protocol §5.1, `revoke`; attack catalogue A13, A55): the server's part.

use sealpost_api::{
    account::{AccountStatus, MemberView},
    auth::{KeyChallenge, KeyChallengeRequest, KeyLogin, Refresh},
    invite::{InviteState, InviteView},
    paging::Page,
    routes::{self, Access},
};
use sealpost_crypto::{
    id::UserId,
    records::{Login, RevokeReason},
};
use sealpost_tests::{
    TestServer,
    http::{Answer, send},
    on_every_backend,
    raw::{Person, SignIn, Terms, Upload, found},
    search::{Needle, everything, find},
};

const EMAIL: &str = "client@example.com";
const PASSWORD: &str = "correct horse battery staple";

on_every_backend! {
    async fn with_the_entry_every_token_of_the_member_is_worth_nothing(server: TestServer) {
        let ops = found(&server).await;
        let client = joined(&ops).await;
        let file = ops.upload().await;
        ops.share_with(&file, &client, Terms::default()).await;
        let file_id = file.upload.file_id;
        client.download(file_id, Some(&"ab".repeat(16))).await.ok();
        let begun = SignIn::start(&server.api(), EMAIL, PASSWORD).await;

        let entry = ops.revocation(&client, RevokeReason::Left).await;
        for _ in 0..2 {
            ops.append(&entry).await.ok();
        }
        for route in routes::ALL.iter().filter(|route| route.method == "GET") {
            if [Access::Member, Access::Session, Access::InviteeOrSession, Access::Ops].contains(&route.access) {
                send(client.api.route(route, &[&file_id, &1])).await.fails(401, "not_signed_in");
            }
        }
        client.download(file_id, Some(&"ab".repeat(16))).await.fails(401, "not_signed_in");
        let refresh_token = client.session.tokens.refresh_token.clone();
        server.api().call(&routes::REFRESH, &[], &Refresh { refresh_token }).await.fails(401, "not_signed_in");
        let request = begun.finish(&ops.org_id);
        server.api().call(&routes::LOGIN_FINISH, &[], &request).await.fails(401, "login_failed");
        assert_eq!(status(&ops, client.user_id).await, AccountStatus::Revoked);
    }

    async fn whoever_proves_to_be_the_former_member_is_told_so_and_nobody_else(server: TestServer) {
        let ops = found(&server).await;
        let client = joined(&ops).await;
        ops.revoke(&client, RevokeReason::Left).await;
        let api = server.api();
        let told = key_login(&server, &client).await.fails(403, "account_ended");
        assert_eq!(told.detail, "Your membership has ended.");
        let told = SignIn::run(&api, EMAIL, PASSWORD, &ops.org_id).await.fails(403, "account_ended");
        assert_eq!(told.detail, "Your membership has ended.");
        SignIn::run(&api, EMAIL, "another password", &ops.org_id).await.fails(401, "login_failed");
        // The address is free: whoever has it next signs in as always.
        let again = ops.invite(EMAIL).await;
        let next = again.accept_with("a password of their own").await;
        SignIn::run(&api, EMAIL, PASSWORD, &ops.org_id).await.fails(401, "login_failed");
        ops.certify(&again, &next).await;
        SignIn::run(&api, EMAIL, "a password of their own", &ops.org_id).await.ok();
        assert_ne!(next.user_id, client.user_id);
    }

    async fn nothing_more_is_shared_with_a_former_member(server: TestServer) {
        let ops = found(&server).await;
        let client = joined(&ops).await;
        let file = ops.upload().await;
        // Signed before, sent after.
        let bundle = client.bundle.id();
        let share = ops.sealed_share(&file.manifest, client.user_id, bundle, Terms::default()).await;
        ops.revoke(&client, RevokeReason::Left).await;
        let problem = ops.send_share(file.upload.file_id, share).await.problem.unwrap();
        assert_eq!(problem.code.as_str(), "recipient_unknown");
    }

    async fn an_ops_members_invites_and_unfinished_uploads_end_too(server: TestServer) {
        let ops = found(&server).await;
        let other = ops.welcome_ops(&server, "other@example.com").await;
        let (open, accepted) = (other.invite("open@example.com").await, other.invite("accepted@example.com").await);
        let waiting = accepted.accept().await;
        let (_, late) = open.acceptance().await;
        let certificate = other.certificate(&accepted, &waiting).await;
        let unfinished = Upload::of_size(100);
        other.begin(unfinished.file_id).await.ok();
        other.put_part(unfinished.file_id, 0, &unfinished.parts[0]).await.ok();
        let finished = other.upload().await;
        let client = ops.welcome(EMAIL).await;
        other.share_with(&finished, &client, Terms::default()).await;

        ops.revoke(&other, RevokeReason::Left).await;
        let seen: InviteView = open.api.get(&routes::INVITE, &[&open.id()]).await.json();
        assert_eq!(seen.state, InviteState::Cancelled);
        open.send_acceptance(&late).await.fails(410, "invite_cancelled");
        open.api.get(&routes::LOG, &[]).await.fails(410, "invite_cancelled");
        // Nobody else can admit whom they had invited, by that invite.
        ops.append(certificate.raw()).await.fails(422, "record_invalid");
        // What was on its way is gone for good, what was delivered is still there.
        client.api.get(&routes::FILE, &[&finished.upload.file_id]).await.ok();
        let needle = [Needle::new("ciphertext", &unfinished.ciphertext()[..64])];
        let freed = |name: &str| name.contains(".sqlite") || name.contains("/pg/data/");
        let left = everything(&server).await.into_iter().filter(|place| !freed(&place.name));
        assert_eq!(find(&left.collect::<Vec<_>>(), &needle), Vec::<String>::new());
    }

    async fn who_left_may_turn_out_to_be_compromised_and_never_the_reverse(server: TestServer) {
        let ops = found(&server).await;
        let client = joined(&ops).await;
        ops.revoke(&client, RevokeReason::Left).await;
        let again = ops.revocation(&client, RevokeReason::Left).await;
        ops.append(&again).await.fails(422, "record_invalid");
        ops.revoke(&client, RevokeReason::Compromised).await;
        for reason in [RevokeReason::Left, RevokeReason::Compromised] {
            let record = ops.revocation(&client, reason).await;
            ops.append(&record).await.fails(422, "record_invalid");
        }
    }

    async fn only_ops_revoke_and_one_of_them_stays(server: TestServer) {
        let ops = found(&server).await;
        let client = joined(&ops).await;
        let by_client = client.revocation(&ops, RevokeReason::Left).await;
        client.append(&by_client).await.fails(403, "role_forbidden");
        ops.append(&by_client).await.fails(422, "record_invalid");
        let last = ops.revocation(&ops, RevokeReason::Left).await;
        let problem = ops.append(&last).await.fails(422, "record_invalid");
        assert!(problem.detail.contains("no active Ops member"), "{}", problem.detail);
        let other = ops.welcome_ops(&server, "other@example.com").await;
        ops.revoke(&ops, RevokeReason::Left).await;
        ops.api.get(&routes::FILES, &[]).await.fails(401, "not_signed_in");
        other.api.get(&routes::FILES, &[]).await.ok();
    }

    async fn of_two_who_write_at_once_the_second_gets_the_firsts_entry(server: TestServer) {
        let ops = found(&server).await;
        let [one, two] = [ops.welcome("one@example.com").await, ops.welcome("two@example.com").await];
        let first = ops.revocation(&one, RevokeReason::Left).await;
        let second = ops.revocation(&two, RevokeReason::Left).await;
        ops.append(&first).await.ok();
        let problem = ops.append(&second).await.fails(409, "log_conflict");
        assert_eq!(problem.record, Some(first));
        two.api.get(&routes::FILES_SHARED, &[]).await.ok();
    }
}

async fn joined(ops: &Person) -> Person {
    let invitation = ops.invite(EMAIL).await;
    let client = invitation.accept_with(PASSWORD).await;
    ops.certify(&invitation, &client).await;
    client
}

async fn key_login(server: &TestServer, person: &Person) -> Answer {
    let api = server.api();
    let request = KeyChallengeRequest { signing_key: person.keys.signing.public_key() };
    let challenge: KeyChallenge = api.call(&routes::KEY_CHALLENGE, &[], &request).await.json();
    let login = Login {
        org_id: person.org_id,
        signer: person.user_id,
        signer_bundle: person.bundle.id(),
        nonce: challenge.nonce,
        time: challenge.time,
    };
    api.call(&routes::KEY_LOGIN, &[], &KeyLogin { login: person.sign(login).into_raw() }).await
}

async fn status(ops: &Person, user_id: UserId) -> AccountStatus {
    let page: Page<MemberView> = ops.api.get(&routes::MEMBERS, &[]).await.json();
    page.items.iter().find(|member| member.opening.user_id == user_id).expect("listed").status
}
