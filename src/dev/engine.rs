//! The dev engine: starts the parts of dev mode, wires them together, and is their handle.
//!
//! [`Dev::start`] starts the reload thread and subscribes the parts to the runtime's events.
//! Knows no HTTP: `Dev::router` and `Dev::front` are in `http.rs`.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use crate::error::Error;
use crate::python_runtime::{PythonRuntime, ReloadOutcome, ReloadScope};
use crate::supervision::BuilderLink;

use super::browser::BrowserReload;
use super::contract::ContractDiffs;
use super::dev_file::{self, DevFile};
use super::editor::Editor;
use super::mcp_settings::McpSettings;
use super::message_stream::MessageStream;
use super::paths::{self, PREFIX};
use super::pinned_replays::Pins;
use super::protocol::ServerStatus;
use super::recorder::Recorder;
use super::reload::Reloader;
use super::reload::build_hold::BuildHold;
use super::reload::restart::{RestartRequest, RestartRequests};
use super::token;

/// A running dev mode. Dropping it, and every router made from it, stops the watcher.
#[derive(Clone)]
pub struct Dev {
    pub(super) inner: Arc<EngineState>,
}

pub(super) struct EngineState {
    pub(super) runtime: Arc<PythonRuntime>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) browser: Arc<BrowserReload>,
    pub(super) pins: Arc<Pins>,
    contracts: Arc<ContractDiffs>,
    pub(super) token: String,
    pub(super) mcp: OnceLock<McpSettings>,
    pub(super) reloader: Reloader,
    pub(super) restarts: RestartRequests,
    /// The builds of the program, if `snaxum dev` builds it.
    pub(super) builds: Arc<BuildHold>,
}

impl Drop for EngineState {
    fn drop(&mut self) {
        self.pins.close();
        self.contracts.close();
    }
}

impl Dev {
    /// Starts to watch the python dir of `runtime` and to record its events. In a program that `snaxum dev`
    /// runs, builds of the program are among the reloads, and the console has the token of the command.
    ///
    /// # Errors
    ///
    /// The python dir cannot be watched.
    pub fn start(runtime: &Arc<PythonRuntime>) -> Result<Self, Error> {
        if BuilderLink::get().is_none() {
            tracing::info!("Python code is live; `snaxum dev` reloads Rust code, too");
        }
        Self::start_with_token(runtime, None)
    }

    /// Starts with the token of the process that this one replaces, so that open consoles stay
    /// connected.
    ///
    /// # Errors
    ///
    /// The errors of [`Dev::start`].
    pub fn start_with_token(
        runtime: &Arc<PythonRuntime>,
        token: Option<String>,
    ) -> Result<Self, Error> {
        let builder = BuilderLink::get();
        let builds = Arc::new(BuildHold::new(builder));
        let recorder = Arc::new(Recorder::new(runtime));
        runtime.events().listen_from_the_start({
            let recorder = Arc::clone(&recorder);
            move |event| recorder.on_event(event)
        });
        let browser = Arc::new(BrowserReload::new(runtime, recorder.run_id()));
        runtime.events().listen({
            let browser = Arc::clone(&browser);
            move |event| browser.on_event(event)
        });
        let pins = Arc::new(Pins::new(runtime, &recorder));
        runtime.events().listen({
            let pins = Arc::clone(&pins);
            move |event| pins.on_event(event)
        });
        let reloader = Reloader::start(runtime, Arc::clone(&builds), {
            let browser = Arc::clone(&browser);
            move |asset| browser.asset_saved(asset)
        })?;
        // After the reload of code that changed during the start: it is the first to compare with.
        let contracts = ContractDiffs::start(runtime)?;
        let token = token.or_else(|| builder.map(|builder| builder.start().token.clone()));
        let token = token.unwrap_or_else(token::new_token);
        let (runtime, restarts) = (Arc::clone(runtime), RestartRequests::default());
        let mcp = OnceLock::new();
        let inner = EngineState {
            runtime,
            recorder,
            browser,
            pins,
            contracts,
            token,
            mcp,
            reloader,
            restarts,
            builds,
        };
        let dev = Self { inner: Arc::new(inner) };
        if let Some(builder) = builder {
            dev.follow_builder(builder);
        }
        Ok(dev)
    }

    /// The token that requests to the console need; for the process that takes over.
    pub fn token(&self) -> &str {
        &self.inner.token
    }

    /// Returns the console's URL with the token, for a server that listens on `address`.
    pub fn console_url(&self, address: SocketAddr) -> String {
        format!("{}{PREFIX}?t={}", dev_file::base_url(address), self.inner.token)
    }

    /// Opens the MCP endpoint at `/__snaxum/mcp`, which has its own token. With `may_write`, its tools
    /// may also change something. `token` is the one of the process that this one replaces. Only the
    /// first call has an effect.
    pub fn open_mcp(&self, may_write: bool, token: Option<String>) {
        self.inner.mcp.get_or_init(|| McpSettings::new(may_write, token));
    }

    /// Sets the editor that the console opens. Only the first call has an effect; without one, the page
    /// has links for Visual Studio Code.
    pub fn use_editor(&self, editor: Editor) {
        self.inner.browser.use_editor(editor.clone());
        self.inner.recorder.use_editor(editor);
    }

    /// The token of the MCP endpoint, if it is open.
    pub fn mcp_token(&self) -> Option<&str> {
        self.inner.mcp.get().map(|mcp| &*mcp.token)
    }

    /// Returns the URL of the MCP endpoint without the token, if it is open.
    pub fn mcp_url(&self, address: SocketAddr) -> Option<String> {
        self.inner.mcp.get().map(|_| format!("{}{}", dev_file::base_url(address), paths::MCP))
    }

    /// Writes `.snaxum/dev.json`, where tools find this server. Dropping the result removes the file. In a
    /// program that `snaxum dev` runs, the command writes it.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write_dev_file(&self, address: SocketAddr) -> Result<DevFile, Error> {
        if BuilderLink::get().is_some() {
            return Ok(DevFile::of_another_process());
        }
        let project = &self.inner.runtime.config().project_dir;
        let pids = (self.inner.runtime.config().server_pid(), std::process::id());
        DevFile::write(project, address, self.token(), self.mcp_token(), pids)
    }

    /// Returns the events from now on, after `hello`, the lines so far, the newest reload and the
    /// routes; `None` if the server has stopped.
    pub fn events(&self) -> Option<MessageStream> {
        self.inner.recorder.subscribe_from_start().map(MessageStream::new)
    }

    /// Checks all files now, and reloads the changed code; `None` if the server stops, or if too many
    /// reloads are requested.
    pub async fn reload(&self) -> Option<ReloadOutcome> {
        self.inner.reloader.reload(ReloadScope::Differing, &self.inner.runtime).await
    }

    /// Pauses reloading: changes are stored until the pause ends.
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

    /// Whether reloading is paused.
    pub fn is_paused(&self) -> bool {
        self.inner.reloader.is_paused()
    }

    /// Returns the requests for a new process, for a program that can start one. Only the first caller
    /// gets the requests of clients.
    pub fn restart_requests(&self) -> mpsc::Receiver<RestartRequest> {
        self.inner.restarts.subscribe(&self.inner.runtime)
    }

    pub(super) async fn status(&self) -> ServerStatus {
        let pool = self.inner.runtime.pool_status().await;
        self.inner.recorder.status(&self.inner.runtime, pool)
    }

    /// Closes the sockets of consoles and pages; call it when the server begins to stop.
    pub fn stop(&self) {
        self.inner.recorder.close();
        self.inner.browser.close();
        self.inner.pins.close();
        self.inner.contracts.close();
        if let Some(mcp) = self.inner.mcp.get() {
            mcp.stop.cancel();
        }
    }
}
