//! How much memory requests may take for their bodies. Large JSON is held whole while it is read and checked, so
//! however many come at one time, only so many bytes of them are let in; the others wait at the door, unread.

use std::{sync::Arc, time::Duration};

use sealpost_api::{
    limits::{MAX_BODIES_IN_MEMORY, MAX_STRANGERS_BODIES_IN_MEMORY},
    problem::ErrorCode,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::problem::ApiError;

/// Longest wait for room. Shorter than clients wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// What `Retry-After` says then, seconds.
const RETRY_AFTER: u64 = 5;

/// Whose body it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// A member's.
    Member,
    /// Somebody's without a session: founding, joining.
    Stranger,
}

/// Room for bodies, in bytes.
pub(crate) struct Bodies {
    members: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    patience: Duration,
}

/// Room that one body takes, until this is dropped.
pub(crate) struct Held {
    _room: OwnedSemaphorePermit,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            members: Arc::new(Semaphore::new(MAX_BODIES_IN_MEMORY)),
            strangers: Arc::new(Semaphore::new(MAX_STRANGERS_BODIES_IN_MEMORY)),
            patience: PATIENCE,
        }
    }
}

impl Bodies {
    /// Waits for room for `length` bytes.
    pub(crate) async fn hold(&self, length: usize, whose: Whose) -> Result<Held, ApiError> {
        let room = match whose {
            Whose::Member => &self.members,
            Whose::Stranger => &self.strangers,
        };
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        match timeout(self.patience, Arc::clone(room).acquire_many_owned(length)).await {
            Ok(Ok(room)) => Ok(Held { _room: room }),
            _ => Err(ApiError::new(
                ErrorCode::Unavailable,
                "The server has as many large requests as it can hold at one time.",
            )
            .hint("Send it again in a moment.")
            .retry_after(RETRY_AFTER)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_wait_for_room_and_strangers_take_none_of_members() {
        let bodies = Bodies { patience: Duration::from_millis(10), ..Bodies::default() };
        let half = MAX_BODIES_IN_MEMORY / 2;
        let one = bodies.hold(half, Whose::Member).await.ok().unwrap();
        let _two = bodies.hold(half, Whose::Member).await.ok().unwrap();
        let refused = bodies.hold(1, Whose::Member).await.err().unwrap();
        assert_eq!(*refused.code(), ErrorCode::Unavailable);
        let _stranger = bodies.hold(MAX_STRANGERS_BODIES_IN_MEMORY, Whose::Stranger).await.ok().unwrap();
        assert!(bodies.hold(1, Whose::Stranger).await.is_err());
        drop(one);
        assert!(bodies.hold(half, Whose::Member).await.is_ok());
    }
}
