//! Files, shares, downloads, receipts (protocol §7).

use schemars::JsonSchema;
use sealpost_crypto::{
    encoding::Base64,
    id::{Digest, FileId, RecordId, UserId},
    metadata,
    record::RawRecord,
    schema::characters,
    share::SealedShare,
};
use serde::{Deserialize, Serialize};

use crate::{
    EXAMPLE_TIME,
    limits::{
        MAX_PAGE, MAX_PART_DIGESTS_PAGE, MAX_SHARES_PER_REKEY, MAX_SHARES_PER_REQUEST, MAX_SHARES_SHOWN,
        MAX_VERSIONS,
    },
    problem::Problem,
};

/// `POST /files`: begins the upload of one version. Idempotent by file id and version.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CreateFile {
    /// Chosen at random by the owner.
    pub file_id: FileId,
    /// From 1.
    #[schemars(range(min = 1))]
    pub version: u64,
}

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// Parts are still missing, or `complete` was not called.
    Uploading,
    /// Complete: it can be shared and downloaded.
    Live,
}

/// Answer to [`CreateFile`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UploadView {
    /// The file.
    pub file_id: FileId,
    /// The version.
    #[schemars(range(min = 1))]
    pub version: u64,
    /// Where it stands.
    pub state: FileState,
}

/// `GET /files/{file_id}/versions/{version}/parts?from=…`: digests of the parts, in order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PartDigests {
    /// Index of the first digest below.
    pub from: u32,
    /// 32 bytes a part; zeros for a part that an unfinished upload still lacks. At most
    /// [`crate::limits::MAX_PART_DIGESTS_PAGE`] of them.
    #[schemars(length(max = characters(MAX_PART_DIGESTS_PAGE as usize * Digest::LEN)))]
    pub digests: Base64,
    /// How many parts the version has so far (one more than the highest index).
    pub total: u32,
}

/// Query of [`PartDigests`].
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
pub struct PartsQuery {
    /// Index of the first part wanted.
    #[serde(default)]
    pub from: u32,
}

/// `POST /files/{file_id}/versions/{version}/complete`. The server checks that every part is there, that their
/// digests give the manifest's, signatures, hashes, and log continuity. Idempotent by the manifest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CompleteFile {
    /// The owner's statement.
    pub manifest: RawRecord,
    /// Sealed metadata; the manifest names its hash.
    #[schemars(length(max = characters(metadata::MAX_SEALED)))]
    pub metadata: Base64,
    /// The owner's own access: a share to self.
    pub share: SealedShare,
}

/// `POST /files/{file_id}/versions/{version}/rekey`: puts a version that was sealed anew in place of the live one, and
/// with it every share that goes on, on the terms that it has. All of it happens, or nothing. Idempotent by the manifest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RekeyFile {
    /// The new version's manifest, which names the live one's, its metadata, and the owner's own share.
    pub complete: CompleteFile,
    /// The new version, for everybody whose share goes on: with the expiry and the limit of the share that runs. What was
    /// downloaded of it counts on.
    #[schemars(length(max = MAX_SHARES_PER_REKEY))]
    pub shares: Vec<SealedShare>,
    /// The ends of the shares that don't go on.
    #[schemars(length(max = MAX_SHARES_PER_REKEY))]
    pub unshares: Vec<RawRecord>,
}

/// `GET /files/{file_id}/manifests`: what the newest manifest follows, down to the first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Manifests {
    /// Of every version before the newest, the newest of them first; each is named by the one before it in this list, the
    /// first of them by the newest version's.
    #[schemars(length(max = MAX_VERSIONS))]
    pub manifests: Vec<RawRecord>,
}

/// A file as its owner or a recipient gets it: an entry of `GET /files/shared`, and `GET /files/{file_id}`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FileView {
    /// The file.
    pub file_id: FileId,
    /// The newest live version.
    #[schemars(range(min = 1))]
    pub version: u64,
    /// The owner's statement.
    pub manifest: RawRecord,
    /// Sealed metadata.
    #[schemars(length(max = characters(metadata::MAX_SEALED)))]
    pub metadata: Base64,
    /// The reader's own share (the owner's self share).
    pub share: SealedShare,
    /// How many downloads the reader's share has used.
    pub downloads: u64,
    /// The server's clock when the version went live, UTC seconds.
    #[schemars(example = EXAMPLE_TIME)]
    pub created_at: u64,
    /// The reader's newest receipt, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<RawRecord>,
}

/// An entry of `GET /files`: the owner's view.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OwnFileView {
    /// The file.
    #[serde(flatten)]
    pub file: FileView,
    /// The first [`crate::limits::MAX_SHARES_SHOWN`] shares to others.
    #[schemars(length(max = MAX_SHARES_SHOWN))]
    pub shares: Vec<ShareView>,
    /// Where `GET /files/{file_id}/shares` goes on; absent when all are here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares_cursor: Option<String>,
}

/// One share, to the file's owner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ShareView {
    /// To whom.
    pub recipient: UserId,
    /// The share. It may be of an earlier version, which its context names.
    pub share: SealedShare,
    /// How many downloads were begun; those of shares that it goes on from are among them.
    pub downloads: u64,
    /// The record that ended it, if it was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unshare: Option<RawRecord>,
    /// H(share) that was made in its place because keys had been rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed_by: Option<RecordId>,
    /// The recipient's newest receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<RawRecord>,
}

/// `POST /files/{file_id}/share`: at most [`crate::limits::MAX_SHARES_PER_REQUEST`], each accepted or refused by
/// itself. Idempotent by the share records.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ShareFile {
    /// The shares.
    #[schemars(length(min = 1, max = MAX_SHARES_PER_REQUEST))]
    pub shares: Vec<SealedShare>,
    /// H(share) of shares that these renew, because keys were rotated since. Each is over once the fresh one to the same
    /// person is stored, which may allow no more than is left of it: else `share_changed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_SHARES_PER_REQUEST))]
    pub renews: Vec<RecordId>,
}

/// Answer to [`ShareFile`], in the same order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ShareResults {
    /// One a share.
    pub results: Vec<ShareResult>,
}

/// What became of one share.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ShareResult {
    /// To whom.
    pub recipient: UserId,
    /// Absent when it was stored. On `pair_conflict` the problem carries the record that holds the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// `POST /files/{file_id}/unshare`. Idempotent by the record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UnshareFile {
    /// The unshare record.
    pub record: RawRecord,
}

/// `POST /files/{file_id}/receipt`. Idempotent by the record; closes the ticket named in the header.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PostReceipt {
    /// The receipt.
    pub receipt: RawRecord,
}

/// Query of `GET /receipts`: receipts for the caller's files.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptQuery {
    /// Only for this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<FileId>,
    /// `next_cursor` of the page before; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Entries wanted, 1 to [`crate::limits::MAX_PAGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_PAGE))]
    pub limit: Option<u32>,
}

/// An entry of `GET /receipts`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptView {
    /// The file.
    pub file_id: FileId,
    /// The receipt.
    pub receipt: RawRecord,
    /// The share it names.
    pub share: SealedShare,
    /// The manifest it names.
    pub manifest: RawRecord,
    /// That file's sealed metadata, so that the owner sees a name.
    #[schemars(length(max = characters(metadata::MAX_SEALED)))]
    pub metadata: Base64,
    /// The owner's self share, to open the metadata with.
    pub own_share: SealedShare,
}

/// Which half of a pair of people is asked for in `GET /pairs/{user_id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Shares and unshares by the caller to that person.
    Sent,
    /// By that person to the caller.
    Received,
}

/// Query of `GET /pairs/{user_id}`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct PairQuery {
    /// Which half.
    pub direction: Direction,
    /// Records after this pair sequence (0: from the first).
    #[serde(default)]
    pub after: u64,
    /// Records wanted, 1 to [`crate::limits::MAX_PAGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_PAGE))]
    pub limit: Option<u32>,
}

/// Records of a pair (shares and unshares), by pair sequence without gaps. Empty for people unknown, so that
/// nobody can ask who exists.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PairPage {
    /// The records.
    pub records: Vec<RawRecord>,
    /// The pair's newest sequence; tells whether there is more.
    pub newest: u64,
}

/// An entry of `GET /members/{user_id}/files`: a file that a former member left behind, to Ops members. Empty while the
/// owner is a member.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LeftFileView {
    /// The file.
    pub file_id: FileId,
    /// The newest live version.
    #[schemars(range(min = 1))]
    pub version: u64,
    /// The owner's statement.
    pub manifest: RawRecord,
    /// The server's clock when the version went live, UTC seconds.
    #[schemars(example = EXAMPLE_TIME)]
    pub created_at: u64,
    /// The first [`crate::limits::MAX_SHARES_SHOWN`] shares to others.
    #[schemars(length(max = MAX_SHARES_SHOWN))]
    pub shares: Vec<LeftShareView>,
    /// Whether there are more.
    pub more_shares: bool,
    /// The record that took it out of circulation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawal: Option<RawRecord>,
}

/// A share of such a file, without the wrapped key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LeftShareView {
    /// The share.
    pub record: RawRecord,
    /// How many downloads were begun.
    pub downloads: u64,
    /// Whether it was ended before its sender left.
    pub ended: bool,
}

/// `POST /files/{file_id}/withdraw`: takes a former member's file out of circulation. Again is fine.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WithdrawFile {
    /// The withdraw record.
    pub record: RawRecord,
}
