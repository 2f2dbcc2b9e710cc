//! The generation that serves, as Rust knows it: its number, its routes and the newest reload.
//!
//! A snapshot: a reload replaces it and never changes it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::event::{ReloadRecord, TRACEBACK};
use crate::message::{Head, LoadOutcome, LoadReport, ModuleFailure, RouteInfo, StreamedRoute};

/// The generation that serves, and the newest reload.
#[derive(Debug)]
pub struct ServingGeneration {
    /// 0 while no module has loaded.
    pub generation: u64,
    /// Whether the newest code does not load or compile, or some module has not loaded since the start.
    pub failing: bool,
    /// Whether the newest Python code does not load.
    is_python_failing: bool,
    /// Whether the newest Rust code of the program does not compile, or its program does not start.
    is_build_failing: bool,
    /// The whole route table: the routes in Python, then those in Rust.
    pub routes: Vec<RouteInfo>,
    /// The routes whose handlers start before the body has arrived.
    streamed: Vec<StreamedRoute>,
    /// The newest attempt to load.
    pub last_reload: Arc<ReloadRecord>,
}

impl ServingGeneration {
    /// Nothing has loaded yet.
    pub(super) fn none() -> Self {
        let reload = ReloadRecord {
            id: 0,
            time: SystemTime::UNIX_EPOCH,
            cause: "start",
            files: Vec::new(),
            total: Duration::ZERO,
            report: LoadReport::default(),
            build: None,
        };
        Self::new(reload, (false, false), &[])
    }

    /// That after a reload, or after a build.
    pub(super) fn after(&self, reload: ReloadRecord) -> Self {
        let report = &reload.report;
        let has_failed = report.outcome == LoadOutcome::Failed;
        let failing = match reload.build {
            Some(_) => (self.is_python_failing, has_failed),
            None => (has_failed || !report.broken.is_empty(), self.is_build_failing),
        };
        let rust: Vec<_> = self.routes.iter().filter(|route| route.is_rust()).cloned().collect();
        Self::new(reload, failing, &rust)
    }

    /// The same with more routes in Rust.
    pub(super) fn with_rust_routes(&self, more: &[RouteInfo]) -> Self {
        let known = self.routes.iter().filter(|route| route.is_rust());
        let rust: Vec<_> = known.chain(more).cloned().collect();
        let failing = (self.is_python_failing, self.is_build_failing);
        Self::new(Arc::clone(&self.last_reload), failing, &rust)
    }

    fn new(
        reload: impl Into<Arc<ReloadRecord>>,
        (is_python_failing, is_build_failing): (bool, bool),
        rust: &[RouteInfo],
    ) -> Self {
        let last_reload = reload.into();
        let report = &last_reload.report;
        let generation = report.generation;
        let rust = rust.iter().map(|route| RouteInfo { generation, ..route.clone() });
        Self {
            generation,
            failing: is_python_failing || is_build_failing,
            is_python_failing,
            is_build_failing,
            routes: report.routes.iter().cloned().chain(rust).collect(),
            streamed: report.streamed.clone(),
            last_reload,
        }
    }

    /// Whether the handler of a request may start before the body has arrived.
    pub(crate) fn may_stream(&self, head: &Head) -> bool {
        !self.streamed.is_empty()
            && self.streamed.iter().any(|route| route.may_match(head.method(), &head.path()))
    }
}

/// Logs each module that did not load.
pub(super) fn log_failures(report: &LoadReport) {
    if report.outcome == LoadOutcome::Noop {
        return; // the same as before
    }
    report.failures.iter().for_each(log_failure);
}

/// Logs the failures that have a traceback: those without one are the error of the process.
pub(super) fn log_tracebacks(report: &LoadReport) {
    let failures = report.failures.iter();
    failures.filter(|failure| !failure.traceback.frames.is_empty()).for_each(log_failure);
}

fn log_failure(failure: &ModuleFailure) {
    let (module, text) = (&failure.module, &failure.traceback.text);
    tracing::error!(target: TRACEBACK, "module `{module}` does not load\n{text}");
}

/// Describes each module that did not load, one a line.
pub(super) fn failure_text(report: &LoadReport) -> String {
    let lines: Vec<String> = report
        .failures
        .iter()
        .map(|failure| {
            let place = failure.traceback.culprit();
            let place =
                place.map_or(String::new(), |frame| format!("{}:{}: ", frame.file, frame.line));
            format!("  {place}{}: {}", failure.traceback.kind, failure.traceback.message)
        })
        .collect();
    lines.join("\n")
}
