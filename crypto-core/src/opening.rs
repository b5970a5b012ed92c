//! Openings of subjects: the address and name behind a commitment (protocol §4).

use serde::{Deserialize, Serialize};

use crate::id::{Digest, UserId};

/// Address and name of a person, with the salt that hides them inside a subject. Not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The account.
    pub user_id: UserId,
    /// 32 random bytes.
    pub salt: Digest,
    /// Address.
    pub email: String,
    /// Name; empty for Clients.
    pub name: String,
}
