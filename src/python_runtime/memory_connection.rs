//! The client's end of a connection in memory, for `snaxum.testing`: bytes to a server and back.
//!
//! Blocks the calling thread, without the interpreter. Knows nothing of HTTP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyTimeoutError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How often a thread that waits checks for Ctrl-C.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);

/// Makes connections in memory to a server; see [`PythonRuntime::run_tests`](super::PythonRuntime::run_tests).
pub type Connect = Arc<dyn Fn() -> DuplexStream + Send + Sync>;

/// A connection.
#[pyclass(frozen)]
pub(crate) struct MemoryConnection {
    tokio: Handle,
    // Both are `None` once it is closed.
    reader: Mutex<Option<ReadHalf<DuplexStream>>>,
    writer: Mutex<Option<WriteHalf<DuplexStream>>>,
}

impl MemoryConnection {
    pub(super) fn new(tokio: Handle, connect: &Connect) -> Self {
        let stream = {
            let _guard = tokio.enter();
            connect()
        };
        let (reader, writer) = tokio::io::split(stream);
        Self { tokio, reader: Mutex::new(Some(reader)), writer: Mutex::new(Some(writer)) }
    }
}

#[pymethods]
impl MemoryConnection {
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
