//! Reloads: sends the request to the runtime thread, and publishes the outcome.
//!
//! Knows only the paths of files: Python compares their content.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use crate::event::{Event, ReloadRecord};
use crate::message::{
    LoadOutcome, LoadPhases, LoadReport, ModuleFailure, RouteDiff, RouteInfo, Traceback, ms,
};
use crate::static_files::StaticFiles;
use crate::supervision::protocol::BuildReport;

use super::PythonRuntime;
use super::messages::{Control, NewerPaths, ReloadOutcome, ReloadParams, ReloadReply};
use super::serving_generation::log_failures;

impl PythonRuntime {
    /// Loads the modules that a change concerns; the old code is still serving if they do not load.
    /// Blocks until the reload has ended. Python calls `newer` before the new code serves, and while its
    /// handlers warm up.
    pub fn reload(&self, params: ReloadParams, newer: NewerPaths) -> ReloadOutcome {
        let ReloadParams { cause, scope, paths, since, is_partial, is_repeated } = params;
        let time = SystemTime::now();
        let settle = since.elapsed();
        let files: Vec<String> = paths.iter().flatten().map(|path| self.relative(path)).collect();
        let (reply, replies) = mpsc::sync_channel(1);
        let on_begin = {
            let (events, files) = (Arc::clone(&self.events), files.clone());
            Box::new(move || {
                if !is_repeated {
                    events.emit(|| Event::ReloadStart { files: files.clone() });
                }
            })
        };
        let message = Control::Reload { paths, is_partial, scope, on_begin, newer, reply };
        self.is_loading.store(true, Ordering::Release);
        let received = self.control.send(message).map(|()| replies.recv());
        self.is_loading.store(false, Ordering::Release);
        let mut report = match received {
            Ok(Ok(Ok(ReloadReply::Report(report)))) => *report,
            Ok(Ok(Ok(ReloadReply::Unchanged))) => return ReloadOutcome::Unchanged,
            Ok(Ok(Ok(ReloadReply::Held))) => return ReloadOutcome::Held,
            Ok(Ok(Ok(ReloadReply::Overtaken))) => return ReloadOutcome::Overtaken,
            Ok(Ok(Err(text))) => {
                tracing::error!("internal error while reloading; please report this: {text}");
                self.failed_report()
            }
            _ => self.failed_report(), // the runtime is stopping
        };
        let differing = std::mem::take(&mut report.files);
        let files = if differing.is_empty() { files } else { differing };
        let mut reload = ReloadRecord {
            id: self.next_load(),
            time,
            cause,
            files,
            total: since.elapsed(),
            report,
            build: None,
        };
        reload.report.phases.settle = ms(settle);
        log_failures(&reload.report);
        let reload = self.publish(reload);
        self.events.emit(|| Event::ReloadEnd(Arc::clone(&reload)));
        ReloadOutcome::Reloaded(reload)
    }

    /// Records that this process serves in place of the one before it, after `build` if there was one.
    pub fn record_takeover(&self, build: Option<&BuildReport>, diff: RouteDiff) {
        let start = ReloadRecord::clone(&self.serving().last_reload);
        if let Some(build) = build {
            let mut build = build.clone();
            let phases = &mut build.build.phases;
            // The builder knows only when the reports have come.
            let load = ms(start.total).min(phases.start + phases.load);
            (phases.start, phases.load) = (phases.start + phases.load - load, load);
            return self.record_build(&build, diff, Vec::new());
        }
        let report = LoadReport { diff, ..start.report.clone() };
        let reload = self.publish(ReloadRecord { id: self.next_load(), report, ..start });
        self.events.emit(|| Event::ReloadEnd(reload));
    }

    /// Records a build of the program, with its failures if it has some. Loads nothing.
    pub fn record_build(&self, report: &BuildReport, diff: RouteDiff, notes: Vec<String>) {
        let cause = if report.files.is_empty() { "start" } else { "save" };
        let serving = self.serving();
        let last = &serving.last_reload.report;
        let has_failed = report.outcome == LoadOutcome::Failed;
        // A program that serves has loaded its modules, and no other has run any.
        let modules = if report.outcome == LoadOutcome::Ok { last.modules.clone() } else { vec![] };
        let mut phases = LoadPhases { settle: report.settle_ms, ..LoadPhases::default() };
        if report.outcome == LoadOutcome::Ok {
            phases = LoadPhases { settle: report.settle_ms, ..last.phases.clone() };
        }
        let failures = match has_failed && report.failures.is_empty() {
            true => vec![bad_program(&report.reason)],
            false => report.failures.clone(),
        };
        let loaded = LoadReport {
            outcome: report.outcome,
            strategy: "build".to_owned(),
            reason: report.reason.clone(),
            modules,
            phases,
            diff,
            failures,
            state_reset: Vec::new(),
            warnings: Vec::new(),
            notes,
            save: 0,
            ..last.clone()
        };
        let reload = self.publish(ReloadRecord {
            id: self.next_load(),
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(report.time_ms),
            cause,
            files: report.files.clone(),
            total: Duration::try_from_secs_f64(report.total_ms / 1000.0).unwrap_or_default(),
            report: loaded,
            build: Some(report.build.clone()),
        });
        self.events.emit(|| Event::ReloadEnd(reload));
    }

    /// Adds routes in Rust to the table. They are there to be shown: axum serves them.
    pub fn add_rust_routes(&self, routes: &[RouteInfo]) {
        let mut serving = self.serving.write();
        *serving = Arc::new(serving.with_rust_routes(routes));
        drop(serving);
        self.events.emit(|| Event::RustRoutes);
    }

    /// Continues the numbers of the program before this one.
    pub fn continue_loads(&self, last: u64) {
        self.loads.store(last, Ordering::Release);
    }

    /// Makes the outcome of a load visible to new requests.
    pub(super) fn publish(&self, reload: ReloadRecord) -> Arc<ReloadRecord> {
        let static_files = StaticFiles::new(&reload.report.static_mounts, self.config.dev);
        self.static_files.store(static_files);
        if let Some(telemetry) = &self.telemetry {
            telemetry.set_routes(&reload.report.routes);
        }
        let mut serving = self.serving.write();
        *serving = Arc::new(serving.after(reload));
        let reload = Arc::clone(&serving.last_reload);
        drop(serving);
        self.record_generation();
        reload
    }

    /// A path as the project's users write it.
    fn relative(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.config.project_dir);
        let inside = inside.or(path.strip_prefix(&self.config.python_dir));
        inside.unwrap_or(path).display().to_string()
    }

    fn failed_report(&self) -> LoadReport {
        let serving = self.serving();
        LoadReport { outcome: LoadOutcome::Failed, ..serving.last_reload.report.clone() }
    }
}

/// The failure of a program that was built and cannot serve.
fn bad_program(reason: &str) -> ModuleFailure {
    let traceback = Traceback {
        kind: "program".to_owned(),
        message: reason.to_owned(),
        text: reason.to_owned(),
        ..Traceback::default()
    };
    ModuleFailure { module: "program".to_owned(), importers: Vec::new(), traceback }
}
