//! Manifests (protocol §7): the owner's statement of one version of a file.

use crate::{
    error::failures,
    id::{Digest, FileId, RecordId, UserId},
    keys::Place,
    log::{AuthorError, Log, OpsSigner, SignerError, Standing, StandingError},
    record::{Author, Authored, RawRecord, Signed},
    records::{Manifest, Positioned},
    size::Layout,
};

failures! {
    /// Why a manifest was refused.
    ManifestError {
        /// Versions count from 1, and exactly the first has no manifest before it.
        Version = "manifest_version", "the manifest's version and its predecessor do not agree";
        /// No sealed file has this length.
        Length = "manifest_length", "no sealed file has the length that the manifest names";
        /// Not the manifest before this one: another file, owner or version.
        NotPredecessor = "manifest_previous", "the manifest is not the one before";
    }
    from {
        /// The record itself, or who signed it.
        Author(AuthorError),
        /// The owner's signature does not count.
        Standing(StandingError),
    }
}

/// What an owner states about a file that it sealed.
#[derive(Debug, Clone)]
pub struct ManifestDraft {
    /// The file.
    pub file_id: FileId,
    /// From 1.
    pub version: u64,
    /// Its length, as a layout.
    pub layout: Layout,
    /// BLAKE3 over the digests of the parts.
    pub digest: Digest,
    /// SHA-256(sealed metadata).
    pub metadata: Digest,
    /// The commitment from [`crate::keys::FileKeys`].
    pub commitment: Digest,
    /// H(the manifest of the version before); zeros for version 1.
    pub previous: RecordId,
    /// UTC seconds.
    pub time: u64,
}

/// A manifest that an Ops member signed, whose signature counts.
#[derive(Debug, Clone)]
pub struct VerifiedManifest {
    record: Signed<Manifest>,
    layout: Layout,
    standing: Standing,
}

/// Signs `draft` as its owner.
pub fn sign(signer: &OpsSigner<'_>, draft: ManifestDraft) -> Result<VerifiedManifest, SignerError> {
    let position = signer.position()?;
    let Author { org_id, signer: owner, signer_bundle } = signer.author();
    let record = signer.sign(Manifest {
        org_id,
        signer: owner,
        signer_bundle,
        file_id: draft.file_id,
        version: draft.version,
        length: draft.layout.ciphertext_length(),
        digest: draft.digest,
        metadata: draft.metadata,
        commitment: draft.commitment,
        previous: draft.previous,
        time: draft.time,
        log_size: position.size,
        log_head: position.head,
        log_sig: position.signature,
    })?;
    Ok(VerifiedManifest { record, layout: draft.layout, standing: Standing::Current })
}

impl VerifiedManifest {
    /// Verifies a manifest by itself. `seen`: it is pinned, or a record that counts leads to it.
    ///
    /// Recipients use [`crate::share::VerifiedShare::verify`], which does this on the way.
    pub fn verify(raw: RawRecord, log: &Log, seen: bool) -> Result<Self, ManifestError> {
        let (record, layout) = verify_form(raw, log)?;
        let standing = log.ops_standing(&record.author(), &record.position(), seen)?;
        Ok(Self { record, layout, standing })
    }

    /// Verifies that `raw` is the manifest of the version before this one, by the same owner.
    pub fn verify_previous(&self, raw: RawRecord, log: &Log) -> Result<Self, ManifestError> {
        if raw.id() != self.record.previous {
            return Err(ManifestError::NotPredecessor);
        }
        let previous = Self::verify(raw, log, true)?;
        let theirs = (previous.record.file_id, previous.record.signer, previous.record.version + 1);
        if theirs == (self.record.file_id, self.record.signer, self.record.version) {
            Ok(previous)
        } else {
            Err(ManifestError::NotPredecessor)
        }
    }

    /// What it says.
    pub fn get(&self) -> &Manifest {
        self.record.get()
    }

    /// H(manifest).
    pub fn id(&self) -> RecordId {
        self.record.id()
    }

    /// As it travels.
    pub fn raw(&self) -> &RawRecord {
        self.record.raw()
    }

    /// Who signed it.
    pub fn owner(&self) -> UserId {
        self.record.signer
    }

    /// Lengths and parts of the sealed file.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the file's keys are bound to.
    pub fn place(&self) -> Place {
        Place { org_id: self.record.org_id, file_id: self.record.file_id, version: self.record.version }
    }

    /// In what way the owner's signature counts.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

/// Signature and form: everything but whether the signature still counts.
fn verify_form(raw: RawRecord, log: &Log) -> Result<(Signed<Manifest>, Layout), ManifestError> {
    let record = log.verify_authored::<Manifest>(raw)?;
    if record.version == 0 || (record.version == 1) != record.previous.is_zero() {
        return Err(ManifestError::Version);
    }
    let layout = Layout::for_ciphertext(record.length).map_err(|_| ManifestError::Length)?;
    Ok((record, layout))
}
