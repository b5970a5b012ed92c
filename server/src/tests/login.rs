use std::time::Duration;

use sealpost_api::{
    auth::{LoginChallenge, Session},
    limits::{CHALLENGE_SECONDS, LOGIN_WINDOW_SECONDS, MAX_LOGIN_ATTEMPTS},
};
use sealpost_crypto::password::{ClientLogin, Identifiers};

use crate::testing::{House, PASSWORD, input, on_both};

/// A valid KE1 of somebody who knows no password.
fn ke1() -> [u8; 96] {
    ClientLogin::start(input("guess", None)).unwrap().0
}

on_both! {
    async fn the_password_opens_and_another_does_not(house: House) {
        let ada = house.found().await;
        let session: Session = house.login(&ada, PASSWORD).await.json();
        assert_eq!(session.account.email, "ada@example.org");
        house.login(&ada, "wrong").await.fails(401, "login_failed");
        let without_key = crate::testing::Person { account_key: None, ..ada };
        house.login(&without_key, PASSWORD).await.fails(401, "login_failed");
    }

    async fn an_unknown_address_looks_like_a_known_one(house: House) {
        house.found().await;
        let known = house.login_start("ada@example.org", &ke1()).await;
        let unknown = house.login_start("eve@example.org", &ke1()).await;
        assert_eq!((known.status, known.body.len()), (unknown.status, unknown.body.len()));
        let failed = [
            house.login_finish(known.json(), vec![7; 64]).await,
            house.login_finish(unknown.json(), vec![7; 64]).await,
        ];
        for answer in &failed {
            answer.fails(401, "login_failed");
        }
        assert_eq!(failed[0].body, failed[1].body);
    }

    async fn a_started_login_is_good_for_one_try_of_a_minute(house: House) {
        let ada = house.found().await;
        let start = async || {
            let (ke1, state) = ClientLogin::start(input(PASSWORD, ada.account_key.as_ref())).unwrap();
            let challenge: LoginChallenge = house.login_start(&ada.email, &ke1).await.json();
            let identifiers = Identifiers::new(&ada.email, &challenge.org_id);
            let ke3 = state.finish(&challenge.ke2.0, &identifiers).unwrap().ke3.to_vec();
            (challenge, ke3)
        };
        let (challenge, ke3) = start().await;
        house.login_finish(challenge.clone(), ke3.clone()).await.ok();
        house.login_finish(challenge, ke3).await.fails(401, "login_failed");

        // A wrong try uses it up too.
        let (challenge, ke3) = start().await;
        house.login_finish(challenge.clone(), vec![7; 64]).await.fails(401, "login_failed");
        house.login_finish(challenge, ke3).await.fails(401, "login_failed");

        let (challenge, ke3) = start().await;
        house.clock.advance(Duration::from_secs(CHALLENGE_SECONDS + 1));
        house.login_finish(challenge, ke3).await.fails(401, "login_failed");
    }

    async fn guessing_is_slowed_down_for_known_and_unknown_alike(house: House) {
        let ada = house.found().await;
        for email in ["ada@example.org", "eve@example.org"] {
            for _ in 0..MAX_LOGIN_ATTEMPTS {
                house.login_start(email, &ke1()).await.ok();
            }
            let refused = house.login_start(email, &ke1()).await;
            refused.fails(429, "too_many_attempts");
            let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((LOGIN_WINDOW_SECONDS - 60..=LOGIN_WINDOW_SECONDS + 1).contains(&wait), "{wait}");
        }
        house.login(&ada, PASSWORD).await.fails(429, "too_many_attempts");
        house.clock.advance(Duration::from_secs(LOGIN_WINDOW_SECONDS + 1));
        house.login(&ada, PASSWORD).await.ok();
    }

    async fn successes_are_not_counted(house: House) {
        let ada = house.found().await;
        for _ in 0..MAX_LOGIN_ATTEMPTS + 1 {
            house.login(&ada, PASSWORD).await.ok();
        }
    }

    async fn messages_of_another_length_are_malformed(house: House) {
        house.found().await;
        for length in [0, 95, 97, 320] {
            house.login_start("ada@example.org", &vec![1; length]).await.fails(400, "malformed_request");
        }
        house.login_start("not an address", &ke1()).await.fails(400, "malformed_request");
    }
}
