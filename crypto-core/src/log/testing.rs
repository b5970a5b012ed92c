//! An organisation for tests: its members' keys, its server's checkpoint key, and its log.

use super::{Founding, Log};
use crate::{
    account::Account,
    id::{Digest, RecordId, UserId},
    opening::{Opening, VerifiedOpening},
    record::{RawRecord, Signed},
    records::{Certify, RevokeReason, Role},
    secret::{AccountSeed, SigningSeed},
    sign::SigningKey,
};

/// An organisation with its founder.
pub(crate) struct Organisation {
    pub(crate) log: Log,
    pub(crate) founder: Account,
    pub(crate) server: SigningKey,
    openings: Vec<Opening>,
}

impl Organisation {
    pub(crate) fn new() -> Self {
        let server = SigningKey::from_seed(&SigningSeed::random());
        let opening = random_opening("ann@example.org");
        let founding = Founding {
            user_id: opening.user_id,
            subject: opening.subject().unwrap(),
            name: "Example Ltd".to_owned(),
            checkpoint_key: server.public_key(),
            nonce: Digest::random(),
        };
        let (log, founder) = Log::create(&AccountSeed::random(), founding).unwrap();
        let mut organisation = Self { log, founder, server, openings: vec![opening] };
        organisation.checkpoint();
        organisation
    }

    /// Lets the server sign the head.
    pub(crate) fn checkpoint(&mut self) -> RawRecord {
        let raw = Signed::sign(self.log.to_checkpoint(), &self.server).unwrap().into_raw();
        self.log.accept_checkpoint(raw.clone()).unwrap();
        raw
    }

    pub(crate) fn openings(&self) -> Vec<VerifiedOpening> {
        self.openings.iter().map(|opening| self.log.verify_opening(opening.clone()).unwrap()).collect()
    }

    /// The `certify` by the founder that would admit `account` next.
    pub(crate) fn certify(&self, account: &Account, role: Role, subject: Digest) -> Certify {
        Certify {
            org_id: self.log.org_id(),
            signer: self.founder.user_id(),
            signer_bundle: self.founder.bundle().id(),
            sequence: self.log.size(),
            previous: self.log.head(),
            user_id: account.user_id(),
            subject,
            role,
            bundle: account.bundle().id(),
            generation: account.generation(),
            offer: RecordId::random(),
            replaces: UserId::ZERO,
        }
    }

    pub(crate) fn admit(&mut self, role: Role) -> Account {
        self.admit_as(role, "somebody@example.org")
    }

    pub(crate) fn admit_as(&mut self, role: Role, email: &str) -> Account {
        let opening = random_opening(email);
        let account = Account::derive(&AccountSeed::random(), self.log.org_id(), opening.user_id, 1).unwrap();
        let certify = self.certify(&account, role, opening.subject().unwrap());
        self.apply(certify, Some(&account));
        self.openings.push(opening);
        account
    }

    /// Signs `certify` as the founder and applies it.
    pub(crate) fn apply(&mut self, certify: Certify, account: Option<&Account>) {
        let raw = Signed::sign(certify, &self.founder.keys().signing).unwrap().into_raw();
        self.log.apply(raw, account.map(|account| account.bundle().raw())).unwrap();
        self.checkpoint();
    }

    pub(crate) fn revoke(&mut self, account: &Account, reason: RevokeReason) {
        let size = self.log.size();
        let signer = self.log.ops_signer(&self.founder).unwrap();
        let raw = signer.revoke(account.user_id(), size, reason).unwrap().into_raw();
        self.log.apply(raw, None).unwrap();
        self.checkpoint();
    }

    /// Gives the founder the next generation of keys.
    pub(crate) fn rotate_founder(&mut self) {
        let next = self.next(&self.founder);
        let raw = self.log.signer(&self.founder).unwrap().rotate(&next).unwrap().into_raw();
        self.log.apply(raw, Some(next.bundle().raw())).unwrap();
        self.founder = next;
        self.checkpoint();
    }

    /// Gives `account` its next generation of keys.
    pub(crate) fn rotate(&mut self, account: &Account) -> Account {
        let next = self.next(account);
        let raw = self.log.signer(account).unwrap().rotate(&next).unwrap().into_raw();
        self.log.apply(raw, Some(next.bundle().raw())).unwrap();
        self.checkpoint();
        next
    }

    fn next(&self, account: &Account) -> Account {
        Account::derive(&AccountSeed::random(), account.org_id(), account.user_id(), account.generation() + 1)
            .unwrap()
    }
}

pub(crate) fn random_opening(email: &str) -> Opening {
    Opening {
        user_id: UserId::random(),
        salt: Digest::random(),
        email: email.parse().unwrap(),
        name: String::new(),
    }
}
