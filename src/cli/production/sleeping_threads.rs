//! Whether a process waits for something, and needs no core.

/// Whether each thread of a process sleeps now. False if the system does not report it.
#[cfg(target_os = "linux")]
pub(super) fn all_sleep(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let sleeps = |thread: std::io::Result<std::fs::DirEntry>| {
        let stat = thread.and_then(|thread| std::fs::read_to_string(thread.path().join("stat")));
        let Ok(stat) = stat else { return true }; // it has ended
        // The name in parentheses may contain anything.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
    };
    let mut states = threads.map(sleeps).peekable();
    states.peek().is_some() && states.all(|sleeps| sleeps)
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
}
