//! Reads single keys in raw mode, on a thread of its own.
//!
//! Never acts on a key.

use std::io;
use std::thread;
use std::time::Duration;

use super::raw_mode;

/// The time between two checks of a background process for the foreground.
const FOREGROUND_POLL: Duration = Duration::from_millis(250);
/// The first byte of special keys.
const ESCAPE: u8 = 0x1b;

/// Enters raw mode and starts to read: calls `press` for each key, and `on_continue` once this process has the
/// terminal again.
pub(crate) fn start(
    press: impl Fn(u8) + Send + 'static,
    on_continue: impl Fn() + Send + 'static,
) -> io::Result<()> {
    raw_mode::enter()?;
    thread::Builder::new().name("keys".into()).spawn(move || read(press, on_continue)).map(drop)
}

/// Stops this process, as Ctrl-Z does; returns once it continues, in raw mode if it has the terminal.
pub(crate) fn stop_process() {
    raw_mode::stop();
    enter_again();
}

/// Enters raw mode again, if this process has the terminal; returns whether it did.
pub(crate) fn enter_again() -> bool {
    if !raw_mode::is_in_foreground() {
        return false;
    }
    match raw_mode::enter() {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!("cannot read keys: {error}");
            false
        }
    }
}

fn read(press: impl Fn(u8), on_continue: impl Fn()) {
    let mut keys = [0; 64];
    loop {
        raw_mode::wait_for_input();
        if !raw_mode::is_in_foreground() {
            // The shell reads the input, and no signal announces the end of that.
            while !raw_mode::is_in_foreground() {
                thread::sleep(FOREGROUND_POLL);
            }
            on_continue();
            continue;
        }
        match raw_mode::read(&mut keys) {
            Ok(count @ 1..) => letters(&keys[..count]).into_iter().for_each(&press),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return, // the terminal is closed
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
