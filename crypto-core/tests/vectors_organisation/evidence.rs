//! `docs/vectors/evidence.json`, and `docs/evidence.schema.json`, which must describe every file in it.

use sealpost_crypto::{
    account::Account,
    chunk,
    encoding::Text,
    evidence::{self, Collected, CollectedDelivery, Verdict},
    fork,
    id::{FileId, OrgId, RecordId},
    keys::{FileKeys, Place},
    log::{Fork, Log},
    manifest::{self, ManifestDraft, VerifiedManifest},
    metadata::{Metadata, sealed_hash},
    opening::Opening,
    pair::PairState,
    parts::{content_digest, part_digest},
    receipt,
    record::Signed,
    records::{Checkpoint, RevokeReason},
    secret::FileKey,
    share::{SealedShare, ShareRequest, VerifiedShare, seal},
    size::Layout,
};
use serde_json::{Value, json};

use crate::{
    support::{assert_outcome, cases, hex, read, replay, unhex},
    world::{World, opening, signing_key},
};

const CONTENT: &[u8] = b"The settlement is 42,000.";

#[test]
fn evidence_vectors() {
    replay("evidence", generate, |vectors| {
        let schema = schema();
        for (name, text) in vectors["files"].as_object().unwrap() {
            let file: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
            assert_eq!(describes(&schema, &schema, &file), Ok(()), "{name}");
        }
        for case in cases(vectors, "evidence") {
            let verdict = evidence::verify(file(vectors, case).as_bytes(), read(case, "org_id"));
            if let Some(verdict) = assert_outcome(case, verdict.map_err(|error| error.code())) {
                assert_eq!(judgement(&verdict), case["verdict"], "{}", case["name"]);
            }
        }
        for case in cases(vectors, "contents") {
            let verdict = evidence::verify(file(vectors, case).as_bytes(), read(case, "org_id")).unwrap();
            let compared = verdict.content_check().and_then(|mut check| {
                check.update(&unhex(case, "content"))?;
                check.finish()
            });
            assert_outcome(case, compared.map_err(|error| error.code()));
        }
        for case in cases(vectors, "forks") {
            let proven = fork::verify(file(vectors, case).as_bytes(), read(case, "org_id"));
            if let Some(proven) = assert_outcome(case, proven.map_err(|error| error.code())) {
                assert_eq!(json!(proven.size()), case["size"], "{}", case["name"]);
            }
        }
    });
}

/// The file that a case names, with what it replaces in it.
fn file(vectors: &Value, case: &Value) -> String {
    let text = vectors["files"][case["file"].as_str().unwrap()].as_str().unwrap();
    match case["replace"].as_array() {
        Some(replace) => {
            let [from, to] = [0, 1].map(|at| replace[at].as_str().unwrap());
            assert!(text.contains(from), "{}", case["name"]);
            text.replacen(from, to, 1)
        }
        None => text.to_owned(),
    }
}

fn judgement(verdict: &Verdict) -> Value {
    let deliveries = verdict.deliveries.iter().map(|to| {
        let marks: Vec<_> = to.marks.iter().map(|mark| mark.code()).collect();
        json!({ "recipient": to.recipient.email, "proves": to.proves.code(), "marks": marks })
    });
    json!({
        "sender": verdict.sender.email,
        "log_size": verdict.log_size,
        "name": verdict.metadata.as_ref().map(|metadata| metadata.name.0.clone()),
        "deliveries": deliveries.collect::<Vec<_>>(),
    })
}

/// A file that Carol shares with Bob, and his receipt.
struct Delivered {
    world: World,
    file_key: FileKey,
    manifest: VerifiedManifest,
    metadata: Vec<u8>,
    part: Vec<u8>,
    share: SealedShare,
    receipt: sealpost_crypto::record::RawRecord,
}

impl Delivered {
    fn new() -> Self {
        let world = World::new();
        let file_key = FileKey::from_slice(&[0x1f; 32]).unwrap();
        let place = Place { org_id: world.log.org_id(), file_id: FileId::new([0xf1; 16]), version: 1 };
        let keys = FileKeys::derive(&file_key, &place);
        let (layout, part) = sealed(&keys);
        let metadata = metadata(&keys, &place);
        let draft = ManifestDraft {
            layout,
            digest: content_digest(layout.ciphertext_length(), &[part_digest(&part)]),
            metadata: sealed_hash(&metadata),
            commitment: keys.commitment,
            time: 1_700_000_000,
        };
        let manifest =
            manifest::sign(&world.log.ops_signer(&world.carol).unwrap(), place.file_id, draft).unwrap();
        let share = share(&world, &manifest, &file_key);
        let verified =
            VerifiedShare::verify(&share, manifest.raw().clone(), &world.log, world.bob.user_id(), false);
        let bob = world.log.signer(&world.bob).unwrap();
        let receipt = receipt::sign(&bob, &verified.unwrap(), 1_700_000_100).unwrap().into_raw();
        Self { world, file_key, manifest, metadata, part, share, receipt }
    }

    fn file(&self, log: &Log, disclose: bool, received: bool) -> String {
        let receipts = if received { vec![self.receipt.clone()] } else { vec![] };
        let collected = Collected {
            openings: vec![people(0x0b, "bob@example.org"), people(0x0c, "carol@example.org")],
            manifest: self.manifest.raw().clone(),
            metadata: self.metadata.clone(),
            parts: vec![part_digest(&self.part)],
            file_key: disclose.then_some(&self.file_key),
            deliveries: vec![CollectedDelivery { share: self.share.clone(), receipts }],
        };
        String::from_utf8(evidence::encode(log, collected).unwrap().to_vec()).unwrap()
    }

    /// The same delivery, seen after what `change` does to the log.
    fn later(&self, change: impl FnOnce(&mut World)) -> String {
        let mut world = World::new();
        change(&mut world);
        world.checkpoint();
        self.file(&world.log, false, true)
    }
}

fn people(n: u8, email: &str) -> Opening {
    opening(n, email, "")
}

fn sealed(keys: &FileKeys) -> (Layout, Vec<u8>) {
    let layout = Layout::for_size(CONTENT.len() as u64).unwrap();
    let mut padded = CONTENT.to_vec();
    padded.resize(layout.padded_length() as usize, 0);
    let mut part = Vec::new();
    chunk::seal_part(&keys.content, &layout, 0, &padded, &mut part).unwrap();
    (layout, part)
}

fn metadata(keys: &FileKeys, place: &Place) -> Vec<u8> {
    let metadata = Metadata {
        name: Text("settlement.txt".to_owned()),
        media_type: Text("text/plain".to_owned()),
        size: CONTENT.len() as u64,
        modified: 1_690_000_000,
        note: Text("as discussed".to_owned()),
    };
    metadata.seal(&keys.metadata, place).unwrap()
}

fn share(world: &World, manifest: &VerifiedManifest, file_key: &FileKey) -> SealedShare {
    let request = ShareRequest {
        manifest,
        file_key,
        recipient: world.log.active(world.bob.user_id()).unwrap(),
        pair: &PairState::new(world.carol.user_id(), world.bob.user_id()),
        expiry: 0,
        limit: 0,
        time: 1_700_000_050,
    };
    seal(&world.log.ops_signer(&world.carol).unwrap(), &request).unwrap().0
}

fn rotate(world: &mut World, account: impl Fn(&World) -> &Account, n: u8) {
    let next = world.next(account(world), n);
    let rotate = world.log.signer(account(world)).unwrap().rotate(&next).unwrap().into_raw();
    world.log.apply(rotate, Some(next.bundle().raw())).unwrap();
}

fn revoke(world: &mut World, n: u8, last_valid_size: u64, reason: RevokeReason) {
    let user_id = world.account(n, 1).user_id();
    let revoke = world.log.ops_signer(&world.ann).unwrap().revoke(user_id, last_valid_size, reason).unwrap();
    world.log.apply(revoke.into_raw(), None).unwrap();
}

fn generate() -> Value {
    let story = Delivered::new();
    let log = &story.world.log;
    use RevokeReason::{Compromised, Left};
    let files = json!({
        "disclosed": story.file(log, true, true),
        "closed": story.file(log, false, true),
        "no_receipt": story.file(log, false, false),
        "sender_rotated": story.later(|world| rotate(world, |world| &world.carol, 0x2c)),
        "sender_left": story.later(|world| revoke(world, 0x0c, 3, Left)),
        "sender_left_before": story.later(|world| revoke(world, 0x0c, 2, Left)),
        "sender_compromised": story.later(|world| revoke(world, 0x0c, 3, Compromised)),
        "recipient_rotated": story.later(|world| rotate(world, |world| &world.bob, 0x2b)),
        "recipient_left": story.later(|world| revoke(world, 0x0b, 3, Left)),
        "recipient_compromised": story.later(|world| revoke(world, 0x0b, 3, Compromised)),
        "fork": fork_file(&story.world),
    });
    let org_id = log.org_id();
    json!({
        "about": "`files` are whole files, as text. A case names one; where it has `replace`, the first text is replaced once by the second. `verdict` says what must be found: sender, entries of the log, the file's name if it is disclosed, and of each delivery what is proved and which marks it has. In `contents` a file of the bytes `content` is compared. `size` of a fork: entries after which the histories differ.",
        "evidence": evidence_cases(&files, org_id),
        "contents": content_cases(org_id),
        "forks": fork_cases(&files, org_id),
        "files": files,
    })
}

/// The server signs another head of the size of the log.
fn fork_file(world: &World) -> String {
    let log = &world.log;
    let other = Checkpoint { org_id: log.org_id(), log_size: 3, log_head: RecordId::new([0xee; 32]) };
    let theirs = Signed::sign(other, &signing_key(0x50)).unwrap().into_raw();
    let fork = Fork { size: 3, ours: log.head(), theirs, branch: vec![], our_checkpoint: None };
    String::from_utf8(fork::prove(log, &fork).unwrap()).unwrap()
}

fn evidence_cases(files: &Value, org_id: OrgId) -> Vec<Value> {
    let judged = |name: &str, file_name: &str, org_id: OrgId, replace: Option<[String; 2]>| {
        let mut case = json!({ "name": name, "file": file_name, "org_id": org_id });
        if let Some(replace) = replace {
            case["replace"] = json!(replace);
        }
        match evidence::verify(file(&json!({ "files": files }), &case).as_bytes(), org_id) {
            Ok(verdict) => case["verdict"] = judgement(&verdict),
            Err(error) => case["error"] = json!(error.code()),
        }
        case
    };
    let whole = |name, file_name| judged(name, file_name, org_id, None);
    let text = files["disclosed"].as_str().unwrap();
    let changed = |name: &str, from: &str, to: &str| {
        judged(name, "disclosed", org_id, Some([from.to_owned(), to.to_owned()]))
    };
    let member = |name: &str| {
        let at = text.find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
        text[at..at + text[at..].find([',', ']']).unwrap()].trim_start_matches('[').to_owned()
    };
    let flip = |value: &str| {
        let (start, end) = value.split_at(5);
        format!("{start}{}{}", if end.starts_with('A') { 'B' } else { 'A' }, &end[1..])
    };
    let flipped = |name: &str, member_name: &str| {
        let value = member(member_name);
        changed(name, &value, &flip(&value))
    };
    let (part, key) = (member("parts"), member("file_key"));
    let other_part = part.replacen(['0', '1', '2', '3'], "f", 1);
    vec![
        whole("valid, disclosed", "disclosed"),
        whole("valid", "closed"),
        changed("valid: a line feed at the end", "}]}]}", "}]}]}\n"),
        whole("valid, without receipt", "no_receipt"),
        whole("valid: the sender has other keys since", "sender_rotated"),
        whole("valid: the sender has left", "sender_left"),
        whole("signed after the sender left", "sender_left_before"),
        whole("the sender is compromised", "sender_compromised"),
        whole("valid: the recipient has other keys since", "recipient_rotated"),
        whole("valid: the recipient has left", "recipient_left"),
        whole("valid: the receipt of somebody compromised does not count", "recipient_compromised"),
        judged("another organisation is trusted", "disclosed", OrgId::ZERO, None),
        whole("a proof of two histories", "fork"),
        changed("another version of the form", "/v1/", "/v2/"),
        changed("white space", "\"metadata\":", "\"metadata\": "),
        changed("a member too many", "\"file_key\":", "\"x\":0,\"file_key\":"),
        changed("metadata of another file", &member("metadata"), &flip(&member("metadata"))),
        changed("another part", &part, &other_part),
        changed("a part too many", &part, &format!("{part},{part}")),
        changed("another key", &key, "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\""),
        changed("the key taken out", &key, "\"\""),
        flipped("another wrap", "enc"),
        changed("no delivery", &deliveries(text), "\"deliveries\":[]"),
        changed("the delivery twice", &deliveries(text), &twice(&deliveries(text))),
        changed("openings in another order", &openings(text), &turned(&openings(text))),
    ]
}

fn deliveries(text: &str) -> String {
    let start = text.find("\"deliveries\":[").unwrap();
    text[start..text.len() - 1].to_owned()
}

fn twice(deliveries: &str) -> String {
    let item = &deliveries["\"deliveries\":[".len()..deliveries.len() - 1];
    format!("\"deliveries\":[{item},{item}]")
}

fn openings(text: &str) -> String {
    let start = text.find("\"openings\":[").unwrap() + "\"openings\":[".len();
    text[start..start + text[start..].find(']').unwrap()].to_owned()
}

fn turned(openings: &str) -> String {
    let (one, other) = openings.split_once("},{").unwrap();
    format!("{{{other},{one}}}")
}

fn content_cases(org_id: OrgId) -> Vec<Value> {
    let case = |name: &str, file: &str, content: &[u8], error: Option<&str>| json!({ "name": name, "file": file, "org_id": org_id, "content": hex(content), "error": error });
    let (longer, shorter) = ([CONTENT, b"\0"].concat(), &CONTENT[1..]);
    let mut other = CONTENT.to_vec();
    other[20] ^= 1;
    vec![
        case("the file", "disclosed", CONTENT, None),
        case("a flipped bit", "disclosed", &other, Some("evidence_content")),
        case("a zero more", "disclosed", &longer, Some("evidence_content")),
        case("a byte less", "disclosed", shorter, Some("evidence_content")),
        case("the key is not disclosed", "closed", CONTENT, Some("evidence_undisclosed")),
    ]
}

fn fork_cases(files: &Value, org_id: OrgId) -> Vec<Value> {
    let text = files["fork"].as_str().unwrap();
    let at = text.rfind("\"signature\":\"").unwrap() + 20;
    let signature = &text[at..at + 40];
    let other_letter = if signature.starts_with('A') { "B" } else { "A" };
    let unsigned = [signature.to_owned(), format!("{other_letter}{}", &signature[1..])];
    let own = text.find("\"checkpoint\":").unwrap() + "\"checkpoint\":".len();
    let own = &text[own..own + text[own..].find('}').unwrap() + 1];
    let theirs = text.rfind("\"other\":").unwrap() + "\"other\":".len();
    let theirs = &text[theirs..text.len() - 1];
    let same = [format!("\"other\":{theirs}"), format!("\"other\":{own}")];
    let case = |name: &str, org_id: OrgId, replace: Option<[String; 2]>, error: Option<&str>| {
        let mut case = json!({ "name": name, "file": "fork", "org_id": org_id, "size": 3, "error": error });
        if let Some(replace) = replace {
            case["replace"] = json!(replace);
        }
        case
    };
    vec![
        case("proven", org_id, None, None),
        case("another organisation is trusted", OrgId::ZERO, None, Some("foreign_organisation")),
        case("a statement that the server did not sign", org_id, Some(unsigned), Some("fork_unsigned")),
        case("one statement twice", org_id, Some(same), Some("fork_same_history")),
    ]
}

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/evidence.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What of JSON Schema the file uses.
fn describes(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        return describes(root, root.pointer(name.trim_start_matches('#')).unwrap(), value);
    }
    if let Some(variants) = schema["oneOf"].as_array() {
        let fitting = variants.iter().filter(|variant| describes(root, variant, value).is_ok()).count();
        return if fitting == 1 { Ok(()) } else { Err(format!("{fitting} variants fit")) };
    }
    let fits = match schema["type"].as_str() {
        Some("object") => return describes_object(root, schema, value),
        Some("array") => {
            let items = value.as_array().ok_or("no list")?;
            items.iter().try_for_each(|item| describes(root, &schema["items"], item))?;
            let within = |limit: &str, default| schema[limit].as_u64().unwrap_or(default);
            (within("minItems", 0)..=within("maxItems", u64::MAX)).contains(&(items.len() as u64))
        }
        Some("string") => value.as_str().is_some_and(|text| matches(schema["pattern"].as_str(), text)),
        None => schema["const"] == *value,
        Some(other) => panic!("the schema uses {other}"),
    };
    if fits { Ok(()) } else { Err(format!("{schema} does not describe {value}")) }
}

fn describes_object(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let (members, known) = (value.as_object().ok_or("no object")?, schema["properties"].as_object().unwrap());
    assert_eq!(schema["additionalProperties"], json!(false));
    assert_eq!(schema["required"].as_array().unwrap().len(), known.len(), "every member is required");
    let names = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
    if names(members) != names(known) {
        return Err(format!("{:?} instead of {:?}", names(members), names(known)));
    }
    members.iter().try_for_each(|(name, member)| describes(root, &known[name], member))
}

/// The four patterns that the schema uses.
fn matches(pattern: Option<&str>, text: &str) -> bool {
    let is_hex = |length| {
        text.len() == length
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    match pattern {
        Some("^[0-9a-f]{32}$") => is_hex(32),
        Some("^[0-9a-f]{64}$") => is_hex(64),
        Some("^[A-Za-z0-9_-]*$") => {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        }
        Some("^[a-z]+$") => text.bytes().all(|byte| byte.is_ascii_lowercase()),
        other => panic!("the schema uses the pattern {other:?}"),
    }
}
