//! When and how long to wait before the same request is sent again. Only requests that are idempotent on the
//! server come here, and they are sent again byte for byte.

use std::{future::Future, time::Duration};

use rand::RngExt;

use crate::{
    error::{Error, ErrorKind, Result},
    unreachable::TLS_FAILED,
};

/// How often a request is sent before its error is reported.
const ATTEMPTS: u32 = 5;
/// Wait before the second attempt; doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Runs `send` until it succeeds, fails for good, or [`ATTEMPTS`] is reached.
pub(crate) async fn with_retry<T, F>(send: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    with_waits(FIRST_WAIT, send).await
}

async fn with_waits<T, F>(mut wait: Duration, mut send: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for _ in 1..ATTEMPTS {
        match send().await {
            Err(error) if is_transient(&error) => tokio::time::sleep(jittered(wait)).await,
            outcome => return outcome,
        }
        wait *= 2;
    }
    send().await
}

fn is_transient(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Network => error.code() != TLS_FAILED,
        ErrorKind::Server => matches!(error.code(), "unavailable" | "timeout" | "bad_gateway"),
        _ => false,
    }
}

/// 50 % to 100 % of `wait`, so that many clients do not come back at the same moment.
pub(crate) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.5..1.0))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn failure(kind: ErrorKind, code: &str) -> Error {
        Error::new(kind, code, "failed")
    }

    #[tokio::test]
    async fn passing_faults_are_tried_again_and_verdicts_are_not() {
        for (error, sent) in [
            (failure(ErrorKind::Network, "network"), ATTEMPTS),
            (failure(ErrorKind::Network, TLS_FAILED), 1),
            (failure(ErrorKind::Server, "unavailable"), ATTEMPTS),
            (failure(ErrorKind::Server, "internal"), 1),
            (failure(ErrorKind::NotFound, "not_found"), 1),
            (failure(ErrorKind::Verification, "x"), 1),
        ] {
            let count = Cell::new(0);
            let outcome: Result<()> = with_waits(Duration::from_micros(1), || {
                count.set(count.get() + 1);
                let error = error.clone();
                async move { Err(error) }
            })
            .await;
            assert!(outcome.is_err());
            assert_eq!(count.get(), sent, "{error:?}");
        }
    }
}
