//! Many small files, and many shares, in few requests. Each item is what the route for a single one takes, is checked
//! by the same rules, and is accepted or refused by itself.

use schemars::JsonSchema;
use sealpost_crypto::{
    encoding::Base64,
    id::{FileId, UserId},
    schema::characters,
    share::SealedShare,
    size::PART_CIPHERTEXT,
};
use serde::{Deserialize, Serialize};

use crate::{
    file::CompleteFile,
    limits::{MAX_FILES_PER_BATCH, MAX_SHARES_PER_REQUEST},
    problem::Problem,
};

/// `POST /files/batch`: whole files of one part each, at most [`crate::limits::MAX_FILES_PER_BATCH`] with
/// [`crate::limits::MAX_BATCH_CIPHERTEXT`] bytes of ciphertext together. Idempotent by file ids and manifests.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CreateFiles {
    /// The files.
    #[schemars(length(min = 1, max = MAX_FILES_PER_BATCH))]
    pub files: Vec<WholeFile>,
}

/// What `POST /files`, the upload of the one part and `…/complete` say, in one piece.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WholeFile {
    /// Chosen at random by the owner.
    pub file_id: FileId,
    /// From 1.
    #[schemars(range(min = 1))]
    pub version: u64,
    /// Ciphertext of the only part. Its digest is the one that the manifest's digest stands for.
    #[schemars(length(max = characters(PART_CIPHERTEXT as usize)))]
    pub content: Base64,
    /// What completes the upload.
    pub complete: CompleteFile,
}

/// Answer to [`CreateFiles`], in the same order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FileResults {
    /// One a file.
    pub results: Vec<FileResult>,
}

/// What became of one file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FileResult {
    /// Which.
    pub file_id: FileId,
    /// Absent when it is live, as it was sent. On `pair_conflict` the problem carries the record that holds the place
    /// of the owner's share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// `POST /shares/batch`: shares of several files, at most [`crate::limits::MAX_SHARES_PER_REQUEST`]. Idempotent by the
/// share records.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ShareFiles {
    /// The shares.
    #[schemars(length(min = 1, max = MAX_SHARES_PER_REQUEST))]
    pub shares: Vec<FileShare>,
}

/// A share and its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileShare {
    /// The file.
    pub file_id: FileId,
    /// The share.
    pub share: SealedShare,
}

/// Answer to [`ShareFiles`], in the same order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FileShareResults {
    /// One a share.
    pub results: Vec<FileShareResult>,
}

/// What became of one share.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FileShareResult {
    /// Of which file.
    pub file_id: FileId,
    /// To whom.
    pub recipient: UserId,
    /// Absent when it was stored. On `pair_conflict` the problem carries the record that holds the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}
