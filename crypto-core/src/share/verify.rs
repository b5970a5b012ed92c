//! Receiving: steps 3 and 4 of the order of verification (protocol §8).

use super::SealedShare;
use crate::{
    error::failures,
    id::{RecordId, UserId},
    kem::WrappedKey,
    log::{AuthorError, Log, Standing, StandingError},
    manifest::{ManifestError, VerifiedManifest},
    pair::{PairEntry, valid_place},
    record::{self, Author, Authored, RawRecord, RecordError, Signed},
    records::{Manifest, Positioned, Share, ShareContext},
};

failures! {
    /// Why a share was refused.
    ShareError {
        /// It grants to somebody else: forwarded, or served to the wrong person.
        NotTheRecipient = "share_not_recipient", "the share is not addressed to this person";
        /// The keys were never the recipient's.
        RecipientBundle = "share_recipient_bundle", "the share is wrapped to keys that are not the recipient's";
        /// Signed by one person about another's share: re-signed, or spliced.
        Sender = "share_context_sender", "the share's signer is not the sender that its context names";
        /// The signer is not the manifest's.
        NotTheOwner = "share_not_owner", "the share is not signed by the file's owner";
        /// It belongs to another file, version, or manifest.
        OtherManifest = "share_manifest_mismatch", "the share belongs to another file or version";
        /// It names another file key than the manifest.
        OtherCommitment = "share_commitment_mismatch", "share and manifest commit to different file keys";
        /// The wrap beside the record is another one.
        OtherWrap = "share_sealed_mismatch", "the wrapped key is not the one that the share names";
        /// Sequences count from 1, and exactly the first has nothing before it.
        PairPlace = "share_pair_place", "the share's place among the shares to this person is not possible";
    }
    from {
        /// The record itself, its context, or who signed it.
        Author(AuthorError),
        /// The sender's signature does not count.
        Standing(StandingError),
        /// The manifest was refused.
        Manifest(ManifestError),
    }
}

/// A share whose every claim holds, with its manifest. What opening takes.
#[derive(Debug, Clone)]
pub struct VerifiedShare {
    pub(super) record: Signed<Share>,
    pub(super) context: ShareContext,
    pub(super) wrapped: WrappedKey,
    pub(super) manifest: VerifiedManifest,
    standing: Standing,
}

impl VerifiedShare {
    /// Verifies `sealed` and the `manifest` that it grants, for `recipient`, who may be oneself or, for whoever
    /// checks deliveries of others, anybody. `seen`: the share is pinned, or the pair's history leads to it.
    ///
    /// In this order: the manifest's signature; the share's signature; that it names the recipient; that its
    /// signer is the sender it names and the manifest's owner, in the Ops role, and that the signature counts
    /// (§5); that every field that share and manifest have in common agrees; that the wrap is the one it names.
    ///
    /// The caller goes on with the pins: version and pair sequence (§8 step 5).
    pub fn verify(
        sealed: &SealedShare,
        manifest: RawRecord,
        log: &Log,
        recipient: UserId,
        seen: bool,
    ) -> Result<Self, ShareError> {
        let owner = log.verify_authored::<Manifest>(manifest.clone())?;
        let record = log.verify_authored::<Share>(sealed.record.clone())?;
        let context: ShareContext = record::parse(&record.context.0).map_err(AuthorError::Record)?;
        check_people(&record, &context, &owner, log, recipient)?;
        let standing = log.ops_standing(&record.author(), &context.position(), seen)?;
        check_manifest(&context, &owner)?;
        if !valid_place(context.pair_sequence, context.pair_previous) {
            return Err(ShareError::PairPlace);
        }
        let wrapped = sealed.wrapped().ok_or(AuthorError::Record(RecordError::Malformed))?;
        if wrapped.digest() != record.sealed {
            return Err(ShareError::OtherWrap);
        }
        // The share counts and names the manifest, so the manifest is reached by a record that counts.
        let manifest = VerifiedManifest::verify(manifest, log, true)?;
        Ok(Self { record, context, wrapped, manifest, standing })
    }

    /// H(share).
    pub fn id(&self) -> RecordId {
        self.record.id()
    }

    /// The share's record as it travels.
    pub fn raw(&self) -> &RawRecord {
        self.record.raw()
    }

    /// What it grants, to whom, by whom.
    pub fn context(&self) -> &ShareContext {
        &self.context
    }

    /// What it grants.
    pub fn manifest(&self) -> &VerifiedManifest {
        &self.manifest
    }

    /// In what way the sender's signature counts; a sender who has left is shown as such.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Its place in the pair's history.
    pub fn pair_entry(&self) -> PairEntry {
        PairEntry::of_share(&self.record, &self.context)
    }
}

fn check_people(
    record: &Signed<Share>,
    context: &ShareContext,
    owner: &Signed<Manifest>,
    log: &Log,
    recipient: UserId,
) -> Result<(), ShareError> {
    if context.recipient != recipient {
        return Err(ShareError::NotTheRecipient);
    }
    let Author { signer, signer_bundle, .. } = record.author();
    if (context.sender, context.sender_bundle) != (signer, signer_bundle) {
        return Err(ShareError::Sender);
    }
    if owner.signer != signer {
        return Err(ShareError::NotTheOwner);
    }
    let bundle = log.bundle(context.recipient_bundle).ok_or(ShareError::RecipientBundle)?;
    if bundle.user_id() == recipient { Ok(()) } else { Err(ShareError::RecipientBundle) }
}

fn check_manifest(context: &ShareContext, manifest: &Signed<Manifest>) -> Result<(), ShareError> {
    let theirs = (context.file_id, context.version, context.manifest);
    if theirs != (manifest.file_id, manifest.version, manifest.id()) {
        return Err(ShareError::OtherManifest);
    }
    if context.commitment == manifest.commitment { Ok(()) } else { Err(ShareError::OtherCommitment) }
}
