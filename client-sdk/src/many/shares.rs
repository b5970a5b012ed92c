//! The shares of one group of files: what is missing, made together.

use std::collections::{BTreeMap, HashMap};

use sealpost_crypto::{
    email::EmailAddress,
    id::{FileId, UserId},
    log::Log,
    pair::PairState,
    vault::QueueKey,
};

use super::{
    Sent,
    small::{Stored, Way},
};
use crate::{
    deliver::{
        Delivered, Delivery, DeliveryStatus, already, is_for, is_missing, is_shared_already, standing,
    },
    directory::Directory,
    error::{Error, ErrorKind, Result},
    intent::Lookup,
    journal,
    list::ShareInfo,
    pairs::Pairs,
    share::{ShareOutcome, ShareStatus, Terms, check_terms},
    share_many::{Granted, Wanted},
    signed_in::Inner,
};

/// A share to be made, or why it can't be.
struct Grant {
    file: usize,
    recipient: usize,
    file_id: FileId,
    version: u64,
    email: EmailAddress,
    result: Result<UserId>,
    terms: Terms,
}

impl Inner {
    /// Shares files that are stored with their recipients.
    pub(super) async fn share_stored(
        &self,
        files: &[Delivery],
        stored: Vec<Result<Stored>>,
    ) -> Vec<Result<Sent>> {
        let shares = self.share_missing(files, &stored).await;
        let mut sent = Vec::with_capacity(files.len());
        for (at, (delivery, stored)) in files.iter().zip(stored).enumerate() {
            sent.push(stored.map(|stored| {
                let outcome = |(number, (email, _)): (usize, &(EmailAddress, Terms))| {
                    let result = match &shares {
                        Ok(results) => results.get(&(at, number)).cloned(),
                        Err(error) => Some(Err(error.clone())),
                    };
                    let lost = || Err(Error::internal("a share was not decided"));
                    ShareOutcome { email: email.clone(), result: result.unwrap_or_else(lost) }
                };
                let shares = delivery.recipients.iter().enumerate().map(outcome).collect();
                Sent { file: stored.file, shares }
            }));
        }
        sent
    }

    /// What became of each share, by the file's and the recipient's place.
    async fn share_missing(
        &self,
        files: &[Delivery],
        stored: &[Result<Stored>],
    ) -> Result<HashMap<(usize, usize), Result<ShareStatus>>> {
        if files.iter().all(|file| file.recipients.is_empty()) {
            return Ok(HashMap::new());
        }
        let log = self.ops_log().await?;
        let directory = Directory::fetch(&self.caller, &log).await?;
        let mut granted: BTreeMap<usize, Granted> = BTreeMap::new();
        let mut grants = Vec::new();
        let mut look = Look { inner: self, pairs: Pairs::default(), sent: HashMap::new() };
        let mut results = HashMap::new();
        for (file, (delivery, stored)) in files.iter().zip(stored).enumerate() {
            let Ok(stored) = stored else { continue };
            for (recipient, (email, terms)) in delivery.recipients.iter().enumerate() {
                let result = check_terms(terms).and_then(|()| self.recipient(&log, &directory, email));
                match result {
                    Ok(user_id)
                        if stored.granted.is_none() && look.is_live(&log, user_id, stored).await? =>
                    {
                        results.insert((file, recipient), Ok(ShareStatus::Shared(user_id)));
                    }
                    result => {
                        let (file_id, version) = (stored.file.file_id, stored.file.version);
                        let (email, terms) = (email.clone(), *terms);
                        grants.push(Grant { file, recipient, file_id, version, email, result, terms });
                    }
                }
            }
            if grants.iter().any(|grant| grant.file == file && grant.result.is_ok()) {
                granted.insert(file, look.granted(&log, stored).await?);
            }
        }
        drop(log);
        results.extend(self.make(&granted, grants).await?);
        Ok(results)
    }

    /// Makes shares, in few requests, and queues those to people who are not certified yet.
    async fn make(
        &self,
        granted: &BTreeMap<usize, Granted>,
        grants: Vec<Grant>,
    ) -> Result<Vec<((usize, usize), Result<ShareStatus>)>> {
        let mut wanted = Vec::new();
        for grant in &grants {
            if let (Ok(recipient), Some(file)) = (&grant.result, granted.get(&grant.file)) {
                wanted.push(Wanted { file, recipient: *recipient, terms: grant.terms });
            }
        }
        let mut made = self.share_all(&wanted).await?.into_iter();
        let lost = || Err(Error::internal("a share was not decided"));
        let (mut lookup, mut queued, mut outcomes) = (Lookup::default(), Vec::new(), Vec::new());
        for Grant { file, recipient, file_id, version, email, result, terms } in grants {
            let status = match result {
                Ok(_) => made.next().unwrap_or_else(lost).map(ShareStatus::Shared),
                Err(error) => {
                    let intent = self.intent(&mut lookup, version, &email, terms, error).await;
                    intent.map(|(user_id, grant)| {
                        queued.push((QueueKey { file_id, user_id }, grant));
                        ShareStatus::Queued(user_id)
                    })
                }
            };
            outcomes.push(((file, recipient), status));
        }
        if let Err(error) = self.queue(&queued).await {
            let waits =
                outcomes.iter_mut().filter(|(_, status)| matches!(status, Ok(ShareStatus::Queued(_))));
            waits.for_each(|(_, status)| *status = Err(error.clone()));
        }
        Ok(outcomes)
    }

    /// One group of deliveries; `None` for a file that was deleted since it was delivered.
    pub(super) async fn deliver_group(
        &self,
        deliveries: &[Delivery],
    ) -> Result<Vec<Option<Result<Delivered>>>> {
        let stored = self.store_small(deliveries, Way::Deliver).await?;
        let log = self.ops_log().await?;
        let directory = Directory::fetch(&self.caller, &log).await?;
        let mut pairs = Pairs::default();
        let mut granted: BTreeMap<usize, Granted> = BTreeMap::new();
        let mut outcomes: Vec<Option<Result<Delivered>>> = Vec::with_capacity(deliveries.len());
        for (at, (delivery, stored)) in deliveries.iter().zip(stored.files).enumerate() {
            let stored = match stored {
                Ok(stored) => stored,
                Err(error) => {
                    outcomes.push(Some(Err(error)));
                    continue;
                }
            };
            let (file_id, before) = (stored.file.file_id, stored.before);
            let (file, known) = match stored.granted {
                Some(file) => (file, Vec::new()),
                None => match self.shares_of(&log, &directory, &mut pairs, &stored).await {
                    Ok(known) => known,
                    Err(error) if error.kind() == ErrorKind::NotFound => {
                        journal::forget(&self.device, file_id).await?;
                        outcomes.push(None);
                        continue;
                    }
                    Err(error) => {
                        outcomes.push(Some(Err(error)));
                        continue;
                    }
                },
            };
            granted.insert(at, file);
            let recipients = standing(delivery, known, &self.queued_of(file_id).await?);
            outcomes.push(Some(Ok(Delivered { file_id: Some(file_id), before, recipients })));
        }
        let grants = missing(self, &log, &directory, deliveries, &outcomes, &granted);
        drop(log);
        for ((file, recipient), result) in self.make(&granted, grants).await? {
            if let Some(Some(Ok(delivered))) = outcomes.get_mut(file) {
                let outcome = &mut delivered.recipients[recipient];
                outcome.result = match result {
                    // Another device was first.
                    Err(error) if is_shared_already(&error) => {
                        self.told_already(&outcome.email, &granted[&file], error).await
                    }
                    result => result.map(DeliveryStatus::from),
                };
            }
        }
        Ok(outcomes)
    }

    /// A file that was uploaded before, with its shares.
    async fn shares_of(
        &self,
        log: &Log,
        directory: &Directory,
        pairs: &mut Pairs,
        stored: &Stored,
    ) -> Result<(Granted, Vec<ShareInfo>)> {
        let file = self.own_file_by(log, pairs, stored.file.file_id).await?;
        let shares = self.all_shares(log, directory, &file).await?;
        Ok((Granted::from(file), shares))
    }

    async fn told_already(
        &self,
        email: &EmailAddress,
        file: &Granted,
        error: Error,
    ) -> Result<DeliveryStatus> {
        let log = self.ops_log().await?;
        let directory = Directory::fetch(&self.caller, &log).await?;
        let file = self.own_file(&log, file.manifest.get().file_id).await?;
        let shares = self.all_shares(&log, &directory, &file).await?;
        shares.iter().rfind(|share| is_for(share, email)).map(already).ok_or(error)
    }
}

/// The shares that deliveries lack.
fn missing(
    inner: &Inner,
    log: &Log,
    directory: &Directory,
    deliveries: &[Delivery],
    outcomes: &[Option<Result<Delivered>>],
    granted: &BTreeMap<usize, Granted>,
) -> Vec<Grant> {
    let mut grants = Vec::new();
    for (file, (delivery, outcome)) in deliveries.iter().zip(outcomes).enumerate() {
        let (Some(Ok(delivered)), Some(granted)) = (outcome, granted.get(&file)) else { continue };
        let (file_id, version) = (granted.manifest.get().file_id, granted.manifest.get().version);
        let recipients = delivery.recipients.iter().zip(&delivered.recipients).enumerate();
        for (recipient, ((email, terms), outcome)) in recipients {
            if is_missing(outcome) {
                let result = check_terms(terms).and_then(|()| inner.recipient(log, directory, email));
                let (email, terms) = (email.clone(), *terms);
                grants.push(Grant { file, recipient, file_id, version, email, result, terms });
            }
        }
    }
    grants
}

/// What is looked up about files that were uploaded before.
struct Look<'a> {
    inner: &'a Inner,
    pairs: Pairs,
    sent: HashMap<UserId, PairState>,
}

impl Look<'_> {
    /// Whether the file is shared with this person.
    async fn is_live(&mut self, log: &Log, recipient: UserId, stored: &Stored) -> Result<bool> {
        if !self.sent.contains_key(&recipient) {
            self.sent.insert(recipient, self.inner.sent_pair(log, recipient).await?);
        }
        Ok(self.sent.get(&recipient).is_some_and(|pair| pair.live(stored.file.file_id).is_some()))
    }

    /// The file, verified.
    async fn granted(&mut self, log: &Log, stored: &Stored) -> Result<Granted> {
        match &stored.granted {
            Some(granted) => Ok(granted.clone()),
            None => Ok(self.inner.own_file_by(log, &mut self.pairs, stored.file.file_id).await?.into()),
        }
    }
}
