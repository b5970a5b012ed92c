//! Every check on a manifest.

use super::*;
use crate::{
    id::{OrgId, UserId},
    manifest::{ManifestDraft, ManifestError, NextError, PinCheck, VersionError},
    record::RawRecord,
    size::Layout,
    vault::Pin,
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

fn draft() -> ManifestDraft {
    ManifestDraft {
        layout: Layout::for_size(1).unwrap(),
        digest: Digest::random(),
        metadata: Digest::random(),
        commitment: Digest::random(),
        time: 0,
    }
}

/// A manifest of the founder's that says what `change` makes of `of`.
fn changed(
    organisation: &Organisation,
    of: &VerifiedManifest,
    change: impl FnOnce(&mut Manifest),
) -> VerifiedManifest {
    let mut record = of.get().clone();
    change(&mut record);
    let raw = Signed::sign(record, &organisation.founder.keys().signing).unwrap().into_raw();
    VerifiedManifest::verify(raw, &organisation.log, false).unwrap()
}

#[test]
fn versions_form_a_chain() {
    let organisation = Organisation::new();
    let log = &organisation.log;
    let signer = log.ops_signer(&organisation.founder).unwrap();
    let (_, first) = file(&organisation, &organisation.founder);
    let second = first.sign_next(&signer, draft()).unwrap();
    assert_eq!(second.get().version, 2);
    assert_eq!(second.place(), first.next_place());
    assert_eq!(second.verify_previous(first.raw().clone(), log).unwrap().id(), first.id());
    assert_eq!(second.verify_previous(second.raw().clone(), log).unwrap_err(), ManifestError::NotPredecessor);
    // The same file, owner and version, but not the one that was named.
    let other = changed(&organisation, &first, |manifest| manifest.time += 1);
    assert_eq!(second.verify_previous(other.raw().clone(), log).unwrap_err(), ManifestError::NotPredecessor);
    let another_file = changed(&organisation, &second, |manifest| manifest.file_id = FileId::random());
    let a_version_further = changed(&organisation, &second, |manifest| manifest.version = 3);
    for wrong in [another_file, a_version_further] {
        assert_eq!(
            wrong.verify_previous(first.raw().clone(), log).unwrap_err(),
            ManifestError::NotPredecessor
        );
    }
}

#[test]
fn only_the_owner_makes_the_next_version() {
    let mut organisation = Organisation::new();
    let colleague = organisation.admit(Role::Ops);
    let (_, first) = file(&organisation, &organisation.founder);
    let signer = organisation.log.ops_signer(&colleague).unwrap();
    assert_eq!(first.sign_next(&signer, draft()).unwrap_err(), NextError::NotOwner);
    // Made by hand it is a manifest like any other, and follows nothing.
    let author = signer.author();
    let stolen = Manifest {
        signer: author.signer,
        signer_bundle: author.signer_bundle,
        version: 2,
        previous: first.id(),
        ..first.get().clone()
    };
    let stolen = Signed::sign(stolen, &colleague.keys().signing).unwrap().into_raw();
    let stolen = VerifiedManifest::verify(stolen, &organisation.log, false).unwrap();
    let pin = Pin { sequence: 1, head: first.id() };
    let refused = stolen.check_chain(&pin, [first.raw().clone()], &organisation.log);
    assert_eq!(refused.unwrap_err(), VersionError::Manifest(ManifestError::NotPredecessor));
}

#[test]
fn a_newer_version_leads_back_to_the_one_that_was_seen() {
    let organisation = Organisation::new();
    let log = &organisation.log;
    let signer = log.ops_signer(&organisation.founder).unwrap();
    let (_, first) = file(&organisation, &organisation.founder);
    let second = first.sign_next(&signer, draft()).unwrap();
    let third = second.sign_next(&signer, draft()).unwrap();
    let pin = |manifest: &VerifiedManifest| Pin { sequence: manifest.get().version, head: manifest.id() };
    let raw = |manifest: &VerifiedManifest| manifest.raw().clone();

    assert_eq!(second.check_pin(&pin(&second)).unwrap(), PinCheck::Same);
    assert_eq!(third.check_pin(&pin(&first)).unwrap(), PinCheck::Newer);
    assert_eq!(first.check_pin(&pin(&second)).unwrap_err(), VersionError::Rollback);
    let other = changed(&organisation, &second, |manifest| manifest.time += 1);
    assert_eq!(other.check_pin(&pin(&second)).unwrap_err(), VersionError::Conflict);

    let all = [raw(&second), raw(&first)];
    third.check_chain(&pin(&first), all.clone(), log).unwrap();
    // What is older than what was seen is not looked at.
    third.check_chain(&pin(&second), [raw(&second), raw(&third)], log).unwrap();
    let refused =
        |pin: &Pin, earlier: &[RawRecord]| third.check_chain(pin, earlier.to_vec(), log).unwrap_err();
    assert_eq!(refused(&pin(&first), &[]), VersionError::Chain);
    assert_eq!(refused(&pin(&first), &[raw(&second)]), VersionError::Chain);
    assert_eq!(refused(&pin(&first), &[raw(&first)]), VersionError::Chain);
    assert_eq!(refused(&pin(&first), &[raw(&first), raw(&second)]), VersionError::Chain);
    assert_eq!(refused(&pin(&first), &[raw(&other), raw(&first)]), VersionError::Chain);
    assert_eq!(refused(&Pin { sequence: 1, head: RecordId::random() }, &all), VersionError::Chain);
    let chain = third.follow_back(all, log).unwrap();
    assert_eq!(chain.iter().map(VerifiedManifest::id).collect::<Vec<_>>(), [second.id(), first.id()]);
}
