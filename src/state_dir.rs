//! `.snaxum`, the directory of a project where the server and its tools store files of their own.
//!
//! Opens each part relative to the directory above it and follows no symbolic link: the link of a
//! hostile clone would lead to files outside the project.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

const NAME: &str = ".snaxum";

/// A directory that is open, or one below it.
#[derive(Debug)]
pub struct StateDir {
    directory: OwnedFd,
    path: PathBuf,
}

impl StateDir {
    /// Opens `.snaxum`; creates it with mode 0700 if it is missing. It ignores itself in git.
    ///
    /// # Errors
    ///
    /// It is a symbolic link, or it cannot be created.
    pub fn create(project: &Path) -> io::Result<Self> {
        let directory = rustix::fs::open(project, directory_flags(), Mode::empty())?;
        let state = Self { directory, path: project.to_owned() }.subdirectory(NAME)?;
        state.write_if_different(".gitignore", b"*\n")?;
        Ok(state)
    }

    /// Reads a file of the `.snaxum` in `project`.
    ///
    /// # Errors
    ///
    /// There is none, or a part of its path is a symbolic link.
    pub fn read_in(project: &Path, name: &str) -> io::Result<Vec<u8>> {
        Self::open_in(project)?.read(name)
    }

    fn open_in(project: &Path) -> io::Result<Self> {
        let path = project.join(NAME);
        let flags = directory_flags() | OFlags::NOFOLLOW;
        let directory = rustix::fs::openat(CWD, &path, flags, Mode::empty())?;
        Ok(Self { directory, path })
    }

    /// The path of a file in it, for messages.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens the directory `name` in it; creates it with mode 0700 if it is missing.
    ///
    /// # Errors
    ///
    /// It is a symbolic link, or it cannot be created.
    pub fn subdirectory(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.directory, name, Mode::RWXU) {
            // Another process of the same project may make it at the same moment.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(self.error(name, error)),
        }
        let flags = directory_flags() | OFlags::NOFOLLOW;
        let directory = rustix::fs::openat(&self.directory, name, flags, Mode::empty())
            .map_err(|error| self.error(name, error))?;
        Ok(Self { directory, path: self.path.join(name) })
    }

    /// Writes a file, unless it has this content already. `name` may contain directories.
    ///
    /// # Errors
    ///
    /// A part of its path is a symbolic link, or it cannot be written.
    pub fn write_if_different(&self, name: &str, content: &[u8]) -> io::Result<()> {
        if let Some((directory, rest)) = name.split_once('/') {
            return self.subdirectory(directory)?.write_if_different(rest, content);
        }
        if self.read(name).is_ok_and(|found| found == content) {
            return Ok(());
        }
        self.open(name, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?.write_all(content)
    }

    /// Creates a file that only this user can read, and that did not exist.
    ///
    /// # Errors
    ///
    /// Something has this name already, or it cannot be created.
    pub fn create_new(&self, name: &str) -> io::Result<File> {
        self.open(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)
    }

    /// Opens a file to lock it; creates a missing one.
    ///
    /// # Errors
    ///
    /// It is a symbolic link, or it cannot be opened.
    pub fn open_lock(&self, name: &str) -> io::Result<File> {
        self.open(name, OFlags::RDWR | OFlags::CREATE)
    }

    /// Makes a socket to listen on that only this user can connect to; replaces one that a server
    /// which has ended has left.
    ///
    /// # Errors
    ///
    /// The system refuses, such as for a path that is too long.
    pub fn bind_socket(&self, name: &str) -> io::Result<UnixListener> {
        let _ = self.remove(name);
        let listener = UnixListener::bind(self.path_of_socket(name))?;
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::chmodat(&self.directory, name, mode, AtFlags::empty())?;
        Ok(listener)
    }

    /// Connects to a socket in the `.snaxum` of `project`.
    ///
    /// # Errors
    ///
    /// There is none, or no process listens on it.
    pub fn connect_in(project: &Path, name: &str) -> io::Result<UnixStream> {
        let state = Self::open_in(project)?;
        if state.is_link(name) {
            return Err(state.error(name, Errno::LOOP));
        }
        UnixStream::connect(state.path_of_socket(name))
    }

    /// A path of a socket: the path of a project may have more bytes than that of a socket can.
    fn path_of_socket(&self, name: &str) -> PathBuf {
        match cfg!(target_os = "linux") {
            true => format!("/proc/self/fd/{}/{name}", self.directory.as_raw_fd()).into(),
            false => self.path.join(name),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It does not exist, or is a symbolic link.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.open(name, OFlags::RDONLY)?.read_to_end(&mut content)?;
        Ok(content)
    }

    /// Replaces the file `to` by the file `from`.
    ///
    /// # Errors
    ///
    /// `from` does not exist, `to` is a symbolic link, or the file system refuses.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        // Renaming would replace a link without a word.
        if self.is_link(to) {
            return Err(self.error(to, Errno::LOOP));
        }
        rustix::fs::renameat(&self.directory, from, &self.directory, to)
            .map_err(|error| self.error(to, error))
    }

    /// Removes a file, or the link in its place.
    ///
    /// # Errors
    ///
    /// It does not exist, or the file system refuses.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        rustix::fs::unlinkat(&self.directory, name, AtFlags::empty())
            .map_err(|error| self.error(name, error))
    }

    /// Whether something has this name.
    pub fn contains(&self, name: &str) -> bool {
        rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    fn open(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.directory, name, flags, Mode::RUSR | Mode::WUSR);
        opened.map(File::from).map_err(|error| self.error(name, error))
    }

    fn is_link(&self, name: &str) -> bool {
        let status = rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW);
        status.is_ok_and(|status| FileType::from_raw_mode(status.st_mode).is_symlink())
    }

    /// Names a symbolic link, which has a different error on each system.
    fn error(&self, name: &str, error: Errno) -> io::Error {
        if self.is_link(name) {
            let path = self.path_of(name);
            let problem = format!(
                "`{}` is a symbolic link, which could lead outside the project; remove it",
                path.display()
            );
            return io::Error::new(io::ErrorKind::InvalidInput, problem);
        }
        error.into()
    }
}

fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn message(result: io::Result<impl std::fmt::Debug>) -> String {
        result.expect_err("a link").to_string()
    }

    #[test]
    fn the_directory_is_private_and_ignores_itself() {
        let project = tempfile::tempdir().expect("a temporary directory");
        let state = StateDir::create(project.path()).expect("a directory");
        state.write_if_different("python/snaxum/a.py", b"a").expect("a file");
        let path = project.path().join(".snaxum");
        assert_eq!(fs::metadata(&path).expect("it exists").permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read(path.join(".gitignore")).expect("a file"), b"*\n");
        assert_eq!(fs::read(path.join("python/snaxum/a.py")).expect("a file"), b"a");
    }

    #[test]
    fn no_part_of_a_path_may_be_a_link() {
        let outside = tempfile::tempdir().expect("a temporary directory");
        fs::write(outside.path().join("file"), "precious").expect("a file");
        let project = tempfile::tempdir().expect("a temporary directory");
        symlink(outside.path(), project.path().join(".snaxum")).expect("a link");
        assert!(message(StateDir::create(project.path())).contains("/.snaxum` is a symbolic link"));
        assert!(StateDir::read_in(project.path(), "file").is_err());

        fs::remove_file(project.path().join(".snaxum")).expect("removed");
        let state = StateDir::create(project.path()).expect("a directory");
        symlink(outside.path(), project.path().join(".snaxum/python")).expect("a link");
        symlink(outside.path().join("file"), project.path().join(".snaxum/file")).expect("a link");
        let refused = state.write_if_different("python/snaxum/a.py", b"");
        assert!(message(refused).contains("/.snaxum/python` is a symbolic link"));
        for refused in [state.read("file").map(drop), state.write_if_different("file", b"")] {
            assert!(message(refused).contains("/.snaxum/file` is a symbolic link"));
        }
        assert!(state.open_lock("file").is_err() && state.create_new("file").is_err());
        state.write_if_different("other", b"").expect("a file");
        assert!(
            message(state.rename("other", "file")).contains("/.snaxum/file` is a symbolic link")
        );

        let names: Vec<_> = fs::read_dir(outside.path()).expect("it exists").collect();
        assert_eq!(names.len(), 1);
        assert_eq!(fs::read(outside.path().join("file")).expect("a file"), b"precious");
    }
}
