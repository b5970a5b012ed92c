//! Changing a password (protocol §3.4; attack catalogue A14, A65, A71): only the account's key does it, once for each
//! epoch, and whatever rested on the old one ends.

use sealpost_api::{
    account::{AccountView, ChangeCredential},
    auth::Refresh,
    limits::REGISTRATION_SECONDS,
    routes,
};
use sealpost_crypto::{
    id::{Digest, OrgId, RecordId, UserId},
    record::RawRecord,
    records::Credential,
};
use sealpost_tests::{
    TestServer,
    http::Api,
    on_every_backend,
    raw::{Person, SignIn, found, found_and_join},
};

const EMAIL: &str = "client@example.com";
const PASSWORD: &str = "correct horse battery staple";

on_every_backend! {
    async fn a_change_counts_once_and_its_repeat_is_the_same_change(server: TestServer) {
        let (_, client) = found_and_join(&server).await;
        let first = credential(&client.api).await;
        let change = client.password_change(client.credential_nonce().await, &first, |_| {});
        for _ in 0..2 {
            client.send_password_change(&change).await.ok();
        }
        let view = account(&client.api).await;
        assert_eq!((&view.credential, &view.envelope), (&change.credential, &change.envelope));

        // Another one for the same place comes too late, from whichever device.
        let late = client.password_change(client.credential_nonce().await, &first, |_| {});
        client.send_password_change(&late).await.fails(409, "credential_changed");
        // The first one once more is old now.
        let next = client.password_change(client.credential_nonce().await, &change.credential, |_| {});
        client.send_password_change(&next).await.ok();
        client.send_password_change(&change).await.fails(409, "credential_changed");
        assert_eq!(credential(&client.api).await, next.credential);
    }

    async fn every_other_session_ends_and_so_does_a_sign_in_that_has_begun(server: TestServer) {
        let ops = found(&server).await;
        let invitation = ops.invite(EMAIL).await;
        let client = invitation.accept_with(PASSWORD).await;
        let other = sign_in(&server, &client).await;
        let begun = SignIn::start(&server.api(), EMAIL, PASSWORD).await;

        // A pending account may do it too.
        let first = credential(&client.api).await;
        let change = client.password_change(client.credential_nonce().await, &first, |_| {});
        client.send_password_change(&change).await.ok();
        client.api.get(&routes::ACCOUNT, &[]).await.ok();
        other.api.get(&routes::ACCOUNT, &[]).await.fails(401, "not_signed_in");
        let refresh = Refresh { refresh_token: other.session.tokens.refresh_token.clone() };
        server.api().call(&routes::REFRESH, &[], &refresh).await.fails(401, "not_signed_in");
        let request = begun.finish(&client.org_id);
        server.api().call(&routes::LOGIN_FINISH, &[], &request).await.fails(401, "login_failed");
        SignIn::run(&server.api(), EMAIL, PASSWORD, &client.org_id).await.fails(401, "login_failed");
        // Nobody else's session is touched.
        ops.api.get(&routes::ACCOUNT, &[]).await.ok();
    }

    async fn a_stolen_session_changes_no_password(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let before = account(&client.api).await;
        let nonce = client.credential_nonce().await;
        // The thief has the session, and only keys of another account.
        let forged = ops.password_change(nonce, &before.credential, |credential| {
            credential.signer = client.user_id;
            credential.signer_bundle = client.bundle.id();
        });
        let unsigned = ChangeCredential { credential: before.credential.clone(), ..forged.clone() };
        let no_credential = ChangeCredential { credential: ops.bundle.raw().clone(), ..forged.clone() };
        for (change, status) in [(forged, 422), (unsigned, 409), (no_credential, 422)] {
            assert_eq!(client.send_password_change(&change).await.problem().status, status);
        }
        let after = account(&client.api).await;
        assert_eq!((after.credential, after.envelope), (before.credential, before.envelope));
    }

    async fn a_change_must_say_what_is_true(server: TestServer) {
        type Edit = fn(&mut Credential);
        let (_, client) = found_and_join(&server).await;
        let first = credential(&client.api).await;
        let edits: [(Edit, u16); 9] = [
            (|c| c.org_id = OrgId::random(), 422),
            (|c| c.signer = UserId::random(), 422),
            (|c| c.signer_bundle = RecordId::random(), 422),
            (|c| c.generation = 2, 422),
            (|c| c.epoch = 3, 409),
            (|c| c.account_key = !c.account_key, 422),
            (|c| c.opaque_record = Digest::random(), 422),
            (|c| c.envelope = Digest::random(), 422),
            (|c| c.previous = RecordId::random(), 409),
        ];
        for (number, (edit, status)) in edits.into_iter().enumerate() {
            let change = client.password_change(client.credential_nonce().await, &first, edit);
            let problem = client.send_password_change(&change).await.problem();
            assert_eq!(problem.status, status, "edit {number}: {problem:?}");
        }
        let good = client.password_change(client.credential_nonce().await, &first, |_| {});
        let mut short = good.clone();
        short.opaque_record.0.pop();
        assert_eq!(client.send_password_change(&short).await.problem().status, 400);
        let mut other = good.clone();
        other.envelope.0[20] ^= 1;
        assert_eq!(client.send_password_change(&other).await.problem().status, 422);
        assert_eq!(credential(&client.api).await, first);
        client.send_password_change(&good).await.ok();
    }

    async fn a_nonce_is_good_for_its_account_once_and_for_an_hour(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let first = credential(&client.api).await;
        let refused = async |nonce| {
            let change = client.password_change(nonce, &first, |_| {});
            assert_eq!(client.send_password_change(&change).await.problem().status, 422);
        };
        refused(Digest::random()).await;
        refused(ops.credential_nonce().await).await;
        let used = client.credential_nonce().await;
        let change = client.password_change(used, &first, |_| {});
        client.send_password_change(&change).await.ok();
        let again = client.password_change(used, &change.credential, |_| {});
        assert_eq!(client.send_password_change(&again).await.problem().status, 422);

        let (old, mut client) = (client.credential_nonce().await, client);
        server.pass_time(REGISTRATION_SECONDS + 1);
        client.refresh().await;
        let late = client.password_change(old, &change.credential, |_| {});
        assert_eq!(client.send_password_change(&late).await.problem().status, 422);
    }

    async fn racing_changes_leave_one_winner(server: TestServer) {
        let (_, client) = found_and_join(&server).await;
        let first = credential(&client.api).await;
        let mut changes = Vec::new();
        for _ in 0..5 {
            changes.push(client.password_change(client.credential_nonce().await, &first, |_| {}));
        }
        let answers = futures_util::future::join_all(changes.iter().map(|c| client.send_password_change(c))).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status.is_success());
        assert_eq!((won.len(), lost.len()), (1, 4));
        lost.iter().for_each(|answer| { answer.fails(409, "credential_changed"); });
        let stands = account(&client.api).await;
        let winner = changes.iter().find(|change| change.credential == stands.credential).expect("one of them");
        assert_eq!(winner.envelope, stands.envelope);
    }
}

async fn account(api: &Api) -> AccountView {
    api.get(&routes::ACCOUNT, &[]).await.json()
}

async fn credential(api: &Api) -> RawRecord {
    account(api).await.credential
}

/// The same person in a second session.
async fn sign_in(server: &TestServer, person: &Person) -> Other {
    let api = server.api();
    let session: sealpost_api::auth::Session =
        SignIn::run(&api, EMAIL, PASSWORD, &person.org_id).await.json();
    Other { api: person.api_with_token(session.tokens.access_token.expose()), session }
}

struct Other {
    api: Api,
    session: sealpost_api::auth::Session,
}
