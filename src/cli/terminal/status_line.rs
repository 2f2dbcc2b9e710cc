//! The status line at the bottom of the terminal.
//!
//! Is below the scrolling region, so that the output of user code cannot overwrite it.

use std::sync::atomic::{AtomicU16, Ordering};

use console::{Term, style, truncate_str};
use snaxum::message::LoadOutcome;
use snaxum::python_runtime::ServingGeneration;

use crate::cli::render::failure;

/// The minimum rows of a terminal with a status line.
const MIN_ROWS: u16 = 6;

/// The row outside the scrolling region, or 0. Static, so that an exit handler can release it.
static RESERVED_ROW: AtomicU16 = AtomicU16::new(0);

/// Describes the serving generation by a glyph and words.
pub(super) fn serving_status(serving: &ServingGeneration) -> String {
    let outcome = serving.last_reload.report.outcome;
    status_text(serving.generation, serving.failing.then_some(outcome))
}

/// Describes a generation, with the outcome of the newest load if something is failing.
fn status_text(generation: u64, failing: Option<LoadOutcome>) -> String {
    match (generation, failing) {
        (0, _) => failure::serving(0),
        (n, Some(LoadOutcome::Failed)) => {
            style(format!("▲ version {n} live, the newest save does not load")).yellow().to_string()
        }
        (n, Some(_)) => {
            style(format!("▲ version {n} live, not all modules load")).yellow().to_string()
        }
        (n, None) => style(format!("● version {n} live")).green().to_string(),
    }
}

/// The bottom row.
#[derive(Default)]
pub(super) struct StatusLine {
    /// The rows and columns of the terminal when the row was reserved.
    size: Option<(u16, u16)>,
}

impl StatusLine {
    /// Returns the output that draws the line.
    pub(super) fn draw(&mut self, text: &str) -> String {
        self.draw_in(text, Term::stdout().size_checked())
    }

    fn draw_in(&mut self, text: &str, size: Option<(u16, u16)>) -> String {
        let Some((rows, columns)) = size.filter(|(rows, _)| *rows >= MIN_ROWS) else {
            return self.remove();
        };
        let mut out = String::new();
        // A stop of the process has released the row.
        if self.size != size || RESERVED_ROW.load(Ordering::SeqCst) != rows {
            // Scrolls by a row, then limits scrolling to the rows above; that moves the cursor.
            out += &format!("\n\x1b7\x1b[1;{}r\x1b8\x1b[1A", rows - 1);
            self.size = size;
            RESERVED_ROW.store(rows, Ordering::SeqCst);
        }
        let text = truncate_str(text, usize::from(columns).saturating_sub(3), "…");
        out + &format!("\x1b7\x1b[{rows};1H\x1b[2K  {text}\x1b8")
    }

    /// Returns the output that removes the line.
    pub(super) fn remove(&mut self) -> String {
        RESERVED_ROW.store(0, Ordering::SeqCst);
        self.size.take().map_or(String::new(), |(rows, _)| clear(rows))
    }
}

/// Returns the output that removes a line whose owner has not done so.
pub(super) fn release() -> String {
    match RESERVED_ROW.swap(0, Ordering::SeqCst) {
        0 => String::new(),
        rows => clear(rows),
    }
}

/// Returns the output that removes the line of a process that has crashed.
pub(super) fn release_of_another() -> String {
    Term::stdout().size_checked().map_or(String::new(), |(rows, _)| clear(rows))
}

/// Resets the scrolling region and clears the last row.
fn clear(rows: u16) -> String {
    format!("\x1b7\x1b[r\x1b[{rows};1H\x1b[2K\x1b8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_has_a_glyph_and_words() {
        let failed = Some(LoadOutcome::Failed);
        assert_eq!(status_text(7, None), "● version 7 live");
        assert_eq!(status_text(7, failed), "▲ version 7 live, the newest save does not load");
        assert_eq!(status_text(7, Some(LoadOutcome::Ok)), "▲ version 7 live, not all modules load");
        assert_eq!(status_text(0, failed), "✖ nothing is serving yet");
    }

    #[test]
    fn the_row_is_reserved_once_and_again_after_a_release_or_resize() {
        let mut line = StatusLine::default();
        let drawn = "\x1b7\x1b[24;1H\x1b[2K  ● version 1 live\x1b8";
        assert!(line.draw_in("● version 1 live", Some((24, 80))).starts_with("\n\x1b7\x1b[1;23r"));
        assert_eq!(line.draw_in("● version 1 live", Some((24, 80))), drawn);
        assert!(line.draw_in("● version 1 live", Some((30, 80))).contains("\x1b[1;29r"));
        assert_eq!(line.remove(), "\x1b7\x1b[r\x1b[30;1H\x1b[2K\x1b8");
        assert_eq!(line.remove(), "");
        assert_eq!((line.draw_in("", Some((3, 80))), line.draw_in("", None)), Default::default());
        line.draw_in("● version 1 live", Some((24, 80)));
        assert_eq!(release(), "\x1b7\x1b[r\x1b[24;1H\x1b[2K\x1b8");
        assert!(line.draw_in("● version 1 live", Some((24, 80))).contains("\x1b[1;23r"));
    }
}
