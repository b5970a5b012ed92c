use sealpost_api::{
    account::{AccountStatus, AccountView, RoleName},
    auth::{Found, Session},
    routes,
    token::Token,
};

use crate::testing::{Auth, House, on_both};

on_both! {
    async fn the_founder_is_an_active_ops_member(house: House) {
        assert!(house.setup_token_path().exists());
        let ada = house.found().await;
        let account: AccountView = house.get(routes::ACCOUNT, &[], "", Auth::Bearer(&ada.tokens)).await.json();
        assert_eq!((account.role, account.status), (RoleName::Ops, AccountStatus::Active));
        assert_eq!(account.org_id, ada.account.org_id());
        assert_eq!(house.log(Auth::Bearer(&ada.tokens)).await.size(), 1);
        assert!(!house.setup_token_path().exists(), "the setup token lies around");
    }

    async fn a_lost_answer_can_be_asked_for_again_by_the_founder_alone(house: House) {
        let (request, ada) = house.prepare_founding().await;
        house.finish_founding(&request, ada).await;
        let again: Session = house.call(routes::ORGANISATION, &[], Auth::Nobody, &request).await.json();
        house.get(routes::ACCOUNT, &[], "", Auth::Bearer(&again.tokens)).await.ok();

        // Whoever has the setup token and has seen the public records, but is not the founder.
        let mut stolen = request.clone();
        stolen.registration.opaque_record.0[40] ^= 1;
        let answer = house.call(routes::ORGANISATION, &[], Auth::Nobody, &stolen).await;
        assert!(answer.status.is_client_error());
    }

    async fn only_one_organisation_and_only_with_the_token(house: House) {
        let (first, ada) = house.prepare_founding().await;
        let (second, _) = house.prepare_founding().await;
        let wrong = Found { setup_token: Token::new("wrong".to_owned()), ..first.clone() };
        house.call(routes::ORGANISATION, &[], Auth::Nobody, &wrong).await.fails(401, "setup_token");
        house.finish_founding(&first, ada).await;
        house.call(routes::ORGANISATION, &[], Auth::Nobody, &wrong).await.fails(401, "setup_token");
        house.call(routes::ORGANISATION, &[], Auth::Nobody, &second).await.fails(409, "already_founded");
    }

    async fn what_does_not_fit_together_is_refused_and_nothing_is_stored(house: House) {
        let (request, ada) = house.prepare_founding().await;
        let (other, _) = house.prepare_founding().await;
        let mut cases: Vec<(&str, Found)> = Vec::new();
        let mut bad = |what, change: &dyn Fn(&mut Found)| {
            let mut found = request.clone();
            change(&mut found);
            cases.push((what, found));
        };
        bad("bundle", &|found| found.registration.bundle = other.registration.bundle.clone());
        bad("credential", &|found| found.registration.credential = other.registration.credential.clone());
        bad("record", &|found| found.registration.opaque_record = other.registration.opaque_record.clone());
        bad("envelope", &|found| found.registration.envelope = other.registration.envelope.clone());
        bad("envelope length", &|found| found.registration.envelope.0.truncate(40));
        bad("record length", &|found| found.registration.opaque_record.0.truncate(191));
        bad("vault", &|found| found.registration.vault.0.clear());
        bad("genesis", &|found| found.genesis = other.genesis.clone());
        bad("opening", &|found| found.opening = other.opening.clone());
        bad("name", &|found| found.opening.name = "n".repeat(201));
        for (what, found) in cases {
            let answer = house.call(routes::ORGANISATION, &[], Auth::Nobody, &found).await;
            assert!(answer.status.is_client_error(), "{what}: {}", answer.status);
        }
        house.get(routes::SERVER, &[], "", Auth::Nobody).await.ok();
        house.finish_founding(&request, ada).await;
    }

    async fn a_challenge_of_long_ago_is_refused(house: House) {
        let (request, _) = house.prepare_founding().await;
        house.clock.advance(std::time::Duration::from_secs(3_601));
        house.call(routes::ORGANISATION, &[], Auth::Nobody, &request).await.fails(422, "record_invalid");
    }

    async fn before_founding_nobody_can_sign_in(house: House) {
        house.login_start("ada@example.org", &[1; 96]).await.fails(503, "not_founded");
        house.get(routes::ACCOUNT, &[], "", Auth::Nobody).await.fails(401, "not_signed_in");
    }
}
