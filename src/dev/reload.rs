//! The reload thread: waits until a save is complete, then asks the runtime to reload.
//!
//! The gate is marked before a file event can be read, and released after the reload: no request
//! passes between a save and its reload. During a pause, or while the program is built, file events are
//! stored and mark nothing; manual reloads still run. Reads no source: Python compares the contents while it loads them.

pub(super) mod build_hold;
mod commands;
pub(super) mod debounce;
mod git_lock;
mod late_events;
mod reload_state;
pub(super) mod restart;

use std::fs;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::event::Event;
use crate::python_runtime::{PythonRuntime, ReloadOutcome, ReloadParams, ReloadScope};

use super::watch::{Asset, FileEvent, FileEventKind, Watcher, walk};
use build_hold::BuildHold;
use commands::ReloadCommands;
use debounce::Debouncer;
use late_events::LateEvents;
use reload_state::{PendingReload, ReloadState};

/// The longest time that the start waits for code that changed during it: a module may hang.
const MAX_CATCH_UP: Duration = Duration::from_millis(500);
/// The longest time that git's lock delays a reload.
const MAX_GIT: Duration = Duration::from_secs(10);
/// A file that changes this soon after a reload may belong to the save before it.
const CONTINUED: Duration = Duration::from_millis(20);
/// The time between two checks of git's lock.
const GIT_INTERVAL: Duration = Duration::from_millis(5);

/// The handle of the reload thread. Dropping it stops the thread.
pub(super) struct Reloader {
    watcher: Arc<Watcher>,
    commands: Arc<ReloadCommands>,
    hold: Arc<BuildHold>,
}

impl Reloader {
    /// Starts to watch the python dir of `runtime`, and sets the probe of its gate. Calls
    /// `on_asset_saved` for saved files of pages that no module read.
    pub(super) fn start(
        runtime: &Arc<PythonRuntime>,
        hold: Arc<BuildHold>,
        on_asset_saved: impl Fn(Asset) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let config = runtime.config();
        let commands = Arc::new(ReloadCommands::default());
        let stores_saves = {
            let (commands, hold) = (Arc::clone(&commands), Arc::clone(&hold));
            move || commands.is_paused() || hold.is_on()
        };
        let mark_gate = {
            let (runtime, stores_saves) = (Arc::downgrade(runtime), stores_saves.clone());
            move || {
                if let Some(runtime) = runtime.upgrade()
                    && !stores_saves()
                {
                    runtime.gate().mark_dirty();
                }
            }
        };
        let watcher = Watcher::start(&config.python_dir, mark_gate, on_asset_saved)
            .map_err(Error::io(format!("cannot watch `{}`", config.python_dir.display())))?;
        let watcher = Arc::new(watcher);
        runtime.events().listen({
            let watcher = Arc::downgrade(&watcher);
            move |event| {
                if let Event::Written(path) = event
                    && let Some(watcher) = watcher.upgrade()
                {
                    watcher.add_output(Path::new(path));
                }
            }
        });
        runtime.gate().set_probe(config.reload_wait, {
            let watcher = Arc::clone(&watcher);
            move |_| {
                if !stores_saves() {
                    watcher.poll_now();
                }
            }
        });
        let thread = ReloadThread {
            runtime: Arc::downgrade(runtime),
            watcher: Arc::clone(&watcher),
            commands: Arc::clone(&commands),
            hold: Arc::clone(&hold),
            next_batch: Vec::new(),
            last_save: None,
            counted: runtime.gate().changes(),
        };
        let (caught_up, start) = sync_channel(0);
        std::thread::Builder::new()
            .name("reloader".into())
            .spawn(|| thread.run(ReloadState::Starting(caught_up)))
            .map_err(Error::io("cannot start the reload thread"))?;
        // Once the server is reported to run, it serves the newest code.
        let _ = start.recv_timeout(MAX_CATCH_UP);
        Ok(Self { watcher, commands, hold })
    }

    /// Checks all files; `None` if the server stops, or if too many reloads are requested.
    pub(super) async fn reload(
        &self,
        scope: ReloadScope,
        runtime: &PythonRuntime,
    ) -> Option<ReloadOutcome> {
        let outcome = self.commands.request_reload(scope);
        runtime.gate().mark_dirty();
        self.watcher.interrupt();
        outcome.await.ok()
    }

    /// Stores changes from now on instead of reloading.
    pub(super) fn pause(&self, runtime: &PythonRuntime) {
        self.commands.set_paused(true, || runtime.events().emit(|| Event::Paused(true)));
    }

    /// Ends the pause, and reloads the changes stored during it.
    pub(super) fn resume(&self, runtime: &PythonRuntime) {
        self.watcher.poll_now(); // a save just before the end belongs to the same batch
        self.commands.set_paused(false, || runtime.events().emit(|| Event::Paused(false)));
        self.load_stored(runtime);
    }

    /// Loads the Python saves that waited for a build, unless it has failed: then they wait for the next.
    pub(super) fn end_build(&self, has_failed: bool, runtime: &PythonRuntime) {
        self.watcher.poll_now();
        self.hold.end(has_failed);
        self.load_stored(runtime);
    }

    /// Ends the wait for a build that has not begun after all.
    pub(super) fn cancel_build(&self, runtime: &PythonRuntime) {
        self.hold.cancel();
        self.load_stored(runtime);
    }

    fn load_stored(&self, runtime: &PythonRuntime) {
        // After the end of the pause: a thread that is still paused would release the gate.
        runtime.gate().mark_dirty();
        self.watcher.interrupt();
    }

    /// Whether changes are stored instead of reloaded.
    pub(super) fn is_paused(&self) -> bool {
        self.commands.is_paused()
    }
}

impl Drop for Reloader {
    fn drop(&mut self) {
        self.watcher.stop();
    }
}

struct ReloadThread {
    runtime: Weak<PythonRuntime>,
    watcher: Arc<Watcher>,
    commands: Arc<ReloadCommands>,
    hold: Arc<BuildHold>,
    /// The events that came during a reload.
    next_batch: Vec<FileEvent>,
    /// The last save that was reloaded, and when its reload ended.
    last_save: Option<(Debouncer, Instant)>,
    /// The gate's changes that the current step covers. Counted before each read of events or
    /// commands: a later change is covered by the next round.
    counted: u64,
}

impl ReloadThread {
    fn run(mut self, mut state: ReloadState) {
        while let Some(runtime) = self.runtime.upgrade() {
            let gate = runtime.gate();
            let is_stopped = self.watcher.is_stopped();
            if is_stopped {
                self.counted = gate.changes();
            }
            if is_stopped || matches!(state, ReloadState::Waiting | ReloadState::Paused(_)) {
                gate.release(self.counted);
            }
            if is_stopped {
                return;
            }
            state = match state {
                ReloadState::Starting(_caught_up) => self.catch_up(&runtime),
                ReloadState::Waiting => {
                    drop(runtime); // an idle thread must not own the runtime
                    self.wait_for_change(Debouncer::new(Instant::now()))
                }
                ReloadState::Paused(batch) => {
                    drop(runtime);
                    self.wait_for_change(batch)
                }
                ReloadState::Collecting(pending) => self.collect(pending, &runtime),
                ReloadState::Reloading(pending) => self.reload(pending, &runtime),
                ReloadState::Held(pending, until) => self.wait_for_writer(pending, until),
            };
        }
    }

    /// Reloads the code that changed while Python started, when it was not watched yet.
    fn catch_up(&mut self, runtime: &PythonRuntime) -> ReloadState {
        let report = &runtime.serving().last_reload.report;
        self.watcher.track_code(report);
        self.counted = runtime.gate().changes();
        let mut batch = Debouncer::new(Instant::now());
        batch.add(FileEvent::rescan(), Instant::now());
        let pending = PendingReload::new(batch);
        match self.attempt(&pending, ReloadScope::New, true, runtime) {
            ReloadOutcome::Held => ReloadState::Collecting(pending),
            ReloadOutcome::Overtaken => self.join(pending),
            _ => ReloadState::Waiting,
        }
    }

    /// Adds the changes that overtook an attempt to its save.
    fn join(&mut self, mut pending: PendingReload) -> ReloadState {
        let events = std::mem::take(&mut self.next_batch);
        self.add(events, &mut pending.batch);
        pending.batch.expect_more();
        pending.is_repeated = true;
        ReloadState::Collecting(pending)
    }

    fn wait_for_change(&mut self, mut batch: Debouncer) -> ReloadState {
        let mut events = std::mem::take(&mut self.next_batch);
        if events.is_empty() {
            events = self.watcher.wait(None);
        }
        if !events.is_empty() {
            self.hold.report_save();
        }
        batch.since = Instant::now();
        if self.continues_last_save(&events) {
            batch.expect_more();
        }
        self.add(events, &mut batch);
        ReloadState::Collecting(PendingReload::new(batch))
    }

    /// Whether other files changed so soon after the last reload that its save may have been cut.
    fn continues_last_save(&self, events: &[FileEvent]) -> bool {
        self.last_save.as_ref().is_some_and(|(save, ended)| {
            ended.elapsed() < CONTINUED
                && events.iter().any(|event| save.is_continued_by(&event.path))
        })
    }

    /// Waits until the save is complete. Another event or command begins the wait again.
    fn collect(&mut self, mut pending: PendingReload, runtime: &PythonRuntime) -> ReloadState {
        self.counted = runtime.gate().changes();
        self.take_commands(&mut pending);
        if pending.manual.is_empty() && (self.commands.is_paused() || self.hold.is_on()) {
            return self.store(pending);
        }
        self.wait_until_complete(&mut pending.batch, &runtime.config().python_dir);
        self.counted = runtime.gate().changes();
        let events = self.watcher.take_events();
        let has_command = self.take_commands(&mut pending);
        if has_command || !events.is_empty() {
            self.add(events, &mut pending.batch);
            return ReloadState::Collecting(pending);
        }
        ReloadState::Reloading(pending)
    }

    fn reload(&mut self, pending: PendingReload, runtime: &PythonRuntime) -> ReloadState {
        let PendingReload { batch, manual, .. } = &pending;
        if batch.is_empty() {
            return ReloadState::Waiting;
        }
        if manual.is_empty() && self.hold.must_wait() {
            return self.store(pending);
        }
        let partial_until = batch.partial_until(Instant::now());
        let scope = manual.iter().map(|command| command.scope).max().unwrap_or_default();
        let outcome = self.attempt(&pending, scope, partial_until.is_some(), runtime);
        if matches!(outcome, ReloadOutcome::Overtaken) {
            return self.join(pending);
        }
        if let (ReloadOutcome::Held, Some(until)) = (&outcome, partial_until) {
            return ReloadState::Held(pending, until);
        }
        if !pending.manual.is_empty() {
            self.hold.forget_saves();
        }
        for command in pending.manual {
            let _ = command.reply.send(outcome.clone()); // an error: its client has disconnected
        }
        self.last_save = Some((pending.batch, Instant::now()));
        ReloadState::Waiting
    }

    /// Stores the changes until the end of a pause or of a build.
    fn store(&self, pending: PendingReload) -> ReloadState {
        if self.hold.is_on() && !pending.batch.is_empty() {
            self.hold.store_saves();
        }
        ReloadState::Paused(pending.batch)
    }

    fn wait_for_writer(&mut self, mut pending: PendingReload, until: Instant) -> ReloadState {
        let mut events = std::mem::take(&mut self.next_batch);
        if events.is_empty() {
            events = self.watcher.wait(Some(until));
        }
        self.add(events, &mut pending.batch);
        ReloadState::Collecting(pending)
    }

    /// Reloads once. Stores the events that came meanwhile, and tracks the files that the code read.
    fn attempt(
        &mut self,
        pending: &PendingReload,
        scope: ReloadScope,
        is_partial: bool,
        runtime: &PythonRuntime,
    ) -> ReloadOutcome {
        let PendingReload { batch, is_repeated, .. } = pending;
        let (paths, since, is_repeated) = (batch.paths(), batch.since, *is_repeated);
        let cause = if scope == ReloadScope::New { "save" } else { "manual" };
        let late = Arc::new(LateEvents::new(&self.watcher, batch));
        let newer = {
            let late = Arc::clone(&late);
            Box::new(move |is_long| late.newer_paths(is_long))
        };
        let params = ReloadParams { cause, scope, paths, since, is_partial, is_repeated };
        let outcome = runtime.reload(params, newer);
        self.next_batch = late.take();
        self.next_batch.extend(self.watcher.take_events());
        if let ReloadOutcome::Reloaded(reload) = &outcome {
            self.watcher.track_code(&reload.report);
        }
        outcome
    }

    /// Takes the requested reloads, each of which checks all files. Returns whether there were any.
    fn take_commands(&self, pending: &mut PendingReload) -> bool {
        let commands = self.commands.take();
        let is_any = !commands.is_empty();
        if is_any {
            self.add(vec![FileEvent::rescan()], &mut pending.batch);
            pending.manual.extend(commands);
        }
        is_any
    }

    /// Waits until no file is being written, and git has released its lock.
    fn wait_until_complete(&self, batch: &mut Debouncer, root: &Path) {
        let deadline = batch.since + MAX_GIT;
        while !self.watcher.is_stopped() && !batch.is_empty() {
            let (ready, now) = (batch.ready_at(is_empty_source), Instant::now());
            let until = if ready > now {
                ready
            } else if now < deadline && git_lock::is_locked(root) {
                now + GIT_INTERVAL
            } else {
                return;
            };
            let events = self.watcher.wait(Some(until));
            self.add(events, batch);
        }
    }

    /// Adds the events to the batch, and watches new directories.
    fn add(&self, events: Vec<FileEvent>, batch: &mut Debouncer) {
        for mut event in events {
            match event.kind {
                FileEventKind::Directory if !self.watcher.watch_dir(&event.path) => continue,
                FileEventKind::Directory if !event.path.is_dir() => {
                    event.kind = FileEventKind::Removed;
                }
                FileEventKind::Rescan => self.watcher.watch_all(),
                _ => {}
            }
            batch.add(event, Instant::now());
        }
    }
}

fn is_empty_source(path: &Path) -> bool {
    walk::is_source(path) && fs::metadata(path).is_ok_and(|meta| meta.len() == 0)
}
