//! Manifests (protocol §7.3): the owner's statement of one version of a file, and the chain from the newest version back to
//! one that was seen before.

use std::cmp::Ordering;

use crate::{
    error::failures,
    id::{Digest, FileId, RecordId, UserId},
    keys::Place,
    log::{AuthorError, Log, OpsSigner, SignerError, Standing, StandingError},
    record::{Author, Authored, RawRecord, Signed},
    records::{Manifest, Positioned},
    size::Layout,
    vault::Pin,
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

failures! {
    /// Why the next version's manifest can't be signed.
    #[derive(Copy)]
    NextError {
        /// The manifest before it is somebody else's.
        NotOwner = "share_not_owner", "only a file's owner makes its next version";
    }
    from {
        /// The owner can't sign now.
        Signer(SignerError),
    }
}

failures! {
    /// Why a version of a file is refused by whoever has seen one before.
    VersionError {
        /// Older than what was seen.
        Rollback = "version_rollback", "the server shows an older version than before";
        /// Another one under the number that was seen.
        Conflict = "version_conflict", "the owner signed two different files as one version";
        /// Newer, and no chain leads back to what was seen.
        Chain = "version_chain", "the new version does not follow the one seen before";
    }
    from {
        /// A manifest on the way back was refused.
        Manifest(ManifestError),
    }
}

/// How a version stands to the one that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinCheck {
    /// It is that one.
    Same,
    /// It is a newer one: the chain back must be checked.
    Newer,
}

/// What an owner states about a version that it sealed. Which one it is follows from what it is signed after.
#[derive(Debug, Clone)]
pub struct ManifestDraft {
    /// Its length, as a layout.
    pub layout: Layout,
    /// BLAKE3 over the digests of the parts.
    pub digest: Digest,
    /// SHA-256(sealed metadata).
    pub metadata: Digest,
    /// The commitment from [`crate::keys::FileKeys`].
    pub commitment: Digest,
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

/// What came before a version, and so which one it is.
struct Before {
    file_id: FileId,
    version: u64,
    previous: RecordId,
}

/// Signs the first version of a new file as its owner.
pub fn sign(
    signer: &OpsSigner<'_>,
    file_id: FileId,
    draft: ManifestDraft,
) -> Result<VerifiedManifest, SignerError> {
    sign_after(signer, Before { file_id, version: 0, previous: RecordId::ZERO }, draft)
}

fn sign_after(
    signer: &OpsSigner<'_>,
    before: Before,
    draft: ManifestDraft,
) -> Result<VerifiedManifest, SignerError> {
    let position = signer.position()?;
    let Author { org_id, signer: owner, signer_bundle } = signer.author();
    let record = signer.sign(Manifest {
        org_id,
        signer: owner,
        signer_bundle,
        file_id: before.file_id,
        version: before.version + 1,
        length: draft.layout.ciphertext_length(),
        digest: draft.digest,
        metadata: draft.metadata,
        commitment: draft.commitment,
        previous: before.previous,
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

    /// Signs the next version of the same file, by the same owner. Its keys are bound to [`Self::next_place`].
    pub fn sign_next(&self, signer: &OpsSigner<'_>, draft: ManifestDraft) -> Result<Self, NextError> {
        let Author { org_id, signer: owner, .. } = signer.author();
        if (self.record.org_id, self.record.signer) != (org_id, owner) {
            return Err(NextError::NotOwner);
        }
        let Manifest { file_id, version, .. } = *self.record.get();
        Ok(sign_after(signer, Before { file_id, version, previous: self.id() }, draft)?)
    }

    /// What the keys of the next version are bound to.
    pub fn next_place(&self) -> Place {
        Place { version: self.record.version + 1, ..self.place() }
    }

    /// Compares it with what was seen of the file.
    pub fn check_pin(&self, pin: &Pin) -> Result<PinCheck, VersionError> {
        match self.record.version.cmp(&pin.sequence) {
            Ordering::Less => Err(VersionError::Rollback),
            Ordering::Equal if self.id() == pin.head => Ok(PinCheck::Same),
            Ordering::Equal => Err(VersionError::Conflict),
            Ordering::Greater => Ok(PinCheck::Newer),
        }
    }

    /// Verifies the manifests of the versions before this one, the newest first, as far as they are given: each is the one
    /// that the version after it names.
    pub fn follow_back(
        &self,
        earlier: impl IntoIterator<Item = RawRecord>,
        log: &Log,
    ) -> Result<Vec<Self>, ManifestError> {
        let mut chain: Vec<Self> = Vec::new();
        for raw in earlier {
            chain.push(chain.last().unwrap_or(self).verify_previous(raw, log)?);
        }
        Ok(chain)
    }

    /// Verifies that a newer version follows the one that was seen: `earlier` are the manifests before this one, the newest
    /// first, down to that one at least.
    pub fn check_chain(
        &self,
        pin: &Pin,
        earlier: impl IntoIterator<Item = RawRecord>,
        log: &Log,
    ) -> Result<(), VersionError> {
        let between = usize::try_from(self.record.version.saturating_sub(pin.sequence));
        let mut chain: Option<Self> = None;
        for raw in earlier.into_iter().take(between.unwrap_or(usize::MAX)) {
            let newer = chain.as_ref().unwrap_or(self);
            if raw.id() != newer.record.previous {
                return Err(VersionError::Chain);
            }
            chain = Some(newer.verify_previous(raw, log)?);
        }
        match chain {
            Some(seen) if (seen.record.version, seen.id()) == (pin.sequence, pin.head) => Ok(()),
            _ => Err(VersionError::Chain),
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
