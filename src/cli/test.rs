//! `snaxum test`: runs the project's tests with pytest, in the interpreter that has its routes.
//!
//! Serves connections in memory only. Signals are Python's: Ctrl-C is a `KeyboardInterrupt` in a test.

use std::process::ExitCode;
use std::sync::Arc;

use snaxum::dispatcher;
use snaxum::error::Error;
use snaxum::python_runtime::PythonRuntime;
use snaxum::server::{self, ConnectionLimits};
use tokio_util::sync::CancellationToken;

use super::options::ProjectArgs;
use super::project;

/// Returns pytest's exit code.
pub(crate) fn run(args: ProjectArgs, pytest: Vec<String>) -> Result<ExitCode, Error> {
    let config = project::read(args)?.1.build()?;
    let limits = ConnectionLimits::new(&config);
    let drain = config.drain_limit();
    let tokio = project::tokio_runtime()?;
    let result = tokio.block_on(async {
        let runtime = Arc::new(PythonRuntime::with_config(config)?);
        let respond = {
            let runtime = Arc::clone(&runtime);
            move |request, _| dispatcher::respond_through_layers(Arc::clone(&runtime), request)
        };
        let stop = CancellationToken::new();
        let connect = server::serve_in_memory(respond, limits, stop.clone());
        let code = runtime.run_tests(pytest, Arc::new(connect)).await;
        stop.cancel();
        runtime.shutdown(drain).await;
        // Codes of pytest are 0 to 5; plugins have their own.
        code.map(|code| ExitCode::from(u8::try_from(code).unwrap_or(1)))
    });
    tokio.shutdown_background(); // a thread that hangs does not delay the end
    result
}
