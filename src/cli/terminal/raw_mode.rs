//! Raw mode: reads single keys without Enter and without echo.
//!
//! Ctrl-C and Ctrl-Z still send signals. The original mode is restored when the process stops or
//! exits, except by SIGKILL.

use std::io::{self, IsTerminal};
use std::sync::Once;

use snaxum::sync::Mutex;

use super::status_line;

/// The original mode, and the process that read it: forked children must not restore it.
static ORIGINAL: Mutex<Option<(libc::pid_t, libc::termios)>> = Mutex::new(None);

static AT_EXIT: Once = Once::new();

/// The mode of the terminal before another process changes it.
pub(crate) struct TerminalMode(libc::termios);

impl TerminalMode {
    /// The mode now; `None` without a terminal.
    pub(crate) fn current() -> Option<Self> {
        is_interactive().then(mode)?.ok().map(Self)
    }

    /// Restores it after the process that changed it has crashed.
    pub(crate) fn restore_after_crash(&self) {
        if is_in_foreground() {
            let _ = set(&self.0);
            write_if_ready(&status_line::release_of_another());
        }
    }
}

/// Whether keys can be read and a status line can be drawn.
pub(crate) fn is_interactive() -> bool {
    let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    io::stdin().is_terminal()
        && io::stdout().is_terminal()
        && !is_ci
        && !console::is_dumb()
        && is_in_foreground()
}

/// Whether this process may use the terminal: the kernel stops a background process that does.
pub(super) fn is_in_foreground() -> bool {
    // SAFETY: both only read kernel state.
    let (foreground, own) = unsafe { (libc::tcgetpgrp(libc::STDIN_FILENO), libc::getpgrp()) };
    // -1: the terminal is not the controlling terminal of this session.
    foreground == -1 || foreground == own
}

/// Enters raw mode.
pub(super) fn enter() -> io::Result<()> {
    let mut mode = mode()?;
    let original = (pid(), mode);
    ORIGINAL.lock().get_or_insert(original);
    AT_EXIT.call_once(|| {
        // SAFETY: the function is static and never unwinds.
        unsafe { libc::atexit(restore_at_exit) };
    });
    mode.c_lflag &= !(libc::ICANON | libc::ECHO);
    mode.c_cc[libc::VMIN] = 1;
    mode.c_cc[libc::VTIME] = 0;
    set(&mode)
}

/// Restores the original mode, if it was changed.
pub(crate) fn restore() {
    let original = ORIGINAL.lock().take();
    let Some((_, mode)) = original.filter(|(owner, _)| *owner == pid()) else { return };
    let _ = set(&mode);
    write_if_ready(&status_line::release());
}

/// Stops this process, as Ctrl-Z does; returns when it continues.
pub(super) fn stop() {
    restore();
    // SAFETY: a signal to the own thread, delivered before the call returns; it stops the process.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Waits for input or a signal.
pub(super) fn wait_for_input() {
    let mut input = libc::pollfd { fd: libc::STDIN_FILENO, events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to one local value, as the count states.
    unsafe { libc::poll(&raw mut input, 1, -1) };
}

/// Reads the typed keys without the buffer of `stdin`, where keys would wait for the next key.
pub(super) fn read(keys: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the buffer outlives the call.
    let count = unsafe { libc::read(libc::STDIN_FILENO, keys.as_mut_ptr().cast(), keys.len()) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Writes without the lock of `stdout`: a thread that waits for a stopped terminal may have it.
fn write_if_ready(text: &str) {
    let mut out = libc::pollfd { fd: libc::STDOUT_FILENO, events: libc::POLLOUT, revents: 0 };
    // SAFETY: the pointer is to one local value, as the count states.
    let is_ready = !text.is_empty() && unsafe { libc::poll(&raw mut out, 1, 0) } == 1;
    if is_ready && out.revents & libc::POLLOUT != 0 {
        // SAFETY: the text outlives the call. A partial write is acceptable.
        unsafe { libc::write(libc::STDOUT_FILENO, text.as_ptr().cast(), text.len()) };
    }
}

extern "C" fn restore_at_exit() {
    restore();
}

fn mode() -> io::Result<libc::termios> {
    // SAFETY: its fields are numbers, for which zero is valid.
    let mut mode: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local value that outlives the call.
    match unsafe { libc::tcgetattr(libc::STDIN_FILENO, &raw mut mode) } {
        0 => Ok(mode),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set(mode: &libc::termios) -> io::Result<()> {
    // SAFETY: no other code uses this signal. It would stop a process that sets the mode while
    // another job has the terminal.
    let before = unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
    // SAFETY: the descriptor is open, and the mode outlives the call.
    let outcome = unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, mode) };
    let error = io::Error::last_os_error();
    // SAFETY: restores the previous handler.
    unsafe { libc::signal(libc::SIGTTOU, before) };
    if outcome == 0 { Ok(()) } else { Err(error) }
}

fn pid() -> libc::pid_t {
    // SAFETY: only reads kernel state.
    unsafe { libc::getpid() }
}
