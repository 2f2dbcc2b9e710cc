//! Calls into `snaxum._bridge`.
//!
//! Plain data crosses: strings, bytes, numbers, JSON. Every function here runs with the
//! interpreter attached, on a thread of the runtime and never on one of tokio's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyKeyError;
use pyo3::ffi::{self, c_str};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCFunction, PyDict, PyModule, PyString, PyTuple};

use crate::config::{self, OptionPlaces};
use crate::error::Error;
use crate::framework;
use crate::message::{Head, HeadKind, LoadReport, PythonRequest, RequestBody};
use crate::telemetry::Identities;

use super::exchange::Exchange;
use super::host::{self, HostApi};
use super::hosted_api::HostedApi;
use super::json::parse;
use super::messages::{Call, NewerPaths, OnBegin, ReloadReply, ReloadScope};
use super::own_context;
use super::route_index::{PathIndex, ServingIndex};
use super::wsgi::WsgiTarget;

/// The functions of `snaxum._bridge`.
pub(crate) struct Bridge {
    begin: Py<PyAny>,
    other_threads: Py<PyAny>,
    blocks: Py<PyAny>,
    call_blocks: Py<PyAny>,
    dispatch: Py<PyAny>,
    dispatch_found: Py<PyAny>,
    dispatch_call: Py<PyAny>,
    dispatch_websocket: Py<PyAny>,
    dispatch_head: Py<PyAny>,
    reload: Py<PyAny>,
    end_replaced: Py<PyAny>,
    describe: Py<PyAny>,
    explain: Py<PyAny>,
    openapi_document: Py<PyAny>,
    run_tests: Py<PyAny>,
    stop: Py<PyAny>,
    identities: Identities,
    /// The routes that are found without Python.
    index: ServingIndex,
}

impl Bridge {
    /// Makes the framework importable, and loads the user's modules. `is_kept`: searches for garbage leave
    /// out all objects of before the user's.
    pub(crate) fn start(
        py: Python<'_>,
        options: &str,
        host: HostApi,
        identities: Identities,
        is_kept: bool,
    ) -> PyResult<(Self, LoadReport)> {
        if let Some(text) = framework::source("_embed.py") {
            let text = std::ffi::CString::new(text)?;
            let files: Vec<_> = framework::files().collect();
            let read = wrap_pyfunction!(framework_source, py)?;
            PyModule::from_code(py, &text, c_str!("<snaxum>/_embed.py"), c_str!("_snaxum_embed"))?
                .call_method1("install", (files, read, PyBytes::new(py, framework::compiled())))?;
        }
        let index = Arc::clone(&host.0.index);
        let module = without_collections(py, || {
            let module = py.import("snaxum._bridge")?;
            if is_kept {
                module.call_method0("freeze")?;
            }
            PyResult::Ok(module)
        })?;
        let hosted = HostedApi(host.0.clone());
        let report = module.call_method1("start", (options, host, hosted))?;
        let report = parse(&report)?;
        let function = |name| module.getattr(name).map(Bound::unbind);
        let bridge = Self {
            begin: function("begin")?,
            other_threads: function("other_threads")?,
            blocks: function("blocks")?,
            call_blocks: function("call_blocks")?,
            dispatch: function("dispatch")?,
            dispatch_found: function("dispatch_found")?,
            dispatch_call: function("dispatch_call")?,
            dispatch_websocket: function("dispatch_websocket")?,
            dispatch_head: function("dispatch_head")?,
            reload: function("reload")?,
            end_replaced: function("end_replaced")?,
            describe: function("describe")?,
            explain: function("explain")?,
            openapi_document: function("openapi_document")?,
            run_tests: function("run_tests")?,
            stop: function("stop")?,
            identities,
            index,
        };
        Ok((bridge, report))
    }

    /// Serves the modules that `start` has loaded before this process was forked.
    pub(crate) fn begin(
        mut self,
        py: Python<'_>,
        options: &str,
        identities: Identities,
    ) -> PyResult<(Self, LoadReport)> {
        self.identities = identities;
        let report = parse(self.begin.call1(py, (options,))?.bind(py))?;
        Ok((self, report))
    }

    /// Names the threads that a process which is forked from this one would lose.
    pub(crate) fn other_threads(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.other_threads.call0(py)?.extract(py)
    }

    /// Runs the handler of one request, or starts it, in a context of its own (`contextvars`); logs
    /// an error of the framework itself.
    pub(crate) fn dispatch(&self, py: Python<'_>, call: Call) {
        let index = self.index.load();
        let application = || {
            let index = index.as_deref()?;
            let place = index.application(&call.request.head).filter(|place| !place.is_asgi)?;
            Some(index.target(py, place))
        };
        let run = match (application(), index.as_deref()) {
            (Some(target), _) => self.dispatch_application(py, target, call),
            (None, Some(index)) if is_plain(&call.request) => self.dispatch_found(py, index, call),
            (None, _) => self.dispatch_any(py, call),
        };
        if let Err(error) = run {
            // The reply was dropped with the exchange: the client gets a 500.
            tracing::error!(
                "internal error while responding; please report this: {}",
                error_text(py, &error)
            );
        }
    }

    /// Does it for a route of the index, if the request is for one.
    fn dispatch_found(&self, py: Python<'_>, index: &PathIndex, call: Call) -> PyResult<()> {
        let Some((params, route)) = index.find(py, &call.request.head)? else {
            return self.dispatch_any(py, call);
        };
        let exchange = Exchange::new(call, self.identities);
        exchange.set_route(&route.id);
        let exchange = Bound::new(py, exchange)?;
        let request = index.request(py).call1((&exchange, params))?;
        let target = route.target.bind(py).clone();
        run_in_context(&self.dispatch_found, exchange, request, target)
    }

    /// Does it for a WSGI application, which gets no request of this framework.
    fn dispatch_application(
        &self,
        py: Python<'_>,
        target: Bound<'_, PyAny>,
        call: Call,
    ) -> PyResult<()> {
        let exchange = Bound::new(py, Exchange::new(call, self.identities))?;
        let before = host::set_dispatched(Some(exchange.clone().into_any().unbind()));
        // Its host makes the context, which also the thread of a stream may enter.
        let run = match WsgiTarget::of(&target) {
            Ok(Some(wsgi)) => wsgi.serve(&exchange),
            _ => self.dispatch_found.call1(py, (exchange, py.None(), target)).map(drop),
        };
        drop(host::set_dispatched(before));
        run
    }

    /// Lets Python find the route.
    fn dispatch_any(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        let (method, path) = method_and_path(py, &call.request.head);
        let dispatch = match (call.request.head.kind(), &call.request.body) {
            (HeadKind::WebSocket, _) => &self.dispatch_websocket,
            (HeadKind::FunctionCall, _) => &self.dispatch_call,
            (HeadKind::Http, RequestBody::Stream(_)) => &self.dispatch_head,
            (HeadKind::Http, _) => &self.dispatch,
        };
        let exchange = Bound::new(py, Exchange::new(call, self.identities))?;
        run_in_context(dispatch, exchange, method.into_any(), path.into_any())
    }

    /// Whether a request calls a `def` handler or function, which may block its thread.
    pub(crate) fn blocks(&self, py: Python<'_>, head: &Head) -> bool {
        let blocks = if head.is_function_call() { &self.call_blocks } else { &self.blocks };
        let blocks = blocks.call1(py, method_and_path(py, head));
        blocks.and_then(|blocks| blocks.extract(py)).unwrap_or_else(|error| {
            tracing::error!("cannot match a request: {}", error_text(py, &error));
            true
        })
    }

    /// Loads the modules that a change of `paths` concerns; `None` compares all files.
    ///
    /// Python calls `on_begin` when it is known that there is something to do, and `newer` before the
    /// new code serves, with true while its handlers warm up.
    pub(crate) fn reload(
        &self,
        py: Python<'_>,
        paths: Option<Vec<PathBuf>>,
        is_partial: bool,
        scope: ReloadScope,
        on_begin: OnBegin,
        newer: NewerPaths,
    ) -> PyResult<ReloadReply> {
        // As `str`, and not as `pathlib.Path`.
        let as_text = |paths: Option<Vec<PathBuf>>| -> Option<Vec<_>> {
            paths.map(|paths| paths.into_iter().map(PathBuf::into_os_string).collect())
        };
        let paths = as_text(paths);
        let newer = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
            let is_long = args.get_item(0)?.extract()?;
            PyResult::Ok(as_text(args.py().detach(|| newer(is_long)))) // it may wait
        };
        let newer = PyCFunction::new_closure(py, None, None, newer)?;
        let on_begin = move |_: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| on_begin();
        let on_begin = PyCFunction::new_closure(py, None, None, on_begin)?;
        let reply = self.reload.call1(py, (paths, is_partial, scope.name(), on_begin, newer))?;
        parse(reply.bind(py))
    }

    /// Lets the replaced code end, after the report of a reload: the reply must not wait for it.
    pub(crate) fn end_replaced(&self, py: Python<'_>) -> PyResult<()> {
        self.end_replaced.call0(py).map(drop)
    }

    /// Describes `what` as JSON, such as the process pool; `about` narrows it.
    pub(crate) fn describe(
        &self,
        py: Python<'_>,
        what: &str,
        about: Vec<String>,
    ) -> PyResult<serde_json::Value> {
        parse(self.describe.call1(py, (what, about))?.bind(py))
    }

    /// Explains as JSON which route matches a request, and why others do not.
    pub(crate) fn explain(
        &self,
        py: Python<'_>,
        method: &str,
        path: &str,
    ) -> PyResult<serde_json::Value> {
        parse(self.explain.call1(py, (method, path))?.bind(py))
    }

    /// Prepares the OpenAPI document of the serving generation, which stays in use until it is made.
    pub(crate) fn openapi_document(&self, py: Python<'_>) -> PyResult<DocumentMaker> {
        self.openapi_document.call0(py).map(DocumentMaker)
    }

    /// Runs pytest with these arguments, and returns its exit code.
    pub(crate) fn run_tests(&self, py: Python<'_>, args: Vec<String>) -> PyResult<i32> {
        self.run_tests.call1(py, (args,))?.extract(py)
    }

    /// Ends loop and pool, runs `atexit` functions, flushes.
    pub(crate) fn stop(&self, py: Python<'_>, timeout: Duration) -> PyResult<()> {
        self.stop.call1(py, (timeout.as_secs_f64(),)).map(drop)
    }
}

/// Makes the OpenAPI document of one generation, in any thread.
pub(crate) struct DocumentMaker(Py<PyAny>);

impl DocumentMaker {
    /// Returns it as JSON.
    pub(crate) fn make(self, py: Python<'_>) -> PyResult<String> {
        self.0.call0(py)?.extract(py)
    }
}

/// Whether a request is one of HTTP whose body has arrived.
fn is_plain(request: &PythonRequest) -> bool {
    request.head.kind() == HeadKind::Http && !matches!(request.body, RequestBody::Stream(_))
}

/// Calls a function of the bridge for a request, in a context of its own.
fn run_in_context<'py>(
    function: &Py<PyAny>,
    exchange: Bound<'py, Exchange>,
    first: Bound<'py, PyAny>,
    second: Bound<'py, PyAny>,
) -> PyResult<()> {
    let before = host::set_dispatched(Some(exchange.clone().into_any().unbind()));
    let run = own_context::call(function, (exchange, first, second));
    drop(host::set_dispatched(before));
    run
}

/// Returns the text of a file of the framework.
#[pyfunction]
fn framework_source(name: &str) -> PyResult<String> {
    framework::source(name).ok_or_else(|| PyKeyError::new_err(name.to_owned()))
}

/// Formats a Python exception as Python prints it.
pub(crate) fn error_text(py: Python<'_>, error: &PyErr) -> String {
    let traceback = error.traceback(py).and_then(|tb| tb.format().ok()).unwrap_or_default();
    format!("{traceback}{error}")
}

/// Imports modules of the framework, none of which becomes garbage: a search for some would be a part of the
/// start.
fn without_collections<T>(_: Python<'_>, import: impl FnOnce() -> T) -> T {
    // SAFETY: this thread is attached, which the parameter proves.
    let was_enabled = unsafe { ffi::PyGC_Disable() } != 0;
    let imported = import();
    if was_enabled {
        // SAFETY: as above.
        unsafe { ffi::PyGC_Enable() };
    }
    imported
}

/// Converts an exception of the start: a `BadOption` is of the user's, any other one is a bug.
pub(crate) fn start_error(py: Python<'_>, error: &PyErr, places: &OptionPlaces) -> Error {
    let value = error.value(py);
    let attribute = |name| value.getattr(name).and_then(|text| text.extract::<String>());
    let option = attribute("option").ok().and_then(|name| config::option_named(&name));
    match (option, attribute("problem")) {
        (Some(option), Ok(problem)) => {
            config::bad_value(places.of(option.name), option.name, problem)
        }
        _ => Error::RuntimeLost(error_text(py, error)),
    }
}

/// Describes a Python exception in one line, for people; its traceback goes to the log.
pub(crate) fn error_line(py: Python<'_>, error: &PyErr) -> String {
    tracing::debug!("{}", error_text(py, error));
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    format!("{first} (set `RUST_LOG=snaxum=debug` for the traceback)")
}

/// Returns both as Python strings; the common methods are interned. `WS` stands for a WebSocket.
fn method_and_path<'py>(
    py: Python<'py>,
    head: &Head,
) -> (Bound<'py, PyString>, Bound<'py, PyString>) {
    let method = match head.method() {
        "GET" if head.is_websocket() => intern!(py, "WS").clone(),
        "GET" => intern!(py, "GET").clone(),
        "POST" => intern!(py, "POST").clone(),
        // HTTP allows a method of this name, and no route has it.
        "WS" => intern!(py, "ws").clone(),
        other => PyString::new(py, other),
    };
    (method, PyString::new(py, &head.path()))
}
