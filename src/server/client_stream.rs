//! The stream of one connection, as hyper reads and writes it: notices what hyper does not.
//!
//! - A client that does not read its response: a write that waits for longer than the send timeout
//!   fails, which ends the response and frees what produces it.
//! - A client that shuts its sending side after its request, and still reads. TCP does not
//!   distinguish it from a closed one until bytes are sent, which a closed one rejects with a reset. So
//!   its request continues. After each half-close timeout without a byte, an interim response tests
//!   whether it reads; if none may be sent (HTTP/1.0, or within a response), it counts as gone.
//! - A head that hyper rejects without a reason: the response gets one.
//! - A connection that another process is to continue: for hyper it has ended.
//! - A client that still sends after the last response: its bytes are read for a while, because the
//!   reset of a closed socket would overtake the response.
//!
//! Knows only the phase of a request, and nothing of its content.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::client_socket::ClientSocket;
use super::header_timeout::{HeaderTimeout, Phase};
use super::invalid_request;
use super::limits::{ConnectionLimits, or_forever};
use super::preface::Preface;
use super::turns::{Boundary, LastBody, Mobility};

/// An interim response that any client of HTTP/1.1 skips (RFC 9110, 15.2).
const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// How long input after the last response is read, and how much of it.
const LINGER: Duration = Duration::from_secs(2);
const MAX_LINGER: usize = 16 * 1024 * 1024;

pub(super) struct ClientStream<T> {
    socket: T,
    /// The bytes that were read before.
    preface: Preface,
    timer: HeaderTimeout,
    max_header_size: usize,
    send_timeout: Duration,
    half_close_timeout: Duration,
    /// Set while a write waits for the client.
    blocked: Option<BlockedWrite>,
    /// Set once the client has shut its sending side during a request.
    half_closed: Option<HalfClosed>,
    /// The rest of a response that takes the place of hyper's.
    rejection: Vec<u8>,
    /// Set once the last response has been sent, if the client still sends.
    lingering: Option<Lingering>,
    mobility: Mobility,
    boundary: Boundary,
    /// Whether hyper has bytes that it could not write yet.
    has_unwritten: bool,
    /// Whether another process continues the connection.
    has_moved: bool,
}

struct BlockedWrite {
    /// The end of the send timeout.
    deadline: Pin<Box<Sleep>>,
    /// The bytes that the client had not acknowledged when the timeout began.
    unacknowledged: usize,
}

struct HalfClosed {
    deadline: Pin<Box<Sleep>>,
    /// Whether an interim response has been sent; a client that has closed resets the connection.
    is_tested: bool,
}

struct Lingering {
    deadline: Pin<Box<Sleep>>,
    bytes: usize,
}

impl<T: ClientSocket> ClientStream<T> {
    pub(super) fn new(
        socket: T,
        preface: Preface,
        timer: HeaderTimeout,
        limits: &ConnectionLimits,
        mobility: Mobility,
    ) -> Self {
        Self {
            socket,
            preface,
            timer,
            max_header_size: limits.max_header_size,
            send_timeout: or_forever(limits.send_timeout),
            half_close_timeout: or_forever(limits.half_close_timeout),
            blocked: None,
            half_closed: None,
            rejection: Vec::new(),
            lingering: None,
            mobility,
            boundary: Boundary::new(),
            has_unwritten: false,
            has_moved: false,
        }
    }

    /// Passes the connection on to another process if it should move and nothing of it is left here.
    fn moves(&mut self, context: &mut Context<'_>) -> bool {
        if !self.mobility.should_move() || !self.timer.is_idle() {
            return false;
        }
        let is_clean = self.preface.is_empty() && self.boundary.is_clean(self.timer.body());
        if self.has_unwritten || !is_clean {
            return false;
        }
        let mut byte = [0];
        match self.socket.poll_peek(context, &mut ReadBuf::new(&mut byte)) {
            Poll::Ready(Ok(1..)) => {}
            // Only a process that stops passes an idle connection on.
            Poll::Pending if self.mobility.is_leaving() => {}
            _ => return false,
        }
        self.has_moved = self.mobility.pass_on(&self.socket, false);
        self.has_moved
    }

    /// Whether the connection moves once hyper waits for the next request: it tries to read that as soon
    /// as it has the whole response, which the client may have received already.
    fn is_about_to_move(&self) -> bool {
        self.mobility.is_possible()
            && self.mobility.is_leaving()
            && self.is_handling()
            && self.boundary.is_whole(self.timer.body())
    }

    /// Whether a request is being handled, or its response sent.
    fn is_handling(&self) -> bool {
        matches!(self.timer.phase(), Phase::Request | Phase::OldRequest | Phase::Response)
    }

    /// Writes through `write`, unless the client has read nothing for the send timeout.
    fn write(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match write(Pin::new(&mut self.socket), context) {
            Poll::Ready(result) => {
                self.blocked = None;
                if let Some(half_closed) = &mut self.half_closed {
                    half_closed.restart(self.half_close_timeout);
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_blocked(context).map(Err),
        }
    }

    /// Waits until a client has read nothing for the send timeout.
    fn poll_blocked(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let timeout = self.send_timeout;
        let blocked = self.blocked.get_or_insert_with(|| BlockedWrite {
            deadline: Box::pin(sleep(timeout)),
            unacknowledged: self.socket.unacknowledged(),
        });
        loop {
            ready!(blocked.deadline.as_mut().poll(context));
            // The kernel buffers megabytes, so a slow client may read for long before there is room.
            let unacknowledged = self.socket.unacknowledged();
            if unacknowledged >= blocked.unacknowledged {
                break;
            }
            blocked.unacknowledged = unacknowledged;
            blocked.deadline.as_mut().reset(Instant::now() + timeout);
        }
        // Otherwise the kernel stores for minutes the bytes that the client does not read.
        self.socket.reset_on_drop();
        let text = format!("the client has read nothing for {timeout:?}");
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, text))
    }

    /// Prepares a write of hyper; `None` if another response takes its place.
    fn begin_write(&mut self, bytes: &[u8]) -> Option<()> {
        self.has_unwritten = true;
        if self.timer.phase() == Phase::Head {
            // No request is being handled: this is hyper's own response.
            if let Some((status, explained)) = invalid_request::explain(bytes, self.max_header_size)
            {
                self.rejection = explained;
                self.timer.refuse(status);
                return None;
            }
        } else if self.is_handling() {
            self.timer.enter(Phase::Response);
        }
        Some(())
    }

    fn flush_rejection(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rejection.is_empty() {
            let rest = std::mem::take(&mut self.rejection);
            let written = self.write(context, |socket, context| socket.poll_write(context, &rest));
            self.rejection = rest;
            let count = ready!(written)?;
            self.rejection.drain(..count);
        }
        Poll::Ready(Ok(()))
    }

    /// Notices a client that leaves during its request. hyper calls it each time that it has nothing
    /// to write, and reads nothing itself until the response has been sent.
    fn watch_client(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if !self.is_handling() {
            return Ok(());
        }
        if self.half_closed.is_none() {
            let mut byte = [0];
            // A client that sends its next request already may leave unnoticed.
            match self.socket.poll_peek(context, &mut ReadBuf::new(&mut byte)) {
                Poll::Ready(Ok(0)) => {
                    let deadline = Box::pin(sleep(self.half_close_timeout));
                    self.half_closed = Some(HalfClosed { deadline, is_tested: false });
                }
                Poll::Ready(Err(error)) => return Err(error),
                _ => return Ok(()),
            }
        }
        while let Some(half_closed) = &mut self.half_closed {
            if half_closed.deadline.as_mut().poll(context).is_pending() {
                return Ok(());
            }
            if self.timer.phase() != Phase::Request {
                return Err(gone());
            }
            match Pin::new(&mut self.socket).poll_write(context, INTERIM) {
                Poll::Ready(Ok(count)) if count == INTERIM.len() => {}
                Poll::Ready(Err(error)) => return Err(error),
                _ => return Err(gone()),
            }
            // The reset of a closed client is back by the next one.
            let until_next = match half_closed.is_tested {
                true => self.half_close_timeout,
                false => self.half_close_timeout / 5,
            };
            half_closed.restart(until_next);
            half_closed.is_tested = true;
        }
        Ok(())
    }

    /// Reads what the client still sends, for a while.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let lingering = self
            .lingering
            .get_or_insert_with(|| Lingering { deadline: Box::pin(sleep(LINGER)), bytes: 0 });
        let mut unread = [0; 4096];
        while lingering.bytes < MAX_LINGER {
            let mut buffer = ReadBuf::new(&mut unread);
            match Pin::new(&mut self.socket).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    lingering.bytes += buffer.filled().len();
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return lingering.deadline.as_mut().poll(context),
            }
        }
        Poll::Ready(())
    }
}

impl HalfClosed {
    fn restart(&mut self, timeout: Duration) {
        self.deadline.as_mut().reset(Instant::now() + timeout);
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the client has left")
}

impl<T: ClientSocket> AsyncRead for ClientStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_moved || self.moves(context) {
            return Poll::Ready(Ok(())); // for hyper the connection has ended
        }
        if self.is_about_to_move() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        self.preface.move_to(buffer);
        let mut polled = Poll::Ready(Ok(()));
        if buffer.remaining() > 0 {
            // The rest of a head has often arrived with its start.
            polled = Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            if self.mobility.is_possible() {
                let first = self.timer.is_idle().then(|| LastBody(self.timer.body()));
                self.boundary.record(read, first);
            }
            self.timer.record_activity();
            if polled.is_pending() {
                return Poll::Ready(Ok(()));
            }
        }
        polled
    }
}

impl<T: ClientSocket> AsyncWrite for ClientStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.begin_write(bytes) {
            Some(()) => self.write(context, |socket, context| socket.poll_write(context, bytes)),
            None => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.first().map_or(&[][..], |slice| slice);
        match self.begin_write(first) {
            Some(()) => {
                self.write(context, |socket, context| socket.poll_write_vectored(context, slices))
            }
            None => Poll::Ready(Ok(first.len())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.flush_rejection(context))?;
        ready!(Pin::new(&mut self.socket).poll_flush(context))?;
        self.has_unwritten = false;
        Poll::Ready(self.watch_client(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has_moved {
            return Poll::Ready(Ok(()));
        }
        ready!(self.flush_rejection(context))?;
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.socket).poll_shutdown(context))?;
            let mut byte = [0];
            let unread = self.socket.poll_peek(context, &mut ReadBuf::new(&mut byte));
            let has_more = matches!(unread, Poll::Ready(Ok(1)));
            if !has_more && self.timer.phase() != Phase::Rejected {
                return Poll::Ready(Ok(()));
            }
        }
        self.linger(context).map(Ok)
    }
}
