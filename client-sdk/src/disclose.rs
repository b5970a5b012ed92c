//! Giving away what a file is locked with, on purpose.

use sealpost_crypto::{id::FileId, secret::FileKey};

use crate::{error::Result, signed_in::SignedIn};

impl SignedIn {
    /// The key of one of our own files: whoever has it and the ciphertext can read that version of that file, and
    /// nothing else. For evidence that shows the content (protocol §8, `--disclose`), and for checking that nobody
    /// else holds it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if it is not ours; [`crate::ErrorKind::Verification`].
    pub async fn file_key(&self, file_id: FileId) -> Result<FileKey> {
        let log = self.inner.ops_log().await?;
        Ok(self.inner.own_file(&log, file_id).await?.file_key)
    }
}
