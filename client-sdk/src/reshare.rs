//! What was shared with an account that another one has replaced, shared anew with the new one: by the owner's wish
//! only, file by file (protocol §6).

use std::collections::HashSet;

use sealpost_crypto::{
    email::EmailAddress,
    id::{FileId, UserId},
    log::Log,
    pair::PairState,
};

use crate::{
    directory::{Directory, Person, Succession},
    error::{Error, ErrorKind, Result},
    list::{FileInfo, ShareInfo, info},
    session::now,
    share::Terms,
    signed_in::{Inner, SignedIn},
};

/// Somebody's new account, what it replaced, and what of ours only the old one could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The new account.
    pub new: Person,
    /// The accounts that it replaced, the newest first.
    pub old: Vec<UserId>,
    /// Who admitted the new one, and when.
    pub succession: Succession,
    /// Live shares to the old accounts that the new one does not have, by the files' names.
    pub shares: Vec<LostShare>,
}

/// A live share to an account that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostShare {
    /// The file.
    pub file: FileInfo,
    /// What is left of its terms.
    pub terms: Terms,
}

impl SignedIn {
    /// What of ours the person with this address has lost with an old account.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] (`not_replaced`) if their account replaced none; as [`SignedIn::share`] otherwise.
    pub async fn replacement(&self, email: &EmailAddress) -> Result<Replacement> {
        let inner = &self.inner;
        let log = inner.ops_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        let new = inner.recipient(&log, &directory, email)?;
        let old = replaced(&log, new);
        let (Some(person), Some(succession)) = (directory.person(new), directory.succession(&log, new))
        else {
            return Err(not_replaced(email));
        };
        // Of a file that several of the accounts had, the newest one's share counts, and what is left of that.
        let mut settled: HashSet<FileId> = live_files(&inner.sent_pair(&log, new).await?).collect();
        let mut shares = Vec::new();
        for account in &old {
            let lost = inner.sent_pair(&log, *account).await?;
            for file_id in live_files(&lost).filter(|file_id| settled.insert(*file_id)) {
                shares.extend(inner.lost_share(&log, &directory, file_id, *account).await?);
            }
        }
        inner.flush(&log).await?;
        shares.sort_by(|a, b| (&a.file.name, a.file.file_id).cmp(&(&b.file.name, b.file.file_id)));
        Ok(Replacement { new: person, old, succession, shares })
    }

    /// Shares one of these files with the new account, on what is left of the old terms.
    pub async fn reshare(&self, replacement: &Replacement, share: &LostShare) -> Result<()> {
        let inner = &self.inner;
        let email: EmailAddress = replacement.new.email.parse()?;
        let log = inner.ops_log().await?;
        let file = inner.own_file(&log, share.file.file_id).await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        if directory.resolve(&log, &email)? != replacement.new.user_id {
            let message = format!("{email} is another account now than the one that was looked at");
            return Err(Error::new(ErrorKind::Conflict, "account_changed", message)
                .with_hint("Look again: run the same command once more."));
        }
        drop(log);
        let _guard = inner.signing().await?;
        // By the same openings: should the address get yet another account meanwhile, it is not found.
        inner.share_with(&file, &directory, &email, share.terms).await?;
        inner.flush(&*inner.log().await).await
    }
}

impl Inner {
    /// The live share of a file to `recipient`, whose account has ended; `None` if nothing is left of it.
    async fn lost_share(
        &self,
        log: &Log,
        directory: &Directory,
        file_id: FileId,
        recipient: UserId,
    ) -> Result<Option<LostShare>> {
        let file = match self.own_file(log, file_id).await {
            // Deleted since.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            outcome => outcome?,
        };
        let shares = self.all_shares(log, directory, &file).await?;
        let live = shares
            .iter()
            .rfind(|share| share.recipient.user_id == recipient && !share.ended && !share.renewed);
        Ok(live.and_then(left).map(|terms| LostShare { file: info(&file), terms }))
    }
}

fn live_files(pair: &PairState) -> impl Iterator<Item = FileId> + '_ {
    pair.all_live().map(|(file_id, _)| file_id)
}

fn left(share: &ShareInfo) -> Option<Terms> {
    let downloads = share.limit.map(|limit| limit.saturating_sub(share.downloads));
    let over = downloads == Some(0) || share.expires_at.is_some_and(|time| time <= now());
    (!over).then_some(Terms { expires_at: share.expires_at, downloads })
}

/// The accounts that led to this one, each replaced by the next.
fn replaced(log: &Log, account: UserId) -> Vec<UserId> {
    let before = |account: &UserId| log.member(*account).and_then(|member| member.replaces);
    std::iter::successors(before(&account), before).collect()
}

fn not_replaced(email: &EmailAddress) -> Error {
    let message = format!("the account of {email} has replaced no other");
    Error::new(ErrorKind::NotFound, "not_replaced", message)
        .with_hint("Share files with them as with everybody: `sealpost share FILE_ID EMAIL`.")
}
