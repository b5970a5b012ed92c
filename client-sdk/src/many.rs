//! Many files in few requests. Small ones are created together and shared together; large ones go by parts, between
//! them, in the order given. What was done is told as soon as it is known, and nothing is done twice: given again after
//! an interruption, the same call completes what is missing.

mod groups;
mod shares;
mod small;

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicU64, Ordering},
};

use sealpost_crypto::{device::Fingerprint, id::Digest};

pub(crate) use self::small::Way;
use self::{
    groups::{Group, groups},
    small::Stored,
};
use crate::{
    deliver::{Delivered, Delivery},
    error::Result,
    journal::{self, Before, JournalName},
    progress::{OnProgress, Progress},
    share::ShareOutcome,
    signed_in::{Inner, SignedIn},
    upload::{Again, Uploaded},
};

/// A file that was uploaded, and what became of its shares.
#[derive(Debug)]
pub struct Sent {
    /// The file.
    pub file: Uploaded,
    /// One for each recipient, in their order.
    pub shares: Vec<ShareOutcome>,
}

/// Called with each file's place in the list and what became of it, in order. To break ends the call; of files that
/// were not told of, some may have been uploaded: the same call given again completes them.
pub type OnDone<'a, T> = &'a mut (dyn FnMut(usize, Result<T>) -> ControlFlow<()> + Send);

impl SignedIn {
    /// Uploads files on disk, and shares each with its recipients, small ones many in one request. After an
    /// interruption of whatever kind, or when some failed, the same call goes on: files that the call before has
    /// uploaded and that have not changed since are not uploaded again, and only shares that are missing are made.
    ///
    /// # Errors
    /// For each file as [`SignedIn::upload_path`]; for each recipient as [`SignedIn::share`]. The outer error is for
    /// what concerns all of them.
    pub async fn upload_many(
        &self,
        files: &[Delivery],
        again: Again,
        report: OnProgress<'_>,
        done: OnDone<'_, Sent>,
    ) -> Result<()> {
        let inner = &self.inner;
        drop(inner.ops_log().await?);
        let run = inner.run(files);
        let well = inner.upload_groups(files, Way::Upload { again, run: Some(run) }, report, done).await?;
        inner.flush_after(well).await?;
        if well { journal::end_run(&inner.device, run).await } else { Ok(()) }
    }

    /// [`SignedIn::deliver`] of many, small files many in one request: each is uploaded unless the same content was
    /// delivered from its path before with the same note, and shared with everybody who does not have it yet.
    ///
    /// # Errors
    /// For each file as [`SignedIn::deliver`]. The outer error is for what concerns all of them.
    pub async fn deliver_many(
        &self,
        deliveries: &[Delivery],
        report: OnProgress<'_>,
        done: OnDone<'_, Delivered>,
    ) -> Result<()> {
        let inner = &self.inner;
        drop(inner.ops_log().await?);
        let well = self.deliver_groups(deliveries, report, done).await?;
        inner.flush_after(well).await
    }

    /// Whether everything went well.
    async fn deliver_groups(
        &self,
        deliveries: &[Delivery],
        report: OnProgress<'_>,
        done: OnDone<'_, Delivered>,
    ) -> Result<bool> {
        let groups = groups(&self.inner.device, deliveries).await?;
        let overall = Overall::new(&groups, report);
        let mut well = true;
        for group in &groups {
            let outcomes = if group.is_small() {
                self.deliver_small(&deliveries[group.files()]).await
            } else {
                let delivery = &deliveries[group.files().start];
                vec![self.deliver(delivery, &overall.part()).await]
            };
            well &= outcomes.iter().all(Result::is_ok);
            if overall.tell(group, outcomes, done).is_break() {
                return Ok(false);
            }
        }
        Ok(well)
    }

    async fn deliver_small(&self, deliveries: &[Delivery]) -> Vec<Result<Delivered>> {
        let mut outcomes = match self.inner.deliver_group(deliveries).await {
            Ok(outcomes) => outcomes,
            Err(error) => return deliveries.iter().map(|_| Err(error.clone())).collect(),
        };
        for (delivery, outcome) in deliveries.iter().zip(&mut outcomes) {
            if outcome.is_none() {
                // Deleted, on another device perhaps: uploaded anew.
                *outcome = Some(self.deliver(delivery, &|_| {}).await);
            }
        }
        outcomes.into_iter().flatten().collect()
    }
}

impl Inner {
    /// Names a call with these arguments; without the terms, whose ends lie elsewhere each time.
    fn run(&self, files: &[Delivery]) -> Digest {
        let mut run = Fingerprint::new(&self.account.keys().vault);
        let mut add = |text: &[u8]| {
            run.update(&(text.len() as u64).to_be_bytes());
            run.update(text);
        };
        for file in files {
            add(JournalName::of(&file.path).digest().as_bytes());
            add(file.note.as_bytes());
            add(&(file.recipients.len() as u64).to_be_bytes());
            file.recipients.iter().for_each(|(email, _)| add(email.as_str().as_bytes()));
        }
        run.finish()
    }

    /// Makes what was pinned durable in the vault. After a failure that was told, that this fails too is no news: the
    /// device has the pins, and the next call takes them to the vault.
    async fn flush_after(&self, well: bool) -> Result<()> {
        let flushed = self.flush(&*self.log().await).await;
        if well { flushed } else { Ok(()) }
    }

    /// Whether everything went well.
    async fn upload_groups(
        &self,
        files: &[Delivery],
        way: Way,
        report: OnProgress<'_>,
        done: OnDone<'_, Sent>,
    ) -> Result<bool> {
        let groups = groups(&self.device, files).await?;
        let overall = Overall::new(&groups, report);
        let mut well = true;
        for group in &groups {
            let of_group = &files[group.files()];
            let outcomes = if group.is_small() {
                self.send_small(of_group, way).await
            } else {
                self.send_large(of_group, way, &overall.part()).await
            };
            well &= outcomes.iter().all(is_well);
            if overall.tell(group, outcomes, done).is_break() {
                return Ok(false);
            }
        }
        Ok(well)
    }

    async fn send_small(&self, files: &[Delivery], way: Way) -> Vec<Result<Sent>> {
        match self.store_small(files, way).await {
            Ok(stored) => self.share_stored(files, stored.files).await,
            Err(error) => files.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn send_large(&self, files: &[Delivery], way: Way, report: OnProgress<'_>) -> Vec<Result<Sent>> {
        let mut stored = Vec::with_capacity(files.len());
        for Delivery { path, note, .. } in files {
            let (again, run) = match way {
                Way::Upload { again, run } => (again, run),
                Way::Deliver => (Again::Refuse, None),
            };
            let uploaded = self.upload_by_parts(path, note, again, run, report).await;
            stored.push(uploaded.map(|file| Stored { file, before: Before::Nothing, granted: None }));
        }
        self.share_stored(files, stored).await
    }
}

fn is_well(sent: &Result<Sent>) -> bool {
    sent.as_ref().is_ok_and(|sent| sent.shares.iter().all(|share| share.result.is_ok()))
}

/// How far a call on many files is.
struct Overall<'a> {
    done: AtomicU64,
    total: u64,
    report: OnProgress<'a>,
}

impl<'a> Overall<'a> {
    fn new(groups: &[Group], report: OnProgress<'a>) -> Self {
        let total = groups.iter().map(Group::size).sum();
        report(Progress { done: 0, total });
        Self { done: AtomicU64::new(0), total, report }
    }

    /// Reports of a transfer that is a part of this.
    fn part(&self) -> impl Fn(Progress) + Send + Sync {
        let (before, total, report) = (self.done.load(Ordering::Relaxed), self.total, self.report);
        move |progress| report(Progress { done: before + progress.done, total })
    }

    /// Tells what became of a group's files.
    fn tell<T>(&self, group: &Group, outcomes: Vec<Result<T>>, done: OnDone<'_, T>) -> ControlFlow<()> {
        let now = self.done.fetch_add(group.size(), Ordering::Relaxed) + group.size();
        (self.report)(Progress { done: now, total: self.total });
        group.files().zip(outcomes).try_for_each(|(at, outcome)| done(at, outcome))
    }
}
