//! Deleting a file of ours, or cancelling its upload.

use sealpost_api::routes;
use sealpost_crypto::id::FileId;

use crate::{
    error::{ErrorKind, Result},
    journal::{self, After, Journal, JournalName},
    server::{Call, NO_BODY},
    share::not_ours,
    signed_in::SignedIn,
};

impl SignedIn {
    /// Deletes one of our files, or cancels its upload. The server removes the ciphertext and refuses the file to
    /// everybody from now on; what was signed about it stays. Whoever downloaded it may have kept a copy. Again is
    /// fine.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there was never such a file of ours.
    pub async fn remove(&self, file_id: FileId) -> Result<()> {
        let inner = &self.inner;
        drop(inner.ops_log().await?);
        let deleted = inner.caller.post_empty(Call::new(routes::DELETE_FILE, &[&file_id]), NO_BODY).await;
        deleted.map_err(|error| if error.kind() == ErrorKind::NotFound { not_ours() } else { error })?;
        inner.drop_queued(file_id).await?;
        let sealed_anew = JournalName::of_file(file_id);
        Journal::<After>::forget(&inner.device, sealed_anew)?;
        journal::forget(&inner.device, file_id).await
    }
}
