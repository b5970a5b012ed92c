//! Files that third parties check offline (protocol §14): evidence of a delivery, proof of two histories. Whoever makes
//! them signs what they like with their own keys; a reader believes what the right people signed, and nobody is framed.

use std::sync::LazyLock;

use sealpost_crypto::{
    evidence::{self, Collected, CollectedDelivery, Proves},
    fork,
    id::{Digest, OrgId, RecordId},
    log::Fork,
    receipt,
    record::{RawRecord, Record, encode},
    records::{Checkpoint, Receipt, Revoke, RevokeReason, Share},
};

use crate::{
    patch::{Input, patch},
    world::{NOW, WORLD, World, opening, server_key, sign_payload},
};

/// Input: who signs the receipt and whether the key is disclosed; edits of the receipt (a piece), of the share (a piece), of
/// the document.
pub(crate) fn evidence(bytes: &[u8]) {
    let (world, mut input) = (&*WORLD, Input::new(bytes));
    let choice = input.byte();
    let recipient_signs = choice.is_multiple_of(2);
    let signer = if recipient_signs { &world.client } else { &world.ops };
    let genuine = receipt::sign(&world.log.signer(&world.client).unwrap(), &world.share(), NOW).unwrap();
    let payload = patch(&genuine.raw().payload.0, &mut input.piece());
    let receipt = sign_payload(Receipt::KIND, &payload, &signer.keys().signing);
    let mut share = world.sealed.clone();
    let payload = patch(&share.record.payload.0, &mut input.piece());
    let same_share = payload == share.record.payload.0;
    share.record = sign_payload(Share::KIND, &payload, &world.ops.keys().signing);
    let collected = Collected {
        openings: vec![opening(1), opening(2)],
        manifest: world.manifest.raw().clone(),
        metadata: world.metadata.clone(),
        parts: vec![Digest::new([5; 32])],
        file_key: (choice & 2 != 0).then_some(&world.file_key),
        deliveries: vec![CollectedDelivery { share: share.clone(), receipts: vec![receipt.clone()] }],
    };
    let Ok(document) = evidence::encode(&world.log, collected) else { return };
    let changed = patch(&document, &mut input);
    let untouched = changed == *document;
    assert!(evidence::verify(&changed, OrgId::new([0xee; 32])).is_err(), "evidence of another organisation");
    let Ok(verdict) = evidence::verify(&changed, world.log.org_id()) else {
        let honest = untouched && same_share && receipt.id() == genuine.id() && recipient_signs;
        return assert!(!honest, "genuine evidence was refused");
    };
    let people = (verdict.sender.user_id, &*verdict.sender.email);
    assert_eq!(people, (world.ops.user_id(), "1@example.org"), "another sender");
    assert_eq!((verdict.manifest, verdict.version), (world.manifest.id(), 1));
    for delivered in &verdict.deliveries {
        let people = (delivered.recipient.user_id, &*delivered.recipient.email);
        assert_eq!(people, (world.client.user_id(), "2@example.org"), "another recipient");
        assert_eq!(delivered.share, share.record.id(), "another share");
        if delivered.proves == Proves::Receipt {
            assert!(recipient_signs, "somebody else signed the receipt");
            assert!(delivered.receipts.iter().all(|it| it.id == receipt.id()), "another receipt");
        }
    }
}

/// A proof that counts, up to its branch.
static PROOF: LazyLock<String> = LazyLock::new(|| {
    let world = &*WORLD;
    let theirs = statement(world, 2, RecordId::new([1; 32]), true);
    let fork = Fork { size: 2, ours: world.log.head(), theirs, branch: Vec::new(), our_checkpoint: None };
    let proof = String::from_utf8(fork::prove(&world.log, &fork).unwrap()).unwrap();
    proof.rsplit_once(",\"branch\":").unwrap().0.to_owned()
});

/// A head as the server signs it, or an Ops member.
fn statement(world: &World, log_size: u64, log_head: RecordId, by_server: bool) -> RawRecord {
    let payload = encode(&Checkpoint { org_id: world.log.org_id(), log_size, log_head }).unwrap();
    let server = server_key();
    sign_payload(Checkpoint::KIND, &payload, if by_server { &server } else { &world.ops.keys().signing })
}

/// Input: whether the server signs, over how many entries, whether over a head of its own history; the number of entries of the
/// branch, for each a piece with edits; then edits of the document.
pub(crate) fn fork(bytes: &[u8]) {
    let (world, mut input) = (&*WORLD, Input::new(bytes));
    let (by_server, size, own_head) = (input.byte() % 2 == 0, u64::from(input.byte() % 5), input.byte());
    let own = world.log.head_at(size).filter(|_| own_head.is_multiple_of(2));
    let mut head = own.unwrap_or(RecordId::new([own_head; 32]));
    let (mut branch, mut top) = (Vec::new(), size);
    for _ in 0..input.byte() % 4 {
        let revoke = Revoke {
            org_id: world.log.org_id(),
            signer: world.ops.user_id(),
            signer_bundle: world.ops.bundle().id(),
            sequence: top,
            previous: head,
            user_id: world.client.user_id(),
            last_valid_size: top,
            reason: RevokeReason::Left,
        };
        let payload = patch(&encode(&revoke).unwrap(), &mut input.piece());
        let entry = sign_payload(Revoke::KIND, &payload, &world.ops.keys().signing);
        (head, top) = (entry.id(), top + 1);
        branch.push(entry);
    }
    let other = statement(world, top, head, by_server);
    let branch_json = serde_json::to_string(&branch).unwrap();
    let other_json = serde_json::to_string(&other).unwrap();
    let document = format!("{},\"branch\":{branch_json},\"other\":{other_json}}}", *PROOF);
    let changed = patch(document.as_bytes(), &mut input);
    let untouched = changed == document.as_bytes();
    assert!(fork::verify(&changed, OrgId::new([0xee; 32])).is_err(), "a proof about another organisation");
    match fork::verify(&changed, world.log.org_id()) {
        Ok(proven) => {
            assert!(by_server, "framed: the server never signed the other statement");
            assert!(own.is_none(), "framed: the server signed one history");
            assert_ne!(proven.heads()[0], proven.heads()[1]);
            assert_eq!(world.log.head_at(proven.size()), Some(proven.heads()[0]));
        }
        Err(error) => {
            let honest =
                untouched && by_server && own.is_none() && (1..=2).contains(&size) && branch.is_empty();
            assert!(!honest, "a true proof was refused: {error}");
        }
    }
}
