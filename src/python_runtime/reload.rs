//! Reloading, as Rust sees it: what is asked for, what became of it, what serves afterwards.
//!
//! Knows nothing of files but their paths: whether a content changed is for Python to say.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::{Instant, SystemTime};

use crate::event::{Event, ReloadRecord, TRACEBACK};
use crate::message::{LoadOutcome, LoadReport, RouteInfo};

use super::PythonRuntime;
use super::thread::{Control, Loaded};

/// What Rust knows of the generation that serves.
#[derive(Debug)]
pub struct Serving {
    /// 0 while nothing has ever loaded.
    pub generation: u64,
    /// Whether the newest code does not load, or some module never did.
    pub failing: bool,
    /// The whole table.
    pub routes: Vec<RouteInfo>,
    /// The newest attempt to load.
    pub last_reload: Arc<ReloadRecord>,
}

/// What a reload is asked to look at.
#[derive(Clone, Debug)]
pub struct ReloadParams {
    /// `save`, or `manual` if somebody asked for it by hand.
    pub cause: &'static str,
    /// How much is to run.
    pub scope: ReloadScope,
    /// The files that were written, made or removed; `None` if anything may have changed.
    pub paths: Option<Vec<PathBuf>>,
    /// When the first of them changed.
    pub since: Instant,
    /// Whether a writer may be in the middle of one: what does not parse is then [`ReloadOutcome::Held`].
    pub is_partial: bool,
}

/// How much a reload runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReloadScope {
    /// What depends on the change, if it is another than what was tried last.
    #[default]
    New,
    /// The same, also if it has been tried: what does not depend on files may be another now.
    Differing,
    /// All modules, whatever the files hold.
    All,
}

impl ReloadScope {
    /// As Python calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Differing => "differing",
            Self::All => "all",
        }
    }
}

/// What became of a [`ReloadParams`].
#[derive(Clone, Debug)]
pub enum ReloadOutcome {
    /// The files hold what was last tried: no reload, and no event.
    Unchanged,
    /// Something does not parse, and may not be written to its end: nothing was done; ask again.
    Held,
    /// A reload, well or not.
    Reloaded(Arc<ReloadRecord>),
}

impl PythonRuntime {
    /// Loads what `change` concerns once more; what serves changes only if it loads. Blocks until
    /// it is done.
    pub fn reload(&self, change: ReloadParams) -> ReloadOutcome {
        let ReloadParams { cause, scope, paths, since, is_partial } = change;
        let time = SystemTime::now();
        let settle = since.elapsed();
        let files: Vec<String> = paths.iter().flatten().map(|path| self.shown(path)).collect();
        let (reply, answer) = mpsc::sync_channel(1);
        let on_begin = {
            let (events, files) = (Arc::clone(&self.events), files.clone());
            Box::new(move || events.emit(|| Event::ReloadStart { files: files.clone() }))
        };
        let message = Control::Reload { paths, is_partial, scope, on_begin, reply };
        let mut report = match self.control.send(message).map(|()| answer.recv()) {
            Ok(Ok(Ok(Loaded::Report(report)))) => *report,
            Ok(Ok(Ok(Loaded::Unchanged))) => return ReloadOutcome::Unchanged,
            Ok(Ok(Ok(Loaded::Held))) => return ReloadOutcome::Held,
            Ok(Ok(Err(text))) => {
                tracing::error!("the framework failed to reload: {text}");
                self.unchanged_report()
            }
            _ => self.unchanged_report(), // it is stopping
        };
        let differing = std::mem::take(&mut report.files);
        let files = if differing.is_empty() { files } else { differing };
        let mut reload = ReloadRecord {
            id: self.loads.fetch_add(1, Ordering::AcqRel) + 1,
            time,
            cause,
            files,
            total: since.elapsed(),
            report,
        };
        reload.report.phases.settle = crate::message::ms(settle);
        log_failures(&reload.report);
        let serving = Arc::new(Serving::after(reload));
        let reload = Arc::clone(&serving.last_reload);
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = serving;
        self.events.emit(|| Event::ReloadEnd(Arc::clone(&reload)));
        ReloadOutcome::Reloaded(reload)
    }

    /// A path as people in the project write it.
    fn shown(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.config.project_dir);
        let inside = inside.or(path.strip_prefix(&self.config.python_dir));
        inside.unwrap_or(path).display().to_string()
    }

    fn unchanged_report(&self) -> LoadReport {
        let serving = self.serving();
        LoadReport {
            outcome: LoadOutcome::Failed,
            routes: serving.routes.clone(),
            ..serving.last_reload.report.clone()
        }
    }
}

impl Serving {
    pub(super) fn after(reload: ReloadRecord) -> Self {
        let report = &reload.report;
        Self {
            generation: report.generation,
            failing: report.outcome == LoadOutcome::Failed || !report.broken.is_empty(),
            routes: report.routes.clone(),
            last_reload: Arc::new(reload),
        }
    }
}

pub(super) fn log_failures(report: &LoadReport) {
    for failure in &report.failures {
        let (module, text) = (&failure.module, &failure.traceback.text);
        tracing::error!(target: TRACEBACK, "module `{module}` does not load\n{text}");
    }
}
