//! WebSockets: the handshake, and the connection that carries a handler's messages.
//!
//! A handshake is a request like any other until Python accepts it. From then on the connection
//! passes messages between the client and the bounded channel of its handler; it responds to pings,
//! sends its own, and closes with a code for the reason. Never matches a route.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use axum::body::Body as HttpBody;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response as HttpResponse;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use super::timed_writes::TimedWrites;
use crate::event::{Event, HANDLED_TRACEBACK};
use crate::message::websocket_channel::Outgoing;
use crate::message::{
    ABNORMAL, AcceptedSocket, ConnectionEnd, ErrorResponse, Head, Http2Handshake, SocketClose,
    SocketCloseRecord, SocketMessage, SocketMessageRecord, Traceback,
};
use crate::problem;
use crate::python_runtime::PythonRuntime;
use crate::server::{ConnectionGuard, UnlimitedWrites};

/// How long a client may take to accept a close frame, and to reply to it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a handler may take to notice that its WebSocket is closed, before it is cancelled.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(30);
/// The same while the server stops.
const STOP_NOTICE_TIMEOUT: Duration = Duration::from_secs(1);
/// A client that sends nothing for so many pings is disconnected.
const MISSED_PINGS: u32 = 3;
/// Bytes of the buffers of a connection, in each direction.
const BUFFER: usize = 8 * 1024;

const SERVICE_RESTART: u16 = 1012;
const NO_STATUS: u16 = 1005;

type Stream = WebSocketStream<TimedWrites<TokioIo<Upgraded>>>;

/// The handshake of a client that asks for a WebSocket.
pub(super) struct Handshake {
    key: HeaderValue,
    on_upgrade: OnUpgrade,
    guard: Option<ConnectionGuard>,
    /// Whether the time of a write is limited here.
    is_limited: bool,
}

impl Handshake {
    /// Takes the handshake out of a request; `None` if it asks for none, or not correctly: then it is
    /// an ordinary request.
    pub(super) fn take(parts: &mut Parts) -> Option<Box<Self>> {
        // Also out of an ordinary request: its handler may store the head.
        let guard = parts.extensions.remove::<ConnectionGuard>();
        let is_unlimited = parts.extensions.get::<UnlimitedWrites>().is_some();
        let headers = &parts.headers;
        let is = |name: HeaderName, value: &str| {
            headers
                .get(name)
                .is_some_and(|each| each.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
        };
        let asks = parts.method == Method::GET
            && is(UPGRADE, "websocket")
            && has_token(headers, CONNECTION, "upgrade")
            && is(SEC_WEBSOCKET_VERSION, "13");
        let key = headers.get(SEC_WEBSOCKET_KEY).filter(|_| asks)?.clone();
        let on_upgrade = parts.extensions.remove::<OnUpgrade>()?;
        let is_http2 = parts.extensions.get::<Http2Handshake>().is_some();
        if is_http2 {
            // The client has not sent these.
            drop([UPGRADE, CONNECTION, SEC_WEBSOCKET_KEY].map(|name| parts.headers.remove(name)));
        }
        // A connection of HTTP/1 of our own has a limit itself; a stream of HTTP/2 has not.
        let is_limited = (guard.is_none() || is_http2) && !is_unlimited;
        Some(Box::new(Self { key, on_upgrade, guard, is_limited }))
    }

    /// Completes the handshake, and serves the WebSocket once the response is sent.
    pub(super) fn accept(
        self,
        runtime: &Arc<PythonRuntime>,
        id: u64,
        head: &Head,
        accepted: AcceptedSocket,
    ) -> Result<HttpResponse, ErrorResponse> {
        let AcceptedSocket { generation, route, subprotocol, headers, channel } = accepted;
        let invalid = |detail| ErrorResponse { status: 500, detail, ..ErrorResponse::default() };
        let mut response = HttpResponse::new(HttpBody::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        for (name, value) in &headers {
            if let Some((name, value)) = problem::parse_header(name, value).map_err(invalid)? {
                response.headers_mut().append(name, value);
            }
        }
        let mut set = |name, value| response.headers_mut().insert(name, value);
        if let Some(subprotocol) = subprotocol {
            let value = HeaderValue::from_str(&subprotocol);
            let value =
                value.map_err(|_| invalid(format!("{subprotocol:?} is not a subprotocol")))?;
            set(SEC_WEBSOCKET_PROTOCOL, value);
        }
        let accept = derive_accept_key(self.key.as_bytes());
        set(SEC_WEBSOCKET_ACCEPT, HeaderValue::try_from(accept).expect("base64"));
        set(CONNECTION, HeaderValue::from_static("upgrade"));
        set(UPGRADE, HeaderValue::from_static("websocket"));

        let connection = SocketConnection {
            runtime: Arc::clone(runtime),
            id,
            head: head.clone(),
            generation,
            route,
            channel,
            began: Instant::now(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            silent_pings: AtomicU32::new(0),
            is_full: AtomicBool::new(false),
        };
        let Self { on_upgrade, guard, is_limited, .. } = self;
        // A server of someone else does not wait for it, so the runtime does.
        let token = guard.is_none().then(|| runtime.socket_token());
        let send_timeout = if is_limited { runtime.config().send_timeout } else { Duration::ZERO };
        tokio::spawn(async move {
            match on_upgrade.await {
                Ok(upgraded) => connection.serve(upgraded, send_timeout).await,
                // The client has left before.
                Err(_) => drop(connection.channel.end(abnormal())),
            }
            connection.end_handler().await;
            drop((guard, token)); // the server waits for the handler before it stops Python
        });
        Ok(response)
    }
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|each| each.trim().eq_ignore_ascii_case(token))
}

async fn open(upgraded: Upgraded, max_message_size: usize, send_timeout: Duration) -> Stream {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(Some(max_message_size))
        .max_frame_size(Some(max_message_size));
    let connection = TimedWrites::new(TokioIo::new(upgraded), send_timeout);
    WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await
}

/// An open WebSocket.
struct SocketConnection {
    runtime: Arc<PythonRuntime>,
    id: u64,
    head: Head,
    generation: u64,
    route: String,
    channel: ConnectionEnd,
    began: Instant,
    /// The numbers of messages.
    received: AtomicU64,
    sent: AtomicU64,
    /// The number of pings since the last frame of the client.
    silent_pings: AtomicU32,
    /// Whether nothing is read, because the handler does not.
    is_full: AtomicBool,
}

/// Why messages are no longer passed.
enum SocketEnd {
    /// The client has sent a close frame, or disconnected.
    ByClient,
    /// The client no longer reads.
    Gone,
    /// The client has sent something invalid.
    Invalid(SocketClose),
    /// A close frame was sent.
    Closed,
}

impl SocketConnection {
    /// Passes messages until one side closes, then closes the connection.
    async fn serve(&self, upgraded: Upgraded, send_timeout: Duration) {
        let max_message_size = self.runtime.config().max_message_size;
        let stream = open(upgraded, max_message_size, send_timeout).await;
        let (mut sink, mut stream) = stream.split();
        let ended = tokio::select! {
            ended = self.receive(&mut stream) => ended,
            is_sent = self.send(&mut sink) => {
                if is_sent { SocketEnd::Closed } else { SocketEnd::Gone }
            }
            () = self.watch() => SocketEnd::Gone,
        };
        let closing = async {
            match ended {
                SocketEnd::ByClient => self.channel.close(abnormal()),
                SocketEnd::Gone => return self.channel.close(abnormal()),
                SocketEnd::Invalid(close) => {
                    self.channel.close(close.clone());
                    let _ = sink.send(close_frame(close)).await;
                }
                SocketEnd::Closed => {}
            }
            // Sends the reply to the client's close, or waits for the reply of the client.
            while let Some(Ok(_)) = stream.next().await {}
            let mut stream = sink.reunite(stream).expect("both are from one stream");
            // Reads what the client still sends: otherwise the close might not reach it.
            let _ = stream.get_mut().shutdown().await;
        };
        let _ = timeout(CLOSE_TIMEOUT, closing).await;
        self.channel.end(abnormal());
    }

    /// Passes the client's messages to the handler.
    async fn receive(&self, stream: &mut SplitStream<Stream>) -> SocketEnd {
        loop {
            self.is_full.store(true, Ordering::Relaxed);
            self.channel.room().await;
            self.is_full.store(false, Ordering::Relaxed);
            let received = stream.next().await;
            self.silent_pings.store(0, Ordering::Relaxed);
            let message = match received {
                Some(Ok(Message::Text(text))) => SocketMessage::Text(text),
                Some(Ok(Message::Binary(bytes))) => SocketMessage::Binary(bytes),
                Some(Ok(Message::Close(frame))) => {
                    let (code, reason) = frame.map_or((NO_STATUS, String::new()), |frame| {
                        (frame.code.into(), frame.reason.as_str().to_owned())
                    });
                    self.channel.close(SocketClose { code, reason, by: "client" });
                    return SocketEnd::ByClient;
                }
                Some(Ok(_)) => continue, // the next read sends the pong
                Some(Err(error)) => match close_of(&error) {
                    Some(close) => return SocketEnd::Invalid(close),
                    None => return SocketEnd::ByClient,
                },
                None => return SocketEnd::ByClient,
            };
            self.received.fetch_add(1, Ordering::Relaxed);
            self.observe(true, &message);
            self.channel.receive(message);
        }
    }

    /// Sends the handler's messages, and the close frame after them; false if the client has
    /// disconnected.
    async fn send(&self, sink: &mut SplitSink<Stream, Message>) -> bool {
        loop {
            let sent = match self.channel.next().await {
                Outgoing::Message(message) => {
                    self.sent.fetch_add(1, Ordering::Relaxed);
                    self.observe(false, &message);
                    let fed = sink.feed(match message {
                        SocketMessage::Text(text) => Message::Text(text),
                        SocketMessage::Binary(bytes) => Message::Binary(bytes),
                    });
                    match fed.await {
                        // Messages that wait are sent together.
                        Ok(()) if self.channel.has_next() => Ok(()),
                        Ok(()) => sink.flush().await,
                        Err(error) => Err(error),
                    }
                }
                Outgoing::Ping => sink.send(Message::Ping(Default::default())).await,
                Outgoing::Close(close) => return sink.send(close_frame(close)).await.is_ok(),
            };
            if sent.is_err() {
                return false;
            }
        }
    }

    /// Pings the client, and closes as the server stops. Returns when the client counts as gone.
    async fn watch(&self) {
        let stopping = self.runtime.stopping();
        let every = self.runtime.config().ping_interval;
        let pinging = async {
            if every.is_zero() {
                return std::future::pending().await;
            }
            loop {
                tokio::time::sleep(every).await;
                // While nothing is read, its pongs are not, either. While a message is on its way to a
                // slow client, no ping is sent; if it reads nothing, the send timeout ends the write.
                let counts = self.channel.ping() && !self.is_full.load(Ordering::Relaxed);
                if counts && self.silent_pings.fetch_add(1, Ordering::Relaxed) == MISSED_PINGS {
                    return;
                }
            }
        };
        let stop = async {
            stopping.cancelled().await;
            let reason = "the server restarts".to_owned();
            self.channel.close(SocketClose { code: SERVICE_RESTART, reason, by: "server" });
            tokio::time::sleep(CLOSE_TIMEOUT).await;
        };
        tokio::select! {
            () = pinging => {}
            () = stop => {}
        }
    }

    /// Waits for the end of the handler; cancels it if it does not notice that it is closed.
    async fn end_handler(&self) {
        let stopping = self.runtime.stopping();
        let cancel = async {
            let stopped = async {
                stopping.cancelled().await;
                tokio::time::sleep(STOP_NOTICE_TIMEOUT).await;
            };
            let _ = timeout(NOTICE_TIMEOUT, stopped).await;
            if !self.channel.is_noticed() {
                self.runtime.cancel(self.id);
            }
            std::future::pending().await
        };
        let traceback: Option<Arc<Traceback>> = tokio::select! {
            traceback = self.channel.handler_end() => traceback.map(Arc::from),
            () = cancel => None,
        };
        if let Some(traceback) = &traceback {
            let (id, text) = (self.id, &traceback.text);
            tracing::error!(target: HANDLED_TRACEBACK, "WebSocket {id}: the handler raised\n{text}");
        }
        let close = self.channel.end(abnormal());
        self.runtime.events().emit(|| {
            Event::SocketClose(SocketCloseRecord {
                request: self.id,
                head: &self.head,
                route: &self.route,
                generation: self.generation,
                time: SystemTime::now(),
                total: self.began.elapsed(),
                close: &close,
                received: self.received.load(Ordering::Relaxed),
                sent: self.sent.load(Ordering::Relaxed),
                traceback: traceback.as_ref(),
            })
        });
    }

    fn observe(&self, is_incoming: bool, message: &SocketMessage) {
        self.runtime.events().emit(|| {
            Event::SocketMessage(SocketMessageRecord {
                request: self.id,
                route: &self.route,
                generation: self.generation,
                number: self.received.load(Ordering::Relaxed) + self.sent.load(Ordering::Relaxed),
                time: SystemTime::now(),
                is_incoming,
                message,
            })
        });
    }
}

fn abnormal() -> SocketClose {
    SocketClose { code: ABNORMAL, reason: String::new(), by: "client" }
}

fn close_frame(close: SocketClose) -> Message {
    Message::Close(Some(CloseFrame { code: close.code.into(), reason: close.reason.into() }))
}

/// Returns the close for an unreadable message; `None` if the client has disconnected.
fn close_of(error: &tungstenite::Error) -> Option<SocketClose> {
    use tungstenite::Error;
    use tungstenite::error::ProtocolError::{InvalidCloseSequence, ResetWithoutClosingHandshake};
    let (code, reason) = match error {
        Error::Capacity(_) => (1009, "the message is too large"),
        Error::Utf8(_) => (1007, "the text is not UTF-8"),
        Error::Protocol(ResetWithoutClosingHandshake | InvalidCloseSequence) => return None,
        Error::Protocol(_) => (1002, "invalid WebSocket frame"),
        _ => return None,
    };
    Some(SocketClose { code, reason: reason.to_owned(), by: "server" })
}
