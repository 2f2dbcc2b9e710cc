//! Reloads: sends the request to the runtime thread, and publishes the outcome.
//!
//! Knows only the paths of files: Python compares their content.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::SystemTime;

use crate::event::{Event, ReloadRecord};
use crate::message::{LoadOutcome, LoadReport, ms};
use crate::static_files::StaticFiles;

use super::PythonRuntime;
use super::messages::{Control, NewerPaths, ReloadOutcome, ReloadParams, ReloadReply};
use super::serving_generation::{ServingGeneration, log_failures};

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
        };
        reload.report.phases.settle = ms(settle);
        log_failures(&reload.report);
        let reload = self.publish(reload);
        self.events.emit(|| Event::ReloadEnd(Arc::clone(&reload)));
        ReloadOutcome::Reloaded(reload)
    }

    /// Makes the outcome of a load visible to new requests.
    pub(super) fn publish(&self, reload: ReloadRecord) -> Arc<ReloadRecord> {
        let static_files = StaticFiles::new(&reload.report.static_mounts, self.config.dev);
        self.static_files.store(static_files);
        if let Some(telemetry) = &self.telemetry {
            telemetry.set_routes(&reload.report.routes);
        }
        let serving = Arc::new(ServingGeneration::after(reload));
        let reload = Arc::clone(&serving.last_reload);
        *self.serving.write() = serving;
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
        LoadReport {
            outcome: LoadOutcome::Failed,
            routes: serving.routes.clone(),
            ..serving.last_reload.report.clone()
        }
    }
}
