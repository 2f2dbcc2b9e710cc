//! The file of a Unix socket: made at the start, and removed when its server ends.
//!
//! A file that a server has left, such as after a crash, is replaced; a live one is not, nor is
//! anything that is not a socket of this user.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, listen, socket};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

/// The longest path of a socket; the shortest limit of the systems.
const MAX_PATH: usize = 103;

/// The file of a Unix socket, until it is dropped by the process that has made it.
#[derive(Debug, Serialize, Deserialize)]
pub struct SocketFile {
    path: PathBuf,
    identity: FileIdentity,
    process: u32,
}

/// Device, number and time of a file: a number is used again.
type FileIdentity = (u64, u64, i64, i64);

/// Makes the socket, and its file; the error is the problem, for a sentence about the path.
pub(super) fn bind(path: &Path, backlog: i32) -> Result<(UnixListener, SocketFile), String> {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    let length = path.as_os_str().len();
    if length > MAX_PATH {
        return Err(format!(
            "its path has {length} bytes, and a socket's has at most {MAX_PATH}; choose a shorter one"
        ));
    }
    remove_left(&path)?;
    let open = || {
        let listener = UnixListener::bind(&path)?;
        listen(&listener, backlog)?;
        let identity = identity_of(&path)?;
        Ok((listener, SocketFile { path: path.clone(), identity, process: std::process::id() }))
    };
    open().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "its directory does not exist; create it".to_owned(),
        io::ErrorKind::AddrInUse => "another server has just taken it".to_owned(),
        _ => format!("{error}; choose another path"),
    })
}

/// Removes the file of a server that has ended.
fn remove_left(path: &Path) -> Result<(), String> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{error}; choose another path")),
    };
    if !found.file_type().is_socket() {
        return Err("it exists and is not a socket; choose another path".to_owned());
    }
    if found.uid() != geteuid().as_raw() {
        return Err(format!(
            "it is a socket of the user {}; remove it or choose another path",
            found.uid()
        ));
    }
    match try_connect(path) {
        Err(Errno::CONNREFUSED) => {
            fs::remove_file(path).map_err(|error| format!("{error}; remove it"))
        }
        Err(Errno::NOENT) => Ok(()),
        // AGAIN: its queue is full.
        Ok(()) | Err(Errno::AGAIN) => {
            Err("a server listens there; stop it or choose another path".to_owned())
        }
        Err(error) => Err(format!("it is in use ({error}); choose another path")),
    }
}

fn try_connect(path: &Path) -> rustix::io::Result<()> {
    let client = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    // With a full queue it would block.
    ioctl_fionbio(&client, true)?;
    connect(&client, &SocketAddrUnix::new(path)?)
}

fn identity_of(path: &Path) -> io::Result<FileIdentity> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino(), found.mtime(), found.mtime_nsec()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A forked process has a copy of this value, and another server may have replaced the file.
        let is_ours = identity_of(&self.path).is_ok_and(|found| found == self.identity);
        if is_ours && self.process == std::process::id() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_a_server_has_left_is_replaced_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("app.sock");
        let problem = |path: &Path| bind(path, 1).expect_err("it is not free");

        let (listener, file) = bind(&path, 1).expect("it is free");
        assert!(problem(&path).starts_with("a server listens there"));
        drop(listener);
        std::mem::forget(file); // as after a crash
        assert!(path.exists());
        let (_listener, newer) = bind(&path, 1).expect("its server has ended");
        drop(newer);
        assert!(!path.exists());

        fs::write(&path, "notes").expect("a file");
        assert!(problem(&path).starts_with("it exists and is not a socket"));
        assert_eq!(fs::read(&path).expect("it is left"), b"notes");
        assert!(problem(&dir.path().join("no/app.sock")).starts_with("its directory"));
        assert!(problem(&dir.path().join("x".repeat(200))).starts_with("its path has"));
    }
}
