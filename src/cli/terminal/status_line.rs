//! The one line that stays: what serves, at the bottom of the terminal.
//!
//! Lies below the region that scrolls, so what user code prints cannot run into it.

use std::sync::atomic::{AtomicU16, Ordering};

use console::{Term, style, truncate_str};
use snaxum::message::LoadOutcome;
use snaxum::python_runtime::Serving;

use crate::cli::render::failure::NOTHING_SERVES;

/// Rows that a terminal needs for it.
const MIN_ROWS: u16 = 6;

/// The row that is taken out of what scrolls, or 0: whatever ends the process gives it back.
static TAKEN: AtomicU16 = AtomicU16::new(0);

/// What serves, as a glyph and words.
pub(super) fn of(serving: &Serving) -> String {
    let outcome = serving.last_reload.report.outcome;
    state(serving.generation, serving.failing.then_some(outcome))
}

/// The same of a generation, and how the newest load ended if something is wrong.
fn state(generation: u64, failing: Option<LoadOutcome>) -> String {
    match (generation, failing) {
        (0, _) => style(NOTHING_SERVES.to_owned()).red().to_string(),
        (n, Some(LoadOutcome::Failed)) => {
            style(format!("▲ G{n} serving, newest save broken")).yellow().to_string()
        }
        (n, Some(_)) => style(format!("▲ G{n} serving, not all code loads")).yellow().to_string(),
        (n, None) => style(format!("● G{n} ok")).green().to_string(),
    }
}

/// The bottom row, once it is taken out of what scrolls.
#[derive(Default)]
pub(super) struct StatusLine {
    /// Rows and columns that it was set up for.
    size: Option<(u16, u16)>,
}

impl StatusLine {
    /// What to write for it to be there with this text.
    pub(super) fn draw(&mut self, text: &str) -> String {
        self.draw_in(text, Term::stdout().size_checked())
    }

    fn draw_in(&mut self, text: &str, size: Option<(u16, u16)>) -> String {
        let Some((rows, columns)) = size.filter(|(rows, _)| *rows >= MIN_ROWS) else {
            return self.remove();
        };
        let mut out = String::new();
        // Whoever stopped the process has given the row back.
        if self.size != size || TAKEN.load(Ordering::SeqCst) != rows {
            // Makes room, then lets all rows but the last scroll; that moves the cursor.
            out += &format!("\n\x1b7\x1b[1;{}r\x1b8\x1b[1A", rows - 1);
            self.size = size;
            TAKEN.store(rows, Ordering::SeqCst);
        }
        let text = truncate_str(text, usize::from(columns).saturating_sub(3), "…");
        out + &format!("\x1b7\x1b[{rows};1H\x1b[2K  {text}\x1b8")
    }

    /// What to write for it to be gone.
    pub(super) fn remove(&mut self) -> String {
        TAKEN.store(0, Ordering::SeqCst);
        self.size.take().map_or(String::new(), |(rows, _)| gone(rows))
    }
}

/// What to write if nobody has removed it.
pub(super) fn abandoned() -> String {
    match TAKEN.swap(0, Ordering::SeqCst) {
        0 => String::new(),
        rows => gone(rows),
    }
}

/// Lets all rows scroll, and clears the last.
fn gone(rows: u16) -> String {
    format!("\x1b7\x1b[r\x1b[{rows};1H\x1b[2K\x1b8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_has_a_glyph_and_a_word() {
        let failed = Some(LoadOutcome::Failed);
        assert_eq!(state(7, None), "● G7 ok");
        assert_eq!(state(7, failed), "▲ G7 serving, newest save broken");
        assert_eq!(state(7, Some(LoadOutcome::Ok)), "▲ G7 serving, not all code loads");
        assert_eq!(state(0, failed), "✖ no good generation");
    }

    #[test]
    fn the_last_row_is_set_up_once_and_again_if_it_was_given_back_or_the_size_is_another() {
        let mut line = StatusLine::default();
        let drawn = "\x1b7\x1b[24;1H\x1b[2K  ● G1 ok\x1b8";
        assert!(line.draw_in("● G1 ok", Some((24, 80))).starts_with("\n\x1b7\x1b[1;23r"));
        assert_eq!(line.draw_in("● G1 ok", Some((24, 80))), drawn);
        assert!(line.draw_in("● G1 ok", Some((30, 80))).contains("\x1b[1;29r"));
        assert_eq!(line.remove(), "\x1b7\x1b[r\x1b[30;1H\x1b[2K\x1b8");
        assert_eq!(line.remove(), "");
        assert_eq!((line.draw_in("", Some((3, 80))), line.draw_in("", None)), Default::default());
        line.draw_in("● G1 ok", Some((24, 80)));
        assert_eq!(abandoned(), "\x1b7\x1b[r\x1b[24;1H\x1b[2K\x1b8");
        assert!(line.draw_in("● G1 ok", Some((24, 80))).contains("\x1b[1;23r"));
    }
}
