//! Every check on a share, with the honest delivery beside it.

mod manifests;

use super::{testing::*, *};
use crate::{
    account::Account,
    id::{Digest, FileId, RecordId, UserId},
    kem::UnwrapError,
    log::{AuthorError, SignerError, Standing, StandingError, testing::Organisation},
    manifest::VerifiedManifest,
    pair::PairState,
    record::{self, RecordError, Signed},
    records::{Manifest, RevokeReason, Role, Share, ShareContext},
    secret::{AccountSeed, FileKey},
};

fn verify(delivery: &Delivery, sealed: &SealedShare) -> Result<VerifiedShare, ShareError> {
    VerifiedShare::verify(
        sealed,
        delivery.manifest.raw().clone(),
        &delivery.organisation.log,
        delivery.recipient.user_id(),
        false,
    )
}

fn refused(delivery: &Delivery, sealed: &SealedShare) -> ShareError {
    verify(delivery, sealed).map(|_| ()).unwrap_err()
}

/// The delivery's share with another context, signed by `by`.
fn resigned(delivery: &Delivery, by: &Account, change: impl FnOnce(&mut ShareContext)) -> SealedShare {
    let mut context = delivery.verified().context().clone();
    change(&mut context);
    let share = Share {
        org_id: by.org_id(),
        signer: by.user_id(),
        signer_bundle: by.bundle().id(),
        context: Base64(record::encode(&context).unwrap()),
        sealed: delivery.sealed.wrapped().unwrap().digest(),
    };
    let record = Signed::sign(share, &by.keys().signing).unwrap().into_raw();
    SealedShare { record, ..delivery.sealed.clone() }
}

#[test]
fn the_recipient_gets_the_file_key() {
    let delivery = Delivery::new();
    let share = delivery.verified();
    assert_eq!(share.standing(), Standing::Current);
    let context = share.context();
    assert_eq!((context.expiry, context.limit, context.time, context.pair_sequence), (2_000, 3, 1_000, 1));
    let opened = share.open(&delivery.recipient).unwrap();
    assert_eq!(opened.file_key, delivery.file_key);
    assert_eq!(opened.keys.commitment, delivery.manifest.get().commitment);
    assert_eq!(opened.place, delivery.manifest.place());
    assert_eq!(delivery.pair.live(opened.place.file_id), Some(share.id()));
}

#[test]
fn owners_share_with_themselves() {
    let organisation = Organisation::new();
    let owner = &organisation.founder;
    let (file_key, manifest) = file(&organisation, owner);
    let pair = PairState::new(owner.user_id(), owner.user_id());
    let (sealed, _) = share(&organisation, owner, owner, &file_key, &manifest, &pair);
    let share =
        VerifiedShare::verify(&sealed, manifest.raw().clone(), &organisation.log, owner.user_id(), false)
            .unwrap();
    assert_eq!(share.open(owner).unwrap().file_key, file_key);
}

#[test]
fn a_share_names_its_recipient() {
    let mut delivery = Delivery::new();
    let carol = delivery.organisation.admit(Role::Client);
    let to_carol = VerifiedShare::verify(
        &delivery.sealed,
        delivery.manifest.raw().clone(),
        &delivery.organisation.log,
        carol.user_id(),
        false,
    );
    assert_eq!(to_carol.unwrap_err(), ShareError::NotTheRecipient);
    let founder = &delivery.organisation.founder;
    let others_keys = resigned(&delivery, founder, |c| c.recipient_bundle = carol.bundle().id());
    assert_eq!(refused(&delivery, &others_keys), ShareError::RecipientBundle);
    let no_keys = resigned(&delivery, founder, |c| c.recipient_bundle = RecordId::ZERO);
    assert_eq!(refused(&delivery, &no_keys), ShareError::RecipientBundle);
}

#[test]
fn nobody_re_signs_anothers_share() {
    let mut delivery = Delivery::new();
    let mallory = delivery.organisation.admit(Role::Ops);
    let stripped = resigned(&delivery, &mallory, |_| ());
    assert_eq!(refused(&delivery, &stripped), ShareError::Sender);
    let as_mallory = resigned(&delivery, &mallory, |c| {
        (c.sender, c.sender_bundle) = (mallory.user_id(), mallory.bundle().id());
    });
    assert_eq!(refused(&delivery, &as_mallory), ShareError::NotTheOwner);
    let bob = &delivery.recipient;
    let forwarded = resigned(&delivery, bob, |_| ());
    assert_eq!(refused(&delivery, &forwarded), ShareError::Sender);
    let founder = &delivery.organisation.founder;
    let other_bundle = resigned(&delivery, founder, |c| c.sender_bundle = bob.bundle().id());
    assert_eq!(refused(&delivery, &other_bundle), ShareError::Sender);
}

#[test]
fn a_client_shares_nothing() {
    let mut organisation = Organisation::new();
    let (client, victim) = (organisation.admit(Role::Client), organisation.admit(Role::Client));
    // The Client signs a manifest and a share by hand; the SDK would not.
    assert_eq!(organisation.log.ops_signer(&client).unwrap_err(), SignerError::NotOps);
    let (file_key, honest) = file(&organisation, &organisation.founder);
    let manifest =
        Manifest { signer: client.user_id(), signer_bundle: client.bundle().id(), ..honest.get().clone() };
    let manifest = Signed::sign(manifest, &client.keys().signing).unwrap();
    assert_eq!(
        VerifiedManifest::verify(manifest.raw().clone(), &organisation.log, true).unwrap_err(),
        StandingError::NotOps.into()
    );
    let pair = PairState::new(organisation.founder.user_id(), victim.user_id());
    let (sealed, _) = share(&organisation, &organisation.founder, &victim, &file_key, &honest, &pair);
    let mut context: ShareContext =
        record::parse(&sealed.record.claim::<Share>().unwrap().context.0).unwrap();
    (context.sender, context.sender_bundle) = (client.user_id(), client.bundle().id());
    context.manifest = manifest.id();
    let record = Share {
        org_id: client.org_id(),
        signer: client.user_id(),
        signer_bundle: client.bundle().id(),
        context: Base64(record::encode(&context).unwrap()),
        sealed: sealed.wrapped().unwrap().digest(),
    };
    let record = Signed::sign(record, &client.keys().signing).unwrap().into_raw();
    let error = VerifiedShare::verify(
        &SealedShare { record, ..sealed },
        manifest.into_raw(),
        &organisation.log,
        victim.user_id(),
        true,
    )
    .unwrap_err();
    assert_eq!(error, StandingError::NotOps.into());
}

#[test]
fn share_and_manifest_agree_in_every_field() {
    let delivery = Delivery::new();
    let founder = &delivery.organisation.founder;
    let changed = |change: fn(&mut ShareContext)| refused(&delivery, &resigned(&delivery, founder, change));
    assert!(verify(&delivery, &resigned(&delivery, founder, |_| ())).is_ok());
    assert_eq!(changed(|c| c.file_id = FileId::ZERO), ShareError::OtherManifest);
    assert_eq!(changed(|c| c.version = 2), ShareError::OtherManifest);
    assert_eq!(changed(|c| c.manifest = RecordId::ZERO), ShareError::OtherManifest);
    assert_eq!(changed(|c| c.commitment = Digest::ZERO), ShareError::OtherCommitment);
    assert_eq!(changed(|c| c.pair_sequence = 0), ShareError::PairPlace);
    assert_eq!(changed(|c| c.pair_sequence = 2), ShareError::PairPlace);
    assert_eq!(changed(|c| c.pair_previous = RecordId::random()), ShareError::PairPlace);

    let (_, other) = file(&delivery.organisation, founder);
    let spliced = VerifiedShare::verify(
        &delivery.sealed,
        other.raw().clone(),
        &delivery.organisation.log,
        delivery.recipient.user_id(),
        false,
    );
    assert_eq!(spliced.unwrap_err(), ShareError::OtherManifest);
}

#[test]
fn the_wrap_is_the_one_that_was_signed() {
    let delivery = Delivery::new();
    let (other, _) = delivery.share_again();
    for swapped in [
        SealedShare { enc: other.enc.clone(), ..delivery.sealed.clone() },
        SealedShare { ciphertext: other.ciphertext.clone(), ..delivery.sealed.clone() },
    ] {
        assert_eq!(refused(&delivery, &swapped), ShareError::OtherWrap);
    }
    let mut long = delivery.sealed.clone();
    long.enc.0.push(0);
    let malformed = ShareError::from(AuthorError::from(RecordError::Malformed));
    assert_eq!(refused(&delivery, &long), malformed);
}

#[test]
fn a_context_is_read_as_strictly_as_a_record() {
    let delivery = Delivery::new();
    let founder = &delivery.organisation.founder;
    let share: Share = delivery.sealed.record.claim().unwrap();
    let text = String::from_utf8(share.context.0.clone()).unwrap();
    for odd in [
        text.replacen(':', ": ", 1),
        text.replacen('{', "{\"extra\":1,", 1),
        format!("{text}\n"),
        text.replace("\"limit\":3", "\"limit\":3.0"),
        text.replace("\"limit\":3,", ""),
    ] {
        assert_ne!(odd, text);
        let share = Share { context: Base64(odd.clone().into_bytes()), ..share.clone() };
        let record = Signed::sign(share, &founder.keys().signing).unwrap().into_raw();
        let sealed = SealedShare { record, ..delivery.sealed.clone() };
        let malformed = ShareError::from(AuthorError::from(RecordError::Malformed));
        assert_eq!(refused(&delivery, &sealed), malformed, "{odd}");
    }
}

#[test]
fn no_wrap_moves_to_another_context() {
    let delivery = Delivery::new();
    let founder = &delivery.organisation.founder;
    // The owner signs again with another expiry around the same wrap: every claim holds, HPKE refuses.
    let moved = verify(&delivery, &resigned(&delivery, founder, |c| c.expiry = 9_999)).unwrap();
    assert_eq!(moved.open(&delivery.recipient).unwrap_err(), OpenShareError::Unwrap(UnwrapError));
    assert_eq!(
        delivery.verified().open(founder).unwrap_err(),
        OpenShareError::OtherGeneration,
        "somebody else's keys"
    );
}

#[test]
fn an_owner_who_wraps_another_key_is_found_out() {
    let mut delivery = Delivery::new();
    let founder = &delivery.organisation.founder;
    let other = FileKey::random();
    let request = ShareRequest {
        manifest: &delivery.manifest,
        file_key: &other,
        recipient: delivery.organisation.log.active(delivery.recipient.user_id()).unwrap(),
        pair: &delivery.pair,
        expiry: 0,
        limit: 0,
        time: 0,
    };
    let signer = delivery.organisation.log.ops_signer(founder).unwrap();
    assert_eq!(seal(&signer, &request).unwrap_err(), SealError::WrongKey);

    // By hand: the same context around another key.
    let share: Share = delivery.sealed.record.claim().unwrap();
    let key = delivery.recipient.bundle().kem_key().check().unwrap();
    let wrapped = crate::kem::wrap(&key, &info(&share.context.0), &other).unwrap();
    let share = Share { sealed: wrapped.digest(), ..share };
    delivery.sealed = SealedShare {
        record: Signed::sign(share, &founder.keys().signing).unwrap().into_raw(),
        enc: Base64(wrapped.enc.as_bytes().to_vec()),
        ciphertext: Base64(wrapped.ciphertext.as_bytes().to_vec()),
    };
    assert_eq!(delivery.verified().open(&delivery.recipient).unwrap_err(), OpenShareError::Commitment);
}

#[test]
fn only_an_owner_shares_with_the_right_pair_and_a_member() {
    let mut delivery = Delivery::new();
    let ops = delivery.organisation.admit(Role::Ops);
    let elsewhere = Organisation::new();
    let log = &delivery.organisation.log;
    let request = ShareRequest {
        manifest: &delivery.manifest,
        file_key: &delivery.file_key,
        recipient: log.active(delivery.recipient.user_id()).unwrap(),
        pair: &delivery.pair,
        expiry: 0,
        limit: 0,
        time: 0,
    };
    let owner = log.ops_signer(&delivery.organisation.founder).unwrap();
    assert!(seal(&owner, &request).is_ok());
    assert_eq!(seal(&log.ops_signer(&ops).unwrap(), &request).unwrap_err(), SealError::NotOwner);
    let pair = PairState::new(owner.account().user_id(), ops.user_id());
    let wrong_pair = ShareRequest { pair: &pair, ..request };
    assert_eq!(seal(&owner, &wrong_pair).unwrap_err(), SealError::OtherPair);
    let recipient = elsewhere.log.active(elsewhere.founder.user_id()).unwrap();
    let foreign = ShareRequest { recipient, ..request };
    assert_eq!(seal(&owner, &foreign).unwrap_err(), SealError::ForeignRecipient);
}

#[test]
fn the_senders_standing_decides() {
    let mut organisation = Organisation::new();
    let owner = organisation.admit(Role::Ops);
    let recipient = organisation.admit(Role::Client);
    let (file_key, manifest) = file(&organisation, &owner);
    let pair = PairState::new(owner.user_id(), recipient.user_id());
    let (sealed, entry) = share(&organisation, &owner, &recipient, &file_key, &manifest, &pair);
    let standing = |organisation: &Organisation, sealed: &SealedShare, seen| {
        let manifest = manifest.raw().clone();
        VerifiedShare::verify(sealed, manifest, &organisation.log, recipient.user_id(), seen)
            .map(|share| (share.standing(), share.manifest().standing()))
    };
    let current = Standing::Current;
    assert_eq!(standing(&organisation, &sealed, false), Ok((current, current)));

    // After a rotation the old share is dead to whoever has not seen it, until the owner shares afresh; the
    // manifest needs no new signature.
    let owner = organisation.rotate(&owner);
    assert_eq!(standing(&organisation, &sealed, false), Err(StandingError::Rotated.into()));
    let retired = Standing::Retired;
    assert_eq!(standing(&organisation, &sealed, true), Ok((retired, retired)));
    let mut pair = pair;
    pair.apply(&entry).unwrap();
    let (fresh, _) = share(&organisation, &owner, &recipient, &file_key, &manifest, &pair);
    assert_eq!(standing(&organisation, &fresh, false), Ok((current, retired)));

    organisation.revoke(&owner, RevokeReason::Left);
    assert_eq!(standing(&organisation, &fresh, false).map(|s| s.0), Ok(Standing::Left));
    organisation.revoke(&owner, RevokeReason::Compromised);
    assert_eq!(standing(&organisation, &fresh, false), Err(StandingError::Compromised.into()));
}

#[test]
fn what_a_replaced_ops_member_had_shared_stays_readable_and_is_marked() {
    let mut organisation = Organisation::new();
    let owner = organisation.admit(Role::Ops);
    let recipient = organisation.admit(Role::Client);
    let (file_key, manifest) = file(&organisation, &owner);
    let pair = PairState::new(owner.user_id(), recipient.user_id());
    let (sealed, _) = share(&organisation, &owner, &recipient, &file_key, &manifest, &pair);
    let (org_id, user_id) = (organisation.log.org_id(), UserId::random());
    let new = Account::derive(&AccountSeed::random(), org_id, user_id, 1).unwrap();
    let mut certify = organisation.certify(&new, Role::Ops, Digest::random());
    certify.replaces = owner.user_id();
    organisation.apply(certify, Some(&new));

    let raw = manifest.raw().clone();
    let verified =
        VerifiedShare::verify(&sealed, raw, &organisation.log, recipient.user_id(), false).unwrap();
    assert_eq!(verified.standing(), Standing::Left);
    assert!(verified.open(&recipient).is_ok());
    // Their new account owns none of it, and the old one signs nothing more.
    assert!(organisation.log.ops_signer(&owner).is_err());
    assert_ne!(verified.context().sender, new.user_id());
}

#[test]
fn a_share_to_old_keys_opens_with_the_old_seed() {
    let mut delivery = Delivery::new();
    let next = delivery.organisation.rotate(&delivery.recipient);
    let share = delivery.verified();
    assert_eq!(share.open(&next).unwrap_err(), OpenShareError::OtherGeneration);
    assert!(share.open(&delivery.recipient).is_ok());
}

#[test]
fn a_share_of_another_organisation_is_refused() {
    let delivery = Delivery::new();
    let elsewhere = Organisation::new();
    let error = VerifiedShare::verify(
        &delivery.sealed,
        delivery.manifest.raw().clone(),
        &elsewhere.log,
        delivery.recipient.user_id(),
        true,
    )
    .unwrap_err();
    assert_eq!(error, AuthorError::ForeignOrganisation.into());
}

#[test]
fn only_the_sender_of_a_live_share_ends_it() {
    let mut delivery = Delivery::new();
    let ops = delivery.organisation.admit(Role::Ops);
    let log = &delivery.organisation.log;
    let owner = log.ops_signer(&delivery.organisation.founder).unwrap();
    let file_id = delivery.manifest.get().file_id;
    assert!(unshare(&owner, &delivery.pair, file_id, 0).is_ok());
    let other = log.ops_signer(&ops).unwrap();
    assert_eq!(unshare(&other, &delivery.pair, file_id, 0).unwrap_err(), UnshareError::OtherPair);
    assert_eq!(unshare(&owner, &delivery.pair, FileId::ZERO, 0).unwrap_err(), UnshareError::NotShared);
}
