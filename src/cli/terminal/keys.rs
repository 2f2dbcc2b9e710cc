//! Single keys: what they are called, and what each does.
//!
//! A thread reads them. What concerns the lines themselves goes to the terminal's thread.

use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use console::style;
use snaxum::dev::Dev;
use snaxum::python_runtime::{PythonRuntime, ReloadOutcome};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::banner::{app_url, routes};
use super::{Press, Terminal, raw_mode};
use crate::cli::render::color::plain;

/// How often a server in the background of a shell looks whether it has come back.
const BACKGROUND: Duration = Duration::from_millis(250);

/// What keys that are no characters begin with.
const ESCAPE: u8 = 0x1b;

/// What `h` shows.
const HELP: &str = "
  r  look at all files now, and reload what differs
  o  open the app in the browser
  c  open the console in the browser
  l  list the routes
  e  show the last error in full
  p  pin the last request that failed: sent again after each reload until it passes
  v  show errors and reloads only; again: everything
  k  clear the screen
  h  this help
  q  stop the server, as Ctrl-C does

";

/// What the keys act on.
pub(crate) struct Keys {
    pub(crate) terminal: Terminal,
    pub(crate) runtime: Arc<PythonRuntime>,
    pub(crate) dev: Dev,
    pub(crate) address: SocketAddr,
}

impl Keys {
    /// Reads keys from now on; call it where tokio runs.
    pub(crate) fn start(self) -> io::Result<()> {
        raw_mode::enter()?;
        let mut stops = signal(SignalKind::from_raw(libc::SIGTSTP))?;
        let terminal = self.terminal.clone();
        tokio::spawn(async move {
            while stops.recv().await.is_some() {
                raw_mode::stop();
                go_on(&terminal);
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
                // What is typed is the shell's. Nobody tells when that ends.
                while !raw_mode::is_in_foreground() {
                    thread::sleep(BACKGROUND);
                }
                go_on(&self.terminal);
                continue;
            }
            match raw_mode::read(&mut keys) {
                Ok(count @ 1..) => {
                    letters(&keys[..count]).iter().for_each(|key| self.press(*key, tokio));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return, // the terminal is gone
            }
        }
    }

    fn press(&self, key: u8, tokio: &Handle) {
        let terminal = &self.terminal;
        match key {
            b'r' => drop(tokio.spawn(reload(self.dev.clone(), terminal.clone()))),
            b'o' => self.open(app_url(&self.dev.console_url(self.address))),
            b'c' => self.open(&self.dev.console_url(self.address)),
            b'l' => terminal.say(format!("\n{}\n", routes(&self.runtime.serving().routes))),
            b'e' => terminal.press(Press::LastError),
            b'p' => self.pin(tokio),
            b'v' => terminal.press(Press::Quieter),
            b'k' => terminal.press(Press::Clear),
            b'h' | b'?' => terminal.say(HELP.to_owned()),
            b'q' => quit(),
            _ => {}
        }
    }

    /// Sends the newest failure again after each reload.
    fn pin(&self, tokio: &Handle) {
        let _on_tokio = tokio.enter();
        let line = match self.dev.pin_last_failure() {
            Ok((method, path)) => format!(
                "  ⚑ {} {} is pinned: it is sent again after each reload until it passes\n",
                plain(&method),
                plain(&path)
            ),
            Err(why) => format!("  {} nothing is pinned: {why}\n", style("●").dim()),
        };
        self.terminal.say(line);
    }

    /// Opens one of our own addresses; no shell sees it.
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
            terminal.say(format!("  {sign} `{program}` opens no browser ({problem}): {url}\n"));
        };
        if let Err(error) = thread::Builder::new().name("browser".into()).spawn(run) {
            tracing::warn!("cannot start a thread: {error}");
        }
    }
}

/// What was typed without the keys that are no characters, such as arrows.
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

/// Takes the terminal again after a stop, unless it is somebody else's.
fn go_on(terminal: &Terminal) {
    if !raw_mode::is_in_foreground() {
        return;
    }
    match raw_mode::enter() {
        Ok(()) => terminal.go_live(),
        Err(error) => tracing::warn!("no keys are read: {error}"),
    }
}

async fn reload(dev: Dev, terminal: Terminal) {
    let words = match dev.reload().await {
        Some(ReloadOutcome::Reloaded(_)) => return, // has its line
        Some(ReloadOutcome::Unchanged | ReloadOutcome::Held) => {
            "what serves is what the files hold"
        }
        None => "no reload: the server is stopping, or too many are asked for",
    };
    terminal.say(format!("  {} {words}\n", style("=").dim()));
}

fn quit() {
    // SAFETY: a signal to this very process, whose handler stops it gracefully.
    unsafe { libc::kill(libc::getpid(), libc::SIGTERM) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_that_are_no_characters_do_nothing() {
        assert_eq!(super::letters(b"rl"), b"rl");
        assert_eq!(super::letters(b"r\x1b[Al\x1b[5~h\x1b[1;2Qv"), b"rlhv");
        assert_eq!(super::letters(b"\x1bqe\x1b"), b"e");
        assert_eq!(super::letters(b"\x1b["), b"");
    }
}
