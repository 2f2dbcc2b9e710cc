//! A reload as everything shows it: the console, the API, the terminal and `snaxum tail`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ErrorSummary, LoadOutcome, LoadPhases, ModuleRun, RouteDiff, Traceback, ms, unix_ms};
use crate::event;

/// One attempt to load the user's modules, as it is told to people and tools.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reload {
    /// Counted from 1.
    pub id: u64,
    /// When it began.
    pub time_ms: u64,
    /// That serves afterwards.
    pub generation: u64,
    /// `ok`, `failed`, or `noop` where nothing had to run.
    pub outcome: LoadOutcome,
    /// `start`, `save`, or `manual` if somebody asked for it by hand.
    pub cause: String,
    /// How much ran again: `none`, `lines`, `dependents`, `all` or `restart`.
    pub strategy: String,
    /// Why not less; empty if only the dependents of the change ran.
    pub reason: String,
    /// What changed.
    pub files: Vec<String>,
    /// What ran, in order.
    pub modules: Vec<ModuleRun>,
    /// Where the time went.
    pub phases: LoadPhases,
    /// From the first file event to the end.
    pub total_ms: f64,
    /// What changed in the table.
    pub diff: RouteDiff,
    /// `module.NAME` of what had changed since its module ran, and began anew.
    pub state_reset: Vec<String>,
    /// What the code does that a reload cannot do justice to, and the way out; each is told once.
    pub warnings: Vec<String>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// The first module that did not load.
    pub traceback: Option<Traceback>,
    /// What the other modules that did not load raised.
    pub others: Vec<ErrorSummary>,
}

impl From<&Arc<event::ReloadRecord>> for Reload {
    fn from(reload: &Arc<event::ReloadRecord>) -> Self {
        let report = &reload.report;
        Self {
            id: reload.id,
            time_ms: unix_ms(reload.time),
            generation: report.generation,
            outcome: report.outcome,
            cause: reload.cause.to_owned(),
            strategy: report.strategy.clone(),
            reason: report.reason.clone(),
            files: reload.files.clone(),
            modules: report.modules.clone(),
            phases: report.phases.clone(),
            total_ms: ms(reload.total),
            diff: report.diff.clone(),
            state_reset: report.state_reset.clone(),
            warnings: report.warnings.clone(),
            notes: report.notes.clone(),
            traceback: report.failures.first().map(|failure| failure.traceback.clone()),
            others: report.failures.iter().skip(1).map(|other| (&other.traceback).into()).collect(),
        }
    }
}
