//! The memory that a process has in use.

/// Its resident memory in bytes; `None` if it has ended, or the system does not report it.
#[cfg(target_os = "linux")]
pub(super) fn of(pid: u32) -> Option<u64> {
    let pages = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = pages.split_whitespace().nth(1)?.parse().ok()?;
    // SAFETY: has no precondition.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * u64::try_from(page).ok()?)
}

/// Its resident memory in bytes; `None` if it has ended, or the system does not report it.
#[cfg(target_vendor = "apple")]
pub(super) fn of(pid: u32) -> Option<u64> {
    let size = libc::c_int::try_from(size_of::<libc::proc_taskinfo>()).ok()?;
    let pid = libc::c_int::try_from(pid).ok()?;
    // SAFETY: all zeroes is valid.
    let mut info = unsafe { std::mem::zeroed::<libc::proc_taskinfo>() };
    let to = (&raw mut info).cast();
    // SAFETY: the pointer is to so many bytes of our own, which the kernel fills.
    let filled = unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDTASKINFO, 0, to, size) };
    (filled == size).then_some(info.pti_resident_size)
}

/// Its resident memory in bytes; `None` if it has ended, or the system does not report it.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub(super) fn of(_: u32) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_uses_memory() {
        assert!(super::of(std::process::id()).is_some_and(|bytes| bytes > 100_000));
    }
}
