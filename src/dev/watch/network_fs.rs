//! Recognises file systems that do not report changes made by another machine. Never writes.

use std::path::Path;

/// Returns the name of the file system of `path`, if it does not report changes.
#[cfg(target_os = "linux")]
pub(super) fn lacks_events(path: &Path) -> Option<&'static str> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut about = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the path ends with a zero and the buffer is one `statfs` large.
    let result = unsafe { libc::statfs(path.as_ptr(), about.as_mut_ptr()) };
    if result != 0 {
        return None;
    }
    // SAFETY: all zeros is a valid `statfs`, and the call has filled it.
    name(unsafe { about.assume_init() }.f_type)
}

/// Returns `None`: elsewhere the system's events do not depend on the file system.
#[cfg(not(target_os = "linux"))]
pub(super) fn lacks_events(_: &Path) -> Option<&'static str> {
    None
}

/// Reads the magic numbers of `statfs(2)`. WSL's drives are 9p; virtiofs reports FUSE.
#[cfg(target_os = "linux")]
fn name(kind: libc::__fsword_t) -> Option<&'static str> {
    // The type is signed on some machines, and some of the numbers have the highest bit set.
    match kind as u32 {
        0x6969 => Some("NFS"),
        0x0102_1997 => Some("9p"),
        0x6573_5546 => Some("FUSE"),
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => Some("SMB"),
        0x786F_4256 => Some("vboxsf"),
        0x5346_4846 => Some("drvfs"),
        0x00C3_6400 => Some("Ceph"),
        0x5346_414F => Some("AFS"),
        _ => None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn network_mounts_lack_events_and_disks_do_not() {
        assert_eq!(super::name(0x6969), Some("NFS"));
        assert_eq!(super::name(0xFF53_4D42_u32 as libc::__fsword_t), Some("SMB"));
        assert_eq!(super::name(0xEF53), None, "ext4");
        assert_eq!(super::lacks_events(std::path::Path::new("/proc")), None);
    }
}
