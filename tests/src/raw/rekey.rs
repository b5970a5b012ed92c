//! A file's next version, with all that goes live with it.

use sealpost_api::{
    HEADER_PART_DIGEST, OCTET_STREAM,
    file::{CompleteFile, CreateFile, RekeyFile},
    routes,
};
use sealpost_crypto::{encoding::Base64, id::FileId, parts::part_digest, records::Manifest};

use super::{Person, Position, Stored, Terms, Upload};
use crate::http::{Answer, send};

impl Person {
    /// Begins the upload of any version.
    pub async fn begin_version(&self, file_id: FileId, version: u64) -> Answer {
        self.api.call(&routes::CREATE_FILE, &[], &CreateFile { file_id, version }).await
    }

    /// Sends a part of any version.
    pub async fn put_part_of(&self, file_id: FileId, version: u64, index: usize, part: &[u8]) -> Answer {
        let request = self.api.route(&routes::PUT_PART, &[&file_id, &version, &index]);
        let request = request.header("content-type", OCTET_STREAM);
        send(request.header(HEADER_PART_DIGEST, part_digest(part).to_string()).body(part.to_vec())).await
    }

    /// Uploads the parts of the version after `file`'s.
    pub async fn upload_next(&self, file: &Stored) -> Upload {
        let upload = Upload { file_id: file.upload.file_id, ..Upload::of_size(1) };
        let version = file.manifest.version + 1;
        self.begin_version(upload.file_id, version).await.ok();
        for (index, part) in upload.parts.iter().enumerate() {
            self.put_part_of(upload.file_id, version, index, part).await.ok();
        }
        upload
    }

    /// What puts `upload` in the place of `file` for those who `keep` it.
    pub async fn rekey_request(&self, file: &Stored, upload: &Upload, keep: &[(&Self, Terms)]) -> RekeyFile {
        self.rekey_request_with(file, upload, keep, |_| {}).await
    }

    /// The same, with a manifest that `change` changes before it is signed.
    pub async fn rekey_request_with(
        &self,
        file: &Stored,
        upload: &Upload,
        keep: &[(&Self, Terms)],
        change: impl FnOnce(&mut Manifest),
    ) -> RekeyFile {
        let mut manifest = self.manifest(upload, Position::newest(&self.api).await, self.now().await);
        (manifest.version, manifest.previous) = (file.manifest.version + 1, file.manifest.id());
        change(&mut manifest);
        let manifest = self.sign(manifest);
        let share = self.sealed_share(&manifest, self.user_id, self.bundle.id(), Terms::default()).await;
        let mut shares = Vec::new();
        for (person, terms) in keep {
            shares.push(self.sealed_share(&manifest, person.user_id, person.bundle.id(), *terms).await);
        }
        let metadata = Base64(upload.metadata.clone());
        let complete = CompleteFile { manifest: manifest.into_raw(), metadata, share };
        RekeyFile { complete, shares, unshares: Vec::new() }
    }

    /// Puts a next version in place.
    pub async fn rekey(&self, file: &Stored, request: &RekeyFile) -> Answer {
        let version = file.manifest.version + 1;
        self.api.call(&routes::REKEY, &[&file.upload.file_id, &version], request).await
    }

    /// Cancels the upload of a version.
    pub async fn cancel_version(&self, file_id: FileId, version: u64) -> Answer {
        send(self.api.route(&routes::CANCEL_VERSION, &[&file_id, &version])).await
    }
}
