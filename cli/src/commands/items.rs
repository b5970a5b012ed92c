//! Commands on several files or people: one's failure does not stop the others, and none is lost.

use crate::{
    failure::{Failure, Outcome},
    printer::Printer,
};

/// What failed so far.
pub struct Items {
    several: bool,
    failures: Vec<Failure>,
}

impl Items {
    /// For so many items; with several, each failure says which it is about.
    pub fn new(count: usize) -> Self {
        Self { several: count > 1, failures: Vec::new() }
    }

    /// Notes a failure.
    pub fn fail(&mut self, item: &str, failure: Failure) {
        self.failures.push(if self.several { failure.about(item) } else { failure });
    }

    /// Reports each failure; the command ends like the first of them.
    pub fn finish(self, printer: &Printer) -> Outcome {
        let exit = self.failures.first().map(|failure| failure.exit);
        let mut failures = self.failures.into_iter();
        let last = failures.next_back();
        failures.for_each(|failure| printer.failure(&failure));
        match (last, exit) {
            (Some(last), Some(exit)) => Err(Failure { exit, ..last }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{exit::Exit, printer::Format};

    fn finish(items: Items) -> Outcome {
        items.finish(&Printer::new(Format::Human, false))
    }

    #[test]
    fn the_command_ends_like_the_first_failure_and_names_each() {
        let mut items = Items::new(2);
        items.fail("a", Failure::new(Exit::Verification, "x", "forged"));
        items.fail("b", Failure::new(Exit::NotFound, "y", "gone"));
        let failure = finish(items).unwrap_err();
        assert_eq!((failure.exit, failure.message.as_str()), (Exit::Verification, "b: gone"));
    }

    #[test]
    fn one_item_needs_no_name_and_none_no_failure() {
        let mut items = Items::new(1);
        items.fail("a", Failure::new(Exit::NotFound, "y", "gone"));
        assert_eq!(finish(items).unwrap_err().message, "gone");
        assert!(finish(Items::new(3)).is_ok());
    }
}
