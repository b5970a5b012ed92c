//! Checkpoints, log positions, and when a signature counts.

use super::*;
use crate::{
    record::Author,
    records::{Certify, LogPosition},
};

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
    let errors = [PositionError::Malformed, PositionError::Unproven, PositionError::Fork(fork.clone())];
    assert_eq!(errors.map(|error| error.code()), PositionError::CODES);
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
    let now = organisation.log.checkpoint().unwrap().position();
    for position in [before, now] {
        assert_eq!(organisation.log.verify_position(&position), Ok(PositionCheck::Known));
    }
}

fn author(account: &Account) -> Author {
    Author { org_id: account.org_id(), signer: account.user_id(), signer_bundle: account.bundle().id() }
}

#[test]
fn a_signature_counts_by_the_rule() {
    let mut organisation = Organisation::new();
    let before = organisation.log.checkpoint().unwrap().position();
    let bob = organisation.admit(Role::Ops);
    let then = organisation.log.checkpoint().unwrap().position();
    let standing = |organisation: &Organisation, account: &Account, position: &LogPosition, seen| {
        organisation.log.ops_standing(&author(account), position, seen)
    };
    assert_eq!(standing(&organisation, &bob, &then, false), Ok(Standing::Current));
    assert_eq!(
        standing(&organisation, &bob, &before, false),
        Err(StandingError::NotCurrentThen),
        "before the entry that admitted them"
    );

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
