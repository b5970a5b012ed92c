//! Who is refused before the end of their body still gets the answer. Most clients send all of it before they listen;
//! if the server hung up in the meantime, they would see a broken pipe and never learn why. So what nobody wants is
//! read and thrown away, beside the answer: up to a bound, because a body may have no end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream, Bytes, HttpBody},
    extract::Request,
};
use futures_util::{Stream, StreamExt};
use tokio::{runtime::Handle, time::timeout};

/// Most bytes that are thrown away: twice the largest body of any route.
const MAX_DRAINED: usize = 32 * 1024 * 1024;
/// How long whoever was refused may go on sending. Shorter than a server waits for running requests when it stops.
const PATIENCE: Duration = Duration::from_secs(10);

/// Around every request.
pub(crate) async fn linger(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    request.map(|body| Body::from_stream(Lingering { rest: Some(body.into_data_stream()) }))
}

/// A body that is read to its end although whoever wanted it lost interest.
struct Lingering {
    /// `None` after its end.
    rest: Option<BodyDataStream>,
}

impl Stream for Lingering {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let piece = ready!(rest.poll_next_unpin(context));
        if !matches!(piece, Some(Ok(_))) {
            self.rest = None;
        }
        Poll::Ready(piece)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let Some(rest) = self.rest.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(timeout(PATIENCE, drain(rest)));
        }
    }
}

async fn drain(mut rest: BodyDataStream) {
    let mut drained = 0;
    while let Some(Ok(piece)) = rest.next().await {
        drained += piece.len();
        if drained > MAX_DRAINED {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::stream;

    use super::*;

    /// What is taken of a body of so many pieces of 1 MiB when its reader loses interest after the first.
    async fn taken(pieces: usize) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&count);
        let body = stream::iter(0..pieces).map(move |_| {
            counting.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(&[0; 1024 * 1024]))
        });
        let request = linger(Request::new(Body::from_stream(body))).await;
        let mut body = request.into_body().into_data_stream();
        body.next().await.unwrap().unwrap();
        drop(body);
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        count.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_body_that_nobody_wants_is_read_up_to_a_bound() {
        assert_eq!(taken(20).await, 20);
        assert_eq!(taken(100).await, 34);
    }
}
