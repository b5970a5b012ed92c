//! Watching: whoever accepts an invite of ours is admitted, and what was queued for them is shared, until stopped.

use std::{collections::HashSet, convert::Infallible, time::Duration};

use sealpost_crypto::id::UserId;

use crate::{
    admit::{Admitted, Certified, Refused},
    error::{Error, ErrorKind, Result},
    queue::Settled,
    retry::jittered,
    signed_in::SignedIn,
};

/// The longest wait while the server can't be reached.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// What happened while watching.
#[derive(Debug, Clone)]
pub enum WatchEvent {
    /// Somebody who accepted an invite of ours was admitted.
    Certified(Certified),
    /// Somebody has accepted and waits until twelve words were compared ([`SignedIn::confirmation`]). Said once.
    Waiting(Certified),
    /// Whoever answered an invite of ours does not hold what its code gives, or the server has changed the answer: not
    /// admitted. Said once for each of them.
    Refused {
        /// Who was invited.
        person: Certified,
        /// What does not verify.
        error: Error,
    },
    /// A queued share was completed or dropped.
    Settled(Settled),
    /// The server can't be reached, or has failed: tried again after this long.
    Offline {
        /// Why.
        error: Error,
        /// Until the next try, at most.
        wait: Duration,
    },
    /// The server answers again.
    Online,
}

/// What somebody who watches has been told before.
#[derive(Default)]
struct Told {
    waiting: HashSet<UserId>,
    refused: HashSet<UserId>,
}

impl SignedIn {
    /// One look: admits who accepted an invite of ours and waits for no words, and completes queued shares. `report`
    /// hears of each at once, also when an error ends it half-way.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`] if an acceptance or a queued share does not verify, after all others were looked
    /// at; [`ErrorKind::Forbidden`] for Clients.
    pub async fn watch_once(&self, mut report: impl FnMut(WatchEvent)) -> Result<()> {
        let refused = self.look(&mut Told::default(), &mut report).await?;
        refused.map_or(Ok(()), Err)
    }

    /// Looks again and again, with a pause of at most `pause` in between, until something happens that does not pass
    /// by itself. What passes (the network, a server that restarts) is waited for, longer each time, and reported
    /// when it begins and ends. An acceptance that does not verify is reported and does not end it: else any invitee could
    /// keep all others out. Dropping the future stops it, at any point, and loses nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`] if the log, the vault or a queued share does not verify; [`ErrorKind::Forbidden`] for
    /// Clients; what ends a session for good, too.
    pub async fn watch(&self, pause: Duration, mut report: impl FnMut(WatchEvent)) -> Result<Infallible> {
        let (mut told, mut offline) = (Told::default(), 0);
        loop {
            match self.look(&mut told, &mut report).await {
                Ok(_) => {
                    if offline > 0 {
                        report(WatchEvent::Online);
                    }
                    offline = 0;
                    tokio::time::sleep(jittered(pause)).await;
                }
                Err(error) if passes(&error) => {
                    let wait = backoff(pause, offline);
                    if offline == 0 {
                        report(WatchEvent::Offline { error, wait });
                    }
                    offline += 1;
                    tokio::time::sleep(jittered(wait)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the first acceptance that does not verify.
    async fn look(&self, told: &mut Told, report: &mut impl FnMut(WatchEvent)) -> Result<Option<Error>> {
        let inner = &self.inner;
        drop(inner.ops_log().await?);
        // Another device may have queued something, or invited somebody.
        inner.vault().await?.refresh(inner.access()).await?;
        let (mut admitted, mut settled) = (Admitted::default(), Vec::new());
        let admitting = inner.admit_accepted(&mut admitted).await;
        admitted.certified.into_iter().for_each(|person| report(WatchEvent::Certified(person)));
        let news = admitted.waiting.into_iter().filter(|person| told.waiting.insert(person.user_id));
        news.for_each(|person| report(WatchEvent::Waiting(person)));
        let refused = admitting?;
        let first = refused.first().map(|refused| refused.error.clone());
        let news = refused.into_iter().filter(|refused| told.refused.insert(refused.person.user_id));
        news.for_each(|Refused { person, error }| report(WatchEvent::Refused { person, error }));
        let completing = inner.complete_queued(&mut settled).await;
        settled.into_iter().for_each(|settled| report(WatchEvent::Settled(settled)));
        completing?.map_or(Ok(first), Err)
    }
}

/// Whether a later look may succeed without anybody doing anything here.
fn passes(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Network
            | ErrorKind::Server
            | ErrorKind::StorageFull
            | ErrorKind::TooManyAttempts
            | ErrorKind::Conflict
    )
}

/// The wait after so many failures before this one: twice as long each time.
fn backoff(pause: Duration, failures: u32) -> Duration {
    pause.saturating_mul(1 << failures.min(16)).min(LONGEST_WAIT.max(pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        let pause = Duration::from_secs(30);
        let waits: Vec<u64> = (0..6).map(|failures| backoff(pause, failures).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
        assert_eq!(backoff(pause, u32::MAX), LONGEST_WAIT);
        assert_eq!(backoff(Duration::from_secs(3_600), 3).as_secs(), 3_600);
    }

    #[test]
    fn what_passes_is_waited_for_and_what_does_not_ends_it() {
        let error = |kind| Error::new(kind, "x", "x");
        assert!(passes(&error(ErrorKind::Network)) && passes(&error(ErrorKind::Server)));
        for kind in
            [ErrorKind::Verification, ErrorKind::AccountEnded, ErrorKind::NotSignedIn, ErrorKind::State]
        {
            assert!(!passes(&error(kind)), "{kind:?}");
        }
    }
}
