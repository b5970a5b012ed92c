//! Who is calling. Every extractor here is a proof: a handler that takes an [`OpsMember`] runs for nobody else.
//!
//! Order of refusals: no live session → 401 before anything about the object is said; then pending account or
//! wrong role → 403; then the object.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{FromRef, FromRequestParts, RawPathParams},
    http::{header, request::Parts},
};
use sealpost_api::{
    INVITE_SCHEME,
    account::{AccountStatus, RoleName},
    problem::ErrorCode,
};
use sealpost_crypto::{
    encoding::from_base64,
    id::{InviteId, OrgId, UserId},
    invite::token_hash as invite_token_hash,
    secret::InviteToken,
};
use zeroize::Zeroizing;

use crate::{
    db::{self, invite::Progress, session},
    keys::SessionId,
    problem::ApiError,
    state::AppState,
};

/// Why an invite was cancelled.
pub(crate) const INVITER_GONE: &str =
    "Whoever made this invite has left the organisation, or changed their keys since.";

/// Where the request log learns who called; set once the session is known.
#[derive(Clone, Default)]
pub(crate) struct Caller(pub Arc<OnceLock<UserId>>);

/// A live session, also of a pending account.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    org_id: OrgId,
    session_id: SessionId,
    user_id: UserId,
    role: RoleName,
    status: AccountStatus,
}

impl Session {
    /// The organisation.
    pub(crate) fn org_id(&self) -> OrgId {
        self.org_id
    }

    /// The session.
    pub(crate) fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// Who calls.
    pub(crate) fn user_id(&self) -> UserId {
        self.user_id
    }

    /// Their role.
    pub(crate) fn role(&self) -> RoleName {
        self.role
    }

    /// Whether the account is certified.
    pub(crate) fn is_active(&self) -> bool {
        self.status == AccountStatus::Active
    }
}

/// A live session of an active account of either role.
#[derive(Debug, Clone)]
pub(crate) struct Member(Session);

/// A live session of an active Ops member.
#[derive(Debug, Clone)]
pub(crate) struct OpsMember(Session);

/// The holder of an invite's token, who has no account yet. On routes that name an invite, of that very one.
#[derive(Debug, Clone)]
pub(crate) struct Invitee {
    invite_id: InviteId,
}

impl Invitee {
    /// The invite.
    pub(crate) fn invite_id(&self) -> InviteId {
        self.invite_id
    }
}

/// An invitee whose invite can still lead to an account, or any session.
#[derive(Debug, Clone)]
pub(crate) enum InviteeOrSession {
    /// By the invite's token.
    Invitee,
    /// By an access token.
    Session(Session),
}

impl std::ops::Deref for Member {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl std::ops::Deref for OpsMember {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session
where
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let state = AppState::from_ref(state);
        let token = credentials(parts, "Bearer").ok_or_else(not_signed_in)?;
        let org_id = state.org_id_if_founded().await?.ok_or_else(not_signed_in)?;
        let now = state.clock.seconds();
        let session_id = state.keys.access.read(token, org_id, now).ok_or_else(not_signed_in)?;
        let mut tx = state.db.read().await?;
        let found = session::authorise(&mut tx, session_id, state.clock.micros()).await?;
        let found = found.ok_or_else(not_signed_in)?;
        if let Some(caller) = parts.extensions.get::<Caller>() {
            let _first = caller.0.set(found.user_id);
        }
        Ok(Self { org_id, session_id, user_id: found.user_id, role: found.role.0, status: found.status.0 })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Member
where
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let session = Session::from_request_parts(parts, state).await?;
        match session.status {
            AccountStatus::Active => Ok(Self(session)),
            _ => Err(ApiError::new(ErrorCode::AccountPending, "Your account has not been admitted yet.")
                .hint("Whoever invited you has to use Sealpost once more.")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OpsMember
where
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Member(session) = Member::from_request_parts(parts, state).await?;
        match session.role {
            RoleName::Ops => Ok(Self(session)),
            RoleName::Client => Err(ApiError::new(ErrorCode::RoleForbidden, "This is for Ops members.")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Invitee
where
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let state = AppState::from_ref(state);
        let token = credentials(parts, INVITE_SCHEME).ok_or_else(invite_unknown)?;
        let token = from_base64(token).and_then(|bytes| InviteToken::from_slice(&Zeroizing::new(bytes)));
        let hash = invite_token_hash(&token.ok_or_else(invite_unknown)?);
        let found = db::invite::by_token(&mut state.db.read().await?, &hash).await?;
        let invite_id = found.ok_or_else(invite_unknown)?;
        let path = RawPathParams::from_request_parts(parts, &state).await.map_err(|_| invite_unknown())?;
        let named = path.iter().find(|(name, _)| *name == "invite_id").map(|(_, value)| value);
        match named {
            Some(named) if named != invite_id.to_string() => Err(invite_unknown()),
            _ => Ok(Self { invite_id }),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InviteeOrSession
where
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if credentials(parts, INVITE_SCHEME).is_none() {
            return Session::from_request_parts(parts, state).await.map(Self::Session);
        }
        let invitee = Invitee::from_request_parts(parts, state).await?;
        let state = AppState::from_ref(state);
        let invite = db::invite::by_id(&mut state.db.read().await?, invitee.invite_id).await?;
        let invite = invite.ok_or_else(invite_unknown)?;
        match invite.state {
            Progress::Accepted => Ok(Self::Invitee),
            Progress::Open if invite.expiry()? > state.clock.seconds() => Ok(Self::Invitee),
            Progress::Open => Err(ApiError::new(ErrorCode::InviteExpired, "This invite has expired.")),
            Progress::Certified => Err(ApiError::new(ErrorCode::InviteUsed, "This invite was used.")),
            Progress::Replaced => {
                Err(ApiError::new(ErrorCode::InviteReplaced, "A newer invite took this one's place."))
            }
            Progress::Cancelled => Err(ApiError::new(ErrorCode::InviteCancelled, INVITER_GONE)),
        }
    }
}

fn invite_unknown() -> ApiError {
    ApiError::new(ErrorCode::InviteUnknown, "There is no such invite.")
        .hint("Check the code; ask your sender for a new one.")
}

/// No session, or it has ended: always the same words.
pub(crate) fn not_signed_in() -> ApiError {
    ApiError::new(ErrorCode::NotSignedIn, "There is no live session.").hint("Sign in.")
}

/// What follows `scheme` in the `Authorization` header.
pub(crate) fn credentials<'a>(parts: &'a Parts, scheme: &str) -> Option<&'a str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (given, rest) = value.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then_some(rest.trim())
}
