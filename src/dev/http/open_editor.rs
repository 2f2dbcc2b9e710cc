//! `POST /__snaxum/api/open`: the server starts an editor at a place in the code.
//!
//! Nobody names a path: a client says which route or which frame, and the file is looked up, must
//! lie in the project, and reaches the program as one argument, without a shell.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::json;

use crate::config::SnaxumConfig;
use crate::message::{Frame, Traceback};

use crate::dev::editor::Editor;
use crate::dev::engine::Dev;

/// A place: a route, or a frame of what a request or a reload raised.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dev) struct Place {
    route: Option<String>,
    request: Option<String>,
    reload: Option<u64>,
    /// Counted from 0, as they stand: those of an exception, of its cause, of those it holds.
    /// Without it the one that failed.
    frame: Option<usize>,
}

/// Starts the editor; answers once it runs.
pub(in crate::dev) async fn open(State(dev): State<Dev>, Json(place): Json<Place>) -> Response {
    let editor = dev.inner.recorder.editor();
    let Some(program) = editor.program() else {
        let text = "The server starts no editor: name one with `snaxum dev --editor code`.\n";
        return (StatusCode::CONFLICT, text).into_response();
    };
    let (file, line) = match find(&dev, &place) {
        Ok(found) => found,
        Err(refusal) => return refusal.into_response(),
    };
    let Some(path) = within(dev.inner.runtime.config(), &file) else {
        let text = "That is no file of the project.\n";
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    match start(&editor, program, &path, line) {
        Ok(()) => Json(json!({ "file": file, "line": line })).into_response(),
        Err(error) => {
            let text = format!("`{program}` does not start: {error}. Is it on PATH?\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

/// Looks up the file, as it is shown, and the line.
fn find(dev: &Dev, place: &Place) -> Result<(String, u32), (StatusCode, &'static str)> {
    let traceback = match place {
        Place { route: Some(id), request: None, reload: None, frame: None } => {
            let serving = dev.inner.runtime.serving();
            let route = serving.routes.iter().find(|route| route.id == *id);
            let place = route.map(|route| (route.file.clone(), route.line));
            return place.ok_or((StatusCode::NOT_FOUND, "No such route serves now.\n"));
        }
        Place { route: None, request: Some(id), reload: None, .. } => {
            dev.inner.recorder.request(id).and_then(|detail| detail.traceback)
        }
        Place { route: None, request: None, reload: Some(id), .. } => {
            let reloads = dev.inner.recorder.reloads();
            let reload = reloads.iter().find(|reload| reload.id == *id);
            reload.and_then(|reload| reload.traceback.clone())
        }
        _ => {
            let text = "Give a `route`, or a `request` or a `reload` with a `frame`.\n";
            return Err((StatusCode::BAD_REQUEST, text));
        }
    };
    let frame = traceback.as_ref().and_then(|traceback| match place.frame {
        Some(place) => frames(traceback).nth(place),
        None => traceback.culprit(),
    });
    let place = frame.map(|frame| (frame.file.clone(), frame.line));
    place.ok_or((StatusCode::NOT_FOUND, "No such frame is kept.\n"))
}

/// All frames, in the order in which they stand.
fn frames(traceback: &Traceback) -> Box<dyn Iterator<Item = &Frame> + '_> {
    let behind = traceback.cause.as_deref().into_iter().chain(&traceback.exceptions);
    Box::new(traceback.frames.iter().chain(behind.flat_map(frames)))
}

/// The file, if it lies below one of the project's directories, whatever links lead there.
fn within(config: &SnaxumConfig, file: &str) -> Option<PathBuf> {
    let path = config.project_dir.join(file).canonicalize().ok()?;
    let mut roots = [&config.project_dir, &config.python_dir].into_iter().chain(&config.watch_dirs);
    let is_inside = roots.any(|root| root.canonicalize().is_ok_and(|root| path.starts_with(root)));
    (is_inside && path.is_file()).then_some(path)
}

/// Starts the program and waits for its end elsewhere.
fn start(editor: &Editor, program: &str, path: &Path, line: u32) -> std::io::Result<()> {
    let mut child = Command::new(program)
        .args(editor.arguments(path, line))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A Ctrl-C for the server is none for the editor.
        .process_group(0)
        .spawn()?;
    let program = program.to_owned();
    thread::Builder::new().name("editor".into()).spawn(move || match child.wait() {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::warn!("`{program}` opened no file: {status}"),
        Err(error) => tracing::warn!("`{program}`: {error}"),
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traceback(names: &[&str]) -> Traceback {
        let frame = |name: &&str| Frame { function: (*name).to_owned(), ..Frame::default() };
        Traceback { frames: names.iter().map(frame).collect(), ..Traceback::default() }
    }

    #[test]
    fn frames_are_counted_as_they_stand() {
        let mut cause = traceback(&["c"]);
        cause.cause = Some(Box::new(traceback(&["d"])));
        let mut whole = traceback(&["a", "b"]);
        whole.cause = Some(Box::new(cause));
        whole.exceptions = vec![traceback(&["e"]), traceback(&["f", "g"])];
        let names: Vec<_> = frames(&whole).map(|frame| frame.function.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e", "f", "g"]);
    }
}
