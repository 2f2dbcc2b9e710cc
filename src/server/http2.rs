//! Serves one connection of HTTP/2, with the checks and limits of HTTP/1.1.
//!
//! - A connection without an open stream has the header timeout for its first request, and the idle
//!   timeout after it.
//! - A client that acknowledges no byte, on the connection or on one stream, has the send timeout.
//! - Pings find clients that have vanished.
//! - A client that resets streams at a high rate (CVE-2023-44487) or sends endless headers loses its
//!   connection. h2 limits its pings, settings, headers, empty and tiny frames.
//! - WebSockets are streams (`http2_websocket.rs`).

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Once;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::{self, Either};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;

use super::client_socket::AnySocket;
use super::client_stream::ClientStream;
use super::framing;
use super::header_timeout::{HeaderTimeout, Phase};
use super::http2_streams::{MAX_PART, StreamBody, Streams};
use super::http2_websocket;
use super::limits::{ConnectionLimits, or_forever};
use super::preface::Preface;
use super::refusals::Refusals;
use super::turns::Mobility;

/// The requests of a client at the same time; more wait at the client.
const MAX_STREAMS: u32 = 128;
/// The streams that a client may reset before they are accepted, and the streams that the server may
/// reset because of the client's errors; then the connection ends.
const MAX_RESETS: usize = 20;
const MAX_ERROR_RESETS: usize = 256;

/// Serves a connection to its end; after `stop` it finishes the open streams.
pub(super) async fn serve<F: Future<Output = Response> + Send + 'static>(
    socket: AnySocket,
    preface: Preface,
    respond: impl Fn(hyper::Request<Incoming>) -> F,
    limits: &ConnectionLimits,
    stop: CancellationToken,
    refusals: Refusals,
) -> hyper::Result<()> {
    let timer = HeaderTimeout::new(limits);
    timer.enter(Phase::Upgraded); // the stream adds nothing of HTTP/1.1
    let stream = TokioIo::new(ClientStream::new(socket, preface, timer, limits, Mobility::NONE));
    let streams = Streams::new(or_forever(limits.send_timeout));
    let begun = streams.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let is_websocket = http2_websocket::is_asked(&request);
        let stream = begun.begin(is_websocket);
        let is_head = request.method() == Method::HEAD;
        let rejection = framing::check_http2(&mut request);
        if is_websocket {
            http2_websocket::translate(&mut request);
        }
        let responding = match rejection {
            None => Either::Left(respond(request)),
            Some(rejection) => {
                refusals.record(&request, &rejection);
                Either::Right(future::ready(rejection.response()))
            }
        };
        responding.map(move |response| {
            let response = match is_websocket {
                true => http2_websocket::translate_response(response),
                false => without_forbidden_body(response, is_head),
            };
            Ok::<_, Infallible>(response.map(|body| StreamBody::new(body, stream)))
        })
    });
    let mut builder = Builder::new(streams.clone());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS)
        .max_header_list_size(u32::try_from(limits.max_header_size).unwrap_or(u32::MAX))
        .max_send_buf_size(MAX_PART)
        .enable_connect_protocol();
    if !limits.ping_interval.is_zero() {
        builder
            .keep_alive_interval(limits.ping_interval)
            .keep_alive_timeout(2 * limits.ping_interval);
    }
    let mut connection = pin!(builder.serve_connection(stream, service));
    let (header, idle) = (or_forever(limits.header_timeout), or_forever(limits.idle_timeout));
    // A client that does not confirm the end may still read a response, if there was one just now.
    let limit = tokio::select! {
        result = connection.as_mut() => return result,
        () = streams.flooded() => {
            warn_of_flood();
            return Ok(());
        }
        () = stop.cancelled() => or_forever(limits.send_timeout),
        () = streams.idle(header, idle) => header,
    };
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        result = connection.as_mut() => result,
        () = streams.flooded() => {
            warn_of_flood();
            Ok(())
        }
        () = streams.idle(limit, limit) => Ok(()),
    }
}

/// An attack may be worth a warning, and thousands of them are not.
fn warn_of_flood() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "a connection of HTTP/2 was closed: its client has reset more than 1000 requests; the next \
             ones are not logged"
        );
    });
}

/// Removes a body that a response must not have (RFC 9110, 9.3.2 and 15.3.5), as hyper does for HTTP/1.1.
fn without_forbidden_body(response: Response, is_head: bool) -> Response {
    if !is_head && !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    if let (true, Some(size)) = (is_head, body.size_hint().exact()) {
        parts.headers.entry(CONTENT_LENGTH).or_insert_with(|| size.into());
    }
    Response::from_parts(parts, Body::empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::header::UPGRADE;
    use bytes::Bytes;
    use h2::client::{ResponseFuture, SendRequest};
    use h2::{Reason, RecvStream};
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::super::client_socket::ClientSocket;
    use super::*;

    const LARGE: usize = 1 << 20;

    /// Connects to a server that responds with `ok`, at `/large` with a megabyte, and sends back what
    /// it gets in a WebSocket.
    fn socket() -> DuplexStream {
        let (client, server) = tokio::io::duplex(1 << 16);
        let respond = async |mut request: hyper::Request<Incoming>| {
            if request.headers().contains_key(UPGRADE) {
                let socket = hyper::upgrade::on(&mut request);
                tokio::spawn(async {
                    let socket = TokioIo::new(socket.await.expect("a WebSocket"));
                    let (mut reading, mut writing) = tokio::io::split(socket);
                    tokio::io::copy(&mut reading, &mut writing).await.expect("the end");
                    writing.shutdown().await.expect("it is open");
                });
                let mut response = Response::default();
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                return response;
            }
            let is_large = request.uri().path() == "/large";
            request.into_body().collect().await.expect("a whole body");
            Response::new(if is_large { Body::from(vec![b'x'; LARGE]) } else { Body::from("ok") })
        };
        let stop = CancellationToken::new();
        tokio::spawn(async move {
            let limits = ConnectionLimits::default();
            let (preface, refusals) = (Preface::default(), Refusals::default());
            serve(server.into_any(), preface, respond, &limits, stop, refusals).await
        });
        client
    }

    /// A client whose streams take no more than `window` bytes until they are read.
    async fn client(window: u32) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
        let mut builder = h2::client::Builder::new();
        let builder = builder.initial_window_size(window).initial_connection_window_size(1 << 24);
        let (client, connection) = builder.handshake(socket()).await.expect("it is HTTP/2");
        (client, tokio::spawn(connection))
    }

    async fn send(client: &SendRequest<Bytes>, path: &str) -> ResponseFuture {
        let mut client = client.clone().ready().await.expect("it is open");
        let request = hyper::Request::get(format!("http://localhost{path}")).body(());
        client.send_request(request.expect("a request"), true).expect("it is sent").0
    }

    async fn read(mut body: RecvStream) -> Result<usize, h2::Error> {
        let mut count = 0;
        while let Some(data) = body.data().await {
            let data = data?;
            count += data.len();
            body.flow_control().release_capacity(data.len())?;
        }
        Ok(count)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_ends_after_the_header_timeout() {
        let mut socket = socket();
        socket
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .expect("sent");
        let began = Instant::now();
        // It does not confirm the end of the connection either.
        socket.read_to_end(&mut Vec::new()).await.expect("the end");
        let limits = ConnectionLimits::default();
        assert_eq!(began.elapsed().as_secs(), (2 * limits.header_timeout).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_idle_after_a_request_ends_after_a_minute() {
        let (client, connection) = client(1 << 16).await;
        let response = send(&client, "/").await.await.expect("a response");
        assert_eq!(read(response.into_body()).await.expect("the body"), 2);
        let began = Instant::now();
        connection.await.expect("it ends").expect("without an error");
        assert_eq!(began.elapsed(), ConnectionLimits::default().idle_timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_its_client_does_not_read_is_reset_and_the_others_continue() {
        let (client, _connection) = client(1000).await;
        let stalled = send(&client, "/large").await.await.expect("a response").into_body();
        let whole = send(&client, "/large").await.await.expect("a response").into_body();
        assert_eq!(read(whole).await.expect("the body"), LARGE);
        let mut stalled = stalled;
        let began = Instant::now();
        let error = loop {
            // The received bytes are never released, so there is no room for more.
            match stalled.data().await.expect("it has no end") {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.reason(), Some(Reason::CANCEL));
        let waited = began.elapsed();
        let limit = ConnectionLimits::default().send_timeout;
        assert!(waited <= limit && waited + Duration::from_secs(1) > limit, "{waited:?}");
        let after = send(&client, "/").await.await.expect("a response");
        assert_eq!(read(after.into_body()).await.expect("the body"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_websocket_stays_open_while_it_is_silent() {
        let (client, connection) = client(1 << 16).await;
        send(&client, "/").await.await.expect("a response"); // the settings have arrived
        let mut client = client.ready().await.expect("it is open");
        let request = hyper::Request::connect("http://localhost/socket")
            .extension(h2::ext::Protocol::from_static("websocket"));
        let request = request.body(()).expect("a request");
        let (response, mut sending) = client.send_request(request, false).expect("it is sent");
        let response = response.await.expect("a response");
        assert_eq!(response.status(), StatusCode::OK);
        let mut receiving = response.into_body();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            sending.send_data("ping".into(), false).expect("it is open");
            assert_eq!(receiving.data().await.expect("data").expect("it is open"), "ping");
        }
        sending.send_data(Bytes::new(), true).expect("it is open");
        assert!(receiving.data().await.is_none_or(|data| data.expect("no error").is_empty()));
        let began = Instant::now();
        connection.await.expect("it ends").expect("without an error");
        assert_eq!(began.elapsed(), ConnectionLimits::default().idle_timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_resets_its_requests_again_and_again_loses_its_connection() {
        let (client, connection) = client(1000).await;
        let mut resets = 0;
        while let Ok(mut client) = client.clone().ready().await {
            let request = hyper::Request::get("http://localhost/large").body(());
            let sent = client.send_request(request.expect("a request"), true);
            let Ok((response, _)) = sent else { break };
            // Dropped before its end, which resets it.
            if response.await.is_err() {
                break;
            }
            resets += 1;
        }
        assert!((1000..1200).contains(&resets), "{resets}");
        let _ = connection.await.expect("it ends");
    }
}
