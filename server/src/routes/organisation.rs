//! Founding the organisation (protocol §6): once, with the setup token, in one idempotent transaction.

use axum::extract::State;
use sealpost_api::{
    account::{AccountStatus, RoleName},
    auth::{Found, FounderRegister, RegisterChallenge, Session as NewSession},
    limits::MAX_VAULT_BODY,
    problem::ErrorCode,
    token::Token,
};
use sealpost_crypto::{
    email::EmailAddress, id::OrgId, log::Log, record::RawRecord, records::Genesis, sign::SigningPublicKey,
};
use subtle::ConstantTimeEq;

use crate::{
    credential,
    db::{self, Lock, Tx, log::NewEntry, nonce::Context},
    extract::{Json, Large},
    org_log::sign_checkpoint,
    problem::ApiError,
    registration::{Checked, Expected, check_opening},
    sessions,
    setup::{self, token_hash},
    state::AppState,
};

/// `POST /organisation/register`.
pub(super) async fn register(
    State(state): State<AppState>,
    Json(request): Json<FounderRegister>,
) -> Result<axum::Json<RegisterChallenge>, ApiError> {
    let mut tx = state.db.write().await?;
    if check_token(&mut tx, &request.setup_token).await?.is_some() {
        return Err(already_founded());
    }
    let email: EmailAddress =
        request.email.parse().map_err(|_| ApiError::malformed("Not an e-mail address."))?;
    let context = Context::Founder(request.org_id);
    let answer = credential::challenge(&state, &mut tx, context, email.as_str(), &request.request).await?;
    tx.commit().await?;
    Ok(axum::Json(answer))
}

/// `POST /organisation`.
pub(super) async fn found(
    State(state): State<AppState>,
    Large(request, _held): Large<Found, MAX_VAULT_BODY>,
) -> Result<axum::Json<NewSession>, ApiError> {
    let mut tx = state.db.write().await?;
    tx.lock(Lock::Organisation).await?;
    let standing = check_token(&mut tx, &request.setup_token).await?;
    let key = db::server::checkpoint_keys(&mut tx).await?.current;
    let log = check_genesis(&key.public_key(), &request)?;
    let expected = Expected { org_id: log.org_id(), opening: &request.opening, account_key: true };
    let account = Checked::check(&request.registration, &expected)?;
    match standing {
        Some(org_id) if org_id == log.org_id() => check_repeat(&mut tx, &account, &request).await?,
        Some(_) => return Err(already_founded()),
        None => {
            let checkpoint = sign_checkpoint(&log, &key).map_err(|error| ApiError::internal(&error))?;
            store(&state, &mut tx, &log, &account, &request.genesis, &checkpoint).await?;
        }
    }
    let session = sessions::begin(&state, &mut tx, log.org_id(), request.opening.user_id).await?;
    tx.commit().await?;
    state.log_mark.keep(log.size(), log.head()).await;
    if setup::remove(&state.setup_token).is_err() {
        tracing::warn!("the setup token's file could not be removed; it is of no use any more");
    }
    Ok(axum::Json(session))
}

/// Whether the caller holds the setup token; tells the organisation, if there is one already.
async fn check_token(tx: &mut Tx, token: &Token) -> Result<Option<OrgId>, ApiError> {
    let standing = db::server::standing(tx).await?;
    let expected = standing.setup_token_hash.map(|hash| *hash.as_bytes()).unwrap_or_default();
    if bool::from(token_hash(token).as_bytes().ct_eq(&expected)) {
        return Ok(standing.org_id);
    }
    Err(ApiError::new(ErrorCode::SetupToken, "This is not the server's setup token.")
        .hint("The server's first start printed it; it is also in the file setup-token of its data folder."))
}

fn check_genesis(checkpoint_key: &SigningPublicKey, request: &Found) -> Result<Log, ApiError> {
    check_opening(&request.opening)?;
    let invalid = |error: &dyn std::fmt::Display| {
        ApiError::record_invalid(format!("The genesis is not valid: {error}."))
    };
    let claim: Genesis = request.genesis.claim().map_err(|error| invalid(&error))?;
    if claim.checkpoint_key != *checkpoint_key {
        return Err(ApiError::record_invalid("The genesis names another server's checkpoint key.")
            .hint("Fetch the key of this server and found again."));
    }
    let log = Log::found(request.genesis.clone(), request.registration.bundle.clone())
        .map_err(|error| invalid(&error))?;
    log.verify_opening(request.opening.clone()).map_err(|error| invalid(&error))?;
    Ok(log)
}

/// A second request to found the same organisation must come from the founder: only they know the OPAQUE record.
async fn check_repeat(tx: &mut Tx, account: &Checked<'_>, request: &Found) -> Result<(), ApiError> {
    let founder = db::account::by_id(tx, request.opening.user_id).await?;
    match founder {
        Some(founder) if account.is(&founder) => Ok(()),
        _ => Err(already_founded()),
    }
}

async fn store(
    state: &AppState,
    tx: &mut Tx,
    log: &Log,
    account: &Checked<'_>,
    genesis: &RawRecord,
    checkpoint: &RawRecord,
) -> Result<(), ApiError> {
    account.use_nonce(state, tx, Context::Founder(log.org_id())).await?;
    let now = state.clock.micros();
    account.store(tx, RoleName::Ops, AccountStatus::Active, None, now).await?;
    let entry = NewEntry {
        sequence: 0,
        id: log.head(),
        record: genesis,
        bundle: Some(&account.bundle().raw()),
        checkpoint,
    };
    db::log::insert(tx, &entry, now).await?;
    db::server::found(tx, log.org_id()).await?;
    Ok(())
}

fn already_founded() -> ApiError {
    ApiError::new(ErrorCode::AlreadyFounded, "This server keeps an organisation already.")
        .hint("Ask one of its Ops members for an invite.")
}
