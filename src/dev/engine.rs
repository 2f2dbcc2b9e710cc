//! The dev engine: starts the parts of dev mode, wires them together, and is their handle.
//!
//! [`Dev::start`] spawns the watcher and the reload thread and listens to the runtime's events.
//! Knows no HTTP: `Dev::router` and `Dev::front` are in `http.rs`.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use crate::error::Error;
use crate::python_runtime::{PythonRuntime, ReloadOutcome, ReloadScope};

use super::browser::BrowserReload;
use super::discovery::{self, Announcement};
use super::editor::Editor;
use super::events::Events;
use super::mcp_access::McpAccess;
use super::paths::{self, PREFIX};
use super::pins::Pins;
use super::protocol::Status;
use super::recorder::Recorder;
use super::reload::Reloader;
use super::reload::restart::{Restarts, Wish};
use super::token;

/// A running dev mode. Dropping it, and every router made from it, stops the watcher.
#[derive(Clone)]
pub struct Dev {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) runtime: Arc<PythonRuntime>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) browser: Arc<BrowserReload>,
    pub(super) pins: Arc<Pins>,
    pub(super) token: String,
    pub(super) mcp: OnceLock<McpAccess>,
    pub(super) reloader: Reloader,
    pub(super) restarts: Restarts,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.pins.close();
    }
}

impl Dev {
    /// Starts to watch the python dir of `runtime` and to record what happens.
    ///
    /// # Errors
    ///
    /// The python dir cannot be watched.
    pub fn start(runtime: &Arc<PythonRuntime>) -> Result<Self, Error> {
        Self::start_with_token(runtime, None)
    }

    /// The same, with the token of a process that this one takes over from: open consoles go on.
    ///
    /// # Errors
    ///
    /// Those of [`Dev::start`].
    pub fn start_with_token(
        runtime: &Arc<PythonRuntime>,
        token: Option<String>,
    ) -> Result<Self, Error> {
        let recorder = Arc::new(Recorder::new(runtime));
        runtime.events().listen_from_the_start({
            let recorder = Arc::clone(&recorder);
            move |event| recorder.record(event)
        });
        let browser = Arc::new(BrowserReload::new(runtime, recorder.run_id()));
        runtime.events().listen({
            let browser = Arc::clone(&browser);
            move |event| browser.on_event(event)
        });
        let pins = Arc::new(Pins::new(runtime, &recorder));
        runtime.events().listen({
            let pins = Arc::clone(&pins);
            move |event| pins.hear(event)
        });
        let reloader = Reloader::start(runtime, {
            let browser = Arc::clone(&browser);
            move || browser.style_saved()
        })?;
        let token = token.unwrap_or_else(|| token::random_text(32));
        let (runtime, restarts) = (Arc::clone(runtime), Restarts::default());
        let mcp = OnceLock::new();
        let inner = Inner { runtime, recorder, browser, pins, token, mcp, reloader, restarts };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What lets a request in; for a process that takes over.
    pub fn token(&self) -> &str {
        &self.inner.token
    }

    /// The console's address with the token in it, for a server that listens on `address`.
    pub fn console_url(&self, address: SocketAddr) -> String {
        format!("{}{PREFIX}?t={}", discovery::base_url(address), self.inner.token)
    }

    /// Lets assistants ask over MCP, at `/__snaxum/mcp`, with a token of its own; with `may_write`
    /// also for what changes something. `token` is that of a process that this one takes over
    /// from. The first call counts; without one nothing is there.
    pub fn open_mcp(&self, may_write: bool, token: Option<String>) {
        self.inner.mcp.get_or_init(|| McpAccess::new(may_write, token));
    }

    /// Opens places in the code in this editor, from the console. The first call counts; without one
    /// the page has links for Visual Studio Code.
    pub fn use_editor(&self, editor: Editor) {
        self.inner.recorder.use_editor(editor);
    }

    /// What lets an assistant in, if that is open.
    pub fn mcp_token(&self) -> Option<&str> {
        self.inner.mcp.get().map(|mcp| &*mcp.token)
    }

    /// Where assistants ask, without the token, if that is open.
    pub fn mcp_url(&self, address: SocketAddr) -> Option<String> {
        self.inner.mcp.get().map(|_| format!("{}{}", discovery::base_url(address), paths::MCP))
    }

    /// Writes `.snaxum/dev.json`, by which tools find this server; gone when the result is dropped.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn announce(&self, address: SocketAddr) -> Result<Announcement, Error> {
        let project = &self.inner.runtime.config().project_dir;
        Announcement::write(project, address, self.token(), self.mcp_token())
    }

    /// What happens from now on, after `hello`, the newest reload and the routes; `None` if the
    /// server has stopped.
    pub fn events(&self) -> Option<Events> {
        self.inner.recorder.begin().map(Events::new)
    }

    /// Looks at all files now, and reloads what differs from what serves; `None` if the server is
    /// stopping, or too many ask.
    pub async fn reload(&self) -> Option<ReloadOutcome> {
        self.inner.reloader.reload(ReloadScope::Differing, &self.inner.runtime).await
    }

    /// Notices from now on what is saved, and acts on it only when somebody resumes.
    pub fn pause(&self) {
        self.inner.reloader.pause(&self.inner.runtime);
    }

    /// Pins the newest request that failed: it is sent again after each reload until it succeeds.
    /// Returns its method and path. Must run on tokio.
    ///
    /// # Errors
    ///
    /// A text for a person: why there is none.
    pub fn pin_last_failure(&self) -> Result<(String, String), String> {
        self.inner.pins.pin_last_failure()
    }

    /// Whether saves are not acted on.
    pub fn is_paused(&self) -> bool {
        self.inner.reloader.is_paused()
    }

    /// The wishes for a new process from now on, for whoever can let one take over; the first
    /// caller gets them.
    pub fn restarts(&self) -> mpsc::Receiver<Wish> {
        self.inner.restarts.listen(&self.inner.runtime)
    }

    pub(super) async fn status(&self) -> Status {
        let pool = self.inner.runtime.pool_status().await;
        self.inner.recorder.status(&self.inner.runtime, pool)
    }

    /// Says goodbye to open consoles and pages; call it when the server begins to stop.
    pub fn stop(&self) {
        self.inner.recorder.close();
        self.inner.browser.close();
        self.inner.pins.close();
        if let Some(mcp) = self.inner.mcp.get() {
            mcp.stop.cancel();
        }
    }
}
