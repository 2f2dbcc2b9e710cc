//! What a dev server says on the terminal: the banner, a line a request, a line a reload.
//!
//! Writes from a thread of its own behind a bounded queue: a terminal that is stopped or slow
//! loses lines, and is told how many, but never holds up a request. Of many requests at once the
//! first are listed, and the others counted.

mod banner;
mod keys;
pub(super) mod raw_mode;
mod status_line;
mod views;
mod writer;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use snaxum::event::{Event, PinRound, ReloadRecord};
use snaxum::python_runtime::PythonRuntime;

use super::render::Request;
use super::render::color::say;
pub(super) use banner::banner;
pub(super) use keys::Keys;
use writer::Writer;

/// Lines that may wait for the terminal.
const MAX_WAITING: usize = 1024;
/// How long it waits after it has written: nobody reads faster, and a server under load has other
/// things to do than to wake a thread for each request.
const FRAME: Duration = Duration::from_millis(50);
/// Different requests that are listed in that time; those that went well are counted from then on.
const MAX_REQUESTS: usize = 20;
/// How long a stopping server waits for its last lines.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The way to the terminal's thread.
#[derive(Clone)]
pub(crate) struct Terminal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<News>,
    requests: usize,
    /// Requests that are counted and not listed.
    more: usize,
    /// Lines that found no place.
    lost: usize,
    /// Whether the thread sleeps until something happens.
    is_resting: bool,
    /// Whether somebody waits for the last lines.
    is_ending: bool,
    has_ended: bool,
}

/// What there is to say, as the terminal's thread takes it.
enum News {
    Request(Box<Request>),
    Reload(Arc<ReloadRecord>),
    Pins(usize, Option<PinRound>),
    Pause(bool),
    Text(String),
    Press(Press),
    /// Keys are read from now on.
    Live,
}

/// A key that concerns the lines themselves.
#[derive(Clone, Copy)]
enum Press {
    LastError,
    Quieter,
    Clear,
}

impl Terminal {
    /// Starts the thread; `explains` lets reloads tell their phases.
    pub(crate) fn start(runtime: &Arc<PythonRuntime>, explains: bool) -> std::io::Result<Self> {
        let terminal = Self(Arc::default());
        let shared = Arc::clone(&terminal.0);
        let writer = Writer::new(Arc::clone(runtime), explains);
        thread::Builder::new().name("terminal".into()).spawn(move || shared.write(writer))?;
        Ok(terminal)
    }

    /// Says what happened, soon.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.change(|state| state.hear(event));
    }

    /// Says this, soon.
    pub(crate) fn say(&self, text: String) {
        self.change(|state| state.add(News::Text(text)));
    }

    /// Draws the status line from now on.
    pub(crate) fn go_live(&self) {
        self.change(|state| state.add(News::Live));
    }

    fn press(&self, key: Press) {
        self.change(|state| state.add(News::Press(key)));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock();
        change(&mut state);
        if state.has_news() && std::mem::take(&mut state.is_resting) {
            drop(state);
            self.0.bell.notify_all();
        }
    }

    /// Waits for the lines so far, if the terminal takes them, and gives its mode back.
    pub(crate) fn finish(&self) {
        let mut state = self.0.lock();
        state.is_ending = true;
        self.0.bell.notify_all();
        let ended = self.0.bell.wait_timeout_while(state, LAST_LINES, |state| !state.has_ended);
        drop(ended);
        raw_mode::restore();
    }
}

impl Shared {
    fn write(&self, mut writer: Writer) {
        let mut state = self.lock();
        loop {
            state = self.rest(state, writer.next());
            let news = std::mem::take(&mut state.waiting);
            let (more, lost) = (std::mem::take(&mut state.more), std::mem::take(&mut state.lost));
            let is_ending = state.is_ending;
            state.requests = 0;
            drop(state);

            say(&writer.frame(news, more, lost, is_ending));

            state = self.lock();
            if is_ending && !state.has_news() {
                state.has_ended = true;
                self.bell.notify_all();
                return;
            }
            let paused = self.bell.wait_timeout_while(state, FRAME, |state| !state.is_ending);
            state = paused.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sleeps until there is something to say, at most until `next`.
    fn rest<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        next: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        state.is_resting = true;
        let is_idle = |state: &mut State| !state.is_ending && !state.has_news();
        let mut state = match next {
            None => {
                let waited = self.bell.wait_while(state, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
            Some(next) => {
                let left = next.saturating_duration_since(Instant::now());
                let waited = self.bell.wait_timeout_while(state, left, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.is_resting = false;
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_news(&self) -> bool {
        !self.waiting.is_empty() || self.more > 0 || self.lost > 0
    }

    fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::RequestEnd(record) if self.requests >= MAX_REQUESTS && record.status < 400 => {
                self.more += 1;
            }
            Event::RequestEnd(record) => {
                self.requests += 1;
                self.add(News::Request(Box::new(views::request(record))));
            }
            Event::ReloadEnd(reload) => self.add(News::Reload(Arc::clone(reload))),
            Event::Paused(is_paused) => self.add(News::Pause(*is_paused)),
            Event::Pins { failing, round } => self.add(News::Pins(*failing, *round)),
            // Lines that are printed, and what the log says of workers, get there by themselves.
            Event::RequestStart(_)
            | Event::ReloadStart { .. }
            | Event::Log(_)
            | Event::Worker(_) => {}
        }
    }

    fn add(&mut self, news: News) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push(news);
        } else {
            self.lost += 1;
        }
    }
}
