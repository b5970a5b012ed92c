//! An organisation from fixed seeds: Ann founds it, Bob is a Client, Carol is Ops.

use sealpost_crypto::{
    account::Account,
    id::{Digest, RecordId, UserId},
    log::{Founding, Log},
    opening::Opening,
    record::{RawRecord, Record, Signed},
    records::{Certify, LogPosition, Role},
    secret::{AccountSeed, SigningSeed},
    sign::SigningKey,
};

pub struct World {
    pub log: Log,
    pub ann: Account,
    pub bob: Account,
    pub carol: Account,
    pub server: SigningKey,
}

pub fn seed(n: u8) -> AccountSeed {
    AccountSeed::from_slice(&[n; 32]).unwrap()
}

pub fn signing_key(n: u8) -> SigningKey {
    SigningKey::from_seed(&SigningSeed::from_slice(&[n; 32]).unwrap())
}

pub fn opening(n: u8, email: &str, name: &str) -> Opening {
    Opening {
        user_id: UserId::new([n; 16]),
        salt: Digest::new([n; 32]),
        email: email.parse().unwrap(),
        name: name.to_owned(),
    }
}

pub fn signed<R: Record>(record: R, by: &Account) -> RawRecord {
    Signed::sign(record, &by.keys().signing).unwrap().into_raw()
}

impl World {
    pub fn new() -> Self {
        let server = signing_key(0x50);
        let founding = Founding {
            user_id: UserId::new([0x0a; 16]),
            subject: opening(0x0a, "ann@example.org", "Ann").subject().unwrap(),
            name: "Beispiel & Söhne".to_owned(),
            checkpoint_key: server.public_key(),
            nonce: Digest::new([0x4e; 32]),
        };
        let (log, ann) = Log::create(&seed(0x0a), founding).unwrap();
        let account = |n: u8| Account::derive(&seed(n), log.org_id(), UserId::new([n; 16]), 1).unwrap();
        let (bob, carol) = (account(0x0b), account(0x0c));
        let mut world = Self { log, ann, bob, carol, server };
        let bob = world.certify(&world.bob, Role::Client, "bob@example.org");
        world.log.apply(signed(bob, &world.ann), Some(world.bob.bundle().raw())).unwrap();
        let carol = world.certify(&world.carol, Role::Ops, "carol@example.org");
        world.log.apply(signed(carol, &world.ann), Some(world.carol.bundle().raw())).unwrap();
        world.checkpoint();
        world
    }

    /// The next entry, by Ann, that admits `account`.
    pub fn certify(&self, account: &Account, role: Role, email: &str) -> Certify {
        let n = account.user_id().as_bytes()[0];
        Certify {
            org_id: self.log.org_id(),
            signer: self.ann.user_id(),
            signer_bundle: self.ann.bundle().id(),
            sequence: self.log.size(),
            previous: self.log.head(),
            user_id: account.user_id(),
            subject: opening(n, email, "").subject().unwrap(),
            role,
            bundle: account.bundle().id(),
            generation: 1,
            offer: RecordId::new([n; 32]),
            replaces: UserId::ZERO,
        }
    }

    /// The server signs the head.
    pub fn checkpoint(&mut self) -> RawRecord {
        let raw = Signed::sign(self.log.to_checkpoint(), &self.server).unwrap().into_raw();
        self.log.accept_checkpoint(raw.clone()).unwrap();
        raw
    }

    pub fn position(&self) -> LogPosition {
        self.log.checkpoint().unwrap().position()
    }

    pub fn account(&self, n: u8, generation: u64) -> Account {
        Account::derive(&seed(n), self.log.org_id(), UserId::new([n; 16]), generation).unwrap()
    }

    /// Another generation of somebody's keys.
    pub fn next(&self, account: &Account, n: u8) -> Account {
        Account::derive(&seed(n), self.log.org_id(), account.user_id(), account.generation() + 1).unwrap()
    }
}
