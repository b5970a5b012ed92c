//! Every rule of the log, with the honest case beside it.

use super::{testing::Organisation, *};
use crate::{
    account::Account,
    bundle::BundleError,
    encoding::Text,
    id::{Digest, FileId},
    record::{Author, Record, RecordError},
    records::{Certify, Genesis, LogPosition, Revoke, RevokeReason, Rotate, Service, Withdraw},
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

#[test]
fn certify_is_signed_by_active_ops_under_current_keys() {
    let mut organisation = Organisation::new();
    let client = organisation.admit(Role::Client);
    let left = organisation.admit(Role::Ops);
    organisation.revoke(&left, RevokeReason::Left);
    let rotated = organisation.admit(Role::Ops);
    let current = organisation.rotate(&rotated);
    let bob = account_in(&organisation);
    let stranger = account_in(&organisation);
    let certify = |by: &Account| {
        let mut certify = organisation.certify(&bob, Role::Client, Digest::ZERO);
        (certify.signer, certify.signer_bundle) = (by.user_id(), by.bundle().id());
        signed(certify, by)
    };
    let cases = [
        (certify(&client), LogError::SignerNotOps),
        (certify(&left), LogError::SignerEnded),
        (certify(&rotated), LogError::SignerRotated),
        (certify(&stranger), AuthorError::Signer.into()),
    ];
    let honest = certify(&current);
    // Signed by one person in the name of another.
    let mut forged = organisation.certify(&bob, Role::Client, Digest::ZERO);
    forged.signer_bundle = client.bundle().id();
    let other_bundle = signed(forged, &client);
    let forged = signed(organisation.certify(&bob, Role::Client, Digest::ZERO), &client);

    let log = &mut organisation.log;
    for (raw, error) in cases {
        assert_eq!(refused(log, raw, Some(bob.bundle().raw())), error);
    }
    assert_eq!(refused(log, other_bundle, Some(bob.bundle().raw())), AuthorError::Bundle.into());
    assert_eq!(
        refused(log, forged, Some(bob.bundle().raw())),
        AuthorError::from(RecordError::BadSignature).into()
    );
    log.apply(honest, Some(bob.bundle().raw())).unwrap();
}

#[test]
fn certify_introduces_exactly_the_bundle_it_names() {
    let mut organisation = Organisation::new();
    let bob = account_in(&organisation);
    let raw = signed(organisation.certify(&bob, Role::Client, Digest::ZERO), &organisation.founder);
    let same_person =
        Account::derive(&AccountSeed::random(), bob.org_id(), bob.user_id(), 1).unwrap().bundle().raw();
    assert_eq!(refused(&mut organisation.log, raw.clone(), None), LogError::BundleMissing);
    assert_eq!(
        refused(&mut organisation.log, raw.clone(), Some(same_person)),
        BundleError::WrongId.into(),
        "keys that the server chose"
    );

    let carol = account_in(&organisation);
    let mut as_carol = organisation.certify(&bob, Role::Client, Digest::ZERO);
    as_carol.user_id = carol.user_id();
    let as_carol = signed(as_carol, &organisation.founder);
    assert_eq!(
        refused(&mut organisation.log, as_carol, Some(bob.bundle().raw())),
        LogError::BundleForeign,
        "Bob's keys as Carol's"
    );

    let elsewhere = account_in(&Organisation::new());
    let foreign = signed(organisation.certify(&elsewhere, Role::Client, Digest::ZERO), &organisation.founder);
    assert_eq!(
        refused(&mut organisation.log, foreign, Some(elsewhere.bundle().raw())),
        LogError::BundleForeign
    );

    let second = Account::derive(&AccountSeed::random(), bob.org_id(), bob.user_id(), 2).unwrap();
    let entry = signed(organisation.certify(&second, Role::Client, Digest::ZERO), &organisation.founder);
    assert_eq!(refused(&mut organisation.log, entry, Some(second.bundle().raw())), LogError::Generation);
    organisation.log.apply(raw, Some(bob.bundle().raw())).unwrap();
}

#[test]
fn an_account_is_certified_once() {
    let mut organisation = Organisation::new();
    let bob = organisation.admit(Role::Client);
    let again = Account::derive(&AccountSeed::random(), bob.org_id(), bob.user_id(), 1).unwrap();
    for (n, account) in [&bob, &again].into_iter().enumerate() {
        let raw = signed(organisation.certify(account, Role::Client, Digest::ZERO), &organisation.founder);
        if n == 1 {
            organisation.revoke(&bob, RevokeReason::Left);
            let raw =
                signed(organisation.certify(account, Role::Client, Digest::ZERO), &organisation.founder);
            let error = refused(&mut organisation.log, raw, Some(account.bundle().raw()));
            assert_eq!(error, LogError::AlreadyCertified, "not even after leaving");
        } else {
            let error = refused(&mut organisation.log, raw, Some(account.bundle().raw()));
            assert_eq!(error, LogError::AlreadyCertified);
        }
    }
}

#[test]
fn replacing_ends_the_old_account_in_the_same_entry() {
    let mut organisation = Organisation::new();
    let old = organisation.admit(Role::Client);
    let new = account_in(&organisation);
    let mut certify = organisation.certify(&new, Role::Client, Digest::random());
    certify.replaces = old.user_id();
    let sequence = certify.sequence;
    organisation.apply(certify, Some(&new));

    let ended = organisation.log.member(old.user_id()).unwrap().ended.unwrap();
    assert_eq!(
        (ended.sequence, ended.last_valid_size, ended.reason, ended.replaced_by),
        (sequence, sequence, RevokeReason::Left, Some(new.user_id()))
    );
    assert!(organisation.log.active(old.user_id()).is_none());
    assert_eq!(organisation.log.member(new.user_id()).unwrap().replaces, Some(old.user_id()));

    let third = account_in(&organisation);
    for nobody in [old.user_id(), UserId::random(), third.user_id()] {
        let mut certify = organisation.certify(&third, Role::Client, Digest::random());
        certify.replaces = nobody;
        let raw = signed(certify, &organisation.founder);
        assert_eq!(refused(&mut organisation.log, raw, Some(third.bundle().raw())), LogError::Replaces);
    }
}

#[test]
fn ops_never_die_out() {
    let mut organisation = Organisation::new();
    let founder = organisation.founder.user_id();
    let size = organisation.log.size();
    let revoke = organisation.log.ops_signer(&organisation.founder).unwrap();
    let raw = revoke.revoke(founder, size, RevokeReason::Left).unwrap().into_raw();
    assert_eq!(refused(&mut organisation.log, raw, None), LogError::NoOpsLeft);

    let client = account_in(&organisation);
    let mut certify = organisation.certify(&client, Role::Client, Digest::ZERO);
    certify.replaces = founder;
    let raw = signed(certify, &organisation.founder);
    assert_eq!(refused(&mut organisation.log, raw, Some(client.bundle().raw())), LogError::NoOpsLeft);

    // With a second Ops member the founder may go; or be replaced by a new account of their own.
    let mut replaced = Organisation::new();
    let new = account_in(&replaced);
    let mut certify = replaced.certify(&new, Role::Ops, Digest::ZERO);
    certify.replaces = replaced.founder.user_id();
    replaced.apply(certify, Some(&new));
    assert!(replaced.log.is_active_ops(new.user_id()));
    organisation.admit(Role::Ops);
    let founder = organisation.founder;
    let raw = organisation.log.ops_signer(&founder).unwrap();
    let raw = raw.revoke(founder.user_id(), 1, RevokeReason::Left).unwrap().into_raw();
    organisation.log.apply(raw, None).unwrap();
    assert!(!organisation.log.is_active_ops(founder.user_id()));
}

#[test]
fn rotation_takes_the_next_generation_of_entirely_new_keys() {
    let mut organisation = Organisation::new();
    let seed = AccountSeed::random();
    let (org_id, user_id) = (organisation.log.org_id(), UserId::random());
    let first = Account::derive(&seed, org_id, user_id, 1).unwrap();
    let certify = organisation.certify(&first, Role::Client, Digest::ZERO);
    organisation.apply(certify, Some(&first));
    let rotate = |next: &Account| organisation.log.signer(&first).unwrap().rotate(next).unwrap().into_raw();
    let same = Account::derive(&seed, org_id, user_id, 2).unwrap();
    let third = Account::derive(&AccountSeed::random(), org_id, user_id, 3).unwrap();
    let other = Account::derive(&AccountSeed::random(), org_id, UserId::random(), 2).unwrap();
    let next = Account::derive(&AccountSeed::random(), org_id, user_id, 2).unwrap();
    let cases = [
        (rotate(&same), &same, LogError::KeysKept),
        (rotate(&third), &third, LogError::Generation),
        (rotate(&other), &other, LogError::BundleForeign),
        (rotate(&next), &other, BundleError::WrongId.into()),
    ];
    // The new keys sign their own rotation: only the old ones may.
    let by_new = signed(
        Rotate {
            org_id,
            signer: user_id,
            signer_bundle: next.bundle().id(),
            sequence: organisation.log.size(),
            previous: organisation.log.head(),
            bundle: next.bundle().id(),
            generation: 2,
        },
        &next,
    );
    let honest = rotate(&next);
    let log = &mut organisation.log;
    for (raw, account, error) in cases {
        assert_eq!(refused(log, raw, Some(account.bundle().raw())), error);
    }
    assert_eq!(refused(log, by_new, Some(next.bundle().raw())), AuthorError::Bundle.into());
    assert_eq!(refused(log, honest.clone(), None), LogError::BundleMissing);
    log.apply(honest, Some(next.bundle().raw())).unwrap();
    assert_eq!(log.signer(&first).unwrap_err(), SignerError::Rotated);
    assert!(log.signer(&next).is_ok());
    assert_eq!(log.member(user_id).unwrap().generations().count(), 2);
}

#[test]
fn revocation_names_a_member_once_and_no_future() {
    let mut organisation = Organisation::new();
    let bob = organisation.admit(Role::Client);
    let size = organisation.log.size();
    let revoke = |organisation: &Organisation, user_id, last_valid_size, reason| {
        let signer = organisation.log.ops_signer(&organisation.founder).unwrap();
        signer.revoke(user_id, last_valid_size, reason).unwrap().into_raw()
    };
    let stranger = revoke(&organisation, UserId::random(), size, RevokeReason::Left);
    assert_eq!(refused(&mut organisation.log, stranger, None), LogError::NotAMember);
    let future = revoke(&organisation, bob.user_id(), size + 1, RevokeReason::Left);
    assert_eq!(refused(&mut organisation.log, future, None), LogError::LastValidSize);
    let raw = revoke(&organisation, bob.user_id(), size, RevokeReason::Left);
    let error = refused(&mut organisation.log, raw.clone(), Some(bob.bundle().raw()));
    assert_eq!(error, LogError::BundleUnexpected);
    organisation.log.apply(raw, None).unwrap();

    let size = size + 1;
    let again = revoke(&organisation, bob.user_id(), size, RevokeReason::Left);
    assert_eq!(refused(&mut organisation.log, again, None), LogError::AlreadyEnded);
    // It turns out that the keys had been stolen.
    let worse = revoke(&organisation, bob.user_id(), size, RevokeReason::Compromised);
    organisation.log.apply(worse, None).unwrap();
    let better = revoke(&organisation, bob.user_id(), size, RevokeReason::Left);
    assert_eq!(refused(&mut organisation.log, better, None), LogError::AlreadyEnded);
}

#[test]
fn a_client_revokes_nobody() {
    let mut organisation = Organisation::new();
    let bob = organisation.admit(Role::Client);
    assert_eq!(organisation.log.ops_signer(&bob).unwrap_err(), SignerError::NotOps);
    let revoke = Revoke {
        org_id: organisation.log.org_id(),
        signer: bob.user_id(),
        signer_bundle: bob.bundle().id(),
        sequence: organisation.log.size(),
        previous: organisation.log.head(),
        user_id: bob.user_id(),
        last_valid_size: 1,
        reason: RevokeReason::Left,
    };
    let service = Service {
        org_id: organisation.log.org_id(),
        signer: bob.user_id(),
        signer_bundle: bob.bundle().id(),
        sequence: organisation.log.size(),
        previous: organisation.log.head(),
        checkpoint_key: organisation.server.public_key(),
    };
    assert_eq!(refused(&mut organisation.log, signed(revoke, &bob), None), LogError::SignerNotOps);
    assert_eq!(refused(&mut organisation.log, signed(service, &bob), None), LogError::SignerNotOps);
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

#[test]
fn checkpoints_cover_exactly_what_was_seen() {
    let mut organisation = Organisation::new();
    let first = organisation.checkpoint();
    organisation.admit(Role::Client);
    let second = organisation.checkpoint();
    let log = &mut organisation.log;
    assert!(log.verify_checkpoint(first.clone()).is_ok(), "an old one is still true");
    assert_eq!(log.accept_checkpoint(first).unwrap_err(), CheckpointError::Rollback);
    assert!(log.accept_checkpoint(second.clone()).is_ok());

    let mut shorter =
        Log::found(log.entries(0).next().unwrap().record, log.entries(0).next().unwrap().bundle.unwrap())
            .unwrap();
    assert_eq!(shorter.accept_checkpoint(second.clone()).unwrap_err(), CheckpointError::Ahead);
    let mut elsewhere = Organisation::new();
    assert_eq!(elsewhere.log.accept_checkpoint(second).unwrap_err(), CheckpointError::ForeignOrganisation);
    let impostor = SigningKey::from_seed(&SigningSeed::random());
    let forged = Signed::sign(organisation.log.to_checkpoint(), &impostor).unwrap().into_raw();
    assert_eq!(organisation.log.accept_checkpoint(forged).unwrap_err(), PositionError::Malformed.into());
}

#[test]
fn a_fork_is_evidence_and_an_invented_head_accuses_nobody() {
    let mut organisation = Organisation::new();
    organisation.admit(Role::Client);
    let mut other =
        Checkpoint { org_id: organisation.log.org_id(), log_size: 2, log_head: RecordId::random() };
    let position = |checkpoint: &Checkpoint, key: &SigningKey| LogPosition {
        size: checkpoint.log_size,
        head: checkpoint.log_head,
        signature: Signed::sign(checkpoint.clone(), key).unwrap().raw().signature.clone(),
    };
    let PositionError::Fork(fork) =
        organisation.log.verify_position(&position(&other, &organisation.server)).unwrap_err()
    else {
        panic!("not recognised as a fork");
    };
    assert_eq!((fork.size, fork.ours), (2, organisation.log.head()));
    // Both halves of the evidence carry the server's signature.
    for half in [fork.theirs, fork.our_checkpoint.unwrap()] {
        Signed::<Checkpoint>::verify(half, &organisation.server.public_key()).unwrap();
    }

    let member = &organisation.founder.keys().signing;
    let invented = organisation.log.verify_position(&position(&other, member)).unwrap_err();
    assert_eq!(invented, PositionError::Malformed);
    other.log_size = 3;
    assert_eq!(
        organisation.log.verify_position(&position(&other, &organisation.server)),
        Ok(PositionCheck::Ahead)
    );
    assert_eq!(organisation.log.verify_position(&position(&other, member)), Err(PositionError::Unproven));
    other.log_size = 0;
    assert_eq!(
        organisation.log.verify_position(&position(&other, &organisation.server)),
        Err(PositionError::Malformed)
    );
}

#[test]
fn a_new_checkpoint_key_counts_from_its_own_entry_on() {
    let mut organisation = Organisation::new();
    let before = organisation.log.checkpoint().unwrap().position();
    let new = SigningKey::from_seed(&SigningSeed::random());
    let signer = organisation.log.ops_signer(&organisation.founder).unwrap();
    let weak = signer.service(SigningPublicKey::new([0; 32])).unwrap().into_raw();
    let raw = signer.service(new.public_key()).unwrap().into_raw();
    assert_eq!(refused(&mut organisation.log, weak, None), LogError::CheckpointKey);
    organisation.log.apply(raw, None).unwrap();
    let old = Signed::sign(organisation.log.to_checkpoint(), &organisation.server).unwrap().into_raw();
    assert_eq!(organisation.log.accept_checkpoint(old).unwrap_err(), PositionError::Malformed.into());
    organisation.server = new;
    organisation.checkpoint();
    assert_eq!(organisation.log.verify_position(&before), Ok(PositionCheck::Behind));
}

fn author(account: &Account) -> Author {
    Author { org_id: account.org_id(), signer: account.user_id(), signer_bundle: account.bundle().id() }
}

#[test]
fn a_signature_counts_by_the_rule() {
    let mut organisation = Organisation::new();
    let bob = organisation.admit(Role::Ops);
    let then = organisation.log.checkpoint().unwrap().position();
    let standing = |organisation: &Organisation, account: &Account, position: &LogPosition, seen| {
        organisation.log.ops_standing(&author(account), position, seen)
    };
    assert_eq!(standing(&organisation, &bob, &then, false), Ok(Standing::Current));

    // (a) fails after a rotation, (b) holds for what was seen.
    let next = organisation.rotate(&bob);
    assert_eq!(standing(&organisation, &bob, &then, false), Err(StandingError::Rotated));
    assert_eq!(standing(&organisation, &bob, &then, true), Ok(Standing::Retired));
    assert_eq!(
        standing(&organisation, &next, &then, true),
        Err(StandingError::NotCurrentThen),
        "keys that did not exist yet"
    );
    let rotated = organisation.log.checkpoint().unwrap().position();
    assert_eq!(
        standing(&organisation, &bob, &rotated, true),
        Err(StandingError::NotCurrentThen),
        "keys that were gone"
    );

    // (c) after leaving: up to the last valid size, and only for the keys that were current then.
    let after = {
        organisation.admit(Role::Client);
        organisation.log.checkpoint().unwrap().position()
    };
    let signer = organisation.log.ops_signer(&organisation.founder).unwrap();
    let raw = signer.revoke(next.user_id(), rotated.size, RevokeReason::Left).unwrap().into_raw();
    organisation.log.apply(raw, None).unwrap();
    organisation.checkpoint();
    assert_eq!(standing(&organisation, &next, &rotated, false), Ok(Standing::Left));
    assert_eq!(standing(&organisation, &next, &after, false), Err(StandingError::AfterLeaving));
    assert_eq!(standing(&organisation, &next, &after, true), Ok(Standing::Retired));
    assert_eq!(standing(&organisation, &bob, &then, false), Err(StandingError::Rotated));

    organisation.revoke(&next, RevokeReason::Compromised);
    assert_eq!(standing(&organisation, &next, &rotated, false), Err(StandingError::Compromised));
    let gone = organisation.log.checkpoint().unwrap().position();
    assert_eq!(standing(&organisation, &next, &gone, true), Err(StandingError::NotCurrentThen));
}

#[test]
fn a_signature_needs_a_certified_author_and_a_known_log_state() {
    let mut organisation = Organisation::new();
    let client = organisation.admit(Role::Client);
    let position = organisation.log.checkpoint().unwrap().position();
    let log = &organisation.log;
    assert_eq!(log.standing(&author(&client), &position, false), Ok(Standing::Current));
    assert_eq!(log.ops_standing(&author(&client), &position, false), Err(StandingError::NotOps));

    let foreign = Author { org_id: OrgId::random(), ..author(&client) };
    assert_eq!(log.standing(&foreign, &position, false), Err(AuthorError::ForeignOrganisation.into()));
    let stranger = Author { signer: UserId::random(), ..author(&client) };
    assert_eq!(log.standing(&stranger, &position, false), Err(AuthorError::Signer.into()));
    let borrowed = Author { signer_bundle: organisation.founder.bundle().id(), ..author(&client) };
    assert_eq!(log.standing(&borrowed, &position, false), Err(AuthorError::Bundle.into()));

    let next = Checkpoint { org_id: log.org_id(), log_size: 9, log_head: RecordId::random() };
    let ahead = LogPosition {
        size: 9,
        head: next.log_head,
        signature: Signed::sign(next, &organisation.server).unwrap().raw().signature.clone(),
    };
    assert_eq!(log.standing(&author(&client), &ahead, false), Err(StandingError::Ahead));
}

#[test]
fn only_active_members_with_current_keys_sign() {
    let mut organisation = Organisation::new();
    let pending = account_in(&organisation);
    assert_eq!(organisation.log.signer(&pending).unwrap_err(), SignerError::Pending);
    let elsewhere = account_in(&Organisation::new());
    assert_eq!(organisation.log.signer(&elsewhere).unwrap_err(), SignerError::ForeignOrganisation);
    let bob = organisation.admit(Role::Ops);
    organisation.revoke(&bob, RevokeReason::Left);
    assert_eq!(organisation.log.signer(&bob).unwrap_err(), SignerError::Ended);

    // A head that the server has not signed yet is not named.
    let carol = account_in(&organisation);
    let certify: Certify = organisation.certify(&carol, Role::Client, Digest::ZERO);
    let raw = signed(certify, &organisation.founder);
    assert!(organisation.log.signer(&organisation.founder).unwrap().position().is_ok());
    organisation.log.apply(raw, Some(carol.bundle().raw())).unwrap();
    assert_eq!(
        organisation.log.signer(&organisation.founder).unwrap().position().unwrap_err(),
        SignerError::NoCheckpoint
    );
}
