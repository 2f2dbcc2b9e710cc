//! Events of the processes of the pool, as Python reports them.

use serde::{Deserialize, Serialize};

/// An event of a process of the pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WorkerEvent {
    /// When, in milliseconds since 1970 (UTC).
    pub time_ms: u64,
    /// The kind of event.
    pub change: WorkerChange,
    /// Its process id.
    pub pid: Option<u32>,
    /// `started`: the process that died and that it replaces; null if it replaces none.
    #[serde(default)]
    pub replaces: Option<u32>,
    /// `updated`: the generation whose code it has.
    #[serde(default)]
    pub generation: Option<u64>,
    /// `died`: the task that it ran, which is lost.
    #[serde(default)]
    pub task: Option<String>,
    /// `died`: its exit code; negative for a signal.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// `died`: whether the server killed it, because the request of its task was cancelled.
    #[serde(default)]
    pub was_killed: bool,
}

/// The kinds of events of a process of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WorkerChange {
    /// It was started. If a task is the first to find out that a process has died, this may come before
    /// the `died` event of that process.
    Started,
    /// It ended unexpectedly, or was killed.
    Died,
    /// It received the code of another generation with its next task, or its first code.
    Updated,
}
