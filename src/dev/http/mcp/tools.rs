//! Runs the tools: each reads the engine's records, in which secrets are already masked.
//!
//! Their descriptions are in `catalog.rs`; `app_request.rs` has the tools that send requests to the
//! app.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::message::LoadOutcome;

use super::app_request;
use super::arguments::{ListRange, NoArguments, RequestId, parse, parse_timeout};
use super::catalog::{DEFAULT_LIMIT, DEFAULT_LIMIT_LARGE};
use super::text::{self, Fields, STOPPING, fields, value};
use crate::dev::engine::Dev;
use crate::dev::http::commands::{self, ReloadOptions};

/// Runs the tool of this name, until `stop` at most. The error is for the assistant.
pub(super) async fn call(
    dev: &Dev,
    stop: &CancellationToken,
    name: &str,
    arguments: Value,
) -> Result<String, String> {
    let recorder = &dev.inner.recorder;
    match name {
        "routes" => {
            let serving = dev.inner.runtime.serving();
            let range = ListRange::parse(arguments, DEFAULT_LIMIT)?;
            list(&range, state(dev), name, &serving.routes, unchanged)
        }
        "errors" => {
            let range = ListRange::parse(arguments, DEFAULT_LIMIT_LARGE)?;
            list(&range, state(dev), name, &failures(dev), |failure| failure.to_json(dev))
        }
        "requests" => requests(dev, parse(arguments)?),
        "reloads" => {
            let range = ListRange::parse(arguments, DEFAULT_LIMIT_LARGE)?;
            list(&range, Fields::new(), name, &recorder.reloads(), unchanged)
        }
        "logs" => {
            let range = ListRange::parse(arguments, DEFAULT_LIMIT)?;
            list(&range, Fields::new(), name, &recorder.logs(), unchanged)
        }
        "workers" => {
            let NoArguments {} = parse(arguments)?;
            Ok(text::object(workers(dev).await))
        }
        "await_reload" => await_reload(dev, stop, &parse(arguments)?).await,
        "reload" => reload(dev, &parse(arguments)?).await,
        "replay" => app_request::replay(dev, stop, parse(arguments)?).await,
        "call_route" => app_request::call_route(dev, stop, parse(arguments)?).await,
        _ => Err("unknown tool".to_owned()),
    }
}

/// Renders a part of `items`, without the items that are no longer recorded.
fn list<T>(
    range: &ListRange,
    around: Fields,
    name: &str,
    items: &[T],
    to_json: impl Fn(&T) -> Option<Value>,
) -> Result<String, String> {
    let part = items.iter().skip(range.skip).take(range.limit).filter_map(to_json);
    Ok(text::list(around, name, part, range.skip, items.len()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestsArguments {
    limit: Option<usize>,
    skip: Option<usize>,
    id: Option<RequestId>,
}

fn requests(dev: &Dev, arguments: RequestsArguments) -> Result<String, String> {
    let recorder = &dev.inner.recorder;
    let Some(id) = arguments.id else {
        let range = ListRange::new(arguments.limit, arguments.skip, DEFAULT_LIMIT)?;
        return list(&range, Fields::new(), "requests", &recorder.requests(), unchanged);
    };
    match recorder.request(&id.into_text()) {
        Some(detail) => Ok(text::object(fields(&detail))),
        None => {
            Err("no recorded request has this id; call `requests` without `id` for a list".into())
        }
    }
}

/// A failed request or reload.
struct FailedItem {
    time_ms: u64,
    source: FailureSource,
}

enum FailureSource {
    /// By its id.
    Request(String),
    Reload(Value),
}

/// Newest first.
fn failures(dev: &Dev) -> Vec<FailedItem> {
    let recorder = &dev.inner.recorder;
    let requests = recorder.requests().into_iter().filter_map(|request| {
        let has_failed = request.error.is_some() || request.status >= 500;
        has_failed.then_some(FailedItem {
            time_ms: request.time_ms,
            source: FailureSource::Request(request.id),
        })
    });
    let reloads = recorder.reloads().into_iter().filter_map(|reload| {
        let has_failed = reload.outcome == LoadOutcome::Failed || reload.traceback.is_some();
        let source = || FailureSource::Reload(value(&*reload));
        has_failed.then(|| FailedItem { time_ms: reload.time_ms, source: source() })
    });
    let mut all: Vec<FailedItem> = requests.chain(reloads).collect();
    all.sort_by_key(|failure| std::cmp::Reverse(failure.time_ms));
    all
}

impl FailedItem {
    /// Includes its traceback; `None` if newer requests have replaced it.
    fn to_json(&self, dev: &Dev) -> Option<Value> {
        let (kind, mut json) = match &self.source {
            FailureSource::Request(id) => ("request", value(&dev.inner.recorder.request(id)?)),
            FailureSource::Reload(reload) => ("reload", reload.clone()),
        };
        json["kind"] = kind.into();
        Some(json)
    }
}

async fn workers(dev: &Dev) -> Fields {
    let mut status = fields(&dev.status().await);
    status.remove("last_reload"); // `reloads` has it
    status.insert("dispatch_workers".into(), dev.inner.runtime.config().dispatch_workers.into());
    status
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AwaitArguments {
    timeout_ms: Option<u64>,
}

/// Waits like `/__snaxum/api/wait`, but with a timeout.
async fn await_reload(
    dev: &Dev,
    stop: &CancellationToken,
    arguments: &AwaitArguments,
) -> Result<String, String> {
    let timeout = parse_timeout(arguments.timeout_ms)?;
    let runtime = &dev.inner.runtime;
    let began = Instant::now();
    let settled = tokio::select! {
        settled = tokio::time::timeout(timeout, runtime.gate().wait_idle()) => settled.is_ok(),
        () = stop.cancelled() => return Err(STOPPING.to_owned()),
    };
    let status = dev.inner.recorder.status(runtime, Value::Null);
    let result = json!({
        "settled": settled,
        "waited_ms": began.elapsed().as_secs_f64() * 1000.0,
        "state": status.state,
        "paused": status.paused,
        "needs_restart": status.last_reload.as_ref().is_some_and(|last| last.strategy == "restart"),
        "generation": status.generation,
        "last_reload": status.last_reload,
    });
    Ok(text::object(fields(&result)))
}

async fn reload(dev: &Dev, options: &ReloadOptions) -> Result<String, String> {
    let outcome = commands::reload_now(dev, options).await;
    let outcome = outcome.ok_or_else(|| commands::BUSY.trim_end().to_owned())?;
    Ok(text::object(fields(&outcome)))
}

fn state(dev: &Dev) -> Fields {
    let state = if dev.inner.runtime.serving().failing { "failing" } else { "ok" };
    Fields::from_iter([("state".to_owned(), state.into())])
}

fn unchanged<T: Serialize>(item: &T) -> Option<Value> {
    Some(value(item))
}
