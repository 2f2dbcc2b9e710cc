//! Records the requests that a server refuses before any handler: bytes that are not HTTP, heads that are
//! too large or too slow, requests that two servers may read differently.
//!
//! For the access log and the metrics; without them it does nothing. Never refuses a request.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::Request;

use crate::telemetry::Telemetry;

use super::header_timeout::HeaderTimeout;
use super::invalid_request::InvalidRequest;

/// The status of a request whose head has not arrived in time; the client gets no response.
const TOO_SLOW: u16 = 408;

/// The status of frames that are not HTTP/2; the client gets their error in place of a response.
const BAD_REQUEST: u16 = 400;

/// Records the refused requests of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    pub(super) telemetry: Option<Arc<Telemetry>>,
    pub(super) client: Option<SocketAddr>,
}

impl Refusals {
    /// Records a request that must not be served.
    pub(super) fn record<B>(&self, request: &Request<B>, rejection: &InvalidRequest) {
        let request = (request.method().as_str(), request.uri().path());
        self.report(rejection.status, Some(request));
    }

    /// Records the head that has ended a connection of HTTP/1, if one has.
    pub(super) fn record_end(&self, timer: &HeaderTimeout, result: &hyper::Result<()>) {
        match (timer.refused(), result) {
            (Some(status), _) => self.report(status, None),
            (None, Err(error)) if error.is_timeout() && !timer.is_idle() => {
                self.report(TOO_SLOW, None);
            }
            _ => {}
        }
    }

    /// Records the frame that has ended a connection of HTTP/2, if h2 has refused one. It reports no request
    /// that it refuses by a reset of its stream only.
    pub(super) fn record_http2_end(&self, result: &hyper::Result<()>) {
        let error = result.as_ref().err().and_then(Error::source);
        let error = error.and_then(|error| error.downcast_ref::<h2::Error>());
        if error.is_some_and(h2::Error::is_library) {
            self.report(BAD_REQUEST, None);
        }
    }

    fn report(&self, status: u16, request: Option<(&str, &str)>) {
        if let Some(telemetry) = &self.telemetry {
            telemetry.refused(status, request, self.client.map(|client| client.ip()));
        }
    }
}
