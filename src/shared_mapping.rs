//! A file without a name that several processes share, such as by a value that they map.
//!
//! Never removes a mapping: it lasts as long as the process.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Creates the file. On Linux it is in memory: the file system of a container may be read-only.
///
/// # Errors
///
/// There are too many open files; elsewhere, also if no directory for temporary files is writable.
pub fn create() -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{MemfdFlags, memfd_create};
        Ok(memfd_create("snaxum", MemfdFlags::CLOEXEC)?.into())
    }
    #[cfg(not(target_os = "linux"))]
    tempfile::tempfile()
}

/// Maps the first `count` values of `file`.
///
/// # Errors
///
/// The system rejects it.
///
/// # Safety
///
/// Each part of `T` is atomic and any bytes are valid for it; its alignment is at most that of a page;
/// the file has room for the values, and nothing makes it shorter.
pub(crate) unsafe fn map<T: Sync>(file: &File, count: usize) -> io::Result<&'static [T]> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let null = std::ptr::null_mut();
    let (size, fd) = (size_of::<T>() * count, file.as_raw_fd());
    // SAFETY: a new mapping of a file that is large enough; the kernel chooses the address.
    let address = unsafe { libc::mmap(null, size, access, libc::MAP_SHARED, fd, 0) };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping begins at a page, has the size of the values, and is never removed. Other
    // processes change only atomic values.
    Ok(unsafe { std::slice::from_raw_parts(address.cast::<T>(), count) })
}
