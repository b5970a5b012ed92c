//! `docs/vectors/pair.json`

use sealpost_crypto::{
    id::{Digest, FileId, RecordId},
    keys::{FileKeys, Place},
    log::Log,
    manifest::{self, ManifestDraft, VerifiedManifest},
    pair::{PairEntry, PairState},
    record::RawRecord,
    records::{Share, Unshare},
    secret::FileKey,
    share::{ShareRequest, seal, unshare},
    size::Layout,
};
use serde_json::{Value, json};

use crate::{
    support::{assert_outcome, cases, entries, read, read_log, replay, value},
    world::{World, signed},
};

#[test]
fn pair_vectors() {
    replay("pair", generate, |vectors| {
        let log = read_log(&vectors["log"], 3);
        for case in cases(vectors, "cases") {
            let mut state = PairState::new(read(vectors, "sender"), read(vectors, "recipient"));
            let records: Vec<RawRecord> = read(case, "records");
            if assert_outcome(case, apply(&mut state, &records, &log)).is_some() {
                let live: Vec<(FileId, RecordId)> = state.all_live().collect();
                assert_eq!(value(&live), case["live"], "{}", case["name"]);
                assert_eq!(value(&state.head()), case["head"], "{}", case["name"]);
            }
        }
    });
}

/// Verifies and applies `records` in order.
fn apply(state: &mut PairState, records: &[RawRecord], log: &Log) -> Result<(), &'static str> {
    for raw in records {
        let entry = PairEntry::verify(raw.clone(), log).map_err(|error| error.code())?;
        state.apply(&entry).map_err(|error| error.code())?;
    }
    Ok(())
}

/// Ann shares two files with Bob, ends the first, shares it again.
struct Story {
    world: World,
    records: Vec<RawRecord>,
    conflicting: RawRecord,
}

fn story() -> Story {
    let world = World::new();
    let mut pair = PairState::new(world.ann.user_id(), world.bob.user_id());
    let (one, two) = (file(&world, 0xf1), file(&world, 0xf2));
    let ann = world.log.ops_signer(&world.ann).unwrap();
    let mut records = Vec::new();
    let mut share = |pair: &mut PairState, (key, manifest): &(FileKey, VerifiedManifest), keep: bool| {
        let request = ShareRequest {
            manifest,
            file_key: key,
            recipient: world.log.active(world.bob.user_id()).unwrap(),
            pair,
            expiry: 0,
            limit: 0,
            time: 1_700_000_000,
        };
        let (sealed, entry) = seal(&ann, &request).unwrap();
        if keep {
            pair.apply(&entry).unwrap();
            records.push(sealed.record.clone());
        }
        sealed.record
    };
    share(&mut pair, &one, true);
    let conflicting = share(&mut pair, &one, false);
    share(&mut pair, &two, true);
    let (ended, entry) = unshare(&ann, &pair, FileId::new([0xf1; 16]), 1_700_000_001).unwrap();
    pair.apply(&entry).unwrap();
    let again = share(&mut pair, &one, false);
    records.extend([ended.into_raw(), again]);
    Story { world, records, conflicting }
}

fn file(world: &World, n: u8) -> (FileKey, VerifiedManifest) {
    let file_key = FileKey::from_slice(&[n; 32]).unwrap();
    let place = Place { org_id: world.log.org_id(), file_id: FileId::new([n; 16]), version: 1 };
    let draft = ManifestDraft {
        layout: Layout::for_size(1).unwrap(),
        digest: Digest::new([n; 32]),
        metadata: Digest::new([n; 32]),
        commitment: FileKeys::derive(&file_key, &place).commitment,
        time: 1_700_000_000,
    };
    (file_key, manifest::sign(&world.log.ops_signer(&world.ann).unwrap(), place.file_id, draft).unwrap())
}

fn generate() -> Value {
    let Story { world, records, conflicting } = story();
    let (sender, recipient) = (world.ann.user_id(), world.bob.user_id());
    let case = |name: &str, records: Vec<&RawRecord>| {
        let records: Vec<RawRecord> = records.into_iter().cloned().collect();
        let mut state = PairState::new(sender, recipient);
        let mut case = json!({ "name": name, "records": records });
        match apply(&mut state, &records, &world.log) {
            Ok(()) => {
                case["live"] = value(&state.all_live().collect::<Vec<_>>());
                case["head"] = value(&state.head());
            }
            Err(code) => case["error"] = json!(code),
        }
        case
    };
    let unshare: Unshare = records[2].claim().unwrap();
    let changed = |change: fn(&mut Unshare)| {
        let mut record = unshare.clone();
        change(&mut record);
        signed(record, &world.ann)
    };
    let by_bob = signed(
        Unshare { signer: recipient, signer_bundle: world.bob.bundle().id(), ..unshare.clone() },
        &world.bob,
    );
    let share: Share = records[0].claim().unwrap();
    let by_carol = signed(
        Share { signer: world.carol.user_id(), signer_bundle: world.carol.bundle().id(), ..share },
        &world.carol,
    );
    let [r1, r2, r3, r4] = &records[..] else { panic!("four records") };
    json!({
        "about": "The history of Ann's shares with Bob: share of file f1, share of file f2, unshare of f1, share of f1 again. Each case is judged from the beginning, by the log of log.json's first three entries. `live` lists file and H(share) of what is shared at the end.",
        "sender": sender,
        "recipient": recipient,
        "log": entries(&world.log),
        "cases": [
            case("accepted: the whole history", vec![r1, r2, r3, r4]),
            case("accepted: up to the end of a share", vec![r1, r2, r3]),
            case("accepted: the newest once more", vec![r1, r2, r2, r3]),
            case("the first left out", vec![r2]),
            case("an unshare left out", vec![r1, r2, r4]),
            case("an ended share again", vec![r1, r2, r3, r1]),
            case("two records at one place", vec![r1, r2, &conflicting]),
            case("a history on another record", vec![r1, &conflicting, r3]),
            case("another recipient", vec![r1, r2, &changed(|u| u.recipient = u.signer)]),
            case("the end of a share that is not in force", vec![r1, r2, &changed(|u| u.share = RecordId::ZERO)]),
            case("the end of a file that is not shared", vec![r1, r2, &changed(|u| u.file_id = FileId::ZERO)]),
            case("a place that is not possible", vec![&changed(|u| u.pair_sequence = 0)]),
            case("an unshare by the recipient", vec![r1, r2, &by_bob]),
            case("a share re-signed by another Ops member", vec![&by_carol]),
            case("a record that is neither", vec![&world.ann.bundle().raw()]),
        ],
    })
}
