//! The functions of Rust that Python calls for the applications of other frameworks.
//!
//! One object for the whole runtime; see `_host.py` for its shape in Python. Never calls an application.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::sync::Mutex;

use super::asgi::{AsgiApplication, HttpCycle, LoopFlush, ResponseWay};
use super::exchange::Exchange;
use super::host::HostParts;
use super::loop_calls::LoopCall;
use super::wsgi::WsgiApplication;

/// See [`HostedApi::take_calls`].
type TakenCall<'py> =
    (u64, Bound<'py, Exchange>, Bound<'py, HttpCycle>, Bound<'py, PyAny>, Bound<'py, PyAny>);

/// The object that Python calls.
#[pyclass(frozen)]
pub(super) struct HostedApi(pub(super) HostParts);

#[pymethods]
impl HostedApi {
    /// Makes what all requests of an ASGI application share; each gets a copy of `versions` and `state`.
    fn asgi_application(
        &self,
        root_path: &Bound<'_, PyString>,
        route: String,
        versions: Py<PyDict>,
        state: Py<PyDict>,
        client_disconnected: Py<PyAny>,
    ) -> PyResult<AsgiApplication> {
        let signals = Arc::clone(&self.0.loop_signals);
        AsgiApplication::new(root_path, route, versions, state, client_disconnected, signals)
    }

    /// Makes what all requests of a WSGI application share: each environ has the values of `shared`.
    #[staticmethod]
    fn wsgi_application(prefix: String, shared: Py<PyDict>) -> WsgiApplication {
        WsgiApplication::new(prefix, shared)
    }

    /// Makes what sends the responses of the loop with this `call_soon`.
    fn loop_flush(&self, call_soon: Py<PyAny>) -> LoopFlush {
        LoopFlush::new(call_soon, Arc::clone(&self.0.wakes))
    }

    /// Begins the messages of a request; see [`HttpCycle`].
    #[staticmethod]
    #[pyo3(signature = (application, exchange, loop_thread, flush, generation, reply=None))]
    fn http_cycle(
        application: Py<AsgiApplication>,
        exchange: Py<Exchange>,
        loop_thread: Py<PyAny>,
        flush: Py<LoopFlush>,
        generation: u64,
        reply: Option<Py<PyAny>>,
    ) -> HttpCycle {
        let stream = Mutex::default();
        HttpCycle::new(ResponseWay {
            exchange,
            application,
            loop_thread,
            flush,
            generation,
            reply,
            stream,
        })
    }

    /// Takes the requests that have come to a loop without a dispatch worker: the id of each, its exchange
    /// and its messages, the function that runs it, and its route.
    fn take_calls<'py>(
        &self,
        py: Python<'py>,
        loop_thread: &Bound<'py, PyAny>,
        flush: &Bound<'py, LoopFlush>,
    ) -> PyResult<Vec<TakenCall<'py>>> {
        let mut taken = Vec::new();
        for LoopCall { call, identities, index, place } in self.0.loop_calls.take() {
            if call.reply.is_closed() {
                continue; // cancelled
            }
            let (run, application, generation, route) = index.target(py, place).extract()?;
            let id = call.request.id;
            let exchange = Bound::new(py, Exchange::new(*call, identities))?;
            let cycle = HttpCycle::new(ResponseWay {
                exchange: exchange.clone().unbind(),
                application,
                loop_thread: loop_thread.clone().unbind(),
                flush: flush.clone().unbind(),
                generation,
                reply: None,
                stream: Mutex::default(),
            });
            taken.push((id, exchange, Bound::new(py, cycle)?, run, route));
        }
        Ok(taken)
    }

    /// Whether such requests wait.
    fn has_calls(&self) -> bool {
        self.0.loop_calls.len() > 0
    }
}
