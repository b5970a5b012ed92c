//! `docs/vectors/log.json`

use sealpost_crypto::{
    account::Account,
    encoding::Text,
    id::{FileId, OrgId, RecordId, UserId},
    kem::KemPublicKey,
    log::{CheckpointError, FoundingError, Log, LogError, Standing, StandingError},
    record::{Author, RawRecord, Signed},
    records::{
        Bundle, Certify, Checkpoint, Genesis, LogPosition, Revoke, RevokeReason, Role, Rotate, Service,
        Withdraw,
    },
    sign::{SigningKey, SigningPublicKey},
};
use serde_json::{Value, json};

use crate::{
    support::{assert_outcome, cases, entries, read, read_log, replay, value},
    world::{World, seed, signed, signing_key},
};

#[test]
fn log_vectors() {
    replay("log", generate, |vectors| {
        let all = vectors["log"].as_array().unwrap().len();
        let log = read_log(&vectors["log"], all);
        assert_eq!(value(&log.org_id()), vectors["org_id"]);
        assert_eq!(value(&log.head()), vectors["head"]);
        assert_eq!(log.name(), vectors["name"]);
        for case in cases(vectors, "founding") {
            let founded = Log::found(read(case, "record"), read(case, "bundle"));
            assert_outcome(case, founded.map_err(|error: FoundingError| error.code()));
        }
        for case in cases(vectors, "entries") {
            let mut log = read_log(&vectors["log"], read(case, "after"));
            let applied = log.apply(read(case, "record"), read(case, "bundle"));
            assert_outcome(case, applied.map_err(|error: LogError| error.code()));
        }
        for case in cases(vectors, "checkpoints") {
            let mut log = read_log(&vectors["log"], read(case, "log_size"));
            let accepted = log.accept_checkpoint(read(case, "record"));
            assert_outcome(case, accepted.map_err(|error: CheckpointError| error.code()));
        }
        for case in cases(vectors, "standings") {
            let log = read_log(&vectors["log"], read(case, "log_size"));
            let author = Author {
                org_id: read(case, "org_id"),
                signer: read(case, "signer"),
                signer_bundle: read(case, "signer_bundle"),
            };
            let position = LogPosition {
                size: read(case, "position_size"),
                head: read(case, "position_head"),
                signature: read(case, "position_sig"),
            };
            let standing = log.standing(&author, &position, read(case, "seen"));
            if let Some(standing) =
                assert_outcome(case, standing.map_err(|error: StandingError| error.code()))
            {
                assert_eq!(name_of(standing), case["standing"], "{}", case["name"]);
            }
        }
    });
}

fn name_of(standing: Standing) -> &'static str {
    match standing {
        Standing::Current => "current",
        Standing::Retired => "retired",
        Standing::Left => "left",
    }
}

/// The log of the vectors: the founder, Bob, Carol; Carol rotates, a new checkpoint key, Carol leaves.
struct Story {
    world: World,
    carol_2: Account,
    new_server: SigningKey,
    /// Checkpoint after each size from 3 on.
    checkpoints: Vec<RawRecord>,
}

fn story() -> Story {
    let mut world = World::new();
    let new_server = signing_key(0x51);
    let mut checkpoints = vec![world.checkpoint()];
    let carol_2 = world.next(&world.carol, 0x2c);
    let rotate = world.log.signer(&world.carol).unwrap().rotate(&carol_2).unwrap().into_raw();
    world.log.apply(rotate, Some(carol_2.bundle().raw())).unwrap();
    checkpoints.push(world.checkpoint());
    let service = world.log.ops_signer(&world.ann).unwrap().service(new_server.public_key()).unwrap();
    world.log.apply(service.into_raw(), None).unwrap();
    world.server = signing_key(0x51);
    checkpoints.push(world.checkpoint());
    let signer = world.log.ops_signer(&world.ann).unwrap();
    let revoke = signer.revoke(carol_2.user_id(), 4, RevokeReason::Left).unwrap();
    world.log.apply(revoke.into_raw(), None).unwrap();
    checkpoints.push(world.checkpoint());
    Story { world, carol_2, new_server, checkpoints }
}

fn generate() -> Value {
    let story = story();
    let log = &story.world.log;
    json!({
        "about": "A log, entry by entry: genesis, Bob (Client) and Carol (Ops) are certified, Carol rotates, the server gets a new checkpoint key, Carol leaves. `entries` are applied after the first `after` entries of `log`; `checkpoints` and `standings` are judged by the log of the first `log_size` entries.",
        "org_id": log.org_id(),
        "name": log.name(),
        "head": log.head(),
        "log": entries(log),
        "founding": founding(&story),
        "entries": bad_entries(&story),
        "checkpoints": checkpoints(&story),
        "standings": standings(&story),
    })
}

fn founding(story: &Story) -> Vec<Value> {
    let genesis = story.world.log.entries(0).next().unwrap();
    let good: Genesis = genesis.record.claim().unwrap();
    let case = |name: &str, change: &dyn Fn(&mut Genesis)| {
        let mut record = good.clone();
        change(&mut record);
        let raw = signed(record, &story.world.ann);
        let org_id = OrgId::new(*raw.id().as_bytes());
        let account = Account::derive(&seed(0x0a), org_id, story.world.ann.user_id(), 1).unwrap();
        found_case(name, raw, account.bundle().raw())
    };
    vec![
        case("accepted", &|_| ()),
        case("suite 2", &|g| g.suite = 2),
        case("generation 2", &|g| g.generation = 2),
        case("no name", &|g| g.name = Text(String::new())),
        case("a name of 257 bytes", &|g| g.name = Text("n".repeat(257))),
        case("a control character in the name", &|g| g.name = Text("a\u{1b}b".to_owned())),
        case("a checkpoint key that is no point", &|g| g.checkpoint_key = SigningPublicKey::new([0; 32])),
        case("a signing key of small order", &|g| g.signing_key = SigningPublicKey::new([0; 32])),
        case("another user_id than the bundle", &|g| g.user_id = UserId::new([9; 16])),
        found_case(
            "signed by another key",
            signed(good.clone(), &story.world.bob),
            story.world.ann.bundle().raw(),
        ),
        found_case(
            "a bundle that another key signed",
            genesis.record.clone(),
            changed_bundle(&story.world.ann, &story.world.bob, &|_| ()),
        ),
        found_case(
            "the bundle of another organisation",
            genesis.record.clone(),
            Account::derive(&seed(0x0a), OrgId::ZERO, story.world.ann.user_id(), 1).unwrap().bundle().raw(),
        ),
    ]
}

/// The bundle of `account`, changed, and signed by somebody.
fn changed_bundle(account: &Account, by: &Account, change: &dyn Fn(&mut Bundle)) -> RawRecord {
    let mut bundle: Bundle = account.bundle().raw().claim().unwrap();
    change(&mut bundle);
    signed(bundle, by)
}

fn found_case(name: &str, record: RawRecord, bundle: RawRecord) -> Value {
    let error = Log::found(record.clone(), bundle.clone()).err().map(|error| error.code());
    json!({ "name": name, "record": record, "bundle": bundle, "error": error })
}

fn bad_entries(story: &Story) -> Vec<Value> {
    let world = &story.world;
    let all = entries(&world.log);
    // Judged after three entries, where Ann, Bob and Carol are members.
    let at = |record: RawRecord, bundle: Option<&Account>, after: usize, name: &str| {
        let bundle = bundle.map(|account| account.bundle().raw());
        let mut log = read_log(&all, after);
        let error = log.apply(record.clone(), bundle.clone()).err().map(|error| error.code());
        json!({ "name": name, "after": after, "record": record, "bundle": bundle, "error": error })
    };
    let three = World::new();
    let (ann, bob, carol) = (&three.ann, &three.bob, &three.carol);
    let dora = three.account(0x0d, 1);
    let good = three.certify(&dora, Role::Client, "dora@example.org");
    let certify = |name: &str, by: &Account, bundle: Option<&Account>, change: &dyn Fn(&mut Certify)| {
        let mut record = good.clone();
        (record.signer, record.signer_bundle) = (by.user_id(), by.bundle().id());
        change(&mut record);
        at(signed(record, by), bundle, 3, name)
    };
    let certify_bundle = |name: &str, by: &Account, change: &dyn Fn(&mut Bundle)| {
        let bundle = changed_bundle(&dora, by, change);
        let record = signed(Certify { bundle: bundle.id(), ..good.clone() }, ann);
        let mut log = read_log(&all, 3);
        let error = log.apply(record.clone(), Some(bundle.clone())).err().map(|error| error.code());
        json!({ "name": name, "after": 3, "record": record, "bundle": bundle, "error": error })
    };
    let dora_too = three.account(0x0d, 2);
    let carol_2 = three.next(carol, 0x2c);
    let carol_3 = three.next(&carol_2, 0x3c);
    let rotate = |name: &str, next: &Account, bundle: Option<&Account>| {
        let record = three.log.signer(carol).unwrap().rotate(next).unwrap().into_raw();
        at(record, bundle, 3, name)
    };
    let revoke = |name: &str, by: &Account, user_id: UserId, last_valid_size: u64| {
        let record = Revoke {
            org_id: three.log.org_id(),
            signer: by.user_id(),
            signer_bundle: by.bundle().id(),
            sequence: 3,
            previous: three.log.head(),
            user_id,
            last_valid_size,
            reason: RevokeReason::Left,
        };
        at(signed(record, by), None, 3, name)
    };
    let service = |name: &str, key: SigningPublicKey, bundle: Option<&Account>| {
        let record = Service {
            org_id: three.log.org_id(),
            signer: ann.user_id(),
            signer_bundle: ann.bundle().id(),
            sequence: 3,
            previous: three.log.head(),
            checkpoint_key: key,
        };
        at(signed(record, ann), bundle, 3, name)
    };
    let size = world.log.size();
    let late = |by: &Account, name: &str| {
        let mut record = good.clone();
        (record.signer, record.signer_bundle) = (by.user_id(), by.bundle().id());
        (record.sequence, record.previous) = (size, world.log.head());
        at(signed(record, by), Some(&dora), size as usize, name)
    };
    let rotate_bundle = |name: &str, by: &Account, generation: u64, change: &dyn Fn(&mut Bundle)| {
        let bundle = changed_bundle(&carol_2, by, change);
        let record = Rotate {
            org_id: three.log.org_id(),
            signer: carol.user_id(),
            signer_bundle: carol.bundle().id(),
            sequence: 3,
            previous: three.log.head(),
            bundle: bundle.id(),
            generation,
        };
        let record = signed(record, carol);
        let mut log = read_log(&all, 3);
        let error = log.apply(record.clone(), Some(bundle.clone())).err().map(|error| error.code());
        json!({ "name": name, "after": 3, "record": record, "bundle": bundle, "error": error })
    };
    let carols: Bundle = carol.bundle().raw().claim().unwrap();
    // After Carol left, Ann is the only Ops member.
    let replace = |replaces: UserId, role: Role, name: &str| {
        let record = Certify { sequence: size, previous: world.log.head(), replaces, role, ..good.clone() };
        at(signed(record, ann), Some(&dora), size as usize, name)
    };
    let withdraw = Withdraw {
        org_id: three.log.org_id(),
        signer: ann.user_id(),
        signer_bundle: ann.bundle().id(),
        file_id: FileId::ZERO,
    };
    let alone = Revoke {
        org_id: three.log.org_id(),
        signer: ann.user_id(),
        signer_bundle: ann.bundle().id(),
        sequence: size,
        previous: world.log.head(),
        user_id: ann.user_id(),
        last_valid_size: 1,
        reason: RevokeReason::Left,
    };
    let again = |reason: RevokeReason, name: &str| {
        let record = Revoke { user_id: carol.user_id(), reason, ..alone.clone() };
        at(signed(record, ann), None, size as usize, name)
    };
    let rotated = {
        let record = Rotate {
            org_id: three.log.org_id(),
            signer: carol.user_id(),
            signer_bundle: carol.bundle().id(),
            sequence: 4,
            previous: world.log.head_at(4).unwrap(),
            bundle: carol_3.bundle().id(),
            generation: 3,
        };
        at(signed(record, carol), Some(&carol_3), 4, "rotate under keys that were rotated")
    };
    vec![
        certify("accepted: certify", ann, Some(&dora), &|_| ()),
        certify("accepted: certify in place of Bob", ann, Some(&dora), &|c| c.replaces = bob.user_id()),
        certify("accepted: certify by the other Ops member", carol, Some(&dora), &|_| ()),
        replace(ann.user_id(), Role::Ops, "accepted: certify in place of the last Ops member, as Ops"),
        replace(ann.user_id(), Role::Client, "certify in place of the last Ops member, as Client"),
        replace(carol.user_id(), Role::Client, "certify in place of somebody who left"),
        rotate_bundle("rotate: a generation that is not the bundle's", &carol_2, 3, &|_| ()),
        rotate_bundle("rotate: a bundle of a generation too high", &carol_2, 2, &|b| b.generation = 3),
        rotate_bundle("rotate: the KEM key is kept", &carol_2, 2, &|b| b.kem_key = carols.kem_key.clone()),
        rotate_bundle("rotate: the signing key is kept", carol, 2, &|b| {
            b.signing_key = carols.signing_key.clone();
        }),
        certify("a sequence too high", ann, Some(&dora), &|c| c.sequence = 4),
        certify("a sequence too low", ann, Some(&dora), &|c| c.sequence = 2),
        certify("another previous entry", ann, Some(&dora), &|c| c.previous = RecordId::ZERO),
        certify("another organisation", ann, Some(&dora), &|c| c.org_id = OrgId::ZERO),
        certify("by a Client", bob, Some(&dora), &|_| ()),
        certify("by nobody of the organisation", &dora, Some(&dora), &|_| ()),
        certify("in another's name", bob, Some(&dora), &|c| c.signer = ann.user_id()),
        certify("without its bundle", ann, None, &|_| ()),
        certify("with another's bundle", ann, Some(bob), &|_| ()),
        at(signed(good.clone(), bob), Some(&dora), 3, "signed by another key"),
        certify_bundle("a bundle that another key signed", bob, &|_| ()),
        certify_bundle("a bundle of suite 2", &dora, &|b| b.suite = 2),
        certify_bundle("a bundle of generation 0", &dora, &|b| b.generation = 0),
        certify_bundle("a bundle with a signing key of small order", &dora, &|b| {
            b.signing_key = SigningPublicKey::new([0; 32]);
        }),
        certify_bundle("a bundle with a KEM key whose X25519 half is zero", &dora, &|b| {
            let mut key = *b.kem_key.as_bytes();
            key[1184..].fill(0);
            b.kem_key = KemPublicKey::new(key);
        }),
        certify_bundle("a bundle of another organisation", &dora, &|b| b.org_id = OrgId::ZERO),
        certify("Carol's keys for Dora", ann, Some(carol), &|c| c.bundle = carol.bundle().id()),
        certify("keys of generation 2", ann, Some(&dora_too), &|c| {
            (c.bundle, c.generation) = (dora_too.bundle().id(), 2);
        }),
        certify("a generation that is not the bundle's", ann, Some(&dora), &|c| c.generation = 2),
        certify("somebody certified before", ann, Some(bob), &|c| {
            (c.user_id, c.bundle) = (bob.user_id(), bob.bundle().id());
        }),
        certify("in place of nobody", ann, Some(&dora), &|c| c.replaces = UserId::new([0x77; 16])),
        certify("in place of itself", ann, Some(&dora), &|c| c.replaces = dora.user_id()),
        late(carol, "certify under keys that were rotated, by somebody who left"),
        late(&story.carol_2, "certify by somebody who left"),
        rotate("accepted: rotate", &carol_2, Some(&carol_2)),
        rotate("rotate by two generations", &carol_3, Some(&carol_3)),
        rotate("rotate without its bundle", &carol_2, None),
        rotate(
            "rotate to the same keys",
            &Account::derive(&seed(0x0c), three.log.org_id(), carol.user_id(), 2).unwrap(),
            Some(&Account::derive(&seed(0x0c), three.log.org_id(), carol.user_id(), 2).unwrap()),
        ),
        rotate("rotate to somebody else's keys", &dora_too, Some(&dora_too)),
        rotated,
        revoke("accepted: revoke", ann, bob.user_id(), 3),
        revoke("accepted: revoke oneself", carol, carol.user_id(), 3),
        revoke("revoke by a Client", bob, ann.user_id(), 3),
        revoke("revoke nobody", ann, UserId::new([0x77; 16]), 3),
        revoke("revoke with a last valid size in the future", ann, bob.user_id(), 4),
        at(signed(alone.clone(), ann), None, size as usize, "revoke the last Ops member"),
        again(RevokeReason::Left, "revoke somebody who left"),
        again(RevokeReason::Compromised, "accepted: who left turns out to be compromised"),
        service("accepted: service", signing_key(0x51).public_key(), None),
        service("service with a key that is no point", SigningPublicKey::new([0; 32]), None),
        service("service with a bundle", signing_key(0x51).public_key(), Some(bob)),
        at(signed(withdraw, ann), None, 3, "a record that is no entry"),
        at(world.log.entries(0).next().unwrap().record, Some(ann), 3, "a second genesis"),
        service("service with a key that is no canonical encoding", beyond_p(), None),
    ]
}

/// The point with y = 3, of no small order, written as y = p + 3.
fn beyond_p() -> SigningPublicKey {
    SigningPublicKey::new(std::array::from_fn(|n| match n {
        0 => 0xf0,
        31 => 0x7f,
        _ => 0xff,
    }))
}

fn checkpoints(story: &Story) -> Vec<Value> {
    let all = entries(&story.world.log);
    let case = |name: &str, record: &RawRecord, log_size: usize| {
        let mut log = read_log(&all, log_size);
        let error = log.accept_checkpoint(record.clone()).err().map(|error| error.code());
        json!({ "name": name, "log_size": log_size, "record": record, "error": error })
    };
    let sign = |size: u64, head: RecordId, key: &SigningKey| {
        let record = Checkpoint { org_id: story.world.log.org_id(), log_size: size, log_head: head };
        Signed::sign(record, key).unwrap().into_raw()
    };
    let head = |size: u64| story.world.log.head_at(size).unwrap();
    let foreign = Checkpoint { org_id: OrgId::ZERO, log_size: 3, log_head: head(3) };
    let foreign = Signed::sign(foreign, &signing_key(0x50)).unwrap().into_raw();
    vec![
        case("accepted", &story.checkpoints[0], 3),
        case("accepted: under the new key", &story.checkpoints[2], 5),
        case("an older one than the log", &story.checkpoints[0], 4),
        case("a newer one than the log", &story.checkpoints[1], 3),
        case(
            "another head for a size that was seen: a fork",
            &sign(3, RecordId::ZERO, &signing_key(0x50)),
            3,
        ),
        case("another head in the past: a fork", &sign(2, RecordId::ZERO, &signing_key(0x50)), 3),
        case("by nobody's key", &sign(3, head(3), &signing_key(0x52)), 3),
        case("by the old key for a size with the new one", &sign(5, head(5), &signing_key(0x50)), 5),
        case("by the new key for a size before it", &sign(4, head(4), &story.new_server), 5),
        case("of size 0", &sign(0, RecordId::ZERO, &signing_key(0x50)), 3),
        case("of another organisation", &foreign, 3),
        case("another type of record", &story.world.ann.bundle().raw(), 3),
    ]
}

fn standings(story: &Story) -> Vec<Value> {
    let world = &story.world;
    let all = entries(&world.log);
    let position = |size: u64, key: &SigningKey| {
        let record = Checkpoint {
            org_id: world.log.org_id(),
            log_size: size,
            log_head: world.log.head_at(size).unwrap_or(RecordId::ZERO),
        };
        let raw = Signed::sign(record.clone(), key).unwrap().into_raw();
        LogPosition { size, head: record.log_head, signature: raw.signature }
    };
    let old = signing_key(0x50);
    let case = |name: &str, author: Author, position: LogPosition, log_size: usize, seen: bool| {
        let judged = read_log(&all, log_size).standing(&author, &position, seen);
        let mut case = json!({
            "name": name,
            "log_size": log_size,
            "org_id": author.org_id,
            "signer": author.signer,
            "signer_bundle": author.signer_bundle,
            "position_size": position.size,
            "position_head": position.head,
            "position_sig": position.signature,
            "seen": seen,
        });
        match judged {
            Ok(standing) => case["standing"] = json!(name_of(standing)),
            Err(error) => case["error"] = json!(error.code()),
        }
        case
    };
    let by = |account: &Account| Author {
        org_id: account.org_id(),
        signer: account.user_id(),
        signer_bundle: account.bundle().id(),
    };
    let (carol, carol_2) = (by(&world.carol), by(&story.carol_2));
    let stranger = Author { signer: UserId::new([0x77; 16]), ..carol };
    let borrowed = Author { signer_bundle: world.ann.bundle().id(), ..carol };
    let foreign = Author { org_id: OrgId::ZERO, ..carol };
    let invented = LogPosition { head: RecordId::ZERO, ..position(3, &old) };
    let forked = {
        let record = Checkpoint { org_id: world.log.org_id(), log_size: 3, log_head: RecordId::ZERO };
        let raw = Signed::sign(record, &old).unwrap().into_raw();
        LogPosition { size: 3, head: RecordId::ZERO, signature: raw.signature }
    };
    vec![
        case("current keys", carol, position(3, &old), 3, false),
        case("an older log state", by(&world.ann), position(1, &old), 3, false),
        case("keys that did not exist yet", carol, position(2, &old), 3, false),
        case("rotated since", carol, position(3, &old), 4, false),
        case("rotated since, but seen", carol, position(3, &old), 4, true),
        case("old keys after the rotation", carol, position(4, &old), 4, true),
        case("new keys before the rotation", carol_2, position(3, &old), 4, true),
        case("left, up to the last valid size", carol_2, position(4, &old), 6, false),
        case("left, beyond the last valid size", carol_2, position(5, &story.new_server), 6, false),
        case("left, beyond the last valid size, but seen", carol_2, position(5, &story.new_server), 6, true),
        case("left, under keys rotated before", carol, position(3, &old), 6, false),
        case("after leaving", carol_2, position(6, &story.new_server), 6, true),
        case("a log state ahead", carol, position(4, &old), 3, false),
        case("a log state ahead under a key not known yet", carol, position(5, &story.new_server), 3, false),
        case("a log state that the server never signed", carol, invented, 3, false),
        case("a log state of another history", carol, forked, 3, false),
        case("somebody never certified", stranger, position(3, &old), 3, false),
        case("somebody else's keys", borrowed, position(3, &old), 3, false),
        case("another organisation", foreign, position(3, &old), 3, false),
    ]
}
