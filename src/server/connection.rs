//! Serves one connection to its end: HTTP/1.1, or HTTP/2 if it begins with that.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Once;

use axum::http::{StatusCode, Version};
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::{self, Either};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::client_socket::ClientSocket;
use super::client_stream::ClientStream;
use super::entry::Protocol;
use super::framing;
use super::header_timeout::{HeaderTimeout, Phase};
use super::http2;
use super::limits::{ConnectionLimits, or_forever};
use super::preface::Preface;

/// Serves one connection to its end; after `stop` it finishes the current requests.
pub(super) async fn serve<T: ClientSocket, F: Future<Output = Response> + Send + 'static>(
    mut socket: T,
    protocol: Protocol,
    respond: impl Fn(hyper::Request<Incoming>) -> F,
    limits: ConnectionLimits,
    stop: CancellationToken,
) {
    let mut preface = Preface::default();
    let is_http2 = match protocol {
        Protocol::Http1 => Ok(false),
        Protocol::Http2 => Ok(true),
        Protocol::Unknown => {
            let limit = or_forever(limits.header_timeout);
            let first = timeout(limit, preface.read(&mut socket)).await;
            first.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        }
    };
    let result = match is_http2 {
        Ok(false) => serve_http1(socket, preface, respond, &limits, stop).await,
        // Boxed: few connections need its size.
        Ok(true) => {
            let socket = socket.into_any();
            Box::pin(http2::serve(socket, preface, respond, &limits, stop)).await
        }
        Err(error) => {
            tracing::debug!("connection ended before its first request: {error}");
            return;
        }
    };
    if let Err(error) = result {
        if error.is_parse_too_large() {
            warn_of_large_head(&limits);
        }
        // A client that disconnects during a request is not worth a warning.
        tracing::debug!("connection ended: {error}");
    }
}

async fn serve_http1<T: ClientSocket, F: Future<Output = Response> + Send>(
    socket: T,
    preface: Preface,
    respond: impl Fn(hyper::Request<Incoming>) -> F,
    limits: &ConnectionLimits,
    stop: CancellationToken,
) -> hyper::Result<()> {
    let timer = HeaderTimeout::new(limits);
    let stream = TokioIo::new(ClientStream::new(socket, preface, timer.clone(), limits));
    let timer = &timer;
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let rejection = framing::check(&request);
        timer.enter(match request.version() {
            _ if rejection.is_some() => Phase::Rejected,
            Version::HTTP_11 => Phase::Request,
            _ => Phase::OldRequest,
        });
        // An `async` block would store the future, which is large, more than once.
        let responding = match rejection {
            None => Either::Left(respond(request)),
            Some(rejection) => Either::Right(future::ready(rejection.response())),
        };
        responding.map(move |response| {
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                timer.enter(Phase::Upgraded);
            }
            Ok::<_, Infallible>(response)
        })
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(timer.clone())
        .header_read_timeout(timer.duration())
        .max_header_size(limits.max_header_size)
        // `ClientStream` notices a client that leaves.
        .half_close(true)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

fn warn_of_large_head(limits: &ConnectionLimits) {
    static TOO_LARGE: Once = Once::new();
    let limit = limits.max_header_size / 1024;
    TOO_LARGE.call_once(|| {
        tracing::warn!(
            "a request was rejected: its target and headers exceed {limit} KiB; check its cookies"
        );
    });
}
