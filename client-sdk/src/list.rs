//! Lists: own files with their shares, files shared with us, receipts. An entry that does not verify is not
//! shown as a file; it is reported beside the others.

use sealpost_api::{
    file::{FileView, OwnFileView, ReceiptQuery, ReceiptView, ShareView},
    paging::{Page as ApiPage, PageQuery},
    routes,
};
use sealpost_crypto::{
    id::{FileId, UserId},
    log::{Log, Standing},
    manifest::VerifiedManifest,
    receipt::VerifiedReceipt,
    record::{self, RawRecord},
    records::{Share, ShareContext},
    share::{SealedShare, VerifiedShare},
};

use crate::{
    directory::{Directory, Person, Succession},
    error::{Error, Result},
    file::{Claimed, OpenFile, is_rotated},
    log_sync,
    pairs::Pairs,
    queue::QueuedShare,
    server::Call,
    signed_in::{Inner, SignedIn},
};

/// Entries asked for at one time: each comes with its sealed metadata and its shares.
const PAGE: u32 = 50;

/// One page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// Verified entries.
    pub items: Vec<T>,
    /// What the server listed and does not verify.
    pub rejected: Vec<Rejected>,
    /// Where the next page begins; `None` on the last.
    pub next_cursor: Option<String>,
}

/// An entry that is not shown, and why.
#[derive(Debug)]
pub struct Rejected {
    /// Which file the server said it is.
    pub file_id: FileId,
    /// What does not verify.
    pub error: Error,
}

/// What is known about a file once it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// The file.
    pub file_id: FileId,
    /// Its version.
    pub version: u64,
    /// Its name; any text.
    pub name: String,
    /// Exact size in bytes.
    pub size: u64,
    /// Media type, or empty.
    pub media_type: String,
    /// The owner's note, or empty.
    pub note: String,
    /// When the owner sealed it, by their clock; UTC seconds.
    pub sealed_at: u64,
}

/// One of our own files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    /// The file.
    pub file: FileInfo,
    /// With whom it is or was shared.
    pub shares: Vec<ShareInfo>,
    /// Whether there are more shares than these.
    pub more_shares: bool,
    /// Shares that wait until their recipients are certified.
    pub queued: Vec<QueuedShare>,
}

/// A share of one of our own files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareInfo {
    /// With whom.
    pub recipient: Person,
    /// Of which version of the file.
    pub version: u64,
    /// Whether it is of a version that a newer one has replaced: what is left of it is its receipt.
    pub replaced: bool,
    /// Whether that account has ended: nobody can use the share.
    pub recipient_ended: bool,
    /// Set if that account took the place of another one: who admitted it, and when.
    pub succession: Option<Succession>,
    /// When, by our clock; UTC seconds.
    pub shared_at: u64,
    /// When it ends; UTC seconds.
    pub expires_at: Option<u64>,
    /// How many downloads it allows.
    pub limit: Option<u64>,
    /// How many were begun, by the server's word.
    pub downloads: u64,
    /// Whether it was ended, by the server's word.
    pub ended: bool,
    /// Whether a fresh share took its place after keys were changed, by the server's word: that one counts.
    pub renewed: bool,
    /// When the recipient says that every byte arrived and verified: signed by them; UTC seconds.
    pub received_at: Option<u64>,
    /// Whether the key that signed so has been replaced or revoked since: then it may be backdated.
    pub receipt_by_retired_key: bool,
}

/// A file that somebody shared with us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFile {
    /// The file.
    pub file: FileInfo,
    /// Who sealed and signed it.
    pub from: Person,
    /// Whether they have left the organisation since: the file may be backdated.
    pub sender_left: bool,
    /// Whether they have changed their keys since, and this device saw the share before: it is as good as it was.
    pub by_retired_key: bool,
    /// When it was shared, by the sender's clock; UTC seconds.
    pub shared_at: u64,
    /// When the share ends; UTC seconds.
    pub expires_at: Option<u64>,
    /// How many downloads it allows.
    pub limit: Option<u64>,
    /// How many were begun, by the server's word.
    pub downloads: u64,
    /// Whether we gave a receipt.
    pub received: bool,
}

/// A recipient's signed statement that every byte of a file arrived and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptInfo {
    /// The file.
    pub file_id: FileId,
    /// Its version.
    pub version: u64,
    /// Its name.
    pub name: String,
    /// Who signed.
    pub recipient: Person,
    /// When, by their clock; UTC seconds.
    pub received_at: u64,
    /// Whether the keys that signed it are retired since, or their holder has left.
    pub by_retired_key: bool,
    /// The record as it was signed.
    pub record: RawRecord,
}

impl SignedIn {
    /// Our own files, newest first.
    pub async fn files(&self, cursor: Option<String>) -> Result<Page<OwnFile>> {
        again_if_behind(|| self.files_page(cursor.clone())).await
    }

    async fn files_page(&self, cursor: Option<String>) -> Result<Page<OwnFile>> {
        let inner = &self.inner;
        let log = inner.ops_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        let query = PageQuery { cursor, limit: Some(PAGE) };
        let page: ApiPage<OwnFileView> = inner.caller.query(Call::new(routes::FILES, &[]), &query).await?;
        let mut list = Listing::new(page.next_cursor);
        let mut pairs = Pairs::default();
        for view in page.items {
            let item = inner.own_item(&log, &mut pairs, &directory, &view).await;
            list.push(view.file.file_id, item);
        }
        inner.flush(&log).await?;
        Ok(list.page)
    }

    /// What was shared with us and can still be downloaded, newest first.
    pub async fn shared(&self, cursor: Option<String>) -> Result<Page<SharedFile>> {
        again_if_behind(|| self.shared_page(cursor.clone())).await
    }

    async fn shared_page(&self, cursor: Option<String>) -> Result<Page<SharedFile>> {
        let inner = &self.inner;
        let log = inner.member_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        let query = PageQuery { cursor, limit: Some(PAGE) };
        let page: ApiPage<FileView> =
            inner.caller.query(Call::new(routes::FILES_SHARED, &[]), &query).await?;
        let mut list = Listing::new(page.next_cursor);
        let mut pairs = Pairs::default();
        for view in page.items {
            let item = inner.shared_item(&log, &mut pairs, &directory, &view).await;
            list.push(view.file_id, item);
        }
        inner.flush(&log).await?;
        Ok(list.page)
    }

    /// Receipts for our own files, newest first; for one file if `file_id` names it.
    pub async fn receipts(
        &self,
        file_id: Option<FileId>,
        cursor: Option<String>,
    ) -> Result<Page<ReceiptInfo>> {
        again_if_behind(|| self.receipts_page(file_id, cursor.clone())).await
    }

    async fn receipts_page(
        &self,
        file_id: Option<FileId>,
        cursor: Option<String>,
    ) -> Result<Page<ReceiptInfo>> {
        let inner = &self.inner;
        let log = inner.ops_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        let query = ReceiptQuery { file_id, cursor, limit: Some(PAGE) };
        let page: ApiPage<ReceiptView> = inner.caller.query(Call::new(routes::RECEIPTS, &[]), &query).await?;
        let mut list = Listing::new(page.next_cursor);
        let mut pairs = Pairs::default();
        for view in page.items {
            let item = inner.receipt_item(&log, &mut pairs, &directory, &view).await;
            list.push(view.file_id, item);
        }
        inner.flush(&log).await?;
        Ok(list.page)
    }
}

/// As [`log_sync::again_if_behind`], for the entries of a page.
async fn again_if_behind<T, F>(attempt: impl Fn() -> F) -> Result<Page<T>>
where
    F: Future<Output = Result<Page<T>>>,
{
    let mut page = log_sync::again_if_behind(any_behind, attempt).await?;
    let entries = std::mem::take(&mut page.rejected).into_iter();
    page.rejected =
        entries.map(|entry| Rejected { error: log_sync::withheld(entry.error), ..entry }).collect();
    Ok(page)
}

fn any_behind<T>(page: &Result<Page<T>>) -> bool {
    page.as_ref().is_ok_and(|page| page.rejected.iter().any(|entry| log_sync::is_behind(&entry.error)))
}

/// A page while it is verified.
struct Listing<T> {
    page: Page<T>,
}

impl<T> Listing<T> {
    fn new(next_cursor: Option<String>) -> Self {
        Self { page: Page { items: Vec::new(), rejected: Vec::new(), next_cursor } }
    }

    fn push(&mut self, file_id: FileId, item: Result<T>) {
        match item {
            Ok(item) => self.page.items.push(item),
            Err(error) => self.page.rejected.push(Rejected { file_id, error }),
        }
    }
}

impl Inner {
    async fn own_item(
        &self,
        log: &Log,
        pairs: &mut Pairs,
        directory: &Directory,
        view: &OwnFileView,
    ) -> Result<OwnFile> {
        let file = self.open_file(log, pairs, Claimed::from(&view.file)).await?;
        if file.share.context().sender != self.profile.user_id {
            return Err(Error::verification("not_the_owner", "the server lists another's file as ours"));
        }
        let shares = self.share_infos(log, pairs, directory, &file, &view.shares).await?;
        let queued = self.queued_of(file.file_id()).await?;
        Ok(OwnFile { file: info(&file), shares, more_shares: view.shares_cursor.is_some(), queued })
    }

    /// Verifies shares of one of our own files, each by the manifest of its version, with their receipts.
    pub(crate) async fn share_infos(
        &self,
        log: &Log,
        pairs: &mut Pairs,
        directory: &Directory,
        file: &OpenFile,
        views: &[ShareView],
    ) -> Result<Vec<ShareInfo>> {
        let newest = file.share.manifest();
        let versions: Vec<u64> = views.iter().map(|view| version_of(&view.share)).collect::<Result<_>>()?;
        let earlier = match versions.iter().any(|version| *version < newest.get().version) {
            true => self.earlier_versions(log, newest).await?,
            false => Vec::new(),
        };
        let mut shares = Vec::with_capacity(views.len());
        for (view, version) in views.iter().zip(versions) {
            let manifest = std::iter::once(newest).chain(&earlier).find(|of| of.get().version == version);
            let unknown = "the server shows a share of a version that does not lead to the newest";
            let manifest = manifest.ok_or_else(|| Error::verification("version_chain", unknown))?;
            let share = self.own_share(log, pairs, &view.share, manifest.raw(), view.recipient).await?;
            let info = share_info(log, directory, newest, &share, view);
            shares.push(info.map_err(|error| self.keep_fork(log, error))?);
        }
        Ok(shares)
    }

    /// A share that we made. One by keys that we have rotated since must stand in our own history (§5.4, rule (b)).
    pub(crate) async fn own_share(
        &self,
        log: &Log,
        pairs: &mut Pairs,
        sealed: &SealedShare,
        manifest: &RawRecord,
        recipient: UserId,
    ) -> Result<VerifiedShare> {
        let verify = |seen| VerifiedShare::verify(sealed, manifest.clone(), log, recipient, seen);
        let error = match verify(false) {
            Err(error) if is_rotated(&error) => error,
            outcome => return outcome.map_err(|error| self.keep_fork(log, error.into())),
        };
        let share = verify(true).map_err(|error| self.keep_fork(log, error.into()))?;
        let ours = share.context().sender == self.profile.user_id;
        if ours && pairs.sent_counts(self, log, recipient, share.id()).await? {
            return Ok(share);
        }
        Err(error.into())
    }

    async fn shared_item(
        &self,
        log: &Log,
        pairs: &mut Pairs,
        directory: &Directory,
        view: &FileView,
    ) -> Result<SharedFile> {
        let file = self.open_file(log, pairs, Claimed::from(view)).await?;
        shared_file(log, directory, &file, view)
    }

    async fn receipt_item(
        &self,
        log: &Log,
        pairs: &mut Pairs,
        directory: &Directory,
        view: &ReceiptView,
    ) -> Result<ReceiptInfo> {
        let claimed = Claimed {
            file_id: view.file_id,
            version: view.manifest.claim::<sealpost_crypto::records::Manifest>()?.version,
            manifest: &view.manifest,
            metadata: &view.metadata,
            share: &view.own_share,
        };
        let file = self.open_own_version(log, pairs, claimed).await?;
        let recipient = view.receipt.claim::<sealpost_crypto::records::Receipt>()?.signer;
        let share = self.own_share(log, pairs, &view.share, &view.manifest, recipient).await?;
        let receipt = VerifiedReceipt::verify(view.receipt.clone(), &share, log);
        let receipt = receipt.map_err(|error| self.keep_fork(log, error.into()))?;
        Ok(ReceiptInfo {
            file_id: file.file_id(),
            version: file.version(),
            name: file.metadata.name.0.clone(),
            recipient: person(directory, recipient)?,
            received_at: receipt.get().time,
            by_retired_key: receipt.standing() != Standing::Current,
            record: receipt.raw().clone(),
        })
    }
}

/// A file that somebody shared with us, once it is opened.
pub(crate) fn shared_file(
    log: &Log,
    directory: &Directory,
    file: &OpenFile,
    view: &FileView,
) -> Result<SharedFile> {
    let context = file.share.context();
    let receipt =
        view.receipt.clone().map(|raw| VerifiedReceipt::verify(raw, &file.share, log)).transpose()?;
    Ok(SharedFile {
        from: person(directory, context.sender)?,
        sender_left: file.sender_left(),
        by_retired_key: file.is_retired(),
        shared_at: context.time,
        expires_at: some(context.expiry),
        limit: some(context.limit),
        downloads: view.downloads,
        received: receipt.is_some(),
        file: info(file),
    })
}

/// Which version a share claims to be of.
fn version_of(share: &SealedShare) -> Result<u64> {
    let claimed: Share = share.record.claim()?;
    Ok(record::parse::<ShareContext>(&claimed.context.0)?.version)
}

/// A verified share of one version of a file of ours, with its receipt.
fn share_info(
    log: &Log,
    directory: &Directory,
    newest: &VerifiedManifest,
    share: &VerifiedShare,
    view: &ShareView,
) -> Result<ShareInfo> {
    let receipt = view.receipt.clone().map(|raw| VerifiedReceipt::verify(raw, share, log)).transpose()?;
    let context = share.context();
    Ok(ShareInfo {
        recipient: person(directory, view.recipient)?,
        version: context.version,
        replaced: context.version < newest.get().version && view.unshare.is_none(),
        recipient_ended: log.active(view.recipient).is_none(),
        succession: directory.succession(log, view.recipient),
        shared_at: context.time,
        expires_at: some(context.expiry),
        limit: some(context.limit),
        downloads: view.downloads,
        ended: view.unshare.is_some(),
        renewed: view.renewed_by.is_some(),
        received_at: receipt.as_ref().map(|receipt| receipt.get().time),
        receipt_by_retired_key: receipt.is_some_and(|receipt| receipt.standing() != Standing::Current),
    })
}

/// What an opened file says about itself.
pub(crate) fn info(file: &OpenFile) -> FileInfo {
    FileInfo {
        file_id: file.file_id(),
        version: file.version(),
        name: file.metadata.name.0.clone(),
        size: file.metadata.size,
        media_type: file.metadata.media_type.0.clone(),
        note: file.metadata.note.0.clone(),
        sealed_at: file.share.manifest().get().time,
    }
}

fn person(directory: &Directory, user_id: UserId) -> Result<Person> {
    directory.person(user_id).ok_or_else(|| {
        Error::verification("person_unknown", "the server does not show whose account this is")
    })
}

/// Zero stands for "none" in records.
fn some(value: u64) -> Option<u64> {
    (value != 0).then_some(value)
}
