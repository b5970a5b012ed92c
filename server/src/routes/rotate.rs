//! New keys for the caller's own account (protocol §3.8): log entry, bundle, credential, OPAQUE record, envelope and
//! vault change together or not at all.

use axum::{Json as Answer, extract::State};
use sealpost_api::{account::RotateAccount, limits::MAX_VAULT_BODY, log::LogAppended, problem::ErrorCode};
use sealpost_crypto::{
    bundle::VerifiedBundle, credential::CredentialPin, envelope::Envelope, id::UserId, records::Rotate,
};
use subtle::ConstantTimeEq;

use super::log::stored;
use crate::{
    append::Appending,
    auth::{Member, not_signed_in},
    credential::{CheckedCredential, Parts, changed},
    db::{self, DbError, Lock, Tx, account::CredentialRow, nonce::Context, rotation::NextKeys},
    extract::Json,
    problem::ApiError,
    registration::check_vault,
    state::AppState,
};

/// `POST /account/rotate`. Whatever else rested on the old keys ends: other sessions, sign-ins that have begun, and
/// invites, whose OFFERs the old key signed.
pub(super) async fn rotate(
    State(state): State<AppState>,
    member: Member,
    Json(request): Json<RotateAccount, MAX_VAULT_BODY>,
) -> Result<Answer<LogAppended>, ApiError> {
    check_vault(&request.vault.blob.0)?;
    let user = member.user_id();
    let entry = claim(&request, user)?;
    let mut tx = state.db.write().await?;
    tx.lock(Lock::Organisation).await?;
    tx.lock(Lock::User(user)).await?;
    let current = db::account::credential(&mut tx, user).await?.ok_or_else(not_signed_in)?;
    if let Some(checkpoint) = stored(&mut tx, entry.sequence, request.entry.id()).await? {
        let repeated = is_repeat(&current, &request)?;
        return if repeated { Ok(Answer(LogAppended { checkpoint })) } else { Err(changed()) };
    }
    let next = Next::check(&current, &request)?;
    next.credential.use_nonce(&state, &mut tx, Context::Account(user)).await?;
    next.store(&mut tx, user, &request, state.clock.micros()).await?;
    db::login::cancel(&mut tx, user).await?;
    db::session::end_others(&mut tx, user, member.session_id()).await?;
    db::invite::cancel_all(&mut tx, user).await?;
    // The log has the last word: signature, place, generation, and that both keys are new.
    let appending = Appending::begin(&state, tx, &request.entry, Some(&request.bundle)).await?;
    Ok(Answer(LogAppended { checkpoint: appending.commit().await? }))
}

fn claim(request: &RotateAccount, user: UserId) -> Result<Rotate, ApiError> {
    let entry = request.entry.claim::<Rotate>();
    let entry =
        entry.map_err(|error| ApiError::record_invalid(format!("The entry is not valid: {error}.")))?;
    if entry.signer == user {
        return Ok(entry);
    }
    Err(ApiError::record_invalid("The entry is signed by somebody else than the caller."))
}

/// Whether this very change was made before, and its answer lost.
fn is_repeat(stored: &CredentialRow, request: &RotateAccount) -> Result<bool, ApiError> {
    Ok(stored.bundle_id == request.bundle.id()
        && stored.pin()?.id == request.credential.id()
        && stored.envelope == request.envelope.0
        && bool::from(stored.opaque_record.ct_eq(&request.opaque_record.0)))
}

/// The next generation of keys, and what rests on them, agreeing with one another and with what they follow.
struct Next<'a> {
    previous: CredentialPin,
    bundle: VerifiedBundle,
    credential: CheckedCredential<'a>,
}

impl<'a> Next<'a> {
    fn check(stored: &CredentialRow, request: &'a RotateAccount) -> Result<Self, ApiError> {
        let before = VerifiedBundle::verify(stored.bundle.0.clone(), stored.bundle_id);
        let before = before.map_err(|_| DbError::Corrupt)?;
        let bundle = VerifiedBundle::verify(request.bundle.clone(), request.bundle.id())
            .map_err(|error| ApiError::record_invalid(format!("The bundle is not valid: {error}.")))?;
        let whose = (bundle.org_id(), bundle.user_id(), bundle.generation());
        if whose != (before.org_id(), before.user_id(), before.generation() + 1) {
            return Err(ApiError::record_invalid("The bundle is not the next one of the caller's account."));
        }
        // Whether there is an account key was settled when the account was made; which one it is, only its owner knows.
        let account_key =
            Envelope::parse(&stored.envelope).map_err(|_| DbError::Corrupt)?.header().account_key;
        let parts = Parts {
            credential: &request.credential,
            opaque_record: &request.opaque_record.0,
            envelope: &request.envelope.0,
        };
        let previous = stored.pin()?;
        let credential = CheckedCredential::check(parts, &bundle, account_key, Some(previous))?;
        Ok(Self { previous, bundle, credential })
    }

    async fn store(
        &self,
        tx: &mut Tx,
        user: UserId,
        request: &RotateAccount,
        now: i64,
    ) -> Result<(), ApiError> {
        let next = NextKeys {
            previous: self.previous.id,
            bundle: &self.bundle,
            raw_bundle: &request.bundle,
            credential: self.credential.credential(),
            opaque_record: self.credential.opaque_record(),
            envelope: self.credential.envelope(),
        };
        if !db::rotation::rotate(tx, user, &next, now).await? {
            return Err(changed());
        }
        if db::vault::swap(tx, user, &request.vault).await? {
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::VaultConflict, "The stored vault is not the one this follows.")
            .hint("Read the vault again, merge, and seal the result under the new keys."))
    }
}
