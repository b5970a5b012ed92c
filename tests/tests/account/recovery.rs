//! A password that is changed, and one that is lost, on every backend.

use sealpost_client::{
    AccountKey, AccountSeed, Error, ErrorKind, OrgId, RecoveryKit, SignedIn,
    store::{MemoryStore, StateStore},
};
use sealpost_crypto::login::MAX_CLOCK_SKEW;
use sealpost_tests::{
    KeptAccount, TestServer, on_every_backend,
    proxy::LossyProxy,
    sdk::{self, CLIENT, Device, anonymous, secret},
};

const NEW: &str = "another horse, another battery";

on_every_backend! {
    async fn a_changed_password_counts_at_once_and_the_old_one_no_more(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let file = ops.upload("a.txt", b"content").await;
        ops.share(file, &client, Default::default()).await.unwrap();
        for person in [&ops, &client] {
            let wrong = person.me.change_password(secret("not the password"), secret(NEW)).await.unwrap_err();
            assert_eq!((wrong.kind(), wrong.code()), (ErrorKind::LoginFailed, "login_failed"));
            login(&server, person, &person.password).await.expect("nothing was changed");

            person.me.change_password(secret(&person.password), secret(NEW)).await.unwrap();
            let old = login(&server, person, &person.password).await.map(drop).unwrap_err();
            assert_eq!(old.kind(), ErrorKind::LoginFailed);
            login(&server, person, NEW).await.expect("the new password");
            // This device goes on, and may do it again.
            person.me.change_password(secret(NEW), secret("a third one, for good")).await.unwrap();
        }
        assert_eq!(client.download(file).await.unwrap(), b"content");
    }

    async fn another_device_goes_on_by_its_key_and_learns_of_the_change(server: TestServer) {
        let (_, client) = sdk::organisation(&server).await;
        let mut other = client.other_device(&server.url()).await;
        let kit = kit_of(&client).await;
        let who = client.me.whoami().await.unwrap().user_id;
        let (before, session) = (KeptAccount::take(&server, who).await, other.blob("session"));
        client.me.change_password(secret(&client.password), secret(NEW)).await.unwrap();
        other.restart().await;
        other.me.whoami().await.expect("the key opens a new session");
        assert_ne!(other.blob("session"), session, "the old session had ended");

        // A14: the server restores what rested on the old password. Only the old device knew nothing better.
        before.restore(&server).await;
        // Nothing new is signed on top of it.
        let change = other.me.change_password(secret(&client.password), secret("a third one, for good")).await;
        assert_eq!(code(change), (ErrorKind::Verification, "credential_rollback".into()));
        server.execute("DELETE FROM sessions".into()).await;
        assert_eq!(code(other.me.whoami().await), (ErrorKind::Verification, "credential_rollback".into()));
        let old = login_on(&server, &other, &client.password).await;
        assert_eq!(code(old), (ErrorKind::Verification, "credential_rollback".into()));
        // A fresh device is told by the vault.
        let fresh = login(&server, &client, &client.password).await;
        assert_eq!(code(fresh), (ErrorKind::Verification, "credential_rollback".into()));
        let recovered = anonymous(&server.url(), &MemoryStore::new()).recover(kit).await;
        assert_eq!(code(recovered), (ErrorKind::Verification, "credential_rollback".into()));
    }

    async fn an_answer_that_is_lost_changes_nothing_about_the_change(server: TestServer) {
        let proxy = LossyProxy::start(server.watched()).await;
        let ops = sdk::found(&server).await;
        let client = ops.welcome(&proxy.url(), CLIENT).await;
        // Every third answer is lost, then every fourth, and so on, until none is.
        for every in [3, 4, 5, 0] {
            proxy.lose_every(every);
            match client.me.change_password(secret(&client.password), secret(NEW)).await {
                Err(error) if every > 0 => assert_eq!(error.kind(), ErrorKind::Network, "{error}"),
                outcome => outcome.unwrap(),
            }
        }
        login(&server, &client, NEW).await.expect("the new password");

        // Every answer is lost, and so nobody knows whether it counts; until it is tried again.
        let third = "a third one, for good";
        for answers in 3..12 {
            proxy.lose_after(answers);
            let lost = client.me.change_password(secret(NEW), secret(third)).await;
            proxy.lose_after(usize::MAX);
            if login(&server, &client, third).await.is_ok() {
                assert_eq!(code(lost).0, ErrorKind::Network);
                let never = client.me.change_password(secret(NEW), secret("not what was sent")).await;
                assert_eq!(code(never).0, ErrorKind::LoginFailed);
                client.me.change_password(secret(NEW), secret(third)).await.expect("the same again");
                return;
            }
        }
        panic!("the change never arrived");
    }

    async fn the_kit_sets_a_new_password_and_stays_valid(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let file = ops.upload("a.txt", b"content").await;
        ops.share(file, &client, Default::default()).await.unwrap();
        for (person, role) in [(&ops, "Ops"), (&client, "Client")] {
            let session = person.blob("session");
            let kit = kit_of(person).await;
            for password in [NEW, "a third one, for good"] {
                let (store, text) = (MemoryStore::new(), kit.to_text());
                let found = anonymous(&server.url(), &store).recover(RecoveryKit::parse(&text).unwrap()).await.unwrap();
                assert_eq!(found.identity().email, person.email.as_str());
                assert_eq!(format!("{:?}", found.identity().role), role);
                let me = found.set_password(secret(password)).await.unwrap();
                let device = Device { email: person.email.clone(), password: password.into(), store, me };
                assert_eq!(kit_of(&device).await, kit);
                if role == "Client" {
                    assert_eq!(device.download(file).await.unwrap(), b"content");
                }
                login(&server, &device, password).await.expect("the new password");
            }
            assert_eq!(code(login(&server, person, &person.password).await).0, ErrorKind::LoginFailed);
            person.me.whoami().await.expect("a device that holds the key goes on");
            assert_ne!(person.blob("session"), session, "in a new session");
        }
    }

    async fn a_pending_account_is_recovered_too(server: TestServer) {
        let ops = sdk::found(&server).await;
        let client = sdk::join(&server.url(), CLIENT, ops.invite(CLIENT).await).await;
        client.me.change_password(secret(&client.password), secret(NEW)).await.unwrap();
        let found = anonymous(&server.url(), &MemoryStore::new()).recover(kit_of(&client).await).await.unwrap();
        found.set_password(secret("a third one, for good")).await.unwrap();
        assert_eq!(ops.me.certify_accepted().await.unwrap().len(), 1);
        login(&server, &client, "a third one, for good").await.expect("certified");
    }

    async fn what_is_wrong_with_a_kit_is_said_before_anything_is_kept(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let (of_ops, of_client) = (kit_of(&ops).await, kit_of(&client).await);
        let recover = async |kit: RecoveryKit| {
            let store = MemoryStore::new();
            let outcome = anonymous(&server.url(), &store).recover(kit).await;
            let error = outcome.map(drop).unwrap_err();
            for kept in ["profile", "seed", "session", "account-key"] {
                assert!(store.load(kept).unwrap().is_none(), "{error}");
            }
            assert!(error.hint().is_some(), "{error}");
            (error.kind(), error.code().to_owned())
        };
        let wrong = [
            (RecoveryKit { seed: AccountSeed::random(), ..of_ops.clone() }, ErrorKind::LoginFailed, "kit_unknown"),
            (RecoveryKit { org_id: OrgId::random(), ..of_ops.clone() }, ErrorKind::Verification, "foreign_organisation"),
            (RecoveryKit { account_key: None, ..of_ops.clone() }, ErrorKind::InvalidInput, "kit_account_key_missing"),
            (
                RecoveryKit { account_key: Some(AccountKey::random()), ..of_client.clone() },
                ErrorKind::InvalidInput,
                "kit_account_key_unexpected",
            ),
        ];
        for (kit, kind, code) in wrong {
            assert_eq!(recover(kit).await, (kind, code.to_owned()));
        }
        let ops_id = ops.me.whoami().await.unwrap().user_id;
        let revoked = format!("UPDATE accounts SET status = 3 WHERE user_id = {}", server.literal(&ops_id));
        server.execute(revoked).await;
        assert_eq!(recover(of_ops.clone()).await, (ErrorKind::AccountEnded, "account_ended".to_owned()));

        server.pass_time(86_400 + MAX_CLOCK_SKEW);
        let off = recover(of_client.clone()).await;
        assert_eq!(off, (ErrorKind::LoginFailed, "clock_off".to_owned()));
    }

    async fn a_home_of_another_account_is_left_alone(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let before = client.blob("profile");
        let refused = anonymous(&server.url(), &client.store).recover(kit_of(&ops).await).await.map(drop).unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::State, "state_foreign"));
        assert_eq!(client.blob("profile"), before);
        client.me.whoami().await.unwrap();
    }
}

/// What stands on the person's kit.
pub async fn kit_of(device: &Device) -> RecoveryKit {
    RecoveryKit {
        seed: AccountSeed::from_slice(&device.blob("seed").expect("a seed")).expect("32 bytes"),
        org_id: device.me.whoami().await.expect("signed in").org_id,
        account_key: account_key(device),
    }
}

fn account_key(device: &Device) -> Option<AccountKey> {
    device.blob("account-key").and_then(|key| AccountKey::from_slice(&key))
}

/// Signs the person in on a fresh device.
async fn login(server: &TestServer, person: &Device, password: &str) -> Result<SignedIn, Error> {
    let fresh = anonymous(&server.url(), &MemoryStore::new());
    fresh.login(&person.email, secret(password), account_key(person)).await
}

/// Signs the person in on a device of theirs.
async fn login_on(server: &TestServer, device: &Device, password: &str) -> Result<SignedIn, Error> {
    let again = anonymous(&server.url(), &device.store);
    again.login(&device.email, secret(password), None).await
}

fn code<T>(outcome: Result<T, Error>) -> (ErrorKind, String) {
    let error = outcome.map(drop).unwrap_err();
    (error.kind(), error.code().to_owned())
}
