//! Renders the updates of the terminal and its status line. Writes nothing itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use console::style;
use snaxum::message::{
    BlockingRequest, LoadOutcome, Phases, Reload, RequestRecord, SocketCloseRecord, Traceback, ms,
    unix_ms,
};
use snaxum::python_runtime::PythonRuntime;

use super::raw_mode;
use super::status_line::{StatusLine, serving_status};
use super::update::{KeyAction, Update};
use crate::cli::render::contract;
use crate::cli::render::request::BlockerView;
use crate::cli::render::traceback;
use crate::cli::render::{Renderer, RequestView, WEBSOCKET, pause_line};

/// The time between two counts of unlisted requests.
const COUNT_INTERVAL: Duration = Duration::from_secs(2);

/// The state between two frames.
pub(super) struct Writer {
    runtime: Arc<PythonRuntime>,
    renderer: Renderer,
    status_line: StatusLine,
    last_error: Option<Arc<Traceback>>,
    /// Requests that are counted but not shown yet, and when they are due.
    more: usize,
    count_at: Option<Instant>,
    /// Whether keys are read.
    is_interactive: bool,
    is_paused: bool,
}

impl Writer {
    pub(super) fn new(runtime: Arc<PythonRuntime>, shows_phases: bool) -> Self {
        let serving = runtime.serving();
        let failure = serving.last_reload.report.failures.first();
        // The banner has them.
        let failures = serving.last_reload.report.failures.iter();
        let tracebacks: Vec<_> = failures.map(|failure| &failure.traceback).collect();
        let load = Reload::from(&serving.last_reload);
        let mut renderer = Renderer::new(shows_phases, Some((&load, &tracebacks)));
        renderer.set_routes(&serving.routes);
        Self {
            renderer,
            status_line: StatusLine::default(),
            last_error: failure.map(|failure| Arc::new(failure.traceback.clone())),
            more: 0,
            count_at: None,
            is_interactive: false,
            is_paused: false,
            runtime,
        }
    }

    /// Returns the time when a line is due without an update.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        [self.renderer.next_deadline(), self.count_at].into_iter().flatten().min()
    }

    /// Renders a frame.
    pub(super) fn frame(
        &mut self,
        updates: Vec<Update>,
        counted: Vec<RequestView>,
        more: usize,
        dropped: usize,
        is_last: bool,
    ) -> String {
        let mut out = self.renderer.due(Instant::now());
        for update in updates {
            out += &self.apply(update);
        }
        for requests in counted {
            out += &self.renderer.push_request(requests, Instant::now());
        }
        out += &self.count(more, is_last);
        if dropped > 0 {
            out += &format!("  … {dropped} lines dropped: the terminal is too slow\n");
        }
        if is_last {
            return out + &self.renderer.flush() + &self.status_line.remove();
        }
        if self.is_interactive && raw_mode::is_in_foreground() {
            out += &self.status_line.draw(&self.status());
        }
        out
    }

    /// Renders the number of unlisted requests at intervals.
    fn count(&mut self, more: usize, is_last: bool) -> String {
        self.more += more;
        if self.more == 0 {
            return String::new();
        }
        let now = Instant::now();
        if !is_last && *self.count_at.get_or_insert(now + COUNT_INTERVAL) > now {
            return String::new();
        }
        self.count_at = None;
        let more = std::mem::take(&mut self.more);
        if self.renderer.is_quiet {
            String::new()
        } else {
            format!("  … and {more} more requests of other routes\n")
        }
    }

    /// Renders an update. With keys a traceback is shown by a key only.
    fn apply(&mut self, update: Update) -> String {
        match update {
            Update::Request(mut request) => {
                if let Some(raised) = &request.traceback {
                    self.last_error = Some(Arc::clone(raised));
                }
                if self.is_interactive {
                    request.traceback = None;
                }
                self.renderer.push_request(*request, Instant::now())
            }
            Update::Reload(event) => {
                let reload = Reload::from(&event);
                if reload.outcome == LoadOutcome::Failed
                    && let Some(raised) = &reload.traceback
                {
                    self.last_error = Some(Arc::new(raised.clone()));
                }
                let failures = event.report.failures.iter().filter(|_| !self.is_interactive);
                let tracebacks: Vec<_> = failures.map(|failure| &failure.traceback).collect();
                let lines = self.renderer.push_reload(&reload, &tracebacks, Instant::now());
                if reload.outcome != LoadOutcome::Failed {
                    self.renderer.set_routes(&event.report.routes);
                }
                lines
            }
            Update::Contract(record) => {
                self.renderer.push(&contract::lines(record.generation, &record.diff))
            }
            Update::Pins(failing, round) => self.renderer.push_pins(failing, round),
            Update::Pause(is_paused) => {
                self.is_paused = is_paused;
                pause_line(is_paused)
            }
            Update::Text(text) => text,
            Update::Key(key) => self.press(key),
            Update::Interactive => {
                self.is_interactive = true;
                String::new()
            }
        }
    }

    fn press(&mut self, key: KeyAction) -> String {
        match key {
            KeyAction::LastError => match &self.last_error {
                Some(raised) => format!("\n{}\n", traceback::render(raised)),
                None => format!("  {} no error yet\n", style("●").green()),
            },
            KeyAction::ToggleQuiet => {
                self.renderer.is_quiet = !self.renderer.is_quiet;
                let words = if self.renderer.is_quiet {
                    "showing errors and reloads only; press v to show everything"
                } else {
                    "showing everything"
                };
                format!("  {}\n", style(words).dim())
            }
            KeyAction::Clear => "\x1b[H\x1b[2J".to_owned(),
        }
    }

    fn status(&self) -> String {
        let serving = self.runtime.serving();
        let quiet = if self.renderer.is_quiet { " · quiet" } else { "" };
        let paused = if self.is_paused { " · ‖ paused" } else { "" };
        format!("{}{}", serving_status(&serving), style(format!("{paused}{quiet}")).dim())
    }
}

/// Selects the shown fields of a request.
pub(super) fn view_of(record: &RequestRecord<'_>) -> RequestView {
    RequestView {
        id: record.id.to_string(),
        time_ms: unix_ms(record.time),
        method: record.head.method().to_owned(),
        path: record.head.path().into_owned(),
        route: record.route.map(ToOwned::to_owned),
        status: record.status,
        generation: record.generation,
        total_ms: ms(record.total),
        phases: record.phases,
        blocked_by: record.blockers.iter().map(blocker_view).collect(),
        error: record.traceback.map(|raised| (&**raised).into()),
        traceback: record.traceback.cloned(),
        repeats: None,
    }
}

/// Describes the end of a WebSocket.
pub(super) fn view_of_close(record: &SocketCloseRecord<'_>) -> RequestView {
    RequestView {
        id: record.request.to_string(),
        time_ms: unix_ms(record.time),
        method: WEBSOCKET.to_owned(),
        path: record.head.path().into_owned(),
        route: Some(record.route.to_owned()),
        status: record.close.code,
        generation: Some(record.generation),
        total_ms: ms(record.total),
        phases: Phases::default(),
        blocked_by: Vec::new(),
        error: record.traceback.map(|raised| (&**raised).into()),
        traceback: record.traceback.cloned(),
        repeats: None,
    }
}

fn blocker_view(blocker: &BlockingRequest) -> BlockerView {
    BlockerView { id: blocker.id.to_string(), path: blocker.path.clone() }
}
