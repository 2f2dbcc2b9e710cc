//! From hints to reloads: waits until a save is whole, and asks the runtime.
//!
//! A thread of its own; ends with its handle. The gate is marked by the time a hint can be taken
//! and settled after the reload, so no request passes between a save and its outcome. While it is
//! paused hints are kept for later, and mark nothing; what is asked for by hand is done. Reads no
//! file: whether a content changed is found out by whoever reads it to run it, in the same go.

mod commands;
mod debounce;
mod git_lock;
pub(super) mod restart;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::event::Event;
use crate::python_runtime::{PythonRuntime, ReloadOutcome, ReloadParams, ReloadScope};

use super::watch::{Hint, Kind, Watcher, walk};
use commands::{Ask, Orders};
use debounce::Batch;

/// How long the start may wait for code that changed during it; a module may hang.
const MAX_CATCH_UP: Duration = Duration::from_millis(500);
/// How long git may hold up a reload.
const MAX_GIT: Duration = Duration::from_secs(10);
/// How often to look whether it is done.
const GIT_INTERVAL: Duration = Duration::from_millis(5);

/// Reloads as long as it lives.
pub(super) struct Reloader {
    watcher: Arc<Watcher>,
    orders: Arc<Orders>,
}

impl Reloader {
    /// Starts watching the python dir of `runtime`, and puts a lookout on its gate. `style_saved`
    /// hears of style sheets that no module was made from.
    pub(super) fn start(
        runtime: &Arc<PythonRuntime>,
        style_saved: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let config = runtime.config();
        let io = |what: String| move |source: io::Error| Error::Io { what, source };
        let orders = Arc::new(Orders::default());
        let mark = {
            let (runtime, orders) = (Arc::downgrade(runtime), Arc::clone(&orders));
            move || {
                if let Some(runtime) = runtime.upgrade()
                    && !orders.is_paused()
                {
                    runtime.gate().mark_dirty();
                }
            }
        };
        let watcher = Watcher::start(&config.python_dir, mark, style_saved)
            .map_err(io(format!("cannot watch `{}`", config.python_dir.display())))?;
        let watcher = Arc::new(watcher);
        runtime.gate().set_probe(config.reload_wait, {
            let (watcher, orders) = (Arc::clone(&watcher), Arc::clone(&orders));
            move |_| {
                if !orders.is_paused() {
                    watcher.look();
                }
            }
        });
        let work = Work {
            runtime: Arc::downgrade(runtime),
            watcher: Arc::clone(&watcher),
            orders: Arc::clone(&orders),
            later: Vec::new(),
            kept: Batch::new(Instant::now()),
        };
        let (caught_up, start) = sync_channel(0);
        std::thread::Builder::new()
            .name("reloader".into())
            .spawn(|| work.run(caught_up))
            .map_err(io("cannot start the reloader".to_owned()))?;
        // Whoever hears that the server is there finds the newest code.
        let _ = start.recv_timeout(MAX_CATCH_UP);
        Ok(Self { watcher, orders })
    }

    /// Looks at all files; `None` if it stops, or if too many ask.
    pub(super) async fn reload(
        &self,
        scope: ReloadScope,
        runtime: &PythonRuntime,
    ) -> Option<ReloadOutcome> {
        let answer = self.orders.ask(scope);
        runtime.gate().mark_dirty();
        self.watcher.call();
        answer.await.ok()
    }

    /// Keeps what is saved from now on for later.
    pub(super) fn pause(&self, runtime: &PythonRuntime) {
        self.orders.set_paused(true, || runtime.events().emit(|| Event::Paused(true)));
    }

    /// Goes on, with what was saved in between.
    pub(super) fn resume(&self, runtime: &PythonRuntime) {
        self.watcher.look(); // what was saved just before belongs to the same batch
        self.orders.set_paused(false, || runtime.events().emit(|| Event::Paused(false)));
        // After the end of the pause, or the thread could settle this while it keeps hints.
        runtime.gate().mark_dirty();
        self.watcher.call();
    }

    /// Whether saves are kept for later.
    pub(super) fn is_paused(&self) -> bool {
        self.orders.is_paused()
    }
}

impl Drop for Reloader {
    fn drop(&mut self) {
        self.watcher.stop();
    }
}

struct Work {
    runtime: Weak<PythonRuntime>,
    watcher: Arc<Watcher>,
    orders: Arc<Orders>,
    /// What came while a reload ran.
    later: Vec<Hint>,
    /// What came during a pause.
    kept: Batch,
}

impl Work {
    fn run(mut self, caught_up: SyncSender<()>) {
        let mut hints = self.catch_up();
        drop(caught_up);
        while !self.watcher.is_stopped() {
            if hints.is_empty() {
                hints = self.watcher.wait(None);
            }
            let Some(runtime) = self.runtime.upgrade() else { return };
            self.deal_with(hints, &runtime);
            hints = std::mem::take(&mut self.later);
        }
    }

    /// Reloads what changed while Python was starting, which was not watched. Returns what is left
    /// to be dealt with.
    fn catch_up(&mut self) -> Vec<Hint> {
        let Some(runtime) = self.runtime.upgrade() else { return Vec::new() };
        let report = &runtime.serving().last_reload.report;
        self.watcher.follow(&report.inputs, &report.outputs);
        let now = Instant::now();
        let mut batch = Batch::new(now);
        batch.note(Hint::everything(), now);
        let changes = runtime.gate().changes();
        if matches!(self.reload(&batch, ReloadScope::New, true, &runtime), ReloadOutcome::Held) {
            return vec![Hint::everything()];
        }
        runtime.gate().release(changes);
        std::mem::take(&mut self.later)
    }

    /// Makes one reload of `hints` and of what comes while their save is not whole.
    fn deal_with(&mut self, hints: Vec<Hint>, runtime: &PythonRuntime) {
        let root = &runtime.config().python_dir;
        let now = Instant::now();
        let mut batch = std::mem::replace(&mut self.kept, Batch::new(now));
        batch.since = now;
        let mut asks = Vec::new();
        self.note(hints, &mut batch);
        loop {
            // Counted before each look: what is marked later is dealt with in the next round.
            let changes = runtime.gate().changes();
            self.hear(&mut asks, &mut batch);
            if asks.is_empty() && self.orders.is_paused() {
                self.kept = batch;
                runtime.gate().release(changes);
                return;
            }
            self.settle(&mut batch, root);
            let changes = runtime.gate().changes();
            let more = self.watcher.take();
            if self.hear(&mut asks, &mut batch) || !more.is_empty() {
                self.note(more, &mut batch);
                continue;
            }
            let partial_until = batch.partial_until(Instant::now());
            if !batch.is_empty() && !self.watcher.is_stopped() {
                let scope = asks.iter().map(|ask| ask.scope).max().unwrap_or_default();
                let attempt = self.reload(&batch, scope, partial_until.is_some(), runtime);
                if let (ReloadOutcome::Held, Some(until)) = (&attempt, partial_until) {
                    let mut more = std::mem::take(&mut self.later);
                    if more.is_empty() {
                        more = self.watcher.wait(Some(until));
                    }
                    self.note(more, &mut batch);
                    continue;
                }
                for ask in asks {
                    let _ = ask.reply.send(attempt.clone()); // an error: it has stopped waiting
                }
            }
            runtime.gate().release(changes);
            return;
        }
    }

    /// Takes what is asked for by hand: a look at everything. Whether there was any.
    fn hear(&self, asks: &mut Vec<Ask>, batch: &mut Batch) -> bool {
        let more = self.orders.take();
        let is_any = !more.is_empty();
        if is_any {
            self.note(vec![Hint::everything()], batch);
            asks.extend(more);
        }
        is_any
    }

    fn reload(
        &mut self,
        batch: &Batch,
        scope: ReloadScope,
        is_partial: bool,
        runtime: &PythonRuntime,
    ) -> ReloadOutcome {
        let (paths, since) = (batch.paths(), batch.since);
        let cause = if scope == ReloadScope::New { "save" } else { "manual" };
        let attempt = runtime.reload(ReloadParams { cause, scope, paths, since, is_partial });
        self.later = self.watcher.take();
        if let ReloadOutcome::Reloaded(reload) = &attempt {
            self.watcher.follow(&reload.report.inputs, &reload.report.outputs);
        }
        attempt
    }

    /// Waits until the batch is whole: nobody writes any more, and git is done.
    fn settle(&self, batch: &mut Batch, root: &Path) {
        let deadline = batch.since + MAX_GIT;
        while !self.watcher.is_stopped() && !batch.is_empty() {
            let (ready, now) = (batch.ready_at(is_emptied), Instant::now());
            let until = if ready > now {
                ready
            } else if now < deadline && git_lock::is_at_work(root) {
                now + GIT_INTERVAL
            } else {
                return;
            };
            let hints = self.watcher.wait(Some(until));
            self.note(hints, batch);
        }
    }

    /// Adds to the batch what matters of `hints`, and watches the directories that came.
    fn note(&self, hints: Vec<Hint>, batch: &mut Batch) {
        for mut hint in hints {
            match hint.kind {
                Kind::Directory if !self.watcher.cover(&hint.path) => continue,
                Kind::Directory if !hint.path.is_dir() => hint.kind = Kind::Gone,
                Kind::Everything => self.watcher.cover_all(),
                _ => {}
            }
            batch.note(hint, Instant::now());
        }
    }
}

fn is_emptied(path: &Path) -> bool {
    walk::is_source(path) && fs::metadata(path).is_ok_and(|meta| meta.len() == 0)
}
