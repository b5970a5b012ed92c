//! Sharing a file with people, and ending a share (protocol §7).

use sealpost_api::{file::FileView, limits::MAX_DOWNLOAD_LIMIT, routes};
use sealpost_crypto::{
    email::EmailAddress,
    id::{FileId, UserId},
    log::Log,
    manifest::VerifiedManifest,
    pair::{PairEntry, PairState},
    secret::FileKey,
    share::{self, SealedShare, ShareRequest},
    vault::{PairKey, QueueKey, QueuedGrant},
};

use crate::{
    contention::Contention,
    deliver::is_shared_already,
    directory::Directory,
    error::{Error, ErrorKind, Result},
    file::{Claimed, OpenFile},
    intent::Lookup,
    log_sync,
    outbox::Outgoing,
    pairs::Pairs,
    server::Call,
    session::now,
    signed_in::{Inner, SignedIn},
};

/// How long and how often a share may be used. The server enforces it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// UTC seconds after which it ends; `None` for never.
    pub expires_at: Option<u64>,
    /// How many downloads; `None` for any number.
    pub downloads: Option<u64>,
}

/// What became of the share to one person.
#[derive(Debug)]
pub struct ShareOutcome {
    /// Whom it was for.
    pub email: EmailAddress,
    /// How it stands, or why there is no share.
    pub result: Result<ShareStatus>,
}

/// How a share to one person stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareStatus {
    /// It is in force, for this account.
    Shared(UserId),
    /// This account is not certified yet. The share waits in our vault; the next of our sessions that sees the
    /// account certified completes it ([`SignedIn::complete_queued`]).
    Queued(UserId),
}

/// Whom to share with, on which terms.
pub(crate) struct Wish<'a> {
    /// The recipient, by the newest log.
    pub resolve: &'a (dyn Fn(&Log) -> Result<UserId> + Sync),
    /// How the share ends.
    pub terms: Terms,
    /// The history of the pair in which there was nothing about the file: any record about it since stops the share.
    pub since: Option<PairState>,
}

/// Who is known, and what is to be queued for those who are not certified yet.
struct Later {
    directory: Directory,
    lookup: Lookup,
    queued: Vec<(QueueKey, QueuedGrant)>,
}

impl SignedIn {
    /// Shares one of our files. Each recipient succeeds or fails by themselves; the outer error is for what
    /// concerns all of them. For somebody who was invited and is not certified yet, the share is queued.
    pub async fn share(
        &self,
        file_id: FileId,
        recipients: &[EmailAddress],
        terms: Terms,
    ) -> Result<Vec<ShareOutcome>> {
        check_terms(&terms)?;
        let inner = &self.inner;
        let file = inner.newest_own_file(file_id).await?;
        let directory = Directory::fetch(&inner.caller, &*inner.log().await).await?;
        let _guard = inner.signing().await?;
        let mut outcomes = Vec::with_capacity(recipients.len());
        let mut later = Later { directory, lookup: Lookup::default(), queued: Vec::new() };
        for email in recipients {
            let result = inner.share_or_queue(&file, &mut later, email, terms).await;
            outcomes.push(ShareOutcome { email: email.clone(), result });
        }
        if let Err(error) = inner.queue(&later.queued).await {
            let is_queued =
                |outcome: &&mut ShareOutcome| matches!(outcome.result, Ok(ShareStatus::Queued(_)));
            outcomes.iter_mut().filter(is_queued).for_each(|outcome| outcome.result = Err(error.clone()));
        }
        inner.flush(&*inner.log().await).await?;
        Ok(outcomes)
    }

    /// How a share to each of these people would stand; or the error that [`SignedIn::share`] would give. The outer
    /// error is for what concerns all of them.
    pub async fn check_recipients(&self, emails: &[EmailAddress]) -> Result<Vec<Result<ShareStatus>>> {
        let inner = &self.inner;
        let log = inner.ops_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        let (mut lookup, mut checked) = (Lookup::default(), Vec::with_capacity(emails.len()));
        for email in emails {
            checked.push(match inner.recipient(&log, &directory, email) {
                Ok(user_id) => Ok(ShareStatus::Shared(user_id)),
                Err(error) => match inner.pending_person(&mut lookup, email, &error).await {
                    Ok(Some(opening)) => Ok(ShareStatus::Queued(opening.user_id)),
                    Ok(None) => Err(error),
                    Err(other) => Err(other),
                },
            });
        }
        Ok(checked)
    }
}

impl Inner {
    /// One of our own files, verified against the newest log.
    pub(crate) async fn newest_own_file(&self, file_id: FileId) -> Result<OpenFile> {
        let is_behind = |file: &Result<OpenFile>| file.as_ref().is_err_and(log_sync::is_behind);
        let newest = || async { self.own_file(&*self.ops_log().await?, file_id).await };
        log_sync::again_if_behind(is_behind, newest).await
    }

    /// One of our own files, verified.
    pub(crate) async fn own_file(&self, log: &Log, file_id: FileId) -> Result<OpenFile> {
        self.own_file_by(log, &mut Pairs::default(), file_id).await
    }

    /// The same for who looks at several: their common history is synced once.
    pub(crate) async fn own_file_by(
        &self,
        log: &Log,
        pairs: &mut Pairs,
        file_id: FileId,
    ) -> Result<OpenFile> {
        let view: Result<FileView> = self.caller.get(Call::new(routes::FILE, &[&file_id])).await;
        let view =
            view.map_err(|error| if error.kind() == ErrorKind::NotFound { not_ours() } else { error })?;
        let claimed = Claimed { file_id, ..Claimed::from(&view) };
        let file = self.open_file(log, pairs, claimed).await?;
        if file.share.context().sender == self.profile.user_id {
            return Ok(file);
        }
        Err(not_ours())
    }

    /// Somebody else, active.
    pub(crate) fn recipient(&self, log: &Log, directory: &Directory, email: &EmailAddress) -> Result<UserId> {
        let recipient = directory.resolve(log, email)?;
        if recipient == self.profile.user_id {
            let message = format!("{email} is your own address: the file is yours already");
            return Err(Error::invalid(message).with_hint("Name somebody else."));
        }
        Ok(recipient)
    }

    async fn share_or_queue(
        &self,
        file: &OpenFile,
        later: &mut Later,
        email: &EmailAddress,
        terms: Terms,
    ) -> Result<ShareStatus> {
        let error = match self.share_with(file, &later.directory, email, terms).await {
            Ok(user_id) => return Ok(ShareStatus::Shared(user_id)),
            Err(error) => error,
        };
        match self.intent(&mut later.lookup, file.version(), email, terms, error).await {
            Ok((user_id, grant)) => {
                later.queued.push((QueueKey { file_id: file.file_id(), user_id }, grant));
                Ok(ShareStatus::Queued(user_id))
            }
            // Perhaps they have been certified at this moment.
            Err(error) if error.kind() == ErrorKind::RecipientPending => {
                later.directory = Directory::fetch(&self.caller, &*self.ops_log().await?).await?;
                self.share_with(file, &later.directory, email, terms).await.map(ShareStatus::Shared)
            }
            Err(error) => Err(error),
        }
    }

    /// Shares with whoever has this address, by verified openings.
    pub(crate) async fn share_with(
        &self,
        file: &OpenFile,
        directory: &Directory,
        email: &EmailAddress,
        terms: Terms,
    ) -> Result<UserId> {
        let resolve = |log: &Log| self.recipient(log, directory, email);
        self.share_to(file, Wish { resolve: &resolve, terms, since: None }).await
    }

    /// Shares, unless the owner has decided otherwise on another device: whoever loses a place fetches what holds it,
    /// verifies it, and looks again at what was wanted (§5.5).
    pub(crate) async fn share_to(&self, file: &OpenFile, wish: Wish<'_>) -> Result<UserId> {
        let Wish { resolve, terms, mut since } = wish;
        let stops_at_any = since.is_some();
        let mut races = Contention::default();
        loop {
            let (log, pair) = self.newest_sent_pair(resolve).await?;
            let mut pair = Self::to_sign(pair)?;
            let recipient = pair.recipient();
            if let Some(before) = since.take().filter(|before| before.recipient() == recipient) {
                let news = self.pair_between(&log, before, &pair).await?;
                let of_file = |entry: &&PairEntry| entry.file_id() == file.file_id();
                if news.iter().filter(of_file).any(|entry| stops_at_any || entry.is_unshare()) {
                    return Err(cancelled());
                }
            }
            let key = PairKey { sender: self.profile.user_id, recipient };
            let granted = (file.share.manifest(), &file.file_key);
            let (sealed, entry) = self.seal_share(&log, granted, recipient, &pair, terms)?;
            drop(log);
            let outgoing = Outgoing::Share { file_id: file.file_id(), share: sealed, renews: None };
            match self.send_pair_record(&key, outgoing).await {
                Ok(()) => {
                    self.advance(&mut pair, &entry).await?;
                    return Ok(recipient);
                }
                Err(error) if error.code() == "pair_conflict" => {
                    races.lost("pair_conflict", OTHERS_SHARE).await?
                }
                Err(error) if is_shared_already(&error) => {
                    return Err(self.shared_before(pair, file.file_id(), error).await?);
                }
                Err(error) => return Err(error),
            }
            since = Some(pair);
        }
    }

    /// What to say when the server calls a file shared already that was not in `before`: our own records decide.
    async fn shared_before(&self, before: PairState, file_id: FileId, said: Error) -> Result<Error> {
        let recipient = before.recipient();
        let (log, now) = self.newest_sent_pair(&|_| Ok(recipient)).await?;
        if now.live(file_id).is_some() {
            return Ok(said);
        }
        // Another device may have shared it and ended that again at this moment.
        let news = self.pair_between(&log, before, &now).await?;
        let was_shared = news.iter().any(|entry| entry.file_id() == file_id);
        Ok(if was_shared { cancelled() } else { unproven() })
    }

    pub(crate) fn seal_share(
        &self,
        log: &Log,
        (manifest, file_key): (&VerifiedManifest, &FileKey),
        recipient: UserId,
        pair: &PairState,
        terms: Terms,
    ) -> Result<(SealedShare, PairEntry)> {
        let recipient =
            log.active(recipient).ok_or_else(|| Error::internal("the recipient is not active"))?;
        let request = ShareRequest {
            manifest,
            file_key,
            recipient,
            pair,
            expiry: terms.expires_at.unwrap_or(0),
            limit: terms.downloads.unwrap_or(0),
            time: now(),
        };
        Ok(share::seal(&log.ops_signer(&self.account)?, &request)?)
    }

    pub(crate) async fn advance(&self, pair: &mut PairState, entry: &PairEntry) -> Result<()> {
        pair.apply(entry)?;
        let key = PairKey { sender: pair.sender(), recipient: pair.recipient() };
        self.pin_pair(&key, pair).await
    }
}

pub(crate) fn not_ours() -> Error {
    Error::new(ErrorKind::NotFound, "not_found", "you have no file with this id")
        .with_hint("Only a file's owner shares or deletes it. `sealpost ls` lists your files.")
}

pub(crate) fn check_terms(terms: &Terms) -> Result<()> {
    if terms.expires_at.is_some_and(|time| time <= now()) {
        return Err(Error::invalid("the share would expire before it begins")
            .with_hint("Give a later time, or none for a share that does not expire."));
    }
    if terms.downloads.is_some_and(|limit| limit == 0 || limit > MAX_DOWNLOAD_LIMIT) {
        return Err(Error::invalid(format!("a share allows 1 to {MAX_DOWNLOAD_LIMIT} downloads"))
            .with_hint("Give a number in between, or none for any number of downloads."));
    }
    Ok(())
}

/// That a file is shared already, our own records say, or nobody.
pub(crate) fn unproven() -> Error {
    Error::verification(
        "share_unproven",
        "the server says that the file is shared with them already, and does not show the share",
    )
}

/// Code of a share that the owner has decided against on another device, or whose recipient has changed.
pub(crate) const CANCELLED: &str = "share_cancelled";
/// Why a race for a place in a pair was lost too often.
pub(crate) const OTHERS_SHARE: &str = "other devices keep sharing with the same person";

pub(crate) fn cancelled() -> Error {
    let message = "another device of yours ended the share of this file at the same moment";
    Error::new(ErrorKind::Conflict, CANCELLED, message)
        .with_hint("Nothing was shared. If it is still wanted, run the same command again.")
}
