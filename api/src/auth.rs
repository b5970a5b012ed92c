//! Signing in and staying so (protocol §9).

use schemars::JsonSchema;
use sealpost_crypto::{
    email::EmailAddress,
    encoding::Base64,
    id::{Digest, OrgId, UserId},
    record::RawRecord,
    schema::characters,
    sign::SigningPublicKey,
};
use serde::{Deserialize, Serialize};

use crate::{EXAMPLE_TIME, account::AccountView, limits::ACCESS_TOKEN_SECONDS, token::Token};

/// `GET /server`: what a stranger may know.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ServerInfo {
    /// The server's version, for people.
    #[schemars(example = &"0.1.0")]
    pub version: String,
    /// Newest [`crate::API_VERSION`] it speaks.
    pub api: u32,
    /// Oldest it still speaks.
    pub api_oldest: u32,
    /// Id of the organisation; absent until it is founded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<OrgId>,
    /// The key under which it signs checkpoints; goes into the genesis.
    pub checkpoint_key: SigningPublicKey,
    /// A key that is to sign checkpoints once an Ops member has signed a `service` entry for it; absent while there is
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_checkpoint_key: Option<SigningPublicKey>,
    /// Its clock, UTC seconds.
    #[schemars(example = EXAMPLE_TIME)]
    pub time: u64,
}

/// `POST /organisation/register`: first message of the founder's OPAQUE registration.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FounderRegister {
    /// Printed by the server's first start.
    pub setup_token: Token,
    /// The organisation to be: H(genesis).
    pub org_id: OrgId,
    /// The founder's address.
    #[schemars(with = "EmailAddress")]
    pub email: String,
    /// OPAQUE registration request, 32 bytes.
    #[schemars(length(equal = characters(32)))]
    pub request: Base64,
}

/// Answer to [`FounderRegister`], [`crate::invite::InviteRegister`] and [`crate::account::CredentialRegister`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RegisterChallenge {
    /// OPAQUE registration response, 64 bytes.
    #[schemars(length(equal = characters(64)))]
    pub response: Base64,
    /// To be signed inside the credential; single use.
    pub nonce: Digest,
}

/// What every registration stores, in one transaction.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Registration {
    /// The new account's bundle.
    pub bundle: RawRecord,
    /// OPAQUE registration record, 192 bytes.
    #[schemars(length(equal = characters(192)))]
    pub opaque_record: Base64,
    /// Signed by the bundle's key; names the hashes of the OPAQUE record and the envelope.
    pub credential: RawRecord,
    /// Sealed account seed.
    pub envelope: Base64,
    /// Sealed vault, version 1.
    pub vault: Base64,
}

/// `POST /organisation`: founds the organisation. Idempotent by the genesis.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// As in [`FounderRegister`].
    pub setup_token: Token,
    /// The organisation's first record.
    pub genesis: RawRecord,
    /// The founder's address and name behind the genesis's subject.
    pub opening: sealpost_crypto::opening::Opening,
    /// The founder's account.
    pub registration: Registration,
}

/// `POST /auth/login`: OPAQUE KE1.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LoginStart {
    /// The account's address.
    #[schemars(with = "EmailAddress")]
    pub email: String,
    /// KE1, 96 bytes.
    #[schemars(length(equal = characters(96)))]
    pub ke1: Base64,
}

/// Answer to [`LoginStart`]; of the same shape and size whether or not the account exists.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LoginChallenge {
    /// Names this login; single use, [`crate::limits::CHALLENGE_SECONDS`].
    pub login_id: Token,
    /// KE2, 320 bytes.
    #[schemars(length(equal = characters(320)))]
    pub ke2: Base64,
    /// The organisation this server keeps; compared with the envelope afterwards.
    pub org_id: OrgId,
}

/// `POST /auth/login/finish`: OPAQUE KE3.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LoginFinish {
    /// From [`LoginChallenge`].
    pub login_id: Token,
    /// KE3, 64 bytes.
    #[schemars(length(equal = characters(64)))]
    pub ke3: Base64,
}

/// `POST /auth/key/challenge`: asks for a nonce to sign in with the account's key instead of a password.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct KeyChallengeRequest {
    /// The public key that the account seed gives; finds the account.
    pub signing_key: SigningPublicKey,
}

/// Answer to [`KeyChallengeRequest`]; of the same shape whether or not anybody has the key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct KeyChallenge {
    /// To be signed inside a `login` record; single use, [`crate::limits::CHALLENGE_SECONDS`].
    pub nonce: Digest,
    /// The organisation this server keeps; compared with the one that the client knows.
    pub org_id: OrgId,
    /// The account, as far as the server knows; proved by the log afterwards.
    pub user_id: UserId,
    /// Generation of the account's current keys.
    #[schemars(range(min = 1))]
    pub generation: u64,
    /// The server's clock, UTC seconds; for telling people that theirs is off.
    #[schemars(example = EXAMPLE_TIME)]
    pub time: u64,
}

/// `POST /auth/key`. Unknown accounts, other keys, used or foreign nonces are all one `login_failed`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct KeyLogin {
    /// A `login` record over the nonce, signed by the account's current key.
    pub login: RawRecord,
}

/// Access and refresh token.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Tokens {
    /// JWT for `Authorization: Bearer`.
    #[schemars(example = &"eyJhbGciOiJIUzI1NiJ9.eyJzaWQiOiI3YzJmIn0.9b40c7d1")]
    pub access_token: Token,
    /// Seconds until it expires.
    #[schemars(example = ACCESS_TOKEN_SECONDS)]
    pub access_expires_in: u64,
    /// For `POST /auth/refresh`; rotates at each use.
    pub refresh_token: Token,
}

/// A new session: tokens, and what the device needs to open the account.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// The tokens.
    pub tokens: Tokens,
    /// The account.
    pub account: AccountView,
}

/// `POST /auth/refresh`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Refresh {
    /// The newest refresh token, or the one before it within [`crate::limits::REFRESH_GRACE_SECONDS`].
    pub refresh_token: Token,
}
