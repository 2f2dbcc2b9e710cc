//! Applications of real frameworks under `snaxum dev`, edited while they run: `just test-frameworks`.
//!
//! Their packages are in an environment of their own; the first run installs them. The table of
//! docs/applications.md has a row for each test.

mod asgi;
mod django;
mod fastmcp;
mod flask;
mod sockets;

use std::fs;
use std::os::unix::fs::symlink;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::scenarios::world::{Reload, World};
use crate::support::{Project, Server, in_time};

/// A project with these files, and the environment of the frameworks.
fn project(files: &[(&str, &str)]) -> Project {
    let python = crate::venv::environment("frameworks", "tests/it/frameworks/requirements.txt");
    let venv = python.ancestors().nth(2).expect("bin/python");
    let project = files.iter().fold(Project::new(), |each, (name, text)| each.top_file(name, text));
    symlink(venv, project.path().join(".venv")).expect("the project is new");
    project
}

/// The same, served as `target`.
async fn world(files: &[(&str, &str)], target: &str) -> World {
    World::of(project(files).args(&[target])).await
}

/// Runs a Python module of the environment in a project.
async fn python(project: &Project, args: &[&str]) {
    let mut command = project.command(".venv/bin/python");
    let output = in_time("python", command.args(args).output()).await.expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&text));
}

/// Replaces a part of a file of the project, and saves it.
fn change(world: &World, name: &str, from: &str, to: &str) {
    let path = world.server.project.path().join(name);
    let text = fs::read_to_string(&path).expect("a file");
    assert!(text.contains(from), "{name} has no {from:?}: {text}");
    fs::write(&path, text.replace(from, to)).expect("the file is ours");
}

/// The same; gives the reload that follows.
async fn edit(world: &mut World, name: &str, from: &str, to: &str) -> Reload {
    change(world, name, from, to);
    world.reload().await
}

/// The row of a path in the list of routes.
async fn route(world: &World, path: &str) -> Value {
    let rows = world.server.api("routes").await;
    let found = rows.as_array().expect("a list").iter().find(|row| row["path"] == path);
    found.unwrap_or_else(|| panic!("no {path} in {rows:#}")).clone()
}

/// The newest request in the console whose path this is, with its traceback.
async fn request_of(world: &World, path: &str) -> Value {
    let list = world.server.api("requests").await;
    let found = list.as_array().expect("a list").iter().find(|each| each["path"] == path);
    let id =
        found.unwrap_or_else(|| panic!("no {path} in {list:#}"))["id"].as_str().expect("an id");
    world.server.api(&format!("requests/{id}")).await
}

/// A request that raises is a 500, and its exception is in the console, with file and local variables.
async fn raises(world: &World, path: &str, error: &str, file: &str) {
    assert_eq!(world.get(path).await.status, 500);
    let request = request_of(world, path).await;
    assert_eq!(request["traceback"]["type"], error, "{request:#}");
    let frames = request["traceback"]["frames"].as_array().expect("frames");
    let frame = frames.iter().rfind(|frame| frame["file"] == file);
    let frame = frame.unwrap_or_else(|| panic!("no frame of {file}: {frames:#?}"));
    assert!(frame["locals"].to_string().contains("number"), "{frame:#}");
}

/// A WebSocket of a client.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(server: &Server, path: &str, subprotocol: &str) -> Self {
        let url = format!("{}{path}", server.url.replace("http://", "ws://"));
        let mut request = url.into_client_request().expect("a URL");
        if !subprotocol.is_empty() {
            let value = subprotocol.parse().expect("a header");
            request.headers_mut().insert("sec-websocket-protocol", value);
        }
        let opened = in_time("the upgrade", tokio_tungstenite::connect_async(request)).await;
        Self(opened.expect("the handshake").0)
    }

    async fn send(&mut self, text: &str) {
        in_time("the send", self.0.send(text.into())).await.expect("it is open");
    }

    /// The next text.
    async fn next(&mut self) -> String {
        loop {
            let message =
                in_time("a message", self.0.next()).await.expect("open").expect("a message");
            match message {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Close(frame) => panic!("it was closed: {frame:?}"),
                _ => {}
            }
        }
    }

    async fn exchange(&mut self, text: &str) -> String {
        self.send(text).await;
        self.next().await
    }
}
