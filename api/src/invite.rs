//! Invites (protocol §6).

use schemars::JsonSchema;
use sealpost_crypto::{
    email::EmailAddress,
    encoding::Base64,
    id::{Digest, InviteId, UserId},
    opening::Opening,
    record::RawRecord,
    schema::characters,
};
use serde::{Deserialize, Serialize};

use crate::{EXAMPLE_TIME, auth::Registration, limits::MAX_PAGE};

/// `POST /invites`. Idempotent by the offer's invite id.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CreateInvite {
    /// OFFER.
    pub offer: RawRecord,
    /// HMAC-SHA256 under K_offer.
    pub mac: Digest,
    /// Address and name of the invitee; the registration uses exactly this address.
    pub opening: Opening,
    /// The same opening sealed under K_subject, for the invitee.
    pub sealed_opening: Base64,
    /// SHA-256 of the token with which the invitee will come.
    pub token_hash: Digest,
    /// The active account with the same address whose place the new one is to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<UserId>,
}

/// Where an invite stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InviteState {
    /// Not accepted yet.
    Open,
    /// Accepted; waits for the inviter's next session.
    Accepted,
    /// In the log.
    Certified,
    /// Not accepted in time.
    Expired,
    /// A newer invite to the same person took its place.
    Replaced,
    /// Whoever invited is not a member any more, or has changed their keys.
    Cancelled,
}

/// An invite, to the Ops members and to whoever holds its token.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct InviteView {
    /// The invite.
    pub invite_id: InviteId,
    /// Where it stands.
    pub state: InviteState,
    /// The invitee's address.
    #[schemars(with = "EmailAddress")]
    pub email: String,
    /// OFFER.
    pub offer: RawRecord,
    /// Its MAC.
    pub offer_mac: Digest,
    /// The opening sealed under K_subject.
    pub sealed_opening: Base64,
    /// The opening, to Ops members only: whoever invites the same person again needs it. Checked against the OFFER's
    /// subject before use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Opening>,
    /// Present once accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<AcceptanceView>,
}

/// The invitee's answer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AcceptanceView {
    /// ACCEPT.
    pub accept: RawRecord,
    /// Its MAC.
    pub mac: Digest,
    /// The bundle that signed it.
    pub bundle: RawRecord,
    /// When the server got it, UTC seconds.
    #[schemars(example = EXAMPLE_TIME)]
    pub accepted_at: u64,
}

/// `GET /invites?state=…`: besides the paging.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct InviteQuery {
    /// Only invites in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<InviteState>,
    /// Only invites that are open, accepted, expired or cancelled: of people who are not in the log by them. Not together
    /// with `state`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncertified: bool,
    /// `next_cursor` of the page before; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Entries wanted, 1 to [`crate::limits::MAX_PAGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_PAGE))]
    pub limit: Option<u32>,
}

/// `POST /invites/{invite_id}/register`: first message of the invitee's OPAQUE registration. Changes nothing
/// about the invite.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct InviteRegister {
    /// OPAQUE registration request, 32 bytes.
    #[schemars(length(equal = characters(32)))]
    pub request: Base64,
}

/// `POST /invites/{invite_id}/accept`: uses the invite up. Idempotent by the ACCEPT record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AcceptInvite {
    /// ACCEPT.
    pub accept: RawRecord,
    /// HMAC-SHA256 under K_accept.
    pub mac: Digest,
    /// The new account.
    pub registration: Registration,
}
