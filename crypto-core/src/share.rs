//! Shares: a file key wrapped to one recipient, under the owner's signature (protocol §7).

use serde::{Deserialize, Serialize};

use crate::{encoding::Base64, record::RawRecord};

/// A share as it travels: nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedShare {
    /// The `share` record.
    pub record: RawRecord,
    /// HPKE encapsulated key, 1,120 bytes.
    pub enc: Base64,
    /// HPKE ciphertext of the file key, 48 bytes.
    pub ciphertext: Base64,
}
