//! Whether a process waits for something, and needs no core.

#[cfg(target_os = "linux")]
use std::fs;
#[cfg(target_os = "linux")]
use std::path::Path;

/// Whether each thread of a process sleeps now, and of the processes that it has started: workers of a handler
/// load its model. False if the system does not report it.
#[cfg(target_os = "linux")]
pub(super) fn all_sleep(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let mut threads = threads.filter_map(|thread| Some(thread.ok()?.path())).peekable();
    threads.peek().is_some() && threads.all(|thread| sleeps(&thread) && its_children_sleep(&thread))
}

/// Whether a thread sleeps, or has ended.
#[cfg(target_os = "linux")]
fn sleeps(thread: &Path) -> bool {
    let Ok(stat) = fs::read_to_string(thread.join("stat")) else { return true };
    // The name in parentheses may contain anything.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['S', 'Z']))
}

#[cfg(target_os = "linux")]
fn its_children_sleep(thread: &Path) -> bool {
    let Ok(children) = fs::read_to_string(thread.join("children")) else { return true };
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).all(all_sleep)
}

/// Whether each thread of a process sleeps now. False if the system does not report it.
#[cfg(not(target_os = "linux"))]
pub(super) fn all_sleep(_: u32) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::all_sleep;

    #[test]
    fn the_process_that_asks_does_not_sleep_nor_does_one_that_is_gone() {
        assert!(!all_sleep(std::process::id()));
        assert!(!all_sleep(u32::MAX));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_waits_for_one_that_works_does_not_sleep() {
        use std::io::Read;
        use std::path::Path;
        use std::process::{Command, Stdio};

        let script = "p=$$; while kill -0 $p 2>&-; do :; done & echo; wait";
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", script]).stdout(Stdio::piped());
        let mut shell = shell.spawn().expect("a shell");
        let mut output = shell.stdout.take().expect("a pipe");
        output.read_exact(&mut [0]).expect("a line, after the start of the child");
        let thread = format!("/proc/{0}/task/{0}", shell.id());
        while !super::sleeps(Path::new(&thread)) {
            std::thread::yield_now();
        }
        assert!(!all_sleep(shell.id()));
        shell.kill().expect("it runs");
        shell.wait().expect("it ends, and its child with it");
    }
}
