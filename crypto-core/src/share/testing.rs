//! A file sealed by the founder and shared with a Client, for tests.

use super::{SealedShare, ShareRequest, VerifiedShare, seal};
use crate::{
    account::Account,
    id::{Digest, FileId},
    keys::{FileKeys, Place},
    log::testing::Organisation,
    manifest::{self, ManifestDraft, VerifiedManifest},
    pair::{PairEntry, PairState},
    records::Role,
    secret::FileKey,
    size::Layout,
};

/// One delivery.
pub(crate) struct Delivery {
    pub(crate) organisation: Organisation,
    pub(crate) recipient: Account,
    pub(crate) file_key: FileKey,
    pub(crate) manifest: VerifiedManifest,
    pub(crate) sealed: SealedShare,
    pub(crate) pair: PairState,
}

impl Delivery {
    pub(crate) fn new() -> Self {
        let mut organisation = Organisation::new();
        let recipient = organisation.admit(Role::Client);
        let (file_key, manifest) = file(&organisation, &organisation.founder);
        let mut pair = PairState::new(organisation.founder.user_id(), recipient.user_id());
        let (sealed, entry) =
            share(&organisation, &organisation.founder, &recipient, &file_key, &manifest, &pair);
        pair.apply(&entry).unwrap();
        Self { organisation, recipient, file_key, manifest, sealed, pair }
    }

    pub(crate) fn verified(&self) -> VerifiedShare {
        VerifiedShare::verify(
            &self.sealed,
            self.manifest.raw().clone(),
            &self.organisation.log,
            self.recipient.user_id(),
            false,
        )
        .unwrap()
    }

    /// The next share of the same file to the same person.
    pub(crate) fn share_again(&self) -> (SealedShare, PairEntry) {
        let Self { organisation, recipient, file_key, manifest, pair, .. } = self;
        share(organisation, &organisation.founder, recipient, file_key, manifest, pair)
    }
}

/// A new file of `owner`.
pub(crate) fn file(organisation: &Organisation, owner: &Account) -> (FileKey, VerifiedManifest) {
    let file_key = FileKey::random();
    let place = Place { org_id: organisation.log.org_id(), file_id: FileId::random(), version: 1 };
    let draft = ManifestDraft {
        layout: Layout::for_size(10_000).unwrap(),
        digest: Digest::random(),
        metadata: Digest::random(),
        commitment: FileKeys::derive(&file_key, &place).commitment,
        time: 1_000,
    };
    let signer = organisation.log.ops_signer(owner).unwrap();
    (file_key, manifest::sign(&signer, place.file_id, draft).unwrap())
}

pub(crate) fn share(
    organisation: &Organisation,
    owner: &Account,
    recipient: &Account,
    file_key: &FileKey,
    manifest: &VerifiedManifest,
    pair: &PairState,
) -> (SealedShare, PairEntry) {
    let log = &organisation.log;
    let request = ShareRequest {
        manifest,
        file_key,
        recipient: log.active(recipient.user_id()).unwrap(),
        pair,
        expiry: 2_000,
        limit: 3,
        time: 1_000,
    };
    seal(&log.ops_signer(owner).unwrap(), &request).unwrap()
}
