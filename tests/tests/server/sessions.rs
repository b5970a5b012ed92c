//! Signing in, staying so, and ending it (protocol §9; attack catalogue A16, A49, A51, A55, A66).

use std::collections::HashSet;

use sealpost_api::{
    auth::{Refresh, Session, Tokens},
    limits::{
        ACCESS_TOKEN_SECONDS, CHALLENGE_SECONDS, LOGIN_WINDOW_SECONDS, MAX_LOGIN_ATTEMPTS, MAX_SESSIONS,
        REFRESH_GRACE_SECONDS, REFRESH_TOKEN_SECONDS,
    },
    routes,
    token::Token,
};
use sealpost_crypto::encoding::{from_base64, to_base64};
use sealpost_tests::{
    TestServer,
    http::{Answer, Api, Credential},
    on_every_backend,
    raw::{Person, SignIn, found},
};
use serde_json::{Value, json};

const EMAIL: &str = "client@example.com";
const PASSWORD: &str = "correct horse battery staple";

on_every_backend! {
    async fn the_password_opens_a_session_and_nothing_else_does(server: TestServer) {
        let client = joined_with_password(&server).await;
        let api = server.api();
        let session: Session = SignIn::run(&api, EMAIL, PASSWORD, &client.org_id).await.json();
        assert_eq!(session.account.user_id, client.user_id);
        assert_eq!(account(&api, &session.tokens).await.status, 200);
        SignIn::run(&api, EMAIL, "another", &client.org_id).await.fails(401, "login_failed");
        SignIn::run(&api, "nobody@example.com", PASSWORD, &client.org_id).await.fails(401, "login_failed");
    }

    async fn a_started_sign_in_can_be_finished_once_and_soon(server: TestServer) {
        let client = joined_with_password(&server).await;
        let api = server.api();
        let request = SignIn::start(&api, EMAIL, PASSWORD).await.finish(&client.org_id);
        api.call(&routes::LOGIN_FINISH, &[], &request).await.ok();
        api.call(&routes::LOGIN_FINISH, &[], &request).await.fails(401, "login_failed");

        // A wrong try uses it up too.
        let good = SignIn::start(&api, EMAIL, PASSWORD).await.finish(&client.org_id);
        let mut bad = good.clone();
        bad.ke3.0[5] ^= 1;
        api.call(&routes::LOGIN_FINISH, &[], &bad).await.fails(401, "login_failed");
        api.call(&routes::LOGIN_FINISH, &[], &good).await.fails(401, "login_failed");

        let late = SignIn::start(&api, EMAIL, PASSWORD).await.finish(&client.org_id);
        server.pass_time(CHALLENGE_SECONDS + 1);
        api.call(&routes::LOGIN_FINISH, &[], &late).await.fails(401, "login_failed");
    }

    async fn a_stranger_cannot_tell_who_has_an_account(server: TestServer) {
        let client = joined_with_password(&server).await;
        let api = server.api();
        let known = SignIn::start(&api, EMAIL, "wrong").await;
        let unknown = SignIn::start(&api, "absent@example.com", "wrong").await;
        assert_eq!(shape(&known.answer), shape(&unknown.answer));
        let known = api.call(&routes::LOGIN_FINISH, &[], &known.finish(&client.org_id)).await;
        let unknown = api.call(&routes::LOGIN_FINISH, &[], &unknown.finish(&client.org_id)).await;
        assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    }

    async fn too_many_attempts_have_to_wait_whether_the_address_is_known_or_not(server: TestServer) {
        joined_with_password(&server).await;
        let api = server.api();
        let mut refusals = Vec::new();
        for email in [EMAIL, "absent@example.com"] {
            for _ in 0..MAX_LOGIN_ATTEMPTS {
                // KE1 alone: never finished counts as failed.
                SignIn::start(&api, email, "wrong").await.answer.ok();
            }
            let refused = SignIn::start(&api, email, "wrong").await.answer;
            refused.fails(429, "too_many_attempts");
            let wait: u64 = refused.header("retry-after").parse().unwrap();
            assert!((1..=LOGIN_WINDOW_SECONDS).contains(&wait), "{wait}");
            refusals.push(refused.body);
        }
        assert_eq!(refusals[0], refusals[1]);
        SignIn::start(&api, "somebody.else@example.com", "wrong").await.answer.ok();
        server.pass_time(LOGIN_WINDOW_SECONDS + 1);
        SignIn::start(&api, EMAIL, "wrong").await.answer.ok();
    }

    async fn success_is_not_counted_as_an_attempt(server: TestServer) {
        let client = joined_with_password(&server).await;
        let api = server.api();
        for _ in 0..=MAX_LOGIN_ATTEMPTS {
            SignIn::run(&api, EMAIL, PASSWORD, &client.org_id).await.ok();
        }
    }

    async fn logging_out_ends_the_session_at_once(server: TestServer) {
        let ops = found(&server).await;
        ops.api.get(&routes::FILES, &[]).await.ok();
        ops.api.get(&routes::LOGOUT, &[]).await.ok();
        ops.api.get(&routes::FILES, &[]).await.fails(401, "not_signed_in");
        refresh(&ops.api, &ops.session.tokens.refresh_token).await.fails(401, "not_signed_in");
    }

    async fn access_tokens_expire(server: TestServer) {
        let ops = found(&server).await;
        assert_eq!(ops.session.tokens.access_expires_in, ACCESS_TOKEN_SECONDS);
        server.pass_time(ACCESS_TOKEN_SECONDS - 5);
        ops.api.get(&routes::FILES, &[]).await.ok();
        server.pass_time(6);
        ops.api.get(&routes::FILES, &[]).await.fails(401, "not_signed_in");
    }

    async fn refresh_tokens_rotate_forgive_a_lost_answer_and_betray_a_thief(server: TestServer) {
        let ops = found(&server).await;
        let first = ops.session.tokens.refresh_token.clone();
        let second: Tokens = refresh(&ops.api, &first).await.json();
        assert_ne!(first.expose(), second.refresh_token.expose());

        // The answer was lost: within the grace the same question gets the same successor.
        server.pass_time(REFRESH_GRACE_SECONDS - 5);
        let again: Tokens = refresh(&ops.api, &first).await.json();
        assert_eq!(again.refresh_token.expose(), second.refresh_token.expose());
        let third: Tokens = refresh(&ops.api, &second.refresh_token).await.json();
        assert_eq!(account(&ops.api, &third).await.status, 200);

        // Later, it can only be a copy: everybody is thrown out.
        server.pass_time(REFRESH_GRACE_SECONDS + 1);
        refresh(&ops.api, &second.refresh_token).await.fails(401, "not_signed_in");
        refresh(&ops.api, &third.refresh_token).await.fails(401, "not_signed_in");
        account(&ops.api, &third).await.fails(401, "not_signed_in");
    }

    async fn racing_refreshes_of_one_session_all_succeed(server: TestServer) {
        let ops = found(&server).await;
        let token = ops.session.tokens.refresh_token.clone();
        let tries = (0..20).map(|_| refresh(&ops.api, &token));
        let answers = futures_util::future::join_all(tries).await;
        let successors: HashSet<String> =
            answers.iter().map(|answer| answer.json::<Tokens>().refresh_token.expose().to_owned()).collect();
        assert_eq!(successors.len(), 1);
        let successor = Token::new(successors.into_iter().next().unwrap());
        refresh(&ops.api, &successor).await.ok();
    }

    async fn the_oldest_session_of_too_many_ends(server: TestServer) {
        let client = joined_with_password(&server).await;
        let first = client.session.tokens.clone();
        // As many as are allowed besides the two real ones, all fresher than the first.
        for number in 0..MAX_SESSIONS - 2 {
            let (id, user) = (server.literal(&format!("{number:032x}")), server.literal(&client.user_id));
            server.execute(format!(
                "INSERT INTO sessions (session_id, user_id, refresh_hash, rotated_at, expires_at) \
                 SELECT {id}, {user}, refresh_hash, rotated_at + 1, expires_at FROM sessions WHERE user_id = {user} LIMIT 1",
            )).await;
        }
        let api = server.api();
        let second: Session = SignIn::run(&api, EMAIL, PASSWORD, &client.org_id).await.json();
        account(&api, &first).await.ok();
        let third: Session = SignIn::run(&api, EMAIL, PASSWORD, &client.org_id).await.json();
        account(&api, &first).await.fails(401, "not_signed_in");
        refresh(&api, &first.refresh_token).await.fails(401, "not_signed_in");
        account(&api, &second.tokens).await.ok();
        account(&api, &third.tokens).await.ok();
    }

    async fn an_unused_session_ends(server: TestServer) {
        let mut ops = found(&server).await;
        server.pass_time(REFRESH_TOKEN_SECONDS - 60);
        ops.refresh().await;
        server.pass_time(REFRESH_TOKEN_SECONDS + 60);
        refresh(&ops.api, &ops.session.tokens.refresh_token).await.fails(401, "not_signed_in");
    }

    async fn forged_access_tokens_open_nothing(server: TestServer) {
        let ops = found(&server).await;
        let token = ops.session.tokens.access_token.expose().to_owned();
        let parts: Vec<&str> = token.split('.').collect();
        let (header, claims) = (decode(parts[0]), decode(parts[1]));
        assert_eq!(header["alg"], "HS256");
        let none = |header: Value| format!("{}.{}.", encode(&header), parts[1]);
        let signed = |header: &Value, claims: &Value, key: &[u8]| sign(&format!("{}.{}", encode(header), encode(claims)), key);
        let with = |field: &str, value: Value| {
            let mut changed = claims.clone();
            changed[field] = value;
            format!("{}.{}.{}", parts[0], encode(&changed), parts[2])
        };
        let checkpoint_key = server.api().get(&routes::SERVER, &[]).await.json::<Value>()["checkpoint_key"].clone();
        let public = from_base64(checkpoint_key.as_str().unwrap()).unwrap();
        let forged = [
            none(json!({"alg": "none", "typ": "JWT"})),
            none(json!({"alg": "None", "typ": "JWT"})),
            none(json!({"typ": "JWT"})),
            format!("{}.{}", parts[0], parts[1]),
            format!("{}.{}.", parts[0], parts[1]),
            // Signed with keys that an attacker knows: none, a guess, the server's public key.
            signed(&header, &claims, b""),
            signed(&header, &claims, b"secret"),
            signed(&header, &claims, &public),
            signed(&json!({"alg": "EdDSA", "typ": "JWT"}), &claims, &public),
            signed(&json!({"alg": "HS512", "typ": "JWT"}), &claims, b""),
            signed(&json!({"alg": "HS256", "typ": "JWT", "kid": "../../dev/null"}), &claims, b""),
            signed(&json!({"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}}), &claims, &[0]),
            // True signature, other words.
            with("exp", json!(server.now() + 1_000_000)),
            with("iss", json!("0".repeat(64))),
            with("sid", json!("0".repeat(32))),
            format!("{}.{}", encode(&json!({"alg": "none"})), token),
            token.to_uppercase(),
            String::new(),
        ];
        for forgery in forged {
            let answer = ops.api_with_token(&forgery).get(&routes::ACCOUNT, &[]).await;
            assert_eq!(answer.status, 401, "{forgery} was taken");
            answer.fails(401, "not_signed_in");
        }
        let flipped = flip_each_byte(&token);
        for forgery in flipped {
            assert_eq!(ops.api_with_token(&forgery).get(&routes::ACCOUNT, &[]).await.status, 401, "{forgery}");
        }
        ops.api.get(&routes::ACCOUNT, &[]).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_server_is_worthless_at_another() {
    let (here, there) = tokio::join!(
        TestServer::start(sealpost_tests::Backend::SQLITE_FOLDER),
        TestServer::start(sealpost_tests::Backend::SQLITE_FOLDER)
    );
    let (ops, _other) = tokio::join!(found(&here), found(&there));
    let token = ops.session.tokens.access_token.expose().to_owned();
    let answer = there.api().with(Credential::Bearer(token)).get(&routes::ACCOUNT, &[]).await;
    answer.fails(401, "not_signed_in");
}

async fn joined_with_password(server: &TestServer) -> Person {
    let ops = found(server).await;
    let invitation = ops.invite(EMAIL).await;
    let client = invitation.accept_with(PASSWORD).await;
    ops.certify(&invitation, &client).await;
    client
}

async fn refresh(api: &Api, token: &Token) -> Answer {
    let api = api.with(Credential::Nobody);
    api.call(&routes::REFRESH, &[], &Refresh { refresh_token: token.clone() }).await
}

async fn account(api: &Api, tokens: &Tokens) -> Answer {
    let token = tokens.access_token.expose().to_owned();
    api.with(Credential::Bearer(token)).get(&routes::ACCOUNT, &[]).await
}

/// Status, header names, and the length of every value of the body.
fn shape(answer: &Answer) -> (u16, Vec<String>, Vec<(String, usize)>) {
    let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    let body: Value = answer.json();
    let fields = body.as_object().unwrap().iter();
    let lengths = fields.map(|(name, value)| (name.clone(), value.to_string().len())).collect();
    (answer.status.as_u16(), headers, lengths)
}

fn decode(part: &str) -> Value {
    serde_json::from_slice(&from_base64(part).unwrap()).unwrap()
}

fn encode(value: &Value) -> String {
    to_base64(value.to_string().as_bytes())
}

/// HMAC-SHA256 (RFC 2104) over `text`, appended as a JWT has it.
fn sign(text: &str, key: &[u8]) -> String {
    use sealpost_tests::raw::sha256;
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = sha256(&[&pad(0x36), text.as_bytes()]);
    format!("{text}.{}", to_base64(sha256(&[&pad(0x5c), inner.as_bytes()]).as_bytes()))
}

/// The token with one character changed, at a few places of each of its three parts.
fn flip_each_byte(token: &str) -> Vec<String> {
    (0..token.len() - 1)
        .step_by(7)
        .filter(|at| token.as_bytes()[*at] != b'.')
        .map(|at| {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        })
        .collect()
}
