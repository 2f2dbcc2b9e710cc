//! What crosses between Rust and Python, and between the core and whoever observes it.
//!
//! Plain, owned data: no `PyObject`, no connection, no lock but a stream's. The JSON of these types
//! is what the console, the API and `snaxum routes --format json` show.

mod head;
mod load;
pub(crate) mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use head::{Head, header_texts};
pub use load::{
    LoadOutcome, LoadPhases, LoadReport, ModuleFailure, ModuleRun, RouteDiff, RouteRef, Secret,
};
pub use stream::{Piece, Pieces};

/// A request on its way to Python, its body read to the end.
#[derive(Debug)]
pub struct Request {
    /// Unique in this process, counted from 1.
    pub id: u64,
    /// Everything but the body.
    pub head: Head,
    /// The whole body.
    pub body: Bytes,
}

/// What Python made of a request.
#[derive(Debug)]
pub struct Answer {
    /// The generation of user code that answered.
    pub generation: u64,
    /// The [`RouteInfo::id`] that matched, if one did.
    pub route: Option<String>,
    /// The answer itself.
    pub outcome: Outcome,
    /// When what happened, where somebody wants to know.
    pub marks: Option<Marks>,
}

/// A response, or what kept the handler from giving one.
#[derive(Debug)]
pub enum Outcome {
    /// What the handler returned.
    Response {
        /// 200 to 599.
        status: u16,
        /// `content-type`, where it is not among the headers.
        content_type: Option<HeaderValue>,
        /// Names in lower case.
        headers: Vec<(String, String)>,
        /// Whole or in pieces.
        body: Body,
    },
    /// Becomes an error page or a problem document, whichever the client reads.
    Failure(Failure),
}

/// The body of a response.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Full(Bytes),
    /// Piece by piece; their bound is the back-pressure.
    Stream(Pieces),
}

/// An answer that is an error (RFC 9457).
#[derive(Debug, Default)]
pub struct Failure {
    /// 400 to 599.
    pub status: u16,
    /// One sentence for the client; empty for an exception, whose text stays inside.
    pub detail: String,
    /// Besides the content type.
    pub headers: Vec<(String, String)>,
    /// Where a handler raised.
    pub traceback: Option<Box<Traceback>>,
}

/// When a request passed which point; phases are the differences.
#[derive(Debug)]
pub struct Marks {
    /// Put in the queue.
    pub queued: Instant,
    /// Taken by a dispatch worker; begun, if it is not the worker that runs the handler.
    pub taken: Instant,
    /// Its thread held the interpreter.
    pub attached: Instant,
    /// The handler returned.
    pub returned: Instant,
    /// The result was turned into a response.
    pub converted: Instant,
    /// Whether the dispatch worker itself runs the handler.
    pub is_on_worker: bool,
    /// What the worker's thread had computed when the handler began.
    pub computed_before: Duration,
    /// What the handler computed itself, where that was measured.
    pub computed: Option<Duration>,
    /// Who held the threads while it was queued.
    pub holders: Vec<Holder>,
}

impl Marks {
    /// All at `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            queued: now,
            taken: now,
            attached: now,
            returned: now,
            converted: now,
            is_on_worker: true,
            computed_before: Duration::ZERO,
            computed: None,
            holders: Vec::new(),
        }
    }
}

/// A request that held a Python thread while another one waited.
#[derive(Clone, Debug)]
pub struct Holder {
    /// As in its `x-request-id` header.
    pub id: u64,
    /// `GET`.
    pub method: String,
    /// Percent-decoded.
    pub path: String,
    /// For how long, of the time that the other one waited.
    pub time: Duration,
}

/// An exception as data; terminal, page and console each draw it their own way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Traceback {
    /// Qualified with its module, unless builtin.
    #[serde(rename = "type")]
    pub kind: String,
    /// `str()` of the exception.
    pub message: String,
    /// A way out, where one is known.
    pub hint: Option<String>,
    /// `__notes__` (PEP 678).
    pub notes: Vec<String>,
    /// Oldest first, without those of the framework.
    pub frames: Vec<Frame>,
    /// What it was raised from, or while handling.
    pub cause: Option<Box<Traceback>>,
    /// `cause` (`raise … from`) or `context`.
    pub relation: Option<String>,
    /// Those of an exception group (PEP 654), the first few.
    #[serde(default)]
    pub exceptions: Vec<Traceback>,
    /// The lines that Python itself would print.
    #[serde(default)]
    pub text: String,
}

/// One line of a traceback.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Frame {
    /// Relative to the project where it lies below it.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// 1-based (PEP 657).
    pub end_line: Option<u32>,
    /// 0-based, in characters.
    pub column: Option<u32>,
    /// 0-based, exclusive.
    pub end_column: Option<u32>,
    /// Qualified within its module.
    pub function: String,
    /// Whether it is the user's own code.
    pub user: bool,
    /// The lines around, as they were when the code was loaded.
    pub source: Vec<SourceLine>,
    /// Names and bounded `repr`s, secrets masked; empty outside dev mode.
    pub locals: Vec<Local>,
}

/// A line of source with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SourceLine {
    /// 1-based.
    pub line: u32,
    /// Without the line break.
    pub text: String,
}

/// A local variable as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Local {
    /// Its name.
    pub name: String,
    /// Its `repr`, cut and masked.
    pub value: String,
}

impl Traceback {
    /// The deepest frame in the user's own code, or the deepest at all.
    pub fn culprit(&self) -> Option<&Frame> {
        self.frames.iter().rev().find(|frame| frame.user).or(self.frames.last())
    }
}

/// An exception in short: what a line can say of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ErrorSummary {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its text.
    pub message: String,
    /// Where the deepest frame of the user's own code was, or the deepest at all.
    pub file: Option<String>,
    /// 1-based.
    pub line: Option<u32>,
    /// Qualified within its module.
    pub function: Option<String>,
    /// The text of that line.
    pub source: Option<String>,
    /// The first variables that the line names, cut and masked.
    pub locals: Vec<Local>,
}

impl ErrorSummary {
    const MAX_LOCALS: usize = 2;
    /// Characters of one of them.
    const MAX_VALUE: usize = 40;
}

impl From<&Traceback> for ErrorSummary {
    fn from(raised: &Traceback) -> Self {
        let (kind, message) = (raised.kind.clone(), raised.message.clone());
        let Some(frame) = raised.culprit() else {
            return Self { kind, message, ..Self::default() };
        };
        let line = frame.source.iter().find(|source| source.line == frame.line);
        let source = line.map_or("", |line| line.text.trim());
        let names: Vec<&str> = source.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        let on_line = frame.locals.iter().filter(|local| names.contains(&&*local.name));
        let cut = |local: &Local| {
            let mut value: String = local.value.chars().take(Self::MAX_VALUE).collect();
            if value.len() < local.value.len() {
                value.push('…');
            }
            Local { name: local.name.clone(), value }
        };
        Self {
            kind,
            message,
            file: Some(frame.file.clone()),
            line: Some(frame.line),
            function: Some(frame.function.clone()),
            source: line.map(|_| source.to_owned()),
            locals: on_line.take(Self::MAX_LOCALS).map(cut).collect(),
        }
    }
}

/// A route as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteInfo {
    /// The version of this object's shape.
    pub v: u32,
    /// Stable for a method and path across generations.
    pub id: String,
    /// As declared, sorted.
    pub methods: Vec<String>,
    /// As written: `/users/<int:id>`.
    pub path: String,
    /// As axum writes it: `/users/{id}`.
    pub pattern: String,
    /// The path's parameters, in order.
    pub params: Vec<Param>,
    /// `module.function`.
    pub handler: String,
    /// The handler's module.
    pub module: String,
    /// Relative to the project.
    pub file: String,
    /// 1-based, of the first decorator.
    pub line: u32,
    /// 1-based.
    pub end_line: u32,
    /// The handler's docstring.
    pub doc: Option<String>,
    /// Whether it takes the process pool.
    pub pool: bool,
    /// Whether it is an `async def`.
    #[serde(rename = "async")]
    pub is_async: bool,
    /// `in-thread`, `async` or `process pool`.
    pub mode: String,
    /// Whether nothing of what it gets and gives is kept, or shown.
    #[serde(default)]
    pub no_capture: bool,
    /// What is odd about it.
    pub warnings: Vec<String>,
    /// The generation that serves it.
    pub generation: u64,
}

/// A parameter of a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Param {
    /// The key in `request.path_params`.
    pub name: String,
    /// The converter.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A finished request, lent to observers.
#[derive(Clone, Copy, Debug)]
pub struct RequestRecord<'a> {
    /// As in the `x-request-id` header.
    pub id: u64,
    /// When the head had been read.
    pub time: SystemTime,
    /// What was asked.
    pub head: &'a Head,
    /// Its body; `None` if it could not be read.
    pub request_body: Option<&'a Bytes>,
    /// The answer's body; `None` if it is a stream, or not the handler's.
    pub response_body: Option<&'a Bytes>,
    /// The answer's headers.
    pub response_headers: &'a HeaderMap,
    /// The answer's status.
    pub status: u16,
    /// The generation that answered; `None` if Python was not reached.
    pub generation: Option<u64>,
    /// The route that matched.
    pub route: Option<&'a str>,
    /// From the head to the answer.
    pub total: Duration,
    /// Where that time went.
    pub phases: Phases,
    /// What the handler computed itself, where that was measured; the rest of `phases.py` it waited.
    pub computed: Option<Duration>,
    /// Who held the threads while it was queued, the longest first.
    pub holders: &'a [Holder],
    /// What the handler raised.
    pub traceback: Option<&'a Arc<Traceback>>,
}

/// A line that code has printed or logged, lent to observers.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    /// When it ended.
    pub time: SystemTime,
    /// The [`RequestRecord::id`] it was written for.
    pub request: Option<u64>,
    /// The [`Reload::id`](crate::event::Reload::id) of the load that wrote it.
    pub reload: Option<u64>,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// Without its end; secrets masked, cut.
    pub line: &'a str,
}

/// Where the time of a request went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Phases {
    /// Reading the body, and waiting for a reload to settle.
    pub read: f64,
    /// Waiting for a thread to run on: a dispatch worker, the asyncio loop.
    pub queue: f64,
    /// Waiting for the interpreter.
    pub gil: f64,
    /// In the handler.
    pub py: f64,
    /// Turning its result into a response.
    pub convert: f64,
    /// Handing the response over to its connection; of a stream, its head.
    #[serde(default)]
    pub send: f64,
}

/// Milliseconds, as all that is shown to people and tools gives durations.
pub(crate) fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
