//! Whose bytes are on the wire. The parts of one upload take turns: sealing, hashing, the journal and the wait for
//! the acknowledgement go on side by side, but bytes of one part only are under way at a time. A server finishes a
//! part whose last byte it got, whatever becomes of the client; so an interruption costs the bytes of one part at
//! most, and not of all that are in memory.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};

/// Bytes given to the connection at once. Small, so that little waits in its buffers when the next part begins.
const PIECE: usize = 64 * 1024;

/// The wire of one transfer.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Semaphore>);

impl Wire {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Waits until nobody else of this transfer is sending.
    pub(crate) async fn turn(&self) -> Result<Turn> {
        let permit = self.permit().await?;
        Ok(Turn { wire: self.clone(), permit: Mutex::new(Some(permit)) })
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        permit.map_err(|_| Error::internal("the transfer was given up"))
    }
}

/// A turn on the wire. It ends with the last byte of the body that it went into, before the answer is there.
pub(crate) struct Turn {
    wire: Wire,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Turn {
    /// `bytes` as the body of one attempt. The first uses this turn; each later one waits for another.
    pub(crate) async fn body(
        &self,
        bytes: Bytes,
    ) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let in_hand = self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        let permit = match in_hand {
            Some(permit) => permit,
            None => self.wire.permit().await?,
        };
        Ok(stream::unfold((bytes, permit), |(mut rest, permit)| async move {
            let piece = rest.split_to(rest.len().min(PIECE));
            (!piece.is_empty()).then_some((Ok(piece), (rest, permit)))
        }))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, TryStreamExt};

    use super::*;

    #[tokio::test]
    async fn the_next_part_waits_for_the_last_byte_and_for_nothing_more() {
        let wire = Wire::new();
        let part = Bytes::from(vec![7; 2 * PIECE + 1]);
        let first = wire.turn().await.unwrap();
        let mut body = Box::pin(first.body(part.clone()).await.unwrap());
        for _ in 0..3 {
            assert!(wire.turn().now_or_never().is_none());
            body.try_next().await.unwrap().unwrap();
        }
        assert!(body.try_next().await.unwrap().is_none());
        drop(body);
        // Nobody has answered the first part yet.
        let second = wire.turn().now_or_never().unwrap().unwrap();
        // The first part once more: after the second.
        assert!(first.body(part.clone()).now_or_never().is_none());
        drop(second);
        let pieces: Vec<Bytes> = first.body(part.clone()).await.unwrap().try_collect().await.unwrap();
        assert_eq!(pieces.concat(), part);
    }
}
