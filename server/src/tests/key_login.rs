use std::time::Duration;

use sealpost_api::{
    account::AccountStatus,
    auth::{KeyChallenge, KeyChallengeRequest, KeyLogin, Session},
    limits::CHALLENGE_SECONDS,
    routes,
};
use sealpost_crypto::{
    account::Account,
    id::{Digest, OrgId, UserId},
    login,
    record::RawRecord,
    secret::AccountSeed,
};

use crate::testing::{Answer, Auth, House, on_both};

impl House {
    async fn challenge(&self, account: &Account) -> KeyChallenge {
        let request = KeyChallengeRequest { signing_key: account.keys().signing.public_key() };
        self.call(routes::KEY_CHALLENGE, &[], Auth::Nobody, &request).await.json()
    }

    async fn key_login(&self, login: RawRecord) -> Answer {
        self.call(routes::KEY_LOGIN, &[], Auth::Nobody, &KeyLogin { login }).await
    }

    fn signed(&self, account: &Account, nonce: Digest) -> RawRecord {
        login::sign(account, nonce, self.clock.seconds()).unwrap().into_raw()
    }
}

on_both! {
    async fn the_key_opens_an_active_and_a_pending_account(house: House) {
        let ada = house.found().await;
        let inviting = house.invite(&ada, "carl@example.org").await;
        let carl = house.accept(&inviting).await;
        for (person, status) in [(&ada, AccountStatus::Active), (&carl, AccountStatus::Pending)] {
            let challenge = house.challenge(&person.account).await;
            assert_eq!((challenge.user_id, challenge.generation), (person.account.user_id(), 1));
            assert_eq!(challenge.org_id, person.account.org_id());
            let answer = house.key_login(house.signed(&person.account, challenge.nonce)).await;
            let session: Session = answer.json();
            assert_eq!((session.account.email, session.account.status), (person.email.clone(), status));
            house.get(routes::ACCOUNT, &[], "", Auth::Bearer(&session.tokens)).await.ok();
        }
    }

    async fn every_other_login_fails_with_the_same_words(house: House) {
        let ada = house.found().await;
        let (org_id, user) = (ada.account.org_id(), ada.account.user_id());
        let inviting = house.invite(&ada, "carl@example.org").await;
        let carl = house.accept(&inviting).await;
        let eve = |org_id, user| Account::derive(&AccountSeed::random(), org_id, user, 1).unwrap();
        let fresh = async || house.challenge(&ada.account).await.nonce;

        let used = house.signed(&ada.account, fresh().await);
        house.key_login(used.clone()).await.ok();
        let old = house.signed(&ada.account, fresh().await);
        house.clock.advance(Duration::from_secs(CHALLENGE_SECONDS + 1));
        let mut forged = house.signed(&ada.account, fresh().await);
        forged.signature = house.signed(&carl.account, fresh().await).signature;
        let seed = AccountSeed::from_slice(&[7; 32]).unwrap();
        let elsewhere = Account::derive(&seed, OrgId::random(), user, 1).unwrap();
        let refused = [
            used,
            old,
            forged,
            house.signed(&ada.account, Digest::random()),
            house.signed(&eve(org_id, UserId::random()), fresh().await),
            house.signed(&eve(org_id, user), fresh().await),
            house.signed(&eve(org_id, carl.account.user_id()), fresh().await),
            house.signed(&elsewhere, fresh().await),
            ada.account.bundle().raw(),
        ];
        let mut bodies = Vec::new();
        for login in refused {
            let answer = house.key_login(login).await;
            answer.fails(401, "login_failed");
            bodies.push(answer.body);
        }
        assert!(bodies.iter().all(|body| *body == bodies[0]));
    }

    async fn a_key_that_nobody_has_gets_a_challenge_like_any_other(house: House) {
        let ada = house.found().await;
        let nobody = Account::derive(&AccountSeed::random(), ada.account.org_id(), UserId::random(), 1).unwrap();
        let first = house.challenge(&nobody).await;
        let again = house.challenge(&nobody).await;
        assert_eq!((first.user_id, first.generation, first.org_id), (again.user_id, 1, ada.account.org_id()));
        assert_ne!(first.nonce, again.nonce);
    }

    async fn a_clock_that_is_off_is_named_only_to_who_holds_the_key(house: House) {
        let ada = house.found().await;
        let inviting = house.invite(&ada, "carl@example.org").await;
        let carl = house.accept(&inviting).await;
        let late = house.clock.seconds() + login::MAX_CLOCK_SKEW + 60;
        for account in [&ada.account, &carl.account] {
            let nonce = house.challenge(account).await.nonce;
            let raw = login::sign(account, nonce, late).unwrap().into_raw();
            assert!(house.key_login(raw.clone()).await.fails(401, "login_failed").detail.contains("clock"));
            let eve = Account::derive(&AccountSeed::random(), account.org_id(), account.user_id(), 1).unwrap();
            let forged = login::sign(&eve, nonce, late).unwrap().into_raw();
            assert!(!house.key_login(forged).await.fails(401, "login_failed").detail.contains("clock"));
        }
    }

    async fn a_nonce_is_spent_once_over_two_servers(house: House) {
        let ada = house.found().await;
        let second = house.second().await;
        let login = house.signed(&ada.account, house.challenge(&ada.account).await.nonce);
        second.key_login(login.clone()).await.ok();
        house.key_login(login).await.fails(401, "login_failed");
    }
}
