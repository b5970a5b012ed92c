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
    vault::PairKey,
};

use crate::{
    directory::Directory,
    error::{Error, ErrorKind, Result},
    file::{Claimed, OpenFile},
    outbox::Outgoing,
    pairs::Pairs,
    server::Call,
    session::now,
    signed_in::{Inner, SignedIn},
};

/// How often a record is signed for the next place after another of ours got in first.
pub(crate) const ATTEMPTS: u32 = 16;

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
    /// Their account, or why there is no share.
    pub result: Result<UserId>,
}

impl SignedIn {
    /// Shares one of our files. Each recipient succeeds or fails by themselves; the outer error is for what
    /// concerns all of them.
    pub async fn share(
        &self,
        file_id: FileId,
        recipients: &[EmailAddress],
        terms: Terms,
    ) -> Result<Vec<ShareOutcome>> {
        check_terms(&terms)?;
        let inner = &self.inner;
        let log = inner.ops_log().await?;
        let file = inner.own_file(&log, file_id).await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        drop(log);
        let _guard = inner.signing().await?;
        let mut outcomes = Vec::with_capacity(recipients.len());
        for email in recipients {
            let result = inner.share_with(&file, &directory, email, terms).await;
            outcomes.push(ShareOutcome { email: email.clone(), result });
        }
        inner.flush(&*inner.log().await).await?;
        Ok(outcomes)
    }

    /// Whether each of these people can be shared with now: if not, the error that [`SignedIn::share`] would give.
    /// The outer error is for what concerns all of them.
    pub async fn check_recipients(&self, emails: &[EmailAddress]) -> Result<Vec<Result<UserId>>> {
        let inner = &self.inner;
        let log = inner.ops_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        Ok(emails.iter().map(|email| inner.recipient(&log, &directory, email)).collect())
    }

    /// Ends the share of a file with one person. Whoever downloaded it may have kept a copy.
    pub async fn unshare(&self, file_id: FileId, recipient: &EmailAddress) -> Result<()> {
        let inner = &self.inner;
        let log = inner.ops_log().await?;
        inner.own_file(&log, file_id).await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        let user_id = directory.resolve(&log, recipient)?;
        if user_id == inner.profile.user_id {
            return Err(Error::invalid("a file's owner always has access to it"));
        }
        drop(log);
        let _guard = inner.signing().await?;
        inner.unshare_with(file_id, user_id, recipient).await?;
        inner.flush(&*inner.log().await).await
    }
}

impl Inner {
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
            return Err(Error::invalid(format!("{email} is your own address: the file is yours already")));
        }
        Ok(recipient)
    }

    pub(crate) async fn share_with(
        &self,
        file: &OpenFile,
        directory: &Directory,
        email: &EmailAddress,
        terms: Terms,
    ) -> Result<UserId> {
        for _ in 0..ATTEMPTS {
            let log = self.ops_log().await?;
            let recipient = self.recipient(&log, directory, email)?;
            let mut pair = self.sent_pair(&log, recipient).await?;
            let key = PairKey { sender: self.profile.user_id, recipient };
            let granted = (file.share.manifest(), &file.file_key);
            let (sealed, entry) = self.seal_share(&log, granted, recipient, &pair, terms)?;
            match self
                .send_pair_record(&key, Outgoing::Share { file_id: file.file_id(), share: sealed })
                .await
            {
                Ok(()) => {
                    self.advance(&mut pair, &entry).await?;
                    return Ok(recipient);
                }
                Err(error) if error.code() == "pair_conflict" => {}
                Err(error) => return Err(error),
            }
        }
        Err(too_many_conflicts())
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

    async fn unshare_with(&self, file_id: FileId, recipient: UserId, email: &EmailAddress) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let log = self.ops_log().await?;
            let mut pair = self.sent_pair(&log, recipient).await?;
            if pair.live(file_id).is_none() {
                let message = format!("the file is not shared with {email}");
                return Err(Error::new(ErrorKind::NotFound, "not_shared", message));
            }
            let (record, entry) = share::unshare(&log.ops_signer(&self.account)?, &pair, file_id, now())?;
            let outgoing = Outgoing::Unshare { file_id, record: record.into_raw() };
            let key = PairKey { sender: self.profile.user_id, recipient };
            match self.send_pair_record(&key, outgoing).await {
                Ok(()) => return self.advance(&mut pair, &entry).await,
                Err(error) if error.code() == "pair_conflict" => {}
                Err(error) => return Err(error),
            }
        }
        Err(too_many_conflicts())
    }

    async fn advance(&self, pair: &mut PairState, entry: &PairEntry) -> Result<()> {
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
        return Err(Error::invalid("the share would expire before it begins"));
    }
    if terms.downloads.is_some_and(|limit| limit == 0 || limit > MAX_DOWNLOAD_LIMIT) {
        return Err(Error::invalid(format!("a share allows 1 to {MAX_DOWNLOAD_LIMIT} downloads")));
    }
    Ok(())
}

pub(crate) fn too_many_conflicts() -> Error {
    Error::new(ErrorKind::Conflict, "pair_conflict", "other devices keep sharing with the same person")
        .with_hint("Run the same command again.")
}
