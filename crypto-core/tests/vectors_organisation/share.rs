//! `docs/vectors/share.json`

use sealpost_crypto::{
    account::Account,
    encoding::Base64,
    id::{Digest, FileId, OrgId, RecordId, UserId},
    kem,
    keys::{FileKeys, Place},
    labels::{SHARE_INFO, labelled},
    log::Log,
    manifest::{self, ManifestDraft, ManifestError, VerifiedManifest},
    pair::PairState,
    receipt::{self, ReceiptError, VerifiedReceipt},
    record::{self, RawRecord, Signed},
    records::{Manifest, Receipt, RevokeReason, Share, ShareContext},
    secret::{AccountSeed, FileKey},
    share::{SealedShare, ShareRequest, VerifiedShare, seal},
    size::Layout,
};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::{
    support::{assert_outcome, cases, entries, hex, read, read_log, replay, unhex, value},
    world::{World, signed},
};

#[test]
fn share_vectors() {
    replay("share", generate, |vectors| {
        for case in cases(vectors, "manifests") {
            let log = read_log(&vectors["log"], read(case, "log_size"));
            let verified = VerifiedManifest::verify(read(case, "manifest"), &log, read(case, "seen"));
            assert_outcome(case, verified.map_err(|error: ManifestError| error.code()));
        }
        for case in cases(vectors, "shares") {
            let log = read_log(&vectors["log"], read(case, "log_size"));
            let opened = open(case, &log, &recipient(vectors, &log));
            if let Some(file_key) = assert_outcome(case, opened) {
                assert_eq!(hex(file_key.expose()), vectors["file_key"], "{}", case["name"]);
            }
        }
        for case in cases(vectors, "receipts") {
            let log = read_log(&vectors["log"], read(case, "log_size"));
            let good = &cases(vectors, "shares")[0];
            let share = VerifiedShare::verify(
                &read(good, "share"),
                read(good, "manifest"),
                &log,
                read(vectors, "recipient"),
                true,
            )
            .unwrap();
            let verified = VerifiedReceipt::verify(read(case, "receipt"), &share, &log);
            assert_outcome(case, verified.map_err(|error: ReceiptError| error.code()));
        }
    });
}

fn recipient(vectors: &Value, log: &Log) -> Account {
    let seed = AccountSeed::from_slice(&unhex(vectors, "recipient_seed")).unwrap();
    Account::derive(&seed, log.org_id(), read(vectors, "recipient"), 1).unwrap()
}

/// What a recipient does: verify, then open.
fn open(case: &Value, log: &Log, me: &Account) -> Result<FileKey, &'static str> {
    let share = VerifiedShare::verify(
        &read(case, "share"),
        read(case, "manifest"),
        log,
        me.user_id(),
        read(case, "seen"),
    )
    .map_err(|error| error.code())?;
    share.open(me).map(|opened| opened.file_key).map_err(|error| error.code())
}

/// A file that Carol shares with Bob; later she rotates, then leaves.
struct Story {
    world: World,
    later: World,
    file_key: FileKey,
    manifest: VerifiedManifest,
    sealed: SealedShare,
}

impl Story {
    fn new() -> Self {
        let world = World::new();
        let file_key = FileKey::from_slice(&[0x1f; 32]).unwrap();
        let manifest = sign_manifest(&world, &file_key);
        let pair = PairState::new(world.carol.user_id(), world.bob.user_id());
        let request = ShareRequest {
            manifest: &manifest,
            file_key: &file_key,
            recipient: world.log.active(world.bob.user_id()).unwrap(),
            pair: &pair,
            expiry: 1_800_000_000,
            limit: 3,
            time: 1_700_000_000,
        };
        let (sealed, _) = seal(&world.log.ops_signer(&world.carol).unwrap(), &request).unwrap();
        let mut later = World::new();
        let carol_2 = later.next(&later.carol, 0x2c);
        let rotate = later.log.signer(&later.carol).unwrap().rotate(&carol_2).unwrap().into_raw();
        later.log.apply(rotate, Some(carol_2.bundle().raw())).unwrap();
        let ann = later.log.ops_signer(&later.ann).unwrap();
        let revoke = ann.revoke(carol_2.user_id(), 4, RevokeReason::Compromised).unwrap();
        later.log.apply(revoke.into_raw(), None).unwrap();
        Self { world, later, file_key, manifest, sealed }
    }

    fn context(&self) -> ShareContext {
        let share: Share = self.sealed.record.claim().unwrap();
        record::parse(&share.context.0).unwrap()
    }

    /// The same wrap under another context, signed by `by`.
    fn resigned(&self, by: &Account, change: &dyn Fn(&mut ShareContext)) -> SealedShare {
        let mut context = self.context();
        change(&mut context);
        self.with_context(by, record::encode(&context).unwrap())
    }

    fn with_context(&self, by: &Account, context: Vec<u8>) -> SealedShare {
        let old: Share = self.sealed.record.claim().unwrap();
        let share =
            Share { signer: by.user_id(), signer_bundle: by.bundle().id(), context: Base64(context), ..old };
        SealedShare { record: signed(share, by), ..self.sealed.clone() }
    }

    /// The share that Carol could make by hand around another key.
    fn other_key(&self) -> SealedShare {
        let old: Share = self.sealed.record.claim().unwrap();
        let info = labelled(SHARE_INFO, &[&sha2::Sha256::digest(&old.context.0)]);
        let key = self.world.bob.bundle().kem_key().check().unwrap();
        let wrapped = kem::wrap(&key, &info, &FileKey::from_slice(&[0x2f; 32]).unwrap()).unwrap();
        SealedShare {
            record: signed(Share { sealed: wrapped.digest(), ..old }, &self.world.carol),
            enc: Base64(wrapped.enc.as_bytes().to_vec()),
            ciphertext: Base64(wrapped.ciphertext.as_bytes().to_vec()),
        }
    }
}

fn sign_manifest(world: &World, file_key: &FileKey) -> VerifiedManifest {
    let place = Place { org_id: world.log.org_id(), file_id: FileId::new([0xf1; 16]), version: 1 };
    let draft = ManifestDraft {
        layout: Layout::for_size(10_000).unwrap(),
        digest: Digest::new([0xd1; 32]),
        metadata: Digest::new([0xd2; 32]),
        commitment: FileKeys::derive(file_key, &place).commitment,
        time: 1_700_000_000,
    };
    manifest::sign(&world.log.ops_signer(&world.carol).unwrap(), place.file_id, draft).unwrap()
}

fn generate() -> Value {
    let story = Story::new();
    json!({
        "about": "Carol (Ops) shares a file with Bob. `log` is that of log.json's first three entries, Carol's rotation, and her revocation as compromised; a case is judged by its first `log_size` entries. `seen`: the record is pinned. Shares are verified and opened by Bob, whose account seed is `recipient_seed`; all that open yield `file_key`.",
        "recipient": story.world.bob.user_id(),
        "recipient_seed": hex(&[0x0b; 32]),
        "file_key": hex(story.file_key.expose()),
        "log": entries(&story.later.log),
        "manifests": manifests(&story),
        "shares": shares(&story),
        "receipts": receipts(&story),
    })
}

fn manifests(story: &Story) -> Vec<Value> {
    let all = entries(&story.later.log);
    let at = |name: &str, manifest: RawRecord, log_size: usize, seen: bool| {
        let verified = VerifiedManifest::verify(manifest.clone(), &read_log(&all, log_size), seen);
        let error = verified.err().map(|error| error.code());
        json!({ "name": name, "manifest": manifest, "log_size": log_size, "seen": seen, "error": error })
    };
    let good = story.manifest.get();
    let carol = &story.world.carol;
    let ann = &story.world.ann;
    let ahead = Manifest { signer: ann.user_id(), signer_bundle: ann.bundle().id(), ..good.clone() };
    let ahead = signed(ahead, ann);
    let case = |name: &str, by: &Account, change: &dyn Fn(&mut Manifest)| {
        let mut record = good.clone();
        (record.signer, record.signer_bundle) = (by.user_id(), by.bundle().id());
        change(&mut record);
        at(name, signed(record, by), 3, false)
    };
    vec![
        case("accepted", carol, &|_| ()),
        case("accepted: a second version", carol, &|m| (m.version, m.previous) = (2, RecordId::new([1; 32]))),
        case("version 0", carol, &|m| m.version = 0),
        case("a first version with one before it", carol, &|m| m.previous = RecordId::new([1; 32])),
        case("a second version with none before it", carol, &|m| m.version = 2),
        case("a length of no sealed file", carol, &|m| m.length = 10_000),
        case("length 0", carol, &|m| m.length = 0),
        case("a length above the limit", carol, &|m| m.length = 1 << 52),
        case("by a Client", &story.world.bob, &|_| ()),
        case("by nobody of the organisation", &story.world.account(0x0d, 1), &|_| ()),
        case("in another's name", &story.world.bob, &|m| {
            (m.signer, m.signer_bundle) = (carol.user_id(), carol.bundle().id());
        }),
        case("another organisation", carol, &|m| m.org_id = OrgId::ZERO),
        case("a log state that the server never signed", carol, &|m| m.log_size = 2),
        at("by keys rotated since", story.manifest.raw().clone(), 4, false),
        at("accepted: by keys rotated since, but seen", story.manifest.raw().clone(), 4, true),
        at("a log state ahead", ahead, 2, false),
    ]
}

fn shares(story: &Story) -> Vec<Value> {
    let all = entries(&story.later.log);
    let bob = &story.world.bob;
    let judged = |name: &str, share: SealedShare, manifest: &RawRecord, log_size: usize, seen: bool| {
        let mut case = json!({
            "name": name, "share": share, "manifest": manifest, "log_size": log_size, "seen": seen,
        });
        let error = open(&case, &read_log(&all, log_size), bob).err();
        case["error"] = json!(error);
        case
    };
    let good = story.manifest.raw();
    let case = |name: &str, share: SealedShare| judged(name, share, good, 3, false);
    let (ann, carol) = (&story.world.ann, &story.world.carol);
    let context = |name: &str, change: &dyn Fn(&mut ShareContext)| case(name, story.resigned(carol, change));
    let other = story.other_key();
    let with_space =
        String::from_utf8(record::encode(&story.context()).unwrap()).unwrap().replacen(':', ": ", 1);
    let mut flipped = story.sealed.clone();
    *flipped.record.payload.0.iter_mut().rev().nth(9).unwrap() ^= 1;
    let mut long = story.sealed.clone();
    long.enc.0.push(0);
    let other_manifest = {
        let record = Manifest { time: 1, ..story.manifest.get().clone() };
        signed(record, carol)
    };
    let anns_manifest = {
        let record = Manifest {
            signer: ann.user_id(),
            signer_bundle: ann.bundle().id(),
            ..story.manifest.get().clone()
        };
        signed(record, ann)
    };
    // A share that names a manifest which breaks a rule of its own.
    let of_bad_manifest = |name: &str, change: &dyn Fn(&mut Manifest)| {
        let mut record = story.manifest.get().clone();
        change(&mut record);
        let (version, manifest) = (record.version, signed(record, carol));
        let share = story.resigned(carol, &|c| (c.version, c.manifest) = (version, manifest.id()));
        judged(name, share, &manifest, 3, false)
    };
    vec![
        case("accepted", story.sealed.clone()),
        of_bad_manifest("a second version with none before it", &|m| m.version = 2),
        of_bad_manifest("a manifest of an impossible length", &|m| m.length = 10_000),
        of_bad_manifest("a manifest of a log state that the server never signed", &|m| m.log_size = 2),
        case("a flipped bit in the record", flipped),
        case("re-signed by another Ops member", story.resigned(ann, &|_| ())),
        case("re-signed by the recipient", story.resigned(bob, &|_| ())),
        case(
            "re-signed by another Ops member, who names itself",
            story.resigned(ann, &|c| {
                (c.sender, c.sender_bundle) = (ann.user_id(), ann.bundle().id());
            }),
        ),
        judged("the manifest of another owner", story.sealed.clone(), &anns_manifest, 3, false),
        judged("another manifest of the same file", story.sealed.clone(), &other_manifest, 3, false),
        context("for somebody else", &|c| c.recipient = UserId::new([0x0a; 16])),
        context("to somebody else's keys", &|c| c.recipient_bundle = ann.bundle().id()),
        context("another file", &|c| c.file_id = FileId::ZERO),
        context("another version", &|c| c.version = 2),
        context("another manifest id", &|c| c.manifest = RecordId::ZERO),
        context("another commitment", &|c| c.commitment = Digest::ZERO),
        context("pair sequence 0", &|c| c.pair_sequence = 0),
        context("a first place with something before it", &|c| c.pair_previous = RecordId::new([1; 32])),
        context("a second place with nothing before it", &|c| c.pair_sequence = 2),
        context("a log state that the server never signed", &|c| c.log_size = 2),
        context("signed again with another expiry around the same wrap", &|c| c.expiry = 1),
        case("a context with a space", story.with_context(carol, with_space.into_bytes())),
        case("enc of another share", SealedShare { enc: other.enc.clone(), ..story.sealed.clone() }),
        case(
            "ciphertext of another share",
            SealedShare { ciphertext: other.ciphertext.clone(), ..story.sealed.clone() },
        ),
        case("enc of another length", long),
        case("a wrap of another key than the manifest commits to", other),
        judged("by keys rotated since", story.sealed.clone(), good, 4, false),
        judged("accepted: by keys rotated since, but seen", story.sealed.clone(), good, 4, true),
        judged("by somebody compromised", story.sealed.clone(), good, 5, false),
    ]
}

fn receipts(story: &Story) -> Vec<Value> {
    let log = &story.world.log;
    let bob = &story.world.bob;
    let all = entries(&story.later.log);
    let share = |log: &Log| {
        VerifiedShare::verify(&story.sealed, story.manifest.raw().clone(), log, bob.user_id(), true).unwrap()
    };
    let good = receipt::sign(&log.signer(bob).unwrap(), &share(log), 1_700_000_100).unwrap();
    let judged = |name: &str, receipt: RawRecord, log_size: usize| {
        let log = read_log(&all, log_size);
        let verified = VerifiedReceipt::verify(receipt.clone(), &share(&log), &log);
        let error = verified.err().map(|error| error.code());
        json!({ "name": name, "receipt": receipt, "log_size": log_size, "error": error })
    };
    let case = |name: &str, by: &Account, change: &dyn Fn(&mut Receipt)| {
        let mut record = good.get().clone();
        (record.signer, record.signer_bundle) = (by.user_id(), by.bundle().id());
        change(&mut record);
        judged(name, Signed::sign(record, &by.keys().signing).unwrap().into_raw(), 3)
    };
    assert_eq!(value(&good.id()), value(&good.raw().id()));
    vec![
        case("accepted", bob, &|_| ()),
        judged("accepted: after the sender left", good.raw().clone(), 5),
        case("by somebody else", &story.world.ann, &|_| ()),
        case("for another share", bob, &|r| r.share = RecordId::ZERO),
        case("for another manifest", bob, &|r| r.manifest = RecordId::ZERO),
        case("of another organisation", bob, &|r| r.org_id = OrgId::ZERO),
        case("a log state that the server never signed", bob, &|r| r.log_size = 2),
    ]
}
