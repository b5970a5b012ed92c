//! `docs/vectors/versions.json`

use sealpost_crypto::{
    id::{Digest, FileId, RecordId},
    keys::{FileKeys, Place},
    log::Log,
    manifest::{self, ManifestDraft, PinCheck, VerifiedManifest, VersionError},
    record::RawRecord,
    records::Manifest,
    secret::FileKey,
    size::Layout,
    vault::Pin,
};
use serde_json::{Value, json};

use crate::{
    support::{assert_outcome, cases, entries, hex, read, read_log, replay, unhex},
    world::{World, signed},
};

#[test]
fn version_vectors() {
    replay("versions", generate, |vectors| {
        let log = read_log(&vectors["log"], 3);
        for version in cases(vectors, "versions") {
            let manifest: Manifest = read::<RawRecord>(version, "manifest").claim().unwrap();
            let file_key = FileKey::from_slice(&unhex(version, "file_key")).unwrap();
            let place = Place { org_id: log.org_id(), file_id: manifest.file_id, version: manifest.version };
            assert_eq!(FileKeys::derive(&file_key, &place).commitment, manifest.commitment);
        }
        for case in cases(vectors, "cases") {
            assert_outcome(case, judge(case, &log));
        }
    });
}

/// What a reader does who has seen `seen`: the newest manifest, then the chain back if it is newer.
fn judge(case: &Value, log: &Log) -> Result<(), &'static str> {
    let newest =
        VerifiedManifest::verify(read(case, "manifest"), log, false).map_err(|error| error.code())?;
    let pin = Pin { sequence: read(&case["seen"], "version"), head: read(&case["seen"], "manifest") };
    let earlier: Vec<RawRecord> = read(case, "earlier");
    let outcome = newest.check_pin(&pin).and_then(|check| match check {
        PinCheck::Same => Ok(()),
        PinCheck::Newer => newest.check_chain(&pin, earlier, log),
    });
    outcome.map_err(|error: VersionError| error.code())
}

fn file_key(version: u8) -> FileKey {
    FileKey::from_slice(&[0x30 + version; 32]).unwrap()
}

fn draft(version: u8, place: &Place) -> ManifestDraft {
    ManifestDraft {
        layout: Layout::for_size(10_000).unwrap(),
        digest: Digest::new([version; 32]),
        metadata: Digest::new([0xd0 + version; 32]),
        commitment: FileKeys::derive(&file_key(version), place).commitment,
        time: 1_700_000_000 + u64::from(version),
    }
}

/// Three versions of Carol's file, each under a key of its own.
fn chain(world: &World) -> [VerifiedManifest; 3] {
    let signer = world.log.ops_signer(&world.carol).unwrap();
    let place = Place { org_id: world.log.org_id(), file_id: FileId::new([0xf3; 16]), version: 1 };
    let first = manifest::sign(&signer, place.file_id, draft(1, &place)).unwrap();
    let second = first.sign_next(&signer, draft(2, &first.next_place())).unwrap();
    let third = second.sign_next(&signer, draft(3, &second.next_place())).unwrap();
    [first, second, third]
}

fn generate() -> Value {
    let world = World::new();
    let all = chain(&world);
    let versions = all.iter().zip(1..).map(|(manifest, version)| {
        json!({ "manifest": manifest.raw(), "file_key": hex(file_key(version).expose()) })
    });
    json!({
        "about": "`versions`: three versions of a file of Carol's (Ops), each under a fresh key, whose commitment for (organisation, file, version) is the manifest's. `cases`: a reader has seen `seen`, is given `manifest` as the newest, and `earlier` as the manifests before it, the newest first. `log` is that of log.json's first three entries.",
        "log": entries(&world.log),
        "versions": versions.collect::<Vec<_>>(),
        "cases": judged(&world, &all),
    })
}

fn judged(world: &World, [first, second, third]: &[VerifiedManifest; 3]) -> Vec<Value> {
    let case = |name: &str, seen: (u64, RecordId), manifest: &RawRecord, earlier: &[&RawRecord]| {
        let mut case = json!({
            "name": name, "seen": { "version": seen.0, "manifest": seen.1 }, "manifest": manifest, "earlier": earlier,
        });
        case["error"] = json!(judge(&case, &world.log).err());
        case
    };
    let changed = |of: &VerifiedManifest, change: &dyn Fn(&mut Manifest)| {
        let mut record = of.get().clone();
        change(&mut record);
        signed(record, &world.carol)
    };
    let (one, two, three) = (first.raw(), second.raw(), third.raw());
    let (seen_1, seen_2, seen_3) = ((1, first.id()), (2, second.id()), (3, third.id()));
    let other = changed(second, &|manifest| manifest.time += 1);
    let anns = {
        let (signer, signer_bundle) = (world.ann.user_id(), world.ann.bundle().id());
        signed(Manifest { signer, signer_bundle, ..second.get().clone() }, &world.ann)
    };
    let another_file = changed(second, &|manifest| manifest.file_id = FileId::new([0xf4; 16]));
    let skips = changed(third, &|manifest| manifest.previous = first.id());
    vec![
        case("accepted: the one that was seen", seen_2, two, &[one]),
        case("accepted: the next one", seen_1, two, &[one]),
        case("accepted: the one after the next", seen_1, three, &[two, one]),
        case("accepted: what is older than what was seen does not count", seen_2, three, &[two, &other]),
        case("an older one", seen_3, two, &[one]),
        case("another one under the same number", (2, other.id()), two, &[one]),
        case("none of the ones before", seen_1, two, &[]),
        case("not down to what was seen", seen_1, three, &[two]),
        case("one left out", seen_1, three, &[one]),
        case("one left out, and the number with it", seen_1, &skips, &[one]),
        case("the wrong way round", seen_1, three, &[one, two]),
        case("another one in between", seen_1, three, &[&other, one]),
        case("the chain ends at another one than was seen", (1, RecordId::new([7; 32])), two, &[one]),
        case("another member takes the file over", seen_1, &anns, &[one]),
        case("another file", seen_1, &another_file, &[one]),
    ]
}
