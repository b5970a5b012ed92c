//! Access tokens: JWT (RFC 7519), one pinned algorithm, at most ten minutes, naming the session.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use sealpost_api::{limits::ACCESS_TOKEN_SECONDS, token::Token};
use sealpost_crypto::id::OrgId;
use serde::{Deserialize, Serialize};

use crate::{
    jwt,
    keys::{ServerSecret, SessionId},
};

/// Signs and reads access tokens.
pub(crate) struct AccessKeys {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    /// The organisation, as issuer and as audience: a token of one server is worthless at any other.
    iss: String,
    aud: String,
    exp: u64,
    /// Session id, hex.
    sid: String,
}

impl AccessKeys {
    /// From the derived JWT secret.
    pub(crate) fn new(secret: &ServerSecret) -> Self {
        jwt::install();
        let (encoding, decoding) = jwt::keys(secret.expose());
        Self { encoding, decoding }
    }

    /// A token for `session` that lives [`ACCESS_TOKEN_SECONDS`] from `now` (UTC seconds).
    pub(crate) fn issue(
        &self,
        org: OrgId,
        session: SessionId,
        now: u64,
    ) -> Result<Token, jsonwebtoken::errors::Error> {
        let org = org.to_string();
        let claims = Claims {
            iss: org.clone(),
            aud: org,
            exp: now.saturating_add(ACCESS_TOKEN_SECONDS),
            sid: hex(session.as_bytes()),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map(Token::new)
    }

    /// The session that a token of this organisation names, if the token is genuine and not expired at `now`.
    /// Whether the session lives is the database's to say.
    pub(crate) fn read(&self, token: &str, org: OrgId, now: u64) -> Option<SessionId> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[org.to_string()]);
        validation.set_audience(&[org.to_string()]);
        // By the server's own clock, below.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).ok()?.claims;
        let fresh = claims.exp > now && claims.exp - now <= ACCESS_TOKEN_SECONDS;
        if fresh { unhex(&claims.sid).map(SessionId::new) } else { None }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    #[test]
    fn a_token_names_its_session_until_it_expires() {
        let (keys, org, session) = (keys(), OrgId::random(), SessionId::random());
        let token = keys.issue(org, session, NOW).unwrap();
        assert_eq!(keys.read(token.expose(), org, NOW), Some(session));
        assert_eq!(keys.read(token.expose(), org, NOW + ACCESS_TOKEN_SECONDS - 1), Some(session));
        assert_eq!(keys.read(token.expose(), org, NOW + ACCESS_TOKEN_SECONDS), None);
    }

    #[test]
    fn other_organisations_keys_and_algorithms_are_refused() {
        let (org, session) = (OrgId::random(), SessionId::random());
        let secret = ServerSecret::random();
        let keys = AccessKeys::new(&secret);
        let token = keys.issue(org, session, NOW).unwrap();
        assert_eq!(keys.read(token.expose(), OrgId::random(), NOW), None);
        assert_eq!(AccessKeys::new(&ServerSecret::random()).read(token.expose(), org, NOW), None);
        let body = token.expose().split_once('.').unwrap().1;
        for header in [r#"{"typ":"JWT","alg":"none"}"#, r#"{"typ":"JWT","alg":"HS512"}"#, "{}"] {
            let header = sealpost_crypto::encoding::to_base64(header.as_bytes());
            assert_eq!(keys.read(&format!("{header}.{body}"), org, NOW), None);
            let unsigned = body.split_once('.').unwrap().0;
            assert_eq!(keys.read(&format!("{header}.{unsigned}."), org, NOW), None);
        }
    }

    #[test]
    fn a_token_that_lives_too_long_is_refused() {
        let (keys, org) = (keys(), OrgId::random());
        let token = keys.issue(org, SessionId::random(), NOW + 1).unwrap();
        assert_eq!(keys.read(token.expose(), org, NOW), None);
    }

    fn keys() -> AccessKeys {
        AccessKeys::new(&ServerSecret::random())
    }
}
