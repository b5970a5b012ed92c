//! A delivery whose records their author signed again after a change (protocol §7, §8).

use sealpost_crypto::{
    encoding::Base64,
    id::Digest,
    manifest::VerifiedManifest,
    metadata::{Metadata, Stated},
    receipt::{self, VerifiedReceipt},
    record::{Record, encode},
    records::{Manifest, Receipt, Share},
    share::{SealedShare, VerifiedShare},
};
use sha2::{Digest as _, Sha256};

use crate::{
    patch::{Input, patch},
    world::{NOW, WORLD, World, sign_payload},
};

/// Input: who signs, then edits of the manifest.
pub(crate) fn manifest(bytes: &[u8]) {
    let (world, mut input) = (&*WORLD, Input::new(bytes));
    let signer = [&world.ops, &world.client][usize::from(input.byte() % 2)];
    let payload = patch(&world.manifest.raw().payload.0, &mut input);
    let raw = sign_payload(Manifest::KIND, &payload, &signer.keys().signing);
    if let Ok(manifest) = VerifiedManifest::verify(raw, &world.log, false) {
        assert_eq!(manifest.owner(), world.ops.user_id(), "somebody who may not sign manifests");
        assert_eq!(manifest.get().signer, signer.user_id());
        assert_eq!(manifest.layout().ciphertext_length(), manifest.get().length);
        assert_eq!(manifest.get().version == 1, manifest.get().previous.is_zero());
    }
}

/// Input: who signs, edits of the context (a piece), edits of the wrap (a piece), edits of the record.
pub(crate) fn share(bytes: &[u8]) {
    let (world, mut input) = (&*WORLD, Input::new(bytes));
    let signer = [&world.ops, &world.client][usize::from(input.byte() % 2)];
    let claim: Share = world.sealed.record.claim().unwrap();
    let context = patch(&claim.context.0, &mut input.piece());
    let wrap = [&world.sealed.enc.0[..], &world.sealed.ciphertext.0].concat();
    let changed = patch(&wrap, &mut input.piece());
    let same_wrap = changed == wrap;
    let (enc, ciphertext) = changed.split_at(changed.len().min(world.sealed.enc.0.len()));
    let sealed = Digest::new(Sha256::digest(&changed).into());
    let share = Share { context: Base64(context), sealed, ..claim };
    let Ok(payload) = encode(&share) else { return };
    let payload = patch(&payload, &mut input);
    let record = sign_payload(Share::KIND, &payload, &signer.keys().signing);
    let sealed = SealedShare { record, enc: Base64(enc.to_vec()), ciphertext: Base64(ciphertext.to_vec()) };
    check_share(world, &sealed, same_wrap);
}

fn check_share(world: &World, sealed: &SealedShare, same_wrap: bool) {
    let manifest = world.manifest.raw().clone();
    let me = world.client.user_id();
    let Ok(share) = VerifiedShare::verify(sealed, manifest, &world.log, me, false) else { return };
    assert_eq!((share.context().sender, share.context().recipient), (world.ops.user_id(), me));
    assert_eq!(share.manifest().id(), world.manifest.id());
    assert_eq!(share.context().commitment, world.manifest.get().commitment);
    let original: Share = world.sealed.record.claim().unwrap();
    let genuine = same_wrap && encode(share.context()).unwrap() == original.context.0;
    match share.open(&world.client) {
        Ok(file) => {
            assert_eq!(file.file_key.expose(), world.file_key.expose(), "another key than the committed one");
            assert!(genuine, "the wrap opened with another context");
            let stated = Stated { hash: world.manifest.get().metadata, layout: *world.manifest.layout() };
            Metadata::open(&file.keys.metadata, &file.place, &stated, &world.metadata).unwrap();
        }
        Err(_) => assert!(!genuine, "the owner's own share does not open"),
    }
    assert!(share.open(&world.ops).is_err(), "somebody else's keys open it");
}

/// Input: who signs, then edits of the receipt.
pub(crate) fn receipt(bytes: &[u8]) {
    let (world, mut input) = (&*WORLD, Input::new(bytes));
    let signer = [&world.client, &world.ops][usize::from(input.byte() % 2)];
    let share = world.share();
    let genuine = receipt::sign(&world.log.signer(&world.client).unwrap(), &share, NOW).unwrap();
    let payload = patch(&genuine.raw().payload.0, &mut input);
    let raw = sign_payload(Receipt::KIND, &payload, &signer.keys().signing);
    if let Ok(receipt) = VerifiedReceipt::verify(raw, &share, &world.log) {
        assert_eq!(receipt.get().signer, world.client.user_id(), "somebody else signed for it");
        assert_eq!((receipt.get().share, receipt.get().manifest), (share.id(), world.manifest.id()));
    }
}
