//! The terminal's thread at work: turns what happened into lines, and keeps the status line below.

use std::sync::Arc;
use std::time::{Duration, Instant};

use console::style;
use snaxum::message::{LoadOutcome, Reload, Traceback};
use snaxum::python_runtime::PythonRuntime;

use super::status_line::{StatusLine, of};
use super::{News, Press, raw_mode};
use crate::cli::render::traceback;
use crate::cli::render::{Lines, pause};

/// How often those that are only counted are told of.
const COUNT: Duration = Duration::from_secs(2);

/// What the lines depend on.
pub(super) struct Writer {
    runtime: Arc<PythonRuntime>,
    lines: Lines,
    status_line: StatusLine,
    last_error: Option<Arc<Traceback>>,
    /// Requests that have been counted and not told of, and when they will be.
    more: usize,
    count_at: Option<Instant>,
    /// Whether keys are read.
    is_live: bool,
    is_paused: bool,
}

impl Writer {
    pub(super) fn new(runtime: Arc<PythonRuntime>, explains: bool) -> Self {
        let serving = runtime.serving();
        let failure = serving.last_reload.report.failures.first();
        let mut lines = Lines::new(explains);
        lines.serve(&serving.routes);
        Self {
            lines,
            status_line: StatusLine::default(),
            last_error: failure.map(|failure| Arc::new(failure.traceback.clone())),
            more: 0,
            count_at: None,
            is_live: false,
            is_paused: false,
            runtime,
        }
    }

    /// When it has something to say by itself.
    pub(super) fn next(&self) -> Option<Instant> {
        [self.lines.next(), self.count_at].into_iter().flatten().min()
    }

    /// What to write of this.
    pub(super) fn frame(
        &mut self,
        news: Vec<News>,
        more: usize,
        lost: usize,
        is_last: bool,
    ) -> String {
        let mut out = self.lines.due(Instant::now());
        for news in news {
            out += &self.say(news);
        }
        out += &self.count(more, is_last);
        if lost > 0 {
            out += &format!("  … {lost} lines were left out: the terminal was too slow\n");
        }
        if is_last {
            return out + &self.lines.rest() + &self.status_line.remove();
        }
        if self.is_live && raw_mode::is_in_foreground() {
            out += &self.status_line.draw(&self.status());
        }
        out
    }

    /// Tells now and then how many requests were too many to list.
    fn count(&mut self, more: usize, is_last: bool) -> String {
        self.more += more;
        if self.more == 0 {
            return String::new();
        }
        let now = Instant::now();
        if !is_last && *self.count_at.get_or_insert(now + COUNT) > now {
            return String::new();
        }
        self.count_at = None;
        let more = std::mem::take(&mut self.more);
        if self.lines.is_quiet {
            String::new()
        } else {
            format!("  … and {more} more requests\n")
        }
    }

    /// On a terminal stacks are left to a key.
    fn say(&mut self, news: News) -> String {
        match news {
            News::Request(mut request) => {
                if let Some(raised) = &request.traceback {
                    self.last_error = Some(Arc::clone(raised));
                }
                if self.is_live {
                    request.traceback = None;
                }
                self.lines.request(*request, Instant::now())
            }
            News::Reload(event) => {
                let reload = Reload::from(&event);
                if reload.outcome == LoadOutcome::Failed
                    && let Some(raised) = &reload.traceback
                {
                    self.last_error = Some(Arc::new(raised.clone()));
                }
                let failures = event.report.failures.iter().filter(|_| !self.is_live);
                let whole: Vec<_> = failures.map(|failure| &failure.traceback).collect();
                let said = self.lines.reload(&reload, &whole, Instant::now());
                if reload.outcome != LoadOutcome::Failed {
                    self.lines.serve(&event.report.routes);
                }
                said
            }
            News::Pins(failing, round) => self.lines.pins(failing, round),
            News::Pause(is_paused) => {
                self.is_paused = is_paused;
                pause(is_paused)
            }
            News::Text(text) => text,
            News::Press(key) => self.press(key),
            News::Live => {
                self.is_live = true;
                String::new()
            }
        }
    }

    fn press(&mut self, key: Press) -> String {
        match key {
            Press::LastError => match &self.last_error {
                Some(raised) => format!("\n{}\n", traceback::render(raised)),
                None => format!("  {} no error so far\n", style("●").green()),
            },
            Press::Quieter => {
                self.lines.is_quiet = !self.lines.is_quiet;
                let words = if self.lines.is_quiet {
                    "errors and reloads only; v shows everything again"
                } else {
                    "everything is shown again"
                };
                format!("  {}\n", style(words).dim())
            }
            Press::Clear => "\x1b[H\x1b[2J".to_owned(),
        }
    }

    fn status(&self) -> String {
        let serving = self.runtime.serving();
        let quiet = if self.lines.is_quiet { " · quiet" } else { "" };
        let paused = if self.is_paused { " · ‖ paused" } else { "" };
        format!("{}{}", of(&serving), style(format!("{paused}{quiet}")).dim())
    }
}
