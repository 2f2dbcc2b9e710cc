//! Dev mode: a layer around a running server that does not know it.
//!
//! [`Dev::start`] spawns the watcher and the reloader and listens to the runtime's events;
//! [`Dev::router`] is what the console is reached through, guarded as a whole. The core never
//! names this module. Without it nothing here is in the binary.

mod browser;
mod discovery;
mod editor;
mod events;
mod http;
mod paths;
mod pins;
pub mod protocol;
mod recorder;
mod redact;
mod reload;
mod replay;
mod token;
mod watch;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::middleware;
use tokio::sync::mpsc;

use crate::error::Error;
use crate::python_runtime::{Attempt, Extent, PythonRuntime};

use browser::Live;
pub use discovery::Announcement;
pub use editor::Editor;
pub use events::Events;
pub use http::app::Front;
use http::guard::Guard;
pub use http::guard::MAX_HEAD;
use http::mcp::Mcp;
pub use paths::PREFIX;
use pins::Pins;
use protocol::Status;
use recorder::Recorder;
use reload::Reloader;
use reload::restart::Restarts;
pub use reload::restart::Wish;

/// A running dev mode. Dropping it, and every router made from it, stops the watcher.
#[derive(Clone)]
pub struct Dev {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Arc<PythonRuntime>,
    recorder: Arc<Recorder>,
    live: Arc<Live>,
    pins: Arc<Pins>,
    guard: Guard,
    mcp: OnceLock<Mcp>,
    reloader: Reloader,
    restarts: Restarts,
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
        let live = Arc::new(Live::new(runtime, recorder.run_id()));
        runtime.events().listen({
            let live = Arc::clone(&live);
            move |event| live.hear(event)
        });
        let pins = Arc::<Pins>::default();
        runtime.events().listen({
            let pins = Arc::clone(&pins);
            move |event| pins.hear(event)
        });
        let reloader = Reloader::start(runtime, {
            let live = Arc::clone(&live);
            move || live.style_saved()
        })?;
        let guard = Guard::new(&runtime.config().allow_hosts, token);
        let (runtime, restarts) = (Arc::clone(runtime), Restarts::default());
        let mcp = OnceLock::new();
        let inner = Inner { runtime, recorder, live, pins, guard, mcp, reloader, restarts };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Everything under `/__snaxum/`, behind the guard; merge it into your own router.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        http::routes()
            .layer(middleware::from_fn_with_state(self.clone(), http::guard::check_console))
            .with_state(self.clone())
    }

    /// Console and handlers together, for a server that has nothing else. Lets only requests
    /// through that name this machine in `Host`, or a name that is allowed: a page of another site
    /// cannot reach the app through a name that it points here.
    pub fn front(&self) -> Front {
        Front::new(self.clone())
    }

    /// What lets a request in; for a process that takes over.
    pub fn token(&self) -> &str {
        self.inner.guard.token()
    }

    /// The console's address with the token in it, for a server that listens on `address`.
    pub fn console_url(&self, address: SocketAddr) -> String {
        format!("{}{PREFIX}?t={}", discovery::base_url(address), self.inner.guard.token())
    }

    /// Lets assistants ask over MCP, at `/__snaxum/mcp`, with a token of its own; with `may_write`
    /// also for what changes something. `token` is that of a process that this one takes over
    /// from. The first call counts; without one nothing is there.
    pub fn open_mcp(&self, may_write: bool, token: Option<String>) {
        self.inner.mcp.get_or_init(|| Mcp::new(may_write, token));
    }

    /// Opens places in the code in this editor, from the console. The first call counts; without one
    /// the page has links for Visual Studio Code.
    pub fn use_editor(&self, editor: Editor) {
        self.inner.recorder.use_editor(editor);
    }

    /// What lets an assistant in, if that is open.
    pub fn mcp_token(&self) -> Option<&str> {
        self.inner.mcp.get().map(Mcp::token)
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
        Announcement::write(project, address, self.inner.guard.token(), self.mcp_token())
    }

    /// What happens from now on, after `hello`, the newest reload and the routes; `None` if the
    /// server has stopped.
    pub fn events(&self) -> Option<Events> {
        self.inner.recorder.begin().map(Events::new)
    }

    /// Looks at all files now, and reloads what differs from what serves; `None` if the server is
    /// stopping, or too many ask.
    pub async fn reload(&self) -> Option<Attempt> {
        self.inner.reloader.reload(Extent::Differing, &self.inner.runtime).await
    }

    /// Notices from now on what is saved, and acts on it only when somebody resumes.
    pub fn pause(&self) {
        self.inner.reloader.pause(&self.inner.runtime);
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

    async fn status(&self) -> Status {
        let pool = self.inner.runtime.pool_status().await;
        self.inner.recorder.status(&self.inner.runtime, pool)
    }

    /// Says goodbye to open consoles and pages; call it when the server begins to stop.
    pub fn stop(&self) {
        self.inner.recorder.close();
        self.inner.live.close();
        self.inner.pins.close();
        if let Some(mcp) = self.inner.mcp.get() {
            mcp.close();
        }
    }
}

/// The console and the live reload of `runtime` in one router, for one `.merge(…)`; empty unless
/// the configuration has [`dev`](crate::config::SnaxumConfigBuilder::dev) on. Says where the
/// console is in the log.
///
/// # Errors
///
/// Those of [`Dev::start`].
pub fn router<S: Clone + Send + Sync + 'static>(
    runtime: &Arc<PythonRuntime>,
) -> Result<Router<S>, Error> {
    if !runtime.config().dev {
        return Ok(Router::new());
    }
    let dev = Dev::start(runtime)?;
    tracing::info!("console at {PREFIX}?t={} of this server", dev.inner.guard.token());
    Ok(dev.router())
}
