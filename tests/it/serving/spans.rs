//! Spans of requests, as a collector of OpenTelemetry receives them: `just otel`.
//!
//! Needs a build with the cargo feature `otel`, and installs OpenTelemetry's packages for Python.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use reqwest::Method;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::support::{Project, Reply, Server, in_time, send};

const APP: &str = r#"
import tasks
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from snaxum import route

tracer = TracerProvider().get_tracer("shop")

def own():
    parent = trace.get_current_span().get_span_context()
    with tracer.start_as_current_span("own") as span:
        context = span.get_span_context()
        return {"parent": format(parent.span_id, "016x"), "trace": format(context.trace_id, "032x"),
                "sampled": context.trace_flags.sampled, "state": parent.trace_state.to_header()}

@route("/sync/<name>")
def sync(name: str): return own()

@route("/async")
async def on_loop(): return own()

@route("/pool", use_process_pool=True)
def pooled(request, pool):
    pool.submit(tasks.square, 3).result()
    return own()

@route("/fail")
def fail(): raise ValueError("no luck")
"#;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A collector, and the spans that it receives.
struct Collector {
    url: String,
    bodies: mpsc::UnboundedReceiver<(HeaderMap, Value)>,
}

impl Collector {
    async fn start() -> Self {
        Self::that_is_busy(0).await
    }

    /// The same; it rejects the first requests, which are to be repeated.
    async fn that_is_busy(times: usize) -> Self {
        let (sender, bodies) = mpsc::unbounded_channel();
        let left = Arc::new(AtomicUsize::new(times));
        let receive = move |headers: HeaderMap, body: Bytes| {
            if left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                return ready((StatusCode::SERVICE_UNAVAILABLE, "busy"));
            }
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            sender.send((headers, body)).expect("the test runs");
            ready((StatusCode::OK, "{}"))
        };
        let app = Router::new().route("/v1/traces", axum::routing::post(receive));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, bodies }
    }

    /// The next batch.
    async fn batch(&mut self) -> (HeaderMap, Value) {
        in_time("spans", self.bodies.recv()).await.expect("it runs")
    }

    /// The spans of the next `count` requests, by request: the server's first.
    async fn requests(&mut self, count: usize) -> Vec<Vec<Value>> {
        let mut requests: Vec<Vec<Value>> = Vec::new();
        while requests.len() < count {
            let (_, body) = self.batch().await;
            let spans = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
            for span in spans.as_array().expect("spans") {
                match span["kind"].as_u64() {
                    Some(2) => requests.push(vec![span.clone()]),
                    _ => requests.last_mut().expect("its request comes first").push(span.clone()),
                }
            }
        }
        requests
    }
}

/// The attributes of a span or of a service.
fn attributes(of: &Value) -> BTreeMap<String, String> {
    let pair = |each: &Value| {
        let value =
            ["stringValue", "intValue"].iter().find_map(|kind| each["value"][kind].as_str());
        (each["key"].as_str().expect("a key").to_owned(), value.expect("a value").to_owned())
    };
    of["attributes"].as_array().expect("attributes").iter().map(pair).collect()
}

fn names(spans: &[Value]) -> Vec<&str> {
    spans.iter().map(|span| span["name"].as_str().expect("a name")).collect()
}

fn project(endpoint: &str) -> Project {
    let python = crate::venv::environment("otel", "tests/it/serving/opentelemetry.txt");
    Project::new()
        .environment(&python)
        .file("app.py", APP)
        .file("tasks.py", "def square(n): return n * n\n")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_BSP_SCHEDULE_DELAY", "20")
}

async fn traced(server: &Server, path: &str) -> Reply {
    let request = server.request(Method::GET, path).header("traceparent", PARENT);
    send(request.header("tracestate", "vendor=1")).await
}

#[tokio::test]
#[cfg_attr(not(feature = "otel"), ignore = "needs the feature otel: just otel")]
async fn a_request_has_spans_and_is_the_parent_of_the_spans_of_its_handler() {
    let mut collector = Collector::that_is_busy(1).await;
    let project = project(&collector.url)
        .env("OTEL_SERVICE_NAME", "shop")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s%20e");
    let mut server = project.args(&["--pool-workers", "1"]).serve().await;
    for (path, route, expected) in [
        ("/sync/a", "/sync/<name>", &["queue", "handler"][..]),
        ("/async", "/async", &["queue", "handler"]),
        ("/pool", "/pool", &["queue", "handler", "pool task"]),
    ] {
        let reply = traced(&server, path).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let requests = collector.requests(1).await;
        let [spans] = &requests[..] else { panic!("{requests:?}") };
        let (root, children) = spans.split_first().expect("a span of the server");
        assert_eq!(root["name"], format!("GET {route}"));
        assert_eq!(
            (&root["traceId"], &root["parentSpanId"]),
            (&TRACE.into(), &PARENT[36..52].into())
        );
        assert!(reply.header("traceparent").contains(root["spanId"].as_str().expect("an id")));
        let found = attributes(root);
        assert_eq!((&*found["http.route"], &*found["http.response.status_code"]), (route, "200"));
        assert_eq!(found["snaxum.request_id"], reply.header("x-request-id"));
        let found: Vec<_> =
            names(children).into_iter().filter(|name| *name != "gil wait").collect();
        assert_eq!(found, expected, "{children:?}");
        let time = |span: &Value, name: &str| {
            span[name].as_str().expect("a time").parse::<u64>().expect("nanoseconds")
        };
        for child in children {
            assert_eq!((&child["parentSpanId"], &child["kind"]), (&root["spanId"], &1.into()));
            assert!(time(child, "startTimeUnixNano") >= time(root, "startTimeUnixNano"));
            assert!(time(child, "endTimeUnixNano") <= time(root, "endTimeUnixNano"), "{spans:?}");
        }
        let own = reply.json();
        assert_eq!((&own["parent"], &own["trace"]), (&root["spanId"], &root["traceId"]));
        assert_eq!((&own["sampled"], &own["state"]), (&true.into(), &"vendor=1".into()));
    }
    server.get("/fail").await;
    let (headers, body) = collector.batch().await;
    let header = |name: &str| headers[name].to_str().expect("ASCII");
    assert_eq!((header("content-type"), header("api-key")), ("application/json", "s e"));
    let of_service = attributes(&body["resourceSpans"][0]["resource"]);
    assert_eq!(
        (&*of_service["service.name"], &*of_service["telemetry.sdk.name"]),
        ("shop", "snaxum")
    );
    let root = &body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!((&root["status"]["code"], root.get("parentSpanId")), (&2.into(), None));
    assert_eq!(attributes(root)["error.type"], "500");
    server.stop().await;
}

#[tokio::test]
#[cfg_attr(not(feature = "otel"), ignore = "needs the feature otel: just otel")]
async fn the_last_spans_are_exported_at_the_stop_and_counted() {
    let mut collector = Collector::start().await;
    let project = project(&collector.url).env("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    let mut server = project.args(&["--processes", "2"]).serve().await;
    for _ in 0..8 {
        server.get("/sync/a").await;
    }
    assert!(collector.bodies.try_recv().is_err(), "they wait for others");
    server.stop().await;
    assert_eq!(collector.requests(8).await.len(), 8);
}

#[tokio::test]
#[cfg_attr(not(feature = "otel"), ignore = "needs the feature otel: just otel")]
async fn a_collector_that_does_not_respond_delays_no_request() {
    // Accepts connections by its queue, and never responds.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let project = project(&url).env("OTEL_EXPORTER_OTLP_TIMEOUT", "100");
    let mut server = project.args(&["--metrics", "127.0.0.1:0"]).serve().await;
    let metrics = server.out.wait_for("metrics on http://").await;
    let metrics = metrics.trim_start_matches("metrics on ").to_owned();
    assert_eq!(server.get("/sync/a").await.status, 200);
    let warning = server.err.wait_for("spans were not exported").await;
    assert!(warning.contains(&url) && warning.contains("100ms"), "{warning}");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let text = send(client.get(metrics)).await.text().to_owned();
    let samples = super::exposition::parse(&text).samples;
    assert!(samples["snaxum_spans_dropped_total"] >= 2.0, "{text}");
    assert_eq!(samples["snaxum_spans_exported_total"], 0.0);
    server.stop().await;
}

#[tokio::test]
#[cfg_attr(not(feature = "otel"), ignore = "needs the feature otel: just otel")]
async fn the_sampler_decides_for_the_project_too() {
    let mut collector = Collector::start().await;
    let project = project(&collector.url).env("OTEL_TRACES_SAMPLER", "always_off");
    let mut server = project.serve().await;
    let reply = traced(&server, "/async").await;
    assert!(reply.header("traceparent").ends_with("-00"), "{}", reply.header("traceparent"));
    let own = reply.json();
    assert_eq!((&own["trace"], &own["sampled"]), (&TRACE.into(), &false.into()));
    server.stop().await;
    assert!(collector.bodies.try_recv().is_err(), "nothing is recorded");
}

#[tokio::test]
#[cfg_attr(not(feature = "otel"), ignore = "needs the feature otel: just otel")]
async fn a_variable_that_is_not_valid_is_one_warning_and_the_server_serves() {
    let project = project("http://127.0.0.1:4317").env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let mut server = project.serve().await;
    let warning = server.err.wait_for("spans are not exported").await;
    assert!(warning.contains("`OTEL_EXPORTER_OTLP_PROTOCOL` is `grpc`"), "{warning}");
    assert_eq!(server.get("/sync/a").await.status, 200);
    server.stop().await;
}
