//! A process that ends with its parent.
//!
//! On Linux by the kernel, at any time. Elsewhere the end of a connection to the parent does it, once the
//! process reads that.

/// Lets the system end this process with its parent, whose id is `parent`. May be called between fork and
/// exec; the thread that has started the process must live as long as the parent.
pub(crate) fn end_with_parent(parent: u32) {
    // SAFETY: the calls only change or read the state of this process, or end it without an exit function.
    unsafe {
        #[cfg(target_os = "linux")]
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid().cast_unsigned() != parent {
            libc::_exit(1); // it has ended already
        }
    }
}
