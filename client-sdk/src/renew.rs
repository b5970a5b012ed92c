//! After a rotation: what we share was signed by the keys before, and counts for nobody who has not seen it in time. Each
//! live share gets a fresh one under the new keys, on what is left of its terms (protocol §3.8).
//!
//! A fresh record leads to all before it in its pair (§5.4, rule (b)). So before one is signed, shares are ended that rotated
//! keys made and that no device of ours has seen count: somebody who has the old keys may have put them there, together
//! with the server. That goes for shares to others and for files among our own; and again before every signature, since the
//! server decides when it shows them.

use sealpost_api::{
    file::{OwnFileView, ShareView},
    paging::{Page as ApiPage, PageQuery},
    routes,
};
use sealpost_crypto::{
    id::{FileId, RecordId, UserId},
    pair::PairState,
    record::parse,
    records::{Share, ShareContext},
    vault::PairKey,
};

use crate::{
    directory::{Directory, Person},
    error::{Error, ErrorKind, Result},
    file::{Claimed, OpenFile},
    list::{FileInfo, Rejected, info},
    outbox::Outgoing,
    pairs::Pairs,
    server::Call,
    session::now,
    share::{OTHERS_SHARE, Terms},
    signed_in::{Inner, SignedIn},
};

const SHARE_CHANGED: &str = "share_changed";
/// How often a share is looked at again because another device of ours, or a download, was first.
const ATTEMPTS: u32 = 16;

/// Files asked for at one time.
const PAGE: u32 = 50;

/// What became of our shares after a rotation.
#[derive(Debug, Default)]
pub struct Renewal {
    /// Files of ours that were made our own again, under the new keys.
    pub files: u64,
    /// Shares to others that were made anew.
    pub shares: Vec<RenewedShare>,
    /// Shares, and files among our own, that were ended because our old keys signed them and none of our devices knew of
    /// them: share or upload again what you did share or upload.
    pub ended: Vec<EndedShare>,
    /// Files that do not verify; nothing of them was renewed.
    pub rejected: Vec<Rejected>,
}

/// A live share that was made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewedShare {
    /// The file.
    pub file: FileInfo,
    /// With whom.
    pub recipient: Person,
    /// What was left of its terms.
    pub terms: Terms,
}

/// A share that none of our devices knew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedShare {
    /// The file that it was of.
    pub file_id: FileId,
    /// With whom; ourselves, if the file stood among our own. Such a file is nobody's any more, and
    /// [`SignedIn::remove`] clears it away.
    pub recipient: Person,
}

impl SignedIn {
    /// Makes every live share of ours anew under the keys that we have now, if that was not done yet: ours to ourselves
    /// first. Interrupted, it goes on with the next call, from whichever device. Nothing to do is nothing sent, but for the
    /// vault.
    ///
    /// # Errors
    /// As [`SignedIn::share`]. A file that does not verify stands in no other's way: it is reported.
    pub async fn renew_shares(&self) -> Result<Renewal> {
        let (inner, mut renewal) = (&self.inner, Renewal::default());
        let generation = inner.profile.generation;
        if generation == 1 || !inner.log().await.is_active_ops(inner.profile.user_id) {
            return Ok(renewal);
        }
        if inner.vault().await?.vault().renewed >= generation {
            return Ok(renewal);
        }
        let log = inner.ops_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        drop(log);
        inner.end_unknown(&directory, &mut renewal).await?;
        let mut cursor = None;
        loop {
            let query = PageQuery { cursor, limit: Some(PAGE) };
            let page: ApiPage<OwnFileView> =
                inner.caller.query(Call::new(routes::FILES, &[]), &query).await?;
            for view in &page.items {
                inner.renew_file(&directory, view, &mut renewal).await?;
            }
            cursor = page.next_cursor;
            if cursor.is_none() || page.items.is_empty() {
                break;
            }
        }
        inner.flush(&*inner.log().await).await?;
        let mut vault = inner.vault().await?;
        vault.change(inner.access(), |vault| vault.renewed = vault.renewed.max(generation)).await?;
        Ok(renewal)
    }
}

impl Inner {
    /// Ends what rotated keys of ours shared with anybody and no device of ours has seen count.
    async fn end_unknown(&self, directory: &Directory, renewal: &mut Renewal) -> Result<()> {
        for person in directory.people() {
            let _guard = self.signing().await?;
            self.pair_to_renew(directory, person.user_id, renewal).await?;
        }
        Ok(())
    }

    /// What we shared with somebody, ready for the next record: nothing is in force there that only rotated keys vouch
    /// for. Called under the guard of signing.
    async fn pair_to_renew(
        &self,
        directory: &Directory,
        recipient: UserId,
        renewal: &mut Renewal,
    ) -> Result<PairState> {
        for _ in 0..ATTEMPTS {
            let (_, pair) = self.newest_sent_pair(&|_| Ok(recipient)).await?;
            let unknown: Vec<FileId> = pair.uncounted_live().collect();
            if unknown.is_empty() {
                return Ok(pair);
            }
            let person = known(directory, recipient)?;
            for file_id in unknown {
                self.unshare_with(file_id, recipient, &person.email.parse()?).await?;
                renewal.ended.push(EndedShare { file_id, recipient: person.clone() });
            }
        }
        Err(too_many_conflicts())
    }

    /// One file: our own access, then everybody else's.
    async fn renew_file(
        &self,
        directory: &Directory,
        view: &OwnFileView,
        renewal: &mut Renewal,
    ) -> Result<()> {
        let file_id = view.file.file_id;
        match self.try_renew_file(directory, view, renewal).await {
            Err(error) if error.kind() == ErrorKind::Verification => {
                renewal.rejected.push(Rejected { file_id, error });
                Ok(())
            }
            // Deleted meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    async fn try_renew_file(
        &self,
        directory: &Directory,
        view: &OwnFileView,
        renewal: &mut Renewal,
    ) -> Result<()> {
        let me = self.profile.user_id;
        let file = {
            let log = self.ops_log().await?;
            self.open_file(&log, &mut Pairs::default(), Claimed::from(&view.file)).await?
        };
        if file.share.context().sender != me {
            return Err(Error::verification("not_the_owner", "the server lists another's file as ours"));
        }
        if self.is_of_old_keys(&view.file.share.record)? {
            match self.renew_share(directory, &file, me, file.share.id(), Terms::default(), renewal).await {
                // Another device of ours was first.
                Err(error) if error.code() == SHARE_CHANGED => {}
                outcome => {
                    outcome?;
                    renewal.files += 1;
                }
            }
        }
        for view in self.share_views(file.file_id()).await? {
            if let Some(terms) = self.renew_view(directory, &file, &view, renewal).await? {
                let recipient = known(directory, view.recipient)?;
                renewal.shares.push(RenewedShare { file: info(&file), recipient, terms });
            }
        }
        Ok(())
    }

    /// Renews a share to somebody else if it is in force, by our own verified history too; on which terms.
    async fn renew_view(
        &self,
        directory: &Directory,
        file: &OpenFile,
        view: &ShareView,
        renewal: &mut Renewal,
    ) -> Result<Option<Terms>> {
        let old = view.share.record.id();
        let over = view.unshare.is_some() || view.renewed_by.is_some();
        if over || !self.is_of_old_keys(&view.share.record)? {
            return Ok(None);
        }
        let mut terms = left(&context(view)?, view.downloads);
        for _ in 0..ATTEMPTS {
            let Some(wanted) = terms else { return Ok(None) };
            let log = self.ops_log().await?;
            let pair = self.sent_pair(&log, view.recipient).await?;
            let in_force = log.active(view.recipient).is_some() && pair.live(file.file_id()) == Some(old);
            drop(log);
            if !in_force || !pair.counts(file.file_id()) {
                return Ok(None);
            }
            match self.renew_share(directory, file, view.recipient, old, wanted, renewal).await {
                Ok(()) => return Ok(Some(wanted)),
                // A download has begun meanwhile, or the share was ended.
                Err(error) if error.code() == SHARE_CHANGED => {
                    let views = self.share_views(file.file_id()).await?;
                    let now = views.iter().find(|view| view.share.record.id() == old);
                    let now = now.filter(|view| view.unshare.is_none() && view.renewed_by.is_none());
                    terms = now
                        .map(context)
                        .transpose()?
                        .and_then(|context| left(&context, now.map_or(0, |view| view.downloads)));
                }
                Err(error) => return Err(error),
            }
        }
        Err(too_many_conflicts())
    }

    /// Signs a fresh share in place of `old`, and sends it.
    async fn renew_share(
        &self,
        directory: &Directory,
        file: &OpenFile,
        recipient: UserId,
        old: RecordId,
        terms: Terms,
        renewal: &mut Renewal,
    ) -> Result<()> {
        let _guard = self.signing().await?;
        let key = PairKey { sender: self.profile.user_id, recipient };
        for _ in 0..ATTEMPTS {
            let mut pair = self.pair_to_renew(directory, recipient, renewal).await?;
            if pair.live(file.file_id()) != Some(old) {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    SHARE_CHANGED,
                    "the share is not in force any more",
                )
                .with_hint(
                    "Nothing was shared anew. `sealpost info FILE_ID` shows how the file is shared now.",
                ));
            }
            let log = self.log().await;
            let granted = (file.share.manifest(), &file.file_key);
            let (share, entry) = self.seal_share(&log, granted, recipient, &pair, terms)?;
            let outgoing = Outgoing::Share { file_id: file.file_id(), share, renews: Some(old) };
            match self.send_pair_record(&key, outgoing).await {
                Ok(()) => return self.advance(&mut pair, &entry).await,
                Err(error) if error.code() == "pair_conflict" => {}
                Err(error) => return Err(error),
            }
        }
        Err(too_many_conflicts())
    }

    /// Whether keys of ours made it that are not the current ones.
    fn is_of_old_keys(&self, record: &sealpost_crypto::record::RawRecord) -> Result<bool> {
        Ok(record.claim::<Share>()?.signer_bundle != self.account.bundle().id())
    }
}

/// Somebody whom the server shows to us.
fn known(directory: &Directory, user_id: UserId) -> Result<Person> {
    let unknown = || Error::verification("person_unknown", "the server does not show whose account this is");
    directory.person(user_id).ok_or_else(unknown)
}

fn context(view: &ShareView) -> Result<ShareContext> {
    Ok(parse(&view.share.record.claim::<Share>()?.context.0)?)
}

/// What is left of a share's terms; `None` if nothing is.
fn left(context: &ShareContext, downloads: u64) -> Option<Terms> {
    let some = |value: u64| (value != 0).then_some(value);
    let (expires_at, limit) = (some(context.expiry), some(context.limit));
    let downloads = limit.map(|limit| limit.saturating_sub(downloads));
    let over = downloads == Some(0) || expires_at.is_some_and(|time| time <= now());
    (!over).then_some(Terms { expires_at, downloads })
}

fn too_many_conflicts() -> Error {
    Error::new(ErrorKind::Conflict, "pair_conflict", OTHERS_SHARE).with_hint("Run the same command again.")
}
