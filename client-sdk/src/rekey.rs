//! Sealing a file anew when a share ends (protocol §7.8): the next version, under a fresh key, goes live together with the
//! shares that go on.
//!
//! ```text
//! verify the newest version ─▶ journal with a fresh key ─▶ each part: fetch, verify, open, seal anew, send
//!                              ─▶ manifest, shares, unshares: kept, sent in one request ─▶ live; the old ciphertext goes
//! ```
//!
//! Content passes through memory only. What was interrupted, by whatever, goes on when it is asked for again: the source is
//! a version that was verified, so the same parts come out.

mod replace;
mod reseal;
mod running;

use std::collections::HashSet;

use sealpost_api::limits::MAX_SHARES_PER_REKEY;
use sealpost_crypto::{
    email::EmailAddress,
    id::{FileId, UserId},
    log::Log,
};

use crate::{
    directory::Directory,
    error::{Error, ErrorKind, Result},
    file::OpenFile,
    journal::{After, Journal, JournalName},
    progress::OnProgress,
    signed_in::{Inner, SignedIn},
    unshare::not_shared,
};
use running::Running;

/// What became of a file that was sealed anew for some people less.
#[derive(Debug)]
pub struct Rekeyed {
    /// The version that is live now.
    pub version: u64,
    /// Whether the file was sealed anew by this call. If not, none of the people had a key that opens it.
    pub sealed_anew: bool,
    /// One for each address, in the order given.
    pub recipients: Vec<UnshareOutcome>,
}

/// What became of the share to one person.
#[derive(Debug)]
pub struct UnshareOutcome {
    /// Whose it was.
    pub email: EmailAddress,
    /// Whether it has ended.
    pub result: Result<()>,
}

/// How one address stands to a file.
enum Standing {
    /// These accounts hold the key of the newest version, by shares that run or have ended.
    HasKey(Vec<UserId>),
    /// Whatever was shared with it, the file was sealed anew since; or the share was only queued, and is taken back.
    HasNoKey,
}

impl SignedIn {
    /// Ends the shares of a file with these people, also queued ones, and seals it anew under another key, so that the key
    /// they have opens nothing that the server keeps. Everybody else's share goes on, on the terms that it has. Whoever
    /// downloaded the file before may have kept a copy.
    ///
    /// Somebody whose share of this version has ended already still holds its key, so that the file is sealed anew for them,
    /// too. After an interruption of whatever kind the same call goes on.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such file of ours; [`ErrorKind::Conflict`] if another device seals it anew at
    /// this moment; [`ErrorKind::InvalidInput`] for a file with more shares than one request takes. Nothing has changed then.
    pub async fn unshare_rekeying(
        &self,
        file_id: FileId,
        recipients: &[EmailAddress],
        report: OnProgress<'_>,
    ) -> Result<Rekeyed> {
        let inner = &self.inner;
        let name = JournalName::of_file(file_id);
        let _guard = name.lock(&inner.device).await?;
        inner.settle_earlier().await?;
        let mut file = inner.newest_own_file(file_id).await?;
        let mut sealed_anew = false;
        let journal = match Journal::<After>::load(&inner.device, &inner.account.keys().vault, name)? {
            // It went live, and the answer was lost.
            Some(journal) if journal.file_key == file.file_key => {
                sealed_anew = true;
                journal.discard(&inner.device)?;
                None
            }
            Some(journal) if journal.source.follows(&file) => Some(journal),
            Some(journal) => {
                journal.discard(&inner.device)?;
                None
            }
            None => None,
        };
        let standings = inner.standings(&file, recipients).await?;
        let removed = key_holders(&standings);
        if !removed.is_empty() {
            inner.check_count(&file, &removed).await?;
            inner.rekey(&file, name, journal, &removed, report).await?;
            sealed_anew = true;
            file = inner.newest_own_file(file_id).await?;
        }
        inner.flush(&*inner.log().await).await?;
        let outcome = |(email, standing): (&EmailAddress, Result<Standing>)| UnshareOutcome {
            email: email.clone(),
            result: standing.map(|_| ()),
        };
        let recipients = recipients.iter().zip(standings).map(outcome).collect();
        Ok(Rekeyed { version: file.version(), sealed_anew, recipients })
    }
}

impl Inner {
    /// Records of an interrupted run that may have arrived, or not: they arrive before anything else is looked at.
    async fn settle_earlier(&self) -> Result<()> {
        let _guard = self.signing().await?;
        self.resend_replacement().await
    }

    /// How each address stands to the file. What is queued for it is taken back first, as when a share is ended.
    async fn standings(&self, file: &OpenFile, emails: &[EmailAddress]) -> Result<Vec<Result<Standing>>> {
        let mut was_queued = Vec::with_capacity(emails.len());
        for email in emails {
            was_queued.push(self.take_back(file.file_id(), email).await?);
        }
        let log = self.ops_log().await?;
        let directory = Directory::fetch(&self.caller, &log).await?;
        let shares = self.shares_ever(&log, file).await?;
        let standing = |(email, was_queued): (&EmailAddress, bool)| {
            if directory.has_address(self.profile.user_id, email) {
                return Err(Error::invalid("a file's owner always has access to it")
                    .with_hint("To end it for everybody, delete the file: `sealpost rm FILE_ID`."));
            }
            let theirs = shares.iter().filter(|share| directory.has_address(share.recipient, email));
            let mut holders = theirs.clone().filter(|share| share.is_newest).map(|share| share.recipient);
            match holders.next() {
                Some(first) => Ok(Standing::HasKey(std::iter::once(first).chain(holders).collect())),
                None if was_queued || theirs.count() > 0 => Ok(Standing::HasNoKey),
                None => self.explain_nothing(&log, &directory, email),
            }
        };
        Ok(emails.iter().zip(was_queued).map(standing).collect())
    }

    /// Nothing of the file was ever shared with an address.
    fn explain_nothing(&self, log: &Log, directory: &Directory, email: &EmailAddress) -> Result<Standing> {
        match directory.resolve(log, email) {
            Err(error) if error.kind() != ErrorKind::RecipientPending => Err(error),
            _ => Err(not_shared(email)),
        }
    }

    /// Before a large file is sealed anew for nothing.
    async fn check_count(&self, file: &OpenFile, removed: &HashSet<UserId>) -> Result<()> {
        let log = self.ops_log().await?;
        let goes_on = |share: &Running| share.goes_on(&log) && !removed.contains(&share.recipient);
        let count = self.running(&log, file).await?.into_iter().filter(goes_on).count() + removed.len();
        if count <= MAX_SHARES_PER_REKEY {
            return Ok(());
        }
        let message = format!(
            "the file is shared with {count} people; at most {MAX_SHARES_PER_REKEY} shares can move to a new key at once"
        );
        Err(Error::invalid(message).with_hint("End the share without a new key, or upload the file anew."))
    }

    /// Seals the file anew, and makes that live without these people.
    async fn rekey(
        &self,
        file: &OpenFile,
        name: JournalName,
        journal: Option<Journal<After>>,
        removed: &HashSet<UserId>,
        report: OnProgress<'_>,
    ) -> Result<()> {
        let journal = match journal {
            Some(journal) => journal,
            None => {
                let parts = file.share.manifest().layout().parts();
                let vault_key = &self.account.keys().vault;
                Journal::begin(&self.device, vault_key, name, After::new(file), file.file_id(), parts)?
            }
        };
        let (journal, next) = self.reseal(file, journal, report).await?;
        self.replace(file, &next, removed).await?;
        journal.discard(&self.device)
    }
}

/// Every account that holds the newest version's key.
fn key_holders(standings: &[Result<Standing>]) -> HashSet<UserId> {
    let holders = standings.iter().filter_map(|standing| match standing {
        Ok(Standing::HasKey(accounts)) => Some(accounts),
        _ => None,
    });
    holders.flatten().copied().collect()
}

/// Another device of ours is sealing the file anew, or has done so, since we looked.
fn overtaken() -> Error {
    let message = "another device of yours is sealing this file anew at the same time";
    Error::new(ErrorKind::Conflict, "rekey_overtaken", message)
        .with_hint("Run the same command again: the last one wins.")
}
