//! Signing in with the account's key instead of a password (protocol §9).

use axum::extract::State;
use sealpost_api::{
    account::AccountStatus,
    auth::{KeyChallenge, KeyChallengeRequest, KeyLogin, Session as NewSession},
    problem::ErrorCode,
};
use sealpost_crypto::{
    bundle::VerifiedBundle,
    login::{self, LoginError, MAX_CLOCK_SKEW},
    record::{RawRecord, Signed},
    records::Login,
    sign::SigningPublicKey,
};

use crate::{
    db::{self, DbError, Tx, account::KeysRow},
    ending,
    extract::Json,
    key_challenge,
    problem::ApiError,
    sessions,
    state::AppState,
};

/// `POST /auth/key/challenge`: the same for keys that nobody has. Stores nothing.
pub(super) async fn challenge(
    State(state): State<AppState>,
    Json(request): Json<KeyChallengeRequest>,
) -> Result<axum::Json<KeyChallenge>, ApiError> {
    let org_id = state.org_id().await?;
    let keys = keys_of(&mut state.db.read().await?, &request.signing_key).await?;
    let (user_id, generation) = match &keys {
        Some(keys) => (keys.user_id, bundle(keys)?.generation()),
        None => (state.keys.stranger(&request.signing_key), 1),
    };
    let time = state.clock.seconds();
    let nonce = key_challenge::issue(&state.keys.challenge, time);
    Ok(axum::Json(KeyChallenge { nonce, org_id, user_id, generation, time }))
}

/// `POST /auth/key`: a signed nonce → session.
pub(super) async fn login(
    State(state): State<AppState>,
    Json(request): Json<KeyLogin>,
) -> Result<axum::Json<NewSession>, ApiError> {
    let org_id = state.org_id().await?;
    let login = verify(&state, &mut state.db.read().await?, request.login).await?;
    let mut tx = state.db.write().await?;
    let spent = db::nonce::spend(&mut tx, login.nonce, state.clock.micros()).await?;
    // The account may have ended since it was read.
    if !spent || db::account::credential(&mut tx, login.signer).await?.is_none() {
        return Err(login_failed());
    }
    let session = sessions::begin(&state, &mut tx, org_id, login.signer).await?;
    tx.commit().await?;
    Ok(axum::Json(session))
}

/// Everything but that the nonce was not used before. A pending account is not in the log, and one that has ended or
/// rotated keys are not current in it: they sign under the bundle that they registered.
async fn verify(state: &AppState, tx: &mut Tx, raw: RawRecord) -> Result<Signed<Login>, ApiError> {
    let claim: Login = raw.claim().map_err(|_| login_failed())?;
    let now = state.clock.seconds();
    if !key_challenge::is_fresh(&state.keys.challenge, claim.nonce, now) {
        return Err(login_failed());
    }
    let keys = db::account::keys_by_id(tx, claim.signer).await?.ok_or_else(login_failed)?;
    let retired = match keys.bundle_id == claim.signer_bundle {
        true => None,
        false => db::rotation::by_id(tx, claim.signer, claim.signer_bundle).await?,
    };
    let verified = match (keys.status.0, &retired) {
        (_, Some(retired)) => login::verify_pending(raw, &bundle(retired)?, claim.nonce, now),
        (AccountStatus::Active, None) => login::verify(raw, &*state.log.synced(tx).await?, claim.nonce, now),
        _ => login::verify_pending(raw, &bundle(&keys)?, claim.nonce, now),
    };
    // Whoever is told more than that it failed has proved to hold the key.
    match verified {
        Ok(login) if keys.status.0 == AccountStatus::Revoked => {
            Err(ending::explain(state, tx, login.signer).await?)
        }
        Ok(_) if retired.is_some() => Err(account_rotated()),
        Ok(login) => Ok(login),
        Err(LoginError::Time) => Err(clock_is_off()),
        Err(_) => Err(login_failed()),
    }
}

/// The keys with this signing key: current ones, the last of an account that has ended, or rotated ones.
async fn keys_of(tx: &mut Tx, key: &SigningPublicKey) -> Result<Option<KeysRow>, DbError> {
    match db::account::keys_by_signing_key(tx, key).await? {
        None => db::rotation::by_signing_key(tx, key).await,
        current => Ok(current),
    }
}

fn bundle(keys: &KeysRow) -> Result<VerifiedBundle, DbError> {
    VerifiedBundle::verify(keys.bundle.0.clone(), keys.bundle_id).map_err(|_| DbError::Corrupt)
}

/// Unknown account, other keys, a nonce that was used, is too old or is not ours: always the same words.
fn login_failed() -> ApiError {
    ApiError::new(ErrorCode::LoginFailed, "The server does not take this key.")
        .hint("Try again; if it keeps happening, sign in with the password.")
}

/// The account has newer keys.
fn account_rotated() -> ApiError {
    ApiError::new(ErrorCode::AccountRotated, "This key is from before the account's keys were changed.").hint(
        "Sign in with the password, and the account key of the newest recovery kit if there is one on it.",
    )
}

fn clock_is_off() -> ApiError {
    ApiError::new(ErrorCode::LoginFailed, "This device's clock is not the server's.")
        .hint(format!("Set it; {MAX_CLOCK_SKEW} seconds are the most it may differ."))
}
