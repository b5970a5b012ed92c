//! Downloading (protocol §8): everything is verified before the first byte is fetched, every part before it is
//! opened, and nothing stands at the final path before the last byte is verified and the receipt is signed.

mod range;

use std::{
    io::SeekFrom,
    ops::Range,
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
    size::{Layout, PART_PLAINTEXT},
};
use tokio::{
    fs::File,
    io::{AsyncSeekExt, AsyncWrite},
    sync::OnceCell,
};

use crate::{
    content::{self, Opening},
    directory::{Directory, Person},
    error::{Error, ErrorKind, Result},
    file::{Claimed, OpenFile},
    log_sync,
    pairs::Pairs,
    progress::{Meter, OnProgress},
    server::Call,
    session::now,
    signed_in::{Inner, SignedIn},
    sink::{Overwrite, Sink},
    tickets,
};

/// How often a download begins again because the file was sealed anew meanwhile.
const RENEWALS: u32 = 3;

/// A file that is ready to be downloaded: sender, name and size are verified, its content is not fetched yet.
pub struct Download {
    signed_in: SignedIn,
    file: OpenFile,
    from: Person,
    ticket: TicketId,
    /// The list of parts, once it was fetched.
    opening: OnceCell<Opening>,
}

/// What a finished download left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Where the file is; `None` if it went to a writer.
    pub path: Option<PathBuf>,
    /// Which version it is: a newer one than was looked up, if the owner sealed the file anew meanwhile.
    pub version: u64,
    /// When the sender sealed that version, by their clock; UTC seconds.
    pub sealed_at: u64,
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
        Ok(Download { signed_in: self.clone(), file, from, ticket, opening: OnceCell::new() })
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

    /// Whether the sender has changed their keys since, and this device saw the share before.
    pub fn by_retired_key(&self) -> bool {
        self.file.is_retired()
    }

    /// The version of the file.
    pub fn version(&self) -> u64 {
        self.file.version()
    }

    /// When the sender sealed this version, by their clock; UTC seconds.
    pub fn sealed_at(&self) -> u64 {
        self.file.share.manifest().get().time
    }

    /// Downloads to `destination`. Until everything is verified only a temporary file stands beside it; after an
    /// interruption the same call goes on from what that file holds; so it does after this future was dropped. When the
    /// owner seals the file anew meanwhile, the newer version is verified and downloaded instead, from where this one was.
    pub async fn to_path(
        mut self,
        destination: &Path,
        overwrite: Overwrite,
        report: OnProgress<'_>,
    ) -> Result<Downloaded> {
        for _ in 0..RENEWALS {
            match self.to_path_once(destination, overwrite, report).await {
                Err(error) if is_outdated(&error) => self = self.renewed(error).await?,
                outcome => return outcome,
            }
        }
        self.to_path_once(destination, overwrite, report).await
    }

    /// The same file in the version that has taken this one's place; if there is none, `error` was right.
    async fn renewed(&self, error: Error) -> Result<Self> {
        let newest = self.signed_in.download(self.file.file_id()).await?;
        if newest.version() > self.version() { Ok(newest) } else { Err(error) }
    }

    async fn to_path_once(
        &self,
        destination: &Path,
        overwrite: Overwrite,
        report: OnProgress<'_>,
    ) -> Result<Downloaded> {
        let (file_id, version) = (self.file.file_id(), self.file.version());
        let (sink, mut file) = Sink::open(destination, overwrite, file_id, version).await?;
        if let Err(error) = self.fetch_into(&mut file, report).await {
            if error.kind() == ErrorKind::Verification {
                sink.discard().await;
            }
            return Err(error);
        }
        let receipt = self.sign_receipt().await?;
        let path = sink.finish().await?;
        let receipt_sent = self.signed_in.inner.deliver_receipts(receipt.is_some()).await;
        Ok(self.downloaded(Some(path), receipt_sent))
    }

    /// Downloads into `writer`, in order. Each part is verified before any of it is written; the receipt is
    /// signed after the last. When the future is dropped, the writer has the beginning, and there is no receipt.
    pub async fn to_writer<W: AsyncWrite + Unpin>(
        self,
        mut writer: W,
        report: OnProgress<'_>,
    ) -> Result<Downloaded> {
        let meter = Meter::new(self.size(), report);
        let opening = self.opening().await?;
        self.fetch(&mut writer, &opening, 0..opening.parts(), content::PARTS_IN_FLIGHT, &meter).await?;
        let receipt = self.sign_receipt().await?;
        let receipt_sent = self.signed_in.inner.deliver_receipts(receipt.is_some()).await;
        Ok(self.downloaded(None, receipt_sent))
    }

    fn downloaded(&self, path: Option<PathBuf>, receipt_sent: bool) -> Downloaded {
        let (version, sealed_at) = (self.version(), self.sealed_at());
        Downloaded { path, version, sealed_at, size: self.size(), receipt_sent }
    }

    /// Completes a file that may hold the beginning already.
    async fn fetch_into(&self, file: &mut File, report: OnProgress<'_>) -> Result<()> {
        let opening = self.opening().await?;
        let finished = content::count_finished(&mut *file, &opening).await?;
        let done = (u64::from(finished) * PART_PLAINTEXT).min(self.size());
        file.set_len(done).await.map_err(content::write_failed)?;
        file.seek(SeekFrom::Start(done)).await.map_err(content::write_failed)?;
        let meter = Meter::new(self.size(), report);
        meter.advance(done);
        self.fetch(&mut *file, &opening, finished..opening.parts(), content::ONE_AT_A_TIME, &meter).await?;
        file.sync_all().await.map_err(content::write_failed)
    }

    async fn opening(&self) -> Result<Opening> {
        let fetched = self.opening.get_or_try_init(|| async {
            let list = Arc::new(self.signed_in.inner.part_list(&self.file, Some(self.ticket)).await?);
            Ok(Opening { size: self.size(), list, keys: Arc::clone(&self.file.keys) })
        });
        fetched.await.cloned()
    }

    async fn fetch<W: AsyncWrite + Unpin>(
        &self,
        writer: W,
        opening: &Opening,
        parts: Range<u32>,
        in_flight: usize,
        meter: &Meter<'_>,
    ) -> Result<()> {
        let inner = &self.signed_in.inner;
        let (file_id, digest) = (self.file.file_id(), self.file.share.manifest().get().digest);
        content::open_all(writer, opening, parts, in_flight, meter, |part| async move {
            let values: [&(dyn std::fmt::Display + Sync); 1] = [&file_id];
            let call = Call::new(routes::DOWNLOAD, &values).under(self.ticket).of(digest);
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
    pub(crate) async fn part_list(&self, file: &OpenFile, ticket: Option<TicketId>) -> Result<PartList> {
        let manifest = file.share.manifest();
        let layout = *manifest.layout();
        let digests = self.part_digests(file.file_id(), file.version(), layout, ticket).await?;
        Ok(PartList::verify(layout, digests, &manifest.get().digest)?)
    }

    /// What the server says that the digests of the parts are; at most as many as the file has.
    pub(crate) async fn part_digests(
        &self,
        file_id: FileId,
        version: u64,
        layout: Layout,
        ticket: Option<TicketId>,
    ) -> Result<Vec<Digest>> {
        let parts = layout.parts() as usize;
        let mut digests: Vec<Digest> = Vec::with_capacity(parts);
        while digests.len() < parts {
            let query = PartsQuery { from: digests.len() as u32 };
            let values: [&(dyn std::fmt::Display + Sync); 2] = [&file_id, &version];
            let call = Call { ticket, ..Call::new(routes::PARTS, &values) };
            let page: PartDigests = self.caller.query(call, &query).await?;
            let page =
                page.digests.0.chunks_exact(Digest::LEN).filter_map(|bytes| Digest::from_slice(bytes).ok());
            let before = digests.len();
            digests.extend(page.take(parts - before));
            if digests.len() == before {
                break;
            }
        }
        Ok(digests)
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

/// Whether another version may have taken the place of the one that is downloaded.
fn is_outdated(error: &Error) -> bool {
    error.code() == "version_replaced" || error.kind() == ErrorKind::NotFound
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
