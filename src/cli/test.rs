//! `snaxum test`: runs the project's tests with pytest, in the interpreter that has its routes.
//!
//! Serves connections within this process only. Signals are Python's: Ctrl-C is a `KeyboardInterrupt` in a test.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use snaxum::dispatcher;
use snaxum::error::Error;
use snaxum::python_runtime::{Connect, PythonRuntime};
use snaxum::server::{self, ConnectionLimits};
#[cfg(feature = "extension-module")]
use snaxum::sync::Mutex;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "extension-module")]
use super::log;
use super::options::ProjectArgs;
use super::project;

/// Returns pytest's exit code.
pub(crate) fn run(args: ProjectArgs, pytest: Vec<String>) -> Result<ExitCode, Error> {
    let tokio = project::tokio_runtime()?;
    let result = tokio.block_on(async {
        let (project, connect) = MemoryServer::start(args)?;
        project::log_warnings(&project.runtime);
        let code = project.runtime.run_tests(pytest, connect).await;
        project.end().await;
        // Codes of pytest are 0 to 5; plugins have their own.
        code.map(|code| ExitCode::from(u8::try_from(code).unwrap_or(1)))
    });
    tokio.shutdown_background(); // a thread that hangs does not delay the end
    result
}

/// A project that is loaded, and serves connections within this process.
struct MemoryServer {
    runtime: Arc<PythonRuntime>,
    stop: CancellationToken,
    drain: Duration,
}

impl MemoryServer {
    /// Loads the project; needs a tokio runtime.
    fn start(args: ProjectArgs) -> Result<(Self, Connect), Error> {
        let config = project::read(args)?.1.build()?;
        let limits = ConnectionLimits::new(&config);
        let drain = config.drain_limit();
        let runtime = Arc::new(PythonRuntime::with_config(config)?);
        let respond = {
            let runtime = Arc::clone(&runtime);
            move |request, _| dispatcher::respond_through_layers(Arc::clone(&runtime), request)
        };
        let stop = CancellationToken::new();
        let connect = server::serve_in_process(respond, limits, stop.clone());
        Ok((Self { runtime, stop, drain }, Arc::new(connect)))
    }

    async fn end(&self) {
        self.stop.cancel();
        self.runtime.shutdown(self.drain).await;
    }
}

/// A loaded project in a process of another program: for its tests, or for the requests of its server.
#[cfg(feature = "extension-module")]
pub(crate) struct LoadedProject {
    // `None` once it is closed.
    tokio: Mutex<Option<tokio::runtime::Runtime>>,
    server: MemoryServer,
}

#[cfg(feature = "extension-module")]
impl LoadedProject {
    /// Loads the project; `snaxum.testing` and `snaxum.asgi` connect to it. No thread may be attached to Python.
    pub(crate) fn load(args: ProjectArgs) -> Result<Self, Error> {
        let tokio = project::tokio_runtime()?;
        let server = tokio.block_on(async {
            let (server, connect) = MemoryServer::start(args)?;
            project::print_failures(&server.runtime);
            server.runtime.open_in_process(connect)?;
            Ok::<_, Error>(server)
        })?;
        Ok(Self { tokio: Mutex::new(Some(tokio)), server })
    }

    /// Stops Python's threads of the project.
    pub(crate) fn close(&self) {
        if let Some(tokio) = self.tokio.lock().take() {
            tokio.block_on(self.server.end());
            tokio.shutdown_background(); // a thread that hangs does not delay the end
            log::finish();
        }
    }
}
