//! Every check on a manifest.

use super::*;
use crate::{
    id::{OrgId, UserId},
    manifest::{ManifestDraft, ManifestError},
    size::Layout,
};

fn manifest_with(
    organisation: &Organisation,
    change: impl FnOnce(&mut Manifest),
) -> Result<VerifiedManifest, ManifestError> {
    let (_, manifest) = file(organisation, &organisation.founder);
    let mut record = manifest.get().clone();
    change(&mut record);
    let raw = Signed::sign(record, &organisation.founder.keys().signing).unwrap().into_raw();
    VerifiedManifest::verify(raw, &organisation.log, false)
}

#[test]
fn a_manifest_is_possible_in_every_field() {
    let organisation = Organisation::new();
    let refused = |change: fn(&mut Manifest)| manifest_with(&organisation, change).unwrap_err();
    assert!(manifest_with(&organisation, |_| ()).is_ok());
    assert_eq!(refused(|m| m.version = 0), ManifestError::Version);
    assert_eq!(refused(|m| m.version = 2), ManifestError::Version);
    assert_eq!(refused(|m| m.previous = RecordId::random()), ManifestError::Version);
    for length in [0, 1, 4_111, 4_113, u64::MAX >> 11] {
        let error = manifest_with(&organisation, |m| m.length = length).unwrap_err();
        assert_eq!(error, ManifestError::Length, "{length}");
    }
    assert_eq!(refused(|m| m.org_id = OrgId::ZERO), AuthorError::ForeignOrganisation.into());
    assert_eq!(refused(|m| m.signer = UserId::ZERO), AuthorError::Signer.into());
    assert_eq!(refused(|m| m.signer_bundle = RecordId::ZERO), AuthorError::Bundle.into());
}

#[test]
fn versions_form_a_chain() {
    let organisation = Organisation::new();
    let signer = organisation.log.ops_signer(&organisation.founder).unwrap();
    let (_, first) = file(&organisation, &organisation.founder);
    let draft = ManifestDraft {
        file_id: first.get().file_id,
        version: 2,
        layout: Layout::for_size(1).unwrap(),
        digest: Digest::random(),
        metadata: Digest::random(),
        commitment: Digest::random(),
        previous: first.id(),
        time: 0,
    };
    let second = crate::manifest::sign(&signer, draft.clone()).unwrap();
    let log = &organisation.log;
    assert_eq!(second.verify_previous(first.raw().clone(), log).unwrap().id(), first.id());
    assert_eq!(second.verify_previous(second.raw().clone(), log).unwrap_err(), ManifestError::NotPredecessor);
    // The same file, owner and version, but not the one that was named.
    let other = Manifest { time: 2, ..first.get().clone() };
    let other = Signed::sign(other, &organisation.founder.keys().signing).unwrap().into_raw();
    assert!(VerifiedManifest::verify(other.clone(), log, false).is_ok());
    assert_eq!(second.verify_previous(other, log).unwrap_err(), ManifestError::NotPredecessor);
    for wrong in
        [ManifestDraft { file_id: FileId::random(), ..draft.clone() }, ManifestDraft { version: 3, ..draft }]
    {
        let wrong = crate::manifest::sign(&signer, wrong).unwrap();
        assert_eq!(
            wrong.verify_previous(first.raw().clone(), log).unwrap_err(),
            ManifestError::NotPredecessor
        );
    }
}
