//! Downloading (protocol §8): everything is verified before the first byte is fetched, every part before it is
//! opened, and nothing stands at the final path before the last byte is verified and the receipt is signed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sealpost_api::{
    file::{FileView, PartDigests, PartsQuery, PostReceipt},
    routes,
};
use sealpost_crypto::{
    file_name::{SafeName, safe_file_name},
    id::{Digest, FileId, TicketId},
    parts::PartList,
    receipt,
    record::RawRecord,
};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{
    content,
    directory::{Directory, Person},
    error::{Error, ErrorKind, Result},
    file::{Claimed, OpenFile},
    log_sync,
    pairs::Pairs,
    progress::{Meter, OnProgress},
    session::now,
    signed_in::{Inner, SignedIn},
    sink::{Overwrite, Sink},
    tickets,
    transport::Call,
};

/// A file that is ready to be downloaded: sender, name and size are verified, its content is not fetched yet.
pub struct Download {
    signed_in: SignedIn,
    file: OpenFile,
    from: Person,
    ticket: TicketId,
}

/// What a finished download left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Where the file is; `None` if it went to a writer.
    pub path: Option<PathBuf>,
    /// Bytes of content.
    pub size: u64,
    /// Whether the sender's server has the signed receipt. If not, the next download sends it.
    pub receipt_sent: bool,
}

impl SignedIn {
    /// Looks up and verifies a file, up to its name. No download is counted yet.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if there is none, or not for us, or not any more;
    /// [`crate::ErrorKind::Verification`] if anything about it does not verify.
    pub async fn download(&self, file_id: FileId) -> Result<Download> {
        let behind = |outcome: &Result<Download>| outcome.as_ref().is_err_and(log_sync::is_behind);
        log_sync::again_if_behind(behind, || self.look_up(file_id)).await
    }

    async fn look_up(&self, file_id: FileId) -> Result<Download> {
        let inner = &self.inner;
        let log = inner.member_log().await?;
        let (ticket, file) = inner.open_under_ticket(&log, file_id).await?;
        let from = inner.sender(&log, &file).await?;
        inner.flush(&log).await?;
        Ok(Download { signed_in: self.clone(), file, from, ticket })
    }
}

impl Download {
    /// The name that the owner gave; any text.
    pub fn name(&self) -> &str {
        &self.file.metadata.name.0
    }

    /// A name under which it can be written on any system.
    pub fn safe_name(&self) -> SafeName {
        safe_file_name(self.name())
    }

    /// Exact size in bytes.
    pub fn size(&self) -> u64 {
        self.file.metadata.size
    }

    /// Who sealed and signed it.
    pub fn from(&self) -> &Person {
        &self.from
    }

    /// Whether the sender has left the organisation since: the file may be backdated.
    pub fn sender_left(&self) -> bool {
        self.file.sender_left()
    }

    /// Downloads to `destination`. Until everything is verified only a temporary file stands beside it.
    pub async fn to_path(
        self,
        destination: &Path,
        overwrite: Overwrite,
        report: OnProgress<'_>,
    ) -> Result<Downloaded> {
        let (sink, mut file) = Sink::create(destination, overwrite).await?;
        self.fetch(&mut file, report).await?;
        file.sync_all().await.map_err(content::write_failed)?;
        drop(file);
        let inner = &self.signed_in.inner;
        let receipt = self.sign_receipt().await?;
        let path = sink.finish().await?;
        let receipt_sent = inner.deliver_receipts(receipt.is_some()).await;
        Ok(Downloaded { path: Some(path), size: self.size(), receipt_sent })
    }

    /// Downloads into `writer`, in order. Each part is verified before any of it is written; the receipt is
    /// signed after the last.
    pub async fn to_writer<W: AsyncWrite + Unpin>(
        self,
        mut writer: W,
        report: OnProgress<'_>,
    ) -> Result<Downloaded> {
        self.fetch(&mut writer, report).await?;
        writer.flush().await.map_err(content::write_failed)?;
        let receipt = self.sign_receipt().await?;
        let receipt_sent = self.signed_in.inner.deliver_receipts(receipt.is_some()).await;
        Ok(Downloaded { path: None, size: self.size(), receipt_sent })
    }

    async fn fetch<W: AsyncWrite + Unpin>(&self, writer: W, report: OnProgress<'_>) -> Result<()> {
        let inner = &self.signed_in.inner;
        let list = Arc::new(inner.part_list(&self.file, self.ticket).await?);
        let file_id = self.file.file_id();
        let meter = Meter::new(self.size(), report);
        content::open_all(writer, self.size(), list, Arc::clone(&self.file.keys), &meter, |part| async move {
            let values: [&(dyn std::fmt::Display + Sync); 1] = [&file_id];
            let call = Call::new(routes::DOWNLOAD, &values).under(self.ticket);
            inner.caller.get_range(call, part.ciphertext.start, part.ciphertext_length()).await
        })
        .await
    }

    /// Signs that every byte verified, and keeps the receipt until the server has it. Owners give themselves
    /// none.
    async fn sign_receipt(&self) -> Result<Option<RawRecord>> {
        let inner = &self.signed_in.inner;
        if self.file.share.context().sender == inner.profile.user_id {
            tickets::close(&inner.device, &self.file)?;
            return Ok(None);
        }
        let log = inner.log().await;
        let receipt = receipt::sign(&log.signer(&inner.account)?, &self.file.share, now())?.into_raw();
        tickets::close_with_receipt(&inner.device, &self.file, self.ticket, &receipt)?;
        Ok(Some(receipt))
    }
}

impl Inner {
    /// The file under the ticket of an unfinished download of it, or under a new one.
    async fn open_under_ticket(
        &self,
        log: &sealpost_crypto::log::Log,
        file_id: FileId,
    ) -> Result<(TicketId, OpenFile)> {
        let begun = tickets::begun(&self.device, file_id)?;
        let ticket = begun.unwrap_or_else(TicketId::random);
        let view: FileView =
            self.caller.get(Call::new(routes::FILE, &[&file_id]).under(ticket)).await.map_err(not_for_us)?;
        let claimed = Claimed { file_id, ..Claimed::from(&view) };
        let file = self.open_file(log, &mut Pairs::default(), claimed).await?;
        tickets::begin(&self.device, &file, ticket)?;
        Ok((ticket, file))
    }

    async fn sender(&self, log: &sealpost_crypto::log::Log, file: &OpenFile) -> Result<Person> {
        let sender = file.share.context().sender;
        Directory::fetch(&self.caller, log).await?.person(sender).ok_or_else(|| {
            Error::verification("sender_unknown", "the server does not show who sent the file")
        })
    }

    /// The digests of all parts, held against the manifest before any part is fetched.
    async fn part_list(&self, file: &OpenFile, ticket: TicketId) -> Result<PartList> {
        let manifest = file.share.manifest();
        let layout = *manifest.layout();
        let mut digests: Vec<Digest> = Vec::with_capacity(layout.parts() as usize);
        while digests.len() < layout.parts() as usize {
            let query = PartsQuery { from: digests.len() as u32 };
            let (file_id, version) = (file.file_id(), file.version());
            let page: PartDigests = self
                .caller
                .query(Call::new(routes::PARTS, &[&file_id, &version]).under(ticket), &query)
                .await?;
            let before = digests.len();
            digests.extend(
                page.digests.0.chunks_exact(Digest::LEN).filter_map(|bytes| Digest::from_slice(bytes).ok()),
            );
            if digests.len() == before {
                break;
            }
        }
        Ok(PartList::verify(layout, digests, &manifest.get().digest)?)
    }

    /// Sends every receipt that is kept, the newest included. A server that can't be told now is told next time:
    /// the download succeeded either way.
    async fn deliver_receipts(&self, any: bool) -> bool {
        if !any {
            return true;
        }
        let Ok(outbox) = tickets::receipts(&self.device) else { return false };
        let mut all_sent = true;
        for waiting in outbox {
            let body = PostReceipt { receipt: waiting.receipt.clone() };
            let route = routes::POST_RECEIPT;
            let sent = self
                .caller
                .post_empty(Call::new(route, &[&waiting.file_id]).under(waiting.ticket), Some(&body))
                .await
                .is_ok();
            all_sent &= sent && tickets::receipt_sent(&self.device, &waiting).is_ok();
        }
        all_sent
    }
}

/// Why the server does not say: what does not exist and what is not ours look the same.
fn not_for_us(error: Error) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    let message = "there is no such file for you: it was not shared with you, or not any more, or has expired, \
                   or its downloads are used up";
    Error::new(ErrorKind::NotFound, "not_found", message)
        .with_hint("`sealpost shared` lists what you can download. Ask the sender to share it again.")
}
