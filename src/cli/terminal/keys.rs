//! Single keys: their help, and their actions.
//!
//! A thread of its own reads them. Keys that change the output are sent to the terminal's thread.

use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use console::style;
use futures_util::FutureExt;
use snaxum::dev::Dev;
use snaxum::message::{nothing_to_reload, still_serving};
use snaxum::python_runtime::{PythonRuntime, ReloadOutcome};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::banner::{app_url, routes};
use super::output_thread::Terminal;
use super::raw_mode;
use super::update::KeyAction;
use crate::cli::render::color::escape;

/// The time between two checks of a background process for the foreground.
const FOREGROUND_POLL: Duration = Duration::from_millis(250);

/// The first byte of special keys.
const ESCAPE: u8 = 0x1b;

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
        raw_mode::enter()?;
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
        let tokio = Handle::current();
        thread::Builder::new().name("keys".into()).spawn(move || self.read(&tokio)).map(drop)
    }

    fn read(&self, tokio: &Handle) {
        let mut keys = [0; 64];
        loop {
            raw_mode::wait_for_input();
            if !raw_mode::is_in_foreground() {
                // The shell reads the input, and no signal announces the end of that.
                while !raw_mode::is_in_foreground() {
                    thread::sleep(FOREGROUND_POLL);
                }
                on_continue(&self.terminal);
                continue;
            }
            match raw_mode::read(&mut keys) {
                Ok(count @ 1..) => {
                    letters(&keys[..count]).iter().for_each(|key| self.press(*key, tokio));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return, // the terminal is closed
            }
        }
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

    /// Opens a URL of this server in the browser, without a shell.
    fn open(&self, url: &str) {
        let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let (url, terminal) = (url.to_owned(), self.terminal.clone());
        let run = move || {
            let mut command = Command::new(program);
            let command = command.arg(&url).stdin(Stdio::null());
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
            let problem = match status {
                Ok(status) if status.success() => return,
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            let sign = style("▲").yellow();
            terminal.print(format!(
                "  {sign} `{program}` cannot open a browser ({problem}); open {url}\n"
            ));
        };
        if let Err(error) = thread::Builder::new().name("browser".into()).spawn(run) {
            tracing::warn!("cannot start a thread: {error}");
        }
    }
}

/// Removes special keys, such as arrows, from the input.
fn letters(typed: &[u8]) -> Vec<u8> {
    let (mut letters, mut rest) = (Vec::new(), typed);
    while let [first, after @ ..] = rest {
        rest = match (*first, after) {
            (ESCAPE, [b'[', sequence @ ..]) => {
                let end = sequence.iter().position(|byte| (0x40..=0x7e).contains(byte));
                end.map_or(&[][..], |end| &sequence[end + 1..])
            }
            (ESCAPE, [_, more @ ..]) => more, // with Alt
            (ESCAPE, []) => after,
            (letter, _) => {
                letters.push(letter);
                after
            }
        };
    }
    letters
}

/// Enters raw mode again after a stop, if this process has the terminal.
fn on_continue(terminal: &Terminal) {
    if !raw_mode::is_in_foreground() {
        return;
    }
    match raw_mode::enter() {
        Ok(()) => terminal.enable_status_line(),
        Err(error) => tracing::warn!("cannot read keys: {error}"),
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

#[cfg(test)]
mod tests {
    #[test]
    fn special_keys_are_ignored() {
        assert_eq!(super::letters(b"rl"), b"rl");
        assert_eq!(super::letters(b"r\x1b[Al\x1b[5~h\x1b[1;2Qv"), b"rlhv");
        assert_eq!(super::letters(b"\x1bqe\x1b"), b"e");
        assert_eq!(super::letters(b"\x1b["), b"");
    }
}
