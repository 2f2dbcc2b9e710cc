//! The counters of the requests of one process, by route, method and status.
//!
//! Counting takes no lock. A route is its pattern, never the path of a request, so the number of
//! counters is bounded by the code. Knows nothing of other processes (`snapshot`).

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::message::RouteInfo;
use crate::sync::{Arc, Mutex};

use super::histogram::{Histogram, REQUEST_BOUNDS, WAIT_BOUNDS};
use super::snapshot::{RouteSnapshot, Snapshot};

/// The route of a request that no route matches, or that Python has not reached.
pub const UNMATCHED: &str = "unmatched";
/// The methods that are counted by name; the last one is for all others.
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "other"];
/// Statuses are counted in blocks of this size, which exist from the first request with one of them.
const BLOCK: usize = 100;
/// The number of blocks: 0 to 599.
const BLOCKS: usize = 6;

/// The counters of one process.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    /// The routes of the serving generation, by their ids.
    routes: ArcSwap<HashMap<String, Arc<RouteMetrics>>>,
    /// All routes that there have been, by their patterns.
    by_pattern: Mutex<BTreeMap<String, Arc<RouteMetrics>>>,
    unmatched: Arc<RouteMetrics>,
    queue_wait: Histogram,
    gil_wait: Histogram,
    in_progress: AtomicU64,
}

/// The counters of one route.
#[derive(Debug)]
pub(crate) struct RouteMetrics {
    pattern: String,
    methods: [OnceLock<Box<MethodMetrics>>; METHODS.len()],
}

#[derive(Debug)]
struct MethodMetrics {
    statuses: [OnceLock<Box<[AtomicU64; BLOCK]>>; BLOCKS],
    time: Histogram,
}

impl RequestMetrics {
    pub(crate) fn new() -> Self {
        Self {
            routes: ArcSwap::default(),
            by_pattern: Mutex::default(),
            unmatched: Arc::new(RouteMetrics::new(UNMATCHED)),
            queue_wait: Histogram::new(WAIT_BOUNDS),
            gil_wait: Histogram::new(WAIT_BOUNDS),
            in_progress: AtomicU64::new(0),
        }
    }

    /// Uses the routes of another generation from now on; the counts of a pattern continue.
    pub(crate) fn set_routes(&self, routes: &[RouteInfo]) {
        let mut by_pattern = self.by_pattern.lock();
        let mut by_id = HashMap::new();
        for RouteInfo { id, path, .. } in routes {
            let route =
                by_pattern.entry(path.clone()).or_insert_with(|| Arc::new(RouteMetrics::new(path)));
            by_id.insert(id.clone(), Arc::clone(route));
        }
        self.routes.store(Arc::new(by_id));
    }

    /// The route with this id, or the one for all requests without a route.
    pub(crate) fn route(&self, id: Option<&str>) -> Arc<RouteMetrics> {
        let found = id.and_then(|id| self.routes.load().get(id).cloned());
        found.unwrap_or_else(|| Arc::clone(&self.unmatched))
    }

    /// Counts a request that has begun, until [`ended`](Self::ended).
    pub(crate) fn began(&self) {
        self.in_progress.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self) {
        self.in_progress.fetch_sub(1, Ordering::Relaxed);
    }

    /// Records how long a request has waited for a thread and for the interpreter.
    pub(crate) fn record_waits(&self, queue: Duration, gil: Duration) {
        self.queue_wait.record(queue);
        self.gil_wait.record(gil);
    }

    /// Fills the counters of a snapshot.
    pub(crate) fn fill(&self, snapshot: &mut Snapshot) {
        let routes: Vec<_> = self.by_pattern.lock().values().cloned().collect();
        let routes = routes.iter().chain([&self.unmatched]);
        snapshot.routes = routes.flat_map(|route| route.snapshot()).collect();
        snapshot.queue_wait = self.queue_wait.snapshot();
        snapshot.gil_wait = self.gil_wait.snapshot();
        snapshot.in_progress = self.in_progress.load(Ordering::Relaxed);
    }
}

impl RouteMetrics {
    fn new(pattern: &str) -> Self {
        Self { pattern: pattern.to_owned(), methods: std::array::from_fn(|_| OnceLock::new()) }
    }

    /// The pattern of the route; `None` for requests without a route.
    pub(crate) fn pattern(&self) -> Option<&str> {
        (self.pattern != UNMATCHED).then_some(&self.pattern)
    }

    /// Counts a response.
    pub(crate) fn record(&self, method: &str, status: u16, time: Duration) {
        let method = METHODS.iter().position(|known| *known == method);
        let metrics = self.methods[method.unwrap_or(METHODS.len() - 1)].get_or_init(|| {
            let statuses = std::array::from_fn(|_| OnceLock::new());
            Box::new(MethodMetrics { statuses, time: Histogram::new(REQUEST_BOUNDS) })
        });
        let status = usize::from(status).min(BLOCK * BLOCKS - 1);
        let block = metrics.statuses[status / BLOCK]
            .get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU64::new(0))));
        block[status % BLOCK].fetch_add(1, Ordering::Relaxed);
        metrics.time.record(time);
    }

    fn snapshot(&self) -> impl Iterator<Item = RouteSnapshot> {
        let used = METHODS.iter().zip(&self.methods);
        used.filter_map(|(method, metrics)| Some((method, metrics.get()?))).map(
            |(method, metrics)| RouteSnapshot {
                route: self.pattern.clone(),
                method: (*method).to_owned(),
                statuses: metrics.statuses(),
                time: metrics.time.snapshot(),
            },
        )
    }
}

impl MethodMetrics {
    fn statuses(&self) -> BTreeMap<u16, u64> {
        let mut found = BTreeMap::new();
        for (status, count) in self.statuses.iter().enumerate().flat_map(|(number, block)| {
            let counts = block.get().map_or(&[][..], |block| &block[..]);
            counts.iter().enumerate().map(move |(index, count)| (number * BLOCK + index, count))
        }) {
            let (status, count) = (u16::try_from(status), count.load(Ordering::Relaxed));
            if let (Ok(status), 1..) = (status, count) {
                found.insert(status, count);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(id: &str, path: &str) -> RouteInfo {
        let row = serde_json::json!({
            "v": 1, "id": id, "methods": ["GET"], "path": path, "pattern": path, "params": [],
            "handler": "a.b", "module": "a", "file": "a.py", "line": 1, "end_line": 2, "doc": null,
            "pool": false, "async": false, "mode": "in-thread", "warnings": [], "generation": 1,
        });
        serde_json::from_value(row).expect("a route")
    }

    #[test]
    fn requests_count_by_pattern_method_and_status_over_generations() {
        let metrics = RequestMetrics::new();
        metrics.set_routes(&[route("r1", "/user/<id>")]);
        let ms = Duration::from_millis(1);
        metrics.route(Some("r1")).record("GET", 200, ms);
        metrics.set_routes(&[route("r2", "/user/<id>"), route("r3", "/b")]);
        metrics.route(Some("r2")).record("GET", 404, ms);
        metrics.route(Some("r1")).record("BREW", 999, ms);
        metrics.route(None).record("GET", 404, ms);

        let mut snapshot = Snapshot::default();
        metrics.fill(&mut snapshot);

        let found: Vec<_> = snapshot
            .routes
            .iter()
            .map(|row| (&*row.route, &*row.method, row.statuses.clone(), row.time.count()))
            .collect();
        assert_eq!(
            found,
            [
                ("/user/<id>", "GET", BTreeMap::from([(200, 1), (404, 1)]), 2),
                (UNMATCHED, "GET", BTreeMap::from([(404, 1)]), 1),
                (UNMATCHED, "other", BTreeMap::from([(599, 1)]), 1),
            ]
        );
        assert_eq!(metrics.route(Some("r1")).pattern(), None, "its generation has ended");
        assert_eq!(metrics.route(Some("r3")).pattern(), Some("/b"));
    }
}
