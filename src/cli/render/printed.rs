//! The exceptions that the screen shows already, so that one cause is printed once.
//!
//! Compares type, message and line. Never renders one.

use std::collections::VecDeque;

use snaxum::message::{ErrorSummary, Traceback};

/// The most exceptions to remember.
const MAX: usize = 64;

/// The exceptions that were shown since the code has changed, oldest first.
#[derive(Default)]
pub(super) struct PrintedCauses(VecDeque<Cause>);

#[derive(PartialEq)]
pub(super) struct Cause {
    kind: String,
    message: String,
    file: Option<String>,
    line: Option<u32>,
}

impl PrintedCauses {
    /// Adds an exception; returns whether it is a new one.
    pub(super) fn add(&mut self, raised: &Traceback) -> bool {
        let cause = Cause::from(&ErrorSummary::from(raised));
        if self.0.contains(&cause) {
            return false;
        }
        if self.0.len() == MAX {
            self.0.pop_front();
        }
        self.0.push_back(cause);
        true
    }

    /// Forgets all: other code runs now.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl From<&ErrorSummary> for Cause {
    fn from(raised: &ErrorSummary) -> Self {
        let ErrorSummary { kind, message, file, line, .. } = raised;
        Self { kind: kind.clone(), message: message.clone(), file: file.clone(), line: *line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_new_once_and_again_after_other_code_and_many_others() {
        let raised =
            |message: &str| Traceback { message: message.to_owned(), ..Traceback::default() };
        let mut printed = PrintedCauses::default();
        assert!(
            printed.add(&raised("a")) && !printed.add(&raised("a")) && printed.add(&raised("b"))
        );
        printed.clear();
        assert!(printed.add(&raised("a")));
        for n in 0..MAX {
            printed.add(&raised(&n.to_string()));
        }
        assert!(printed.add(&raised("a")) && printed.0.len() == MAX);
    }
}
