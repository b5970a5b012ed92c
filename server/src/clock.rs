//! The server's clock, which tests can move.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Reads the system's time, plus an offset that only tests set. Clones share the offset.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// Microseconds since 1970, UTC.
    pub fn micros(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_micros()).unwrap_or(i64::MAX).saturating_add(self.offset.load(Ordering::Relaxed))
    }

    /// Seconds since 1970, UTC.
    pub fn seconds(&self) -> u64 {
        u64::try_from(self.micros() / 1_000_000).unwrap_or(0)
    }

    /// Micros before now; for comparing with columns called `*_at`.
    pub fn micros_ago(&self, seconds: u64) -> i64 {
        self.micros().saturating_sub(micros(seconds))
    }

    /// Moves this clock and its clones forward. For tests.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.offset.fetch_add(micros, Ordering::Relaxed);
    }

    /// Moves this clock and its clones back. For tests.
    pub fn set_back(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.offset.fetch_sub(micros, Ordering::Relaxed);
    }
}

/// Seconds as microseconds.
pub(crate) fn micros(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}
