//! The profile of a request, as Python samples it while the request runs.

use serde::{Deserialize, Serialize};

/// Where a request was how long: samples, added up by function and by line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Profile {
    /// Whether the request was still sampled when it was made.
    pub is_running: bool,
    /// Whether the request, or a switch of its route, has asked for it; otherwise the request was slow.
    pub is_demanded: bool,
    /// The age of the request when it began; what the request did before is not in it.
    pub from_ms: f64,
    /// The time of all samples.
    pub ms: f64,
    /// The part of it in which a coroutine was suspended.
    pub suspended_ms: f64,
    /// The number of samples.
    pub samples: u64,
    /// Whether it has reached a limit, so that deep or rare calls count for their callers.
    pub is_cut: bool,
    /// The functions, each after its caller.
    pub calls: Vec<ProfiledCall>,
    /// The functions of the user with their lines, the slowest first.
    pub sources: Vec<ProfiledSource>,
}

/// A function, as one chain of callers has called it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProfiledCall {
    /// The index of its caller; null for the first.
    pub caller: Option<usize>,
    /// Its name; qualified from Python 3.11 on.
    pub function: String,
    /// Its file, relative to the project if it is inside.
    pub file: String,
    /// Its first line.
    pub line: u32,
    /// `user`, `library` or `framework`.
    pub kind: String,
    /// The time in it, without the functions that it called.
    pub self_ms: f64,
    /// The time in it and in what it called.
    pub ms: f64,
}

/// A function of the user, with the time of its lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProfiledSource {
    /// Its name; qualified from Python 3.11 on.
    pub function: String,
    /// Its file, relative to the project.
    pub file: String,
    /// Its first line.
    pub line: u32,
    /// Its lines as they were loaded, secrets masked; of a long function, those around the samples.
    pub lines: Vec<ProfiledLine>,
}

/// A line of the user's code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProfiledLine {
    /// Its number.
    pub line: u32,
    /// Its text.
    pub text: String,
    /// The time in which no later call was in the user's code: it includes the libraries that it called.
    pub self_ms: f64,
    /// The time in which it was running, or waited for what it called.
    pub ms: f64,
}
