//! Opening a verified share: steps 6 and 7 of the order of verification (protocol §8).

use super::{VerifiedShare, info};
use crate::{
    account::Account,
    error::failures,
    kem::{self, UnwrapError},
    keys::{FileKeys, Place},
    secret::FileKey,
};

failures! {
    /// Why a verified share does not open.
    #[derive(Copy)]
    OpenShareError {
        /// It is wrapped to other keys of the same person: an older generation, whose seed is in the vault.
        OtherGeneration = "share_other_generation", "the share is wrapped to another generation of this account's keys";
        /// The sender wrapped another key than the manifest commits to.
        Commitment = "commitment_mismatch", "the file key is not the one that the sender committed to";
    }
    from {
        /// HPKE refuses; why is nobody's business.
        Unwrap(UnwrapError),
    }
}

/// The keys of one version of a file.
#[derive(Debug)]
pub struct OpenedFile {
    /// As wrapped; what the owner needs to share further.
    pub file_key: FileKey,
    /// What derives from it.
    pub keys: FileKeys,
    /// What the keys are bound to.
    pub place: Place,
}

impl VerifiedShare {
    /// Unwraps the file key with the recipient's private key, and checks the commitment: two recipients of one
    /// manifest always read one plaintext.
    pub fn open(&self, account: &Account) -> Result<OpenedFile, OpenShareError> {
        if account.bundle().id() != self.context.recipient_bundle {
            return Err(OpenShareError::OtherGeneration);
        }
        let info = info(&self.record.context.0);
        let file_key = kem::unwrap(&account.keys().kem, &info, &self.wrapped)?;
        let place = self.manifest.place();
        let keys = FileKeys::derive(&file_key, &place);
        if keys.commitment == self.context.commitment {
            Ok(OpenedFile { file_key, keys, place })
        } else {
            Err(OpenShareError::Commitment)
        }
    }
}
