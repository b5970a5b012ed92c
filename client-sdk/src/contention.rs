//! Losing a race (protocol §5.5): how often, and after which waits, somebody tries for the next place.

use std::time::Duration;

use crate::{
    error::{Error, ErrorKind, Result},
    retry::jittered,
};

/// Races that may be lost in a row. Each one that is lost, somebody else has won.
const RACES: u32 = 100;
/// What every lost race adds to the wait before the next.
const STEP: Duration = Duration::from_millis(10);
/// The longest wait.
const LONGEST: Duration = Duration::from_millis(500);

/// Races for one place after another.
#[derive(Debug, Default)]
pub(crate) struct Contention {
    lost: u32,
}

impl Contention {
    /// Waits until it makes sense to try again, longer after each race.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] with this code and sentence, once others have won too often.
    pub(crate) async fn lost(&mut self, code: &'static str, sentence: &str) -> Result<()> {
        self.lost += 1;
        let Some(wait) = wait(self.lost) else {
            return Err(
                Error::new(ErrorKind::Conflict, code, sentence).with_hint("Run the same command again.")
            );
        };
        tokio::time::sleep(jittered(wait)).await;
        Ok(())
    }
}

/// How long to wait after so many lost races; `None` if it were for nothing.
fn wait(lost: u32) -> Option<Duration> {
    (lost < RACES).then(|| (STEP * lost).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_end() {
        assert_eq!((wait(1), wait(2), wait(99)), (Some(STEP), Some(STEP * 2), Some(LONGEST)));
        assert_eq!(wait(RACES), None);
    }
}
