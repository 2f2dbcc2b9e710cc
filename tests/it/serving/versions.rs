//! A project in several versions, and how its server gets the next one.

use crate::support::{Finished, Project, Server};

/// The module `app` in one version.
pub(super) fn app(version: &str) -> String {
    format!(
        r#"
import os
from snaxum import route
import _gate


@route("/version", methods=["GET", "POST"])
def version(request):
    return {{"version": {version:?}, "pid": os.getpid()}}


@route("/slow")
def slow(request):
    _gate.wait("slow")
    return {{"version": {version:?}}}
"#
    )
}

/// A project with version "one".
pub(super) fn project() -> Project {
    Project::new().file("app.py", &app("one")).gate()
}

/// Runs `snaxum reload`.
pub(super) async fn reload(server: &Server) -> Finished {
    server.project.snaxum(&["reload"]).await
}

/// The version that responds to a new connection.
pub(super) async fn version(server: &Server) -> String {
    let reply = server.get("/version").await.json();
    reply["version"].as_str().expect("a text").to_owned()
}
