//! The text of `snaxum top`: the server, its processes, its slowest routes.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use snaxum::telemetry::{
    HistogramSnapshot, Member, REQUEST_BOUNDS, RouteLoad, RouteSnapshot, Snapshot,
};

use crate::cli::render::color::escape;

/// The routes that are shown at most.
const MAX_ROUTES: usize = 15;
/// The narrowest column for a route.
const MIN_ROUTE: usize = 16;
/// The width of the columns beside the route.
const NUMBERS: usize = 62;

/// Formats a snapshot; with an earlier one and the time since then, rates are of that time.
pub(super) fn render(
    now: &Snapshot,
    earlier: Option<(&Snapshot, Duration)>,
    width: usize,
) -> String {
    let up = uptime(now);
    let (nothing, since_start) = (Snapshot::default(), Duration::from_secs_f64(up.max(0.001)));
    let (before, time) = earlier.unwrap_or((&nothing, since_start));
    let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / time.as_secs_f64();
    let mut text = String::new();
    let mut line = |parts: &[String]| {
        let _ = writeln!(text, "{}", parts.join(" · "));
    };
    line(&[
        format!("snaxum {}", escape(&now.version)),
        format!("Python {}", escape(&now.python)),
        count(now.processes, "process", "processes"),
        format!("generation {}", now.generation),
        format!("up {}", duration(up)),
    ]);
    let mut all = HistogramSnapshot::default();
    let rows: Vec<_> = now.routes.iter().map(|row| row.since(before)).collect();
    rows.iter().for_each(|row| all.merge(&row.time));
    let failed = rows.iter().map(RouteSnapshot::errors).sum::<u64>();
    line(&[
        format!("{:.1} requests/s", rate(now.requests(), before.requests())),
        format!("{} in progress", now.in_progress),
        format!("p50 {}", quantile(&all, 0.5)),
        format!("p99 {}", quantile(&all, 0.99)),
        format!("{:.1} errors/s", failed as f64 / time.as_secs_f64()),
    ]);
    let pool = now.pool.map_or("pool unknown".to_owned(), |pool| {
        format!("pool {} of {} busy, {} waiting", pool.busy, pool.workers, pool.waiting)
    });
    let stuck = match now.workers.stuck {
        0 => String::new(),
        stuck => format!(", {stuck} stuck"),
    };
    line(&[
        format!("queue {} of {}", now.queued, now.queue_capacity),
        format!("workers {} of {} busy{stuck}", now.workers.busy, now.workers.count),
        pool,
    ]);
    let cpu = |now: f64, before: f64| 100.0 * (now - before).max(0.0) / time.as_secs_f64();
    line(&[
        format!("CPU {:.0}%", cpu(now.usage.cpu_seconds, before.usage.cpu_seconds)),
        format!("memory {}", memory(now.usage.resident_bytes)),
        format!("{} since the start", count(now.requests(), "request", "requests")),
    ]);
    let _ = writeln!(
        text,
        "\n{:>7} {:>8} {:>5} {:>10} {:>7} {:>9} {:>6} {:>6} {:>10}",
        "PROCESS", "PID", "GEN", "REQUESTS/S", "RUNNING", "BUSY", "QUEUE", "CPU", "MEMORY"
    );
    for member in &now.members {
        let known = |other: &&Member| other.pid == member.pid;
        let earlier = before.members.iter().find(known).cloned().unwrap_or_default();
        let _ = writeln!(
            text,
            "{:>7} {:>8} {:>5} {:>10.1} {:>7} {:>9} {:>6} {:>5.0}% {:>10}",
            member.number,
            member.pid,
            member.generation,
            rate(member.requests, earlier.requests),
            member.in_progress,
            format!("{} of {}", member.workers.busy, member.workers.count),
            member.queued,
            cpu(member.usage.cpu_seconds, earlier.usage.cpu_seconds),
            memory(member.usage.resident_bytes),
        );
    }
    push_routes(&mut text, &now.slowest_routes(before, time), width);
    text
}

/// Appends the routes with requests.
fn push_routes(text: &mut String, rows: &[RouteLoad], width: usize) {
    let column = width.saturating_sub(NUMBERS).max(MIN_ROUTE);
    let _ = writeln!(
        text,
        "\n{:<column$} {:<8} {:>10} {:>9} {:>9} {:>9} {:>8}",
        "SLOWEST ROUTES", "METHOD", "REQUESTS/S", "MEAN", "P50", "P99", "ERRORS"
    );
    if rows.is_empty() {
        let _ = writeln!(text, "no requests");
    }
    for row in rows.iter().take(MAX_ROUTES) {
        let name: String = escape(&row.route).chars().take(column).collect();
        let _ = writeln!(
            text,
            "{name:<column$} {:<8} {:>10.1} {:>9} {:>9} {:>9} {:>8}",
            row.method,
            row.requests_per_s,
            milliseconds(row.mean_ms),
            bound(row.p50_ms),
            bound(row.p99_ms),
            row.errors,
        );
    }
}

/// A quantile, which is the bound of a bucket: the exact time is not known.
fn bound(ms: Option<f64>) -> String {
    ms.map_or(">30 s".to_owned(), |ms| format!("≤{}", milliseconds(ms)))
}

fn quantile(time: &HistogramSnapshot, part: f64) -> String {
    match time.count() {
        0 => "-".to_owned(),
        _ => bound(time.quantile(part, REQUEST_BOUNDS).map(|bound| bound * 1e3)),
    }
}

fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms >= 1000.0 => format!("{:.1} s", ms / 1e3),
        ms if ms >= 10.0 => format!("{ms:.0} ms"),
        ms => format!("{ms:.1} ms"),
    }
}

fn memory(bytes: Option<u64>) -> String {
    bytes.map_or("-".to_owned(), |bytes| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20)))
}

fn count(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

fn uptime(now: &Snapshot) -> f64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if now.started > 0.0 { (since_1970.as_secs_f64() - now.started).max(0.0) } else { 0.0 }
}

fn duration(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use snaxum::telemetry::{ProcessUsage, WorkerCounts};

    use super::*;

    fn snapshot(requests: u64) -> Snapshot {
        let row = |route: &str, status, bucket: usize, ns| {
            let mut counts = vec![0; REQUEST_BOUNDS.len() + 1];
            counts[bucket] = requests;
            RouteSnapshot {
                route: route.to_owned(),
                method: "GET".to_owned(),
                statuses: BTreeMap::from([(status, requests)]),
                time: HistogramSnapshot { counts, sum_ns: ns * requests },
            }
        };
        Snapshot {
            version: "0.1.0".to_owned(),
            python: "3.11.7".to_owned(),
            processes: 1,
            generation: 3,
            routes: vec![row("/fast", 200, 0, 100_000), row("/slow/<id>", 500, 7, 60_000_000)],
            in_progress: 2,
            queue_capacity: 1024,
            workers: WorkerCounts { count: 4, busy: 1, stuck: 1 },
            members: vec![Member {
                pid: 7,
                generation: 3,
                requests: 2 * requests,
                workers: WorkerCounts { count: 4, busy: 1, stuck: 1 },
                usage: ProcessUsage { resident_bytes: Some(50 << 20), ..ProcessUsage::default() },
                ..Member::default()
            }],
            ..Snapshot::default()
        }
    }

    #[test]
    fn rates_are_of_the_time_between_two_snapshots_and_the_slowest_route_is_first() {
        let text = render(&snapshot(30), Some((&snapshot(10), Duration::from_secs(2))), 80);
        for part in [
            "snaxum 0.1.0 · Python 3.11.7 · 1 process · generation 3 · up 0 s",
            "20.0 requests/s · 2 in progress · p50 ≤0.5 ms · p99 ≤100 ms · 10.0 errors/s",
            "queue 0 of 1024 · workers 1 of 4 busy, 1 stuck · pool unknown",
            "50 MiB",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let routes: Vec<&str> = text.lines().filter(|line| line.starts_with('/')).collect();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            words(routes[0]),
            ["/slow/<id>", "GET", "10.0", "60", "ms", "≤100", "ms", "≤100", "ms", "20"]
        );
        assert!(routes[1].starts_with("/fast "), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
