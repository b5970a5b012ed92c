//! Intents to share with people who are not certified yet, in our vault (protocol §6.6): made, listed, taken back. They
//! are completed in [`crate::queue`].

use sealpost_crypto::{
    email::EmailAddress,
    id::{FileId, UserId},
    opening::{Opening, ResolveError},
    vault::{QueueKey, QueuedGrant, Rest, Vault},
};

use crate::{
    error::{Error, ErrorKind, Result},
    offered::Offered,
    queue::{QueuedShare, queued_share},
    session::now,
    share::Terms,
    signed_in::Inner,
};

/// What is known of pending people while several of them are shared with.
#[derive(Default)]
pub(crate) struct Lookup(Option<Vec<Offered>>);

impl Inner {
    /// What waits of one file, by address.
    pub(crate) async fn queued_of(&self, file_id: FileId) -> Result<Vec<QueuedShare>> {
        let waiting = self.waiting().await?;
        let of_file = waiting.iter().filter(|(key, _)| key.file_id == file_id);
        let mut shares: Vec<_> = of_file.map(|(key, grant)| queued_share(key, grant)).collect();
        shares.sort_by(|a, b| a.email.cmp(&b.email));
        Ok(shares)
    }

    /// The intent to share a file with somebody who is not certified yet, or why it can't be one. `otherwise` is what
    /// they would be told if nobody had invited them.
    pub(crate) async fn intent(
        &self,
        lookup: &mut Lookup,
        file_version: u64,
        email: &EmailAddress,
        terms: Terms,
        otherwise: Error,
    ) -> Result<(UserId, QueuedGrant)> {
        let Some(opening) = self.pending_person(lookup, email, &otherwise).await? else {
            return Err(otherwise);
        };
        let grant = QueuedGrant {
            version: file_version,
            subject: opening.subject()?,
            expiry: terms.expires_at.unwrap_or(0),
            limit: terms.downloads.unwrap_or(0),
            time: now(),
            email: email.as_str().to_owned(),
            cancelled: false,
            rest: Rest::new(),
        };
        Ok((opening.user_id, grant))
    }

    /// Who is pending under an address: as we invited them ourselves, or as an active Ops member's OFFER says.
    pub(crate) async fn pending_person(
        &self,
        lookup: &mut Lookup,
        email: &EmailAddress,
        why: &Error,
    ) -> Result<Option<Opening>> {
        if !matches!(why.kind(), ErrorKind::RecipientPending | ErrorKind::RecipientUnknown) {
            return Ok(None);
        }
        let log = self.log().await;
        if let Some(opening) = self.invited_by_us(&log, email, UserId::ZERO).await?.into_iter().next() {
            return Ok(Some(opening));
        }
        // Only what the server itself calls pending is worth asking for.
        if why.kind() == ErrorKind::RecipientUnknown {
            return Ok(None);
        }
        if lookup.0.is_none() {
            lookup.0 = Some(self.offered(&log).await?);
        }
        let offered = lookup.0.iter().flatten();
        let mut found = offered.filter(|offered| offered.can_be_certified() && offered.is_to(email));
        let Some(first) = found.next() else { return Ok(None) };
        if found.any(|other| other.user_id() != first.user_id()) {
            return Err(ResolveError::Ambiguous.into());
        }
        Ok(Some(first.opening().clone()))
    }

    /// Queues shares, in one change of the vault.
    pub(crate) async fn queue(&self, grants: &[(QueueKey, QueuedGrant)]) -> Result<()> {
        if grants.is_empty() {
            return Ok(());
        }
        let queue = |vault: &mut Vault| {
            for (key, grant) in grants {
                vault.queue(*key, grant.clone());
            }
        };
        self.vault().await?.change(self.access(), queue).await
    }

    /// Takes back what is queued of a file to an address; whether anything was.
    pub(crate) async fn take_back(&self, file_id: FileId, email: &EmailAddress) -> Result<bool> {
        let mut vault = self.vault().await?;
        // Another device may have queued it.
        vault.refresh(self.access()).await?;
        let is_it =
            |key: &QueueKey, grant: &QueuedGrant| key.file_id == file_id && grant.email == email.as_str();
        let is_queued = vault.vault().waiting().any(|(key, grant)| is_it(key, grant));
        if is_queued {
            let now = now();
            vault.change(self.access(), |vault| vault.cancel(is_it, now)).await?;
        }
        Ok(is_queued)
    }

    /// Drops what is queued of a file that is gone.
    pub(crate) async fn drop_queued(&self, file_id: FileId) -> Result<()> {
        let mut vault = self.vault().await?;
        if vault.vault().queued.keys().any(|key| key.file_id == file_id) {
            vault.change(self.access(), |vault| vault.queued.retain(|key, _| key.file_id != file_id)).await?;
        }
        Ok(())
    }
}
