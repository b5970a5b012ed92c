//! Whose bytes are on the wire. The parts of one upload take turns: sealing, hashing, the journal and the wait for
//! the acknowledgement go on side by side, but bytes of one part only are under way at a time. A server finishes a
//! part whose last byte it got, whatever becomes of the client; so an interruption costs the bytes of one part at
//! most, and not of all that are in memory.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    error::{Error, Result},
    http::RequestBody,
};

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
    pub(crate) async fn body(&self, bytes: Bytes) -> Result<RequestBody> {
        let in_hand = self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        let permit = match in_hand {
            Some(permit) => permit,
            None => self.wire.permit().await?,
        };
        Ok(RequestBody::in_turn(bytes, permit))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_next_part_waits_for_the_last_byte_and_for_nothing_more() {
        let wire = Wire::new();
        let part = Bytes::from(vec![7; 150_000]);
        let first = wire.turn().await.unwrap();
        let mut body = first.body(part.clone()).await.unwrap();
        while let Some(_piece) = body.next_piece() {
            assert!(wire.turn().now_or_never().is_none());
        }
        drop(body);
        // Nobody has answered the first part yet.
        let second = wire.turn().now_or_never().unwrap().unwrap();
        // The first part once more: after the second.
        assert!(first.body(part.clone()).now_or_never().is_none());
        drop(second);
        let mut again = first.body(part.clone()).await.unwrap();
        let pieces: Vec<Bytes> = std::iter::from_fn(|| again.next_piece()).collect();
        assert_eq!(pieces.concat(), part);
    }
}
