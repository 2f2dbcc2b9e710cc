//! The place of one process in its server. Plain data: starts no process.

/// Which of the processes of `snaxum serve` this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerProcess {
    /// Its number, from 1.
    pub number: usize,
    /// The number of processes that serve.
    pub count: usize,
    /// Whether the caller decides what a module that does not load means.
    pub is_checked: bool,
    /// Whether another process logs the routes and failures of the start.
    pub is_quiet: bool,
}

impl Default for ServerProcess {
    /// A server of one process.
    fn default() -> Self {
        Self { number: 1, count: 1, is_checked: false, is_quiet: false }
    }
}

impl ServerProcess {
    /// The process `number` of `count`.
    pub fn new(number: usize, count: usize) -> Self {
        Self { number, count, ..Self::default() }
    }
}
