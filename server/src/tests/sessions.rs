use std::time::Duration;

use sealpost_api::{
    account::VaultBlob,
    auth::{Refresh, Tokens},
    limits::{ACCESS_TOKEN_SECONDS, REFRESH_GRACE_SECONDS, REFRESH_TOKEN_SECONDS},
    routes,
    token::Token,
};
use sealpost_crypto::{encoding::Base64, vault::sealed_hash};

use crate::testing::{Answer, Auth, House, on_both};

impl House {
    async fn refresh(&self, token: &Token) -> Answer {
        let request = Refresh { refresh_token: token.clone() };
        self.call(routes::REFRESH, &[], Auth::Nobody, &request).await
    }

    async fn account(&self, tokens: &Tokens) -> Answer {
        self.get(routes::ACCOUNT, &[], "", Auth::Bearer(tokens)).await
    }
}

on_both! {
    async fn the_previous_token_yields_the_same_successor_for_a_while(house: House) {
        let ada = house.found().await;
        let first: Tokens = house.refresh(&ada.tokens.refresh_token).await.json();
        let again: Tokens = house.refresh(&ada.tokens.refresh_token).await.json();
        assert_eq!(first.refresh_token.expose(), again.refresh_token.expose());
        assert_ne!(first.refresh_token.expose(), ada.tokens.refresh_token.expose());
        house.account(&again).await.ok();

        // Later it is theft, and ends the session for both.
        house.clock.advance(Duration::from_secs(REFRESH_GRACE_SECONDS + 1));
        house.refresh(&ada.tokens.refresh_token).await.fails(401, "not_signed_in");
        house.refresh(&first.refresh_token).await.fails(401, "not_signed_in");
        house.account(&first).await.fails(401, "not_signed_in");
    }

    async fn a_token_from_before_the_previous_ends_the_session(house: House) {
        let ada = house.found().await;
        let second: Tokens = house.refresh(&ada.tokens.refresh_token).await.json();
        let third: Tokens = house.refresh(&second.refresh_token).await.json();
        house.refresh(&ada.tokens.refresh_token).await.fails(401, "not_signed_in");
        house.refresh(&third.refresh_token).await.fails(401, "not_signed_in");
    }

    async fn many_refreshes_at_once_agree(house: House) {
        let ada = house.found().await;
        let answers = (0..20).map(|_| house.refresh(&ada.tokens.refresh_token));
        let answers = futures_util::future::join_all(answers).await;
        let tokens: Vec<Tokens> = answers.iter().map(Answer::json).collect();
        assert!(tokens.iter().all(|each| each.refresh_token.expose() == tokens[0].refresh_token.expose()));
        house.refresh(&tokens[0].refresh_token).await.ok();
    }

    async fn garbage_is_not_a_token(house: House) {
        house.found().await;
        for text in ["", "AAAA", &"A".repeat(64), "not base64"] {
            house.refresh(&Token::new(text.to_owned())).await.fails(401, "not_signed_in");
        }
    }

    async fn logging_out_ends_both_tokens_at_once(house: House) {
        let ada = house.found().await;
        house.get(routes::LOGOUT, &[], "", Auth::Bearer(&ada.tokens)).await.ok();
        house.account(&ada.tokens).await.fails(401, "not_signed_in");
        house.refresh(&ada.tokens.refresh_token).await.fails(401, "not_signed_in");
    }

    async fn tokens_expire(house: House) {
        let ada = house.found().await;
        house.clock.advance(Duration::from_secs(ACCESS_TOKEN_SECONDS));
        house.account(&ada.tokens).await.fails(401, "not_signed_in");
        let tokens: Tokens = house.refresh(&ada.tokens.refresh_token).await.json();
        house.account(&tokens).await.ok();
        house.clock.advance(Duration::from_secs(REFRESH_TOKEN_SECONDS + 1));
        house.refresh(&tokens.refresh_token).await.fails(401, "not_signed_in");
    }

    async fn a_vault_is_replaced_only_by_its_successor(house: House) {
        let ada = house.found().await;
        let put = async |vault: &VaultBlob| house.call(routes::PUT_VAULT, &[], Auth::Bearer(&ada.tokens), vault).await;
        let stored = house.vault(&ada).await;
        let next = VaultBlob {
            version: 2,
            previous: sealed_hash(&stored.blob.0),
            blob: Base64(b"the second".to_vec()),
        };
        let rival = VaultBlob { blob: Base64(b"another second".to_vec()), ..next.clone() };
        put(&VaultBlob { version: 3, ..next.clone() }).await.fails(409, "vault_conflict");
        put(&VaultBlob { previous: stored.previous, ..next.clone() }).await.fails(409, "vault_conflict");
        put(&next).await.ok();
        put(&next).await.ok();
        put(&rival).await.fails(409, "vault_conflict");
        let stored = house.vault(&ada).await;
        assert_eq!((stored.version, stored.blob), (2, next.blob));
    }
}
