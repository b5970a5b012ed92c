//! The signed-in account, its vault, and who else is in the organisation.

use schemars::JsonSchema;
use sealpost_crypto::{
    email::EmailAddress,
    encoding::Base64,
    id::{Digest, OrgId, UserId},
    opening::Opening,
    record::RawRecord,
    schema::characters,
};
use serde::{Deserialize, Serialize};

use crate::EXAMPLE_TIME;

/// What somebody may do, as the server says it. Clients decide by the verified log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    /// Uploads, shares, invites.
    Ops,
    /// Lists and downloads what was shared with them.
    Client,
}

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    /// Registered, not certified in the log yet.
    Pending,
    /// Certified.
    Active,
    /// Revoked or replaced.
    Revoked,
}

/// `GET /account`, and part of every new session.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AccountView {
    /// The organisation.
    pub org_id: OrgId,
    /// The account.
    pub user_id: UserId,
    /// Its address.
    #[schemars(with = "EmailAddress")]
    pub email: String,
    /// Its role, by the OFFER or the log.
    pub role: RoleName,
    /// Where it stands.
    pub status: AccountStatus,
    /// The newest credential record.
    pub credential: RawRecord,
    /// The sealed account seed.
    pub envelope: Base64,
    /// Who invited it: the Ops member who must come online while it is pending. Absent for the founder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inviter: Option<UserId>,
    /// Its own address and name behind the subject that was certified: how somebody who comes with a recovery kit
    /// alone learns, and verifies, whose account it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Opening>,
}

/// `POST /account/credential/challenge`: first message of a new password's OPAQUE registration. Changes nothing; the
/// answer is a [`crate::auth::RegisterChallenge`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CredentialRegister {
    /// OPAQUE registration request, 32 bytes.
    #[schemars(length(equal = characters(32)))]
    pub request: Base64,
}

/// `PUT /account/credential`: a new password. Idempotent by the credential; 409 `credential_changed` if the stored
/// one is not the one that this follows. Ends every other session of the account.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ChangeCredential {
    /// OPAQUE registration record, 192 bytes.
    #[schemars(length(equal = characters(192)))]
    pub opaque_record: Base64,
    /// Signed by the account's current key; names the hashes of the two beside it, and the credential before.
    pub credential: RawRecord,
    /// The account seed, sealed under the new password.
    pub envelope: Base64,
}

/// `POST /account/rotate`: new keys in place of the current ones, and everything that rests on them, at once. Idempotent
/// by entry and credential. 409 `log_conflict` (with the entry that holds the place), `vault_conflict` or
/// `credential_changed` change nothing. Ends every other session of the account and its open invites; the answer is a
/// [`crate::log::LogAppended`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RotateAccount {
    /// The `rotate` entry, signed by the current key.
    pub entry: RawRecord,
    /// The new keys.
    pub bundle: RawRecord,
    /// OPAQUE registration record, 192 bytes.
    #[schemars(length(equal = characters(192)))]
    pub opaque_record: Base64,
    /// Signed by the new key; follows the stored one. Its nonce is one of `POST /account/credential/challenge`.
    pub credential: RawRecord,
    /// The new account seed, sealed under the password.
    pub envelope: Base64,
    /// The vault under the new keys, with the seeds of all earlier ones; follows the stored one.
    pub vault: VaultBlob,
}

/// `GET` and `PUT /account/vault`. A `PUT` names `version` = stored version + 1 and `previous` = SHA-256 of the
/// stored blob; anything else is 409 `vault_conflict` and changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct VaultBlob {
    /// From 1.
    #[schemars(range(min = 1))]
    pub version: u64,
    /// SHA-256 of the blob before; zeros for version 1.
    pub previous: Digest,
    /// The sealed vault.
    pub blob: Base64,
}

/// One entry of `GET /members`: Ops see everybody, Clients and invitees see the Ops members.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct MemberView {
    /// Address and name behind the member's subject; checked against the log before use.
    pub opening: Opening,
    /// Role.
    pub role: RoleName,
    /// Where the account stands. `pending` for people who were invited and are not certified.
    pub status: AccountStatus,
    /// When the account was certified, by the server's clock; UTC seconds. Absent for the founder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = EXAMPLE_TIME)]
    pub certified_at: Option<u64>,
    /// When the account's keys were last rotated, by the server's clock; UTC seconds. Absent for the first ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = EXAMPLE_TIME)]
    pub rotated_at: Option<u64>,
}

/// `GET /members/{user_id}`: what ends, or stays behind, when somebody's membership ends. Zeros for people whom nobody knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberSummary {
    /// Shares to them that can be used now.
    pub shares_received: u64,
    /// Shares of theirs to others that can be used now.
    pub shares_given: u64,
    /// Their complete files.
    pub files: u64,
    /// Their invites that are open, or accepted and not certified.
    pub open_invites: u64,
}
