//! The command line: parsed once, forgotten at once, each command in a file of its own.
//!
//! Owns exit codes, colour and the log. What a command does is the library's business.

mod check;
mod client;
mod options;
mod project;
mod render;
mod routes;
mod serve;
mod sync;

#[cfg_attr(not(feature = "dev"), path = "cli/no_dev.rs")]
mod dev;
mod mcp;
#[cfg(feature = "dev")]
mod terminal;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use options::ProjectArgs;
use render::color::Color;

/// Serves a directory of Python functions, and shows them live while you write them.
#[derive(Parser)]
#[command(name = "snaxum", version, max_term_width = 100)]
struct Cli {
    /// When to use colour; NO_COLOR and FORCE_COLOR are heard too.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves DIR with live reload and the console.
    Dev {
        #[command(flatten)]
        project: ProjectArgs,
        #[command(flatten)]
        options: dev::Options,
    },
    /// Serves DIR for production: no watcher, no console, no tracebacks to clients.
    Serve {
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Lists the routes of DIR.
    Routes {
        #[command(flatten)]
        project: ProjectArgs,
        #[command(flatten)]
        options: Box<routes::Options>,
    },
    /// Makes DIR/.venv, or brings it up to date with pyproject.toml.
    Sync {
        /// The directory that holds `python/`.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Follows the events of the running dev server: requests, what they print, reloads.
    Tail {
        /// The directory that the server serves.
        #[arg(default_value = ".")]
        dir: PathBuf,
        #[command(flatten)]
        options: client::tail::Options,
    },
    /// Waits until what is on disk now is live in the running dev server; exits with 1 if it does
    /// not load, or if reloading is paused.
    Wait {
        /// The directory that the server serves.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Says why saving FILE did, or did not, reload, and which modules a save of it runs.
    Explain {
        /// A file of a project that a dev server is running on.
        file: PathBuf,
    },
    /// Lets the running dev server look at all files now and reload what is not live; exits like
    /// `wait`. Works during a pause too.
    Reload {
        /// The directory that the server serves.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Runs all modules again, whatever the files hold.
        #[arg(long)]
        full: bool,
    },
    /// Lets a new process take over from the running dev server, on the same socket, and waits until
    /// it answers; exits with 1 if the code does not load there, and the old one serves on.
    Restart {
        /// The directory that the server serves.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Lets the running dev server notice what is saved without acting on it, until `resume`.
    Pause {
        /// The directory that the server serves.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Ends a pause: what has been saved in between is reloaded at once; exits like `wait`.
    Resume {
        /// The directory that the server serves.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Lets an assistant talk to the running dev server over stdin and stdout (MCP); that has to be
    /// started with `snaxum dev --mcp`.
    Mcp {
        /// The directory that the server serves.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Imports everything in DIR and prints every problem; exits with 1 if there is one.
    Check {
        #[command(flatten)]
        project: ProjectArgs,
    },
}

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    cli.color.apply();
    let result = match cli.command {
        Command::Dev { project, options } => {
            // Tracebacks are drawn, not logged; that an assistant has left is no news.
            log_to_stderr("warn,rmcp=off,snaxum::traceback=off");
            dev::run(project, options)
        }
        Command::Serve { project } => {
            log_to_stderr("info");
            serve::run(project)
        }
        Command::Routes { project, options } => {
            log_to_stderr("off");
            routes::run(project, &options)
        }
        Command::Sync { dir } => sync::run(&dir),
        Command::Tail { dir, options } => client::tail::run(&dir, &options),
        Command::Wait { dir } => client::wait::run(&dir),
        Command::Explain { file } => client::explain::run(&file),
        Command::Reload { dir, full } => client::control::reload(&dir, full),
        Command::Restart { dir } => client::control::restart(&dir),
        Command::Pause { dir } => client::control::pause(&dir),
        Command::Resume { dir } => client::control::resume(&dir),
        Command::Mcp { dir } => mcp::run(&dir),
        Command::Check { project } => {
            log_to_stderr("off");
            check::run(project)
        }
    };
    result.unwrap_or_else(|error| {
        render::color::say_error(&render::color::plain(&error.to_string()));
        ExitCode::from(error.exit_code())
    })
}

/// Sends the log to stderr; `RUST_LOG` overrides what is shown.
fn log_to_stderr(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(console::colors_enabled_stderr() && std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
