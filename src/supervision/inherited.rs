//! The descriptors that a program under `snaxum dev` has inherited.
//!
//! The environment variable stays: a program may have threads that read the environment already. So it
//! names numbers only, and a process takes them only if the builder has started it.

use std::env;
use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;

use super::protocol::{DEV_PROGRAM, ProgramDescriptors};

/// The opened descriptors.
pub(super) struct InheritedDescriptors {
    /// The process id of the builder.
    pub(super) builder: u32,
    pub(super) control: UnixStream,
    pub(super) serving: ServingParts,
    pub(super) crash_record: Option<File>,
}

/// The descriptors of a server.
#[derive(Debug)]
pub(crate) struct ServingParts {
    /// The listening socket.
    pub(crate) socket: OwnedFd,
    /// The table of loads, and the place in it.
    pub(crate) table: File,
    pub(crate) place: usize,
    /// The ends of the passage.
    pub(crate) passage: [OwnedFd; 2],
    pub(crate) bell: Option<OwnedFd>,
}

impl InheritedDescriptors {
    /// Opens the descriptors; `None` in a process that no builder has started. Call it once.
    pub(super) fn open() -> Option<Self> {
        Self::from_text(&env::var(DEV_PROGRAM).ok()?, parent_id())
    }

    fn from_text(text: &str, parent: u32) -> Option<Self> {
        let descriptors: ProgramDescriptors = serde_json::from_str(text).ok()?;
        // A process that the program has started has the variable, too.
        if descriptors.builder != parent || !descriptors.all().all(is_open) {
            return None;
        }
        let ProgramDescriptors { builder, socket, control, table, place, passage, bell, .. } =
            descriptors;
        Some(Self {
            builder,
            control: take(control).into(),
            serving: ServingParts {
                socket: take(socket),
                table: take(table).into(),
                place,
                passage: passage.map(take),
                bell: bell.map(take),
            },
            crash_record: descriptors.crash_record.map(|file| take(file).into()),
        })
    }
}

fn is_open(descriptor: RawFd) -> bool {
    // SAFETY: reads a flag, or returns an error for a number that is not an open descriptor.
    unsafe { libc::fcntl(descriptor, libc::F_GETFD) >= 0 }
}

/// Takes a descriptor; programs that this process starts do not inherit it.
fn take(descriptor: RawFd) -> OwnedFd {
    // SAFETY: sets a flag, or returns an error.
    unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    // SAFETY: it is open, and the builder has opened it for this process only.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsRawFd, IntoRawFd};

    use super::*;

    #[test]
    fn only_a_child_of_the_builder_takes_descriptors_that_are_open() {
        let (control, _builder) = UnixStream::pair().expect("a pair of sockets");
        let (entrance, exit) = UnixStream::pair().expect("a pair of sockets");
        let (socket, table) = (tempfile::tempfile(), tempfile::tempfile());
        let table = table.expect("a file").into_raw_fd();
        let socket = socket.expect("a file").into_raw_fd();
        let mut descriptors = ProgramDescriptors {
            builder: 7,
            socket,
            control: control.into_raw_fd(),
            table,
            place: 1,
            passage: [entrance.into_raw_fd(), exit.into_raw_fd()],
            bell: None,
            crash_record: Some(i32::MAX),
        };
        let text = |descriptors: &ProgramDescriptors| {
            serde_json::to_string(descriptors).expect("plain data")
        };
        assert!(
            InheritedDescriptors::from_text(&text(&descriptors), 7).is_none(),
            "one is not open"
        );
        descriptors.crash_record = None;
        assert!(
            InheritedDescriptors::from_text(&text(&descriptors), 8).is_none(),
            "it is not the parent"
        );
        assert!(InheritedDescriptors::from_text("{}", 7).is_none());
        let inherited =
            InheritedDescriptors::from_text(&text(&descriptors), 7).expect("all are open");
        assert_eq!((inherited.serving.place, inherited.serving.socket.as_raw_fd()), (1, socket));
        let flags = rustix::io::fcntl_getfd(&inherited.serving.socket).expect("it is open");
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}
