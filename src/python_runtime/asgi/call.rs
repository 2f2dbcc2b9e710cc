//! One call of `receive` or `send`: an object that is awaited as a coroutine is.
//!
//! Owns the wait for another awaitable. Begins when it is awaited, as a coroutine does, and runs no
//! Python unless it waits. Knows no message.

use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::iterator::PySendResult;
use pyo3::types::{PyIterator, PyTuple};

use crate::sync::Mutex;

use super::cycle::{Awaited, CallTurn, HttpMessages};
use super::event;

/// A call of `receive` or `send`, with the methods of a coroutine.
#[pyclass(frozen)]
pub(in crate::python_runtime) struct AsgiCall {
    messages: Arc<HttpMessages>,
    step: Mutex<Step>,
}

enum Step {
    Receive,
    Send(Py<PyAny>),
    Waits(Py<PyIterator>, Awaited),
    Over,
}

#[pymethods]
impl AsgiCall {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.resume(py, None)? {
            PySendResult::Next(waits_for) => Ok(Some(waits_for)),
            PySendResult::Return(value) if value.is_none() => Ok(None),
            PySendResult::Return(value) => Err(PyStopIteration::new_err(value.unbind())),
        }
    }

    fn send<'py>(&self, py: Python<'py>, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        yielded(self.resume(py, Some(value))?)
    }

    #[pyo3(signature = (*error))]
    fn throw<'py>(&self, error: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = error.py();
        let step = self.take_step();
        match step {
            Step::Waits(inner, awaited) => {
                let turn = match inner.bind(py).call_method1(intern!(py, "throw"), error) {
                    Ok(waits_for) => {
                        *self.step.lock() = Step::Waits(inner, awaited);
                        return Ok(waits_for);
                    }
                    Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
                        let value = error.value(py).getattr(intern!(py, "value"))?;
                        self.waited(py, awaited, value)?
                    }
                    Err(error) => return Err(error),
                };
                yielded(self.continue_with(py, turn)?)
            }
            _ => Err(raised(error)?),
        }
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let step = self.take_step();
        match step {
            Step::Waits(inner, _) => inner.call_method0(py, intern!(py, "close")).map(drop),
            _ => Ok(()),
        }
    }
}

impl AsgiCall {
    pub(super) fn receive(messages: &Arc<HttpMessages>) -> Self {
        Self { messages: Arc::clone(messages), step: Mutex::new(Step::Receive) }
    }

    pub(super) fn send_message(messages: &Arc<HttpMessages>, message: Py<PyAny>) -> Self {
        Self { messages: Arc::clone(messages), step: Mutex::new(Step::Send(message)) }
    }

    /// Takes the step, without the lock: what follows may run Python, and set the next one.
    fn take_step(&self) -> Step {
        std::mem::replace(&mut *self.step.lock(), Step::Over)
    }

    fn resume<'py>(
        &self,
        py: Python<'py>,
        value: Option<Bound<'py, PyAny>>,
    ) -> PyResult<PySendResult<'py>> {
        let step = self.take_step();
        let messages = &self.messages;
        let turn = match step {
            Step::Receive => messages.receive_next(py)?,
            Step::Send(message) => messages.send_next(message.bind(py))?,
            Step::Waits(inner, awaited) => {
                let value = value.unwrap_or_else(|| py.None().into_bound(py));
                match inner.bind(py).send(&value)? {
                    PySendResult::Next(waits_for) => {
                        *self.step.lock() = Step::Waits(inner, awaited);
                        return Ok(PySendResult::Next(waits_for));
                    }
                    PySendResult::Return(value) => self.waited(py, awaited, value)?,
                }
            }
            Step::Over => {
                return Err(PyRuntimeError::new_err("cannot reuse already awaited coroutine"));
            }
        };
        self.continue_with(py, turn)
    }

    /// Returns the value, or what the inner awaitable waits for.
    fn continue_with<'py>(
        &self,
        py: Python<'py>,
        mut turn: CallTurn<'py>,
    ) -> PyResult<PySendResult<'py>> {
        loop {
            let (inner, awaited) = match turn {
                CallTurn::Over(value) => return Ok(PySendResult::Return(value)),
                CallTurn::Wait(inner, awaited) => (inner, awaited),
            };
            let inner = inner.call_method0(intern!(py, "__await__"))?.cast_into::<PyIterator>()?;
            match inner.send(&py.None().into_bound(py))? {
                PySendResult::Next(waits_for) => {
                    *self.step.lock() = Step::Waits(inner.unbind(), awaited);
                    return Ok(PySendResult::Next(waits_for));
                }
                PySendResult::Return(value) => turn = self.waited(py, awaited, value)?,
            }
        }
    }

    /// Continues with the value of the inner awaitable.
    fn waited<'py>(
        &self,
        py: Python<'py>,
        awaited: Awaited,
        value: Bound<'py, PyAny>,
    ) -> PyResult<CallTurn<'py>> {
        let messages = &self.messages;
        match awaited {
            Awaited::Chunk => messages.received(py, value),
            Awaited::End => Ok(CallTurn::Over(event::disconnect(py)?)),
            Awaited::Room { is_last } => messages.sent(py, value.is_truthy()?, is_last),
        }
    }
}

fn yielded(result: PySendResult<'_>) -> PyResult<Bound<'_, PyAny>> {
    match result {
        PySendResult::Next(waits_for) => Ok(waits_for),
        PySendResult::Return(value) => Err(PyStopIteration::new_err((value.unbind(),))),
    }
}

/// Returns the exception that `throw` is given: an object, or a type with its value.
fn raised(given: &Bound<'_, PyTuple>) -> PyResult<PyErr> {
    let first = given.get_item(0)?;
    let value = given.get_item(1).ok().filter(|value| !value.is_none());
    Ok(match value {
        Some(value) => PyErr::from_value(value),
        None => PyErr::from_value(first),
    })
}
