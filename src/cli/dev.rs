//! `snaxum dev`: serves the routes with live reload and the console.

mod handover;
mod json_log;
mod rust;
mod supervised;
mod supervisor;

use std::fs::File;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use console::Term;
use futures_util::FutureExt;
use snaxum::config::{LogFormat, SnaxumConfig, parse_duration};
use snaxum::crash_record::CrashRecord;
use snaxum::dev::{Dev, DevFile, Editor, MAX_HEADER_BYTES, new_token};
use snaxum::error::Error;
use snaxum::project::Project;
use snaxum::python_runtime::{PythonRuntime, limit_arenas};
use snaxum::server::{self, ConnectionLimits, Listener};
use snaxum::supervision::protocol::McpAccess;
use snaxum::venv;

use super::operations::{MetricsAddress, reopen_logs_on_signal};
use super::options::ProjectArgs;
use super::render::color::{escape, print_setup};
use super::terminal::{self, Keys, Terminal, raw_mode};
use super::{log, project, serve};
use handover::{Handover, Inherited};
use json_log::{JsonLog, OwnedStdout};
use serve::{ReadyServer, StopCause};

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
    #[arg(long, value_name = "SCHEME://|PROGRAM", value_parser = parse_editor)]
    editor: Option<(String, Editor)>,
    /// Wait before the second restart in a row of crashes; doubles each time, and a save ends it
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1s")]
    restart_delay: Duration,
}

/// Serves until a signal: in a child process, which is started again after a crash.
pub(crate) fn run(args: ProjectArgs, options: DevOptions) -> Result<ExitCode, Error> {
    let Some(given) = handover::take_over() else {
        check_flags(&args)?;
        if let Some(project) = rust::find(&args)? {
            editor(options.editor.clone().map(|(_, editor)| editor))?; // reports a bad SNAXUM_EDITOR
            return rust::run(project, options.of_builder());
        }
        return supervisor::run(args, options.restart_delay);
    };
    limit_arenas(); // the threads of tokio, too
    supervised::set_control(&given.control).map_err(Error::io("cannot reach the supervisor"))?;
    let result = serve_project(args, options, given);
    supervised::before_exit();
    result
}

/// Checks that no flag is given that only `serve` has; as a key of the project it has no effect.
fn check_flags(args: &ProjectArgs) -> Result<(), Error> {
    let flags = &args.flags.0;
    let given = [
        ("uds", flags.uds.is_some()),
        ("fd", flags.fd.is_some()),
        ("tls-cert", flags.tls_cert.is_some()),
        ("tls-key", flags.tls_key.is_some()),
        ("proxy-protocol", flags.proxy_protocol.is_some()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((name, _)) => Err(Error::BadValue {
            origin: "command line".to_owned(),
            name,
            problem: "set, and dev mode serves plain HTTP on a port; use `snaxum serve`".to_owned(),
        }),
    }
}

/// Serves until a signal or a restart.
fn serve_project(
    args: ProjectArgs,
    options: DevOptions,
    given: Handover,
) -> Result<ExitCode, Error> {
    let handover = given.try_clone()?;
    let Handover { socket, control, crash_record, inherited } = given;
    let editor = editor(options.editor.clone().map(|(_, editor)| editor))?;
    let (project, config, stdout) = configure(args, crash_record, &inherited)?;
    let began = Instant::now();
    let tokio = project::tokio_runtime()?;
    let next = tokio.block_on(async {
        let signals = serve::register_signals()?.with_hangup();
        let signals = signals.and_then(|signals| supervised::connect(&control, signals));
        let signals = signals.map_err(Error::io("cannot reach the supervisor"))?;
        reopen_logs_on_signal()?;
        let metrics = MetricsAddress::bind(&config).await?;
        let listener = Listener::try_from(socket)
            .map_err(Error::io("cannot take over the socket"))?
            .with_trusted_peers(config.forwarded_allow_ips.iter().cloned().collect());
        let address = listener.local_addr().map_err(Error::io("cannot read its address"))?;
        let server = serve::start(config, Some(listener), signals).await?;
        let metrics =
            metrics.map(|metrics| metrics.serve(Arc::clone(&server.runtime), &project.root));
        let metrics = metrics.transpose().map_err(Error::io("cannot serve the metrics"))?;
        if let Some(metrics) = &metrics {
            print_setup(&format!("metrics on {}/metrics", metrics.url));
        }
        let terminal = start_terminal(&server.runtime, &options, stdout.is_none())?;
        let dev = start_dev(&server.runtime, &options, editor, &inherited)?;
        let log = match stdout.as_ref().zip(dev.events()) {
            Some((stdout, events)) => {
                Some(JsonLog::start(stdout, events).map_err(Error::io("cannot write the log"))?)
            }
            None => None,
        };
        let dev_file = dev.write_dev_file(address)?;
        let reads_keys = !options.no_keys && stdout.is_none();
        let took = began.elapsed();
        show_start((&server.runtime, address), &dev, &terminal, took, reads_keys);
        if inherited.paused {
            dev.pause();
        }
        let next = serve_until_end(server, &dev, dev_file, &terminal, &project, handover).await;
        terminal.finish();
        drop(metrics);
        if let Some(log) = log {
            log.finish();
        }
        Ok::<_, Error>(next)
    });
    tokio.shutdown_background(); // a trial process may be running
    let Some(next) = next? else { return Ok(ExitCode::SUCCESS) };
    if let Some(stdout) = stdout {
        stdout.restore().map_err(Error::io("cannot write the log"))?;
    }
    log::finish();
    Err(next.handover.exec(next.generation, next.paused))
}

/// Reads the project and its options, and prepares its `.venv`. Takes stdout for the events if the
/// log is JSON: all other output, also that of user code, goes to stderr then.
fn configure(
    args: ProjectArgs,
    crash_record: File,
    inherited: &Inherited,
) -> Result<(Project, SnaxumConfig, Option<OwnedStdout>), Error> {
    let (project, builder) = project::read(args)?;
    let crash_record = CrashRecord::open(crash_record, inherited.supervisor)
        .map_err(Error::io("cannot map a file"))?;
    let builder = builder.crash_record(crash_record).first_generation(inherited.generation + 1);
    let config = builder.dev(true).build()?;
    let stdout = match config.log_format {
        LogFormat::Json => Some(OwnedStdout::take().map_err(Error::io("cannot write the log"))?),
        LogFormat::Text => None,
    };
    let environment = venv::ensure(&project, &print_setup)?;
    venv::link_framework(&project.root, environment.as_ref())?;
    Ok((project, config, stdout))
}

/// Starts the terminal's thread; it prints events if they are not written as JSON.
fn start_terminal(
    runtime: &Arc<PythonRuntime>,
    options: &DevOptions,
    prints_events: bool,
) -> Result<Terminal, Error> {
    let terminal = Terminal::start(runtime, options.explain_reload)
        .map_err(Error::io("cannot start a thread"))?;
    if prints_events {
        let terminal = terminal.clone();
        runtime.events().listen(move |event| terminal.on_event(event));
    }
    Ok(terminal)
}

/// Starts dev mode: the watcher, the console and, with `--mcp`, the tools for assistants.
fn start_dev(
    runtime: &Arc<PythonRuntime>,
    options: &DevOptions,
    editor: Option<Editor>,
    inherited: &Inherited,
) -> Result<Dev, Error> {
    let dev = Dev::start_with_token(runtime, Some(inherited.token.clone()))?;
    if let Some(editor) = editor {
        dev.use_editor(editor);
    }
    if options.mcp {
        dev.open_mcp(options.mcp_write, Some(inherited.mcp_token.clone()));
    }
    if let Some(crash) = &inherited.crash {
        dev.record_crash(crash);
    }
    Ok(dev)
}

/// Prints the banner; on a terminal also starts the keys, if they are read, and the status line.
fn show_start(
    (runtime, address): (&Arc<PythonRuntime>, SocketAddr),
    dev: &Dev,
    terminal: &Terminal,
    took: Duration,
    reads_keys: bool,
) {
    let runtime = Arc::clone(runtime);
    let reads_keys = reads_keys && raw_mode::is_interactive();
    let width = reads_keys.then(|| Term::stdout().size().1);
    terminal.open(terminal::banner(&runtime, dev, address, took, width));
    if !reads_keys {
        return;
    }
    let keys = Keys { terminal: terminal.clone(), runtime, dev: dev.clone(), address };
    match keys.start() {
        Ok(()) => terminal.enable_status_line(),
        Err(error) => {
            raw_mode::restore();
            tracing::warn!("cannot read keys: {error}");
        }
    }
}

/// The process that follows after a restart.
struct NextProcess {
    handover: Handover,
    /// The generation that served last.
    generation: u64,
    /// Whether reloading is paused.
    paused: bool,
}

/// Serves until a signal, or until a restart is accepted; returns the process that follows then.
async fn serve_until_end(
    server: ReadyServer,
    dev: &Dev,
    dev_file: DevFile,
    terminal: &Terminal,
    project: &Project,
    handover: Handover,
) -> Option<NextProcess> {
    let runtime = Arc::clone(&server.runtime);
    let restart = handover::accepted_restart(dev, &runtime, &project.root, terminal);
    let mut handover = Some(handover);
    let on_stop = |cause| {
        if cause == StopCause::Signal {
            handover = None; // closes the socket: no process takes it over
            supervised::before_exit(); // the supervisor closes it too
        }
        drop(dev_file); // removes the file before the server stops
        dev.stop();
    };
    // Reads more than it accepts, so that the response can state why a request is rejected.
    let mut limits = ConnectionLimits::new(runtime.config());
    limits.max_header_size = 8 * MAX_HEADER_BYTES;
    let limit = runtime.config().drain_limit();
    let service = dev.service();
    let respond = move |request, peer| service.clone().respond(request, peer);
    let serve = |listener, stop| server::serve_with(listener, respond, limits, stop, limit);
    let restart = restart.map(|()| StopCause::Restart);
    serve::serve_until_end(server, serve, on_stop, restart).await;
    let (generation, paused) = (runtime.serving().generation, dev.is_paused());
    handover.map(|handover| NextProcess { handover, generation, paused })
}

/// Parses an editor; returns the text, too.
fn parse_editor(text: &str) -> Result<(String, Editor), <Editor as FromStr>::Err> {
    Ok((text.to_owned(), text.parse()?))
}

impl DevOptions {
    fn of_builder(&self) -> rust::BuilderOptions {
        let access = || McpAccess { token: new_token(), may_write: self.mcp_write };
        rust::BuilderOptions {
            explains: self.explain_reload,
            mcp: self.mcp.then(access),
            editor: self.named_editor(),
            reads_keys: !self.no_keys,
            restart_delay: self.restart_delay,
        }
    }

    /// The text that names the editor of the command line, or of the environment.
    fn named_editor(&self) -> Option<String> {
        let given = self.editor.as_ref().map(|(text, _)| text.clone());
        given.or_else(|| std::env::var(EDITOR).ok()).filter(|named| !named.is_empty())
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
