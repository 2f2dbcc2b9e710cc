//! What changes something when it is asked for: reload, restart, pause, resume.
//!
//! Each answers once it has happened. The guard has seen to it that somebody meant it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;

use crate::python_runtime::{Attempt, Extent};

use super::Dev;
use super::protocol::{ByHand, Reload};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Whether all modules run again, whatever the files hold.
    #[serde(default)]
    full: bool,
}

/// Looks at all files now, and reloads what differs from what serves.
pub(super) async fn reload(State(dev): State<Dev>, Json(wanted): Json<Wanted>) -> Response {
    let extent = if wanted.full { Extent::All } else { Extent::Differing };
    let Some(attempt) = dev.inner.reloader.reload(extent, &dev.inner.runtime).await else {
        let text = "The server is stopping, or too many ask for a reload.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let made = match attempt {
        Attempt::Made(reload) => Some(Reload::from(&reload)),
        Attempt::Unchanged | Attempt::Held => None,
    };
    answer(&dev, made).await
}

/// Lets a new process take over, if the code loads there.
pub(super) async fn restart(State(dev): State<Dev>) -> Response {
    let restart = Some(dev.inner.restarts.wish("asked for by hand").await);
    Json(ByHand { status: dev.status().await, reload: None, restart }).into_response()
}

/// Acts on what is saved already, and from then on keeps what is saved for later.
pub(super) async fn pause(State(dev): State<Dev>) -> Response {
    dev.inner.runtime.gate().settled().await;
    dev.pause();
    answer(&dev, None).await
}

/// Reloads what was kept, and goes on.
pub(super) async fn resume(State(dev): State<Dev>) -> Response {
    let runtime = &dev.inner.runtime;
    let before = runtime.serving().last_reload.id;
    dev.inner.reloader.resume(runtime);
    runtime.gate().settled().await;
    let last = Arc::clone(&runtime.serving().last_reload);
    answer(&dev, (last.id > before).then(|| Reload::from(&last))).await
}

/// Tells what `reload` has done; what only a new process can do is done first.
async fn answer(dev: &Dev, reload: Option<Reload>) -> Response {
    let restart = match &reload {
        Some(reload) if reload.rung == "restart" => {
            Some(dev.inner.restarts.wish(&reload.reason).await)
        }
        _ => None,
    };
    Json(ByHand { status: dev.status().await, reload, restart }).into_response()
}
