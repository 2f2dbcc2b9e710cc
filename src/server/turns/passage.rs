//! The passage: a queue of connections on their way from one process of a server to another.
//!
//! A pair of sockets that all of them inherit. A connection stays in it until a process takes it, also if
//! its sender has ended, and with it the unread bytes.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Both ends.
#[derive(Debug)]
pub struct Passage {
    entrance: OwnedFd,
    exit: OwnedFd,
}

impl Passage {
    /// Makes a passage.
    ///
    /// # Errors
    ///
    /// There are too many open files.
    pub fn new() -> io::Result<Self> {
        let (entrance, exit) = UnixStream::pair()?;
        entrance.set_nonblocking(true)?;
        exit.set_nonblocking(true)?;
        Ok(Self { entrance: entrance.into(), exit: exit.into() })
    }

    /// Opens the ends of another process's passage.
    pub fn from_ends(entrance: OwnedFd, exit: OwnedFd) -> Self {
        Self { entrance, exit }
    }

    /// Its ends, for a process that inherits them.
    pub fn ends(&self) -> [BorrowedFd<'_>; 2] {
        [self.entrance.as_fd(), self.exit.as_fd()]
    }

    pub(super) fn exit(&self) -> BorrowedFd<'_> {
        self.exit.as_fd()
    }

    /// Puts a copy of a connection in, which has begun with a request or is new; false if it is full.
    pub(super) fn send(&self, connection: BorrowedFd<'_>, is_new: bool) -> bool {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let connections = [connection];
        // One byte for each connection: they are received one by one.
        control.push(SendAncillaryMessage::ScmRights(&connections))
            && sendmsg(
                &self.entrance,
                &[IoSlice::new(&[u8::from(is_new)])],
                &mut control,
                SendFlags::empty(),
            )
            .is_ok()
    }

    /// The number of connections in it.
    pub(super) fn waiting(&self) -> usize {
        #[cfg(target_os = "macos")]
        {
            bytes_without_descriptors(self.exit())
        }
        #[cfg(not(target_os = "macos"))]
        {
            let bytes = rustix::io::ioctl_fionread(&self.exit).unwrap_or_default();
            usize::try_from(bytes).unwrap_or_default()
        }
    }

    /// Takes the oldest connection, and whether it is new; `None` if there is none, or another process was
    /// faster.
    pub(super) fn receive(&self) -> Option<(OwnedFd, bool)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        #[cfg(target_os = "linux")]
        let flags = RecvFlags::CMSG_CLOEXEC;
        #[cfg(not(target_os = "linux"))]
        let flags = RecvFlags::empty();
        recvmsg(&self.exit, &mut [IoSliceMut::new(&mut byte)], &mut control, flags).ok()?;
        let connection = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut connections) => connections.next(),
            _ => None,
        })?;
        #[cfg(not(target_os = "linux"))]
        let _ = rustix::io::fcntl_setfd(&connection, rustix::io::FdFlags::CLOEXEC);
        Some((connection, byte != [0]))
    }
}

/// The bytes that wait in a socket. Here, `FIONREAD` also counts the messages with descriptors.
#[cfg(target_os = "macos")]
fn bytes_without_descriptors(socket: BorrowedFd<'_>) -> usize {
    use std::os::fd::AsRawFd;

    let (mut bytes, mut size): (libc::c_int, _) = (0, size_of::<libc::c_int>() as libc::socklen_t);
    let (socket, option) = (socket.as_raw_fd(), libc::SO_NREAD);
    let value = (&raw mut bytes).cast();
    // SAFETY: both pointers are to local values, and the size is that of the first.
    unsafe { libc::getsockopt(socket, libc::SOL_SOCKET, option, value, &raw mut size) };
    usize::try_from(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn connections_come_out_in_order_with_their_unread_bytes() {
        let passage = Passage::new().expect("a pair of sockets");
        assert!(passage.receive().is_none());
        let mut clients = Vec::new();
        for (text, is_new) in [(b"1", false), (b"2", true)] {
            let (mut client, server) = UnixStream::pair().expect("a pair of sockets");
            client.write_all(text).expect("room");
            assert!(passage.send(server.as_fd(), is_new));
            clients.push(client);
        }
        assert_eq!(passage.waiting(), 2);
        for expected in [(b"1", false), (b"2", true)] {
            let (server, is_new) = passage.receive().expect("a connection");
            let mut server = UnixStream::from(server);
            let mut byte = [0];
            server.read_exact(&mut byte).expect("it was written");
            assert_eq!((&byte, is_new), expected);
        }
        assert!(passage.receive().is_none());
    }

    #[test]
    fn a_full_passage_rejects_connections() {
        let passage = Passage::new().expect("a pair of sockets");
        let (_client, server) = UnixStream::pair().expect("a pair of sockets");
        let sent = (0..100_000).take_while(|_| passage.send(server.as_fd(), true)).count();
        assert!((16..100_000).contains(&sent), "{sent}");
        assert!(passage.receive().is_some() && passage.send(server.as_fd(), true));
    }
}
