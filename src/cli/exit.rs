//! Ends the process, also if a library delays the end.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use super::log;

/// The most time that the exit handlers of libraries have.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Runs before the process ends on purpose.
pub(crate) static BEFORE_EXIT: OnceLock<fn()> = OnceLock::new();

/// Ends this process at once.
pub(crate) fn exit(code: i32) -> ! {
    if let Some(run) = BEFORE_EXIT.get() {
        run();
    }
    limit(code);
    log::finish();
    std::process::exit(code)
}

/// Ends this process if it has not ended soon: an exit handler may wait for a thread of the user.
pub(crate) fn limit(code: i32) {
    let end = move || {
        thread::sleep(TIMEOUT);
        // SAFETY: has no precondition; runs no exit handler.
        unsafe { libc::_exit(code) };
    };
    let _ = thread::Builder::new().name("exit-limit".into()).spawn(end);
}
