//! Browser reload: which update the open pages of the app get after a save.
//!
//! Decides the updates; `inject.rs` adds the script that receives them to a page, `insertion.rs`
//! finds its place, and `csp.rs` admits it to the page's own policy. Knows no socket: that is
//! `http/browser_websocket.rs`. Contains no secret: every client that can load a page of the app may
//! know all of it.

mod csp;
pub(super) mod inject;
mod injected_body;
mod insertion;

#[cfg(any(test, fuzzing))]
pub use {csp::fuzz_csp, insertion::fuzz_html};

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, Weak};

use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;

use crate::config::SnaxumConfig;
use crate::event::Event;
use crate::message::LoadOutcome;
use crate::python_runtime::PythonRuntime;

use super::editor::Editor;
use super::watch::Asset;

/// Pages that may be connected at the same time.
const MAX_PAGES: usize = 64;
/// Updates buffered for a slow page; a page further behind gets the current state instead.
const MAX_BUFFERED: usize = 16;

/// Sends reload updates to the pages of the app that are open in a browser.
pub(super) struct BrowserReload {
    runtime: Weak<PythonRuntime>,
    /// Identifies this run of the server.
    run: String,
    updates: broadcast::Sender<BrowserUpdate>,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
    is_injecting: bool,
    has_overlay: bool,
    has_warned_of_policy: AtomicBool,
    /// The editor; the default one until an option has been read.
    editor: OnceLock<Editor>,
}

/// One message to all pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct BrowserUpdate {
    generation: u64,
    kind: UpdateKind,
}

#[derive(Clone, Copy, Debug)]
enum UpdateKind {
    /// A new generation is serving.
    Reload,
    /// A style sheet was saved.
    Css,
    /// Another static file, or a template, was saved.
    Refresh,
    /// The newest save does not load.
    Error,
    /// The files on disk are serving.
    Ok,
}

impl BrowserReload {
    pub(super) fn new(runtime: &Arc<PythonRuntime>, run: &str) -> Self {
        let SnaxumConfig { no_inject, no_overlay, .. } = *runtime.config();
        Self {
            runtime: Arc::downgrade(runtime),
            run: run.to_owned(),
            updates: broadcast::Sender::new(MAX_BUFFERED),
            permits: Arc::new(Semaphore::new(MAX_PAGES)),
            stop: CancellationToken::new(),
            is_injecting: !no_inject,
            has_overlay: !no_overlay,
            has_warned_of_policy: AtomicBool::new(false),
            editor: OnceLock::new(),
        }
    }

    /// Sets the editor that pages open, unless one is set.
    pub(super) fn use_editor(&self, editor: Editor) {
        self.editor.get_or_init(|| editor);
    }

    /// The URL that opens a file in the editor, if it has one, and whether the server starts it.
    fn editor_link(&self) -> (Option<String>, bool) {
        let editor = self.editor.get().cloned().unwrap_or_default();
        let link =
            self.runtime.upgrade().and_then(|runtime| editor.link(&runtime.config().project_dir));
        (link, editor.program().is_some())
    }

    /// Sends the outcome of a reload to all pages; runs on the thread of the event, never blocks.
    pub(super) fn on_event(&self, event: &Event<'_>) {
        let Event::ReloadEnd(reload) = event else { return };
        let report = &reload.report;
        let kind = match report.outcome {
            LoadOutcome::Ok => UpdateKind::Reload,
            LoadOutcome::Noop if report.broken.is_empty() => UpdateKind::Ok,
            LoadOutcome::Failed | LoadOutcome::Noop => UpdateKind::Error,
        };
        self.send(BrowserUpdate { generation: report.generation, kind });
    }

    /// Reports saved files of pages that no module was loaded from.
    pub(super) fn asset_saved(&self, asset: Asset) {
        let kind = match asset {
            Asset::Style => UpdateKind::Css,
            Asset::File => UpdateKind::Refresh,
        };
        if let Some(current) = self.current() {
            self.send(BrowserUpdate { kind, ..current });
        }
    }

    /// Disconnects all pages.
    pub(super) fn close(&self) {
        self.stop.cancel();
    }

    /// Waits until [`close`](Self::close) was called.
    pub(super) async fn closed(&self) {
        self.stop.cancelled().await;
    }

    /// Reserves a connection for one page; `None` at the limit.
    pub(super) fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<BrowserUpdate> {
        self.updates.subscribe()
    }

    /// Returns the current state as an update; `None` once the runtime has stopped.
    pub(super) fn current(&self) -> Option<BrowserUpdate> {
        let serving = self.runtime.upgrade()?.serving();
        let kind = if serving.failing { UpdateKind::Error } else { UpdateKind::Ok };
        Some(BrowserUpdate { generation: serving.generation, kind })
    }

    /// Renders an update as the JSON text that the script reads.
    pub(super) fn to_json(&self, BrowserUpdate { generation, kind }: BrowserUpdate) -> String {
        let kind = match kind {
            UpdateKind::Reload => "reload",
            UpdateKind::Css => "css",
            UpdateKind::Refresh => "refresh",
            UpdateKind::Error => "error",
            UpdateKind::Ok => "ok",
        };
        json!({ "g": generation, "kind": kind, "run": self.run }).to_string()
    }

    fn send(&self, update: BrowserUpdate) {
        let _ = self.updates.send(update); // an error: no page is connected
    }
}
