//! The object that Python gets for a streamed response, the sending end of its body; and the bytes of
//! any body, copied or not.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::message::body_stream::{BodySender, TrySendError};
use crate::message::{ErrorResponse, EventHead, RequestBody};
use crate::sync::Mutex;

use super::ended_requests::EndedRequests;
use super::host::HostApi;
use super::in_flight::InFlightGuard;
use super::json::parse;
use super::loop_signals::{LoopSignals, StreamWaker};

/// A body of this size or larger is not copied.
const LARGE: usize = 16 * 1024;

/// The sending end of a streamed body. Dropped before `finish`, it aborts the response.
#[pyclass(frozen)]
pub(super) struct BodyStream {
    id: u64,
    sender: BodySender,
    /// The body of its request, until it ends.
    request_body: RequestBody,
    /// The guard of its request, until the body ends.
    in_flight_guard: Mutex<Option<InFlightGuard>>,
}

impl BodyStream {
    pub(super) fn new(
        id: u64,
        sender: BodySender,
        request_body: RequestBody,
        guard: Option<InFlightGuard>,
    ) -> Self {
        Self { id, sender, request_body, in_flight_guard: Mutex::new(guard) }
    }

    /// Sends if there is room; `None` if there is none, which a signal to the loop reports later, and false if the
    /// client has disconnected.
    pub(super) fn offer(
        &self,
        chunk: Bound<'_, PyBytes>,
        loop_signals: &Arc<LoopSignals>,
    ) -> Option<bool> {
        let id = self.id.cast_signed();
        let room = || StreamWaker { loop_signals: Arc::clone(loop_signals), id };
        let (size, waker) = (chunk.as_bytes().len(), || Waker::from(Arc::new(room())));
        match self.sender.try_send(size, || chunk_to_bytes(chunk), waker) {
            Ok(()) => Some(true),
            Err(TrySendError::Full) => None,
            Err(TrySendError::Closed) => Some(false),
        }
    }
}

#[pymethods]
impl BodyStream {
    #[getter]
    fn id(&self) -> u64 {
        self.id
    }

    /// Whether the client has disconnected.
    fn cancelled(&self) -> bool {
        self.sender.is_closed()
    }

    /// Waits for room and sends; false if the client has disconnected.
    fn send(&self, py: Python<'_>, chunk: Bound<'_, PyBytes>) -> bool {
        let chunk = chunk_to_bytes(chunk);
        py.detach(|| self.sender.send(&chunk))
    }

    /// Sends if there is room; `None` if there is none, false if the client has disconnected.
    fn try_send(&self, chunk: Bound<'_, PyBytes>, host: &HostApi) -> Option<bool> {
        self.offer(chunk, &host.0.loop_signals)
    }

    /// Fails the response instead of its body. If the response has begun, aborts it and returns false.
    #[pyo3(signature = (status, detail, headers, traceback, extensions=None))]
    fn fail(
        &self,
        status: u16,
        detail: String,
        headers: Vec<(String, String)>,
        traceback: Option<Bound<'_, PyAny>>,
        extensions: Option<Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let traceback = traceback.map(|json| parse(&json)).transpose()?;
        let extensions = extensions.map(|json| parse(&json)).transpose()?.unwrap_or_default();
        let failure = ErrorResponse { status, detail, headers, traceback, extensions };
        let is_replaced = self.sender.fail(failure).is_ok();
        self.in_flight_guard.lock().take();
        Ok(is_replaced)
    }

    /// Makes the response an event stream, before its first chunk; false if it has begun.
    fn become_events(&self, headers: Vec<(String, String)>, keep_alive: f64) -> bool {
        let keep_alive = Duration::try_from_secs_f64(keep_alive).unwrap_or_default();
        self.sender.become_events(EventHead { headers, keep_alive })
    }

    /// Ends the body as complete, perhaps with fields after it.
    #[pyo3(signature = (trailers=None))]
    pub(super) fn finish(&self, trailers: Option<Vec<(String, String)>>) {
        self.sender.finish(trailers);
        self.in_flight_guard.lock().take();
    }
}

impl Drop for BodyStream {
    fn drop(&mut self) {
        self.request_body.close();
    }
}

/// Converts the `bytes` of a whole body, without a copy if they are large.
pub(super) fn body_to_bytes(
    body: Bound<'_, PyBytes>,
    ended_requests: impl FnOnce() -> Option<Arc<EndedRequests>>,
) -> Bytes {
    if body.as_bytes().len() < HUGE {
        return chunk_to_bytes(body);
    }
    let ended_requests = ended_requests();
    Bytes::from_owner(HugeBody { bytes: Some(PyBackedBytes::from(body)), ended_requests })
}

/// Converts the `bytes` of a chunk, without a copy if they are large.
fn chunk_to_bytes(body: Bound<'_, PyBytes>) -> Bytes {
    if body.as_bytes().len() < LARGE {
        Bytes::copy_from_slice(body.as_bytes())
    } else {
        Bytes::from_owner(PyBackedBytes::from(body))
    }
}

/// The memory of a body of this size or larger is returned at once, even if no request follows.
const HUGE: usize = 1024 * 1024;

/// A body that Python owns. PyO3 frees it when a thread next attaches to the interpreter, and the
/// tokio thread that drops it must not. So it wakes the overseer, which attaches: unlike the loop, it
/// always exists, and no handler blocks it.
struct HugeBody {
    /// `Some` until it is dropped.
    bytes: Option<PyBackedBytes>,
    ended_requests: Option<Arc<EndedRequests>>,
}

impl AsRef<[u8]> for HugeBody {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }
}

impl Drop for HugeBody {
    fn drop(&mut self) {
        drop(self.bytes.take());
        if let Some(ended_requests) = &self.ended_requests {
            ended_requests.wake();
        }
    }
}
