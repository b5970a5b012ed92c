//! A part on its way in: length, digest and pace are checked as its bytes pass, so that a part is never held
//! whole, and no store has to know about any of it.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use sealpost_crypto::{id::Digest, parts::PartHasher};
use tokio::time::{Instant, timeout_at};

use super::Body;

/// What was wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// The connection ended before the body did.
    #[error("the connection was cut")]
    Cut,
    /// It came too slowly.
    #[error("the body came too slowly")]
    TooSlow,
    /// More or fewer bytes than announced.
    #[error("the body has not the announced length")]
    Length,
    /// Other bytes than announced.
    #[error("the body has not the announced digest")]
    Digest,
}

/// How long a body may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From one piece to the next.
    pub idle: Duration,
    /// From its first byte to its last.
    pub total: Duration,
}

impl Patience {
    /// For a part: 8 MiB in 15 minutes is 9 kB/s.
    pub(crate) const PART: Self = Self { idle: Duration::from_secs(30), total: Duration::from_secs(900) };
}

/// `body` with its promises checked: the stream ends well only after exactly `length` bytes whose BLAKE3 is
/// `digest`, all in time.
pub(crate) fn checked<S, E>(body: S, length: u64, digest: Digest, patience: Patience) -> Body
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: 'static,
{
    let deadline = Instant::now() + patience.total;
    let body = Box::pin(body.map(|piece| piece.map_err(|_| BodyError::Cut)));
    let state = Checking { body, hasher: PartHasher::new(), length, digest, deadline, idle: patience.idle };
    stream::try_unfold(state, Checking::next).boxed()
}

struct Checking {
    body: Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>,
    hasher: PartHasher,
    length: u64,
    digest: Digest,
    deadline: Instant,
    idle: Duration,
}

impl Checking {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, BodyError> {
        let until = self.deadline.min(Instant::now() + self.idle);
        let piece = timeout_at(until, self.body.next()).await.map_err(|_| BodyError::TooSlow)?;
        let Some(piece) = piece.transpose()? else { return self.end().map(|()| None) };
        self.hasher.update(&piece);
        if self.hasher.length() > self.length {
            return Err(BodyError::Length);
        }
        Ok(Some((piece, self)))
    }

    fn end(self) -> Result<(), BodyError> {
        if self.hasher.length() != self.length {
            return Err(BodyError::Length);
        }
        if self.hasher.finish() == self.digest { Ok(()) } else { Err(BodyError::Digest) }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use sealpost_crypto::parts::part_digest;

    use super::*;

    async fn read(pieces: &[&'static [u8]], length: u64, digest: Digest) -> Result<Vec<u8>, BodyError> {
        let body = stream::iter(pieces.to_vec()).map(|piece| Ok::<_, ()>(Bytes::from_static(piece)));
        let pieces: Vec<Bytes> = checked(body, length, digest, Patience::PART).try_collect().await?;
        Ok(pieces.concat())
    }

    #[tokio::test]
    async fn only_the_announced_bytes_end_well() {
        let digest = part_digest(b"abcdef");
        assert_eq!(read(&[b"abc", b"", b"def"], 6, digest).await, Ok(b"abcdef".to_vec()));
        assert_eq!(read(&[b"abc", b"deg"], 6, digest).await, Err(BodyError::Digest));
        assert_eq!(read(&[b"abc", b"de"], 6, digest).await, Err(BodyError::Length));
        assert_eq!(read(&[b"abc", b"defg"], 6, digest).await, Err(BodyError::Length));
    }

    #[tokio::test]
    async fn a_cut_connection_is_an_error() {
        let body = stream::iter([Ok(Bytes::from_static(b"abc")), Err("reset")]);
        let read = checked(body, 6, part_digest(b"abcdef"), Patience::PART).try_collect::<Vec<_>>().await;
        assert_eq!(read.unwrap_err(), BodyError::Cut);
    }

    #[tokio::test]
    async fn a_body_that_stalls_or_trickles_is_given_up() {
        let patience = Patience { idle: Duration::from_millis(50), total: Duration::from_millis(200) };
        let stalled = stream::pending::<Result<Bytes, ()>>();
        let read = checked(stalled, 6, part_digest(b"abcdef"), patience).try_collect::<Vec<_>>().await;
        assert_eq!(read.unwrap_err(), BodyError::TooSlow);

        let trickle = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok::<_, ()>(Bytes::from_static(b"a")), ()))
        });
        let read = checked(trickle, 1 << 20, part_digest(b""), patience).try_collect::<Vec<_>>().await;
        assert_eq!(read.unwrap_err(), BodyError::TooSlow);
    }
}
