//! The data that crosses between Rust and Python, and between the core and its observers.
//!
//! Plain, owned data: no `PyObject`, no connection, no lock but a stream's. The console, the API and
//! `snaxum routes --format json` show these types as JSON.

mod body_start;
pub(crate) mod body_stream;
mod connection_addresses;
pub(crate) mod conversion;
mod delivery;
mod error_response;
mod file_body;
mod form;
mod library_call;
mod load_report;
mod profile;
mod reload;
mod request_head;
mod request_state;
pub(crate) mod request_stream;
mod route;
mod rust_build;
mod static_mount;
mod stream_content;
mod timing;
mod traceback;
mod websocket;
pub(crate) mod websocket_channel;
mod worker;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;

pub(crate) use body_start::BodyRecorder;
pub use body_start::{BodyStart, MAX_BODY_START};
pub use body_stream::{BodyReceiver, Chunk, EventHead};
pub(crate) use connection_addresses::ConnectionAddresses;
pub use conversion::ConversionError;
pub(crate) use delivery::Delivery;
pub use delivery::{DeliveryGuard, Ended};
pub use error_response::ErrorResponse;
pub use file_body::FileBody;
pub(crate) use file_body::Part;
pub use form::{FileContent, FilePart, Form, Stored};
pub use library_call::{CallSummary, LibraryCall, RepeatedCall};
pub use load_report::{
    LoadOutcome, LoadPhases, LoadReport, ModuleFailure, ModuleRun, RouteDiff, RouteRef, Secret,
};
pub use profile::{Profile, ProfiledCall, ProfiledLine, ProfiledSource};
pub use reload::{ContractDiff, Reload, nothing_to_reload, still_serving};
pub(crate) use request_head::HeadKind;
pub use request_head::{Head, header_texts};
pub use request_state::PythonState;
pub use request_stream::ChunkReceiver;
pub use route::{ANY_METHOD, Param, RUST, RouteBatch, RouteInfo, StreamedRoute};
pub use rust_build::{BuildPhases, CompiledCrate, RustBuild};
pub use static_mount::StaticMount;
pub use stream_content::{SentPiece, SentPieces, StreamContent};
pub use timing::{BlockingRequest, Phases, PoolTaskTime, PoolTime, Timestamps, ms, unix_ms};
pub use traceback::{ErrorSummary, Frame, Local, SourceLine, Traceback};
pub(crate) use websocket::Http2Handshake;
pub use websocket::{ABNORMAL, SocketClose, SocketMessage};
pub use websocket_channel::ConnectionEnd;
pub use worker::{WorkerChange, WorkerEvent};

/// A request on its way to Python.
#[derive(Debug)]
pub struct PythonRequest {
    /// Unique in this process, counted from 1.
    pub id: u64,
    /// Everything but the body.
    pub head: Head,
    /// The body.
    pub body: RequestBody,
}

/// The body of a request, as Python gets it. Cheap to clone.
#[derive(Clone, Debug)]
pub enum RequestBody {
    /// All of its bytes.
    Whole(Bytes),
    /// The parts of a multipart body.
    Form(Arc<Form>),
    /// The receiving end of a bounded channel: the body arrives while its handler runs.
    Stream(ChunkReceiver),
}

impl RequestBody {
    /// The chunks of a body that arrives while its handler runs.
    pub(crate) fn chunks(&self) -> Option<&ChunkReceiver> {
        match self {
            Self::Stream(chunks) => Some(chunks),
            _ => None,
        }
    }

    /// Frees the parts that live as long as the request.
    pub(crate) fn close(&self) {
        match self {
            Self::Whole(_) => {}
            Self::Form(form) => form.close(),
            Self::Stream(chunks) => chunks.close(),
        }
    }
}

/// The response of Python to a request.
#[derive(Debug)]
pub struct PythonResponse {
    /// The generation of user code that responded.
    pub generation: u64,
    /// Whether a route matched.
    pub is_routed: bool,
    /// Its [`RouteInfo::id`], if the request is observed.
    pub route: Option<Arc<str>>,
    /// The response, or a failure.
    pub outcome: HandlerOutcome,
    /// The exception that an error handler has responded to.
    pub raised: Option<Arc<Traceback>>,
    /// Set if the request is observed. Boxed, because it is large and most servers have none.
    pub timestamps: Option<Box<Timestamps>>,
    /// Set if Python waits until the response has been sent.
    pub delivery: Option<DeliveryGuard>,
}

/// A response, or the failure of its handler.
#[derive(Debug)]
pub enum HandlerOutcome {
    /// The value that the handler returned.
    Response {
        /// 200 to 599.
        status: u16,
        /// The content type, if it is not among the headers; of a 304, that of the client's copy.
        content_type: Option<HeaderValue>,
        /// Names in lower case.
        headers: Vec<(String, String)>,
        /// Complete or streamed.
        body: ResponseBody,
    },
    /// The handshake of a WebSocket succeeds; only for a request that asked for one.
    WebSocket(AcceptedSocket),
    /// Becomes an error page or a problem document, as the client accepts.
    Failure(ErrorResponse),
    /// No handler has run: that of the route needs the body before it starts.
    NeedsBody,
}

/// A WebSocket that its handler has accepted.
#[derive(Debug)]
pub struct AcceptedSocket {
    /// The generation of its handler.
    pub generation: u64,
    /// The [`RouteInfo::id`] of its route.
    pub route: String,
    /// The subprotocol, which the client has offered.
    pub subprotocol: Option<String>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The connection's end of its channel.
    pub channel: ConnectionEnd,
}

/// The body of a response.
#[derive(Debug)]
pub enum ResponseBody {
    /// The whole body.
    Full(Bytes),
    /// The receiving end of a bounded channel of chunks.
    Stream(BodyReceiver),
    /// A file, or parts of it.
    File(FileBody),
}

/// A request that begins, borrowed by observers.
#[derive(Clone, Copy, Debug)]
pub struct StartRecord<'a> {
    /// As in the `x-request-id` header.
    pub id: u64,
    /// When the head had been read.
    pub time: SystemTime,
    /// Method, path and headers.
    pub head: &'a Head,
}

/// A request that has ended, borrowed by observers.
#[derive(Clone, Copy, Debug)]
pub struct RequestRecord<'a> {
    /// As in the `x-request-id` header.
    pub id: u64,
    /// When the head had been read.
    pub time: SystemTime,
    /// Method, path and headers.
    pub head: &'a Head,
    /// Its body; `None` if it could not be read.
    pub request_body: Option<&'a BodyStart>,
    /// The body of the response; `None` if it is a stream or a large file, or
    /// not from the handler.
    pub response_body: Option<&'a Bytes>,
    /// The headers of the response.
    pub response_headers: &'a HeaderMap,
    /// The status of the response; [`CLIENT_CLOSED_REQUEST`] if the client has disconnected.
    pub status: u16,
    /// The generation that responded; `None` if Python was not reached.
    pub generation: Option<u64>,
    /// The route that matched.
    pub route: Option<&'a str>,
    /// From the head to the response.
    pub total: Duration,
    /// The phases of that time.
    pub phases: Phases,
    /// The CPU time of the handler, if it was measured; it waited for the rest of `phases.py`.
    pub cpu_time: Option<Duration>,
    /// The requests that occupied the threads while it was queued, longest first.
    pub blockers: &'a [BlockingRequest],
    /// Its tasks in the process pool.
    pub pool: Option<PoolTime>,
    /// The exception of the handler.
    pub traceback: Option<&'a Arc<Traceback>>,
    /// Whether the response is a stream, whose end is a [`StreamEndRecord`].
    pub is_stream: bool,
    /// The body of the stream, which is filled while it is sent and an observer shares it.
    pub stream: Option<&'a Arc<StreamContent>>,
}

/// The end of a streamed response.
#[derive(Clone, Copy, Debug)]
pub struct StreamEndRecord {
    /// The [`RequestRecord::id`] of its request.
    pub request: u64,
    /// From the head of the request to the first bytes of the body; `None` if there were none.
    pub first_byte: Option<Duration>,
    /// From the head of the request to the end of the body.
    pub total: Duration,
    /// The number of chunks.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The reason for its end.
    pub end: StreamEnd,
}

/// The reason for the end of a streamed response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The handler, with a complete body.
    Complete,
    /// An exception, or a server that stops.
    Aborted,
    /// The client has disconnected.
    ClientLeft,
}

/// A message of a WebSocket, borrowed by observers.
#[derive(Clone, Copy, Debug)]
pub struct SocketMessageRecord<'a> {
    /// The [`RequestRecord::id`] of its handshake.
    pub request: u64,
    /// The [`RouteInfo::id`] of its route.
    pub route: &'a str,
    /// The generation of its handler.
    pub generation: u64,
    /// Counts the messages in both directions, from 1.
    pub number: u64,
    /// When it was received or sent.
    pub time: SystemTime,
    /// Whether the client sent it.
    pub is_incoming: bool,
    /// Its content.
    pub message: &'a SocketMessage,
}

/// The end of a WebSocket and of its handler, borrowed by observers.
#[derive(Clone, Copy, Debug)]
pub struct SocketCloseRecord<'a> {
    /// The [`RequestRecord::id`] of its handshake.
    pub request: u64,
    /// Its path.
    pub head: &'a Head,
    /// The [`RouteInfo::id`] of its route.
    pub route: &'a str,
    /// The generation of its handler.
    pub generation: u64,
    /// When both had ended.
    pub time: SystemTime,
    /// From the handshake to that time.
    pub total: Duration,
    /// Why it was closed.
    pub close: &'a SocketClose,
    /// The number of messages from the client.
    pub received: u64,
    /// The number of messages to the client.
    pub sent: u64,
    /// The exception of the handler.
    pub traceback: Option<&'a Arc<Traceback>>,
}

/// The status of a request whose client has disconnected before the response, as in nginx's log. No
/// client receives it.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The record, or the code, that has written a line.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineOrigin<'a> {
    /// The level of the record of `logging`, in lower case.
    pub level: Option<&'a str>,
    /// The name of its logger.
    pub logger: Option<&'a str>,
    /// The file of the user's code, relative to the project.
    pub file: Option<&'a str>,
    /// The line in it.
    pub file_line: Option<u32>,
}

/// A line that code has printed or logged, borrowed by observers.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    /// When it ended.
    pub time: SystemTime,
    /// The [`RequestRecord::id`] it was written for.
    pub request: Option<u64>,
    /// The [`Reload::id`](crate::event::ReloadRecord::id) of the load that wrote it.
    pub reload: Option<u64>,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// Without the line break; truncated, with secrets redacted.
    pub line: &'a str,
    /// The record of `logging`, and the place in the user's code.
    pub origin: LineOrigin<'a>,
}
