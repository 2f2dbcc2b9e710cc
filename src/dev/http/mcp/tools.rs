//! What the tools do: each reads what the rest of dev mode keeps, secrets masked there already.
//!
//! How they are offered is in `offers.rs`; those that send requests to the app are in `calling.rs`.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::message::LoadOutcome;

use super::app_request;
use super::arguments::{Id, Nothing, Page, read, wait};
use super::catalog::{FEW, USUAL};
use super::text::{self, Fields, fields, value};
use crate::dev::engine::Dev;
use crate::dev::http::commands;

/// Why nothing is waited for any more.
pub(super) const STOPPING: &str = "the server is stopping";

/// Uses the tool of this name; nothing waits beyond `stop`. The error is for the assistant to read.
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
            tell(&Page::read(arguments, USUAL)?, state(dev), name, &serving.routes, as_it_is)
        }
        "errors" => {
            let page = Page::read(arguments, FEW)?;
            tell(&page, state(dev), name, &failures(dev), |failure| failure.tell(dev))
        }
        "requests" => requests(dev, read(arguments)?),
        "reloads" => {
            let page = Page::read(arguments, FEW)?;
            tell(&page, Fields::new(), name, &recorder.reloads(), as_it_is)
        }
        "logs" => {
            let page = Page::read(arguments, USUAL)?;
            tell(&page, Fields::new(), name, &recorder.logs(), as_it_is)
        }
        "workers" => {
            let Nothing {} = read(arguments)?;
            Ok(text::object(workers(dev).await))
        }
        "await_reload" => await_reload(dev, stop, &read(arguments)?).await,
        "reload" => reload(dev, &read(arguments)?).await,
        "replay" => app_request::replay(dev, stop, read(arguments)?).await,
        "call_route" => app_request::call_route(dev, stop, read(arguments)?).await,
        _ => Err("no such tool".to_owned()),
    }
}

/// Tells a part of `items`; what is gone meanwhile tells nothing.
fn tell<T>(
    page: &Page,
    around: Fields,
    name: &str,
    items: &[T],
    tell: impl Fn(&T) -> Option<Value>,
) -> Result<String, String> {
    let part = items.iter().skip(page.skip).take(page.limit).filter_map(tell);
    Ok(text::list(around, name, part, page.skip, items.len()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requests {
    limit: Option<usize>,
    skip: Option<usize>,
    id: Option<Id>,
}

fn requests(dev: &Dev, asked: Requests) -> Result<String, String> {
    let recorder = &dev.inner.recorder;
    let Some(id) = asked.id else {
        let page = Page::of(asked.limit, asked.skip, USUAL)?;
        return tell(&page, Fields::new(), "requests", &recorder.requests(), as_it_is);
    };
    match recorder.request(&id.text()) {
        Some(detail) => Ok(text::object(fields(&detail))),
        None => Err("no such request among the newest; `requests` without `id` lists them".into()),
    }
}

/// Something that failed.
struct Failure {
    time_ms: u64,
    what: What,
}

enum What {
    Request(String),
    Reload(Value),
}

/// Newest first.
fn failures(dev: &Dev) -> Vec<Failure> {
    let recorder = &dev.inner.recorder;
    let requests = recorder.requests().into_iter().filter_map(|request| {
        let has_failed = request.error.is_some() || request.status >= 500;
        has_failed.then_some(Failure { time_ms: request.time_ms, what: What::Request(request.id) })
    });
    let reloads = recorder.reloads().into_iter().filter_map(|reload| {
        let has_failed = reload.outcome == LoadOutcome::Failed || reload.traceback.is_some();
        let what = || What::Reload(value(&*reload));
        has_failed.then(|| Failure { time_ms: reload.time_ms, what: what() })
    });
    let mut all: Vec<Failure> = requests.chain(reloads).collect();
    all.sort_by_key(|failure| std::cmp::Reverse(failure.time_ms));
    all
}

impl Failure {
    /// With its traceback; `None` if newer requests have taken its place.
    fn tell(&self, dev: &Dev) -> Option<Value> {
        let (kind, mut told) = match &self.what {
            What::Request(id) => ("request", value(&dev.inner.recorder.request(id)?)),
            What::Reload(reload) => ("reload", reload.clone()),
        };
        told["kind"] = kind.into();
        Some(told)
    }
}

async fn workers(dev: &Dev) -> Fields {
    let mut told = fields(&dev.status().await);
    told.remove("last_reload"); // `reloads` has it
    told.insert("dispatch_workers".into(), dev.inner.runtime.config().dispatch_workers.into());
    told
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Await {
    timeout_ms: Option<u64>,
}

/// Waits like `/__snaxum/api/wait`, for a bounded time.
async fn await_reload(
    dev: &Dev,
    stop: &CancellationToken,
    asked: &Await,
) -> Result<String, String> {
    let limit = wait(asked.timeout_ms)?;
    let runtime = &dev.inner.runtime;
    let began = Instant::now();
    let settled = tokio::select! {
        settled = tokio::time::timeout(limit, runtime.gate().wait_idle()) => settled.is_ok(),
        () = stop.cancelled() => return Err(STOPPING.to_owned()),
    };
    let status = dev.inner.recorder.status(runtime, Value::Null);
    let told = json!({
        "settled": settled,
        "waited_ms": began.elapsed().as_secs_f64() * 1000.0,
        "state": status.state,
        "paused": status.paused,
        "needs_restart": status.last_reload.as_ref().is_some_and(|last| last.strategy == "restart"),
        "generation": status.generation,
        "last_reload": status.last_reload,
    });
    Ok(text::object(fields(&told)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    full: bool,
}

async fn reload(dev: &Dev, wanted: &Wanted) -> Result<String, String> {
    let outcome = commands::reload_now(dev, wanted.full).await;
    let outcome = outcome.ok_or_else(|| commands::BUSY.trim_end().to_owned())?;
    Ok(text::object(fields(&outcome)))
}

fn state(dev: &Dev) -> Fields {
    let state = if dev.inner.runtime.serving().failing { "failing" } else { "ok" };
    Fields::from_iter([("state".to_owned(), state.into())])
}

fn as_it_is<T: Serialize>(item: &T) -> Option<Value> {
    Some(value(item))
}
