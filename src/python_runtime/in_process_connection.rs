//! The client's end of a connection within this process: a pipe for `snaxum.testing`, or a socket for
//! `snaxum.asgi`.
//!
//! The pipe blocks the calling thread, without the interpreter; a socket belongs to Python. Knows
//! nothing of HTTP.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyTimeoutError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::server::{LocalConnection, OuterConnection};

/// How often a thread that waits checks for Ctrl-C.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);
/// The bytes on their way, in each direction of a pipe.
const BUFFER: usize = 64 * 1024;

/// Serves connections within this process; see [`PythonRuntime::run_tests`](super::PythonRuntime::run_tests).
pub type Connect = Arc<dyn Fn(LocalConnection) + Send + Sync>;

/// An address with a host, as Python writes it.
pub(super) type HostAndPort = (String, u16);

/// Connects by a socket that takes its requests from the connection of a client at another server;
/// returns the descriptor of the client's end.
pub(super) fn open_socket(
    tokio: &Handle,
    connect: &Connect,
    client: Option<HostAndPort>,
    server: Option<HostAndPort>,
    is_https: bool,
) -> io::Result<RawFd> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let address = |(host, port): HostAndPort| Some(SocketAddr::new(host.parse().ok()?, port));
    let (client, server) = (client.and_then(address), server.and_then(address));
    let _guard = tokio.enter();
    let ours = tokio::net::UnixStream::from_std(ours)?;
    connect(LocalConnection::Socket(ours, OuterConnection { client, server, is_https }));
    Ok(theirs.into_raw_fd())
}

/// A connection.
#[pyclass(frozen)]
pub(crate) struct InProcessConnection {
    tokio: Handle,
    // Both are `None` once it is closed.
    reader: Mutex<Option<ReadHalf<DuplexStream>>>,
    writer: Mutex<Option<WriteHalf<DuplexStream>>>,
}

impl InProcessConnection {
    pub(super) fn new(tokio: Handle, connect: &Connect) -> Self {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        {
            let _guard = tokio.enter();
            connect(LocalConnection::Pipe(theirs));
        }
        let (reader, writer) = tokio::io::split(ours);
        Self { tokio, reader: Mutex::new(Some(reader)), writer: Mutex::new(Some(writer)) }
    }
}

#[pymethods]
impl InProcessConnection {
    /// Sends all of `data`; waits while the server does not read it. Raises `BrokenPipeError` once
    /// the server has closed the connection.
    fn send(&self, py: Python<'_>, data: Vec<u8>) -> PyResult<()> {
        let mut sent = 0;
        loop {
            let step = async {
                let mut writer = self.writer.lock().await;
                let writer = writer.as_mut().ok_or(io::Error::from(io::ErrorKind::BrokenPipe))?;
                let write = writer.write(&data[sent..]);
                timeout(SIGNAL_INTERVAL, write).await.ok().transpose()
            };
            if let Some(count) = py.detach(|| self.tokio.block_on(step))? {
                sent += count;
                if sent == data.len() {
                    return Ok(());
                }
                if count == 0 {
                    return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
                }
            }
            py.check_signals()?;
        }
    }

    /// Waits for bytes, at most `limit` seconds, and returns up to `size` of them; none at the end.
    /// Raises `TimeoutError`.
    fn receive<'py>(
        &self,
        py: Python<'py>,
        size: usize,
        limit: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let limit = limit.map(|s| Duration::try_from_secs_f64(s).unwrap_or(Duration::MAX));
        let mut waited = Duration::ZERO;
        let mut buffer = vec![0; size];
        loop {
            let step = async {
                let mut reader = self.reader.lock().await;
                let Some(reader) = reader.as_mut() else { return Ok(Some(0)) };
                timeout(SIGNAL_INTERVAL, reader.read(&mut buffer)).await.ok().transpose()
            };
            if let Some(count) = py.detach(|| self.tokio.block_on(step))? {
                return Ok(PyBytes::new(py, &buffer[..count]));
            }
            py.check_signals()?;
            waited += SIGNAL_INTERVAL;
            if limit.is_some_and(|limit| limit <= waited) {
                return Err(PyTimeoutError::new_err("the server sends nothing"));
            }
        }
    }

    /// Closes the connection: the server sees that the client has left.
    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            self.tokio.block_on(async {
                self.writer.lock().await.take();
                self.reader.lock().await.take();
            });
        });
    }
}
