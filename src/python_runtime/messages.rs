//! The messages that the runtime's threads receive, and their replies.
//!
//! Plain data and reply channels; no thread reads them here.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::oneshot;

use crate::event::ReloadRecord;
use crate::message::{LoadReport, PythonRequest, Timestamps};

use super::in_flight::InFlightGuard;
use super::queue::Queue;
use super::reply::Reply;

/// A request on its way to a dispatch worker.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) request: PythonRequest,
    pub(crate) reply: Reply,
    /// Set if the request is observed.
    pub(crate) timestamps: Option<Box<Timestamps>>,
    /// Set in dev mode.
    pub(crate) in_flight_guard: Option<InFlightGuard>,
}

/// Requests that wait for a dispatch worker.
pub(crate) type Calls = Queue<Box<Call>>;

/// Everything the runtime thread can be asked to do.
pub(crate) enum Control {
    Reload {
        paths: Option<Vec<PathBuf>>,
        is_partial: bool,
        scope: ReloadScope,
        on_begin: OnBegin,
        newer: NewerPaths,
        reply: mpsc::SyncSender<Result<ReloadReply, String>>,
    },
    Describe {
        what: &'static str,
        about: Vec<String>,
        reply: oneshot::Sender<serde_json::Value>,
    },
    Explain {
        method: String,
        path: String,
        reply: mpsc::SyncSender<Result<serde_json::Value, String>>,
    },
    /// Makes the OpenAPI document, in a thread of its own.
    OpenApi {
        reply: mpsc::SyncSender<Result<OpenApiText, String>>,
    },
    /// Runs pytest with these arguments; the reply is its exit code.
    RunTests {
        args: Vec<String>,
        reply: oneshot::Sender<Result<i32, String>>,
    },
    /// Responds once the runtime thread has the interpreter.
    Probe {
        reply: oneshot::Sender<()>,
    },
    Shutdown {
        timeout: Duration,
        /// Sent when no module loads any more.
        began: oneshot::Sender<()>,
        reply: oneshot::Sender<()>,
    },
}

/// The OpenAPI document of a generation.
#[derive(Clone, Debug)]
pub struct OpenApiText {
    /// The generation that it describes.
    pub generation: u64,
    /// JSON.
    pub text: String,
}

/// Called when Python knows that a reload has something to do.
pub(crate) type OnBegin = Box<dyn Fn() + Send + Sync>;

/// Returns the files that changed since a reload began; `None` if any file may have changed. With false,
/// only files that belong to the same save count. May wait about a millisecond for them.
pub type NewerPaths = Box<dyn Fn(bool) -> Option<Vec<PathBuf>> + Send + Sync>;

/// The outcome of a request to reload, as Python returns it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReloadReply {
    /// The files have the content that was last tried.
    Unchanged,
    /// A file does not parse, and may be half written.
    Held,
    /// A file changed again while the modules ran.
    Overtaken,
    Report(Box<LoadReport>),
}

/// The input of a reload.
#[derive(Clone, Debug)]
pub struct ReloadParams {
    /// `save`, or `manual` for a reload on request.
    pub cause: &'static str,
    /// How much is to run.
    pub scope: ReloadScope,
    /// The files that were written, made or removed; `None` if any file may have changed.
    pub paths: Option<Vec<PathBuf>>,
    /// When the first of them changed.
    pub since: Instant,
    /// Whether a file may be half written: a syntax error is then [`ReloadOutcome::Held`].
    pub is_partial: bool,
    /// Whether the start of this reload was already reported: an attempt was overtaken.
    pub is_repeated: bool,
}

/// How much a reload runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReloadScope {
    /// The dependents of the change, if it differs from the last attempt.
    #[default]
    New,
    /// The dependents of the change, even after an attempt with the same files: the environment may
    /// differ now.
    Differing,
    /// All modules, even if no file has changed.
    All,
}

impl ReloadScope {
    /// Its name in Python.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Differing => "differing",
            Self::All => "all",
        }
    }
}

/// The outcome of a reload.
#[derive(Clone, Debug)]
pub enum ReloadOutcome {
    /// The files have the content that was last tried: no reload, and no event.
    Unchanged,
    /// A file does not parse, and may be half written: nothing was done; try again later.
    Held,
    /// Files changed again while the modules ran: nothing was done; the changes belong to one save.
    Overtaken,
    /// The modules were loaded, successfully or not.
    Reloaded(Arc<ReloadRecord>),
}
