//! The slowest routes of a period, for `snaxum top` and the console's Workers page.
//!
//! Computes them from two snapshots. Never formats them.

use std::time::Duration;

use serde::Serialize;

use super::histogram::REQUEST_BOUNDS;
use super::snapshot::{RouteSnapshot, Snapshot};

/// The requests of one route and method in a period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteLoad {
    /// The pattern; `unmatched` for requests without a route.
    pub route: String,
    /// `GET`; `other` for an unusual method.
    pub method: String,
    /// The number of requests.
    pub requests: u64,
    /// The same per second.
    pub requests_per_s: f64,
    /// The mean time until the response.
    pub mean_ms: f64,
    /// Half of them took at most this long; null beyond the largest bound, 30 s.
    pub p50_ms: Option<f64>,
    /// The same of 99 %.
    pub p99_ms: Option<f64>,
    /// Responses with a status from 500 on.
    pub errors: u64,
}

impl Snapshot {
    /// The routes with requests since an earlier snapshot, the slowest first.
    pub fn slowest_routes(&self, earlier: &Self, time: Duration) -> Vec<RouteLoad> {
        let rows = self.routes.iter().map(|row| row.since(earlier));
        let rows = rows.filter(|row| row.time.count() > 0);
        let mut found: Vec<_> = rows.map(|row| RouteLoad::new(row, time)).collect();
        found.sort_by(|one, two| two.mean_ms.total_cmp(&one.mean_ms));
        found
    }
}

impl RouteSnapshot {
    /// The counts since an earlier snapshot.
    #[must_use]
    pub fn since(&self, earlier: &Snapshot) -> Self {
        let is_it = |row: &&Self| (&row.route, &row.method) == (&self.route, &self.method);
        let Some(before) = earlier.routes.iter().find(is_it) else { return self.clone() };
        let statuses = self.statuses.iter().map(|(status, count)| {
            let before = before.statuses.get(status).copied().unwrap_or_default();
            (*status, count.saturating_sub(before))
        });
        Self { statuses: statuses.collect(), time: self.time.since(&before.time), ..self.clone() }
    }

    /// Responses with a status from 500 on.
    pub fn errors(&self) -> u64 {
        self.statuses.range(500..).map(|(_, count)| count).sum()
    }
}

impl RouteLoad {
    fn new(row: RouteSnapshot, time: Duration) -> Self {
        let requests = row.time.count();
        let quantile = |part| row.time.quantile(part, REQUEST_BOUNDS).map(|bound| bound * 1e3);
        Self {
            requests,
            requests_per_s: requests as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE),
            mean_ms: row.time.sum_ns as f64 / 1e6 / requests.max(1) as f64,
            p50_ms: quantile(0.5),
            p99_ms: quantile(0.99),
            errors: row.errors(),
            route: row.route,
            method: row.method,
        }
    }
}
