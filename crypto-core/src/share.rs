//! Shares: a file key wrapped to one recipient, under the owner's signature (protocol §7, §8).
//!
//! ```text
//! ctx  = encoding of ShareContext: file, manifest, commitment, sender, recipient, place in the pair, log
//! info = "…/share-info" ‖ 00 ‖ SHA-256(ctx)
//! enc, ct = HPKE.Seal(recipient's key, info, aad "", file key)
//! share   = owner's signature over ctx and SHA-256(enc ‖ ct)
//! ```
//!
//! The context is bound twice: by the signature, so that nobody can re-sign another's wrap, and by the
//! wrapping itself, so that no wrap can move to another file, person or organisation.

mod open;
mod seal;
mod verify;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use open::{OpenShareError, OpenedFile};
pub use seal::{SealError, ShareRequest, UnshareError, seal, unshare};
pub use verify::{ShareError, VerifiedShare};

use crate::{
    encoding::Base64,
    kem::{Encapsulation, SealedFileKey, WrappedKey},
    labels::{self, labelled},
    record::RawRecord,
};

/// A share as it travels: nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SealedShare {
    /// The `share` record.
    pub record: RawRecord,
    /// HPKE encapsulated key, 1,120 bytes.
    #[cfg_attr(feature = "schema", schemars(length(equal = crate::schema::characters(Encapsulation::LEN))))]
    pub enc: Base64,
    /// HPKE ciphertext of the file key, 48 bytes.
    #[cfg_attr(feature = "schema", schemars(length(equal = crate::schema::characters(SealedFileKey::LEN))))]
    pub ciphertext: Base64,
}

impl SealedShare {
    /// The wrap, if it has the lengths of one.
    fn wrapped(&self) -> Option<WrappedKey> {
        Some(WrappedKey {
            enc: Encapsulation::from_slice(&self.enc.0)?,
            ciphertext: SealedFileKey::from_slice(&self.ciphertext.0)?,
        })
    }
}

/// HPKE's `info` for a share with the context `ctx`.
fn info(ctx: &[u8]) -> Vec<u8> {
    labelled(labels::SHARE_INFO, &[&Sha256::digest(ctx)])
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
