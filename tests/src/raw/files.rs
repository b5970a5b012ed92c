//! Uploading, sharing, downloading.

use sealpost_api::{
    HEADER_PART_DIGEST, OCTET_STREAM,
    batch::{
        CreateFiles, FileResult, FileResults, FileShare, FileShareResult, FileShareResults, ShareFiles,
        WholeFile,
    },
    file::{
        CompleteFile, CreateFile, PairPage, PostReceipt, ShareFile, ShareResult, ShareResults, UnshareFile,
    },
    routes,
};
use sealpost_crypto::{
    encoding::Base64,
    id::{Digest, FileId, RecordId, UserId},
    parts::{content_digest, part_digest},
    record::{RawRecord, Signed, encode},
    records::{Manifest, Receipt, Share, ShareContext, Unshare},
    share::SealedShare,
    size::Layout,
};

use super::{Person, Position, random_bytes, sha256};
use crate::http::{Answer, send};

/// Length of HPKE's encapsulated key, bytes (protocol §2).
const ENC: usize = 1_120;
/// Length of a wrapped file key, bytes (protocol §2).
const WRAPPED: usize = 48;

/// A file before it is complete: random bytes where ciphertext would be.
pub struct Upload {
    /// The file.
    pub file_id: FileId,
    /// Its parts.
    pub parts: Vec<Vec<u8>>,
    /// Its sealed metadata.
    pub metadata: Vec<u8>,
}

/// A live file.
pub struct Stored {
    /// What was uploaded.
    pub upload: Upload,
    /// The owner's statement.
    pub manifest: Signed<Manifest>,
    /// The owner's own share.
    pub own_share: SealedShare,
}

/// Until when and how often; zeros for ever and any number.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms {
    /// UTC seconds.
    pub expiry: u64,
    /// Downloads.
    pub limit: u64,
}

impl Upload {
    /// As long as the ciphertext of `size` bytes.
    pub fn of_size(size: u64) -> Self {
        let layout = Layout::for_size(size).unwrap();
        let parts = layout.all_parts().map(|part| random_bytes(part.ciphertext_length())).collect();
        Self { file_id: FileId::random(), parts, metadata: random_bytes(552) }
    }

    /// All parts.
    pub fn ciphertext(&self) -> Vec<u8> {
        self.parts.concat()
    }

    fn digests(&self) -> Vec<Digest> {
        self.parts.iter().map(|part| part_digest(part)).collect()
    }
}

impl Person {
    /// Uploads something small.
    pub async fn upload(&self) -> Stored {
        self.upload_all(Upload::of_size(1)).await
    }

    /// Uploads all of it.
    pub async fn upload_all(&self, upload: Upload) -> Stored {
        self.begin(upload.file_id).await.ok();
        for (index, part) in upload.parts.iter().enumerate() {
            self.put_part(upload.file_id, index, part).await.ok();
        }
        let request = self.completion(&upload).await;
        self.complete(upload.file_id, &request).await.ok();
        let manifest = Signed::verify(request.manifest, &self.keys.signing.public_key()).unwrap();
        Stored { upload, manifest, own_share: request.share }
    }

    /// Begins an upload.
    pub async fn begin(&self, file_id: FileId) -> Answer {
        self.api.call(&routes::CREATE_FILE, &[], &CreateFile { file_id, version: 1 }).await
    }

    /// Sends a part with its true digest.
    pub async fn put_part(&self, file_id: FileId, index: usize, part: &[u8]) -> Answer {
        self.put_part_as(file_id, index, part, &part_digest(part).to_string()).await
    }

    /// Sends a part with any digest.
    pub async fn put_part_as(&self, file_id: FileId, index: usize, part: &[u8], digest: &str) -> Answer {
        let request = self.api.route(&routes::PUT_PART, &[&file_id, &1, &index]);
        let request = request.header("content-type", OCTET_STREAM).header(HEADER_PART_DIGEST, digest);
        send(request.body(part.to_vec())).await
    }

    /// What completes `upload`, without sending it.
    pub async fn completion(&self, upload: &Upload) -> CompleteFile {
        self.completion_with(upload, |_| {}).await
    }

    /// The same, with a manifest that `change` changes before it is signed.
    pub async fn completion_with(&self, upload: &Upload, change: impl FnOnce(&mut Manifest)) -> CompleteFile {
        let mut manifest = self.manifest(upload, Position::newest(&self.api).await, self.now().await);
        change(&mut manifest);
        let manifest = self.sign(manifest);
        let share = self.sealed_share(&manifest, self.user_id, self.bundle.id(), Terms::default()).await;
        CompleteFile { manifest: manifest.into_raw(), metadata: Base64(upload.metadata.clone()), share }
    }

    pub(super) fn manifest(&self, upload: &Upload, position: Position, time: u64) -> Manifest {
        let length = upload.parts.iter().map(|part| part.len() as u64).sum();
        Manifest {
            org_id: self.org_id,
            signer: self.user_id,
            signer_bundle: self.bundle.id(),
            file_id: upload.file_id,
            version: 1,
            length,
            digest: content_digest(length, &upload.digests()),
            metadata: sha256(&[&upload.metadata]),
            commitment: Digest::random(),
            previous: RecordId::ZERO,
            time,
            log_size: position.size,
            log_head: position.head,
            log_sig: position.signature,
        }
    }

    /// Files of one part as one request takes them, the owner's shares one after the other in their pair.
    pub async fn whole(&self, uploads: &[Upload]) -> Vec<WholeFile> {
        let (position, time) = (Position::newest(&self.api).await, self.now().await);
        let mut place = self.next_in_pair(self.user_id).await;
        let mut whole = Vec::with_capacity(uploads.len());
        for upload in uploads {
            let manifest = self.sign(self.manifest(upload, position.clone(), time));
            let context = ShareContext {
                time,
                ..self.context_at(&manifest, (self.user_id, self.bundle.id()), position.clone(), place)
            };
            let share = self.seal(&context);
            place = (place.0 + 1, share.record.id());
            whole.push(WholeFile {
                file_id: upload.file_id,
                version: 1,
                content: Base64(upload.ciphertext()),
                complete: CompleteFile {
                    manifest: manifest.into_raw(),
                    metadata: Base64(upload.metadata.clone()),
                    share,
                },
            });
        }
        whole
    }

    /// Creates files at once; what became of each.
    pub async fn create_files(&self, files: &[WholeFile]) -> Vec<FileResult> {
        let request = CreateFiles { files: files.to_vec() };
        let answer: FileResults = self.api.call(&routes::CREATE_FILES, &[], &request).await.json();
        answer.results
    }

    /// Shares files at once; what became of each share.
    pub async fn share_files(&self, shares: &[FileShare]) -> Vec<FileShareResult> {
        let request = ShareFiles { shares: shares.to_vec() };
        let answer: FileShareResults = self.api.call(&routes::SHARE_FILES, &[], &request).await.json();
        answer.results
    }

    /// Completes an upload.
    pub async fn complete(&self, file_id: FileId, request: &CompleteFile) -> Answer {
        self.api.call(&routes::COMPLETE, &[&file_id, &1], request).await
    }

    /// A share of a manifest's file, without sending it.
    pub async fn sealed_share(
        &self,
        manifest: &Signed<Manifest>,
        recipient: UserId,
        recipient_bundle: RecordId,
        terms: Terms,
    ) -> SealedShare {
        let context = self.share_context(manifest, recipient, recipient_bundle, terms).await;
        self.seal(&context)
    }

    /// What a share would say.
    pub async fn share_context(
        &self,
        manifest: &Signed<Manifest>,
        recipient: UserId,
        recipient_bundle: RecordId,
        terms: Terms,
    ) -> ShareContext {
        let position = Position::newest(&self.api).await;
        let place = self.next_in_pair(recipient).await;
        ShareContext {
            expiry: terms.expiry,
            limit: terms.limit,
            time: self.now().await,
            ..self.context_at(manifest, (recipient, recipient_bundle), position, place)
        }
    }

    /// The same at a given place, without terms and without a time.
    fn context_at(
        &self,
        manifest: &Signed<Manifest>,
        (recipient, recipient_bundle): (UserId, RecordId),
        position: Position,
        (pair_sequence, pair_previous): (u64, RecordId),
    ) -> ShareContext {
        ShareContext {
            file_id: manifest.file_id,
            version: manifest.version,
            manifest: manifest.id(),
            commitment: manifest.commitment,
            sender: self.user_id,
            sender_bundle: self.bundle.id(),
            recipient,
            recipient_bundle,
            pair_sequence,
            pair_previous,
            expiry: 0,
            limit: 0,
            time: 0,
            log_size: position.size,
            log_head: position.head,
            log_sig: position.signature,
        }
    }

    /// Signs a share that says `context`.
    pub fn seal(&self, context: &ShareContext) -> SealedShare {
        let (enc, ciphertext) = (random_bytes(ENC), random_bytes(WRAPPED));
        let record = self.sign(Share {
            org_id: self.org_id,
            signer: self.user_id,
            signer_bundle: self.bundle.id(),
            context: Base64(encode(context).unwrap()),
            sealed: sha256(&[&enc, &ciphertext]),
        });
        SealedShare { record: record.into_raw(), enc: Base64(enc), ciphertext: Base64(ciphertext) }
    }

    /// The next place among the records from this person to `recipient`, and the record before it.
    pub async fn next_in_pair(&self, recipient: UserId) -> (u64, RecordId) {
        let page = self.pair(recipient, "sent", 0).await;
        let last = match page.newest {
            0 => RecordId::ZERO,
            newest => self.pair(recipient, "sent", newest - 1).await.records[0].id(),
        };
        (page.newest + 1, last)
    }

    /// Records of a pair.
    pub async fn pair(&self, other: UserId, direction: &str, after: u64) -> PairPage {
        let path = routes::PAIR.fill(&[&other]);
        send(self.api.request("GET", &format!("{path}?direction={direction}&after={after}"))).await.json()
    }

    /// Shares with one person; what became of it.
    pub async fn share(&self, file: &Stored, recipient: &Person, terms: Terms) -> ShareResult {
        let share = self.sealed_share(&file.manifest, recipient.user_id, recipient.bundle.id(), terms).await;
        self.send_share(file.upload.file_id, share).await
    }

    /// Sends one share; what became of it.
    pub async fn send_share(&self, file_id: FileId, share: SealedShare) -> ShareResult {
        let request = ShareFile { shares: vec![share], renews: Vec::new() };
        let answer: ShareResults = self.api.call(&routes::SHARE, &[&file_id], &request).await.json();
        answer.results.into_iter().next().expect("one result for one share")
    }

    /// Shares and asserts that it was stored; the share.
    pub async fn share_with(&self, file: &Stored, recipient: &Person, terms: Terms) -> RawRecord {
        let share = self.sealed_share(&file.manifest, recipient.user_id, recipient.bundle.id(), terms).await;
        let result = self.send_share(file.upload.file_id, share.clone()).await;
        assert!(result.problem.is_none(), "{:?}", result.problem);
        share.record
    }

    /// The end of a share, without sending it.
    pub async fn unshare_record(&self, file_id: FileId, recipient: UserId, share: RecordId) -> RawRecord {
        let position = Position::newest(&self.api).await;
        let (pair_sequence, pair_previous) = self.next_in_pair(recipient).await;
        self.sign(Unshare {
            org_id: self.org_id,
            signer: self.user_id,
            signer_bundle: self.bundle.id(),
            file_id,
            recipient,
            share,
            pair_sequence,
            pair_previous,
            time: self.now().await,
            log_size: position.size,
            log_head: position.head,
            log_sig: position.signature,
        })
        .into_raw()
    }

    /// Ends a share.
    pub async fn unshare(&self, file_id: FileId, recipient: UserId, share: RecordId) -> Answer {
        let record = self.unshare_record(file_id, recipient, share).await;
        self.api.call(&routes::UNSHARE, &[&file_id], &UnshareFile { record }).await
    }

    /// A receipt, without sending it.
    pub async fn receipt(&self, share: RecordId, manifest: RecordId) -> PostReceipt {
        let position = Position::newest(&self.api).await;
        let receipt = Receipt {
            org_id: self.org_id,
            signer: self.user_id,
            signer_bundle: self.bundle.id(),
            share,
            manifest,
            time: self.now().await,
            log_size: position.size,
            log_head: position.head,
            log_sig: position.signature,
        };
        PostReceipt { receipt: self.sign(receipt).into_raw() }
    }

    /// Downloads, with a ticket of one's own if there is one.
    pub async fn download(&self, file_id: FileId, ticket: Option<&str>) -> Answer {
        let request = self.api.route(&routes::DOWNLOAD, &[&file_id]);
        send(match ticket {
            Some(ticket) => request.header(sealpost_api::HEADER_TICKET, ticket),
            None => request,
        })
        .await
    }
}
