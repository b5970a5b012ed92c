//! OFFER: an Ops member invites one person (protocol §6).

use serde::{Deserialize, Serialize};

use super::{InviteCode, InviteKeys, mac, mac_is_valid};
use crate::{
    aead,
    email::EmailAddress,
    encoding::Base64,
    error::failures,
    id::{Digest, InviteId, OrgId, RecordId},
    labels::{self, labelled},
    log::{AuthorError, Log, OpsSigner, SignerError, Standing, StandingError},
    opening::{Opening, OpeningError, OpeningPayload, VerifiedOpening},
    record::{self, Author, Authored, RawRecord, RecordError, Signed},
    records::{Offer, Positioned, Role},
};

failures! {
    /// Why an invite can't be made.
    #[derive(Copy)]
    InviteError {
        /// The account has been certified.
        AlreadyCertified = "already_certified", "the account was certified before";
    }
    from {
        /// The inviter can't sign now.
        Signer(SignerError),
        /// The name is too long.
        Opening(OpeningError),
        /// Something is over its limit.
        Record(RecordError),
    }
}

failures! {
    /// Why an OFFER was refused.
    OfferError {
        /// The OFFER was not made by somebody who holds the code.
        Mac = "offer_mac", "the invite was not made with this code";
        /// The OFFER belongs to another code.
        WrongInvite = "offer_invite_id", "the invite belongs to another code";
        /// The inviter has left, or has new keys since.
        InviterGone = "inviter_gone", "whoever invited is not an active Ops member any more";
        /// Too late.
        Expired = "offer_expired", "the invite has expired";
        /// What lies beside the OFFER is not what the inviter put there.
        SealedOpening = "offer_opening", "the address beside the invite can't be opened";
        /// The server names another address than the inviter.
        Email = "offer_email", "the server gives another address than the inviter";
        /// Ops accounts always have an account key.
        AccountKey = "offer_account_key", "an Ops member is invited without an account key";
    }
    from {
        /// The record itself, or who signed it.
        Author(AuthorError),
        /// The inviter's signature does not count.
        Standing(StandingError),
        /// The opening does not agree with the OFFER's subject.
        Opening(OpeningError),
    }
}

/// What an inviter decides.
#[derive(Debug, Clone)]
pub struct OfferRequest {
    /// The invitee: a fresh random user_id (or, for a new code to the same pending person, theirs), a fresh
    /// salt (or theirs), address, and name (empty for Clients).
    pub opening: Opening,
    /// What the invitee will be.
    pub role: Role,
    /// Whether the account must use an account key beside its password; always for Ops.
    pub account_key: bool,
    /// Until when it may be accepted; UTC seconds.
    pub expiry: u64,
}

/// An OFFER as it travels, with what goes beside it. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedOffer {
    /// The record.
    pub offer: RawRecord,
    /// HMAC-SHA256 under K_offer.
    pub mac: Digest,
    /// The opening under K_subject.
    pub sealed_opening: Base64,
    /// The address under which the invitee will register.
    pub email: EmailAddress,
}

/// An OFFER that an active Ops member signed, made by somebody who holds the code, and not expired.
#[derive(Debug, Clone)]
pub struct VerifiedOffer {
    record: Signed<Offer>,
    opening: VerifiedOpening,
}

/// Makes the OFFER of `code` for the person in `request`.
pub fn offer(
    signer: &OpsSigner<'_>,
    code: &InviteCode,
    request: OfferRequest,
) -> Result<SealedOffer, InviteError> {
    if signer.log().member(request.opening.user_id).is_some() {
        return Err(InviteError::AlreadyCertified);
    }
    let keys = code.keys();
    let position = signer.position()?;
    let Author { org_id, signer: inviter, signer_bundle } = signer.author();
    let record = signer.sign(Offer {
        org_id,
        signer: inviter,
        signer_bundle,
        invite_id: keys.invite_id,
        user_id: request.opening.user_id,
        subject: request.opening.subject()?,
        role: request.role,
        account_key: request.account_key,
        expiry: request.expiry,
        log_size: position.size,
        log_head: position.head,
        log_sig: position.signature,
    })?;
    Ok(SealedOffer {
        mac: mac(&keys.offer, labels::OFFER_MAC, record.raw()),
        sealed_opening: Base64(seal_opening(&keys, org_id, &request.opening)?),
        email: request.opening.email,
        offer: record.into_raw(),
    })
}

impl VerifiedOffer {
    /// Checks an OFFER as the invitee: the MAC, the signature of an active Ops member under current keys, the
    /// log state it names, the expiry against `now` (UTC seconds), and the opening beside it.
    ///
    /// `log` comes from the server too; the MAC shows that it is the organisation that the inviter meant.
    pub fn verify(sealed: SealedOffer, code: &InviteCode, log: &Log, now: u64) -> Result<Self, OfferError> {
        let keys = code.keys();
        if !mac_is_valid(&keys.offer, labels::OFFER_MAC, &sealed.offer, &sealed.mac) {
            return Err(OfferError::Mac);
        }
        let record = verify_record(sealed.offer, &keys, log)?;
        if now > record.expiry {
            return Err(OfferError::Expired);
        }
        let opening = open_opening(&keys, record.org_id, &sealed.sealed_opening.0)?;
        let opening = opening.verify(record.subject)?;
        // Else the account that is registered would have nobody's address: the subject names another one.
        if opening.user_id() != record.user_id {
            return Err(OpeningError::Mismatch.into());
        }
        if opening.email() != &sealed.email {
            return Err(OfferError::Email);
        }
        if record.role == Role::Ops && !record.account_key {
            return Err(OfferError::AccountKey);
        }
        Ok(Self { record, opening })
    }

    /// What the inviter signed.
    pub fn offer(&self) -> &Offer {
        self.record.get()
    }

    /// H(OFFER).
    pub fn id(&self) -> RecordId {
        self.record.id()
    }

    /// Under which address and name the invitee will be known.
    pub fn opening(&self) -> &VerifiedOpening {
        &self.opening
    }
}

/// The part of the verification that does not need the invitee's side: also what the inviter repeats before
/// certifying.
pub(super) fn verify_record(
    raw: RawRecord,
    keys: &InviteKeys,
    log: &Log,
) -> Result<Signed<Offer>, OfferError> {
    let record = log.verify_authored::<Offer>(raw)?;
    if record.invite_id != keys.invite_id {
        return Err(OfferError::WrongInvite);
    }
    match log.ops_standing(&record.author(), &record.position(), false) {
        Ok(Standing::Current) => Ok(record),
        Ok(Standing::Left | Standing::Retired)
        | Err(StandingError::Rotated | StandingError::AfterLeaving | StandingError::Compromised) => {
            Err(OfferError::InviterGone)
        }
        Err(error) => Err(error.into()),
    }
}

fn opening_aad(org_id: OrgId, invite_id: InviteId) -> Vec<u8> {
    labelled(labels::OPENING, &[org_id.as_bytes(), invite_id.as_bytes()])
}

fn seal_opening(keys: &InviteKeys, org_id: OrgId, opening: &Opening) -> Result<Vec<u8>, RecordError> {
    let payload = record::encode(&OpeningPayload::from(opening))?;
    Ok(aead::seal(keys.subject.expose(), &opening_aad(org_id, keys.invite_id), &payload))
}

fn open_opening(keys: &InviteKeys, org_id: OrgId, sealed: &[u8]) -> Result<Opening, OfferError> {
    let aad = opening_aad(org_id, keys.invite_id);
    let payload = aead::open(keys.subject.expose(), &aad, sealed).map_err(|_| OfferError::SealedOpening)?;
    let payload: OpeningPayload = record::parse(&payload).map_err(|_| OfferError::SealedOpening)?;
    payload.opening().map_err(|_| OfferError::SealedOpening)
}
