//! The API's commands: reload, restart, pause, resume, replay, pin, unpin, reveal, profile.
//!
//! Each responds once it is done. The guard has checked that no form or link of another site sent
//! it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::{Deserialize, Serialize};

use crate::message::{nothing_to_reload, still_serving};
use crate::python_runtime::{ReloadOutcome, ReloadScope};

use crate::dev::engine::Dev;
use crate::dev::protocol::{CommandOutcome, Pin, Reload, RestartOutcome};
use crate::dev::replay::{self, ReplayChanges, ReplayError};

/// The text of a reload that could not start.
pub(super) const BUSY: &str =
    "The reload did not start: the server is stopping, or too many reloads are waiting.\n";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReloadOptions {
    /// Runs all modules again, even if no file has changed.
    #[serde(default)]
    full: bool,
}

/// Checks all files now, and reloads the modules that differ from the serving ones.
pub(super) async fn reload(State(dev): State<Dev>, Json(options): Json<ReloadOptions>) -> Response {
    match reload_now(&dev, &options).await {
        Some(outcome) => Json(outcome).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, BUSY).into_response(),
    }
}

/// Does the same for other callers; returns `None` for [`BUSY`].
pub(super) async fn reload_now(dev: &Dev, options: &ReloadOptions) -> Option<CommandOutcome> {
    let scope = if options.full { ReloadScope::All } else { ReloadScope::Differing };
    let reload = match dev.inner.reloader.reload(scope, &dev.inner.runtime).await? {
        ReloadOutcome::Reloaded(reload) => Some(Reload::from(&reload)),
        ReloadOutcome::Unchanged | ReloadOutcome::Held | ReloadOutcome::Overtaken => None,
    };
    Some(reload_outcome(dev, reload).await)
}

/// Restarts the server: a new process takes over if the code loads there.
pub(super) async fn restart(State(dev): State<Dev>) -> Response {
    let restart = dev.inner.restarts.request("requested manually").await;
    Json(outcome(&dev, None, Some(restart)).await).into_response()
}

/// Finishes the reload of earlier saves, then pauses reloading.
pub(super) async fn pause(State(dev): State<Dev>) -> Response {
    dev.inner.runtime.gate().wait_idle().await;
    dev.pause();
    Json(outcome(&dev, None, None).await).into_response()
}

/// Applies the saves made during the pause, and resumes reloading.
pub(super) async fn resume(State(dev): State<Dev>) -> Response {
    let runtime = &dev.inner.runtime;
    let before = runtime.serving().last_reload.id;
    dev.inner.reloader.resume(runtime);
    runtime.gate().wait_idle().await;
    let last = Arc::clone(&runtime.serving().last_reload);
    let reload = (last.id > before).then(|| Reload::from(&last));
    Json(reload_outcome(&dev, reload).await).into_response()
}

/// Sends a request again, and responds with the new request once it has ended.
pub(super) async fn replay(
    State(dev): State<Dev>,
    Path(id): Path<String>,
    Json(changes): Json<ReplayChanges>,
) -> Result<Response, ReplayError> {
    let (number, sent) = replay::find(&dev.inner.recorder, &id)?;
    let replay = sent.with_changes(changes)?.send(&dev.inner.runtime, number).await?;
    let detail = dev.inner.recorder.request(&replay).ok_or(ReplayError::Unknown)?;
    Ok(Json(detail).into_response())
}

/// Sends a failed request again after each reload, until it succeeds.
pub(super) async fn pin(
    State(dev): State<Dev>,
    Path(id): Path<String>,
) -> Result<Json<Vec<Pin>>, ReplayError> {
    let (_, sent) = replay::find(&dev.inner.recorder, &id)?;
    if sent.body.is_none() {
        return Err(ReplayError::Incomplete("its body"));
    }
    let detail = dev.inner.recorder.request(&id).ok_or(ReplayError::Unknown)?;
    dev.inner.pins.pin(&detail.summary, sent).map_err(ReplayError::Invalid)?;
    Ok(Json(dev.inner.pins.list().to_vec()))
}

/// Unpins a request; does nothing if it is not pinned.
pub(super) async fn unpin(State(dev): State<Dev>, Path(id): Path<String>) -> Json<Vec<Pin>> {
    dev.inner.pins.unpin(&id);
    Json(dev.inner.pins.list().to_vec())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileSwitch {
    is_on: bool,
}

/// Profiles each request to a route from now on, or no longer; responds with the routes that are.
pub(super) async fn profile_route(
    State(dev): State<Dev>,
    Path(id): Path<String>,
    Json(switch): Json<ProfileSwitch>,
) -> Response {
    let (runtime, is_on) = (&dev.inner.runtime, switch.is_on);
    if is_on && !runtime.serving().routes.iter().any(|route| route.id == id) {
        return (StatusCode::NOT_FOUND, "No serving route has this id.\n").into_response();
    }
    if !runtime.switch_profile(&id, is_on) {
        let text = "Too many routes are profiled: turn the switch of another one off.\n";
        return (StatusCode::CONFLICT, text).into_response();
    }
    Json(runtime.profiled_routes()).into_response()
}

/// A recorded request without masks.
#[derive(Serialize)]
pub(super) struct RevealedRequest {
    method: String,
    /// Path and query as they were sent.
    target: String,
    headers: Vec<(String, String)>,
    /// `None` if it is not stored completely, or is not text.
    body: Option<String>,
}

/// Returns a request with its secrets, for the user who copies it as a command.
pub(super) async fn reveal(
    State(dev): State<Dev>,
    Path(id): Path<String>,
) -> Result<Json<RevealedRequest>, ReplayError> {
    let (_, sent) = replay::find(&dev.inner.recorder, &id)?;
    if dev.inner.recorder.is_private(&id) {
        let why = "its handler is marked with `no_capture`; send it again instead";
        return Err(ReplayError::Invalid(why.to_owned()));
    }
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = sent.headers.iter();
    Ok(Json(RevealedRequest {
        method: sent.method.to_string(),
        target: sent.target,
        headers: headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
        body: sent.body.and_then(|body| String::from_utf8(body.into()).ok()),
    }))
}

impl IntoResponse for ReplayError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Incomplete(_) => StatusCode::CONFLICT,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
        };
        (status, format!("Request rejected: {self}.\n")).into_response()
    }
}

/// Builds the response to a reload; first requests the restart that it requires, if any.
async fn reload_outcome(dev: &Dev, reload: Option<Reload>) -> CommandOutcome {
    let restart = match &reload {
        Some(reload) if reload.strategy == "restart" => {
            Some(dev.inner.restarts.request(&reload.reason).await)
        }
        _ => None,
    };
    outcome(dev, reload, restart).await
}

/// Builds the response to a command.
async fn outcome(
    dev: &Dev,
    reload: Option<Reload>,
    restart: Option<RestartOutcome>,
) -> CommandOutcome {
    let status = dev.status().await;
    let serving = still_serving(status.generation);
    let summary = match (&restart, &reload) {
        (Some(restart), _) if restart.accepted => "a new process takes over".to_owned(),
        (Some(_), _) => format!("restart failed; {serving}"),
        (None, Some(reload)) => reload.summary.clone(),
        (None, None) if status.paused => format!("reloading is paused; {serving}"),
        (None, None) => format!("{}; {serving}", nothing_to_reload("")),
    };
    CommandOutcome { status, summary, reload, restart }
}
