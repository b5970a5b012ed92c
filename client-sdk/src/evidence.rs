//! Evidence of deliveries (protocol §14): collected by whoever sent or received a file, verified before it is handed out,
//! and checked by people who have never seen the server.

use std::collections::HashMap;

use sealpost_api::{
    account::AccountView,
    file::{FileView, ReceiptQuery, ReceiptView, ShareView},
    limits::MAX_PAGE,
    paging::{Page, PageQuery},
    routes,
};
use sealpost_crypto::{
    email::EmailAddress,
    evidence::{self, Collected, CollectedDelivery, SameContent, Verdict},
    fork::{self, ProvenFork},
    id::{FileId, OrgId, RecordId},
    opening::Opening,
    record::{self, RawRecord},
    records::{Receipt, Share, ShareContext},
    secret::FileKey,
};
use tokio::io::{AsyncRead, AsyncReadExt};
use zeroize::Zeroizing;

use crate::{
    content,
    directory::Directory,
    error::{Error, ErrorKind, Result},
    file::{Claimed, OpenFile},
    log_sync, pages,
    pairs::Pairs,
    server::Call,
    signed_in::{Inner, SignedIn},
};

/// Bytes of a file that are compared at one time.
const PIECE: usize = 1024 * 1024;

/// Whether evidence holds the file key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disclosure {
    /// No: readers see that something was delivered, not what.
    Closed,
    /// Yes: readers see name, size and note, and can compare a file with what was delivered. Whoever has the ciphertext,
    /// the server above all, can read the content with it.
    FileKey,
}

/// Evidence that verified, ready to be handed on.
#[derive(Debug)]
pub struct Evidence {
    bytes: Zeroizing<Vec<u8>>,
    verdict: Verdict,
}

/// What a file of evidence turned out to be.
#[derive(Debug)]
pub enum Examined {
    /// Of a delivery.
    Delivery(Box<Verdict>),
    /// Of two histories that one server signed.
    Fork(Box<ProvenFork>),
}

impl Evidence {
    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it proves.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// Verifies a file of evidence offline, for whoever trusts `org_id`.
///
/// # Errors
/// [`ErrorKind::Verification`]: it proves nothing, whatever it says.
pub fn examine_evidence(bytes: &[u8], org_id: OrgId) -> Result<Examined> {
    if fork::is_proof(bytes) {
        return Ok(Examined::Fork(Box::new(fork::verify(bytes, org_id)?)));
    }
    Ok(Examined::Delivery(Box::new(evidence::verify(bytes, org_id)?)))
}

/// Compares `file` with what was delivered, a part at a time.
///
/// # Errors
/// [`ErrorKind::Verification`] if it is another file; [`ErrorKind::InvalidInput`] if the evidence does not disclose the
/// file key; [`ErrorKind::LocalFile`] if it can't be read.
pub async fn compare_with_evidence(
    verdict: &Verdict,
    mut file: impl AsyncRead + Unpin,
) -> Result<SameContent> {
    let mut check = verdict.content_check()?;
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    loop {
        match file.read(&mut piece).await.map_err(|error| content::unreadable(&error))? {
            0 => return Ok(check.finish()?),
            length => check.update(&piece[..length])?,
        }
    }
}

impl SignedIn {
    /// Evidence of what was delivered of one version of a file: as its owner to `recipient`, or to everybody it was ever
    /// shared with, ended shares too; as a recipient, to this account.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such file for us, or it was not shared with that person;
    /// [`ErrorKind::Verification`] if anything of it does not verify: then there is no evidence.
    pub async fn evidence(
        &self,
        file_id: FileId,
        recipient: Option<&EmailAddress>,
        disclosure: Disclosure,
    ) -> Result<Evidence> {
        let is_behind = |outcome: &Result<Evidence>| outcome.as_ref().is_err_and(log_sync::is_behind);
        let collect = || self.inner.collect_evidence(file_id, recipient, disclosure);
        log_sync::again_if_behind(is_behind, collect).await
    }
}

impl Inner {
    async fn collect_evidence(
        &self,
        file_id: FileId,
        recipient: Option<&EmailAddress>,
        disclosure: Disclosure,
    ) -> Result<Evidence> {
        let log = self.member_log().await?;
        let view: FileView = self.caller.get(Call::new(routes::FILE, &[&file_id])).await?;
        let claimed = Claimed { file_id, ..Claimed::from(&view) };
        let file = self.open_file(&log, &mut Pairs::default(), claimed).await?;
        let directory = Directory::fetch(&self.caller, &log).await?;
        let is_own = file.share.context().sender == self.profile.user_id;
        let deliveries = match is_own {
            true => self.sent(&directory, &file, recipient).await?,
            false => vec![received(&view, recipient, &self.profile.email)?],
        };
        if deliveries.is_empty() {
            return Err(not_shared());
        }
        let mut openings: Vec<Opening> = directory.openings().cloned().collect();
        openings.extend(self.own_opening(&directory).await?);
        let layout = *file.share.manifest().layout();
        let collected = Collected {
            openings,
            manifest: file.share.manifest().raw().clone(),
            metadata: view.metadata.0.clone(),
            parts: self.part_digests(file_id, file.version(), layout, None).await?,
            file_key: disclosed(&file.file_key, disclosure),
            deliveries,
        };
        let bytes = evidence::encode(&log, collected)?;
        let verdict = evidence::verify(&bytes, log.org_id()).map_err(Error::from);
        let verdict = verdict.map_err(|error| self.keep_fork(&log, error))?;
        self.flush(&log).await?;
        Ok(Evidence { bytes, verdict })
    }

    /// Every share of this version to others, or to one of them, with all receipts.
    async fn sent(
        &self,
        directory: &Directory,
        file: &OpenFile,
        recipient: Option<&EmailAddress>,
    ) -> Result<Vec<CollectedDelivery>> {
        let file_id = file.file_id();
        let fetch = |cursor| async move {
            let query = PageQuery { cursor, limit: Some(MAX_PAGE) };
            self.caller.query::<Page<ShareView>>(Call::new(routes::SHARES, &[&file_id]), &query).await
        };
        let mut receipts = self.receipts_by_share(file_id).await?;
        let mut deliveries = Vec::new();
        for view in pages::all(fetch).await? {
            let is_meant = recipient.is_none_or(|email| directory.has_address(view.recipient, email));
            if !is_meant || !is_of(&view, file)? {
                continue;
            }
            let mut all = receipts.remove(&view.share.record.id()).unwrap_or_default();
            all.extend(view.receipt);
            deliveries.push(CollectedDelivery { share: view.share, receipts: all });
        }
        Ok(deliveries)
    }

    async fn receipts_by_share(&self, file_id: FileId) -> Result<HashMap<RecordId, Vec<RawRecord>>> {
        let fetch = |cursor| async move {
            let query = ReceiptQuery { file_id: Some(file_id), cursor, limit: Some(MAX_PAGE) };
            self.caller.query::<Page<ReceiptView>>(Call::new(routes::RECEIPTS, &[]), &query).await
        };
        let mut by_share: HashMap<RecordId, Vec<RawRecord>> = HashMap::new();
        for view in pages::all(fetch).await? {
            let share = view.receipt.claim::<Receipt>()?.share;
            by_share.entry(share).or_default().push(view.receipt);
        }
        Ok(by_share)
    }

    /// Clients don't stand in the list that the server shows to Clients.
    async fn own_opening(&self, directory: &Directory) -> Result<Option<Opening>> {
        if directory.person(self.profile.user_id).is_some() {
            return Ok(None);
        }
        let view: AccountView = self.caller.get(Call::new(routes::ACCOUNT, &[])).await?;
        Ok(view.opening)
    }
}

/// Whether a share is of the very version that was opened.
fn is_of(view: &ShareView, file: &OpenFile) -> Result<bool> {
    let share: Share = view.share.record.claim()?;
    let context: ShareContext = record::parse(&share.context.0)?;
    Ok(context.manifest == file.share.manifest().id())
}

fn received(view: &FileView, recipient: Option<&EmailAddress>, me: &str) -> Result<CollectedDelivery> {
    if recipient.is_some_and(|email| email.as_str() != me) {
        return Err(Error::invalid("only the sender of a file can prove what others received")
            .with_hint("Leave --recipient out: the evidence is of what you received."));
    }
    Ok(CollectedDelivery { share: view.share.clone(), receipts: view.receipt.iter().cloned().collect() })
}

fn disclosed(key: &FileKey, disclosure: Disclosure) -> Option<&FileKey> {
    (disclosure == Disclosure::FileKey).then_some(key)
}

fn not_shared() -> Error {
    let message = "this version of the file was not shared with anybody that was asked for";
    Error::new(ErrorKind::NotFound, "not_shared", message)
        .with_hint("`sealpost info FILE_ID` shows with whom it was shared.")
}
