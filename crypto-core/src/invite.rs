//! Invites (protocol §6): how keys become authentic. The code travels outside the server; both sides prove with
//! MACs that they hold it, so that nobody in between can put other keys in place.
//!
//! ```text
//! prk = Extract("…/invite", S)
//!       ├─ Expand "…/invite-id"      ‖ 00 → invite_id, 16 B, public
//!       ├─ Expand "…/invite-offer"   ‖ 00 → K_offer    MAC over OFFER
//!       ├─ Expand "…/invite-accept"  ‖ 00 → K_accept   MAC over ACCEPT
//!       ├─ Expand "…/invite-subject" ‖ 00 → K_subject  seals the opening beside OFFER
//!       └─ Expand "…/invite-token"   ‖ 00 → token; the server keeps SHA-256(token)
//!
//! inviter ── OFFER ──▶ server ──▶ invitee      VerifiedOffer
//! inviter ◀── server ◀── ACCEPT ── invitee     VerifiedAcceptance
//! inviter ── CERTIFY ──▶ log ──▶ invitee       Admission
//! ```

mod accept;
mod admission;
mod code;
mod offer;

use hmac::Mac as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use accept::{AcceptError, AcceptanceError, CERTIFY_GRACE, SealedAccept, VerifiedAcceptance, accept};
pub use admission::{Admission, AdmissionError};
pub use code::{CodeError, InviteCode, InviteLink};
pub use offer::{InviteError, OfferError, OfferRequest, SealedOffer, VerifiedOffer, offer};

use crate::{
    id::{Digest, InviteId},
    kdf::{self, Prk},
    labels::{self, labelled},
    record::RawRecord,
    secret::{InviteSecret, InviteToken, MacKey, OpeningKey},
};

/// Everything that derives from the secret of an invite.
#[derive(Debug)]
pub struct InviteKeys {
    /// Names the invite; public.
    pub invite_id: InviteId,
    /// What the invitee shows the server.
    pub token: InviteToken,
    offer: MacKey,
    accept: MacKey,
    subject: OpeningKey,
}

impl InviteKeys {
    /// Derives them.
    pub fn derive(secret: &InviteSecret) -> Self {
        let prk = Prk::extract(labels::INVITE, secret.expose());
        let invite_id: Zeroizing<[u8; 16]> = prk.expand(labels::INVITE_ID, &[]);
        Self {
            invite_id: InviteId::new(*invite_id),
            token: InviteToken::take(&mut prk.expand(labels::INVITE_TOKEN, &[])),
            offer: MacKey::take(&mut prk.expand(labels::INVITE_OFFER, &[])),
            accept: MacKey::take(&mut prk.expand(labels::INVITE_ACCEPT, &[])),
            subject: OpeningKey::take(&mut prk.expand(labels::INVITE_SUBJECT, &[])),
        }
    }
}

/// SHA-256(token): what the server keeps, and compares with the hash of what it is shown.
pub fn token_hash(token: &InviteToken) -> Digest {
    Digest::new(Sha256::digest(token.expose()).into())
}

/// HMAC-SHA256(key, label ‖ 00 ‖ payload ‖ signature).
fn mac(key: &MacKey, label: &str, record: &RawRecord) -> Digest {
    Digest::new(keyed(key, label, record).finalize().into_bytes().into())
}

fn mac_is_valid(key: &MacKey, label: &str, record: &RawRecord, mac: &Digest) -> bool {
    keyed(key, label, record).verify_slice(mac.as_bytes()).is_ok()
}

fn keyed(key: &MacKey, label: &str, record: &RawRecord) -> hmac::Hmac<Sha256> {
    let mut mac = kdf::hmac(key.expose());
    mac.update(&labelled(label, &[&record.payload.0, record.signature.as_bytes()]));
    mac
}

#[cfg(test)]
mod tests;
