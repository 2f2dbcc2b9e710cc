//! Single keys: their help, and their actions.
//!
//! Keys that change the output are sent to the terminal's thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use console::style;
use futures_util::FutureExt;
use snaxum::dev::Dev;
use snaxum::message::{nothing_to_reload, still_serving};
use snaxum::python_runtime::{PythonRuntime, ReloadOutcome};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::banner::{app_url, routes};
use super::browser;
use super::key_reader;
use super::output_thread::Terminal;
use super::raw_mode;
use super::update::KeyAction;
use crate::cli::render::color::escape;

/// The text of `h`.
const HELP: &str = "
  r  check all files now, and reload the changed ones
  o  open the app in the browser
  c  open the console in the browser
  l  list the routes
  e  show the last traceback
  p  pin the last failed request: it is sent again after each reload until it passes
  v  show only errors and reloads, or everything
  k  clear the screen
  h  this help
  q  stop the server (same as Ctrl-C)

";

/// The objects that the keys use.
pub(crate) struct Keys {
    pub(crate) terminal: Terminal,
    pub(crate) runtime: Arc<PythonRuntime>,
    pub(crate) dev: Dev,
    pub(crate) address: SocketAddr,
}

impl Keys {
    /// Starts reading keys. Must be called within the async runtime.
    pub(crate) fn start(self) -> io::Result<()> {
        let mut stops = signal(SignalKind::from_raw(libc::SIGTSTP))?;
        let terminal = self.terminal.clone();
        tokio::spawn(async move {
            while stops.recv().await.is_some() {
                raw_mode::stop();
                on_continue(&terminal);
                // The terminal and the supervisor both send the signal of one Ctrl-Z.
                while stops.recv().now_or_never().flatten().is_some() {}
            }
        });
        let (tokio, terminal) = (Handle::current(), self.terminal.clone());
        key_reader::start(move |key| self.press(key, &tokio), move || on_continue(&terminal))
    }

    fn press(&self, key: u8, tokio: &Handle) {
        let terminal = &self.terminal;
        match key {
            b'r' => {
                let (dev, runtime) = (self.dev.clone(), Arc::clone(&self.runtime));
                drop(tokio.spawn(reload(dev, runtime, terminal.clone())));
            }
            b'o' => self.open(app_url(&self.dev.console_url(self.address))),
            b'c' => self.open(&self.dev.console_url(self.address)),
            b'l' => terminal.print(format!("\n{}\n", routes(&self.runtime.serving().routes))),
            b'e' => terminal.press(KeyAction::LastError),
            b'p' => self.pin(tokio),
            b'v' => terminal.press(KeyAction::ToggleQuiet),
            b'k' => terminal.press(KeyAction::Clear),
            b'h' | b'?' => terminal.print(HELP.to_owned()),
            b'q' => quit(),
            _ => {}
        }
    }

    /// Pins the last failed request.
    fn pin(&self, tokio: &Handle) {
        let _on_tokio = tokio.enter();
        let line = match self.dev.pin_last_failure() {
            Ok((method, path)) => format!(
                "  ⚑ pinned {} {}: it is sent again after each reload until it passes\n",
                escape(&method),
                escape(&path)
            ),
            Err(why) => format!("  {} no request pinned: {why}\n", style("●").dim()),
        };
        self.terminal.print(line);
    }

    fn open(&self, url: &str) {
        let terminal = self.terminal.clone();
        browser::open(url.to_owned(), move |line| terminal.print(line));
    }
}

/// Enters raw mode again after a stop, if this process has the terminal.
fn on_continue(terminal: &Terminal) {
    if key_reader::enter_again() {
        terminal.enable_status_line();
    }
}

async fn reload(dev: Dev, runtime: Arc<PythonRuntime>, terminal: Terminal) {
    let text = match dev.reload().await {
        Some(ReloadOutcome::Reloaded(_)) => return, // the terminal shows its line
        Some(ReloadOutcome::Unchanged | ReloadOutcome::Held | ReloadOutcome::Overtaken) => {
            // A save that came before it may have been live only after the wait.
            let serving = runtime.serving().generation;
            format!("{}; {}", nothing_to_reload(""), still_serving(serving))
        }
        None => "no reload: the server is stopping, or too many reloads are pending".to_owned(),
    };
    terminal.print(format!("  {} {text}\n", style("=").dim()));
}

fn quit() {
    // SAFETY: a signal to the own process, whose handler stops it gracefully.
    unsafe { libc::kill(libc::getpid(), libc::SIGTERM) };
}
