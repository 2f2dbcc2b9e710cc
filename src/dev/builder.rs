//! Dev mode in a program that `snaxum dev` builds: builds among the reloads, and the takeover.
//!
//! Receives the builder's orders and reports to it. Builds nothing, and starts no process.

use std::sync::{Arc, Weak};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::event::Event;
use crate::message::{LoadOutcome, Reload, RouteDiff, RouteInfo};
use crate::supervision::BuilderLink;
use crate::supervision::protocol::{BuildReport, BuilderOrder, ProgramReport, ProgramStart};
use crate::sync::Mutex;

use super::crash::Crash;
use super::engine::{Dev, EngineState};
use super::pinned_replays::SavedPin;
use super::reload::restart::RestartRequest;

/// The note of a build that has failed together with Python changes.
const HELD: &str = "the Python changes of this save wait for the next program that is good; `snaxum reload` \
                    loads them now";

/// The data of a program that leaves for the program after it.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct SavedState {
    /// Oldest first.
    reloads: Vec<Reload>,
    routes: Vec<RouteInfo>,
    is_paused: bool,
    pins: Vec<SavedPin>,
    /// The number of the newest request.
    last_request: u64,
}

/// The restarts that wait for their outcome.
type PendingRestarts = Arc<Mutex<Vec<RestartRequest>>>;

impl Dev {
    /// Follows the builder's orders from now on.
    pub(super) fn follow_builder(&self, builder: &'static BuilderLink) {
        let ProgramStart { mcp, editor, crash, .. } = builder.start();
        if let Some(mcp) = mcp {
            self.open_mcp(mcp.may_write, Some(mcp.token.clone()));
        }
        if let Some(editor) = editor.as_ref().and_then(|editor| editor.parse().ok()) {
            self.use_editor(editor);
        }
        let crash = crash.clone().and_then(|crash| serde_json::from_value::<Crash>(crash).ok());
        if let Some(crash) = crash {
            self.record_crash(&crash);
        }
        self.inner.runtime.events().listen(move |event| {
            if let Event::Paused(is_paused) = event {
                builder.report(&ProgramReport::Paused { is_paused: *is_paused });
            }
        });
        let restarts = self.pass_restarts_on(builder);
        builder.on_leave({
            let (engine, restarts) = (Arc::downgrade(&self.inner), Arc::clone(&restarts));
            move || {
                engine
                    .upgrade()
                    .map_or(Value::Null, |engine| leave(&Self { inner: engine }, &restarts))
            }
        });
        builder.report(&ProgramReport::Dev);
        let (engine, tokio) = (Arc::downgrade(&self.inner), Handle::try_current().ok());
        if let Some(tokio) = &tokio {
            // Clients that wait for a build or a restart must not delay the stop; they ask again.
            let (stopping, restarts) = (self.inner.runtime.stopping(), Arc::clone(&restarts));
            let engine = Weak::clone(&engine);
            tokio.spawn(async move {
                stopping.cancelled().await;
                if let Some(engine) = engine.upgrade() {
                    engine.restarts.has_successor();
                    engine.builds.abandon();
                }
                for request in restarts.lock().drain(..) {
                    request.respond(Err("the server is stopping".to_owned()));
                }
            });
        }
        builder.receive(move |order| {
            let _tokio = tokio.as_ref().map(Handle::enter); // for the pins
            on_order(order, &engine, &restarts);
        });
    }

    /// Reports each request for a new process to the builder; returns those without an outcome.
    fn pass_restarts_on(&self, builder: &'static BuilderLink) -> PendingRestarts {
        let pending = PendingRestarts::default();
        let mut requests = self.restart_requests();
        let waiting = Arc::clone(&pending);
        let pass = move || {
            while let Some(request) = requests.blocking_recv() {
                let reason = request.reason.clone();
                waiting.lock().push(request);
                builder.report(&ProgramReport::Restart { reason });
            }
        };
        if let Err(error) = std::thread::Builder::new().name("restarts".to_owned()).spawn(pass) {
            tracing::error!(
                "cannot start a thread: {error}; restart `snaxum dev` for new packages"
            );
        }
        pending
    }
}

fn on_order(order: BuilderOrder, engine: &Weak<EngineState>, restarts: &PendingRestarts) {
    let Some(engine) = engine.upgrade() else { return };
    let runtime = &engine.runtime;
    match order {
        BuilderOrder::Building { files } => {
            engine.builds.begin();
            if !files.is_empty() {
                runtime.events().emit(|| Event::ReloadStart { files });
            }
        }
        BuilderOrder::Answer { is_building, .. } => {
            if is_building {
                engine.builds.begin();
            }
        }
        BuilderOrder::Built { mut build } => {
            let redactor = engine.recorder.redactor();
            build.reason = redactor.text(&build.reason);
            redactor.mask_failures(&mut build.failures);
            let has_failed = build.outcome == LoadOutcome::Failed;
            let notes = (has_failed && engine.builds.has_saves()).then(|| HELD.to_owned());
            // Before the end: a client that waits for it reads the outcome.
            let notes = notes.into_iter().collect();
            runtime.record_build(&build, RouteDiff::default(), notes);
            engine.reloader.end_build(has_failed, runtime);
        }
        BuilderOrder::NotBuilt => engine.reloader.cancel_build(runtime),
        BuilderOrder::RestartFailed { reason } => {
            for request in restarts.lock().drain(..) {
                request.respond(Err(reason.clone()));
            }
            engine.reloader.end_build(false, runtime);
        }
        BuilderOrder::Live { build, state } => {
            begin_serving(&engine, build.as_deref(), state);
            engine.reloader.end_build(false, runtime);
        }
        BuilderOrder::Leave { .. } => {} // the link cancels its token
    }
}

/// Continues after the program before this one.
fn begin_serving(engine: &EngineState, build: Option<&BuildReport>, state: Value) {
    let runtime = &engine.runtime;
    let is_first = state.is_null();
    let saved: SavedState = serde_json::from_value(state).unwrap_or_default();
    let SavedState { reloads, routes, is_paused, pins, last_request } = saved;
    runtime.continue_requests(last_request);
    if Handle::try_current().is_ok() {
        engine.pins.restore(pins); // before the reload, after which they are sent
    }
    let serving = runtime.serving();
    let diff = RouteDiff::between(&routes, &serving.routes);
    if build.is_some() || !is_first {
        runtime.continue_loads(reloads.last().map_or(0, |last| last.id));
        engine.recorder.replace_reloads(reloads);
        runtime.record_takeover(build, diff);
    }
    if is_paused {
        engine.reloader.pause(runtime);
    }
}

/// Ends the part of this program in dev mode; returns the data for the program after it.
fn leave(dev: &Dev, restarts: &PendingRestarts) -> Value {
    let EngineState { runtime, recorder, reloader, pins, .. } = &*dev.inner;
    let mut reloads: Vec<Reload> =
        recorder.reloads().into_iter().map(Arc::unwrap_or_clone).collect();
    reloads.reverse();
    let saved = SavedState {
        reloads,
        routes: runtime.serving().routes.clone(),
        is_paused: reloader.is_paused(),
        pins: pins.save(),
        last_request: runtime.last_request_id(),
    };
    for request in restarts.lock().drain(..) {
        request.respond(Ok(()));
    }
    dev.inner.restarts.has_successor();
    dev.inner.builds.abandon();
    runtime.announce_replacement();
    dev.stop();
    runtime.begin_shutdown();
    serde_json::to_value(saved).unwrap_or_default()
}
