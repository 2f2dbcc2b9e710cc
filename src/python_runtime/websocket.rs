//! The WebSocket that Python gets: the handler's end of its channel.
//!
//! Knows neither frames nor asyncio: a task that must wait gets `None`, and the loop is signaled.

use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::message::websocket_channel::{HandlerEnd, ReceivedMessage, SendError};
use crate::message::{SocketClose, SocketMessage};
use crate::sync::Mutex;

use super::host::HostApi;
use super::in_flight::InFlightGuard;
use super::json::parse;
use super::loop_signals::StreamWaker;

/// An accepted WebSocket. Dropped before `finish`, it closes with 1011.
#[pyclass(frozen)]
pub(super) struct HandlerSocket {
    id: u64,
    channel: HandlerEnd,
    /// The guard of its request, until the handler ends.
    in_flight_guard: Mutex<Option<InFlightGuard>>,
}

/// The client's next message, or the code and the reason of the close.
#[derive(IntoPyObject)]
enum Incoming<'py> {
    Text(Bound<'py, PyString>),
    Binary(Bound<'py, PyBytes>),
    Closed((u16, String)),
}

impl HandlerSocket {
    pub(super) fn new(id: u64, channel: HandlerEnd, guard: Option<InFlightGuard>) -> Self {
        Self { id, channel, in_flight_guard: Mutex::new(guard) }
    }

    fn waker(&self, host: &HostApi) -> Waker {
        let loop_signals = Arc::clone(&host.0.loop_signals);
        Waker::from(Arc::new(StreamWaker { loop_signals, id: self.id.cast_signed() }))
    }
}

#[pymethods]
impl HandlerSocket {
    #[getter]
    fn id(&self) -> u64 {
        self.id
    }

    /// Returns the client's next message, or the close; `None` if the caller is to wait.
    fn try_receive<'py>(&self, py: Python<'py>, host: &HostApi) -> Option<Incoming<'py>> {
        self.channel.try_receive(|| self.waker(host)).map(|received| incoming(py, received))
    }

    /// Waits for the client's next message, or the close.
    fn receive<'py>(&self, py: Python<'py>) -> Incoming<'py> {
        let received = py.detach(|| self.channel.receive());
        incoming(py, received)
    }

    /// Sends if there is room; `None` if there is none, false if it is closed.
    fn try_send(&self, message: &Bound<'_, PyAny>, host: &HostApi) -> PyResult<Option<bool>> {
        let message = outgoing(message)?;
        Ok(match self.channel.try_send(&message, || self.waker(host)) {
            Ok(()) => Some(true),
            Err(SendError::Full) => None,
            Err(SendError::Closed) => Some(false),
        })
    }

    /// Waits for room and sends; false if it is closed.
    fn send(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<bool> {
        let message = outgoing(message)?;
        Ok(py.detach(|| self.channel.send(&message)))
    }

    /// Signals the loop at the close; true if it is closed already.
    fn watch_close(&self, host: &HostApi) -> bool {
        self.channel.watch_close(|| self.waker(host))
    }

    /// Closes it after the messages that wait, unless it is closed already.
    fn close(&self, code: u16, reason: String) {
        self.channel.close(code, reason);
    }

    /// Returns the code and the reason of the close, once it is closed.
    fn closed(&self) -> Option<(u16, String)> {
        self.channel.closed().map(|SocketClose { code, reason, .. }| (code, reason))
    }

    /// Ends the handler's part, with the exception that ended it.
    fn finish(&self, traceback: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        let traceback = traceback.map(|json| parse(&json)).transpose()?;
        self.channel.finish(traceback);
        self.in_flight_guard.lock().take();
        Ok(())
    }
}

fn incoming(py: Python<'_>, received: ReceivedMessage) -> Incoming<'_> {
    match received {
        ReceivedMessage::Message(SocketMessage::Text(text)) => {
            Incoming::Text(PyString::new(py, text.as_str()))
        }
        ReceivedMessage::Message(SocketMessage::Binary(bytes)) => {
            Incoming::Binary(PyBytes::new(py, &bytes))
        }
        ReceivedMessage::Closed(SocketClose { code, reason, .. }) => {
            Incoming::Closed((code, reason))
        }
    }
}

fn outgoing(message: &Bound<'_, PyAny>) -> PyResult<SocketMessage> {
    if let Ok(text) = message.cast::<PyString>() {
        return Ok(SocketMessage::Text(text.to_str()?.into()));
    }
    let bytes = message.cast::<PyBytes>().map_err(|_| PyTypeError::new_err("not str or bytes"))?;
    Ok(SocketMessage::Binary(Bytes::copy_from_slice(bytes.as_bytes())))
}
