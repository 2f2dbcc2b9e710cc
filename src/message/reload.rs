//! A reload as the console, the API, the terminal and `snaxum tail` show it.
//!
//! Plain data; the conversion from a record is in `event.rs`.

use serde::{Deserialize, Serialize};

use super::load_report::{LoadOutcome, LoadPhases, ModuleRun, RouteDiff};
use super::rust_build::RustBuild;
use super::traceback::{ErrorSummary, Traceback};
use crate::escape::escape;
use crate::openapi::{Change, Comparison};

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
    /// The outcome in one line, safe for a terminal.
    pub summary: String,
    /// `start`, `save`, or `manual` for a reload on request.
    pub cause: String,
    /// How much ran again: `none`, `lines`, `dependents`, `all` or `restart`; `build` if the program was built
    /// again.
    pub strategy: String,
    /// Why it was not less; empty if only the dependents of the change ran.
    pub reason: String,
    /// The files that changed.
    pub files: Vec<String>,
    /// The number by which Python knows the texts of the save; 0 if it has none.
    #[serde(skip)]
    pub save: u64,
    /// The modules that ran, in order.
    pub modules: Vec<ModuleRun>,
    /// The duration of each phase.
    pub phases: LoadPhases,
    /// From the first file event to the end.
    pub total_ms: f64,
    /// The changes of the route table.
    pub diff: RouteDiff,
    /// Its changes for clients; null until they are known, and without any.
    pub contract: Option<ContractDiff>,
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
    /// The build of the program, if Rust code was saved; may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<RustBuild>,
}

/// How two generations differ for clients, by their OpenAPI documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ContractDiff {
    /// The changes that break clients first.
    pub changes: Vec<Change>,
    /// The number of changes that were left out.
    pub left_out: usize,
}

impl ContractDiff {
    /// The most changes that are shown.
    const MAX: usize = 100;

    /// Limits the changes; `None` without any.
    pub fn new(Comparison { mut changes, left_out }: Comparison) -> Option<Self> {
        let left_out = left_out + changes.len().saturating_sub(Self::MAX);
        changes.truncate(Self::MAX);
        (!changes.is_empty()).then_some(Self { changes, left_out })
    }
}

/// Names the generation that serves after a reload, or a command, that changed nothing.
pub fn still_serving(generation: u64) -> String {
    match generation {
        0 => "nothing is serving yet".to_owned(),
        _ => format!("version {generation} is still serving"),
    }
}

/// Describes a reload that ran no code; `reason` may be empty.
pub fn nothing_to_reload(reason: &str) -> String {
    match reason {
        "" => "nothing to reload".to_owned(),
        _ => format!("nothing to reload: {}", escape(reason)),
    }
}

impl Reload {
    /// Adds the summary of the other fields.
    pub(crate) fn summarized(self) -> Self {
        Self { summary: self.summarize(), ..self }
    }

    fn summarize(&self) -> String {
        let generation = self.generation;
        let serving = still_serving(generation);
        match (self.outcome, self.failure()) {
            (LoadOutcome::Noop, _) => format!("{}; {serving}", nothing_to_reload(&self.reason)),
            (LoadOutcome::Failed, Some(failure)) => format!("rejected: {failure}; {serving}"),
            (LoadOutcome::Failed, None) => format!("rejected; {serving}"),
            (LoadOutcome::Ok, failure) => {
                let live = format!("live as version {generation} after {:.1} ms", self.total_ms);
                failure.map_or(live.clone(), |failure| {
                    format!("{live}, but not all modules load: {failure}")
                })
            }
        }
    }

    /// Describes the first exception and counts the others.
    fn failure(&self) -> Option<String> {
        let raised = self.traceback.as_ref()?;
        let place = raised.culprit().map(|frame| format!(" ({}:{})", frame.file, frame.line));
        let message = raised.message.lines().next().unwrap_or_default();
        let more = match self.others.len() {
            0 => String::new(),
            count => format!(" +{count} more"),
        };
        Some(escape(&format!("{}: {message}{}{more}", raised.kind, place.unwrap_or_default())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reload(outcome: LoadOutcome, generation: u64) -> Reload {
        let reload = serde_json::json!({
            "id": 1, "time_ms": 0, "generation": generation, "outcome": "ok", "summary": "", "cause": "save",
            "strategy": "dependents", "reason": "", "files": ["python/app.py"], "modules": [],
            "phases": LoadPhases::default(), "total_ms": 38.0, "diff": {}, "state_reset": [],
            "warnings": [], "notes": [], "traceback": null, "others": [],
        });
        let reload: Reload = serde_json::from_value(reload).expect("the fields of a reload");
        Reload { outcome, ..reload }
    }

    #[test]
    fn the_summary_names_the_outcome_and_the_serving_generation() {
        assert_eq!(reload(LoadOutcome::Ok, 8).summarize(), "live as version 8 after 38.0 ms");

        let mut noop = reload(LoadOutcome::Noop, 8);
        assert_eq!(noop.summarize(), "nothing to reload; version 8 is still serving");
        noop.reason = "only comments changed".to_owned();
        assert_eq!(
            noop.summarize(),
            "nothing to reload: only comments changed; version 8 is still serving"
        );

        let mut failed = reload(LoadOutcome::Failed, 0);
        failed.traceback = Some(Traceback {
            kind: "ValueError".to_owned(),
            message: "no\nmore".to_owned(),
            ..Traceback::default()
        });
        assert_eq!(failed.summarize(), "rejected: ValueError: no; nothing is serving yet");
        failed.others = vec![ErrorSummary::default()];
        failed.generation = 7;
        assert_eq!(
            failed.summarize(),
            "rejected: ValueError: no +1 more; version 7 is still serving"
        );
    }
}
