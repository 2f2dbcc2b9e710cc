//! `POST /__snaxum/api/open`: the server starts an editor at a place in the code.
//!
//! A client names a route or a frame, never a path. The file is looked up, must be inside the
//! project, and is passed to the program as one argument, without a shell.

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

/// A place in the code: a route, or a frame of the traceback of a request, a reload or an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeLocation {
    route: Option<String>,
    request: Option<String>,
    reload: Option<u64>,
    error: Option<u64>,
    /// Counted from 0 in the order of [`frames`]. By default the frame that failed.
    frame: Option<usize>,
}

/// Starts the editor; responds once it is running.
pub(super) async fn open(State(dev): State<Dev>, Json(location): Json<CodeLocation>) -> Response {
    let editor = dev.inner.recorder.editor();
    let Some(program) = editor.program() else {
        let text = "No editor is set: restart with `snaxum dev --editor code`.\n";
        return (StatusCode::CONFLICT, text).into_response();
    };
    let (file, line) = match find(&dev, &location) {
        Ok(found) => found,
        Err(rejection) => return rejection.into_response(),
    };
    let Some(path) = within(dev.inner.runtime.config(), &file) else {
        let text = "This is not a file of the project.\n";
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    match start(&editor, program, &path, line) {
        Ok(()) => Json(json!({ "file": file, "line": line })).into_response(),
        Err(error) => {
            let text = format!("`{program}` does not start: {error}; check that it is on PATH\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

/// Finds the file, as the console shows it, and the line.
fn find(dev: &Dev, location: &CodeLocation) -> Result<(String, u32), (StatusCode, &'static str)> {
    let traceback = match location {
        CodeLocation { route: Some(id), request: None, reload: None, error: None, frame: None } => {
            let serving = dev.inner.runtime.serving();
            let route = serving.routes.iter().find(|route| route.id == *id);
            let found = route.map(|route| (route.file.clone(), route.line));
            return found.ok_or((StatusCode::NOT_FOUND, "No serving route has this id.\n"));
        }
        CodeLocation { route: None, request: Some(id), reload: None, error: None, .. } => {
            dev.inner.recorder.request(id).and_then(|detail| detail.traceback)
        }
        CodeLocation { route: None, request: None, reload: Some(id), error: None, .. } => {
            let reloads = dev.inner.recorder.reloads();
            let reload = reloads.iter().find(|reload| reload.id == *id);
            reload.and_then(|reload| reload.traceback.clone())
        }
        CodeLocation { route: None, request: None, reload: None, error: Some(id), .. } => {
            dev.inner.recorder.error(*id).map(|error| error.traceback)
        }
        _ => {
            let text = "Give a `route`, or a `request`, a `reload` or an `error` with a `frame`.\n";
            return Err((StatusCode::BAD_REQUEST, text));
        }
    };
    let frame = traceback.as_ref().and_then(|traceback| match location.frame {
        Some(index) => frames(traceback).nth(index),
        None => traceback.culprit(),
    });
    let found = frame.map(|frame| (frame.file.clone(), frame.line));
    found.ok_or((StatusCode::NOT_FOUND, "This frame is not recorded.\n"))
}

/// Iterates over all frames: of the exception, of its cause, of the exceptions in its group.
fn frames(traceback: &Traceback) -> Box<dyn Iterator<Item = &Frame> + '_> {
    let nested = traceback.cause.as_deref().into_iter().chain(&traceback.exceptions);
    Box::new(traceback.frames.iter().chain(nested.flat_map(frames)))
}

/// Returns the path of the file if it is inside a directory of the project, links resolved.
fn within(config: &SnaxumConfig, file: &str) -> Option<PathBuf> {
    let path = config.project_dir.join(file).canonicalize().ok()?;
    let mut roots = [&config.project_dir, &config.python_dir].into_iter().chain(&config.watch_dirs);
    let is_inside = roots.any(|root| root.canonicalize().is_ok_and(|root| path.starts_with(root)));
    (is_inside && path.is_file()).then_some(path)
}

/// Starts the program, and waits for its exit on another thread.
fn start(editor: &Editor, program: &str, path: &Path, line: u32) -> std::io::Result<()> {
    let mut child = Command::new(program)
        .args(editor.arguments(path, line))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A Ctrl-C for the server must not reach the editor.
        .process_group(0)
        .spawn()?;
    let program = program.to_owned();
    thread::Builder::new().name("editor".into()).spawn(move || match child.wait() {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::warn!("`{program}` did not open the file: {status}"),
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
    fn frames_are_counted_across_causes_and_groups() {
        let mut cause = traceback(&["c"]);
        cause.cause = Some(Box::new(traceback(&["d"])));
        let mut whole = traceback(&["a", "b"]);
        whole.cause = Some(Box::new(cause));
        whole.exceptions = vec![traceback(&["e"]), traceback(&["f", "g"])];
        let names: Vec<_> = frames(&whole).map(|frame| frame.function.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e", "f", "g"]);
    }
}
