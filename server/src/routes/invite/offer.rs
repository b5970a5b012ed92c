//! Taking an OFFER.

use sealpost_api::{
    account::{AccountStatus, RoleName},
    invite::{CreateInvite, InviteView},
    limits::{CLOCK_SKEW_SECONDS, MAX_INVITE_SECONDS, MAX_OPEN_INVITES},
    problem::ErrorCode,
};
use sealpost_crypto::{
    id::UserId,
    log::{Log, PositionError, Standing, StandingError},
    opening::Opening,
    record::{Authored, Signed},
    records::{Offer, Positioned, Role},
};

use crate::{
    auth::OpsMember,
    db::{self, Lock, Tx, invite::NewInvite},
    problem::ApiError,
    registration::check_opening,
    state::AppState,
};

/// Longest sealed opening: address, name, ids and salt in JSON under base64, sealed.
const MAX_SEALED_OPENING: usize = 2 * 1024;

/// Checks and stores an OFFER. The same one again gives the same answer.
pub(super) async fn store(
    state: &AppState,
    ops: &OpsMember,
    request: &CreateInvite,
) -> Result<InviteView, ApiError> {
    let mut tx = state.db.write().await?;
    tx.lock(Lock::Organisation).await?;
    let offer = {
        let log = state.log.synced(&mut tx).await?;
        verify(&log, ops, request)?
    };
    let now = state.clock.seconds();
    if let Some(invite) = db::invite::by_id(&mut tx, offer.invite_id).await? {
        let same = invite.offer_id == offer.id();
        return if same { Ok(invite.view(now)?) } else { Err(taken("invite id")) };
    }
    check_limits(&offer, request, now)?;
    check_person(&mut tx, &request.opening, request.replaces).await?;
    if db::invite::count_open(&mut tx, ops.user_id(), now).await? >= u64::from(MAX_OPEN_INVITES) {
        let detail = format!("You have {MAX_OPEN_INVITES} open invites.");
        return Err(ApiError::new(ErrorCode::LimitReached, detail));
    }
    db::invite::replace_open(&mut tx, &request.opening).await?;
    db::invite::insert(&mut tx, &new_invite(&offer, request), state.clock.micros()).await?;
    let stored = db::invite::by_id(&mut tx, offer.invite_id).await?.ok_or(db::DbError::Corrupt)?;
    tx.commit().await?;
    Ok(stored.view(now)?)
}

/// Everything that the log and the record themselves can tell.
fn verify(log: &Log, ops: &OpsMember, request: &CreateInvite) -> Result<Signed<Offer>, ApiError> {
    check_opening(&request.opening)?;
    let offer = log.verify_authored::<Offer>(request.offer.clone()).map_err(|error| invalid(&error))?;
    if offer.signer != ops.user_id() {
        return Err(ApiError::record_invalid("The OFFER is signed by somebody else than the caller."));
    }
    match log.ops_standing(&offer.author(), &offer.position(), false) {
        Ok(Standing::Current) => {}
        Ok(_) => return Err(ApiError::record_invalid("The OFFER is signed under keys that ended.")),
        Err(error) => return Err(refused(&error)),
    }
    let opening = request.opening.clone().verify(offer.subject).map_err(|error| invalid(&error))?;
    if opening.user_id() != offer.user_id {
        return Err(ApiError::record_invalid("The opening is of another account than the OFFER."));
    }
    Ok(offer)
}

fn invalid(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::record_invalid(format!("The OFFER is not valid: {error}."))
}

fn refused(error: &StandingError) -> ApiError {
    match error {
        StandingError::Ahead | StandingError::Position(PositionError::Unproven | PositionError::Fork(_)) => {
            ApiError::new(
                ErrorCode::LogUnknown,
                "The OFFER names a log state that this server does not have.",
            )
            .hint("The server may have been restored from a backup: tell whoever runs it.")
        }
        error => invalid(error),
    }
}

fn check_limits(offer: &Offer, request: &CreateInvite, now: u64) -> Result<(), ApiError> {
    if offer.role == Role::Ops && !offer.account_key {
        return Err(ApiError::record_invalid("An Ops member's account needs an account key."));
    }
    if offer.role == Role::Client && !request.opening.name.is_empty() {
        return Err(ApiError::record_invalid("A Client has no name that the organisation knows."));
    }
    if offer.expiry <= now {
        return Err(
            ApiError::record_invalid("The OFFER has expired already.").hint("Check this machine's clock.")
        );
    }
    if offer.expiry > now + MAX_INVITE_SECONDS + CLOCK_SKEW_SECONDS {
        let detail = format!("An invite may stay open for at most {} days.", MAX_INVITE_SECONDS / 86_400);
        return Err(ApiError::new(ErrorCode::LimitReached, detail));
    }
    if request.sealed_opening.0.len() > MAX_SEALED_OPENING {
        let detail = format!("A sealed opening has at most {MAX_SEALED_OPENING} bytes.");
        return Err(ApiError::new(ErrorCode::LimitReached, detail));
    }
    Ok(())
}

/// One address, one active account, and one that waits; one user id, one person.
async fn check_person(tx: &mut Tx, opening: &Opening, replaces: Option<UserId>) -> Result<(), ApiError> {
    let email = opening.email.as_str();
    match (db::account::of_email(tx, email, AccountStatus::Active).await?, replaces) {
        (None, None) => {}
        (Some(active), Some(replaced)) if active == replaced => {}
        (_, Some(_)) => return Err(replaces_unknown()),
        (Some(_), None) => {
            return Err(ApiError::new(ErrorCode::AlreadyMember, "The person has an account already.")
                .hint("If password and recovery kit are lost, invite them to replace it."));
        }
    }
    match db::account::of_email(tx, email, AccountStatus::Pending).await? {
        Some(pending) if pending != opening.user_id => {
            return Err(ApiError::new(ErrorCode::AlreadyMember, "The person has accepted another invite.")
                .hint("Certify them, or invite them again under the user id that GET /members tells."));
        }
        None if db::account::by_id(tx, opening.user_id).await?.is_some() => return Err(taken("user id")),
        _ => {}
    }
    if db::invite::contradicts(tx, opening).await? { Err(taken("user id")) } else { Ok(()) }
}

fn replaces_unknown() -> ApiError {
    ApiError::new(
        ErrorCode::ReplacesUnknown,
        "The account to be replaced is not the active one of this address.",
    )
    .hint("Look again who has the address: another Ops member may have acted.")
}

fn taken(what: &str) -> ApiError {
    ApiError::new(ErrorCode::IdTaken, format!("The {what} is in use already."))
        .hint("Choose another at random.")
}

fn new_invite<'a>(offer: &'a Signed<Offer>, request: &'a CreateInvite) -> NewInvite<'a> {
    NewInvite {
        invite_id: offer.invite_id,
        token_hash: request.token_hash,
        inviter: offer.signer,
        opening: &request.opening,
        role: match offer.role {
            Role::Client => RoleName::Client,
            Role::Ops => RoleName::Ops,
        },
        offer_id: offer.id(),
        offer: offer.raw(),
        mac: request.mac,
        sealed_opening: &request.sealed_opening.0,
        expiry: offer.expiry,
        replaces: request.replaces,
    }
}
