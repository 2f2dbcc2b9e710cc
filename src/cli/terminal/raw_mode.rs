//! The terminal's mode while single keys are read, and its way back.
//!
//! Keys come without Enter and are not echoed; Ctrl-C and Ctrl-Z are signals as ever. The mode is
//! given back however the process ends, short of a kill, and while it is stopped.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, Once, PoisonError};

use super::status_line;

/// The mode that was found, and by which process: children that user code forks leave it alone.
static FOUND: Mutex<Option<(libc::pid_t, libc::termios)>> = Mutex::new(None);

static AT_EXIT: Once = Once::new();

/// Whether keys can be read, and lines be drawn over.
pub(crate) fn is_interactive() -> bool {
    let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    io::stdin().is_terminal()
        && io::stdout().is_terminal()
        && !is_ci
        && !console::is_dumb()
        && is_in_foreground()
}

/// In the background of a shell the kernel stops whoever touches the terminal.
pub(super) fn is_in_foreground() -> bool {
    // SAFETY: two questions to the kernel.
    let (foreground, own) = unsafe { (libc::tcgetpgrp(libc::STDIN_FILENO), libc::getpgrp()) };
    // Without an answer it is the terminal of no session that this process is in.
    foreground == -1 || foreground == own
}

/// Lets keys come one by one from now on.
pub(super) fn enter() -> io::Result<()> {
    // SAFETY: all of it is numbers, for which zero is a value.
    let mut mode: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: points to a value of ours that outlives the call.
    if unsafe { libc::tcgetattr(libc::STDIN_FILENO, &raw mut mode) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let found = (pid(), mode);
    let mut kept = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    kept.get_or_insert(found);
    AT_EXIT.call_once(|| {
        // SAFETY: the function lives as long as the process, and never unwinds.
        unsafe { libc::atexit(restore_at_exit) };
    });
    mode.c_lflag &= !(libc::ICANON | libc::ECHO);
    mode.c_cc[libc::VMIN] = 1;
    mode.c_cc[libc::VTIME] = 0;
    set(&mode)
}

/// Gives the mode back that was found, if it was changed.
pub(crate) fn restore() {
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((_, mode)) = found.filter(|(owner, _)| *owner == pid()) else { return };
    let _ = set(&mode);
    write_if_it_takes_it(&status_line::abandoned());
}

/// Stops this process, as Ctrl-Z does, and returns when it goes on.
pub(super) fn stop() {
    restore();
    // SAFETY: a signal to this very thread, which has it before the call returns; it stops them all.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Waits until there is something to read, or a signal has come.
pub(super) fn wait_for_input() {
    let mut input = libc::pollfd { fd: libc::STDIN_FILENO, events: libc::POLLIN, revents: 0 };
    // SAFETY: the value is ours, and the only one.
    unsafe { libc::poll(&raw mut input, 1, -1) };
}

/// Reads what has been typed, past the stream's buffer: what lay there would wait for the next key.
pub(super) fn read(keys: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the buffer is ours and outlives the call.
    let count = unsafe { libc::read(libc::STDIN_FILENO, keys.as_mut_ptr().cast(), keys.len()) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Writes past the stream's lock, which a thread may hold that waits for a stopped terminal.
fn write_if_it_takes_it(text: &str) {
    let mut out = libc::pollfd { fd: libc::STDOUT_FILENO, events: libc::POLLOUT, revents: 0 };
    // SAFETY: the value is ours, and the only one.
    let is_ready = !text.is_empty() && unsafe { libc::poll(&raw mut out, 1, 0) } == 1;
    if is_ready && out.revents & libc::POLLOUT != 0 {
        // SAFETY: the text outlives the call. What is not taken is lost, as it may be.
        unsafe { libc::write(libc::STDOUT_FILENO, text.as_ptr().cast(), text.len()) };
    }
}

extern "C" fn restore_at_exit() {
    restore();
}

fn set(mode: &libc::termios) -> io::Result<()> {
    // SAFETY: this signal is nobody else's here: whoever sets the mode while another job has the
    // terminal would be stopped by it.
    let before = unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
    // SAFETY: the descriptor is ours, and the mode outlives the call.
    let outcome = unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, mode) };
    let error = io::Error::last_os_error();
    // SAFETY: what was there a moment ago.
    unsafe { libc::signal(libc::SIGTTOU, before) };
    if outcome == 0 { Ok(()) } else { Err(error) }
}

fn pid() -> libc::pid_t {
    // SAFETY: a question to the kernel.
    unsafe { libc::getpid() }
}
