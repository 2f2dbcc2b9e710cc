//! The contract's diff: compares the OpenAPI documents before and after a reload, and emits what
//! changed for clients.
//!
//! A thread of its own waits for Python and compares, after the requests that waited for the reload.
//! A reload that ran no module makes no document.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::error::Error;
use crate::event::{ContractRecord, Event, ReloadRecord};
use crate::message::{ContractDiff, LoadOutcome, LoadReport};
use crate::openapi::{self, Document};
use crate::python_runtime::{OpenApiText, PythonRuntime};
use crate::sync::Mutex;

/// The time after a reload before the document is made: its requests run first, and a formatter may
/// save the file again. Another reload begins it again: the comparison is with the last generation
/// that was compared.
const QUIET: Duration = Duration::from_millis(500);

/// The most reloads that wait for the thread.
const MAX_WAITING: usize = 64;

/// The handle of the thread, which ends when it is closed.
pub(super) struct ContractDiffs {
    reloads: Mutex<Option<SyncSender<Arc<ReloadRecord>>>>,
}

impl ContractDiffs {
    /// Starts with the document of the serving generation, and subscribes to the reloads after it.
    pub(super) fn start(runtime: &Arc<PythonRuntime>) -> Result<Arc<Self>, Error> {
        let (sender, reloads) = sync_channel(MAX_WAITING);
        let diffs = Arc::new(Self { reloads: Mutex::new(Some(sender)) });
        runtime.events().listen({
            let diffs = Arc::clone(&diffs);
            move |event| diffs.on_event(event)
        });
        let first = runtime.request_openapi_document();
        let runtime = Arc::downgrade(runtime);
        std::thread::Builder::new()
            .name("contract".into())
            .spawn(move || {
                let mut last = LastDocument::default();
                if let Ok(first) = first.recv() {
                    last.replace(first);
                }
                compare_reloads(&runtime, &reloads, last);
            })
            .map_err(Error::io("cannot start the thread that compares documents"))?;
        Ok(diffs)
    }

    /// Passes a reload that took effect to the thread.
    fn on_event(&self, event: &Event<'_>) {
        if let Event::ReloadEnd(reload) = event
            && reload.report.outcome == LoadOutcome::Ok
            && let Some(reloads) = &*self.reloads.lock()
        {
            let _ = reloads.try_send(Arc::clone(reload)); // the next comparison includes it
        }
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.reloads.lock().take();
    }
}

/// The document of the last generation that was compared.
#[derive(Default)]
struct LastDocument {
    document: Option<Document>,
    /// Whether the last attempt to make one failed.
    has_failed: bool,
}

impl LastDocument {
    /// Returns what changed since the last document, which is replaced. If none can be made,
    /// that is reported once, and the last one stays.
    fn replace(&mut self, made: Result<OpenApiText, String>) -> Option<ContractDiff> {
        let parse = |made: OpenApiText| match Document::parse(&made.text) {
            Ok(document) => Ok((made.generation, document)),
            Err(error) => Err(format!("the document {error}")),
        };
        match made.and_then(parse) {
            Ok((generation, document)) => {
                self.has_failed = false;
                let before = self.document.replace(document);
                let (before, now) = (before.as_ref()?, self.document.as_ref()?);
                let found = openapi::compare(before, now);
                let count = found.changes.len() + found.left_out;
                tracing::debug!("the API of version {generation} has {count} changes for clients");
                ContractDiff::new(found)
            }
            Err(problem) => {
                if !std::mem::replace(&mut self.has_failed, true) {
                    tracing::warn!("cannot compare the API before and after a reload: {problem}");
                }
                None
            }
        }
    }
}

/// Compares until the server stops.
fn compare_reloads(
    runtime: &Weak<PythonRuntime>,
    reloads: &Receiver<Arc<ReloadRecord>>,
    mut last: LastDocument,
) {
    while let Ok(first) = reloads.recv() {
        let mut reload = first;
        let mut has_run = ran_code(&reload.report);
        loop {
            match reloads.recv_timeout(QUIET) {
                Ok(next) => {
                    has_run |= ran_code(&next.report);
                    reload = next;
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        if !has_run {
            continue;
        }
        // An idle thread must not own the runtime.
        let Some(requested) = runtime.upgrade().map(|it| it.request_openapi_document()) else {
            return;
        };
        let Ok(made) = requested.recv() else { continue };
        // A reload may have ended before the document was made; its event follows at once.
        let generation = made.as_ref().map_or(0, |made| made.generation);
        while reload.report.generation < generation
            && let Ok(next) = reloads.recv_timeout(QUIET)
        {
            reload = next;
        }
        if let Some(diff) = last.replace(made)
            && let Some(runtime) = runtime.upgrade()
        {
            let (id, generation) = (reload.id, reload.report.generation);
            let record = Arc::new(ContractRecord { reload: id, generation, diff });
            runtime.events().emit(|| Event::Contract(record));
        }
    }
}

/// Whether a reload may have changed the API. A module without a route may have a model, a hook or an
/// error handler.
fn ran_code(report: &LoadReport) -> bool {
    let diff = &report.diff;
    !report.modules.is_empty()
        || ![&diff.added, &diff.removed, &diff.changed].into_iter().all(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::ChangeKind;
    use serde_json::json;

    fn made(path: &str) -> Result<OpenApiText, String> {
        let document = json!({"openapi": "3.1.0", "paths": {path: {"get": {}}}});
        Ok(OpenApiText { generation: 1, text: document.to_string() })
    }

    fn kinds(diff: Option<ContractDiff>) -> Vec<ChangeKind> {
        diff.map_or(Vec::new(), |diff| diff.changes.iter().map(|change| change.kind).collect())
    }

    #[test]
    fn a_document_that_cannot_be_made_leaves_the_last_one_in_place() {
        let mut last = LastDocument::default();
        assert_eq!(kinds(last.replace(made("/a"))), []);
        assert_eq!(kinds(last.replace(Err("ValueError: no".to_owned()))), []);
        assert!(last.has_failed);
        let broken = OpenApiText { generation: 2, text: "[]".to_owned() };
        assert_eq!(kinds(last.replace(Ok(broken))), []);
        let both = [ChangeKind::OperationRemoved, ChangeKind::OperationAdded];
        assert_eq!(kinds(last.replace(made("/b"))), both);
        assert!(!last.has_failed);
        assert_eq!(kinds(last.replace(made("/b"))), []);
    }

    #[test]
    fn a_reload_may_change_the_api_by_its_table_or_by_any_module_that_ran() {
        let report = |modules: &[&str], diff: serde_json::Value| -> LoadReport {
            let modules: Vec<_> =
                modules.iter().map(|name| json!({"name": name, "ms": 1.0})).collect();
            serde_json::from_value(json!({
                "outcome": "ok", "generation": 2, "modules": modules, "diff": diff,
                "phases": {}, "failures": [], "routes": [], "broken": [],
            }))
            .expect("a report")
        };
        assert!(ran_code(&report(&["error_handlers"], json!({}))));
        assert!(!ran_code(&report(&[], json!({}))));
        let removed = json!({"methods": ["GET"], "path": "/a", "handler": "a.f",
            "file": "python/a.py", "line": 1});
        assert!(ran_code(&report(&[], json!({"removed": [removed]}))));
    }
}
