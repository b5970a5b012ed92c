//! How far a transfer is.

use std::sync::atomic::{AtomicU64, Ordering};

/// A transfer's state: bytes of content, without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes done.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Called after each part, from whatever thread drives the transfer.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

pub(crate) struct Meter<'a> {
    done: AtomicU64,
    total: u64,
    report: OnProgress<'a>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(total: u64, report: OnProgress<'a>) -> Self {
        report(Progress { done: 0, total });
        Self { done: AtomicU64::new(0), total, report }
    }

    pub(crate) fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.report)(Progress { done, total: self.total });
    }
}
