//! `snaxum dev`: the routes with live reload and the console.

mod handover;
mod json_log;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use console::Term;
use snaxum::dev::{Dev, Editor, MAX_HEADER_BYTES};
use snaxum::error::Error;
use snaxum::server::{self, DRAIN_TIMEOUT};
use snaxum::venv;

use super::render::color::{plain, say, say_setup};
use super::terminal::{Keys, Terminal};
use super::options::ProjectArgs;
use super::{project, serve};
use handover::Successor;
use json_log::{Log, Stdout};
use serve::End;

/// The variable that names an editor once and for all.
const EDITOR: &str = "SNAXUM_EDITOR";

/// What `dev` alone takes; `check`, which tries a new process, does not.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Says with each reload which of its phases took how long.
    #[arg(short = 'v', long)]
    explain_reload: bool,
    /// Reads no keys and draws nothing over: for `breakpoint()` and `input()` in handlers.
    #[arg(long)]
    no_keys: bool,
    /// Lets an assistant look on over MCP, at /__snaxum/mcp: what fails, is printed, is loaded.
    #[arg(long)]
    mcp: bool,
    /// Lets it reload, send requests to the app, and send recorded ones again.
    #[arg(long, requires = "mcp")]
    mcp_write: bool,
    /// Editor for places in the code: a scheme, whose links the console has, or a program, which the
    /// server starts; SNAXUM_EDITOR says the same [default: vscode://]
    #[arg(long, value_name = "SCHEME://|PROGRAM")]
    editor: Option<Editor>,
    /// What goes to stdout: lines for people, or the events as the console gets them, a JSON object
    /// a line. With `json` everything else goes to stderr, what user code prints included.
    #[arg(long, value_enum, default_value_t = json_log::Format::Text)]
    log_format: json_log::Format,
}

/// Serves until a signal comes; says what happens as it happens.
pub(crate) fn run(args: ProjectArgs, options: Options) -> Result<ExitCode, Error> {
    let before = handover::take_over();
    let cannot_write = |source| Error::Io { what: "cannot write the log".to_owned(), source };
    let stdout = match options.log_format {
        json_log::Format::Json => Some(Stdout::take().map_err(cannot_write)?),
        json_log::Format::Text => None,
    };
    let (project, mut builder) = project::read(args)?;
    if let Some(before) = &before {
        builder = builder.first_generation(before.generation + 1);
    }
    let editor = editor(options.editor)?;
    let config = builder.dev(true).build()?;
    let environment = venv::ensure(&project, &say_setup)?;
    // Only editors and tests miss something without it.
    if let Err(error) = venv::link_framework(&project.root, environment.as_ref()) {
        tracing::warn!("editors will not find the module `snaxum`: {error}");
    }
    let began = Instant::now();
    let successor = project::tokio_runtime()?.block_on(async {
        let was_paused = before.as_ref().is_some_and(|before| before.paused);
        let (socket, token, mcp_token) =
            before.map_or((None, None, None), |b| (Some(b.socket), Some(b.token), b.mcp_token));
        let start = serve::start(config, socket).await?;
        let terminal = Terminal::start(&start.runtime, options.explain_reload)
            .map_err(|source| Error::Io { what: "cannot start a thread".to_owned(), source })?;
        if stdout.is_none() {
            start.runtime.events().listen({
                let terminal = terminal.clone();
                move |event| terminal.tell(event)
            });
        }
        let dev = Dev::start_with_token(&start.runtime, token)?;
        if let Some(editor) = editor {
            dev.use_editor(editor);
        }
        if options.mcp {
            dev.open_mcp(options.mcp_write, mcp_token);
        }
        let log = match stdout.as_ref().zip(dev.events()) {
            Some((stdout, events)) => Some(Log::start(stdout, events).map_err(cannot_write)?),
            None => None,
        };
        let announcement = dev.write_dev_file(start.address)?;
        let reads_keys =
            !options.no_keys && stdout.is_none() && super::terminal::raw_mode::is_interactive();
        let width = reads_keys.then(|| Term::stdout().size().1);
        say(&super::terminal::banner(&start.runtime, &dev, start.address, began.elapsed(), width));
        if width.is_some() {
            let (terminal, dev) = (terminal.clone(), dev.clone());
            let (runtime, address) = (Arc::clone(&start.runtime), start.address);
            match (Keys { terminal: terminal.clone(), runtime, dev, address }).start() {
                Ok(()) => terminal.go_live(),
                Err(error) => {
                    super::terminal::raw_mode::restore();
                    tracing::warn!("no keys are read: {error}");
                }
            }
        }
        if was_paused {
            dev.pause();
        }
        let (runtime, wanted) = (Arc::clone(&start.runtime), handover::wanted(&dev, &project.root));
        let mut successor = Some(Successor::new(&start, &dev)?);
        let stopping = |end| {
            if end == End::Signal {
                successor = None; // closes the socket: nobody is going to take it over
            }
            drop(announcement); // nobody should look for a server that is about to go
            dev.stop();
        };
        let service = dev.service();
        let respond = move |request, peer| service.clone().respond(request, peer);
        // Reads more than it accepts, so that the response can state why a request is rejected.
        let serve = |listener, stop| {
            server::serve_with(listener, respond, 8 * MAX_HEADER_BYTES, stop, DRAIN_TIMEOUT)
        };
        serve::serve_until_end(start, serve, stopping, wanted).await;
        terminal.finish();
        if let Some(log) = log {
            log.finish();
        }
        let (generation, paused) = (runtime.serving().generation, dev.is_paused());
        Ok::<_, Error>(successor.map(|successor| (successor, generation, paused)))
    })?;
    match successor {
        Some((successor, generation, paused)) => {
            if let Some(stdout) = stdout {
                stdout.give_back().map_err(cannot_write)?;
            }
            Err(successor.take_over(generation, paused))
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

/// The editor that is asked for, or else that of the environment; an empty variable names none.
fn editor(asked: Option<Editor>) -> Result<Option<Editor>, Error> {
    let named = || std::env::var_os(EDITOR).filter(|named| !named.is_empty());
    let Some(named) = asked.is_none().then(named).flatten() else { return Ok(asked) };
    let named = named.to_string_lossy();
    let bad = |problem| Error::BadValue {
        origin: EDITOR.to_owned(),
        name: "editor",
        problem: format!("`{}`: {problem}", plain(&named)),
    };
    named.parse().map(Some).map_err(bad)
}
