//! Changing the password of a signed-in account (protocol §3.4). A session alone is not enough: the change is signed
//! by the account's key.

use axum::{extract::State, http::StatusCode};
use sealpost_api::{
    account::{ChangeCredential, CredentialRegister},
    auth::RegisterChallenge,
};
use sealpost_crypto::{bundle::VerifiedBundle, envelope::Envelope};
use subtle::ConstantTimeEq;

use crate::{
    auth::{Session, not_signed_in},
    credential::{self, CheckedCredential, Parts, changed},
    db::{self, DbError, Lock, account::CredentialRow, nonce::Context},
    extract::Json,
    problem::ApiError,
    state::AppState,
};

/// `POST /account/credential/challenge`.
pub(super) async fn challenge(
    State(state): State<AppState>,
    session: Session,
    Json(request): Json<CredentialRegister>,
) -> Result<axum::Json<RegisterChallenge>, ApiError> {
    let mut tx = state.db.write().await?;
    let account = db::account::view(&mut tx, session.org_id(), session.user_id()).await?;
    let email = account.ok_or_else(not_signed_in)?.email;
    let context = Context::Account(session.user_id());
    let answer = credential::challenge(&state, &mut tx, context, &email, &request.request).await?;
    tx.commit().await?;
    Ok(axum::Json(answer))
}

/// `PUT /account/credential`: compare and swap. Whatever else rested on the old password ends: every other session,
/// and sign-ins that have begun.
pub(super) async fn change(
    State(state): State<AppState>,
    session: Session,
    Json(request): Json<ChangeCredential>,
) -> Result<StatusCode, ApiError> {
    let user = session.user_id();
    let mut tx = state.db.write().await?;
    tx.lock(Lock::User(user)).await?;
    let stored = db::account::credential(&mut tx, user).await?.ok_or_else(not_signed_in)?;
    if is_repeat(&stored, &request)? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let next = check(&stored, &request)?;
    next.use_nonce(&state, &mut tx, Context::Account(user)).await?;
    let previous = stored.pin()?.id;
    let (record, envelope) = (next.opaque_record(), next.envelope());
    if !db::account::change_credential(&mut tx, user, previous, next.credential(), record, envelope).await? {
        return Err(changed());
    }
    db::login::cancel(&mut tx, user).await?;
    db::session::end_others(&mut tx, user, session.session_id()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether this very change was made before, and its answer lost.
fn is_repeat(stored: &CredentialRow, request: &ChangeCredential) -> Result<bool, ApiError> {
    Ok(stored.pin()?.id == request.credential.id()
        && stored.envelope == request.envelope.0
        && bool::from(stored.opaque_record.ct_eq(&request.opaque_record.0)))
}

fn check<'a>(
    stored: &CredentialRow,
    request: &'a ChangeCredential,
) -> Result<CheckedCredential<'a>, ApiError> {
    let bundle = VerifiedBundle::verify(stored.bundle.0.clone(), stored.bundle_id);
    let bundle = bundle.map_err(|_| DbError::Corrupt)?;
    // Whether there is an account key was settled when the account was made.
    let account_key = Envelope::parse(&stored.envelope).map_err(|_| DbError::Corrupt)?.header().account_key;
    let parts = Parts {
        credential: &request.credential,
        opaque_record: &request.opaque_record.0,
        envelope: &request.envelope.0,
    };
    CheckedCredential::check(parts, &bundle, account_key, Some(stored.pin()?))
}
