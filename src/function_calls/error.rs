//! Why a call of a Python function has no result.

use std::sync::Arc;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::message::{ErrorResponse, Head, Traceback};
use crate::problem;
use crate::python_runtime::{CallError, PythonRuntime};

/// Why a call of a Python function has no result.
///
/// As a response it is a problem document (RFC 9457) with a status of its own, which never contains
/// names, values or texts of the program: 503 for [`QueueFull`](Self::QueueFull) and
/// [`Stopped`](Self::Stopped), 504 for [`TimedOut`](Self::TimedOut), else 500.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// The serving generation has no such module or function.
    #[error("no function `{function}`: {reason}")]
    NoSuchFunction {
        /// As it was called: `module:function`.
        function: String,
        /// The missing part, and the nearest name.
        reason: String,
    },
    /// The function raised an exception.
    #[error("`{function}` raised {exception}: {message}")]
    Raised {
        /// As it was called.
        function: String,
        /// The type of the exception, with its module unless it is builtin.
        exception: String,
        /// Its text.
        message: String,
        /// Its frames, causes and notes; `text` is what Python prints.
        traceback: Arc<Traceback>,
    },
    /// The arguments do not fit the parameters of the function, or have no JSON form.
    #[error("the arguments of `{function}` do not fit: {reason}")]
    Arguments {
        /// As it was called.
        function: String,
        /// The place of each misfit, and why it does not fit.
        reason: String,
    },
    /// The result has no JSON form, or is not of the wanted type.
    #[error("the result of `{function}` does not convert: {reason}")]
    Result {
        /// As it was called.
        function: String,
        /// The place in the result, and why.
        reason: String,
    },
    /// Too many requests and calls are waiting (`max-queue`), or every thread for them hangs.
    #[error("`{function}` was not called: {reason}")]
    QueueFull {
        /// As it was called.
        function: String,
        /// Which limit is reached.
        reason: String,
    },
    /// The function took longer than `request-timeout`.
    #[error("`{function}` took longer than {limit_s} s")]
    TimedOut {
        /// As it was called.
        function: String,
        /// The limit in seconds.
        limit_s: f64,
    },
    /// The runtime is stopping.
    #[error("`{function}` was not called, or did not end: Python is stopping")]
    Stopped {
        /// As it was called.
        function: String,
    },
    /// Snaxum lost the call: a bug in it, logged.
    #[error("the call of `{function}` was lost; the log has the reason")]
    Lost {
        /// As it was called.
        function: String,
    },
}

impl FunctionError {
    /// The error of a call that did not reach the function, or did not come back from it.
    pub(super) fn of_call(error: CallError, head: &Head, runtime: &PythonRuntime) -> Self {
        let function = head.path().into_owned();
        match error {
            CallError::QueueFull | CallError::AllStuck => {
                Self::QueueFull { function, reason: error.to_string() }
            }
            CallError::TimedOut => {
                let limit_s = runtime.config().request_timeout.as_secs_f64();
                Self::TimedOut { function, limit_s }
            }
            CallError::Stopped => Self::Stopped { function },
            CallError::Lost => Self::Lost { function },
        }
    }

    /// The error that Python has sent, by its status.
    pub(super) fn of_failure(failure: ErrorResponse, head: &Head) -> Self {
        let (function, reason) = (head.path().into_owned(), failure.detail);
        match (failure.traceback, failure.status) {
            (Some(raised), _) => {
                let traceback = Arc::<Traceback>::from(raised);
                let (exception, message) = (traceback.kind.clone(), traceback.message.clone());
                Self::Raised { function, exception, message, traceback }
            }
            (None, 404) => Self::NoSuchFunction { function, reason },
            (None, 422) => Self::Arguments { function, reason },
            (None, 503) => Self::QueueFull { function, reason },
            (None, _) => Self::Result { function, reason },
        }
    }

    /// The status that observers see.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchFunction { .. } => StatusCode::NOT_FOUND,
            Self::Arguments { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::QueueFull { .. } | Self::Stopped { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The traceback of an exception.
    pub fn traceback(&self) -> Option<&Arc<Traceback>> {
        match self {
            Self::Raised { traceback, .. } => Some(traceback),
            _ => None,
        }
    }
}

impl IntoResponse for FunctionError {
    fn into_response(self) -> Response {
        let (status, detail) = match self.status() {
            status @ StatusCode::SERVICE_UNAVAILABLE => {
                (status, "the server cannot handle the request at present")
            }
            status @ StatusCode::GATEWAY_TIMEOUT => (status, "the request took too long"),
            // The program is at fault, not its client.
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal error; the log has the reason"),
        };
        if self.traceback().is_none() {
            tracing::error!("{self}"); // a traceback is in the log already
        }
        let document = problem::document(status, detail).to_string();
        let mut response = (status, document).into_response();
        let content_type = HeaderValue::from_static(problem::PROBLEM_JSON);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, traceback: Option<Traceback>) -> FunctionError {
        let detail = "why".to_owned();
        let failure = ErrorResponse {
            status,
            detail,
            traceback: traceback.map(Box::new),
            ..ErrorResponse::default()
        };
        FunctionError::of_failure(failure, &Head::of_function_call("shop:total"))
    }

    #[test]
    fn the_status_of_a_failure_decides_which_error_it_is() {
        let texts = [404, 422, 503, 500].map(|status| failure(status, None).to_string());
        assert_eq!(
            texts,
            [
                "no function `shop:total`: why",
                "the arguments of `shop:total` do not fit: why",
                "`shop:total` was not called: why",
                "the result of `shop:total` does not convert: why",
            ]
        );
        let raised = Traceback {
            kind: "KeyError".to_owned(),
            message: "'b'".to_owned(),
            ..Traceback::default()
        };
        let error = failure(500, Some(raised));
        assert_eq!(error.to_string(), "`shop:total` raised KeyError: 'b'");
        assert!(error.traceback().is_some());
    }

    #[test]
    fn as_a_response_it_has_a_status_and_no_text_of_the_program() {
        let function = || "shop:total".to_owned();
        let cases = [
            (failure(404, None), 500, None),
            (failure(422, None), 500, None),
            (failure(503, None), 503, Some("1")),
            (FunctionError::Stopped { function: function() }, 503, Some("1")),
            (FunctionError::TimedOut { function: function(), limit_s: 1.5 }, 504, None),
        ];
        for (error, status, retry) in cases {
            let response = error.into_response();
            assert_eq!(response.status(), status);
            let header = response.headers().get("retry-after").map(|value| value.as_bytes());
            assert_eq!(header, retry.map(str::as_bytes));
            assert_eq!(response.headers()["content-type"], "application/problem+json");
        }
    }
}
