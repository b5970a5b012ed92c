//! One file, with everything that is known and verified about it.

use sealpost_api::{
    file::{FileView, ShareView},
    limits::MAX_PAGE,
    paging::{Page as ApiPage, PageQuery},
    routes,
};
use sealpost_crypto::{id::FileId, log::Log};

use crate::{
    directory::Directory,
    error::Result,
    file::{Claimed, OpenFile},
    list::{OwnFile, ShareInfo, SharedFile, info, shared_file},
    log_sync, pages,
    pairs::Pairs,
    server::Call,
    signed_in::{Inner, SignedIn},
};

/// A file of ours, or one that somebody shared with us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDetails {
    /// Bytes of ciphertext on the server: what it sees of the size.
    pub stored_size: u64,
    /// The file, as whoever it is to us.
    pub access: FileAccess,
}

/// By what right we know a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAccess {
    /// It is ours; with every share to others, ended ones too.
    Own(OwnFile),
    /// Somebody shared it with us.
    Shared(SharedFile),
}

impl SignedIn {
    /// Everything about one file that is ours or shared with us.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`]; [`crate::ErrorKind::Verification`] if anything of it does not verify.
    pub async fn file(&self, file_id: FileId) -> Result<FileDetails> {
        let is_behind = |details: &Result<FileDetails>| details.as_ref().is_err_and(log_sync::is_behind);
        log_sync::again_if_behind(is_behind, || self.inner.details(file_id)).await
    }
}

impl Inner {
    async fn details(&self, file_id: FileId) -> Result<FileDetails> {
        let log = self.member_log().await?;
        let view: FileView = self.caller.get(Call::new(routes::FILE, &[&file_id])).await?;
        let claimed = Claimed { file_id, ..Claimed::from(&view) };
        let file = self.open_file(&log, &mut Pairs::default(), claimed).await?;
        let directory = Directory::fetch(&self.caller, &log).await?;
        let access = if file.share.context().sender == self.profile.user_id {
            let shares = self.all_shares(&log, &directory, &file).await?;
            let queued = self.queued_of(file_id).await?;
            FileAccess::Own(OwnFile { file: info(&file), shares, more_shares: false, queued })
        } else {
            FileAccess::Shared(shared_file(&log, &directory, &file, &view)?)
        };
        self.flush(&log).await?;
        Ok(FileDetails { stored_size: file.share.manifest().get().length, access })
    }

    pub(crate) async fn all_shares(
        &self,
        log: &Log,
        directory: &Directory,
        file: &OpenFile,
    ) -> Result<Vec<ShareInfo>> {
        let views = self.share_views(file.file_id()).await?;
        self.share_infos(log, &mut Pairs::default(), directory, file, &views).await
    }

    /// What the server says about all shares of one of our files, the oldest first.
    pub(crate) async fn share_views(&self, file_id: FileId) -> Result<Vec<ShareView>> {
        let fetch = |cursor| async move {
            let query = PageQuery { cursor, limit: Some(MAX_PAGE) };
            self.caller.query::<ApiPage<ShareView>>(Call::new(routes::SHARES, &[&file_id]), &query).await
        };
        pages::all(fetch).await
    }
}
