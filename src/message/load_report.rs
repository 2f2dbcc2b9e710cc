//! The report of Python about one attempt to load the user's modules.
//!
//! Plain data, read from the JSON that `snaxum._reload.report` writes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::route::{RouteInfo, StreamedRoute};
use super::static_mount::StaticMount;
use super::traceback::Traceback;

/// The report of Python about one attempt to load the user's modules.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LoadReport {
    /// Whether the new code serves.
    pub outcome: LoadOutcome,
    /// The generation that serves afterwards.
    pub generation: u64,
    /// How much ran again: `none`, `lines`, `dependents`, `all` or `restart`.
    #[serde(default)]
    pub strategy: String,
    /// Why it was not less; empty if only the dependents of the change ran.
    #[serde(default)]
    pub reason: String,
    /// The files that differ from the code that serves, relative to the project.
    #[serde(default)]
    pub files: Vec<String>,
    /// The number by which Python knows the texts of the save; 0 if it has none.
    #[serde(default, skip_serializing)]
    #[cfg_attr(test, schemars(skip))]
    pub save: u64,
    /// The modules that ran, in order.
    pub modules: Vec<ModuleRun>,
    /// The number of modules in the generation that serves.
    #[serde(default)]
    pub module_count: usize,
    /// The duration of each phase.
    pub phases: LoadPhases,
    /// The changes of the route table.
    #[serde(default)]
    pub diff: RouteDiff,
    /// The modules that did not load.
    pub failures: Vec<ModuleFailure>,
    /// The whole table afterwards.
    pub routes: Vec<RouteInfo>,
    /// Modules that have not loaded since the start, while the others serve.
    pub broken: Vec<String>,
    /// `module.NAME` of each value that was reset although it had changed since its module ran.
    #[serde(default)]
    pub state_reset: Vec<String>,
    /// Code that a reload does not support, and how to change it; each is reported once.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Other remarks.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Absolute paths of other inputs of the code: files that were read and directories that were
    /// listed while modules ran.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// The directories of all modules that loaded or failed, as absolute paths.
    #[serde(default, skip_serializing)]
    #[cfg_attr(test, schemars(skip))]
    pub code_dirs: Vec<String>,
    /// The directories of static files of the generation that serves.
    #[serde(default, skip_serializing)]
    #[cfg_attr(test, schemars(skip))]
    pub static_mounts: Vec<StaticMount>,
    /// The directories of static files and templates, as absolute paths.
    #[serde(default, skip_serializing)]
    #[cfg_attr(test, schemars(skip))]
    pub asset_dirs: Vec<String>,
    /// The values of environment variables with secret names; in dev mode only.
    #[serde(default, skip_serializing)]
    #[cfg_attr(test, schemars(skip))]
    pub secrets: Vec<Secret>,
    /// The routes of the table whose handlers start before the body has arrived.
    #[serde(default, skip_serializing)]
    #[cfg_attr(test, schemars(skip))]
    pub streamed: Vec<StreamedRoute>,
    /// Absolute paths that this process itself has written since the last report.
    #[serde(default)]
    pub outputs: Vec<String>,
    /// The addresses and locks that this process has.
    #[serde(default, skip_serializing)]
    #[cfg_attr(test, schemars(skip))]
    pub held: Vec<String>,
}

/// A text that is redacted in every output; its `Debug` format hides it.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LoadOutcome {
    /// A new generation serves.
    Ok,
    /// The last good generation is still serving.
    Failed,
    /// No module had to run: comments, blank lines, layout, or a file that no module imports.
    #[default]
    Noop,
}

/// A module that ran during a load.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModuleRun {
    /// Dotted.
    pub name: String,
    /// Its own time, without the time of the modules it imported.
    pub ms: f64,
    /// Its source, relative to the project.
    #[serde(default, skip_serializing)]
    #[cfg_attr(test, schemars(skip))]
    pub file: String,
}

/// The phases of a load in milliseconds; 0 for one that was not reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LoadPhases {
    /// From the first file event to the start of the load.
    pub settle: f64,
    /// Compiling the known modules.
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
    /// The modules that fail only because they import it.
    #[serde(default)]
    pub importers: Vec<String>,
    /// The exception that it raised.
    pub traceback: Traceback,
}

/// How two route tables differ.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RouteDiff {
    /// New method and path.
    pub added: Vec<RouteRef>,
    /// Routes that no longer exist.
    pub removed: Vec<RouteRef>,
    /// The same handler at another line.
    pub moved: Vec<RouteRef>,
    /// Another handler or mode.
    pub changed: Vec<RouteRef>,
    /// Routes that lost paths to an added route.
    pub shadowed: Vec<Shadowed>,
}

impl RouteDiff {
    /// The differences between two tables, route by route.
    pub fn between(old: &[RouteInfo], new: &[RouteInfo]) -> Self {
        let mut diff = Self::default();
        for route in new {
            let before = old.iter().find(|before| before.id == route.id);
            let is_same = |before: &RouteInfo| {
                before.handler == route.handler && before.execution() == route.execution()
            };
            let is_there =
                |before: &RouteInfo| (&before.file, before.line) == (&route.file, route.line);
            match before {
                None => diff.added.push(route.into()),
                Some(before) if !is_same(before) => diff.changed.push(route.into()),
                Some(before) if !is_there(before) => diff.moved.push(route.into()),
                Some(_) => {}
            }
        }
        let is_gone = |before: &&RouteInfo| new.iter().all(|route| route.id != before.id);
        diff.removed = old.iter().filter(is_gone).map(RouteRef::from).collect();
        diff
    }
}

impl From<&RouteInfo> for RouteRef {
    fn from(route: &RouteInfo) -> Self {
        Self {
            methods: route.methods.clone(),
            path: route.path.clone(),
            handler: route.handler.clone(),
            file: route.file.clone(),
            line: route.line,
        }
    }
}

/// A route that lost some of its paths to a narrower one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shadowed {
    /// The route that lost them.
    #[serde(flatten)]
    pub route: RouteRef,
    /// The path of the narrower route, as written.
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
