use super::{
    Collected, CollectedDelivery, EvidenceError, MAX_BYTES, Mark, Proves, Verdict, encode,
    format::{Bundle, Named},
    verify,
};
use crate::{
    account::Account,
    chunk,
    encoding::Text,
    id::{Digest, FileId, OrgId},
    keys::{FileKeys, Place},
    log::{StandingError, testing::Organisation},
    manifest::{self, ManifestDraft, VerifiedManifest},
    metadata::{Metadata, MetadataError, sealed_hash},
    pair::PairState,
    parts::{content_digest, part_digest},
    receipt,
    record::RawRecord,
    records::{RevokeReason, Role},
    secret::FileKey,
    share::{SealedShare, ShareRequest, VerifiedShare, seal},
    size::{Layout, PART_PLAINTEXT},
    strict::Bounded,
};

/// A file that an Ops member sealed, shared with two Clients, and the receipt of one.
struct Story {
    organisation: Organisation,
    sender: Account,
    bob: Account,
    file_key: FileKey,
    manifest: VerifiedManifest,
    metadata: Vec<u8>,
    parts: Vec<Digest>,
    deliveries: Vec<CollectedDelivery>,
}

impl Story {
    fn of(content: &[u8]) -> Self {
        let mut organisation = Organisation::new();
        let sender = organisation.admit_as(Role::Ops, "olga@example.org");
        let bob = organisation.admit_as(Role::Client, "bob@example.org");
        let eve = organisation.admit_as(Role::Client, "eve@example.org");
        let file_key = FileKey::random();
        let (manifest, metadata, parts) = sealed(&organisation, &sender, &file_key, content);
        let mut story =
            Self { organisation, sender, bob, file_key, manifest, metadata, parts, deliveries: Vec::new() };
        for share in [story.share(&story.bob), story.share(&eve)] {
            story.deliveries.push(CollectedDelivery { share, receipts: Vec::new() });
        }
        let receipt = story.receipt(&story.bob, 2_000);
        story.deliveries[0].receipts.push(receipt);
        story
    }

    fn new() -> Self {
        Self::of(b"The settlement is 42,000.")
    }

    fn share(&self, recipient: &Account) -> SealedShare {
        let log = &self.organisation.log;
        let request = ShareRequest {
            manifest: &self.manifest,
            file_key: &self.file_key,
            recipient: log.active(recipient.user_id()).unwrap(),
            pair: &PairState::new(self.sender.user_id(), recipient.user_id()),
            expiry: 0,
            limit: 0,
            time: 1_500,
        };
        seal(&log.ops_signer(&self.sender).unwrap(), &request).unwrap().0
    }

    fn receipt(&self, by: &Account, time: u64) -> RawRecord {
        let log = &self.organisation.log;
        let share = &self.deliveries[0].share;
        let share =
            VerifiedShare::verify(share, self.manifest.raw().clone(), log, by.user_id(), true).unwrap();
        receipt::sign(&log.signer(by).unwrap(), &share, time).unwrap().into_raw()
    }

    fn collected(&self, disclose: bool) -> Collected<'_> {
        let openings = self.organisation.openings();
        Collected {
            openings: openings.iter().map(|opening| opening.opening().clone()).collect(),
            manifest: self.manifest.raw().clone(),
            metadata: self.metadata.clone(),
            parts: self.parts.clone(),
            file_key: disclose.then_some(&self.file_key),
            deliveries: self.deliveries.clone(),
        }
    }

    fn judge(&self) -> Result<Verdict, EvidenceError> {
        let bytes = encode(&self.organisation.log, self.collected(true)).unwrap();
        verify(&bytes, self.organisation.log.org_id())
    }

    /// What the delivery to Bob is judged by.
    fn bobs(&self) -> (Proves, Vec<Mark>) {
        let verdict = self.judge().unwrap();
        let to_bob = |delivered: &&super::Delivered| delivered.recipient.user_id == self.bob.user_id();
        let delivered = verdict.deliveries.iter().find(to_bob).unwrap();
        (delivered.proves, delivered.marks.clone())
    }
}

fn sealed(
    organisation: &Organisation,
    owner: &Account,
    key: &FileKey,
    content: &[u8],
) -> (VerifiedManifest, Vec<u8>, Vec<Digest>) {
    let place = Place { org_id: organisation.log.org_id(), file_id: FileId::random(), version: 1 };
    let keys = FileKeys::derive(key, &place);
    let layout = Layout::for_size(content.len() as u64).unwrap();
    let mut padded = content.to_vec();
    padded.resize(layout.padded_length() as usize, 0);
    let mut out = Vec::new();
    let mut digests = Vec::new();
    for part in layout.all_parts() {
        let plaintext = &padded[part.plaintext.start as usize..part.plaintext.end as usize];
        chunk::seal_part(&keys.content, &layout, part.index, plaintext, &mut out).unwrap();
        digests.push(part_digest(&out));
    }
    let metadata = Metadata {
        name: Text("settlement.txt".into()),
        media_type: Text(String::new()),
        size: content.len() as u64,
        modified: 0,
        note: Text(String::new()),
    };
    let metadata = metadata.seal(&keys.metadata, &place).unwrap();
    let draft = ManifestDraft {
        layout,
        digest: content_digest(layout.ciphertext_length(), &digests),
        metadata: sealed_hash(&metadata),
        commitment: keys.commitment,
        time: 1_000,
    };
    let signer = organisation.log.ops_signer(owner).unwrap();
    (manifest::sign(&signer, place.file_id, draft).unwrap(), metadata, digests)
}

#[test]
fn a_delivery_is_proved_to_whoever_trusts_the_organisation() {
    let story = Story::new();
    let verdict = story.judge().unwrap();
    assert!(verdict.is_disclosed());
    assert_eq!(verdict.sender.email, "olga@example.org");
    assert_eq!(verdict.metadata.as_ref().unwrap().name.0, "settlement.txt");
    assert_eq!((verdict.sealed_at, verdict.deliveries.len()), (1_000, 2));
    assert_eq!(story.bobs(), (Proves::Receipt, vec![]));
    let to_eve = verdict.deliveries.iter().find(|to| to.recipient.email == "eve@example.org").unwrap();
    assert_eq!((to_eve.proves, &to_eve.marks[..]), (Proves::Sending, &[Mark::NoReceipt][..]));

    let bytes = encode(&story.organisation.log, story.collected(true)).unwrap();
    assert_eq!(
        verify(&bytes, OrgId::random()).unwrap_err().code(),
        "foreign_organisation",
        "another organisation is trusted"
    );
    let closed = encode(&story.organisation.log, story.collected(false)).unwrap();
    let verdict = verify(&closed, story.organisation.log.org_id()).unwrap();
    assert_eq!((verdict.is_disclosed(), &verdict.metadata), (false, &None));
    assert_eq!(verdict.content_check().err(), Some(EvidenceError::Undisclosed));
    // Nobody can open the metadata then, but it is the one that was signed.
    let other = Collected { metadata: vec![0; 552], ..story.collected(false) };
    let other = encode(&story.organisation.log, other).unwrap();
    let refused = verify(&other, story.organisation.log.org_id()).unwrap_err();
    assert_eq!(refused, EvidenceError::Metadata(MetadataError::HashMismatch));
}

#[test]
fn only_the_delivered_bytes_compare() {
    let compare = |verdict: &Verdict, content: &[u8], piece: usize| {
        let mut check = verdict.content_check()?;
        content.chunks(piece).try_for_each(|piece| check.update(piece))?;
        check.finish()
    };
    let long: Vec<u8> = (0..PART_PLAINTEXT + 1_000_000).map(|at| (at * 31 % 251) as u8).collect();
    for content in [&b""[..], b"x", &long[..PART_PLAINTEXT as usize], &long] {
        let verdict = Story::of(content).judge().unwrap();
        for piece in [1_000_003, 64 << 20] {
            assert_eq!(compare(&verdict, content, piece).unwrap().size(), content.len() as u64);
        }
        let mut wrong = vec![[content, b"\0"].concat()];
        if let Some((_, shorter)) = content.split_last() {
            wrong.push(shorter.to_vec());
            for at in [0, content.len() - 1] {
                let mut flipped = content.to_vec();
                flipped[at] ^= 1;
                wrong.push(flipped);
            }
        }
        for wrong in wrong {
            assert_eq!(compare(&verdict, &wrong, 1 << 20), Err(EvidenceError::Content));
        }
    }
}

#[test]
fn rotation_and_leaving_are_marked_and_a_compromised_sender_fails() {
    let mut rotated = Story::new();
    rotated.organisation.rotate(&rotated.sender);
    assert_eq!(rotated.bobs(), (Proves::Receipt, vec![Mark::SenderKeyRetired]));

    let mut left = Story::new();
    left.organisation.revoke(&left.sender, RevokeReason::Left);
    assert_eq!(left.bobs(), (Proves::Receipt, vec![Mark::SenderLeft]));
    left.organisation.revoke(&left.sender, RevokeReason::Compromised);
    assert_eq!(left.judge().unwrap_err().code(), StandingError::Compromised.code(), "found out later");

    let mut both = Story::new();
    let next = both.organisation.rotate(&both.sender);
    both.organisation.revoke(&next, RevokeReason::Left);
    assert_eq!(both.bobs().1, [Mark::SenderKeyRetired, Mark::SenderLeft]);
    both.organisation.revoke(&next, RevokeReason::Compromised);
    assert_eq!(both.judge().unwrap_err().code(), "signer_compromised", "whichever generation signed");
}

#[test]
fn what_was_signed_after_leaving_fails() {
    let mut story = Story::new();
    let signer = story.organisation.log.ops_signer(&story.organisation.founder).unwrap();
    let revoke = signer.revoke(story.sender.user_id(), 1, RevokeReason::Left).unwrap().into_raw();
    story.organisation.log.apply(revoke, None).unwrap();
    story.organisation.checkpoint();
    assert_eq!(story.judge().unwrap_err().code(), "signer_left");
}

#[test]
fn receipts_by_keys_that_ended_are_marked_or_do_not_count() {
    let mut rotated = Story::new();
    rotated.organisation.rotate(&rotated.bob);
    assert_eq!(rotated.bobs(), (Proves::Receipt, vec![Mark::ReceiptKeyRetired]));
    let mut left = Story::new();
    left.organisation.revoke(&left.bob, RevokeReason::Left);
    assert_eq!(left.bobs(), (Proves::Receipt, vec![Mark::ReceiptSignerLeft]));
    let mut stolen = Story::new();
    stolen.organisation.revoke(&stolen.bob, RevokeReason::Compromised);
    assert_eq!(stolen.bobs(), (Proves::Sending, vec![Mark::ReceiptSignerCompromised]));
}

#[test]
fn a_name_that_rests_on_a_compromised_word_is_marked() {
    let mut story = Story::new();
    let founder = story.organisation.founder.user_id();
    let by_sender = story.organisation.log.ops_signer(&story.sender).unwrap();
    let revoke = by_sender.revoke(founder, 1, RevokeReason::Compromised).unwrap().into_raw();
    story.organisation.log.apply(revoke, None).unwrap();
    story.organisation.checkpoint();
    let marks = [Mark::SenderAdmittedByCompromised, Mark::RecipientAdmittedByCompromised];
    assert_eq!(story.bobs(), (Proves::Receipt, marks.to_vec()));
}

#[test]
fn people_and_order_are_exact() {
    let story = Story::new();
    let org_id = story.organisation.log.org_id();
    let text = |collected| {
        let bytes = encode(&story.organisation.log, collected).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let good = text(story.collected(true));
    let refused = |text: &str| verify(text.as_bytes(), org_id).unwrap_err();
    let mut collected = story.collected(true);
    collected.openings.retain(|opening| opening.user_id != story.bob.user_id());
    assert_eq!(refused(&text(collected)), EvidenceError::People);
    let mut collected = story.collected(true);
    collected.deliveries.clear();
    assert_eq!(refused(&text(collected)), EvidenceError::Empty);

    // The deliveries turned round, one twice: all of them hold, but there is one order, and each place once.
    let parse = || Bundle::parse(good.as_bytes()).unwrap();
    let written = |bundle: Bundle| serde_json::to_string(&bundle).unwrap();
    assert_eq!(written(parse()), good);
    let (mut turned, mut doubled) = (parse(), parse());
    turned.deliveries.0.reverse();
    doubled.deliveries.0.insert(0, parse().deliveries.0.remove(0));
    for other in [turned, doubled] {
        assert_eq!(refused(&written(other)), EvidenceError::Order);
    }
    // The receipt once more, which `encode` would have left out.
    let receipt = serde_json::to_string(&story.deliveries[0].receipts[0]).unwrap();
    assert_eq!(refused(&good.replace(&receipt, &format!("{receipt},{receipt}"))), EvidenceError::Order);
    // An address in capitals is another encoding, not another address.
    let shouted = good.replace(
        &crate::encoding::to_base64(b"bob@example.org"),
        &crate::encoding::to_base64(b"BOB@example.org"),
    );
    assert_ne!(shouted, good);
    assert_eq!(refused(&shouted), EvidenceError::Malformed);
    // Another file's key, although it is a key.
    let other = crate::encoding::to_base64(FileKey::random().expose());
    let key = crate::encoding::to_base64(story.file_key.expose());
    assert_eq!(refused(&good.replace(&key, &other)), EvidenceError::FileKey);
    assert!(verify((good + "\n").as_bytes(), org_id).is_ok(), "an editor's line feed");
}

#[test]
fn a_receipt_given_twice_stands_once_and_all_are_in_order() {
    let mut story = Story::new();
    let later = story.receipt(&story.bob, 3_000);
    let earlier = story.deliveries[0].receipts[0].clone();
    story.deliveries[0].receipts = vec![later, earlier.clone(), earlier];
    let verdict = story.judge().unwrap();
    let times: Vec<u64> = verdict.deliveries.iter().flat_map(|to| &to.receipts).map(|r| r.time).collect();
    assert_eq!(times, [2_000, 3_000]);
}

#[test]
fn anything_else_is_refused_before_it_is_read() {
    let org_id = OrgId::random();
    assert_eq!(verify(&vec![b' '; MAX_BYTES + 1], org_id).unwrap_err(), EvidenceError::TooLong);
    assert_eq!(verify(&vec![b' '; MAX_BYTES], org_id).unwrap_err(), EvidenceError::Format);
    for (other, error) in [
        ("", EvidenceError::Format),
        ("{}", EvidenceError::Format),
        (r#"{"format":"sealpost/v2/evidence"}"#, EvidenceError::Format),
        (r#"{"format":"sealpost/v1/fork"}"#, EvidenceError::Format),
        (r#"{"format":"sealpost/v1/evidence"}"#, EvidenceError::Malformed),
    ] {
        assert_eq!(verify(other.as_bytes(), org_id).unwrap_err(), error, "{other}");
    }
}

#[test]
fn as_many_people_as_deliveries_allow_are_read_and_nobody_more() {
    let story = Story::new();
    let log = &story.organisation.log;
    let bytes = encode(log, story.collected(false)).unwrap();
    let with = |people: usize| {
        let mut bundle = Bundle::parse(&bytes).unwrap();
        let first = bundle.openings.0.swap_remove(0).0;
        bundle.openings = Bounded((0..people).map(|_| Named(first.clone())).collect());
        verify(&serde_json::to_vec(&bundle).unwrap(), log.org_id()).unwrap_err()
    };
    assert_eq!(with(10_001), EvidenceError::People, "a sender and 10,000 recipients were read");
    assert_eq!(with(10_002), EvidenceError::Malformed);
}

#[test]
fn what_a_delivery_proves_has_a_name() {
    assert_eq!([Proves::Sending, Proves::Receipt].map(Proves::code), ["sending", "receipt"]);
}

#[test]
fn entries_without_keys_stand_between_those_with_keys() {
    let mut story = Story::new();
    let gone = story.organisation.admit_as(Role::Client, "gone@example.org");
    story.organisation.revoke(&gone, RevokeReason::Left);
    story.organisation.admit_as(Role::Client, "new@example.org");
    assert_eq!(story.bobs(), (Proves::Receipt, vec![]));
}
