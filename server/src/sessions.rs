//! Beginning and refreshing sessions (protocol §9).
//!
//! A refresh token is `session id 16 ‖ secret 32`. Its successor's secret is HMAC(server key, token), so the
//! previous token yields the same successor again without anything being stored but hashes, and a stolen database
//! yields none.

use sealpost_api::{
    auth::{Session, Tokens},
    limits::{ACCESS_TOKEN_SECONDS, MAX_SESSIONS, REFRESH_GRACE_SECONDS, REFRESH_TOKEN_SECONDS},
    token::Token,
};
use sealpost_crypto::{
    encoding::{from_base64, to_base64},
    id::{Digest, OrgId, UserId},
    random,
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    auth::not_signed_in,
    clock::micros,
    db::{self, DbError, Lock, Tx},
    keys::{ServerSecret, SessionId},
    problem::ApiError,
    state::AppState,
};

const TOKEN_LEN: usize = 48;

struct RefreshToken(Zeroizing<[u8; TOKEN_LEN]>);

impl RefreshToken {
    fn random(session: SessionId) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        random::fill(&mut secret[..]);
        Self::new(session, &secret)
    }

    fn new(session: SessionId, secret: &[u8; 32]) -> Self {
        let mut bytes = Zeroizing::new([0; TOKEN_LEN]);
        bytes[..16].copy_from_slice(session.as_bytes());
        bytes[16..].copy_from_slice(secret);
        Self(bytes)
    }

    fn parse(token: &Token) -> Option<Self> {
        let bytes = Zeroizing::new(from_base64(token.expose())?);
        <[u8; TOKEN_LEN]>::try_from(bytes.as_slice()).ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    fn session(&self) -> SessionId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.0[..16]);
        SessionId::new(id)
    }

    fn successor(&self, key: &ServerSecret) -> Self {
        Self::new(self.session(), &key.mac(&self.0[..]))
    }

    fn hash(&self) -> Digest {
        Digest::new(Sha256::digest(&self.0[..]).into())
    }

    fn to_token(&self) -> Token {
        Token::new(to_base64(&self.0[..]))
    }
}

/// Begins a session and gives what the device needs to open the account.
pub(crate) async fn begin(
    state: &AppState,
    tx: &mut Tx,
    org_id: OrgId,
    user: UserId,
) -> Result<Session, ApiError> {
    let session = SessionId::random();
    let refresh = RefreshToken::random(session);
    let now = state.clock.micros();
    let expires = now.saturating_add(micros(REFRESH_TOKEN_SECONDS));
    db::session::insert(tx, session, user, &refresh.hash(), now, expires).await?;
    db::session::keep_newest(tx, user, MAX_SESSIONS).await?;
    let account = db::account::view(tx, org_id, user).await?.ok_or(DbError::Corrupt)?;
    Ok(Session { tokens: tokens(state, org_id, session, &refresh)?, account })
}

/// What a refresh token is worth.
enum Presented {
    /// The newest: the next one takes its place.
    Newest,
    /// The one before, within the grace: its successor stands already.
    Previous,
    /// Older: somebody else has used it.
    Reused,
}

/// Gives the tokens that follow `token`. A token that was replaced longer ago than the grace ends the session: it
/// was stolen, or its thief has refreshed it.
pub(crate) async fn refresh(state: &AppState, token: &Token) -> Result<Tokens, ApiError> {
    let token = RefreshToken::parse(token).ok_or_else(not_signed_in)?;
    let org_id = state.org_id().await?;
    let (session, now) = (token.session(), state.clock.micros());
    let mut tx = state.db.write().await?;
    tx.lock(Lock::Session(session.as_bytes())).await?;
    let stored = db::session::read(&mut tx, session, now).await?.ok_or_else(not_signed_in)?;
    let next = token.successor(&state.keys.refresh);
    match judge(&stored, &token, now) {
        Presented::Newest => {
            let expires = now.saturating_add(micros(REFRESH_TOKEN_SECONDS));
            db::session::rotate(&mut tx, session, &next.hash(), now, expires).await?;
        }
        Presented::Previous => {}
        Presented::Reused => {
            db::session::end(&mut tx, session).await?;
            tx.commit().await?;
            tracing::warn!("a refresh token was used again after its successor; its session was ended");
            return Err(not_signed_in());
        }
    }
    tx.commit().await?;
    tokens(state, org_id, session, &next)
}

fn judge(stored: &db::session::Refreshable, token: &RefreshToken, now: i64) -> Presented {
    let hash = token.hash();
    let is = |other: &[u8]| bool::from(hash.as_bytes()[..].ct_eq(other));
    let in_grace = now <= stored.rotated_at.saturating_add(micros(REFRESH_GRACE_SECONDS));
    if is(stored.refresh_hash.as_bytes()) {
        Presented::Newest
    } else if in_grace && stored.previous_hash.as_deref().is_some_and(is) {
        Presented::Previous
    } else {
        Presented::Reused
    }
}

fn tokens(
    state: &AppState,
    org_id: OrgId,
    session: SessionId,
    refresh: &RefreshToken,
) -> Result<Tokens, ApiError> {
    let access = state.keys.access.issue(org_id, session, state.clock.seconds());
    Ok(Tokens {
        access_token: access.map_err(|error| ApiError::internal(&error))?,
        access_expires_in: ACCESS_TOKEN_SECONDS,
        refresh_token: refresh.to_token(),
    })
}
