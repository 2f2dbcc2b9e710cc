//! What happens to the processes of the pool, as `snaxum._pool.events` tells it.

use serde::{Deserialize, Serialize};

/// Something that happened to a process of the pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WorkerEvent {
    /// When, in milliseconds since 1970 (UTC).
    pub time_ms: u64,
    /// What.
    pub change: WorkerChange,
    /// Its process.
    pub pid: Option<u32>,
    /// Of one that started: the process that died, in whose place it is; null if there was room.
    #[serde(default)]
    pub replaces: Option<u32>,
    /// Of one that was updated: the generation whose code it has.
    #[serde(default)]
    pub generation: Option<u64>,
    /// Of one that died: what it ran, which is lost.
    #[serde(default)]
    pub task: Option<String>,
    /// Of one that died: minus the signal, if a signal ended it.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// Of one that died: whether the server ended it, because the request of its task was given up.
    #[serde(default)]
    pub was_killed: bool,
}

/// What can happen to a process of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WorkerChange {
    /// It was started. Where a task is the first to find that one has died, this may come before the
    /// death that it is about.
    Started,
    /// It ended, and nobody had asked for that but whoever killed it.
    Died,
    /// With its next task it has been given the code of another generation, or its first.
    Updated,
}
