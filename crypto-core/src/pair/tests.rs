//! The history of a pair: nothing left out, nothing twice, nothing back.

use super::*;
use crate::{
    encoding::Base64,
    id::OrgId,
    records::Withdraw,
    share::{testing::Delivery, unshare},
};

fn end(delivery: &Delivery) -> (RawRecord, PairEntry) {
    let signer = delivery.organisation.log.ops_signer(&delivery.organisation.founder).unwrap();
    let file_id = delivery.manifest.get().file_id;
    let (record, entry) = unshare(&signer, &delivery.pair, file_id, 5).unwrap();
    (record.into_raw(), entry)
}

#[test]
fn what_owners_sign_is_read_again() {
    let mut delivery = Delivery::new();
    let file_id = delivery.manifest.get().file_id;
    let log = &delivery.organisation.log;
    let share = PairEntry::verify(delivery.sealed.record.clone(), log).unwrap();
    let (raw, ended) = end(&delivery);
    assert_eq!(PairEntry::verify(raw, log), Ok(ended.clone()));

    let mut theirs = PairState::new(delivery.pair.sender(), delivery.pair.recipient());
    theirs.apply(&share).unwrap();
    assert_eq!(theirs, delivery.pair);
    assert_eq!(theirs.all_live().collect::<Vec<_>>(), [(file_id, share.id())]);
    theirs.apply(&ended).unwrap();
    assert_eq!((theirs.live(file_id), theirs.sequence(), theirs.head()), (None, 2, ended.id()));

    // After the end the file may be shared again.
    delivery.pair.apply(&ended).unwrap();
    let (_, again) = delivery.share_again();
    theirs.apply(&again).unwrap();
    assert_eq!(theirs.live(file_id), Some(again.id()));
    assert_eq!([share.sequence(), ended.sequence(), again.sequence()], [1, 2, 3]);
    let stored = serde_json::to_string(&theirs).unwrap();
    assert!(!stored.contains("uncounted"), "what older programs have not heard of");
    assert_eq!(serde_json::from_str::<PairState>(&stored).unwrap(), theirs);
}

#[test]
fn an_omission_is_named() {
    let mut delivery = Delivery::new();
    let (_, ended) = end(&delivery);
    let mut theirs = PairState::new(delivery.pair.sender(), delivery.pair.recipient());
    assert_eq!(theirs.apply(&ended), Err(PairError::Gap { missing: 1 }));
    delivery.pair.apply(&ended).unwrap();
    let (_, again) = delivery.share_again();
    let share = PairEntry::verify(delivery.sealed.record.clone(), &delivery.organisation.log).unwrap();
    theirs.apply(&share).unwrap();
    let before = theirs.clone();
    assert_eq!(theirs.apply(&again), Err(PairError::Gap { missing: 2 }), "the unshare left out");
    assert_eq!(theirs, before);
}

#[test]
fn an_ended_share_does_not_come_back() {
    let mut delivery = Delivery::new();
    let share = PairEntry::verify(delivery.sealed.record.clone(), &delivery.organisation.log).unwrap();
    assert_eq!(delivery.pair.apply(&share), Ok(()), "the newest entry once more changes nothing");
    delivery.pair.apply(&end(&delivery).1).unwrap();
    assert_eq!(delivery.pair.apply(&share), Err(PairError::Behind { sequence: 1 }));
    assert_eq!(delivery.pair.live(share.file_id()), None);
}

#[test]
fn two_records_at_one_place_conflict() {
    let mut delivery = Delivery::new();
    let (_, one) = delivery.share_again();
    let (_, other) = delivery.share_again();
    delivery.pair.apply(&one).unwrap();
    let conflict = PairError::Conflict { sequence: 2, ours: one.id(), theirs: other.id() };
    assert_eq!(delivery.pair.apply(&other), Err(conflict));
    let after_other = PairEntry { sequence: 3, previous: other.id(), ..one.clone() };
    assert_eq!(delivery.pair.apply(&after_other), Err(conflict));
}

#[test]
fn pairs_stay_apart_and_only_live_shares_end() {
    let mut delivery = Delivery::new();
    let (_, ended) = end(&delivery);
    let other = PairEntry { recipient: UserId::random(), ..ended.clone() };
    assert_eq!(delivery.pair.apply(&other), Err(PairError::OtherPair));
    let other = PairEntry { sender: UserId::random(), ..ended.clone() };
    assert_eq!(delivery.pair.apply(&other), Err(PairError::OtherPair));
    let never = PairEntry { ends: Some(RecordId::random()), ..ended };
    assert_eq!(delivery.pair.apply(&never), Err(PairError::NotLive));
}

#[test]
fn only_shares_and_unshares_of_ops_members_are_entries() {
    let delivery = Delivery::new();
    let (founder, bob) = (&delivery.organisation.founder, &delivery.recipient);
    let log = &delivery.organisation.log;
    let verify = |raw: RawRecord| PairEntry::verify(raw, log).map(|_| ()).unwrap_err();

    let withdraw = Withdraw {
        org_id: founder.org_id(),
        signer: founder.user_id(),
        signer_bundle: founder.bundle().id(),
        file_id: FileId::ZERO,
    };
    let raw = Signed::sign(withdraw, &founder.keys().signing).unwrap().into_raw();
    assert_eq!(verify(raw), PairEntryError::WrongType);

    let unshare: Unshare = end(&delivery).0.claim().unwrap();
    let by = |by: &crate::account::Account, change: fn(&mut Unshare)| {
        let mut record = unshare.clone();
        (record.signer, record.signer_bundle) = (by.user_id(), by.bundle().id());
        change(&mut record);
        verify(Signed::sign(record, &by.keys().signing).unwrap().into_raw())
    };
    assert_eq!(by(bob, |_| ()), StandingError::NotOps.into());
    assert_eq!(by(founder, |u| u.pair_sequence = 0), PairEntryError::Place);
    assert_eq!(by(founder, |u| u.pair_previous = RecordId::ZERO), PairEntryError::Place);
    assert_eq!(by(founder, |u| u.org_id = OrgId::ZERO), AuthorError::ForeignOrganisation.into());

    let share: Share = delivery.sealed.record.claim().unwrap();
    let mut context: ShareContext = record::parse(&share.context.0).unwrap();
    context.sender = bob.user_id();
    let share = Share { context: Base64(record::encode(&context).unwrap()), ..share };
    let raw = Signed::sign(share, &founder.keys().signing).unwrap().into_raw();
    assert_eq!(verify(raw), PairEntryError::Sender);
}

/// What rotated keys signed counts for whom it counted before, and for nobody else until a record that counts leads to
/// it.
#[test]
fn records_of_rotated_keys_count_once_they_were_seen_or_are_led_to() {
    let mut delivery = Delivery::new();
    let file_id = delivery.manifest.get().file_id;
    let (first, new) = (delivery.sealed.record.clone(), || {
        PairState::new(delivery.pair.sender(), delivery.pair.recipient())
    });
    let (mut knew, mut fresh) = (new(), new());
    knew.apply(&PairEntry::verify(first.clone(), &delivery.organisation.log).unwrap()).unwrap();
    let (second, _) = end(&delivery);
    delivery.organisation.rotate_founder();

    let entry = |raw: &RawRecord| PairEntry::verify(raw.clone(), &delivery.organisation.log).unwrap();
    fresh.apply(&entry(&first)).unwrap();
    assert!(knew.counts(file_id) && knew.counted() == 1 && knew.uncounted_live().next().is_none());
    assert!(!fresh.counts(file_id) && fresh.counted() == 0);
    assert_eq!(fresh.uncounted_live().collect::<Vec<_>>(), [file_id]);
    let stored = serde_json::to_string(&fresh).unwrap();
    assert_eq!(serde_json::from_str::<PairState>(&stored).unwrap(), fresh);

    // An end that nobody saw in time: what it ended is not among what counts.
    let mut ended_late = fresh.clone();
    ended_late.apply(&entry(&second)).unwrap();
    assert_eq!((ended_late.uncounted_live().count(), ended_late.counted()), (0, 0));

    // An end by the new keys vouches for nothing that is still in force.
    let (third, _) = end(&delivery);
    let mut ended = fresh.clone();
    ended.apply(&entry(&third)).unwrap();
    assert_eq!((ended.counted(), ended.uncounted_live().count()), (0, 0));
    assert_eq!(entry(&third).ends_for_sure(), Some(entry(&first).id()));
    assert_eq!(entry(&second).ends_for_sure(), None);
    knew.apply(&entry(&third)).unwrap();
    assert_eq!(knew.counted(), 2);

    // The new keys sign for the next place, and so for all before.
    let (renewed, _) = delivery.share_again();
    fresh.apply(&entry(&renewed.record)).unwrap();
    assert!(fresh.counts(file_id) && fresh.counted() == 2);
}

#[test]
fn every_error_has_a_code() {
    let [one, other] = [RecordId::ZERO, RecordId::new([1; 32])];
    let errors = [
        PairError::OtherPair,
        PairError::Gap { missing: 1 },
        PairError::Conflict { sequence: 1, ours: one, theirs: other },
        PairError::Behind { sequence: 1 },
        PairError::NotLive,
    ];
    assert_eq!(errors.map(|error| error.code()), PairError::CODES);
}
