//! A vault is exactly what its owner last wrote, and two devices never lose what one of them knew.

use serde_json::json;

use super::*;
use crate::{
    encoding::Base64,
    id::{FileId, InviteId, RecordId},
    record::RawRecord,
    records::Role,
    secret::{AccountSeed, InviteSecret},
    sign::Signature,
};

fn pin(sequence: u64, head: u8) -> Pin {
    Pin { sequence, head: RecordId::new([head; 32]) }
}

fn log(size: u64, head: u8) -> LogPin {
    LogPin { size, head: RecordId::new([head; 32]), signature: Signature::new([head; 64]) }
}

fn pair(n: u8) -> PairKey {
    PairKey { sender: UserId::new([n; 16]), recipient: UserId::new([n + 1; 16]) }
}

fn invite(secret: u8) -> PendingInvite {
    PendingInvite {
        secret: InviteSecret::take(&mut [secret; 16]),
        user_id: UserId::new([1; 16]),
        email: "carol@example.org".to_owned(),
        name: String::new(),
        salt: Digest::new([2; 32]),
        role: Role::Client,
        account_key: false,
        confirm: false,
        replaces: UserId::ZERO,
        expiry: 1_800_000_000,
        offer: RawRecord {
            kind: "offer".to_owned(),
            payload: Base64(b"{}".to_vec()),
            signature: Signature::new([0; 64]),
        },
        rest: Rest::new(),
    }
}

fn grant(time: u64, limit: u64) -> QueuedGrant {
    let (subject, email) = (Digest::new([9; 32]), String::new());
    QueuedGrant { version: 1, subject, expiry: 0, limit, time, email, cancelled: false, rest: Rest::new() }
}

fn sample() -> Vault {
    let mut vault = Vault::first(log(3, 7), pin(1, 1));
    vault.petnames.insert(UserId::new([5; 16]), Petname { name: "Zoë \"Z\"".to_owned(), time: 10 });
    vault.pins.pairs.insert(pair(1), pin(4, 4));
    vault.pins.files.insert(FileId::new([6; 16]), pin(2, 2));
    vault.invites.insert(InviteId::new([8; 16]), invite(3));
    let key = QueueKey { file_id: FileId::new([6; 16]), user_id: UserId::new([1; 16]) };
    vault.queued.insert(key, grant(20, 3));
    vault.old_seeds.insert(1, OldSeed { seed: AccountSeed::take(&mut [4; 32]), rest: Rest::new() });
    vault
}

fn owner() -> VaultOwner {
    VaultOwner { org_id: OrgId::new([1; 32]), user_id: UserId::new([2; 16]) }
}

#[test]
fn round_trips_for_its_owner_and_version_only() {
    let key = VaultKey::random();
    let vault = sample();
    let sealed = vault.seal(&key, &owner()).unwrap();
    assert_eq!(sealed.len(), 4_096 + 40);
    assert!(Vault::open(&key, &owner(), 1, &sealed).unwrap() == vault);

    let refused = |result: Result<Vault, _>| assert_eq!(result.unwrap_err(), VaultError::Unopenable);
    refused(Vault::open(&VaultKey::random(), &owner(), 1, &sealed));
    refused(Vault::open(&key, &VaultOwner { org_id: OrgId::new([9; 32]), ..owner() }, 1, &sealed));
    refused(Vault::open(&key, &VaultOwner { user_id: UserId::new([9; 16]), ..owner() }, 1, &sealed));
    refused(Vault::open(&key, &owner(), 2, &sealed));
    for at in (0..sealed.len()).step_by(101) {
        let mut changed = sealed.clone();
        changed[at] ^= 4;
        refused(Vault::open(&key, &owner(), 1, &changed));
    }
    refused(Vault::open(&key, &owner(), 1, &sealed[..sealed.len() - 1]));
}

#[test]
fn a_successor_names_what_it_follows() {
    let key = VaultKey::random();
    let mut vault = sample();
    let first = vault.seal(&key, &owner()).unwrap();
    vault.follow(1, &first);
    assert_eq!((vault.version, vault.previous), (2, sealed_hash(&first)));
    let second = vault.seal(&key, &owner()).unwrap();
    assert!(Vault::open(&key, &owner(), 2, &second).is_ok());
}

#[test]
fn unknown_fields_survive_a_rewrite() {
    let mut value = serde_json::to_value(sample()).unwrap();
    value["colour"] = json!({"deep": [1, "two"]});
    value["pins"]["witnesses"] = json!([3]);
    value["invites"]["08080808080808080808080808080808"]["channel"] = json!("phone");
    value["old_seeds"]["1"]["since"] = json!(5);
    let vault: Vault = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&vault).unwrap(), value);
    let merged = merge(&sample(), &vault).unwrap_err();
    assert_eq!(merged, MergeConflict::Invite("08".repeat(16)));
}

#[test]
fn debug_shows_no_secret_and_no_address() {
    let vault = sample();
    let shown = format!("{vault:?} {:?} {:?}", vault.invites, vault.petnames);
    assert!(!shown.contains("carol") && !shown.contains("Zo") && !shown.contains("AwMDAw"), "{shown}");
}

#[test]
fn a_full_vault_is_refused_before_it_is_sealed() {
    let mut vault = sample();
    // Just below Padmé's last step under 4 MiB, then a step further.
    vault.rest.insert("x".to_owned(), json!("y".repeat(4_120_000)));
    let sealed = vault.seal(&VaultKey::random(), &owner()).unwrap();
    assert!(sealed.len() <= MAX_SEALED);
    vault.rest.insert("x".to_owned(), json!("y".repeat(4_130_000)));
    assert_eq!(vault.seal(&VaultKey::random(), &owner()), Err(VaultError::TooLong));
    let huge = vec![0; MAX_SEALED + 1];
    assert_eq!(Vault::open(&VaultKey::random(), &owner(), 1, &huge).unwrap_err(), VaultError::TooLong);
}

#[test]
fn only_the_exact_frame_is_read() {
    let right = encode(&sample()).unwrap();
    assert!(decode(&right).is_some());
    let mut hidden = right.clone();
    *hidden.last_mut().unwrap() = 1;
    assert!(decode(&hidden).is_none());
    assert!(decode(&[&right[..], &[0; 256]].concat()).is_none());
    assert!(decode(&right[..4_000]).is_none());
    assert!(decode(&[0xff; 4_096]).is_none());
    assert!(decode(&[]).is_none());
}

#[test]
fn merging_takes_the_higher_pin_from_either_side() {
    let (mut mine, mut theirs) = (sample(), sample());
    mine.pins.pairs.insert(pair(1), pin(6, 6));
    theirs.pins.pairs.insert(pair(3), pin(1, 1));
    theirs.pins.files.insert(FileId::new([6; 16]), pin(3, 3));
    mine.pins.log = log(5, 5);
    theirs.pins.credential = pin(2, 2);
    theirs.version = 9;
    let merged = merge(&mine, &theirs).unwrap();
    assert_eq!(merged.pins.pairs[&pair(1)], pin(6, 6));
    assert_eq!(merged.pins.pairs[&pair(3)], pin(1, 1));
    assert_eq!(merged.pins.files[&FileId::new([6; 16])], pin(3, 3));
    assert_eq!(merged.pins.log, log(5, 5));
    assert_eq!(merged.pins.credential, pin(2, 2));
    assert_eq!(merged.version, 9);
    let other_way = merge(&theirs, &mine).unwrap();
    assert!(other_way.pins == merged.pins);
}

#[test]
fn two_histories_block() {
    let conflict = |change: &dyn Fn(&mut Vault)| {
        let mut theirs = sample();
        change(&mut theirs);
        merge(&sample(), &theirs).unwrap_err()
    };
    assert_eq!(conflict(&|vault| vault.pins.log = log(3, 8)), MergeConflict::Log);
    assert_eq!(conflict(&|vault| vault.pins.credential = pin(1, 8)), MergeConflict::Credential);
    assert_eq!(
        conflict(&|vault| vault.pins.pairs.extend([(pair(1), pin(4, 8))])),
        MergeConflict::Pair(pair(1).to_string())
    );
    assert_eq!(
        conflict(&|vault| vault.pins.files.extend([(FileId::new([6; 16]), pin(2, 8))])),
        MergeConflict::File("06".repeat(16))
    );
    assert_eq!(
        conflict(&|vault| vault.invites.extend([(InviteId::new([8; 16]), invite(4))])),
        MergeConflict::Invite("08".repeat(16))
    );
    let other = OldSeed { seed: AccountSeed::take(&mut [5; 32]), rest: Rest::new() };
    assert_eq!(
        conflict(&|vault| vault.old_seeds.extend([(1, other.clone())])),
        MergeConflict::OldSeed("1".to_owned())
    );
}

#[test]
fn the_later_name_and_grant_win_whoever_merges() {
    let (mut mine, mut theirs) = (sample(), sample());
    let (person, key) = (UserId::new([5; 16]), *mine.queued.keys().next().unwrap());
    let petname = |name: &str, time| Petname { name: name.to_owned(), time };
    mine.petnames.insert(person, petname("new", 11));
    theirs.queued.insert(key, grant(21, 1));
    mine.petnames.insert(UserId::new([7; 16]), petname("a", 5));
    theirs.petnames.insert(UserId::new([7; 16]), petname("b", 5));
    for merged in [merge(&mine, &theirs).unwrap(), merge(&theirs, &mine).unwrap()] {
        assert_eq!(merged.petnames[&person].name, "new");
        assert_eq!(merged.petnames[&UserId::new([7; 16])].name, "b");
        assert_eq!(merged.queued[&key], grant(21, 1));
    }
}

#[test]
fn a_grant_that_was_taken_back_is_not_brought_back_by_a_merge() {
    let key = *sample().queued.keys().next().unwrap();
    // One device takes it back, within the second in which it was queued; the other has not heard of it, even for long.
    let (mut mine, theirs) = (sample(), sample());
    mine.cancel(|grant, _| *grant == key, 20);
    assert_eq!(mine.waiting().count(), 0);
    for merged in [merge(&mine, &theirs).unwrap(), merge(&theirs, &mine).unwrap()] {
        assert!(merged.queued[&key].cancelled);
        assert_eq!(merged.waiting().count(), 0);
    }
    // Whoever completes it finds that it was taken back, and leaves the mark.
    assert!(mine.dequeue(&key) && mine.queued.contains_key(&key));
    let mut completed = sample();
    assert!(!completed.dequeue(&key) && completed.queued.is_empty());

    // Queued again after that, even by a clock that is behind, it waits again on every device.
    let mut again = mine.clone();
    again.queue(key, grant(3, 7));
    for merged in
        [merge(&again, &mine).unwrap(), merge(&mine, &again).unwrap(), merge(&theirs, &again).unwrap()]
    {
        assert_eq!(merged.waiting().map(|(_, grant)| grant.limit).collect::<Vec<_>>(), [7]);
    }
    // The mark goes in the end, when others are made.
    let stands = mine.queued[&key].time;
    mine.cancel(|_, _| false, stands + contents::CANCELLED_KEPT - 1);
    assert!(mine.queued.contains_key(&key));
    mine.cancel(|_, _| false, stands + contents::CANCELLED_KEPT);
    assert!(mine.queued.is_empty());
}

#[test]
fn a_grant_without_address_and_mark_is_written_as_before() {
    let value = serde_json::to_value(grant(20, 3)).unwrap();
    assert_eq!(value.as_object().unwrap().len(), 5, "{value}");
    assert!(format!("{:?}", sample().queued).find('@').is_none());
}

#[test]
fn what_one_device_renewed_is_renewed() {
    let (mut mine, theirs) = (sample(), sample());
    mine.renewed = 3;
    assert_eq!(merge(&mine, &theirs).unwrap().renewed, 3);
    assert_eq!(merge(&theirs, &mine).unwrap().renewed, 3);
    assert!(!serde_json::to_string(&theirs).unwrap().contains("renewed"), "absent until it is needed");
}
