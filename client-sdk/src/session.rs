//! Tokens: kept on the device, refreshed by one process at a time (protocol §9).

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sealpost_api::{
    auth::{Refresh, Tokens},
    routes,
    token::Token,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::{
    device::Device,
    error::{Error, ErrorKind, Result},
    key_login,
    server::{Auth, Call, Server},
    vault,
};

/// An access token with less than this left is replaced before it is used.
const MARGIN: Duration = Duration::from_secs(30);

/// Tokens with the local time at which they end.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StoredTokens {
    access_token: Token,
    refresh_token: Token,
    /// Local clock, seconds since 1970: never compared with the server's.
    expires_at: u64,
}

impl From<Tokens> for StoredTokens {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            expires_at: now().saturating_add(tokens.access_expires_in),
        }
    }
}

/// The signed-in session of one device.
#[derive(Clone)]
pub(crate) struct Session {
    device: Device,
    server: Server,
    tokens: Arc<Mutex<StoredTokens>>,
}

impl Session {
    /// Keeps a new session's tokens.
    pub(crate) fn begin(device: Device, server: Server, tokens: Tokens) -> Result<Self> {
        let tokens = StoredTokens::from(tokens);
        device.save_session(&tokens)?;
        Ok(Self { device, server, tokens: Arc::new(Mutex::new(tokens)) })
    }

    /// Takes up the session that the device holds.
    pub(crate) fn resume(device: Device, server: Server) -> Result<Self> {
        let tokens = device.session()?;
        Ok(Self { device, server, tokens: Arc::new(Mutex::new(tokens)) })
    }

    /// A token that is good for the next request.
    pub(crate) async fn access_token(&self) -> Result<Token> {
        let mut tokens = self.tokens.lock().await;
        if tokens.expires_at <= now() + MARGIN.as_secs() {
            self.refresh(&mut tokens).await?;
        }
        Ok(tokens.access_token.clone())
    }

    /// A token other than `refused`, which the server did not take.
    pub(crate) async fn replace(&self, refused: &Token) -> Result<Token> {
        let mut tokens = self.tokens.lock().await;
        if tokens.access_token.expose() == refused.expose() {
            self.refresh(&mut tokens).await?;
        }
        Ok(tokens.access_token.clone())
    }

    /// Refreshes under the device's lock, unless another process just did.
    async fn refresh(&self, tokens: &mut StoredTokens) -> Result<()> {
        let _guard = self.device.lock("session").await?;
        let stored: StoredTokens = self.device.session()?;
        let refreshed_elsewhere = stored.access_token.expose() != tokens.access_token.expose();
        *tokens = stored;
        if refreshed_elsewhere && tokens.expires_at > now() + MARGIN.as_secs() {
            return Ok(());
        }
        let request = Refresh { refresh_token: tokens.refresh_token.clone() };
        let call = Call::new(routes::REFRESH, &[]);
        let fresh: Tokens = match self.server.call(call, &Auth::Nobody, Some(&request)).await {
            Err(error) if error.kind() == ErrorKind::NotSignedIn => self.begin_again().await?,
            outcome => outcome?,
        };
        *tokens = StoredTokens::from(fresh);
        self.device.save_session(tokens)
    }

    /// The session has ended, and this device still holds the account's key: a new one by that, so that scripts
    /// go on without a person.
    async fn begin_again(&self) -> Result<Tokens> {
        let profile = self.device.profile()?.ok_or_else(ended)?;
        let seed = self.device.seed()?;
        let opened = match key_login::authenticate(&self.server, profile.org_id, &seed).await {
            Err(error) if error.code() == "login_failed" => return Err(ended()),
            outcome => outcome?,
        };
        if (opened.account.user_id(), opened.account.generation()) != (profile.user_id, profile.generation) {
            return Err(ended());
        }
        // The password may have been changed elsewhere; that it was changed back is not possible.
        vault::pin_credential(&self.device, &opened.credential)?;
        Ok(opened.session.tokens)
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::NotSignedIn, "session_ended", "the session has ended")
        .with_hint("Run `sealpost login`.")
}

/// Local clock, UTC seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
