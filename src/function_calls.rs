//! Calls of Python functions from Rust: [`PythonRuntime::call_function`].
//!
//! A call is a request to Python that no HTTP client can send: it goes through the same gate, queue,
//! time limit and workers, and observers see it with the method `CALL`. Values cross as JSON. Knows no
//! function: Python finds it in the modules of the serving generation.

mod arguments;
mod error;

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::dispatcher::observation::Observation;
use crate::event::TRACEBACK;
use crate::message::conversion::from_json;
use crate::message::{
    ConversionError, HandlerOutcome, Head, PythonRequest, PythonResponse, RequestBody,
    ResponseBody, Traceback,
};
use crate::python_runtime::PythonRuntime;

pub use arguments::{CallArguments, IntoArguments};
pub use error::FunctionError;

impl PythonRuntime {
    /// Calls the Python function `module:function` and converts its result.
    ///
    /// The module is one of the user's, as it is imported: `shop.orders:total`. A tuple, array or list
    /// has the positional arguments, `()` none, and a struct or map the keyword arguments by name;
    /// [`CallArguments`] has both. Parameters with an annotation get a value of that type, such as a
    /// dataclass from a struct. A function may return whatever a handler may return as JSON.
    ///
    /// A `def` function runs on a dispatch worker, an `async def` function on the asyncio loop. In dev
    /// mode a call after a save runs the new code, and the console shows it with the method `CALL`.
    /// Dropping the future cancels the call as a client that disconnects cancels a request.
    ///
    /// ```no_run
    /// use axum::{Json, extract::{Path, State}};
    /// use serde::{Deserialize, Serialize};
    /// use snaxum::prelude::*;
    /// use std::sync::Arc;
    ///
    /// #[derive(Serialize)]
    /// struct Order {
    ///     id: u64,
    ///     prices: Vec<f64>,
    /// }
    ///
    /// #[derive(Deserialize, Serialize)]
    /// struct Total {
    ///     sum: f64,
    /// }
    ///
    /// async fn total(
    ///     State(runtime): State<Arc<PythonRuntime>>,
    ///     Path(id): Path<u64>,
    /// ) -> Result<Json<Total>, FunctionError> {
    ///     let order = Order { id, prices: vec![1.5, 2.0] };
    ///     let total = runtime.call_function("shop.orders:total", (order, "EUR")).await?;
    ///     Ok(Json(total))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`FunctionError`], which is also a response: `?` in an axum handler sends its status, and
    /// no text of an exception.
    pub fn call_function<T: DeserializeOwned>(
        &self,
        function: &str,
        arguments: impl IntoArguments,
    ) -> impl Future<Output = Result<T, FunctionError>> + Send {
        let head = Head::of_function_call(function);
        let body = arguments.into_json();
        async move {
            let id = self.next_request_id();
            let mut observation = Observation::begin(self, id, &head);
            let result = call(self, id, &head, &mut observation, body).await;
            let result = result.and_then(|json| {
                from_json(&json).map_err(|error| FunctionError::Result {
                    function: head.path().into_owned(),
                    reason: error.to_string(),
                })
            });
            report(id, observation, result.as_ref().err());
            result
        }
    }
}

/// Sends the call to Python; returns the result as JSON.
async fn call(
    runtime: &PythonRuntime,
    id: u64,
    head: &Head,
    observation: &mut Observation<'_>,
    body: Result<Vec<u8>, ConversionError>,
) -> Result<Bytes, FunctionError> {
    let body = body.map_err(|error| FunctionError::Arguments {
        function: head.path().into_owned(),
        reason: error.to_string(),
    })?;
    let body = RequestBody::Whole(body.into());
    observation.record_request_body(&body);
    // A save before the call is live, or rejected, before Python sees the call.
    runtime.gate().wait().await;
    observation.gate_passed(true);
    let response = runtime.call(PythonRequest { id, head: head.clone(), body }).await;
    let PythonResponse { generation, route, outcome, timestamps, .. } =
        response.map_err(|error| FunctionError::of_call(error, head, runtime))?;
    observation.received(generation, route, timestamps, &outcome);
    match outcome {
        HandlerOutcome::Response { body: ResponseBody::Full(json), .. } => Ok(json),
        HandlerOutcome::Failure(failure) => Err(FunctionError::of_failure(failure, head)),
        _ => Err(FunctionError::Lost { function: head.path().into_owned() }),
    }
}

/// Logs an exception, and reports the end of a call to observers.
fn report(id: u64, mut observation: Observation<'_>, error: Option<&FunctionError>) {
    let mut response = Response::new(Body::empty());
    let mut content_type = HeaderValue::from_static("application/json");
    let mut traceback: Option<&Arc<Traceback>> = None;
    if let Some(error) = error {
        *response.status_mut() = error.status();
        content_type = HeaderValue::from_static("text/plain; charset=utf-8");
        traceback = error.traceback();
        if traceback.is_none() {
            observation.record_response_text(error.to_string().into());
        }
    }
    if let Some(traceback) = traceback {
        tracing::error!(target: TRACEBACK, "call {id}: the function raised\n{}", traceback.text);
    }
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    observation.end(&mut response, traceback);
}
