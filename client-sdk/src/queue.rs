//! Shares to people who are not certified yet (protocol §6.6): intents in our vault, completed by whichever of our
//! sessions next sees the matching `certify`.

use std::sync::{Mutex, PoisonError};

use sealpost_crypto::{
    email::EmailAddress,
    id::{FileId, UserId},
    log::Log,
    pair::PairState,
    vault::{QueueKey, QueuedGrant, Vault},
};

use crate::{
    deliver::is_shared_already,
    error::{Error, ErrorKind, Result},
    file::OpenFile,
    session::now,
    share::{CANCELLED, Terms, Wish},
    signed_in::{Inner, SignedIn},
};

/// A share that waits until its recipient is certified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedShare {
    /// Whom it is for, as they were invited.
    pub email: String,
    /// Their account.
    pub user_id: UserId,
    /// When it was queued; UTC seconds.
    pub queued_at: u64,
    /// On which terms it will be shared.
    pub terms: Terms,
}

/// A queued share that waits no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The file.
    pub file_id: FileId,
    /// Its name; `None` if the file is gone, or was not looked at.
    pub name: Option<String>,
    /// What was queued.
    pub share: QueuedShare,
    /// What became of it.
    pub end: QueueEnd,
}

/// How a queued share ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueEnd {
    /// It was shared.
    Shared,
    /// Its own time ran out before the person was admitted.
    Expired,
    /// The file was deleted.
    FileGone,
    /// The person was admitted under another address or name than the share was meant for.
    OtherPerson,
    /// The account has ended.
    AccountEnded,
    /// It was shared, and perhaps ended again, by another way; or taken back on another device.
    Decided,
}

impl SignedIn {
    /// Completes queued shares whose recipients have been certified, all checks anew, and drops those that can't be
    /// completed any more. Every command of an Ops member does this in passing.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`] if something about one of them does not verify: it stays queued, and stands in no
    /// other's way.
    pub async fn complete_queued(&self) -> Result<Vec<Settled>> {
        let mut settled = Vec::new();
        let refused = self.inner.complete_queued(&mut settled).await?;
        refused.map_or(Ok(settled), Err)
    }
}

impl Inner {
    /// As [`SignedIn::complete_queued`]; what was settled before an error is in `settled`, and the first share that
    /// does not verify is returned.
    pub(crate) async fn complete_queued(&self, settled: &mut Vec<Settled>) -> Result<Option<Error>> {
        if !self.log().await.is_active_ops(self.profile.user_id) || self.waiting().await?.is_empty() {
            return Ok(None);
        }
        let is_ripe = {
            let log = self.ops_log().await?;
            let (log, now) = (&*log, now());
            self.waiting().await?.iter().any(|(key, grant)| is_ripe(log, key, grant, now))
        };
        if !is_ripe {
            return Ok(None);
        }
        let _guard = self.signing().await?;
        // Another device may have completed some, or taken them back.
        self.vault().await?.refresh(self.access()).await?;
        let mut refused = None;
        let outcome = self.settle_ripe(settled, &mut refused).await;
        self.forget_settled(settled).await?;
        self.flush(&*self.log().await).await?;
        outcome.map(|()| refused)
    }

    async fn settle_ripe(&self, settled: &mut Vec<Settled>, refused: &mut Option<Error>) -> Result<()> {
        for (key, grant) in self.waiting().await? {
            if !is_ripe(&*self.log().await, &key, &grant, now()) {
                continue;
            }
            match self.settle(&key, &grant).await {
                Ok((end, name)) => {
                    let share = queued_share(&key, &grant);
                    settled.push(Settled { file_id: key.file_id, name, share, end });
                }
                Err(error) if error.kind() == ErrorKind::Verification => {
                    refused.get_or_insert(error.context(&format!("a queued share to {}", grant.email)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Completes one, or says why it can't be; with the file's name if the file was looked at.
    async fn settle(&self, key: &QueueKey, grant: &QueuedGrant) -> Result<(QueueEnd, Option<String>)> {
        if is_over(grant, now()) {
            return Ok((QueueEnd::Expired, None));
        }
        let log = self.ops_log().await?;
        if log.member(key.user_id).is_some_and(|member| member.subject != grant.subject) {
            return Ok((QueueEnd::OtherPerson, None));
        }
        if log.active(key.user_id).is_none() {
            return Ok((QueueEnd::AccountEnded, None));
        }
        drop(log);
        let file = match self.newest_own_file(key.file_id).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((QueueEnd::FileGone, None)),
            outcome => outcome?,
        };
        if file.version() < grant.version {
            let message = "the server shows an older version of the file than the one to be shared";
            return Err(Error::verification("version_rollback", message));
        }
        let end = self.complete_one(key, grant, &file).await?;
        Ok((end, Some(file.metadata.name.0)))
    }

    async fn complete_one(&self, key: &QueueKey, grant: &QueuedGrant, file: &OpenFile) -> Result<QueueEnd> {
        let resolve = |log: &Log| match log.active(key.user_id) {
            Some(active) if active.member().subject == grant.subject => Ok(key.user_id),
            _ => Err(decided()),
        };
        // Whoever was not certified when the share was queued had no record of the file: one that is there now was
        // made since, and what the owner has done since counts (§6.6).
        let nothing_yet = PairState::new(self.profile.user_id, key.user_id);
        let wish = Wish { resolve: &resolve, terms: terms(grant), since: Some(nothing_yet) };
        match self.share_to(file, wish).await {
            Ok(_) => Ok(QueueEnd::Shared),
            Err(error) if is_cancelled(&error) || is_shared_already(&error) => Ok(QueueEnd::Decided),
            // Deleted at this moment.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(QueueEnd::FileGone),
            Err(error) => Err(error),
        }
    }

    /// Takes what was settled out of the vault. What another device has taken back at the same moment is ended.
    async fn forget_settled(&self, settled: &mut [Settled]) -> Result<()> {
        if settled.is_empty() {
            return Ok(());
        }
        let keys: Vec<QueueKey> = settled.iter().map(Settled::key).collect();
        let taken_back = Mutex::new(Vec::new());
        let forget = |vault: &mut Vault| {
            let mut taken_back = taken_back.lock().unwrap_or_else(PoisonError::into_inner);
            *taken_back = keys.iter().filter(|key| vault.dequeue(key)).copied().collect();
        };
        self.vault().await?.change(self.access(), forget).await?;
        let taken_back = taken_back.into_inner().unwrap_or_else(PoisonError::into_inner);
        for settled in settled.iter_mut().filter(|settled| settled.end == QueueEnd::Shared) {
            if taken_back.contains(&settled.key()) {
                let email: EmailAddress = settled.share.email.parse()?;
                match self.unshare_with(settled.file_id, settled.share.user_id, &email).await {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => settled.end = QueueEnd::Decided,
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn waiting(&self) -> Result<Vec<(QueueKey, QueuedGrant)>> {
        let vault = self.vault().await?;
        Ok(vault.vault().waiting().map(|(key, grant)| (*key, grant.clone())).collect())
    }
}

impl Settled {
    fn key(&self) -> QueueKey {
        QueueKey { file_id: self.file_id, user_id: self.share.user_id }
    }
}

/// Whether there is something to be done about it.
fn is_ripe(log: &Log, key: &QueueKey, grant: &QueuedGrant, now: u64) -> bool {
    log.member(key.user_id).is_some() || is_over(grant, now)
}

fn is_over(grant: &QueuedGrant, now: u64) -> bool {
    grant.expiry != 0 && grant.expiry <= now
}

fn terms(grant: &QueuedGrant) -> Terms {
    let some = |value: u64| (value != 0).then_some(value);
    Terms { expires_at: some(grant.expiry), downloads: some(grant.limit) }
}

pub(crate) fn queued_share(key: &QueueKey, grant: &QueuedGrant) -> QueuedShare {
    let (email, user_id) = (grant.email.clone(), key.user_id);
    QueuedShare { email, user_id, queued_at: grant.time, terms: terms(grant) }
}

fn decided() -> Error {
    Error::new(ErrorKind::Conflict, CANCELLED, "the recipient's account has changed meanwhile")
        .with_hint("Nothing was shared. Look whose account it is (`sealpost contacts`), then share again.")
}

/// What our own records say. The server's answers are of other kinds, whatever code they have.
fn is_cancelled(error: &Error) -> bool {
    error.kind() == ErrorKind::Conflict && error.code() == CANCELLED
}
