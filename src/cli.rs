//! The command line: parses it and runs one command, each in a file of its own.
//!
//! Owns exit codes, color and the log. Contains no logic of a command.

mod check;
mod client;
mod descriptors;
mod end_with_parent;
mod exit;
mod invocation;
mod json_lines;
mod log;
mod new;
mod openapi;
mod operations;
mod options;
mod production;
mod project;
mod render;
mod routes;
mod serve;
mod shell_files;
mod signal_mask;
mod sync;
mod test;
mod top;

#[cfg_attr(not(feature = "dev"), path = "cli/no_dev.rs")]
mod dev;
mod mcp;
#[cfg(feature = "dev")]
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
#[cfg(feature = "extension-module")]
use snaxum::error::Error;
#[cfg(feature = "extension-module")]
use snaxum::event::{HANDLED_TRACEBACK, TRACEBACK};

pub(crate) use invocation::Invocation;
use options::ProjectArgs;
use render::color::Color;
#[cfg(feature = "extension-module")]
pub(crate) use test::LoadedProject;

/// Serve Python functions over HTTP, with live reload.
#[derive(Parser)]
#[command(name = "snaxum", version, max_term_width = 100)]
struct Cli {
    /// When to use color (NO_COLOR and FORCE_COLOR are respected)
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a project from a template
    New(new::NewArgs),
    /// Serve DIR with live reload and the console
    Dev {
        #[command(flatten)]
        project: ProjectArgs,
        #[command(flatten)]
        options: dev::DevOptions,
    },
    /// Serve DIR in production: no watcher, no console, no tracebacks in responses
    Serve {
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// List the routes of DIR
    Routes {
        #[command(flatten)]
        project: ProjectArgs,
        #[command(flatten)]
        options: Box<routes::RouteOptions>,
    },
    /// Write the OpenAPI document of DIR, or compare it with a published one
    Openapi {
        #[command(flatten)]
        project: ProjectArgs,
        #[command(flatten)]
        options: openapi::OpenApiOptions,
    },
    /// Create DIR/.venv or update it from pyproject.toml
    Sync(DirArgs),
    /// Follow the events of the running dev server: requests, output, reloads
    Tail {
        #[command(flatten)]
        project: DirArgs,
        #[command(flatten)]
        options: client::tail::TailOptions,
    },
    /// Show a running server with a metrics address: its processes, workers, queue and slowest routes
    Top(top::TopArgs),
    /// Wait until the code on disk is live in the running dev server; exit with 1 if it does not
    /// load or reloading is paused
    Wait(DirArgs),
    /// Explain why saving FILE did or did not reload, and which modules it runs
    Explain {
        /// File of a project with a running dev server
        file: PathBuf,
    },
    /// Reload the changed files in the running dev server, also during a pause, and exit like `wait`;
    /// or replace the processes of `snaxum serve` by new ones, without losing a request
    Reload {
        #[command(flatten)]
        project: DirArgs,
        /// Run all modules again, even without changes
        #[arg(long)]
        full: bool,
    },
    /// Replace the process of the running dev server, on the same socket; exit with 1 if the code
    /// does not load in the new process (the old one is still serving then)
    Restart(DirArgs),
    /// Pause reloading until `snaxum resume`
    Pause(DirArgs),
    /// End a pause and reload the saved changes; exit like `wait`
    Resume(DirArgs),
    /// Relay MCP messages between stdio and the dev server, started with `snaxum dev --mcp`
    Mcp(DirArgs),
    /// Run the tests of DIR with pytest; they reach the routes through `snaxum.testing`
    Test {
        #[command(flatten)]
        project: ProjectArgs,
        /// Arguments for pytest, after `--`
        #[arg(last = true)]
        pytest: Vec<String>,
    },
    /// Import all modules of DIR and print every problem; exit with 1 if there is one
    Check {
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Print the completions of this command for a shell
    Completions {
        /// Shell that loads them
        shell: Shell,
    },
    /// Print the manual page, or write a page for each command to DIR
    #[command(hide = true)]
    Man {
        /// Directory for the pages
        dir: Option<PathBuf>,
    },
}

/// The argument of commands for a running server.
#[derive(Args)]
struct DirArgs {
    /// Directory of the project
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// Loads the project in `dir` into a process of another program, for its tests or its server.
#[cfg(feature = "extension-module")]
pub(crate) fn load_in_process(dir: PathBuf) -> Result<LoadedProject, Error> {
    static LOG: std::sync::Once = std::sync::Once::new();
    // That program gets an exception of a handler, unless an error handler responds to it.
    let filter = format!("warn,{TRACEBACK}=off,{HANDLED_TRACEBACK}=error");
    LOG.call_once(|| log::start(&filter));
    LoadedProject::load(dir.into())
}

/// Whether the command must run in the only thread of its process, which it may fork.
#[cfg(feature = "extension-module")]
pub(crate) fn has_one_thread(invocation: &Invocation) -> bool {
    production::preloads(invocation.handover.as_deref().and_then(|text| text.to_str()))
}

/// Forks the process that serves first, if the command starts a server; returns in both. Call it while the
/// process has one thread.
#[cfg(feature = "extension-module")]
pub(crate) fn fork_first_process(invocation: &Invocation) {
    production::fork_first_process(invocation);
}

/// Runs the command of the command line.
pub(crate) fn run(invocation: Invocation) -> ExitCode {
    invocation.announce();
    let arguments = options::separate_directories(invocation::arguments());
    let line = std::iter::once("snaxum".into()).chain(arguments);
    let cli = match Cli::try_parse_from(line) {
        Ok(cli) => cli,
        Err(error) => {
            if let Some(hint) = removed_name(&error) {
                render::color::print_error(&hint);
                return ExitCode::from(2);
            }
            error.exit();
        }
    };
    cli.color.apply();
    let result = match cli.command {
        Command::New(args) => new::run(args, Cli::command()),
        Command::Dev { project, options } => {
            // The terminal shows tracebacks; an MCP client that disconnects is not an error.
            log::start("warn,rmcp=off,snaxum::traceback=off");
            dev::run(project, options)
        }
        Command::Serve { project } => production::run(project),
        Command::Routes { project, options } => {
            log::start("off");
            routes::run(project, &options)
        }
        Command::Openapi { project, options } => {
            log::start("off");
            openapi::run(project, &options)
        }
        Command::Sync(project) => sync::run(&project.dir),
        Command::Tail { project, options } => client::tail::run(&project.dir, &options),
        Command::Top(args) => top::run(&args),
        Command::Wait(project) => client::wait::run(&project.dir),
        Command::Explain { file } => client::explain::run(&file),
        Command::Reload { project, full } => client::control::reload(&project.dir, full),
        Command::Restart(project) => client::control::restart(&project.dir),
        Command::Pause(project) => client::control::pause(&project.dir),
        Command::Resume(project) => client::control::resume(&project.dir),
        Command::Mcp(project) => mcp::run(&project.dir),
        Command::Test { project, pytest } => {
            log::start("warn");
            test::run(project, pytest)
        }
        Command::Check { project } => {
            log::start("off");
            check::run(project)
        }
        Command::Completions { shell } => Ok(shell_files::completions(shell, Cli::command())),
        Command::Man { dir } => shell_files::man(dir.as_deref(), Cli::command()),
    };
    log::finish();
    result.unwrap_or_else(|error| {
        render::color::print_error(&render::error::error_text(&error));
        ExitCode::from(error.exit_code())
    })
}

/// Names the replacement of a removed option or value.
fn removed_name(error: &clap::Error) -> Option<String> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let option = context(ContextKind::InvalidArg)?.split([' ', '=']).next()?;
    let value = context(ContextKind::InvalidValue).map_or(String::new(), |text| format!(" {text}"));
    let arguments = invocation::arguments().into_iter();
    let names = arguments.map(|command| format!("{} {option}{value}", command.to_string_lossy()));
    let name = option.trim_start_matches('-').to_owned();
    names.chain([name]).find_map(|name| snaxum::config::replacement(&name))
}
