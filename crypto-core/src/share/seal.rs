//! Granting and ending: what owners sign.

use super::{SealedShare, info};
use crate::{
    encoding::Base64,
    error::failures,
    id::{FileId, RecordId},
    kem::{self, KeyError},
    keys::FileKeys,
    log::{ActiveMember, OpsSigner, SignerError},
    manifest::VerifiedManifest,
    pair::{PairEntry, PairState},
    record::{self, Author, RecordError, Signed},
    records::{Share, ShareContext, Unshare},
    secret::FileKey,
};

failures! {
    /// Why a share can't be made.
    #[derive(Copy)]
    SealError {
        /// The manifest is somebody else's.
        NotOwner = "share_not_owner", "only a file's owner shares it";
        /// The file key is not the one that the manifest commits to.
        WrongKey = "commitment_mismatch", "the file key is not the one that the manifest names";
        /// The pair state is of another sender or recipient.
        OtherPair = "pair_other", "the pair's history belongs to other people";
        /// The recipient is of another organisation.
        ForeignRecipient = "share_foreign_recipient", "the recipient belongs to another organisation";
    }
    from {
        /// The recipient's key is not valid.
        KemKey(KeyError),
        /// The owner can't sign now.
        Signer(SignerError),
        /// Something is over its limit.
        Record(RecordError),
    }
}

failures! {
    /// Why a share can't be ended.
    #[derive(Copy)]
    UnshareError {
        /// The pair state is of another sender.
        OtherPair = "pair_other", "the pair's history belongs to other people";
        /// Nothing to end.
        NotShared = "unshare_not_shared", "the file is not shared with this person";
    }
    from {
        /// The owner can't sign now.
        Signer(SignerError),
    }
}

/// What an owner grants.
#[derive(Debug, Clone, Copy)]
pub struct ShareRequest<'a> {
    /// The file's version.
    pub manifest: &'a VerifiedManifest,
    /// Its key.
    pub file_key: &'a FileKey,
    /// To whom: an active member from the log, possibly the owner.
    pub recipient: ActiveMember<'a>,
    /// The verified history of (owner, recipient).
    pub pair: &'a PairState,
    /// UTC seconds after which the server refuses, or 0 for never.
    pub expiry: u64,
    /// How many downloads the server allows, or 0 for any number.
    pub limit: u64,
    /// UTC seconds.
    pub time: u64,
}

/// Wraps the file key to the recipient and signs the share. The entry is for [`PairState::apply`], once the
/// server has taken the share.
pub fn seal(
    signer: &OpsSigner<'_>,
    request: &ShareRequest<'_>,
) -> Result<(SealedShare, PairEntry), SealError> {
    check(signer, request)?;
    let context = context(signer, request)?;
    let ctx = record::encode(&context)?;
    let recipient = request.recipient.bundle().kem_key().check()?;
    let wrapped = kem::wrap(&recipient, &info(&ctx), request.file_key)?;
    let Author { org_id, signer: owner, signer_bundle } = signer.author();
    let share =
        Share { org_id, signer: owner, signer_bundle, context: Base64(ctx), sealed: wrapped.digest() };
    let share = signer.sign(share)?;
    let entry = PairEntry::of_share(&share, &context);
    let sealed = SealedShare {
        record: share.into_raw(),
        enc: Base64(wrapped.enc.as_bytes().to_vec()),
        ciphertext: Base64(wrapped.ciphertext.as_bytes().to_vec()),
    };
    Ok((sealed, entry))
}

/// Signs the end of the grant of `file_id`, every version, to the pair's recipient.
pub fn unshare(
    signer: &OpsSigner<'_>,
    pair: &PairState,
    file_id: FileId,
    time: u64,
) -> Result<(Signed<Unshare>, PairEntry), UnshareError> {
    let Author { org_id, signer: owner, signer_bundle } = signer.author();
    if pair.sender() != owner {
        return Err(UnshareError::OtherPair);
    }
    let share = pair.live(file_id).ok_or(UnshareError::NotShared)?;
    let position = signer.position()?;
    let unshare = signer.sign(Unshare {
        org_id,
        signer: owner,
        signer_bundle,
        file_id,
        recipient: pair.recipient(),
        share,
        pair_sequence: pair.next_sequence(),
        pair_previous: pair.head(),
        time,
        log_size: position.size,
        log_head: position.head,
        log_sig: position.signature,
    })?;
    let entry = PairEntry::of_unshare(&unshare);
    Ok((unshare, entry))
}

fn check(signer: &OpsSigner<'_>, request: &ShareRequest<'_>) -> Result<(), SealError> {
    let Author { org_id, signer: owner, .. } = signer.author();
    let bundle = request.recipient.bundle();
    if request.manifest.owner() != owner || request.manifest.get().org_id != org_id {
        return Err(SealError::NotOwner);
    }
    if bundle.org_id() != org_id {
        return Err(SealError::ForeignRecipient);
    }
    if (request.pair.sender(), request.pair.recipient()) != (owner, bundle.user_id()) {
        return Err(SealError::OtherPair);
    }
    let keys = FileKeys::derive(request.file_key, &request.manifest.place());
    if keys.commitment == request.manifest.get().commitment { Ok(()) } else { Err(SealError::WrongKey) }
}

fn context(signer: &OpsSigner<'_>, request: &ShareRequest<'_>) -> Result<ShareContext, SealError> {
    let position = signer.position()?;
    let Author { signer: sender, signer_bundle: sender_bundle, .. } = signer.author();
    let manifest = request.manifest;
    let bundle = request.recipient.bundle();
    let pair_previous: RecordId = request.pair.head();
    Ok(ShareContext {
        file_id: manifest.get().file_id,
        version: manifest.get().version,
        manifest: manifest.id(),
        commitment: manifest.get().commitment,
        sender,
        sender_bundle,
        recipient: bundle.user_id(),
        recipient_bundle: bundle.id(),
        pair_sequence: request.pair.next_sequence(),
        pair_previous,
        expiry: request.expiry,
        limit: request.limit,
        time: request.time,
        log_size: position.size,
        log_head: position.head,
        log_sig: position.signature,
    })
}
