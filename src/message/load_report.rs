//! What Python reports of one attempt to load the user's modules.
//!
//! Plain data, read from the JSON that `snaxum._reload.report` writes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{RouteInfo, Traceback};

/// What one attempt to load the user's modules did, as Python reports it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LoadReport {
    /// Whether the new code serves.
    pub outcome: LoadOutcome,
    /// The generation that serves afterwards.
    pub generation: u64,
    /// How much ran again: `none`, `lines`, `dependents`, `all` or `restart`.
    #[serde(default)]
    pub strategy: String,
    /// Why not less; empty if only the dependents of the change ran.
    #[serde(default)]
    pub reason: String,
    /// The files that differ from what serves, relative to the project.
    #[serde(default)]
    pub files: Vec<String>,
    /// The modules that ran, in order.
    pub modules: Vec<ModuleRun>,
    /// What took how long.
    pub phases: LoadPhases,
    /// What the attempt changed in the table.
    #[serde(default)]
    pub diff: RouteDiff,
    /// What did not load.
    pub failures: Vec<ModuleFailure>,
    /// The whole table afterwards.
    pub routes: Vec<RouteInfo>,
    /// Modules that have not loaded since the start, while the others serve.
    pub broken: Vec<String>,
    /// `module.NAME` of what had changed since its module ran, and began anew.
    #[serde(default)]
    pub state_reset: Vec<String>,
    /// What the code does that a reload cannot do justice to, and the way out; each is told once.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What else there is to say.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Absolute paths besides the modules' own that the code was made from: files that were read
    /// and directories that were listed while modules ran.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// The values that the environment's variables of secret names have now; in dev mode only.
    #[serde(default, skip_serializing)]
    #[cfg_attr(test, schemars(skip))]
    pub secrets: Vec<Secret>,
    /// Absolute paths that this process itself has written since the last report.
    #[serde(default)]
    pub outputs: Vec<String>,
}

/// A text that is to be masked wherever it stands; nothing prints it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LoadOutcome {
    /// A new generation serves.
    Ok,
    /// The last good one serves on.
    Failed,
    /// Nothing had to run: comments, blank lines, layout, or a file that nobody imports.
    Noop,
}

/// A module that ran during a load.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModuleRun {
    /// Dotted.
    pub name: String,
    /// Its own time, without that of the modules it imported.
    pub ms: f64,
}

/// The phases of a load in milliseconds; 0 for one that was not reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LoadPhases {
    /// From the first file event to the start of the load.
    pub settle: f64,
    /// Compiling what is known.
    pub compile: f64,
    /// Running the modules aside.
    pub stage: f64,
    /// The swap.
    pub commit: f64,
}

/// A module that did not load, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModuleFailure {
    /// Dotted.
    pub module: String,
    /// What it raised.
    pub traceback: Traceback,
}

/// How two route tables differ.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RouteDiff {
    /// New method and path.
    pub added: Vec<RouteRef>,
    /// Gone.
    pub removed: Vec<RouteRef>,
    /// The same handler at another line.
    pub moved: Vec<RouteRef>,
    /// Another handler or mode.
    pub changed: Vec<RouteRef>,
    /// Routes that no longer answer for the paths of one that was added.
    pub shadowed: Vec<Shadowed>,
}

/// A route that lost some of its paths to a narrower one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shadowed {
    /// The one that lost them.
    #[serde(flatten)]
    pub route: RouteRef,
    /// The path of the one that took them, as written.
    pub by: String,
}

/// A route in a diff.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteRef {
    /// As declared.
    pub methods: Vec<String>,
    /// As written.
    pub path: String,
    /// `module.function`.
    pub handler: String,
    /// Relative to the project.
    pub file: String,
    /// 1-based.
    pub line: u32,
}
