//! The requests of the parent to fork a process, and the responses: both sides.
//!
//! A request is a line of JSON with the descriptors of the new process; the response is its id. Forks
//! nothing itself.

use std::io::{self, BufRead, BufReader, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::protocol::{ProcessParameters, to_line};

/// The most descriptors of a process.
const MAX_DESCRIPTORS: usize = 16;
/// The most bytes of a request.
const MAX_REQUEST: usize = 4096;
/// How long a fork may take, with all the memory of a large model.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One end of the connection.
#[derive(Debug)]
pub(super) struct ForkSocket(UnixStream);

impl ForkSocket {
    /// Makes both ends; the first is that of the parent.
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let (own, other) = UnixStream::pair()?;
        own.set_read_timeout(Some(TIMEOUT))?;
        Ok((Self(own), Self(other)))
    }

    /// Takes the end that this process has inherited.
    pub(super) fn from_descriptor(descriptor: OwnedFd) -> Self {
        Self(descriptor.into())
    }

    /// Asks for a process with these parameters; returns its id.
    pub(super) fn request(&self, parameters: &ProcessParameters) -> io::Result<u32> {
        // SAFETY: the owners of the descriptors of the parameters outlive this call.
        let borrow = |descriptor| unsafe { BorrowedFd::borrow_raw(descriptor) };
        let descriptors = parameters.descriptors();
        let descriptors: Vec<BorrowedFd<'_>> = descriptors.into_iter().map(borrow).collect();
        let line = to_line(parameters);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        sendmsg(&self.0, &[IoSlice::new(&line)], &mut control, SendFlags::empty())?;
        let mut response = String::new();
        BufReader::new(&self.0).read_line(&mut response)?;
        let response = response.trim();
        response.parse().map_err(|_| io::Error::other(format!("the fork has failed: {response}")))
    }

    /// Waits for the next request; `None` if the parent has ended.
    pub(super) fn receive(&self) -> io::Result<Option<ProcessParameters>> {
        let (mut line, mut descriptors) = (Vec::new(), Vec::<OwnedFd>::new());
        while !line.ends_with(b"\n") {
            let mut bytes = [0; MAX_REQUEST];
            let mut space =
                [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut slices = [IoSliceMut::new(&mut bytes)];
            #[cfg(target_os = "linux")]
            let flags = RecvFlags::CMSG_CLOEXEC;
            #[cfg(not(target_os = "linux"))] // which forks nothing
            let flags = RecvFlags::empty();
            let received = recvmsg(&self.0, &mut slices, &mut control, flags)?;
            if received.bytes == 0 {
                return Ok(None);
            }
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(received) = message {
                    descriptors.extend(received);
                }
            }
            line.extend_from_slice(&bytes[..received.bytes]);
        }
        let mut parameters: ProcessParameters = serde_json::from_slice(&line)?;
        if descriptors.len() != parameters.descriptors().len() {
            return Err(io::Error::other("the parent has sent too few descriptors"));
        }
        let mut received = descriptors.into_iter().map(IntoRawFd::into_raw_fd);
        parameters.map_descriptors(|_| received.next().unwrap_or(-1));
        Ok(Some(parameters))
    }

    /// Responds to a request.
    pub(super) fn respond(&self, forked: io::Result<u32>) -> io::Result<()> {
        let text = forked.map_or_else(|error| error.to_string(), |pid| pid.to_string());
        (&self.0).write_all(format!("{text}\n").as_bytes())
    }
}

impl AsRawFd for ForkSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::FromRawFd;

    use super::*;

    #[test]
    fn a_request_brings_copies_of_the_descriptors() {
        let (parent, preloader) = ForkSocket::pair().expect("a pair of sockets");
        let mut parameters = ProcessParameters {
            protocol: 1,
            parent: 2,
            place: 3,
            number: 1,
            count: 1,
            generation: 1,
            is_checked: false,
            is_quiet: false,
            listener: 0,
            control: 0,
            crash_record: 0,
            table: 0,
            passage: [0; 2],
            bell: None,
            metrics: Some(0),
        };
        let files: Vec<_> = (0..7).map(|_| std::fs::File::open("/dev/null")).collect();
        let mut numbers = files.iter().map(|file| file.as_ref().expect("it exists").as_raw_fd());
        parameters.map_descriptors(|_| numbers.next().expect("seven"));
        let sent = parameters.clone();
        let receiving = std::thread::spawn(move || {
            let received = preloader.receive().expect("a request").expect("the parent is there");
            preloader.respond(Ok(77)).expect("the parent is there");
            received
        });
        assert_eq!(parent.request(&sent).expect("a response"), 77);
        let received = receiving.join().expect("no panic");
        assert_eq!((received.place, received.bell), (3, None));
        let both = sent.descriptors().into_iter().zip(received.descriptors());
        for (before, after) in both {
            assert_ne!(before, after);
            // SAFETY: it was opened for the received parameters.
            drop(unsafe { OwnedFd::from_raw_fd(after) });
        }
    }
}
