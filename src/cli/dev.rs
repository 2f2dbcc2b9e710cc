//! `snaxum dev`: serves the routes with live reload and the console.

mod handover;
mod json_log;
mod supervised;
mod supervisor;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use console::Term;
use snaxum::config::parse_duration;
use snaxum::crash_record::CrashRecord;
use snaxum::dev::{Dev, Editor, MAX_HEADER_BYTES};
use snaxum::error::Error;
use snaxum::server::{self, ConnectionLimits};
use snaxum::venv;

use super::options::ProjectArgs;
use super::render::color::{escape, print_setup};
use super::terminal::{Keys, Terminal};
use super::{log, project, serve};
use handover::Handover;
use json_log::{JsonLog, LogFormat, OwnedStdout};
use serve::StopCause;

/// The environment variable of `--editor`.
const EDITOR: &str = "SNAXUM_EDITOR";

/// The options of `snaxum dev` only. `check`, which tests the code in a new process, has none of them.
#[derive(clap::Args)]
pub(crate) struct DevOptions {
    /// Print the duration of each phase of a reload
    #[arg(short = 'v', long)]
    explain_reload: bool,
    /// Read no keys and draw no status line, for `breakpoint()` and `input()` in handlers
    #[arg(long)]
    no_keys: bool,
    /// Serve read-only MCP tools for assistants at /__snaxum/mcp: errors, output, modules
    #[arg(long)]
    mcp: bool,
    /// Also serve MCP tools that reload, send requests and replay them
    #[arg(long, requires = "mcp")]
    mcp_write: bool,
    /// Editor for links to code: a URL scheme for the browser, or a program that the server starts
    /// (also SNAXUM_EDITOR) [default: vscode://]
    #[arg(long, value_name = "SCHEME://|PROGRAM")]
    editor: Option<Editor>,
    /// Wait before the second restart after crashes in a row; doubled each time, ended by a save
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1s")]
    restart_delay: Duration,
    /// Format of stdout; with `json` all other output, also that of user code, goes to stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// Serves until a signal: in a child process, which is started again after a crash.
pub(crate) fn run(args: ProjectArgs, options: DevOptions) -> Result<ExitCode, Error> {
    let Some(given) = handover::take_over() else {
        return supervisor::run(args, options.restart_delay);
    };
    supervised::set_control(&given.control)
        .map_err(|source| Error::Io { what: "cannot reach the supervisor".to_owned(), source })?;
    let result = serve_project(args, options, given);
    supervised::before_exit();
    result
}

/// Serves until a signal or a restart.
fn serve_project(
    args: ProjectArgs,
    options: DevOptions,
    given: Handover,
) -> Result<ExitCode, Error> {
    let io = |what: &str| {
        let what = what.to_owned();
        move |source| Error::Io { what, source }
    };
    let handover = given.try_clone()?;
    let Handover { socket, control, crash_record, inherited } = given;
    let cannot_write = |source| Error::Io { what: "cannot write the log".to_owned(), source };
    let stdout = match options.log_format {
        LogFormat::Json => Some(OwnedStdout::take().map_err(cannot_write)?),
        LogFormat::Text => None,
    };
    let (project, mut builder) = project::read(args)?;
    let crash_record =
        CrashRecord::open(crash_record, inherited.supervisor).map_err(io("cannot map a file"))?;
    builder = builder.crash_record(crash_record).first_generation(inherited.generation + 1);
    let editor = editor(options.editor)?;
    let config = builder.dev(true).build()?;
    // Reads more than it accepts, so that the response can state why a request is rejected.
    let mut limits = ConnectionLimits::new(&config);
    limits.max_header_size = 8 * MAX_HEADER_BYTES;
    let environment = venv::ensure(&project, &print_setup)?;
    venv::link_framework(&project.root, environment.as_ref())?;
    let began = Instant::now();
    let tokio = project::tokio_runtime()?;
    let handover = tokio.block_on(async {
        let signals = supervised::connect(&control, serve::register_signals()?)
            .map_err(io("cannot reach the supervisor"))?;
        let start = serve::start(config, Some(socket), signals).await?;
        let terminal = Terminal::start(&start.runtime, options.explain_reload)
            .map_err(io("cannot start a thread"))?;
        if stdout.is_none() {
            start.runtime.events().listen({
                let terminal = terminal.clone();
                move |event| terminal.on_event(event)
            });
        }
        let dev = Dev::start_with_token(&start.runtime, Some(inherited.token))?;
        if let Some(editor) = editor {
            dev.use_editor(editor);
        }
        if options.mcp {
            dev.open_mcp(options.mcp_write, Some(inherited.mcp_token));
        }
        if let Some(crash) = &inherited.crash {
            dev.record_crash(crash);
        }
        let log = match stdout.as_ref().zip(dev.events()) {
            Some((stdout, events)) => Some(JsonLog::start(stdout, events).map_err(cannot_write)?),
            None => None,
        };
        let dev_file = dev.write_dev_file(start.address)?;
        let reads_keys =
            !options.no_keys && stdout.is_none() && super::terminal::raw_mode::is_interactive();
        let width = reads_keys.then(|| Term::stdout().size().1);
        let took = began.elapsed();
        terminal.open(super::terminal::banner(&start.runtime, &dev, start.address, took, width));
        if width.is_some() {
            let (terminal, dev) = (terminal.clone(), dev.clone());
            let (runtime, address) = (Arc::clone(&start.runtime), start.address);
            match (Keys { terminal: terminal.clone(), runtime, dev, address }).start() {
                Ok(()) => terminal.enable_status_line(),
                Err(error) => {
                    super::terminal::raw_mode::restore();
                    tracing::warn!("cannot read keys: {error}");
                }
            }
        }
        if inherited.paused {
            dev.pause();
        }
        let runtime = Arc::clone(&start.runtime);
        let restart = handover::accepted_restart(&dev, &runtime, &project.root, &terminal);
        let mut handover = Some(handover);
        let on_stop = |cause| {
            if cause == StopCause::Signal {
                handover = None; // closes the socket: no process takes it over
                supervised::before_exit(); // the supervisor closes it too
            }
            drop(dev_file); // removes the file before the server stops
            dev.stop();
        };
        let service = dev.service();
        let limit = start.runtime.config().drain_limit();
        let respond = move |request, peer| service.clone().respond(request, peer);
        let serve = |listener, stop| server::serve_with(listener, respond, limits, stop, limit);
        serve::serve_until_end(start, serve, on_stop, restart).await;
        terminal.finish();
        if let Some(log) = log {
            log.finish();
        }
        let (generation, paused) = (runtime.serving().generation, dev.is_paused());
        Ok::<_, Error>(handover.map(|handover| (handover, generation, paused)))
    });
    tokio.shutdown_background(); // a trial process may be running
    match handover? {
        Some((handover, generation, paused)) => {
            if let Some(stdout) = stdout {
                stdout.restore().map_err(cannot_write)?;
            }
            log::finish();
            Err(handover.exec(generation, paused))
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Returns the editor of the command line, else that of the environment unless it is empty.
fn editor(option: Option<Editor>) -> Result<Option<Editor>, Error> {
    let named = || std::env::var_os(EDITOR).filter(|named| !named.is_empty());
    let Some(named) = option.is_none().then(named).flatten() else { return Ok(option) };
    let named = named.to_string_lossy();
    let bad = |problem| Error::BadValue {
        origin: EDITOR.to_owned(),
        name: "editor",
        problem: format!("`{}`: {problem}", escape(&named)),
    };
    named.parse().map(Some).map_err(bad)
}
