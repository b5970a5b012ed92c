//! Ctrl-C and the wish of a service manager to stop.

use std::future::{Future, pending};

use crate::{
    failure::{Failure, Outcome},
    prompt,
};

/// Runs a command until it ends or Ctrl-C. Dropping it leaves nothing half-written: what it was writing has a
/// temporary name and goes away, or is resumed by the next run.
pub async fn until_interrupted(command: impl Future<Output = Outcome>) -> Outcome {
    tokio::select! {
        // First, so that the signal is heard from the command's first word on.
        biased;
        () = interrupt() => {
            prompt::restore_terminal().await;
            Err(Failure::interrupted())
        }
        outcome = command => outcome,
    }
}

/// Runs a command that goes on until it is stopped: Ctrl-C interrupts it as any other, and a service manager's wish
/// is its ordinary end.
pub async fn until_stopped(command: impl Future<Output = Outcome>) -> Outcome {
    tokio::select! {
        biased;
        () = terminated() => Ok(()),
        outcome = until_interrupted(command) => outcome,
    }
}

/// Ctrl-C or SIGTERM; may be awaited by several at one time.
pub async fn stop() {
    tokio::select! {
        () = terminated() => {}
        () = interrupt() => {}
    }
}

/// SIGTERM, where there is such a thing.
async fn terminated() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            // `None` when no more signals can come.
            if terminate.recv().await.is_some() {
                return;
            }
        }
    }
    pending::<()>().await;
}

async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        // No handler can be installed: then the signal ends the process by itself.
        pending::<()>().await;
    }
}
