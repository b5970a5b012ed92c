//! What the server can check of records about files, with public keys only. It is no substitute for what clients
//! check (protocol §8); it keeps honest clients from storing what nobody would accept, and the log of what was
//! shared consistent.
//!
//! Each check gives a type that only it can build, and only those are stored.

use sealpost_api::{
    limits::{CLOCK_SKEW_SECONDS, MAX_DOWNLOAD_LIMIT},
    problem::ErrorCode,
};
use sealpost_crypto::{
    encoding::Base64,
    id::{Digest, FileId, RecordId, UserId},
    kem::{Encapsulation, SealedFileKey, WrappedKey},
    log::{Log, PositionCheck, PositionError},
    metadata,
    record::{Authored, RawRecord, Signed, parse},
    records::{LogPosition, Manifest, Positioned, Receipt, Share, ShareContext, Unshare},
    share::SealedShare,
    size::Layout,
};
use sha2::{Digest as _, Sha256};

use crate::{blob::VersionKey, db::pair::PairPlace, problem::ApiError};

/// Who states something, when, and before which log.
pub(crate) struct Checker<'a> {
    /// The organisation's log as it stands.
    pub log: &'a Log,
    /// Who is signed in.
    pub caller: UserId,
    /// The server's clock, UTC seconds.
    pub now: u64,
}

/// A manifest by its file's owner that agrees with the sealed metadata beside it. Its parts are another matter.
pub(crate) struct CheckedManifest {
    signed: Signed<Manifest>,
    layout: Layout,
}

impl CheckedManifest {
    /// The record.
    pub(crate) fn signed(&self) -> &Signed<Manifest> {
        &self.signed
    }

    /// How its ciphertext is laid out.
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// What shares of it must agree with.
    pub(crate) fn shareable(&self) -> Shareable {
        Shareable {
            version: VersionKey { file_id: self.signed.file_id, version: self.signed.version },
            manifest: self.signed.id(),
            commitment: self.signed.commitment,
        }
    }
}

/// A share by a file's owner whose every field agrees with the manifest, the log, and the wrapped key.
pub(crate) struct CheckedShare {
    signed: Signed<Share>,
    context: ShareContext,
    wrapped: WrappedKey,
}

impl CheckedShare {
    /// The record.
    pub(crate) fn signed(&self) -> &Signed<Share> {
        &self.signed
    }

    /// Its context.
    pub(crate) fn context(&self) -> &ShareContext {
        &self.context
    }

    /// The wrapped key.
    pub(crate) fn wrapped(&self) -> &WrappedKey {
        &self.wrapped
    }

    /// The place it claims in its pair.
    pub(crate) fn place(&self) -> PairPlace {
        PairPlace {
            sender: self.context.sender,
            recipient: self.context.recipient,
            sequence: self.context.pair_sequence,
            previous: self.context.pair_previous,
        }
    }
}

/// The manifest that a share must agree with.
pub(crate) struct Shareable {
    /// The version shared.
    pub version: VersionKey,
    /// H(manifest).
    pub manifest: RecordId,
    /// Commitment to the file key.
    pub commitment: Digest,
}

impl Checker<'_> {
    /// A manifest for `key`, with its sealed metadata.
    pub(crate) fn manifest(
        &self,
        raw: RawRecord,
        key: VersionKey,
        metadata: &Base64,
    ) -> Result<CheckedManifest, ApiError> {
        let signed = self.authored::<Manifest>(raw)?;
        self.stated(&signed.position(), signed.time)?;
        require(signed.file_id == key.file_id, "The manifest is of another file.")?;
        require(signed.version == key.version, "The manifest is of another version.")?;
        require(
            (signed.version == 1) == signed.previous.is_zero(),
            "Exactly the manifest of version 1 names no version before.",
        )?;
        if metadata.0.len() > metadata::MAX_SEALED {
            let limit = metadata::MAX_SEALED;
            return Err(ApiError::new(
                ErrorCode::TooLarge,
                format!("Sealed metadata has at most {limit} bytes."),
            ));
        }
        let hash = Digest::new(Sha256::digest(&metadata.0).into());
        require(signed.metadata == hash, "The sealed metadata is not the one that the manifest names.")?;
        let layout = Layout::for_ciphertext(signed.length)
            .map_err(|error| ApiError::record_invalid(format!("The manifest's length: {error}.")))?;
        Ok(CheckedManifest { signed, layout })
    }

    /// The owner's own access to a version that is about to go live.
    pub(crate) fn own_share(
        &self,
        sealed: SealedShare,
        manifest: &CheckedManifest,
    ) -> Result<CheckedShare, ApiError> {
        let share = self.share(sealed, &manifest.shareable())?;
        require(share.context.recipient == self.caller, "The owner's share is to somebody else.")?;
        require(
            share.context.expiry == 0 && share.context.limit == 0,
            "The owner's own share has an expiry or a limit.",
        )?;
        Ok(share)
    }

    /// A share of `of`, on terms that can still be used.
    pub(crate) fn share(&self, sealed: SealedShare, of: &Shareable) -> Result<CheckedShare, ApiError> {
        let share = self.carried_share(sealed, of)?;
        self.terms(&share.context)?;
        Ok(share)
    }

    /// A share of `of` that goes on from another one: its terms are to be compared with that one's.
    pub(crate) fn carried_share(
        &self,
        sealed: SealedShare,
        of: &Shareable,
    ) -> Result<CheckedShare, ApiError> {
        let signed = self.authored::<Share>(sealed.record)?;
        let context: ShareContext = parse(&signed.context.0)
            .map_err(|_| ApiError::record_invalid("The share's context is malformed."))?;
        let wrapped = wrapped(&sealed.enc, &sealed.ciphertext)?;
        require(wrapped.digest() == signed.sealed, "The wrapped key is not the one that the share names.")?;
        self.context(&signed, &context, of)?;
        self.recipient(&context)?;
        Ok(CheckedShare { signed, context, wrapped })
    }

    fn context(
        &self,
        signed: &Signed<Share>,
        context: &ShareContext,
        of: &Shareable,
    ) -> Result<(), ApiError> {
        self.stated(&context.position(), context.time)?;
        let sender = (context.sender, context.sender_bundle) == (signed.signer, signed.signer_bundle);
        require(sender, "The share's context names another sender.")?;
        let version = (context.file_id, context.version) == (of.version.file_id, of.version.version);
        require(version, "The share is of another file or version.")?;
        require(context.manifest == of.manifest, "The share names another manifest.")?;
        require(context.commitment == of.commitment, "The share commits to another file key.")
    }

    fn terms(&self, context: &ShareContext) -> Result<(), ApiError> {
        if context.expiry != 0 && context.expiry <= self.now {
            return Err(ApiError::record_invalid("The share has expired already, by the server's clock.")
                .hint("Check this device's clock."));
        }
        if context.limit <= MAX_DOWNLOAD_LIMIT {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::LimitReached,
            format!("A share allows at most {MAX_DOWNLOAD_LIMIT} downloads; 0 stands for any number."),
        ))
    }

    fn recipient(&self, context: &ShareContext) -> Result<(), ApiError> {
        let recipient = self.log.active(context.recipient).ok_or_else(recipient_unknown)?;
        require(
            context.recipient_bundle == recipient.bundle().id(),
            "The key is not wrapped to the recipient's current keys.",
        )
    }

    /// An unshare of one of `file`'s shares.
    pub(crate) fn unshare(&self, raw: RawRecord, file: FileId) -> Result<Signed<Unshare>, ApiError> {
        let signed = self.authored::<Unshare>(raw)?;
        self.stated(&signed.position(), signed.time)?;
        require(signed.file_id == file, "The record is about another file.")?;
        Ok(signed)
    }

    /// A receipt; which share it names is another matter. One that was signed before the keys were rotated, and did not
    /// get away in time, still says what it says.
    pub(crate) fn receipt(&self, raw: RawRecord) -> Result<Signed<Receipt>, ApiError> {
        let signed = self.callers::<Receipt>(raw)?;
        self.stated(&signed.position(), signed.time)?;
        let standing = self.log.standing(&signed.author(), &signed.position(), true);
        standing.map_err(|error| ApiError::record_invalid(format!("The receipt record: {error}.")))?;
        Ok(signed)
    }

    /// The record is the caller's, under their current keys.
    fn authored<R: Authored>(&self, raw: RawRecord) -> Result<Signed<R>, ApiError> {
        let signed = self.callers::<R>(raw)?;
        let current = self.log.active(self.caller).map(|member| member.bundle().id());
        if current == Some(signed.author().signer_bundle) { Ok(signed) } else { Err(not_current()) }
    }

    /// The record is the caller's, under any keys of theirs.
    fn callers<R: Authored>(&self, raw: RawRecord) -> Result<Signed<R>, ApiError> {
        let signed = self
            .log
            .verify_authored::<R>(raw)
            .map_err(|error| ApiError::record_invalid(format!("The {} record: {error}.", R::KIND)))?;
        require(signed.author().signer == self.caller, "The record is signed by somebody else.")?;
        Ok(signed)
    }

    /// The log state that it names is one of ours, and its time is not in the future.
    fn stated(&self, position: &LogPosition, time: u64) -> Result<(), ApiError> {
        match self.log.verify_position(position) {
            Ok(PositionCheck::Known) => {}
            Err(PositionError::Malformed) => {
                return Err(ApiError::record_invalid(
                    "The record names a log state that this server never signed.",
                ));
            }
            Ok(PositionCheck::Ahead) | Err(PositionError::Unproven | PositionError::Fork(_)) => {
                return Err(log_unknown());
            }
        }
        if time <= self.now.saturating_add(CLOCK_SKEW_SECONDS) {
            return Ok(());
        }
        let ahead = time.saturating_sub(self.now) / 60;
        Err(ApiError::record_invalid(format!(
            "This device's clock is {ahead} minutes ahead of the server's."
        ))
        .hint("Set this device's clock right, then try again."))
    }
}

/// The signer's keys were rotated, or their membership has ended.
pub(crate) fn not_current() -> ApiError {
    ApiError::record_invalid("The record is signed under keys that are not current.")
        .hint("Sign in again on this device.")
}

/// There is no such active recipient; whether somebody is unknown or gone is not said.
pub(crate) fn recipient_unknown() -> ApiError {
    ApiError::new(ErrorCode::RecipientUnknown, "There is no active member of that id.")
}

fn log_unknown() -> ApiError {
    ApiError::new(ErrorCode::LogUnknown, "The record names a log state that this server does not have.")
        .hint("If the server was restored from a backup, its operator must be told.")
}

fn wrapped(enc: &Base64, ciphertext: &Base64) -> Result<WrappedKey, ApiError> {
    let enc = Encapsulation::from_slice(&enc.0);
    let ciphertext = SealedFileKey::from_slice(&ciphertext.0);
    match (enc, ciphertext) {
        (Some(enc), Some(ciphertext)) => Ok(WrappedKey { enc, ciphertext }),
        _ => Err(ApiError::record_invalid("The wrapped key has not the length it must have.")),
    }
}

fn require(holds: bool, otherwise: &str) -> Result<(), ApiError> {
    if holds { Ok(()) } else { Err(ApiError::record_invalid(otherwise)) }
}
