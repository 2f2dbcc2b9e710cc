//! A reload as the console, the API, the terminal and `snaxum tail` show it.
//!
//! Plain data; the conversion from a record is in `event.rs`.

use serde::{Deserialize, Serialize};

use super::load_report::{LoadOutcome, LoadPhases, ModuleRun, RouteDiff};
use super::traceback::{ErrorSummary, Traceback};

/// One attempt to load the user's modules, as people and tools see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reload {
    /// Counted from 1.
    pub id: u64,
    /// When it began.
    pub time_ms: u64,
    /// The generation that serves afterwards.
    pub generation: u64,
    /// `ok`, `failed`, or `noop` where nothing had to run.
    pub outcome: LoadOutcome,
    /// `start`, `save`, or `manual` for a reload on request.
    pub cause: String,
    /// How much ran again: `none`, `lines`, `dependents`, `all` or `restart`.
    pub strategy: String,
    /// Why it was not less; empty if only the dependents of the change ran.
    pub reason: String,
    /// The files that changed.
    pub files: Vec<String>,
    /// The modules that ran, in order.
    pub modules: Vec<ModuleRun>,
    /// The duration of each phase.
    pub phases: LoadPhases,
    /// From the first file event to the end.
    pub total_ms: f64,
    /// The changes of the route table.
    pub diff: RouteDiff,
    /// `module.NAME` of each value that was reset although it had changed since its module ran.
    pub state_reset: Vec<String>,
    /// Code that a reload does not support, and how to change it; each is reported once.
    pub warnings: Vec<String>,
    /// Other remarks.
    pub notes: Vec<String>,
    /// The exception of the first module that did not load.
    pub traceback: Option<Traceback>,
    /// The exceptions of the other modules that did not load.
    pub others: Vec<ErrorSummary>,
}
