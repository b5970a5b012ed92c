//! Signing in and out (protocol §9).

use axum::{extract::State, http::StatusCode};
use sealpost_api::{
    account::AccountStatus,
    auth::{LoginChallenge, LoginFinish, LoginStart, Refresh, Session as NewSession, Tokens},
    limits::{CHALLENGE_SECONDS, LOGIN_WINDOW_SECONDS, MAX_LOGIN_ATTEMPTS},
    problem::ErrorCode,
    token::Token,
};
use sealpost_crypto::{
    email::EmailAddress,
    encoding::{Base64, to_base64},
    id::Digest,
    password::{self, Identifiers, LoginState, RegistrationRecord},
    random,
};
use zeroize::Zeroizing;

use crate::{
    auth::Session,
    clock::micros,
    db::{self, DbError, Lock, login::Started},
    ending,
    extract::Json,
    problem::ApiError,
    sessions,
    setup::token_hash,
    state::AppState,
};

/// `POST /auth/login`: KE1 → KE2, the same for addresses that nobody has.
pub(super) async fn login(
    State(state): State<AppState>,
    Json(request): Json<LoginStart>,
) -> Result<axum::Json<LoginChallenge>, ApiError> {
    let org_id = state.org_id().await?;
    let email: EmailAddress =
        request.email.parse().map_err(|_| ApiError::malformed("Not an e-mail address."))?;
    let account = db::account::by_email(&mut state.db.read().await?, email.as_str()).await?;
    let record = account.as_ref().map(|account| RegistrationRecord::parse(&account.opaque_record));
    let record = record.transpose().map_err(|_| DbError::Corrupt)?;
    let credential_id = state.keys.credential_id(email.as_str());
    let answer = password::server_login_start(
        &state.keys.opaque,
        record.as_ref(),
        &request.ke1.0,
        credential_id.as_bytes(),
        &Identifiers::new(email.as_str(), &org_id),
    );
    let answer = answer.map_err(|_| ApiError::malformed("KE1 is malformed."))?;
    let login_id = random_token();
    let started = Started {
        login: token_hash(&login_id),
        credential_id,
        user_id: account.map(|account| account.user_id),
        state: answer.state.as_bytes().to_vec(),
    };
    remember(&state, &started).await?;
    Ok(axum::Json(LoginChallenge { login_id, ke2: Base64(answer.ke2.to_vec()), org_id }))
}

/// Stores a started sign-in, unless there were too many failed ones under its address.
async fn remember(state: &AppState, started: &Started) -> Result<(), ApiError> {
    let mut tx = state.db.write().await?;
    tx.lock(Lock::Login(started.credential_id.as_bytes())).await?;
    let now = state.clock.micros();
    let since = state.clock.micros_ago(LOGIN_WINDOW_SECONDS);
    let attempts = db::login::attempts(&mut tx, &started.credential_id, since).await?;
    if attempts.count >= u64::from(MAX_LOGIN_ATTEMPTS) {
        let free_at = attempts.oldest.saturating_add(micros(LOGIN_WINDOW_SECONDS));
        let wait = u64::try_from(free_at.saturating_sub(now) / 1_000_000).unwrap_or(0) + 1;
        return Err(ApiError::new(ErrorCode::TooManyAttempts, "Too many failed sign-ins for this address.")
            .hint(format!("Wait {wait} seconds."))
            .retry_after(wait));
    }
    db::login::insert(&mut tx, started, now).await?;
    Ok(tx.commit().await?)
}

/// `POST /auth/login/finish`: KE3 → session. One try a sign-in, whatever its outcome. That an account has ended is told
/// to who knows its password.
pub(super) async fn finish(
    State(state): State<AppState>,
    Json(request): Json<LoginFinish>,
) -> Result<axum::Json<NewSession>, ApiError> {
    let org_id = state.org_id().await?;
    let login = token_hash(&request.login_id);
    let since = state.clock.micros_ago(CHALLENGE_SECONDS);
    let mut tx = state.db.write().await?;
    let (user, stored) = db::login::take(&mut tx, &login, since).await?.ok_or_else(login_failed)?;
    let address = match user {
        Some(user) => db::account::address(&mut tx, user).await?,
        None => None,
    };
    let identifiers = Identifiers::new(address.as_ref().map_or("", |(email, _)| email), &org_id);
    let proof = password::server_login_finish(LoginState::from_bytes(stored), &request.ke3.0, &identifiers);
    let (Ok(()), Some(user), Some((_, status))) = (proof, user, address) else {
        // Keeps the attempt, without its state.
        tx.commit().await?;
        return Err(login_failed());
    };
    db::login::succeeded(&mut tx, &login).await?;
    if status == AccountStatus::Revoked {
        let ended = ending::explain(&state, &mut tx, user).await?;
        tx.commit().await?;
        return Err(ended);
    }
    let session = sessions::begin(&state, &mut tx, org_id, user).await?;
    tx.commit().await?;
    Ok(axum::Json(session))
}

/// `POST /auth/refresh`.
pub(super) async fn refresh(
    State(state): State<AppState>,
    Json(request): Json<Refresh>,
) -> Result<axum::Json<Tokens>, ApiError> {
    sessions::refresh(&state, &request.refresh_token).await.map(axum::Json)
}

/// `POST /auth/logout`: from here on neither token of the session is worth anything.
pub(super) async fn logout(State(state): State<AppState>, session: Session) -> Result<StatusCode, ApiError> {
    let mut tx = state.db.write().await?;
    db::session::end(&mut tx, session.session_id()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn random_token() -> Token {
    let mut bytes = Zeroizing::new([0; Digest::LEN]);
    random::fill(&mut bytes[..]);
    Token::new(to_base64(&bytes[..]))
}

/// Wrong address, password or account key, or too late: always the same words.
fn login_failed() -> ApiError {
    ApiError::new(ErrorCode::LoginFailed, "Address, password or account key are wrong.").hint("Try again.")
}
