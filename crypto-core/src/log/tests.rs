//! Every rule of the log, with the honest case beside it.

mod people;
mod standing;

use super::{testing::Organisation, *};
use crate::{
    account::Account,
    encoding::Text,
    id::{Digest, FileId},
    record::{Record, RecordError},
    records::{Genesis, RevokeReason, Withdraw},
    secret::{AccountSeed, SigningSeed},
    sign::SigningKey,
};

fn account_in(organisation: &Organisation) -> Account {
    Account::derive(&AccountSeed::random(), organisation.log.org_id(), UserId::random(), 1).unwrap()
}

fn signed<R: Record>(record: R, by: &Account) -> RawRecord {
    Signed::sign(record, &by.keys().signing).unwrap().into_raw()
}

/// Applies, and shows that a refusal changed nothing.
fn refused(log: &mut Log, entry: RawRecord, bundle: Option<RawRecord>) -> LogError {
    let before = format!("{log:?}");
    let error = log.apply(entry, bundle).unwrap_err();
    assert_eq!(format!("{log:?}"), before, "a refused entry changed the log");
    error
}

#[test]
fn a_log_is_served_and_read_again() {
    let mut organisation = Organisation::new();
    let ops = organisation.admit(Role::Ops);
    let client = organisation.admit(Role::Client);
    let client = organisation.rotate(&client);
    organisation.revoke(&ops, RevokeReason::Left);
    let ours = &organisation.log;

    let mut entries = ours.entries(0);
    let genesis = entries.next().unwrap();
    let mut theirs = Log::found(genesis.record, genesis.bundle.unwrap()).unwrap();
    for entry in entries {
        theirs.apply(entry.record, entry.bundle).unwrap();
    }
    assert_eq!((theirs.org_id(), theirs.head(), theirs.size()), (ours.org_id(), ours.head(), 5));
    assert_eq!(theirs.name(), "Example Ltd");
    assert_eq!(theirs.active(client.user_id()).unwrap().bundle().id(), client.bundle().id());
    assert!(theirs.active(ops.user_id()).is_none());
    assert_eq!(theirs.entries(4).count(), 1);
    assert_eq!(theirs.entries(5).count(), 0);
    assert_eq!(theirs.head_at(0), None);
    assert_eq!(theirs.head_at(5), Some(theirs.head()));
    assert_eq!(theirs.head_at(6), None);
}

#[test]
fn the_newest_loss_of_keys_is_known() {
    let mut organisation = Organisation::new();
    let ops = organisation.admit(Role::Ops);
    let client = organisation.admit(Role::Client);
    assert_eq!(organisation.log.keys_lost_at(), 0, "nobody's keys have ended");
    organisation.rotate(&client);
    organisation.admit(Role::Client);
    assert_eq!(organisation.log.keys_lost_at(), 4, "the rotation's own entry is in a log of four");
    organisation.revoke(&ops, RevokeReason::Left);
    assert_eq!(organisation.log.keys_lost_at(), 6);
    organisation.admit(Role::Client);
    organisation.revoke(&ops, RevokeReason::Compromised);
    assert_eq!(organisation.log.keys_lost_at(), 8, "what they had signed counts no more");
}

#[test]
fn any_other_order_is_refused() {
    let mut organisation = Organisation::new();
    organisation.admit(Role::Client);
    organisation.admit(Role::Client);
    let entries: Vec<LogEntry> = organisation.log.entries(0).collect();
    let begin = || Log::found(entries[0].record.clone(), entries[0].bundle.clone().unwrap()).unwrap();
    let mut log = begin();
    assert_eq!(
        refused(&mut log, entries[2].record.clone(), entries[2].bundle.clone()),
        LogError::Sequence,
        "an entry left out"
    );
    log.apply(entries[1].record.clone(), entries[1].bundle.clone()).unwrap();
    assert_eq!(
        refused(&mut log, entries[1].record.clone(), entries[1].bundle.clone()),
        LogError::Sequence,
        "an entry twice"
    );
}

#[test]
fn an_entry_of_another_history_is_refused() {
    let mut organisation = Organisation::new();
    let bob = account_in(&organisation);
    let mut certify = organisation.certify(&bob, Role::Client, Digest::random());
    certify.previous = RecordId::random();
    let raw = signed(certify, &organisation.founder);
    let bundle = Some(bob.bundle().raw());
    assert_eq!(refused(&mut organisation.log, raw, bundle), LogError::Previous);
}

#[test]
fn only_log_entries_belong_into_the_log() {
    let mut organisation = Organisation::new();
    let withdraw = Withdraw {
        org_id: organisation.log.org_id(),
        signer: organisation.founder.user_id(),
        signer_bundle: organisation.founder.bundle().id(),
        file_id: FileId::random(),
    };
    let raw = signed(withdraw, &organisation.founder);
    assert_eq!(refused(&mut organisation.log, raw, None), LogError::NotAnEntry);
    let genesis = organisation.log.entries(0).next().unwrap();
    assert_eq!(refused(&mut organisation.log, genesis.record, genesis.bundle), LogError::NotAnEntry);
}

fn genesis(change: impl FnOnce(&mut Genesis)) -> (RawRecord, Account) {
    let seed = AccountSeed::random();
    let account = Account::derive(&seed, OrgId::ZERO, UserId::random(), 1).unwrap();
    let mut genesis = Genesis {
        user_id: account.user_id(),
        subject: Digest::random(),
        signing_key: account.bundle().signing_key().clone(),
        kem_key: account.bundle().kem_key().clone(),
        suite: 1,
        generation: 1,
        nonce: Digest::random(),
        name: Text("Example Ltd".to_owned()),
        checkpoint_key: SigningKey::from_seed(&SigningSeed::random()).public_key(),
    };
    change(&mut genesis);
    let raw = signed(genesis, &account);
    let org_id = OrgId::new(*raw.id().as_bytes());
    let account = Account::derive(&seed, org_id, account.user_id(), 1).unwrap();
    (raw, account)
}

#[test]
fn a_genesis_is_valid_in_every_field() {
    let found = |change: fn(&mut Genesis)| {
        let (raw, account) = genesis(change);
        Log::found(raw, account.bundle().raw()).map(|_| ())
    };
    assert_eq!(found(|_| ()), Ok(()));
    assert_eq!(found(|g| g.suite = 2), Err(FoundingError::UnsupportedSuite));
    assert_eq!(found(|g| g.generation = 2), Err(FoundingError::Generation));
    assert_eq!(found(|g| g.name = Text(String::new())), Err(FoundingError::Name));
    assert_eq!(found(|g| g.name = Text("a\u{1b}[2J".to_owned())), Err(FoundingError::Name));
    assert_eq!(found(|g| g.name = Text("n".repeat(256))), Ok(()));
    assert_eq!(found(|g| g.name = Text("n".repeat(257))), Err(FoundingError::Name));
    assert_eq!(
        found(|g| g.checkpoint_key = SigningPublicKey::new([0; 32])),
        Err(FoundingError::CheckpointKey)
    );
    assert_eq!(found(|g| g.signing_key = SigningPublicKey::new([0; 32])), Err(FoundingError::SigningKey));
    assert_eq!(found(|g| g.user_id = UserId::random()), Err(FoundingError::BundleDiffers));
    let (raw, _) = genesis(|_| ());
    let (_, other) = genesis(|_| ());
    assert_eq!(Log::found(raw.clone(), other.bundle().raw()).unwrap_err(), FoundingError::BundleDiffers);
    let mut flipped = raw;
    flipped.signature = other.keys().signing.sign(b"");
    assert_eq!(Log::found(flipped, other.bundle().raw()).unwrap_err(), RecordError::BadSignature.into());
}
