//! What the tools do: each reads what the rest of dev mode keeps, secrets masked there already.
//!
//! Knows nothing of HTTP. How they are offered is in `offers.rs`.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::message::LoadOutcome;

use super::super::{Dev, by_hand};
use super::offers::{FEW, MAX_LIMIT, MAX_WAIT, USUAL, USUAL_WAIT};
use super::text;

type Fields = Map<String, Value>;

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
            Page::read(arguments, USUAL)?.tell(state(dev), name, &serving.routes, as_it_is)
        }
        "errors" => Page::read(arguments, FEW)?
            .tell(state(dev), name, &failures(dev), |failure| failure.tell(dev)),
        "requests" => requests(dev, read(arguments)?),
        "reloads" => {
            Page::read(arguments, FEW)?.tell(Fields::new(), name, &recorder.reloads(), as_it_is)
        }
        "logs" => {
            Page::read(arguments, USUAL)?.tell(Fields::new(), name, &recorder.logs(), as_it_is)
        }
        "workers" => {
            let Nothing {} = read(arguments)?;
            Ok(text::object(workers(dev).await))
        }
        "await_reload" => await_reload(dev, stop, &read(arguments)?).await,
        "reload" => reload(dev, &read(arguments)?).await,
        _ => Err("no such tool".to_owned()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Which part of a list is asked for.
struct Page {
    limit: usize,
    skip: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    limit: Option<usize>,
    skip: Option<usize>,
}

impl Page {
    fn read(arguments: Value, usual: usize) -> Result<Self, String> {
        let Part { limit, skip } = read(arguments)?;
        Self::of(limit, skip, usual)
    }

    fn of(limit: Option<usize>, skip: Option<usize>, usual: usize) -> Result<Self, String> {
        let limit = limit.unwrap_or(usual);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(format!(
                "`limit` is {limit}; give 1 to {MAX_LIMIT}, and go on with `skip`"
            ));
        }
        Ok(Self { limit, skip: skip.unwrap_or_default() })
    }

    /// Tells the part of `items`; what is gone meanwhile tells nothing.
    fn tell<T>(
        &self,
        around: Fields,
        name: &str,
        items: &[T],
        tell: impl Fn(&T) -> Option<Value>,
    ) -> Result<String, String> {
        let part = items.iter().skip(self.skip).take(self.limit).filter_map(tell);
        Ok(text::list(around, name, part, self.skip, items.len()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requests {
    limit: Option<usize>,
    skip: Option<usize>,
    id: Option<Id>,
}

/// Assistants write it as either.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
}

fn requests(dev: &Dev, asked: Requests) -> Result<String, String> {
    let recorder = &dev.inner.recorder;
    let Some(id) = asked.id else {
        let page = Page::of(asked.limit, asked.skip, USUAL)?;
        return page.tell(Fields::new(), "requests", &recorder.requests(), as_it_is);
    };
    let id = match id {
        Id::Number(id) => id.to_string(),
        Id::Text(id) => id,
    };
    match recorder.request(&id) {
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
    let limit = asked.timeout_ms.map_or(USUAL_WAIT, Duration::from_millis);
    if limit > MAX_WAIT {
        let most = MAX_WAIT.as_millis();
        return Err(format!("`timeout_ms` is {}; give at most {most}", limit.as_millis()));
    }
    let runtime = &dev.inner.runtime;
    let began = Instant::now();
    let settled = tokio::select! {
        settled = tokio::time::timeout(limit, runtime.gate().settled()) => settled.is_ok(),
        () = stop.cancelled() => return Err("the server is stopping".to_owned()),
    };
    let status = dev.inner.recorder.status(runtime, Value::Null);
    let told = json!({
        "settled": settled,
        "waited_ms": began.elapsed().as_secs_f64() * 1000.0,
        "state": status.state,
        "paused": status.paused,
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
    let outcome = by_hand::reload_now(dev, wanted.full).await;
    let outcome = outcome.ok_or_else(|| by_hand::BUSY.trim_end().to_owned())?;
    Ok(text::object(fields(&outcome)))
}

fn state(dev: &Dev) -> Fields {
    let state = if dev.inner.runtime.serving().failing { "failing" } else { "ok" };
    Fields::from_iter([("state".to_owned(), state.into())])
}

/// Reads the arguments of a tool.
fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, String> {
    serde_json::from_value(arguments)
        .map_err(|error| format!("{error}; `tools/list` has the arguments of each tool"))
}

fn as_it_is<T: Serialize>(item: &T) -> Option<Value> {
    Some(value(item))
}

fn fields(item: &impl Serialize) -> Fields {
    match value(item) {
        Value::Object(fields) => fields,
        _ => unreachable!("only objects are told whole"),
    }
}

fn value(item: &impl Serialize) -> Value {
    serde_json::to_value(item).expect("plain data with text for keys")
}
