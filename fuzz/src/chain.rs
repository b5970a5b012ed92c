//! Histories: the organisation's log (protocol §5) and the records of a pair (§7.5). Whatever their authors sign, a
//! reader applies an entry whole or not at all.

use sealpost_crypto::{
    account::Account,
    encoding::Base64,
    id::{Digest, FileId, RecordId, UserId},
    log::Log,
    pair::{PairEntry, PairState},
    record::{RawRecord, Record, encode},
    records::{Certify, Revoke, RevokeReason, Role, Rotate, Service, Share, ShareContext, Unshare},
};

use crate::{
    patch::{Input, patch},
    world::{NOW, WORLD, World, opening, seed, sign_payload},
};

/// Most entries of one run.
const MAX_ENTRIES: usize = 24;

/// Input, entry by entry: its type, who signs, which bundle comes with it, and a piece with edits of its payload.
pub(crate) fn log(bytes: &[u8]) {
    let world = &*WORLD;
    let (mut log, mut input) = (world.log.clone(), Input::new(bytes));
    let mut entries = 0;
    while !input.is_empty() && entries < MAX_ENTRIES {
        entries += 1;
        let (entry, bundle) = next_entry(world, &log, &mut input);
        let (size, head, id) = (log.size(), log.head(), entry.id());
        match log.apply(entry.clone(), bundle) {
            Ok(_) => assert_eq!((log.size(), log.head()), (size + 1, id)),
            Err(_) => assert_eq!((log.size(), log.head()), (size, head), "half an entry was applied"),
        }
        assert!(log.members().any(|member| member.is_active() && member.role == Role::Ops), "nobody is left");
        assert_eq!(log.org_id(), world.log.org_id());
    }
    let mut again: Option<Log> = None;
    for entry in log.entries(0) {
        match &mut again {
            None => again = Some(Log::found(entry.record, entry.bundle.unwrap()).unwrap()),
            Some(again) => drop(again.apply(entry.record, entry.bundle).expect("what was applied once")),
        }
    }
    assert_eq!(again.unwrap().head(), log.head());
}

fn next_entry(world: &World, log: &Log, input: &mut Input<'_>) -> (RawRecord, Option<RawRecord>) {
    let (kind, who, number) = (input.byte(), input.byte(), input.byte());
    let signer = [&world.ops, &world.client][usize::from(who % 2)];
    let author = (log.org_id(), signer.user_id(), signer.bundle().id());
    let (newcomer, next) = (account(log, number, 1), next_generation(log, signer, number));
    let (sequence, previous) = (log.size(), log.head());
    let (org_id, signer_id, signer_bundle) = author;
    let (name, payload, bundle) = match kind % 4 {
        0 => {
            let subject = opening(number).subject().unwrap();
            let (user_id, role) = (newcomer.user_id(), if who & 2 == 0 { Role::Client } else { Role::Ops });
            let replaces = if who & 4 == 0 { UserId::ZERO } else { world.client.user_id() };
            let certify = Certify {
                org_id,
                signer: signer_id,
                signer_bundle,
                sequence,
                previous,
                user_id,
                subject,
                role,
                bundle: newcomer.bundle().id(),
                generation: 1,
                offer: RecordId::new([number; 32]),
                replaces,
            };
            (Certify::KIND, encode(&certify), Some(newcomer.bundle().raw()))
        }
        1 => {
            let (bundle, generation) = (next.bundle().id(), next.generation());
            let rotate =
                Rotate { org_id, signer: signer_id, signer_bundle, sequence, previous, bundle, generation };
            (Rotate::KIND, encode(&rotate), Some(next.bundle().raw()))
        }
        2 => {
            let user_id = if who & 2 == 0 { UserId::new([number; 16]) } else { world.client.user_id() };
            let reason = if who & 4 == 0 { RevokeReason::Left } else { RevokeReason::Compromised };
            let revoke = Revoke {
                org_id,
                signer: signer_id,
                signer_bundle,
                sequence,
                previous,
                user_id,
                last_valid_size: sequence,
                reason,
            };
            (Revoke::KIND, encode(&revoke), None)
        }
        _ => {
            let checkpoint_key = newcomer.keys().signing.public_key();
            let service =
                Service { org_id, signer: signer_id, signer_bundle, sequence, previous, checkpoint_key };
            (Service::KIND, encode(&service), None)
        }
    };
    let payload = patch(&payload.unwrap(), &mut input.piece());
    let bundle = if who & 8 == 0 { bundle } else { None };
    (sign_payload(name, &payload, &signer.keys().signing), bundle)
}

fn account(log: &Log, number: u8, generation: u64) -> Account {
    Account::derive(&seed(number), log.org_id(), opening(number).user_id, generation).unwrap()
}

fn next_generation(log: &Log, signer: &Account, number: u8) -> Account {
    let generation = log.member(signer.user_id()).map_or(1, |member| member.generations().count() as u64) + 1;
    Account::derive(&seed(number), log.org_id(), signer.user_id(), generation).unwrap()
}

/// Input, record by record: its type, its file, its signer, and a piece with edits of what it says.
pub(crate) fn pair(bytes: &[u8]) {
    let world = &*WORLD;
    let (mut state, mut input, mut entries) = (world.pair.clone(), Input::new(bytes), 0);
    while !input.is_empty() && entries < MAX_ENTRIES {
        entries += 1;
        let raw = next_pair_record(world, &state, &mut input);
        let Ok(entry) = PairEntry::verify(raw.clone(), &world.log) else { continue };
        assert_eq!(entry.id(), raw.id());
        let before = state.clone();
        match state.apply(&entry) {
            Ok(()) if entry.sequence() == before.sequence() => {
                assert_eq!(state, before, "the same once more")
            }
            Ok(()) => {
                assert_eq!((state.sequence(), state.head()), (before.sequence() + 1, entry.id()));
                assert_eq!(entry.previous(), before.head());
            }
            Err(_) => assert_eq!(state, before, "half a record was applied"),
        }
    }
}

fn next_pair_record(world: &World, state: &PairState, input: &mut Input<'_>) -> RawRecord {
    let (kind, file, who) = (input.byte(), input.byte() % 4, input.byte());
    let signer = [&world.ops, &world.client][usize::from(who % 2)];
    let position = world.log.checkpoint().unwrap().position();
    let (org_id, signer_id, signer_bundle) = (world.log.org_id(), signer.user_id(), signer.bundle().id());
    let file_id = FileId::new([file; 16]);
    let (name, payload) = if kind.is_multiple_of(2) {
        let context = ShareContext {
            file_id,
            version: 1,
            manifest: world.manifest.id(),
            commitment: Digest::ZERO,
            sender: signer_id,
            sender_bundle: signer_bundle,
            recipient: world.client.user_id(),
            recipient_bundle: world.client.bundle().id(),
            pair_sequence: state.next_sequence(),
            pair_previous: state.head(),
            expiry: 0,
            limit: 0,
            time: NOW,
            log_size: position.size,
            log_head: position.head,
            log_sig: position.signature,
        };
        let context = patch(&encode(&context).unwrap(), &mut input.piece());
        let share = Share {
            org_id,
            signer: signer_id,
            signer_bundle,
            context: Base64(context),
            sealed: Digest::ZERO,
        };
        (Share::KIND, encode(&share))
    } else {
        let unshare = Unshare {
            org_id,
            signer: signer_id,
            signer_bundle,
            file_id,
            recipient: world.client.user_id(),
            share: state.live(file_id).unwrap_or(RecordId::ZERO),
            pair_sequence: state.next_sequence(),
            pair_previous: state.head(),
            time: NOW,
            log_size: position.size,
            log_head: position.head,
            log_sig: position.signature,
        };
        (Unshare::KIND, Ok(patch(&encode(&unshare).unwrap(), &mut input.piece())))
    };
    sign_payload(name, &payload.unwrap_or_default(), &signer.keys().signing)
}
