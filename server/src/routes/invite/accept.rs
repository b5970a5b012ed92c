//! Taking an ACCEPT: it uses the invite up and makes the account, pending until certified.

use sealpost_api::{
    account::AccountStatus, auth::Session as NewSession, invite::AcceptInvite, problem::ErrorCode,
};
use sealpost_crypto::{
    id::OrgId,
    opening::Opening,
    record::{RecordError, Signed},
    records::{Accept, Offer},
};

use super::{check_open, read};
use crate::{
    auth::Invitee,
    db::{
        self, Lock, Tx,
        invite::{Acceptance, Invite, Progress},
        nonce::Context,
    },
    problem::ApiError,
    registration::{Checked, Expected},
    sessions,
    state::AppState,
};

/// Checks and stores an ACCEPT. The same one again gives a fresh session; another one is told that the invite was
/// used.
pub(super) async fn store(
    state: &AppState,
    invitee: &Invitee,
    request: &AcceptInvite,
) -> Result<NewSession, ApiError> {
    let org_id = state.org_id().await?;
    let mut tx = state.db.write().await?;
    tx.lock(Lock::Organisation).await?;
    let invite = read(&mut tx, invitee).await?;
    if !is_repeat(&invite, request)? {
        check_open(&invite, state.clock.seconds())?;
    }
    let opening = invite.opening()?;
    let (account, accept) = verify(org_id, &invite, &opening, request)?;
    if is_repeat(&invite, request)? {
        check_repeat(&mut tx, &account, &invite).await?;
    } else {
        account.use_nonce(state, &mut tx, Context::Invite(invite.invite_id)).await?;
        insert(state, &mut tx, &invite, &account, &accept, request).await?;
    }
    let session = sessions::begin(state, &mut tx, org_id, invite.user_id).await?;
    tx.commit().await?;
    Ok(session)
}

/// Whether this ACCEPT is the one that used the invite up.
fn is_repeat(invite: &Invite, request: &AcceptInvite) -> Result<bool, ApiError> {
    let used = matches!(invite.state, Progress::Accepted | Progress::Certified);
    Ok(used && invite.accept_id()? == Some(request.accept.id()))
}

fn verify<'a>(
    org_id: OrgId,
    invite: &Invite,
    opening: &'a Opening,
    request: &'a AcceptInvite,
) -> Result<(Checked<'a>, Signed<Accept>), ApiError> {
    let offer: Offer = invite.offer.0.claim().map_err(|_| db::DbError::Corrupt)?;
    let expected = Expected { org_id, opening, account_key: offer.account_key };
    let account = Checked::check(&request.registration, &expected)?;
    let invalid = |error: RecordError| ApiError::record_invalid(format!("The ACCEPT is not valid: {error}."));
    let accept =
        Signed::<Accept>::verify(request.accept.clone(), account.bundle().signing_key()).map_err(invalid)?;
    let says = (accept.org_id, accept.signer, accept.signer_bundle, accept.offer);
    if says != (org_id, invite.user_id, account.bundle_id(), invite.offer_id) {
        return Err(ApiError::record_invalid("The ACCEPT does not answer this invite's OFFER."));
    }
    Ok((account, accept))
}

/// The inviter knows the token and sees the ACCEPT, but only the invitee knows the OPAQUE record: a repeat gives a
/// session to nobody else.
async fn check_repeat(tx: &mut Tx, account: &Checked<'_>, invite: &Invite) -> Result<(), ApiError> {
    match db::account::by_id(tx, invite.user_id).await? {
        Some(stored) if account.is(&stored) && stored.status.0 != AccountStatus::Revoked => Ok(()),
        _ => Err(ApiError::new(ErrorCode::InviteUsed, "This invite was used.").hint("Call your sender.")),
    }
}

async fn insert(
    state: &AppState,
    tx: &mut Tx,
    invite: &Invite,
    account: &Checked<'_>,
    accept: &Signed<Accept>,
    request: &AcceptInvite,
) -> Result<(), ApiError> {
    // A re-invited person may have registered before; that account was never certified.
    db::account::delete_pending(tx, invite.user_id).await?;
    let active = db::account::of_email(tx, &invite.email, AccountStatus::Active).await?;
    let pending = db::account::of_email(tx, &invite.email, AccountStatus::Pending).await?;
    if active.is_some() && active != invite.replaces()? || pending.is_some() {
        return Err(ApiError::new(ErrorCode::AlreadyMember, "The address has an account already."));
    }
    let now = state.clock.micros();
    let status = AccountStatus::Pending;
    account.store(tx, invite.role.0, status, Some(invite.inviter), now).await?;
    let acceptance = Acceptance {
        id: accept.id(),
        record: accept.raw(),
        mac: request.mac,
        bundle_id: account.bundle_id(),
        bundle: &request.registration.bundle,
    };
    if !db::invite::accept(tx, invite.invite_id, &acceptance, now).await? {
        return Err(db::DbError::Conflict.into());
    }
    db::invite::replace_others(tx, invite.user_id, invite.invite_id).await?;
    Ok(())
}
