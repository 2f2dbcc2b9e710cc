//! Stores the errors of requests and reloads, whatever the traffic: what happened, how often, and
//! whether it is mended.
//!
//! Bounded by the number of errors: mended ones are dropped first. Requests are the same error if
//! the same function of the user's code raised the same type. An error of a request is mended when a
//! save has changed its code, and a request to the same route passes; an error of a reload when the
//! modules load. Never decides by time.

use std::sync::Arc;

use crate::event::ReloadRecord;
use crate::message::{LoadOutcome, ModuleFailure, Traceback, unix_ms};

use super::request::{FailedRequest, RecordedRequest};
use crate::dev::protocol::{ErrorSummary, TrackedError, TrackedErrorDetail};

/// The most errors that are stored.
pub(super) const MAX_ERRORS: usize = 200;
/// The most bytes of bodies of their requests.
const MAX_RETAINED_BYTES: usize = 8 * 1024 * 1024;
/// The most routes of one error whose requests are watched.
const MAX_ROUTES: usize = 16;
/// The most modules that an error names.
const MAX_MODULES: usize = 100;
const OPEN: &str = "open";
const MENDED: &str = "mended";

/// The errors, the newest last.
#[derive(Default)]
pub(super) struct ErrorStore {
    errors: Vec<RecordedError>,
    last_id: u64,
    /// The number of open errors whose code has changed since.
    changed: usize,
    /// The bytes of bodies of the retained requests.
    retained_bytes: usize,
}

struct RecordedError {
    /// The type, then the place or the request.
    key: [String; 3],
    shown: Arc<TrackedError>,
    traceback: Arc<Traceback>,
    /// The ids of the routes whose requests failed with it.
    routes: Vec<String>,
    /// The generation from which on it was mended.
    mended_in: u64,
    /// Its newest request, once newer requests have replaced it in the list of all.
    retained: Option<Box<RecordedRequest>>,
}

/// One more occurrence.
struct Occurrence<'a> {
    time_ms: u64,
    generation: Option<u64>,
    traceback: Arc<Traceback>,
    request: Option<FailedRequest<'a>>,
    reload: Option<u64>,
    modules: Vec<String>,
}

impl ErrorStore {
    /// The errors, the newest first.
    pub(super) fn list(&self) -> Vec<Arc<TrackedError>> {
        self.errors.iter().rev().map(|error| Arc::clone(&error.shown)).collect()
    }

    pub(super) fn detail(&self, id: u64) -> Option<TrackedErrorDetail> {
        let error = self.errors.iter().find(|error| error.shown.id == id)?;
        let (summary, traceback) = (TrackedError::clone(&error.shown), &*error.traceback);
        Some(TrackedErrorDetail { summary, traceback: traceback.clone() })
    }

    /// Returns a request that only this store has.
    pub(super) fn request(&self, id: u64) -> Option<&RecordedRequest> {
        self.errors
            .iter()
            .filter_map(|error| error.retained.as_deref())
            .find(|retained| retained.id() == id)
    }

    /// Adds a request that failed, and returns its error.
    pub(super) fn add_request(
        &mut self,
        request: FailedRequest<'_>,
        traceback: &Arc<Traceback>,
    ) -> Arc<TrackedError> {
        self.add(Occurrence {
            time_ms: request.ended_ms,
            generation: request.generation,
            traceback: Arc::clone(traceback),
            request: Some(request),
            reload: None,
            modules: Vec::new(),
        })
    }

    /// Retains a request that leaves the list of all, if it is the newest of its error; returns any other.
    pub(super) fn retain(
        &mut self,
        mut request: Box<RecordedRequest>,
    ) -> Option<Box<RecordedRequest>> {
        if !request.has_failed() {
            return Some(request);
        }
        let id = request.id().to_string();
        let is_its = |error: &&mut RecordedError| error.shown.request.as_ref() == Some(&id);
        let Some(error) = self.errors.iter_mut().rev().find(is_its) else { return Some(request) };
        if self.retained_bytes + request.body_bytes() > MAX_RETAINED_BYTES {
            request.drop_bodies();
        }
        self.retained_bytes += request.body_bytes();
        let before = error.retained.replace(request);
        self.retained_bytes -= before.map_or(0, |before| before.body_bytes());
        None
    }

    /// Whether a request that passes mends an error.
    pub(super) fn is_mended_by(&self, route: Option<&str>, generation: Option<u64>) -> bool {
        self.changed > 0 && self.errors.iter().any(|error| error.is_mended_by(route, generation))
    }

    /// Adds a request that passes, and returns the errors that it mends.
    pub(super) fn add_pass(
        &mut self,
        route: Option<&str>,
        generation: Option<u64>,
        time_ms: u64,
    ) -> Vec<Arc<TrackedError>> {
        let mended = self.errors.iter_mut().filter(|error| error.is_mended_by(route, generation));
        let mended = mended.map(|error| {
            let reload = error.shown.changed_by;
            error.mend(reload, generation, time_ms)
        });
        let mended = mended.collect();
        self.count_changed();
        mended
    }

    /// Adds a reload, and returns the errors that it has, mends or may have mended.
    pub(super) fn add_reload(
        &mut self,
        record: &ReloadRecord,
        is_failing: bool,
    ) -> Vec<Arc<TrackedError>> {
        let (report, time_ms) = (&record.report, unix_ms(record.time));
        let mut changed: Vec<_> = report
            .failures
            .iter()
            .map(|failure| self.add_failure(record.id, time_ms, report.generation, failure))
            .collect();
        let has_loaded = report.outcome != LoadOutcome::Failed && !is_failing;
        for error in &mut self.errors {
            let shown = &error.shown;
            let is_known = changed.iter().any(|known| known.id == shown.id);
            if shown.state != OPEN || is_known {
                continue;
            }
            if shown.reload.is_some() {
                let is_its_save = error.traceback.culprit().is_some_and(|frame| {
                    !report.failures.is_empty() && record.files.contains(&frame.file)
                });
                if (has_loaded && report.failures.is_empty()) || is_its_save {
                    changed.push(error.mend(Some(record.id), Some(report.generation), time_ms));
                }
            } else if report.outcome == LoadOutcome::Ok && is_changed(&error.traceback, record) {
                Arc::make_mut(&mut error.shown).changed_by = Some(record.id);
                changed.push(Arc::clone(&error.shown));
            }
        }
        self.count_changed();
        changed
    }

    fn add_failure(
        &mut self,
        reload: u64,
        time_ms: u64,
        generation: u64,
        failure: &ModuleFailure,
    ) -> Arc<TrackedError> {
        let modules = [&failure.module].into_iter().chain(&failure.importers).cloned();
        self.add(Occurrence {
            time_ms,
            generation: (generation > 0).then_some(generation),
            traceback: Arc::new(failure.traceback.clone()),
            request: None,
            reload: Some(reload),
            modules: modules.collect(),
        })
    }

    fn add(&mut self, occurrence: Occurrence<'_>) -> Arc<TrackedError> {
        let key = key_of(&occurrence);
        let found = self.errors.iter().rposition(|error| error.key == key);
        let mut error = match found {
            Some(position) => self.errors.remove(position),
            None => {
                self.last_id += 1;
                RecordedError::new(key, self.last_id, &occurrence)
            }
        };
        if occurrence.request.is_some()
            && let Some(retained) = error.retained.take()
        {
            self.retained_bytes -= retained.body_bytes();
        }
        error.add(occurrence);
        let shown = Arc::clone(&error.shown);
        if self.errors.len() == MAX_ERRORS {
            let mended = self.errors.iter().position(|error| error.shown.state == MENDED);
            let dropped = self.errors.remove(mended.unwrap_or_default());
            self.retained_bytes -= dropped.retained.map_or(0, |retained| retained.body_bytes());
        }
        self.errors.push(error);
        self.count_changed();
        shown
    }

    fn count_changed(&mut self) {
        self.changed = self.errors.iter().filter(|error| error.shown.changed_by.is_some()).count();
    }
}

impl RecordedError {
    fn new(key: [String; 3], id: u64, first: &Occurrence<'_>) -> Self {
        let shown = TrackedError {
            id,
            state: OPEN,
            error: ErrorSummary::default(),
            hint: None,
            count: 0,
            first_ms: first.time_ms,
            last_ms: first.time_ms,
            first_generation: first.generation,
            last_generation: None,
            request: None,
            method: None,
            path: None,
            route: None,
            reload: None,
            modules: Vec::new(),
            changed_by: None,
            mended_by: None,
            mended_ms: None,
            returns: 0,
        };
        let (shown, traceback) = (Arc::new(shown), Arc::clone(&first.traceback));
        Self { key, shown, traceback, routes: Vec::new(), mended_in: 0, retained: None }
    }

    fn add(&mut self, occurrence: Occurrence<'_>) {
        let Occurrence { time_ms, generation, traceback, request, reload, modules } = occurrence;
        let shown = Arc::make_mut(&mut self.shown);
        // A request that began before the save that mended it does not bring it back.
        let is_old = reload.is_none() && generation.is_some_and(|number| number < self.mended_in);
        if shown.state == MENDED && !is_old {
            shown.state = OPEN;
            shown.returns += 1;
            (shown.mended_by, shown.mended_ms) = (None, None);
            shown.modules.clear();
        }
        if !is_old {
            shown.changed_by = None;
        }
        shown.error = ErrorSummary::from(&*traceback);
        shown.hint.clone_from(&traceback.hint);
        shown.count += 1;
        shown.last_ms = time_ms;
        shown.last_generation = generation;
        if let Some(request) = request {
            shown.request = Some(request.id.to_string());
            (shown.method, shown.path) = (Some(request.method), Some(request.path));
            shown.route = request.route;
            let id = request.route_id;
            if !id.is_empty() && self.routes.len() < MAX_ROUTES {
                let is_known = self.routes.iter().any(|known| known == id);
                self.routes.extend((!is_known).then(|| id.to_owned()));
            }
        }
        if reload.is_some() && reload != shown.reload {
            shown.modules.clear();
        }
        shown.reload = reload.or(shown.reload);
        for module in modules {
            if shown.modules.len() < MAX_MODULES && !shown.modules.contains(&module) {
                shown.modules.push(module);
            }
        }
        self.traceback = traceback;
    }

    fn is_mended_by(&self, route: Option<&str>, generation: Option<u64>) -> bool {
        self.shown.changed_by.is_some()
            && generation > self.shown.last_generation
            && route.is_some_and(|route| self.routes.iter().any(|known| known == route))
    }

    fn mend(
        &mut self,
        reload: Option<u64>,
        generation: Option<u64>,
        time_ms: u64,
    ) -> Arc<TrackedError> {
        let shown = Arc::make_mut(&mut self.shown);
        shown.state = MENDED;
        shown.changed_by = None;
        (shown.mended_by, shown.mended_ms) = (reload, Some(time_ms));
        self.mended_in = generation.unwrap_or_default();
        Arc::clone(&self.shown)
    }
}

/// Names an error: a missing package by its message, another one by the function that raised, and an
/// error outside all code by its request.
fn key_of(occurrence: &Occurrence<'_>) -> [String; 3] {
    let raised = &occurrence.traceback;
    let kind = raised.kind.clone();
    if kind == "ModuleNotFoundError" {
        return [kind, raised.message.clone(), String::new()];
    }
    match (raised.culprit(), &occurrence.request) {
        (Some(frame), _) => [kind, frame.file.clone(), frame.function.clone()],
        (None, Some(request)) => {
            let path = request.route.as_ref().unwrap_or(&request.path);
            // The message may contain data of the request, so it counts only without a place.
            [kind, format!("{} {path}", request.method), raised.message.clone()]
        }
        (None, None) => [kind, occurrence.modules.join(" "), raised.message.clone()],
    }
}

/// Whether a reload has changed the code of a traceback: one of its files, or a module that it imports.
fn is_changed(traceback: &Traceback, record: &ReloadRecord) -> bool {
    let ran = &record.report.modules;
    let has_changed = |file: &String| {
        record.files.contains(file) || ran.iter().any(|module| module.file == *file)
    };
    let frames = traceback.frames.iter().filter(|frame| frame.user);
    let inner = traceback.cause.as_deref().into_iter().chain(&traceback.exceptions);
    frames.map(|frame| &frame.file).any(has_changed)
        || inner.into_iter().any(|inner| is_changed(inner, record))
}
