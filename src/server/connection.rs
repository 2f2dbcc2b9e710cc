//! Serves one connection to its end: HTTP/1.1, or HTTP/2 if it begins with that.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Once;
use std::time::Duration;

use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode, Version};
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::{self, Either};
use hyper::body::{Body, Incoming};
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
use super::refusals::Refusals;
use super::turns::Mobility;

/// How often a process that leaves tries to pass a connection on, and how often if it is idle.
const MOVE_INTERVAL: Duration = Duration::from_millis(100);
const MAX_MOVES: u32 = 20;

/// Serves one connection to its end; after `stop` it finishes the current requests.
pub(super) async fn serve<T: ClientSocket, F: Future<Output = Response> + Send + 'static>(
    mut socket: T,
    protocol: Protocol,
    respond: impl Fn(hyper::Request<Incoming>) -> F,
    limits: ConnectionLimits,
    stop: CancellationToken,
    (mobility, refusals): (Mobility, Refusals),
) {
    let mut preface = Preface::default();
    let timer = match protocol {
        Protocol::Http1Idle => HeaderTimeout::between_requests(&limits),
        _ => HeaderTimeout::new(&limits),
    };
    let is_http2 = match protocol {
        Protocol::Http1 | Protocol::Http1Idle => Ok(false),
        Protocol::Http2 => Ok(true),
        Protocol::Unknown => {
            let limit = or_forever(limits.header_timeout);
            let leaves = async {
                stop.cancelled().await;
                if !mobility.is_leaving() {
                    future::pending().await
                }
            };
            let first = tokio::select! {
                biased;
                // A process that leaves begins no request. A process that stops begins what has arrived.
                () = leaves => None,
                first = timeout(limit, preface.read(&mut socket)) => {
                    Some(first.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())))
                }
                () = stop.cancelled() => None,
            };
            match first {
                Some(first) => first,
                // It has sent nothing: another process continues it, or it ends.
                None => {
                    let is_new = preface.is_empty() && mobility.is_leaving();
                    if is_new && mobility.pass_on(&socket, true) {
                        return;
                    }
                    Ok(false)
                }
            }
        }
    };
    let result = match is_http2 {
        Ok(false) => {
            let start = (preface, timer.clone());
            let ways = (mobility, &refusals);
            let result = serve_http1(socket, start, respond, &limits, stop, ways).await;
            refusals.record_end(&timer, &result);
            result
        }
        // Boxed: few connections need its size.
        Ok(true) => {
            let socket = socket.into_any();
            let served = http2::serve(socket, preface, respond, &limits, stop, refusals.clone());
            let result = Box::pin(served).await;
            refusals.record_http2_end(&result);
            result
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
    (preface, timer): (Preface, HeaderTimeout),
    respond: impl Fn(hyper::Request<Incoming>) -> F,
    limits: &ConnectionLimits,
    stop: CancellationToken,
    (mobility, refusals): (Mobility, &Refusals),
) -> hyper::Result<()> {
    let stream = TokioIo::new(ClientStream::new(socket, preface, timer.clone(), limits, mobility));
    let timer = &timer;
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let rejection = framing::check(&request);
        timer.enter(match request.version() {
            _ if rejection.is_some() => Phase::Rejected,
            Version::HTTP_11 => Phase::Request,
            _ => Phase::OldRequest,
        });
        timer.set_body(request.body().size_hint().exact());
        let closes = mobility.is_leaving(); // the connection could not move
        // An `async` block would store the future, which is large, more than once.
        let responding = match rejection {
            None => Either::Left(respond(request)),
            Some(rejection) => {
                refusals.record(&request, &rejection);
                Either::Right(future::ready(rejection.response()))
            }
        };
        responding.map(move |mut response| {
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                timer.enter(Phase::Upgraded);
            } else if closes {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
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
            if mobility.is_leaving()
                && let Some(result) = move_away(connection.as_mut(), timer).await
            {
                return result;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

/// Lets a connection move to another process after its request; `None` if it cannot.
async fn move_away<C: Future<Output = R>, R>(
    mut connection: Pin<&mut C>,
    timer: &HeaderTimeout,
) -> Option<R> {
    let mut idle_for = 0;
    while idle_for < MAX_MOVES {
        // Each wait polls it, which tries to move it. A client that sends a request meanwhile gets a
        // response, which closes the connection.
        match timeout(MOVE_INTERVAL, connection.as_mut()).await {
            Ok(result) => return Some(result),
            Err(_) if timer.phase() == Phase::Head => idle_for += 1,
            Err(_) => idle_for = 0,
        }
    }
    None
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
