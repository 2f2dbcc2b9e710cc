//! What changes something when it is asked for: reload, restart, pause, resume; replay, pin, unpin.
//!
//! Each answers once it has happened. The guard has seen to it that somebody meant it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;

use crate::python_runtime::{ReloadOutcome, ReloadScope};

use crate::dev::engine::Dev;
use crate::dev::protocol::{ByHand, Pin, Reload};
use crate::dev::replay::{self, Changes, Refusal};

/// Why a reload is not even tried.
pub(in crate::dev) const BUSY: &str = "The server is stopping, or too many ask for a reload.\n";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dev) struct Wanted {
    /// Whether all modules run again, whatever the files hold.
    #[serde(default)]
    full: bool,
}

/// Looks at all files now, and reloads what differs from what serves.
pub(in crate::dev) async fn reload(State(dev): State<Dev>, Json(wanted): Json<Wanted>) -> Response {
    match reload_now(&dev, wanted.full).await {
        Some(outcome) => Json(outcome).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, BUSY).into_response(),
    }
}

/// The same for whoever asks otherwise; `None` if the answer is [`BUSY`].
pub(in crate::dev) async fn reload_now(dev: &Dev, full: bool) -> Option<ByHand> {
    let scope = if full { ReloadScope::All } else { ReloadScope::Differing };
    let made = match dev.inner.reloader.reload(scope, &dev.inner.runtime).await? {
        ReloadOutcome::Reloaded(reload) => Some(Reload::from(&reload)),
        ReloadOutcome::Unchanged | ReloadOutcome::Held => None,
    };
    Some(outcome(dev, made).await)
}

/// Lets a new process take over, if the code loads there.
pub(in crate::dev) async fn restart(State(dev): State<Dev>) -> Response {
    let restart = Some(dev.inner.restarts.wish("asked for by hand").await);
    Json(ByHand { status: dev.status().await, reload: None, restart }).into_response()
}

/// Acts on what is saved already, and from then on keeps what is saved for later.
pub(in crate::dev) async fn pause(State(dev): State<Dev>) -> Response {
    dev.inner.runtime.gate().wait_idle().await;
    dev.pause();
    Json(outcome(&dev, None).await).into_response()
}

/// Reloads what was kept, and goes on.
pub(in crate::dev) async fn resume(State(dev): State<Dev>) -> Response {
    let runtime = &dev.inner.runtime;
    let before = runtime.serving().last_reload.id;
    dev.inner.reloader.resume(runtime);
    runtime.gate().wait_idle().await;
    let last = Arc::clone(&runtime.serving().last_reload);
    let made = (last.id > before).then(|| Reload::from(&last));
    Json(outcome(&dev, made).await).into_response()
}

/// Sends a request again, and answers with what came of it, once it has ended.
pub(in crate::dev) async fn replay(
    State(dev): State<Dev>,
    Path(id): Path<String>,
    Json(changes): Json<Changes>,
) -> Result<Response, Refusal> {
    let (number, sent) = replay::original(&dev.inner.recorder, &id)?;
    let replay = sent.change(changes)?.send(&dev.inner.runtime, number).await?;
    let detail = dev.inner.recorder.request(&replay).ok_or(Refusal::Unknown)?;
    Ok(Json(detail).into_response())
}

/// Sends a request that failed again after each reload, until it is answered well.
pub(in crate::dev) async fn pin(
    State(dev): State<Dev>,
    Path(id): Path<String>,
) -> Result<Json<Vec<Pin>>, Refusal> {
    let (_, sent) = replay::original(&dev.inner.recorder, &id)?;
    if sent.body.is_none() {
        return Err(Refusal::Cut("its body"));
    }
    let detail = dev.inner.recorder.request(&id).ok_or(Refusal::Unknown)?;
    dev.inner.pins.pin(&detail.summary, sent).map_err(Refusal::Bad)?;
    Ok(Json(dev.inner.pins.list().to_vec()))
}

/// Lets a pinned request go; one that is not pinned stays so.
pub(in crate::dev) async fn unpin(
    State(dev): State<Dev>,
    Path(id): Path<String>,
) -> Json<Vec<Pin>> {
    dev.inner.pins.unpin(&id);
    Json(dev.inner.pins.list().to_vec())
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Cut(_) => StatusCode::CONFLICT,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
        };
        (status, format!("Not done: {self}.\n")).into_response()
    }
}

/// Tells what `reload` has done; what only a new process can do is done first.
async fn outcome(dev: &Dev, reload: Option<Reload>) -> ByHand {
    let restart = match &reload {
        Some(reload) if reload.strategy == "restart" => {
            Some(dev.inner.restarts.wish(&reload.reason).await)
        }
        _ => None,
    };
    ByHand { status: dev.status().await, reload, restart }
}
