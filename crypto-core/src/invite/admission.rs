//! The invitee's check of its own `certify` (protocol §6): was I admitted as what I accepted, with my keys?

use serde::{Deserialize, Serialize};

use super::VerifiedOffer;
use crate::{
    account::Account,
    error::failures,
    id::{Digest, RecordId, UserId},
    log::Log,
    records::Role,
};

failures! {
    /// Why an invitee does not find itself in the log.
    #[derive(Copy)]
    AdmissionError {
        /// Not certified yet: whoever invited must come online.
        Pending = "account_pending", "the account has not been certified yet";
        /// Another address or name.
        Subject = "admission_subject", "the account was certified for another address or name than was accepted";
        /// Another role.
        Role = "admission_role", "the account was certified in another role than was accepted";
        /// Other keys than the ones registered.
        Bundle = "admission_bundle", "the account was certified with other keys than its own";
    }
}

/// As what somebody expects to be admitted; kept from ACCEPT until `certify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// The offered account.
    pub user_id: UserId,
    /// Commitment to the offered address and name.
    pub subject: Digest,
    /// The offered role.
    pub role: Role,
    /// H(own bundle).
    pub bundle: RecordId,
}

impl Admission {
    /// What `offer` promises to the keys of `account`.
    pub fn expected(offer: &VerifiedOffer, account: &Account) -> Self {
        let promised = offer.offer();
        Self {
            user_id: promised.user_id,
            subject: promised.subject,
            role: promised.role,
            bundle: account.bundle().id(),
        }
    }

    /// Checks that `log` admitted exactly this.
    pub fn check(&self, log: &Log) -> Result<(), AdmissionError> {
        let member = log.member(self.user_id).ok_or(AdmissionError::Pending)?;
        if member.subject != self.subject {
            return Err(AdmissionError::Subject);
        }
        if member.role != self.role {
            return Err(AdmissionError::Role);
        }
        match member.generations().next() {
            Some(first) if first.bundle == self.bundle => Ok(()),
            _ => Err(AdmissionError::Bundle),
        }
    }
}
