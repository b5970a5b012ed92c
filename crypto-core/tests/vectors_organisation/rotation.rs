//! `docs/vectors/rotation.json`

use sealpost_crypto::{
    account::Account,
    id::{Digest, FileId},
    keys::{FileKeys, Place},
    log::Log,
    manifest::{self, ManifestDraft},
    pair::{PairEntry, PairState},
    record::RawRecord,
    secret::FileKey,
    share::{ShareRequest, seal, unshare},
    size::Layout,
};
use serde_json::{Value, json};

use crate::{
    support::{cases, entries, read, read_log, replay, value},
    vector_file::number,
    world::{World, signed},
};

/// Entries of the log before Ann rotates.
const BEFORE: usize = 3;

#[test]
fn rotation_vectors() {
    replay("rotation", generate, |vectors| {
        for case in cases(vectors, "cases") {
            let records: Vec<RawRecord> = read(case, "records");
            let state = judge(vectors, &records, number(case, "seen_before") as usize);
            assert_eq!(state.counted(), number(case, "counted"), "{}", case["name"]);
            let live: Vec<FileId> = state.all_live().map(|(file, _)| file).collect();
            let counts: Vec<FileId> = live.into_iter().filter(|file| state.counts(*file)).collect();
            assert_eq!(value(&counts), case["live_and_counts"], "{}", case["name"]);
        }
    });
}

/// The first `seen_before` records are verified before the rotation, the others after it.
fn judge(vectors: &Value, records: &[RawRecord], seen_before: usize) -> PairState {
    let (early, late) = (read_log(&vectors["log"], BEFORE), read_log(&vectors["log"], BEFORE + 1));
    let mut state = PairState::new(read(vectors, "sender"), read(vectors, "recipient"));
    for (n, raw) in records.iter().enumerate() {
        let log = if n < seen_before { &early } else { &late };
        state.apply(&PairEntry::verify(raw.clone(), log).unwrap()).unwrap();
    }
    state
}

/// Ann's share of file `n` with Bob, by the keys of `ann`, for the next place of `pair`.
fn share(log: &Log, ann: &Account, bob: &Account, pair: &mut PairState, n: u8) -> RawRecord {
    let signer = log.ops_signer(ann).unwrap();
    let file_key = FileKey::from_slice(&[n; 32]).unwrap();
    let place = Place { org_id: log.org_id(), file_id: FileId::new([n; 16]), version: 1 };
    let draft = ManifestDraft {
        layout: Layout::for_size(1).unwrap(),
        digest: Digest::new([n; 32]),
        metadata: Digest::new([n; 32]),
        commitment: FileKeys::derive(&file_key, &place).commitment,
        time: 1_700_000_000,
    };
    let request = ShareRequest {
        manifest: &manifest::sign(&signer, place.file_id, draft).unwrap(),
        file_key: &file_key,
        recipient: log.active(bob.user_id()).unwrap(),
        pair,
        expiry: 0,
        limit: 0,
        time: 1_700_000_000,
    };
    let (sealed, entry) = seal(&signer, &request).unwrap();
    pair.apply(&entry).unwrap();
    sealed.record
}

fn generate() -> Value {
    let mut world = World::new();
    let mut pair = PairState::new(world.ann.user_id(), world.bob.user_id());
    let early = world.log.clone();
    let r1 = share(&early, &world.ann, &world.bob, &mut pair, 0xf1);
    let r2 = share(&early, &world.ann, &world.bob, &mut pair, 0xf2);
    // What whoever has Ann's first keys signs later, naming the log as it was.
    let (mut planted, mut ended) = (pair.clone(), pair.clone());
    let p3 = share(&early, &world.ann, &world.bob, &mut planted, 0xf3);
    let signer = early.ops_signer(&world.ann).unwrap();
    let (u3, entry) = unshare(&signer, &ended, FileId::new([0xf1; 16]), 1_700_000_001).unwrap();
    ended.apply(&entry).unwrap();
    let u3 = u3.into_raw();

    let next = world.next(&world.ann, 0x1a);
    let rotate = world.log.signer(&world.ann).unwrap().rotate(&next).unwrap();
    world.log.apply(signed(rotate.get().clone(), &world.ann), Some(next.bundle().raw())).unwrap();
    world.checkpoint();
    let (before, early_planted) = (pair.clone(), planted.clone());
    let n3 = share(&world.log, &next, &world.bob, &mut pair, 0xf1);
    let n4 = share(&world.log, &next, &world.bob, &mut planted, 0xf1);
    let signer = world.log.ops_signer(&next).unwrap();
    let end = |pair: &mut PairState, file: u8| {
        let (record, entry) = unshare(&signer, pair, FileId::new([file; 16]), 1_700_000_001).unwrap();
        pair.apply(&entry).unwrap();
        record.into_raw()
    };
    let (mut two, mut all) = (before.clone(), early_planted.clone());
    let (n3_end, n4_end) = (end(&mut two, 0xf1), end(&mut all, 0xf3));
    let n5 = share(&world.log, &next, &world.bob, &mut all, 0xf1);
    let case = |name: &str, seen_before: usize, records: &[&RawRecord], counted: u64, counts: &[u8]| {
        let counts: Vec<FileId> = counts.iter().map(|n| FileId::new([*n; 16])).collect();
        json!({
            "name": name,
            "seen_before": seen_before,
            "records": records,
            "counted": counted,
            "live_and_counts": counts,
        })
    };
    json!({
        "about": "Ann shares files f1 and f2 with Bob and rotates her keys, which is the last entry of `log`. Each case verifies the first `seen_before` records by the log without that entry, the others by the whole log. Expected: up to which place records count (protocol §5.4, rule (b)), and of which files the share in force counts.",
        "sender": world.ann.user_id(),
        "recipient": world.bob.user_id(),
        "log": entries(&world.log),
        "cases": [
            case("seen before the rotation", 2, &[&r1, &r2], 2, &[0xf1, 0xf2]),
            case("never seen before", 0, &[&r1, &r2], 0, &[]),
            case("one of two seen before", 1, &[&r1, &r2], 1, &[0xf1]),
            case("led to by a record of the new keys", 0, &[&r1, &r2, &n3], 3, &[0xf1, 0xf2]),
            case("a share that the old keys have added since", 2, &[&r1, &r2, &p3], 2, &[0xf1, 0xf2]),
            case("an end that the old keys have added since", 2, &[&r1, &r2, &u3], 2, &[0xf2]),
            case("what the new keys sign on top of", 2, &[&r1, &r2, &p3, &n4], 4, &[0xf1, 0xf2, 0xf3]),
            case("an end by the new keys leads to nothing", 0, &[&r1, &r2, &n3_end], 0, &[]),
            case("an end by the new keys of what the old ones have added", 2, &[&r1, &r2, &p3, &n4_end], 2, &[0xf1, 0xf2]),
            case("a share of the new keys after it", 2, &[&r1, &r2, &p3, &n4_end, &n5], 5, &[0xf1, 0xf2]),
        ],
    })
}
