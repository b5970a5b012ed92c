//! Tells the story: numbered steps on standard output for people, nothing in other formats.

use crate::{
    failure::Outcome,
    printer::{Format, Printer},
};

/// Tells one story.
pub struct Narrator {
    /// Also draws progress.
    pub printer: Printer,
    step: u32,
}

impl Narrator {
    /// At the beginning.
    pub fn new(printer: Printer) -> Self {
        Self { printer, step: 0 }
    }

    /// The next step.
    pub fn step(&mut self, title: &str) {
        self.step += 1;
        self.tell(&format!("\n{}. {title}\n", self.step));
    }

    /// A fact about the step.
    pub fn line(&self, text: &str) {
        self.tell(&format!("   {text}\n"));
    }

    fn tell(&self, text: &str) {
        if self.printer.format() == Format::Human {
            // The story goes on without a listener; what counts is the exit code.
            let _: Outcome = self.printer.out(text);
        }
    }
}
