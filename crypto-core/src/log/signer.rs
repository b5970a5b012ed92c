//! Signing as a member: what makes records takes a [`Signer`], and only a log in which the account is active
//! under its current keys gives one. A device whose account was rotated or revoked elsewhere stops here.

use super::Log;
use crate::{
    account::Account,
    error::failures,
    id::UserId,
    record::{Author, Record, RecordError, Signed},
    records::{LogPosition, Revoke, RevokeReason, Rotate, Service},
    sign::SigningPublicKey,
};

failures! {
    /// Why an account can't sign now.
    #[derive(Copy)]
    SignerError {
        /// The account is of another organisation.
        ForeignOrganisation = "foreign_organisation", "the account belongs to another organisation";
        /// Not certified yet.
        Pending = "account_pending", "the account has not been certified yet";
        /// The keys were rotated on another device.
        Rotated = "account_rotated", "the account's keys have been rotated on another device";
        /// The membership ended.
        Ended = "account_ended", "the account's membership has ended";
        /// Ops only.
        NotOps = "account_not_ops", "the account is not in the Ops role";
        /// The newest log state is not signed by the server yet.
        NoCheckpoint = "log_unsigned", "the log's head is not signed by the server";
    }
    from {
        /// The record can't be encoded within its limits.
        Record(RecordError),
    }
}

/// An active member with open keys, ready to sign.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    account: &'a Account,
    log: &'a Log,
}

/// A [`Signer`] in the Ops role.
#[derive(Debug, Clone, Copy)]
pub struct OpsSigner<'a>(Signer<'a>);

impl Log {
    /// `account` as a signer, if it is active in this log under its current keys.
    pub fn signer<'a>(&'a self, account: &'a Account) -> Result<Signer<'a>, SignerError> {
        if account.org_id() != self.org_id {
            return Err(SignerError::ForeignOrganisation);
        }
        let member = self.members.get(&account.user_id()).ok_or(SignerError::Pending)?;
        if !member.is_active() {
            return Err(SignerError::Ended);
        }
        if member.current().bundle != account.bundle().id() {
            return Err(SignerError::Rotated);
        }
        Ok(Signer { account, log: self })
    }

    /// `account` as a signer in the Ops role.
    pub fn ops_signer<'a>(&'a self, account: &'a Account) -> Result<OpsSigner<'a>, SignerError> {
        let signer = self.signer(account)?;
        if self.is_active_ops(account.user_id()) { Ok(OpsSigner(signer)) } else { Err(SignerError::NotOps) }
    }
}

impl<'a> Signer<'a> {
    /// The account.
    pub fn account(&self) -> &'a Account {
        self.account
    }

    /// The log in which it is active.
    pub fn log(&self) -> &'a Log {
        self.log
    }

    /// What a record says about who signs it.
    pub fn author(&self) -> Author {
        Author {
            org_id: self.account.org_id(),
            signer: self.account.user_id(),
            signer_bundle: self.account.bundle().id(),
        }
    }

    /// The log state that a record names: the log's head, as the server signed it.
    pub fn position(&self) -> Result<LogPosition, SignerError> {
        let position = self.log.checkpoint().ok_or(SignerError::NoCheckpoint)?.position();
        if position.size == self.log.size() { Ok(position) } else { Err(SignerError::NoCheckpoint) }
    }

    /// The entry that puts `next`, the same person's next generation of keys, in place of the current ones.
    pub fn rotate(&self, next: &Account) -> Result<Signed<Rotate>, SignerError> {
        let Author { org_id, signer, signer_bundle } = self.author();
        self.sign(Rotate {
            org_id,
            signer,
            signer_bundle,
            sequence: self.log.size(),
            previous: self.log.head(),
            bundle: next.bundle().id(),
            generation: next.generation(),
        })
    }

    pub(crate) fn sign<R: Record>(&self, record: R) -> Result<Signed<R>, SignerError> {
        Ok(Signed::sign(record, &self.account.keys().signing)?)
    }
}

impl<'a> std::ops::Deref for OpsSigner<'a> {
    type Target = Signer<'a>;

    fn deref(&self) -> &Signer<'a> {
        &self.0
    }
}

impl OpsSigner<'_> {
    /// The entry that ends a membership. For [`RevokeReason::Left`], records that name a log of at most
    /// `last_valid_size` entries still count.
    pub fn revoke(
        &self,
        user_id: UserId,
        last_valid_size: u64,
        reason: RevokeReason,
    ) -> Result<Signed<Revoke>, SignerError> {
        let Author { org_id, signer, signer_bundle } = self.author();
        self.sign(Revoke {
            org_id,
            signer,
            signer_bundle,
            sequence: self.log().size(),
            previous: self.log().head(),
            user_id,
            last_valid_size,
            reason,
        })
    }

    /// The entry that gives the server a new checkpoint key.
    pub fn service(&self, checkpoint_key: SigningPublicKey) -> Result<Signed<Service>, SignerError> {
        let Author { org_id, signer, signer_bundle } = self.author();
        self.sign(Service {
            org_id,
            signer,
            signer_bundle,
            sequence: self.log().size(),
            previous: self.log().head(),
            checkpoint_key,
        })
    }
}
