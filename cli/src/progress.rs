//! Progress bars: on standard error, only when it is a terminal, so that logs and pipes stay clean.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sealpost_client::Progress;

use crate::{
    printer::{Format, Printer},
    text,
};

/// Bytes, rate and time left.
const STYLE: &str = "{prefix:.bold} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
/// Longest name shown beside a bar, characters.
const MAX_LABEL: usize = 30;
/// How often the bar is drawn when no bytes move.
const TICK: Duration = Duration::from_millis(250);

/// One transfer's progress. The bar goes away when this is dropped, whatever the reason.
#[derive(Debug)]
pub struct Meter(ProgressBar);

impl Meter {
    /// Of the transfer of `name`. Hidden with `-q` and when standard error is no terminal.
    pub fn new(printer: &Printer, name: &str) -> Self {
        let target = match printer.format() {
            Format::Ids => ProgressDrawTarget::hidden(),
            _ => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(None, target).with_prefix(label(name));
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self(bar)
    }

    /// What the SDK calls as bytes move.
    pub fn callback(&self) -> impl Fn(Progress) + Send + Sync + 'static {
        let bar = self.0.clone();
        move |progress: Progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn label(name: &str) -> String {
    let name = text::safe(name);
    if name.chars().count() <= MAX_LABEL {
        return name;
    }
    name.chars().take(MAX_LABEL - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_escapes_neutralised() {
        assert_eq!(label("a.pdf"), "a.pdf");
        assert_eq!(label(&"ä".repeat(31)), format!("{}…", "ä".repeat(29)));
        assert!(!label("\x1b[31m").contains('\x1b'));
    }
}
