//! `snaxum dev` for a project whose server is a program in Rust: builds it, runs it, and replaces it on a save.
//!
//! This process is the builder. It has the listening socket and the terminal, and runs no code of the user.

mod attempt;
mod binary;
mod build;
mod build_loop;
mod builds;
mod diagnostic;
mod endings;
mod followed_events;
mod grouped_process;
mod keys;
mod loop_event;
mod package;
mod program;
mod saves;
mod screen;
mod takeover;
mod waiting_page;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Instant;

use snaxum::config::{OPTIONS, SnaxumConfig};
use snaxum::error::Error;
use snaxum::server::{self, StopSignals};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::cli::options::ProjectArgs;
use crate::cli::project;
use crate::cli::render::color::print_warning;
use build_loop::BuildLoop;
pub(super) use build_loop::BuilderOptions;
use loop_event::LoopEvent;
use package::RustPackage;
use program::SharedSockets;

/// The options that the builder uses, beside the options of cargo. All others are the program's own.
const OF_BUILDER: [&str; 6] =
    ["allow-host", "drain-timeout", "host", "log-format", "port", "python-dir"];

/// A project whose server is a program in Rust.
pub(super) struct RustProject {
    package: RustPackage,
    config: SnaxumConfig,
}

/// Finds the program of a project; `None` if its server is the Python one.
pub(super) fn find(args: &ProjectArgs) -> Result<Option<RustProject>, Error> {
    let (project, builder, warnings) = project::read_quietly(args.clone())?;
    let config = builder.dev(true).build_without_modules();
    let Some(package) = package::find(&project.root, &config)? else { return Ok(None) };
    warnings.iter().for_each(|warning| print_warning(warning));
    for name in OPTIONS.iter().map(|option| option.name).filter(|name| is_unused(args, name)) {
        print_warning(&format!(
            "`--{name}` has no effect: the program sets it in its `SnaxumConfig`; `cargo-args` are for \
             arguments of the program, and `--no-cargo` serves the Python modules only"
        ));
    }
    Ok(Some(RustProject { package, config }))
}

/// Whether the command line sets an option that only the program could use.
fn is_unused(args: &ProjectArgs, name: &str) -> bool {
    let is_used = name.starts_with("cargo-") || OF_BUILDER.contains(&name);
    !is_used && args.flags.0.sets(name)
}

/// Builds and serves until a signal.
pub(super) fn run(project: RustProject, options: BuilderOptions) -> Result<ExitCode, Error> {
    let RustProject { package, config } = project;
    let io = |source| Error::io("cannot run the builder")(source);
    // One thread: the programs end with the thread that started them.
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    let code = tokio.block_on(async {
        let mut signals = BuilderSignals::register().map_err(io)?;
        let listener = server::bind(SocketAddr::new(config.host, config.port)).await?;
        let shared = listener.into_std().and_then(SharedSockets::new).map_err(io)?;
        let (sender, events) = mpsc::unbounded_channel();
        let looped = BuildLoop::new(package, config, options, shared, sender).map_err(io)?;
        Ok::<_, Error>(looped.run(events, &mut signals).await)
    })?;
    // A thread may still wait for a save.
    std::process::exit(code)
}

/// The signals of the builder.
struct BuilderSignals {
    stop: StopSignals,
    suspend: Signal,
}

impl BuilderSignals {
    fn register() -> std::io::Result<Self> {
        Ok(Self {
            stop: StopSignals::register()?.with_hangup()?,
            suspend: signal(SignalKind::from_raw(libc::SIGTSTP))?,
        })
    }
}

impl BuildLoop {
    /// Returns the exit code of `snaxum dev`.
    async fn run(
        mut self,
        mut events: mpsc::UnboundedReceiver<LoopEvent>,
        signals: &mut BuilderSignals,
    ) -> i32 {
        self.start_keys();
        self.start_build();
        loop {
            if let Some(code) = self.exit {
                self.screen.finish();
                return code;
            }
            let deadline = self.next_deadline();
            let is_due = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The deadlines are of the state before the next event.
                event = events.recv() => match event {
                    Some(event) => self.on_event(event),
                    None => unreachable!("the loop has a sender"),
                },
                signal = signals.stop.next() => self.stop(signal),
                _ = signals.suspend.recv() => self.suspend(),
                () = is_due => {}
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                self.on_time();
            }
        }
    }
}
