//! The counters and the state of a server at one moment, and the sum over its processes.
//!
//! Plain data, which crosses between processes as JSON. Never reads a counter (`metrics`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::histogram::HistogramSnapshot;
use super::process_usage::ProcessUsage;

/// The counters and the state of one process, or the sum over several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// The version of this package.
    pub version: String,
    /// The version of Python.
    pub python: String,
    /// The processes that it is the sum of.
    pub processes: u64,
    /// The newest generation that serves.
    pub generation: u64,
    /// When the oldest process started, in seconds since 1970.
    pub started: f64,
    /// Their requests, by route and method.
    pub routes: Vec<RouteSnapshot>,
    /// How long requests have waited for a thread.
    pub queue_wait: HistogramSnapshot,
    /// How long they have waited for the interpreter after that.
    pub gil_wait: HistogramSnapshot,
    /// Requests that have begun and not ended.
    pub in_progress: u64,
    /// Requests that wait for a dispatch worker, and the most that may.
    pub queued: u64,
    /// `max-queue`.
    pub queue_capacity: u64,
    /// The dispatch workers.
    pub workers: WorkerCounts,
    /// The process pool; as it was last, while Python does not respond.
    pub pool: Option<PoolCounts>,
    /// The resources of the processes.
    pub usage: ProcessUsage,
    /// Lines of the access log that were dropped because their reader was too slow.
    pub dropped_log_lines: u64,
    /// The spans for a collector; `None` if there is none.
    pub spans: Option<SpanCounts>,
    /// A line for each process, in the order of their numbers.
    pub members: Vec<Member>,
}

/// The requests of one route and method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteSnapshot {
    /// The pattern, as in the source.
    pub route: String,
    /// `GET`; `other` for an unusual method.
    pub method: String,
    /// The number of responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// The time until the response.
    pub time: HistogramSnapshot,
}

/// Threads that run `def` handlers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerCounts {
    /// All threads that take requests.
    pub count: u64,
    /// The number that runs a handler now.
    pub busy: u64,
    /// Replaced threads, whose handlers hang.
    pub stuck: u64,
}

/// The process pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolCounts {
    /// Worker processes that run.
    pub workers: u64,
    /// The number that runs a task now.
    pub busy: u64,
    /// Tasks that wait for a worker.
    pub waiting: u64,
    /// Tasks that have ended.
    pub done: u64,
    /// Tasks that have failed.
    pub failed: u64,
    /// Workers that were replaced.
    pub replaced: u64,
}

/// Spans for a collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpanCounts {
    /// The number that the collector has received.
    pub exported: u64,
    /// The number that was dropped: the queue was full, or the collector did not take them.
    pub dropped: u64,
}

/// One process of the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Member {
    /// Its number among the processes, from 1.
    pub number: u64,
    /// Its process id.
    pub pid: u32,
    /// The generation that it serves.
    pub generation: u64,
    /// Responses so far.
    pub requests: u64,
    /// Requests that have begun and not ended.
    pub in_progress: u64,
    /// Requests that wait for a dispatch worker.
    pub queued: u64,
    /// Its dispatch workers.
    pub workers: WorkerCounts,
    /// Its resources.
    pub usage: ProcessUsage,
}

impl Snapshot {
    /// The number of responses.
    pub fn requests(&self) -> u64 {
        self.routes.iter().map(|row| row.statuses.values().sum::<u64>()).sum()
    }

    /// Adds the counters and the state of another process.
    pub fn merge(&mut self, other: &Self) {
        if self.processes == 0 && self.version.is_empty() {
            self.version.clone_from(&other.version);
            self.python.clone_from(&other.python);
        }
        self.generation = self.generation.max(other.generation);
        self.started = match (self.processes, other.processes) {
            (0, _) => other.started,
            (_, 0) => self.started,
            _ => self.started.min(other.started),
        };
        self.processes += other.processes;
        for row in &other.routes {
            let is_it = |mine: &&mut RouteSnapshot| {
                (&mine.route, &mine.method) == (&row.route, &row.method)
            };
            match self.routes.iter_mut().find(is_it) {
                Some(mine) => {
                    for (status, count) in &row.statuses {
                        *mine.statuses.entry(*status).or_default() += count;
                    }
                    mine.time.merge(&row.time);
                }
                None => self.routes.push(row.clone()),
            }
        }
        self.queue_wait.merge(&other.queue_wait);
        self.gil_wait.merge(&other.gil_wait);
        self.in_progress += other.in_progress;
        self.queued += other.queued;
        self.queue_capacity += other.queue_capacity;
        self.workers.merge(other.workers);
        self.pool = match (self.pool, other.pool) {
            (Some(mine), Some(more)) => Some(mine.plus(more)),
            (mine, more) => mine.or(more),
        };
        self.usage.merge(&other.usage);
        self.dropped_log_lines += other.dropped_log_lines;
        self.spans = match (self.spans, other.spans) {
            (Some(mine), Some(more)) => Some(SpanCounts {
                exported: mine.exported + more.exported,
                dropped: mine.dropped + more.dropped,
            }),
            (mine, more) => mine.or(more),
        };
        self.members.extend_from_slice(&other.members);
        self.members.sort_by_key(|member| member.number);
    }

    /// The part that remains of a process that has ended: counters do not go back when it is
    /// replaced.
    #[must_use]
    pub fn into_past(self) -> Self {
        let pool = self.pool.map(|pool| PoolCounts { workers: 0, busy: 0, waiting: 0, ..pool });
        Self {
            version: self.version,
            python: self.python,
            routes: self.routes,
            queue_wait: self.queue_wait,
            gil_wait: self.gil_wait,
            pool,
            usage: ProcessUsage { cpu_seconds: self.usage.cpu_seconds, ..ProcessUsage::default() },
            dropped_log_lines: self.dropped_log_lines,
            spans: self.spans,
            ..Self::default()
        }
    }
}

impl WorkerCounts {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.busy += other.busy;
        self.stuck += other.stuck;
    }
}

impl PoolCounts {
    fn plus(self, other: Self) -> Self {
        Self {
            workers: self.workers + other.workers,
            busy: self.busy + other.busy,
            waiting: self.waiting + other.waiting,
            done: self.done + other.done,
            failed: self.failed + other.failed,
            replaced: self.replaced + other.replaced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(number: u64, route: &str, status: u16) -> Snapshot {
        let time = HistogramSnapshot { counts: vec![1, 0], sum_ns: 5 };
        Snapshot {
            version: "0.1.0".into(),
            processes: 1,
            generation: number + 1,
            started: 100.0 - number as f64,
            routes: vec![RouteSnapshot {
                route: route.into(),
                method: "GET".into(),
                statuses: BTreeMap::from([(status, 1)]),
                time,
            }],
            queued: 2,
            workers: WorkerCounts { count: 4, busy: 1, stuck: 0 },
            pool: Some(PoolCounts { workers: 2, done: 3, ..PoolCounts::default() }),
            usage: ProcessUsage { resident_bytes: Some(10), cpu_seconds: 1.5, open_fds: None },
            members: vec![Member { number, ..Member::default() }],
            ..Snapshot::default()
        }
    }

    #[test]
    fn processes_add_up_and_the_counters_of_one_that_has_ended_remain() {
        let mut sum = Snapshot::default();
        sum.merge(&process(1, "/a", 200));
        sum.merge(&process(0, "/a", 500));
        sum.merge(&process(2, "/b", 200).into_past());

        assert_eq!((sum.processes, sum.generation, sum.started), (2, 2, 99.0));
        assert_eq!((sum.queued, sum.workers.count, sum.requests()), (4, 8, 3));
        assert_eq!(sum.routes[0].statuses, BTreeMap::from([(200, 1), (500, 1)]));
        assert_eq!(sum.routes[0].time, HistogramSnapshot { counts: vec![2, 0], sum_ns: 10 });
        assert_eq!(sum.pool, Some(PoolCounts { workers: 4, done: 9, ..PoolCounts::default() }));
        assert_eq!((sum.usage.resident_bytes, sum.usage.cpu_seconds), (Some(20), 4.5));
        assert_eq!(sum.members.iter().map(|member| member.number).collect::<Vec<_>>(), [0, 1]);
        let text = serde_json::to_string(&sum).expect("JSON");
        assert_eq!(serde_json::from_str::<Snapshot>(&text).expect("a snapshot"), sum);
    }
}
