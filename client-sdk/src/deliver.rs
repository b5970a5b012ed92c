//! Deliveries that may be given again: a file is uploaded once for its content and note, and shared once with each
//! person, whatever interrupted the run before.

use std::path::PathBuf;

use sealpost_crypto::{email::EmailAddress, id::FileId};

use crate::{
    details::FileAccess,
    error::{Error, ErrorKind, Result},
    journal::{self, Before},
    list::ShareInfo,
    progress::OnProgress,
    queue::QueuedShare,
    share::{ShareStatus, Terms, check_terms},
    signed_in::SignedIn,
    source::Source,
    upload,
};

/// A file on disk, and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where it is.
    pub path: PathBuf,
    /// A note to all its recipients, or empty.
    pub note: String,
    /// Whom it is for, each on their own terms.
    pub recipients: Vec<(EmailAddress, Terms)>,
}

/// What became of a [`Delivery`].
#[derive(Debug)]
pub struct Delivered {
    /// The file; `None` if it would be a new one ([`SignedIn::foresee`]).
    pub file_id: Option<FileId>,
    /// What had been uploaded from the path before. [`Before::Same`]: nothing was uploaded.
    pub before: Before,
    /// One for each recipient, in their order.
    pub recipients: Vec<DeliveryOutcome>,
}

/// What became of one recipient of a [`Delivery`].
#[derive(Debug)]
pub struct DeliveryOutcome {
    /// Whom it was for.
    pub email: EmailAddress,
    /// How it stands, or why there is no share.
    pub result: Result<DeliveryStatus>,
}

/// How a delivery to one person stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// Shared now (or, foreseen: would be), on the terms given.
    Shared,
    /// Waits until the recipient is certified.
    Queued,
    /// Shared before, on these terms; it may have ended since. Nothing was done.
    Already(Box<ShareInfo>),
}

impl Delivery {
    /// Looks for everything that can be wrong with it on this side: the file can't be read or is no file, it is too
    /// large, name and note are too long, terms are unusable. Sends nothing.
    ///
    /// # Errors
    /// [`ErrorKind::LocalFile`], [`ErrorKind::InvalidInput`].
    pub async fn check(&self) -> Result<()> {
        self.recipients.iter().try_for_each(|(_, terms)| check_terms(terms))?;
        upload::check(&Source::open(&self.path).await?.describe(&self.note))
    }
}

impl SignedIn {
    /// Uploads the file, unless the same content was delivered from this path before with the same note; then
    /// shares it with everybody who does not have it yet. May be given again after an interruption of whatever
    /// kind: what was done is not done twice. A file that was deleted since is uploaded anew.
    ///
    /// # Errors
    /// As [`SignedIn::upload_path`] and [`SignedIn::share`], for what concerns all recipients.
    pub async fn deliver(&self, delivery: &Delivery, report: OnProgress<'_>) -> Result<Delivered> {
        let (before, file_id, known) = self.upload_for(delivery, report).await?;
        let queued = self.inner.queued_of(file_id).await?;
        let mut recipients = standing(delivery, known, &queued);
        for terms in missing_terms(delivery, &recipients) {
            self.share_missing(file_id, delivery, terms, &mut recipients).await?;
        }
        Ok(Delivered { file_id: Some(file_id), before, recipients })
    }

    /// What [`SignedIn::deliver`] would do. Changes nothing.
    ///
    /// # Errors
    /// As [`SignedIn::deliver`].
    pub async fn foresee(&self, delivery: &Delivery) -> Result<Delivered> {
        let mut before = self.inner.uploaded_before(&delivery.path, &delivery.note).await?;
        let known = match before {
            Before::Same(file_id) => self.known_shares(file_id).await?,
            _ => Some(Vec::new()),
        };
        if known.is_none() {
            before = Before::Nothing;
        }
        let file_id = if let Before::Same(file_id) = before { Some(file_id) } else { None };
        let mut recipients = standing(delivery, known.unwrap_or_default(), &[]);
        let emails: Vec<_> = recipients.iter().map(|outcome| outcome.email.clone()).collect();
        for (outcome, checked) in recipients.iter_mut().zip(self.check_recipients(&emails).await?) {
            if is_missing(outcome) {
                outcome.result = checked.map(DeliveryStatus::from);
            }
        }
        Ok(Delivered { file_id, before, recipients })
    }

    /// The file, and the shares that it has.
    async fn upload_for(
        &self,
        delivery: &Delivery,
        report: OnProgress<'_>,
    ) -> Result<(Before, FileId, Vec<ShareInfo>)> {
        let Delivery { path, note, .. } = delivery;
        let (before, file_id) = self.inner.upload_once(path, note, report).await?;
        if !matches!(before, Before::Same(_)) {
            return Ok((before, file_id, Vec::new()));
        }
        if let Some(shares) = self.known_shares(file_id).await? {
            return Ok((before, file_id, shares));
        }
        // Deleted, on another device perhaps.
        journal::forget(&self.inner.device, file_id).await?;
        let (before, file_id) = self.inner.upload_once(path, note, report).await?;
        Ok((before, file_id, Vec::new()))
    }

    /// The shares of a file of ours; `None` if it was deleted.
    async fn known_shares(&self, file_id: FileId) -> Result<Option<Vec<ShareInfo>>> {
        match self.file(file_id).await.map(|details| details.access) {
            Ok(FileAccess::Own(own)) => Ok(Some(own.shares)),
            Ok(FileAccess::Shared(_)) => Err(Error::internal("a file of ours is somebody else's")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Shares on these terms with everybody who is marked to get the file on them.
    async fn share_missing(
        &self,
        file_id: FileId,
        delivery: &Delivery,
        terms: Terms,
        recipients: &mut [DeliveryOutcome],
    ) -> Result<()> {
        let mut missing: Vec<_> = delivery
            .recipients
            .iter()
            .zip(recipients)
            .filter(|((_, wanted), outcome)| *wanted == terms && is_missing(outcome))
            .map(|(_, outcome)| outcome)
            .collect();
        let emails: Vec<_> = missing.iter().map(|outcome| outcome.email.clone()).collect();
        let shared = self.share(file_id, &emails, terms).await?;
        let elsewhere = shared.iter().any(|outcome| outcome.result.as_ref().is_err_and(is_shared_already));
        let known = if elsewhere { self.known_shares(file_id).await? } else { None };
        for (outcome, shared) in missing.iter_mut().zip(shared) {
            let share = known.iter().flatten().find(|share| is_for(share, &shared.email));
            outcome.result = match (shared.result, share) {
                (Err(error), Some(share)) if is_shared_already(&error) => Ok(already(share)),
                (result, _) => result.map(DeliveryStatus::from),
            };
        }
        Ok(())
    }
}

impl From<ShareStatus> for DeliveryStatus {
    fn from(status: ShareStatus) -> Self {
        match status {
            ShareStatus::Shared(_) => Self::Shared,
            ShareStatus::Queued(_) => Self::Queued,
        }
    }
}

/// How each recipient stands by the shares that the file has, and by those that wait: the newest share counts, and one of a
/// version that was replaced counts through the one that took its place.
pub(crate) fn standing(
    delivery: &Delivery,
    mut shares: Vec<ShareInfo>,
    queued: &[QueuedShare],
) -> Vec<DeliveryOutcome> {
    shares.retain(|share| !share.renewed && !share.replaced);
    shares.sort_by_key(|share| std::cmp::Reverse(share.shared_at));
    let outcome = |(email, _): &(EmailAddress, Terms)| {
        let share = shares.iter().find(|share| is_for(share, email));
        let status = match share {
            Some(share) => already(share),
            None if queued.iter().any(|queued| queued.email == email.as_str()) => DeliveryStatus::Queued,
            None => DeliveryStatus::Shared,
        };
        DeliveryOutcome { email: email.clone(), result: Ok(status) }
    };
    delivery.recipients.iter().map(outcome).collect()
}

pub(crate) fn is_for(share: &ShareInfo, email: &EmailAddress) -> bool {
    share.recipient.email == email.as_str()
}

pub(crate) fn already(share: &ShareInfo) -> DeliveryStatus {
    DeliveryStatus::Already(Box::new(share.clone()))
}

/// Another process was first.
pub(crate) fn is_shared_already(error: &Error) -> bool {
    error.code() == "already_shared"
}

/// The different terms on which somebody is still to get the file.
fn missing_terms(delivery: &Delivery, recipients: &[DeliveryOutcome]) -> Vec<Terms> {
    let mut different = Vec::new();
    for ((_, terms), outcome) in delivery.recipients.iter().zip(recipients) {
        if is_missing(outcome) && !different.contains(terms) {
            different.push(*terms);
        }
    }
    different
}

pub(crate) fn is_missing(outcome: &DeliveryOutcome) -> bool {
    matches!(outcome.result, Ok(DeliveryStatus::Shared))
}
