//! Parts on their way into the store. A part whose last byte arrived is stored, whatever became of its sender;
//! so whoever asks which parts there are is answered when that is decided, and does not send them once more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::blob::VersionKey;

/// How many parts of each version are being received or stored by this process.
#[derive(Clone, Default)]
pub(crate) struct Arriving(Arc<Shared>);

#[derive(Default)]
struct Shared {
    versions: Mutex<HashMap<VersionKey, usize>>,
    left: Notify,
}

impl Arriving {
    /// A part begins to arrive; until the guard is dropped.
    pub(crate) fn enter(&self, version: VersionKey) -> Arrival {
        *self.versions().entry(version).or_default() += 1;
        Arrival { arriving: self.clone(), version }
    }

    /// Waits until no part of the version is arriving, or `patience` is over: somebody may be sending slowly, or have
    /// gone without a word.
    pub(crate) async fn settled(&self, version: VersionKey, patience: Duration) {
        let none_left = async {
            loop {
                // Before the look, so that nobody leaves unnoticed in between.
                let left = self.0.left.notified();
                if !self.versions().contains_key(&version) {
                    return;
                }
                left.await;
            }
        };
        let _patience_is_over = tokio::time::timeout(patience, none_left).await;
    }

    fn versions(&self) -> MutexGuard<'_, HashMap<VersionKey, usize>> {
        self.0.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One part that is arriving.
pub(crate) struct Arrival {
    arriving: Arriving,
    version: VersionKey,
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut versions = self.arriving.versions();
        if let Some(parts) = versions.get_mut(&self.version) {
            *parts -= 1;
            if *parts == 0 {
                versions.remove(&self.version);
                self.arriving.0.left.notify_waiters();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use sealpost_crypto::id::FileId;

    use super::*;

    #[tokio::test]
    async fn an_answer_waits_for_the_parts_of_its_version_and_not_for_ever() {
        let (arriving, version) = (Arriving::default(), VersionKey { file_id: FileId::random(), version: 1 });
        let long = Duration::from_secs(3_600);
        arriving.settled(version, long).now_or_never().unwrap();
        let (one, two) = (arriving.enter(version), arriving.enter(version));
        arriving.settled(version, Duration::from_millis(1)).await;
        arriving.settled(VersionKey { version: 2, ..version }, long).now_or_never().unwrap();
        let mut waiting = std::pin::pin!(arriving.settled(version, long));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(one);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(two);
        waiting.await;
    }
}
