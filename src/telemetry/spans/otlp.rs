//! Spans as a collector reads them: the JSON of OTLP (OpenTelemetry Protocol 1.x, `v1/traces`).
//!
//! Names and attributes follow OpenTelemetry's conventions for HTTP servers. Sends nothing.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Value, json};

use crate::telemetry::request_span::RequestSpan;

const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
/// The code of a span that has failed.
const ERROR: u8 = 2;
/// The method of a request whose method is not one of HTTP's.
const OTHER_METHOD: &str = "_OTHER";
const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_state: Option<&'a str>,
    name: Cow<'a, str>,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<SpanStatus>,
}

#[derive(Serialize)]
struct SpanStatus {
    code: u8,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'a str,
    value: AttributeValue<'a>,
}

/// A 64-bit number is a text in this format.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum AttributeValue<'a> {
    StringValue(Cow<'a, str>),
    IntValue(String),
}

/// The number of spans of a request.
pub(super) fn span_count(request: &RequestSpan) -> usize {
    let waits = phases(request).filter(|(_, _, time)| !time.is_zero()).count();
    1 + waits + request.tasks.len()
}

/// Makes the body of an export.
pub(super) fn export_body(resource: &[(String, String)], requests: &[RequestSpan]) -> Vec<u8> {
    let spans: Vec<_> = requests.iter().flat_map(spans_of).collect();
    let of_library = [
        ("telemetry.sdk.name", "snaxum"),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ];
    let resource = resource.iter().map(|(key, value)| (&**key, &**value)).chain(of_library);
    let mut attributes: Vec<_> = resource.map(|(key, value)| text(key, value)).collect();
    attributes.push(number("process.pid", std::process::id().into()));
    let body = json!({ "resourceSpans": [{
        "resource": { "attributes": attributes },
        "scopeSpans": [{
            "scope": { "name": "snaxum", "version": env!("CARGO_PKG_VERSION") },
            "spans": spans,
        }],
    }]});
    serde_json::to_vec(&body).expect("plain data")
}

/// Reads how many spans a collector has rejected, and why.
pub(super) fn rejection(body: &[u8]) -> Option<(u64, String)> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let partial = &body["partialSuccess"];
    let rejected = &partial["rejectedSpans"];
    let count = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok())?;
    let reason = partial["errorMessage"].as_str().unwrap_or_default();
    (count > 0).then(|| (count, format!("the collector has rejected them: {reason}")))
}

fn spans_of(request: &RequestSpan) -> Vec<Span<'_>> {
    let mut spans = vec![server_span(request)];
    let times = phases(request).map(|(name, start, time)| (name, None, start, time));
    let tasks = request.tasks.iter().map(|task| {
        // A task is within its request, also if the time of day was set meanwhile.
        let start = task.began.saturating_duration_since(request.began).min(request.total);
        let start = request.start + start;
        ("pool task", Some(&*task.name), start, task.time)
    });
    let times = times.filter(|(_, _, _, time)| !time.is_zero());
    for (index, (name, function, start, time)) in times.chain(tasks).enumerate() {
        spans.push(Span {
            trace_id: request.trace.trace_id().to_string(),
            span_id: request.trace.child_id(index).to_string(),
            parent_span_id: Some(request.trace.span_id().to_string()),
            trace_state: request.trace_state.as_deref(),
            name: name.into(),
            kind: INTERNAL,
            start_time_unix_nano: nanoseconds(start),
            end_time_unix_nano: nanoseconds(start + time),
            attributes: function.map(|it| text("code.function.name", it)).into_iter().collect(),
            status: None,
        });
    }
    spans
}

/// The name, start and time of each phase that is a span.
fn phases(request: &RequestSpan) -> impl Iterator<Item = (&'static str, SystemTime, Duration)> {
    let time = |ms: f64| Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default();
    let phases = &request.phases;
    let mut start = request.start + time(phases.read);
    [("queue", phases.queue), ("gil wait", phases.gil), ("handler", phases.py)].into_iter().map(
        move |(name, ms)| {
            let began = start;
            start += time(ms);
            (name, began, time(ms))
        },
    )
}

fn server_span(request: &RequestSpan) -> Span<'_> {
    let is_known = METHODS.contains(&&*request.method);
    let method = if is_known { &*request.method } else { OTHER_METHOD };
    let named = if is_known { method } else { "HTTP" };
    let mut attributes = vec![
        text("http.request.method", method),
        text("url.path", &request.path),
        text("url.scheme", request.scheme),
        text("network.protocol.version", request.version),
        number("http.response.status_code", request.status.into()),
        text("snaxum.request_id", &request.request_id),
    ];
    if !is_known {
        attributes.push(text("http.request.method_original", &request.method));
    }
    if let Some(route) = &request.route {
        attributes.push(text("http.route", route));
    }
    if let Some(client) = request.client {
        attributes.push(text("client.address", client.to_string()));
    }
    if let Some(generation) = request.generation {
        attributes.push(number("snaxum.generation", generation));
    }
    let has_failed = request.status >= 500;
    if has_failed {
        attributes.push(text("error.type", request.status.to_string()));
    }
    Span {
        trace_id: request.trace.trace_id().to_string(),
        span_id: request.trace.span_id().to_string(),
        parent_span_id: request.trace.parent_id().map(|parent| parent.to_string()),
        trace_state: request.trace_state.as_deref(),
        name: match &request.route {
            Some(route) => format!("{named} {route}").into(),
            None => named.into(),
        },
        kind: SERVER,
        start_time_unix_nano: nanoseconds(request.start),
        end_time_unix_nano: nanoseconds(request.start + request.total),
        attributes,
        status: has_failed.then_some(SpanStatus { code: ERROR }),
    }
}

fn text<'a>(key: &'a str, value: impl Into<Cow<'a, str>>) -> Attribute<'a> {
    Attribute { key, value: AttributeValue::StringValue(value.into()) }
}

fn number(key: &str, value: u64) -> Attribute<'_> {
    Attribute { key, value: AttributeValue::IntValue(value.to_string()) }
}

fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Instant;

    use axum::http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::message::{Phases, PoolTaskTime};
    use crate::telemetry::identity::{Identities, TRACEPARENT};

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    pub(in crate::telemetry::spans) fn request() -> RequestSpan {
        let headers = HeaderMap::from_iter([(TRACEPARENT, HeaderValue::from_static(GIVEN))]);
        RequestSpan {
            trace: Identities::new(true).trace(1, &headers),
            trace_state: Some("vendor=1".to_owned()),
            request_id: "a-1".to_owned(),
            method: "GET".to_owned(),
            path: "/user/7".to_owned(),
            scheme: "http",
            version: "1.1",
            route: Some("/user/<id>".to_owned()),
            client: None,
            status: 503,
            generation: None,
            start: UNIX_EPOCH + Duration::from_secs(1_796_047_331),
            began: Instant::now(),
            total: Duration::from_millis(9),
            phases: Phases { read: 1.0, py: 5.0, ..Phases::default() },
            tasks: Vec::new(),
        }
    }

    fn spans(request: RequestSpan) -> Vec<Value> {
        let count = span_count(&request);
        let body = export_body(&[("service.name".into(), "shop".into())], &[request]);
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let of_service = &body["resourceSpans"][0]["resource"]["attributes"][0];
        assert_eq!(*of_service, json!({"key": "service.name", "value": {"stringValue": "shop"}}));
        let spans = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
        let spans = spans.as_array().expect("spans").clone();
        assert_eq!(spans.len(), count);
        spans
    }

    #[test]
    fn a_request_is_a_span_of_its_client_and_the_parent_of_its_phases() {
        let request = request();
        let (began, time) = (request.began + Duration::from_millis(3), Duration::from_millis(2));
        let task = PoolTaskTime { name: "shop.total".to_owned(), began, time };
        let found = spans(RequestSpan { tasks: vec![task], ..request });
        let [root, handler, task] = &found[..] else { panic!("{found:?}") };
        assert_eq!(root["traceId"], GIVEN[3..35]);
        assert_eq!((&root["parentSpanId"], &root["kind"]), (&GIVEN[36..52].into(), &2.into()));
        assert_eq!((&root["name"], &root["status"]["code"]), (&"GET /user/<id>".into(), &2.into()));
        assert_eq!(root["startTimeUnixNano"], "1796047331000000000");
        assert_eq!(root["endTimeUnixNano"], "1796047331009000000");
        for (span, name, start, end) in [
            (handler, "handler", "1796047331001000000", "1796047331006000000"),
            (task, "pool task", "1796047331003000000", "1796047331005000000"),
        ] {
            assert_eq!((&span["name"], &span["parentSpanId"]), (&name.into(), &root["spanId"]));
            assert_eq!(span["traceId"], root["traceId"]);
            let times = (&span["startTimeUnixNano"], &span["endTimeUnixNano"]);
            assert_eq!(times, (&start.into(), &end.into()));
        }
        assert_ne!(handler["spanId"], task["spanId"]);
        let attributes = root["attributes"].as_array().expect("attributes");
        let has =
            |key: &str, value: Value| attributes.contains(&json!({ "key": key, "value": value }));
        assert!(has("http.response.status_code", json!({"intValue": "503"})), "{root}");
        assert!(has("error.type", json!({"stringValue": "503"})), "{root}");
        assert!(has("http.route", json!({"stringValue": "/user/<id>"})), "{root}");
    }

    #[test]
    fn a_method_that_a_client_invents_is_not_in_the_name_of_a_span() {
        let found = spans(RequestSpan { method: "BREW".to_owned(), route: None, ..request() });
        assert_eq!(found[0]["name"], "HTTP");
    }

    #[test]
    fn a_collector_may_reject_some_spans() {
        let reply = br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#;
        let (count, problem) = rejection(reply).expect("a rejection");
        assert!(count == 3 && problem.ends_with("too old"), "{problem}");
        for reply in [&b"{}"[..], b"", br#"{"partialSuccess":{"rejectedSpans":0}}"#] {
            assert_eq!(rejection(reply), None);
        }
    }
}
