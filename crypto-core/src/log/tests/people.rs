//! Who comes, stays, changes keys and goes, and who may say so.

use super::*;
use crate::{
    bundle::BundleError,
    records::{Bundle, Revoke, Rotate, SUITE, Service},
};

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
    let certified_again = |organisation: &mut Organisation, account: &Account| {
        let raw = signed(organisation.certify(account, Role::Client, Digest::ZERO), &organisation.founder);
        refused(&mut organisation.log, raw, Some(account.bundle().raw()))
    };
    assert_eq!(certified_again(&mut organisation, &bob), LogError::AlreadyCertified);
    assert_eq!(certified_again(&mut organisation, &again), LogError::AlreadyCertified);
    organisation.revoke(&bob, RevokeReason::Left);
    assert_eq!(certified_again(&mut organisation, &again), LogError::AlreadyCertified, "nor after leaving");
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
    let second = organisation.admit(Role::Ops);
    let founder = organisation.founder;
    let raw = organisation.log.ops_signer(&founder).unwrap();
    let raw = raw.revoke(founder.user_id(), 1, RevokeReason::Left).unwrap().into_raw();
    organisation.log.apply(raw, None).unwrap();
    assert!(!organisation.log.is_active_ops(founder.user_id()));
    // Who has gone is not counted: the second is the last now.
    let raw = organisation.log.ops_signer(&second).unwrap();
    let raw = raw.revoke(second.user_id(), 1, RevokeReason::Left).unwrap().into_raw();
    assert_eq!(refused(&mut organisation.log, raw, None), LogError::NoOpsLeft);
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
fn rotation_keeps_neither_key() {
    let mut organisation = Organisation::new();
    let first = organisation.admit(Role::Client);
    let next = Account::derive(&AccountSeed::random(), first.org_id(), first.user_id(), 2).unwrap();
    for (signing, kem) in [(&first, &next), (&next, &first)] {
        let bundle = Bundle {
            org_id: first.org_id(),
            user_id: first.user_id(),
            signing_key: signing.bundle().signing_key().clone(),
            kem_key: kem.bundle().kem_key().clone(),
            suite: SUITE,
            generation: 2,
        };
        let bundle = Signed::sign(bundle, &signing.keys().signing).unwrap();
        let rotate = Rotate {
            org_id: first.org_id(),
            signer: first.user_id(),
            signer_bundle: first.bundle().id(),
            sequence: organisation.log.size(),
            previous: organisation.log.head(),
            bundle: bundle.id(),
            generation: 2,
        };
        let error = refused(&mut organisation.log, signed(rotate, &first), Some(bundle.into_raw()));
        assert_eq!(error, LogError::KeysKept);
    }
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
