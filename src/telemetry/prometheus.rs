//! The text of a snapshot for Prometheus (exposition format 0.0.4).

use std::fmt::Write;

use super::histogram::{HistogramSnapshot, REQUEST_BOUNDS, WAIT_BOUNDS};
use super::snapshot::{RouteSnapshot, Snapshot};

/// The content type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Formats a snapshot.
pub fn render(snapshot: &Snapshot) -> String {
    let mut text = Text(String::with_capacity(8 * 1024));
    text.requests(&snapshot.routes);
    text.gauge(
        "requests_in_progress",
        "Requests that have begun and not ended.",
        snapshot.in_progress,
    );
    text.wait(
        "queue_wait_seconds",
        "Time that requests waited for a thread to run on.",
        &snapshot.queue_wait,
    );
    text.wait(
        "gil_wait_seconds",
        "Time that requests waited for the interpreter after that.",
        &snapshot.gil_wait,
    );
    text.gauge("queue_depth", "Requests that wait for a dispatch worker.", snapshot.queued);
    text.gauge("queue_capacity", "Requests that may wait (max-queue).", snapshot.queue_capacity);
    let workers = snapshot.workers;
    text.gauge("dispatch_workers", "Threads that run def handlers.", workers.count);
    text.gauge("dispatch_workers_busy", "Threads that run a handler now.", workers.busy);
    text.gauge(
        "dispatch_workers_stuck",
        "Threads that were replaced because their handlers hang.",
        workers.stuck,
    );
    if let Some(pool) = snapshot.pool {
        text.gauge("pool_workers", "Processes of the pool.", pool.workers);
        text.gauge("pool_workers_busy", "Processes of the pool that run a task.", pool.busy);
        text.gauge("pool_tasks_waiting", "Tasks that wait for a process.", pool.waiting);
        text.family("pool_tasks_total", "counter", "Tasks that have ended, by result.");
        text.sample("pool_tasks_total", &[("result", "done")], pool.done as f64);
        text.sample("pool_tasks_total", &[("result", "failed")], pool.failed as f64);
        text.counter("pool_workers_replaced_total", "Processes that were replaced.", pool.replaced);
    }
    text.gauge("processes", "Processes that serve requests.", snapshot.processes);
    text.gauge("generation", "The newest generation of code that serves.", snapshot.generation);
    text.counter(
        "access_log_dropped_lines_total",
        "Lines that were dropped because nothing read the log fast enough.",
        snapshot.dropped_log_lines,
    );
    if let Some(spans) = snapshot.spans {
        text.counter(
            "spans_exported_total",
            "Spans that the collector has received.",
            spans.exported,
        );
        text.counter(
            "spans_dropped_total",
            "Spans that were dropped because the collector was too slow or did not take them.",
            spans.dropped,
        );
    }
    text.family("build_info", "gauge", "Versions, with the value 1.");
    let versions = [("version", &*snapshot.version), ("python", &*snapshot.python)];
    text.sample("build_info", &versions, 1.0);
    text.process(snapshot);
    text.0
}

/// The text so far.
struct Text(String);

impl Text {
    fn requests(&mut self, routes: &[RouteSnapshot]) {
        let name = "http_requests_total";
        self.family(name, "counter", "Responses by method, route and status.");
        for row in routes {
            for (status, count) in &row.statuses {
                let status = status.to_string();
                let labels = [("method", &*row.method), ("route", &row.route), ("status", &status)];
                self.sample(name, &labels, *count as f64);
            }
        }
        let name = "http_request_duration_seconds";
        self.family(name, "histogram", "Time from the head of a request to its response.");
        for row in routes {
            let labels = [("method", &*row.method), ("route", &*row.route)];
            self.histogram(name, &labels, REQUEST_BOUNDS, &row.time);
        }
    }

    fn process(&mut self, snapshot: &Snapshot) {
        // The names that clients of Prometheus share have no prefix.
        let usage = &snapshot.usage;
        let mut plain = |name: &str, kind: &str, help: &str, value: f64| {
            let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        };
        plain(
            "process_cpu_seconds_total",
            "counter",
            "CPU time of all processes, in seconds.",
            usage.cpu_seconds,
        );
        if let Some(bytes) = usage.resident_bytes {
            plain(
                "process_resident_memory_bytes",
                "gauge",
                "Memory of all processes, in bytes.",
                bytes as f64,
            );
        }
        if let Some(open) = usage.open_fds {
            plain(
                "process_open_fds",
                "gauge",
                "Open files and sockets of all processes.",
                open as f64,
            );
        }
        plain(
            "process_start_time_seconds",
            "gauge",
            "Start of the oldest process, in seconds since 1970.",
            snapshot.started,
        );
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value as f64);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, &[], value as f64);
    }

    fn wait(&mut self, name: &str, help: &str, histogram: &HistogramSnapshot) {
        self.family(name, "histogram", help);
        self.histogram(name, &[], WAIT_BOUNDS, histogram);
    }

    fn histogram(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        bounds: &[f64],
        histogram: &HistogramSnapshot,
    ) {
        let bucket = format!("{name}_bucket");
        let mut count = 0;
        let counts = histogram.counts.iter().chain(std::iter::repeat(&0));
        for (bound, more) in
            bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]).zip(counts)
        {
            count += more;
            self.sample(&bucket, &[labels, &[("le", &*bound)]].concat(), count as f64);
        }
        self.sample(&format!("{name}_sum"), labels, histogram.sum_ns as f64 / 1e9);
        self.sample(&format!("{name}_count"), labels, count as f64);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP snaxum_{name} {help}\n# TYPE snaxum_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.0, "snaxum_{name}");
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn labels_are_escaped_and_buckets_are_cumulative() {
        let mut counts = vec![0; REQUEST_BOUNDS.len() + 1];
        (counts[0], counts[2], *counts.last_mut().expect("some")) = (1, 2, 3);
        let row = RouteSnapshot {
            route: "/a\"b\\<id>".into(),
            method: "GET".into(),
            statuses: BTreeMap::from([(200, 6)]),
            time: HistogramSnapshot { counts, sum_ns: 1_500_000_000 },
        };
        let text = render(&Snapshot { routes: vec![row], ..Snapshot::default() });
        let labels = r#"method="GET",route="/a\"b\\<id>""#;
        for line in [
            format!("snaxum_http_requests_total{{{labels},status=\"200\"}} 6"),
            format!("snaxum_http_request_duration_seconds_bucket{{{labels},le=\"0.0005\"}} 1"),
            format!("snaxum_http_request_duration_seconds_bucket{{{labels},le=\"0.0025\"}} 3"),
            format!("snaxum_http_request_duration_seconds_bucket{{{labels},le=\"30\"}} 3"),
            format!("snaxum_http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 6"),
            format!("snaxum_http_request_duration_seconds_sum{{{labels}}} 1.5"),
            format!("snaxum_http_request_duration_seconds_count{{{labels}}} 6"),
            "snaxum_queue_wait_seconds_bucket{le=\"0.00001\"} 0".to_owned(),
            "snaxum_queue_depth 0".to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("pool_workers"), "{text}");
    }
}
