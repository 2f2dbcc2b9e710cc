//! WebSockets behind `axum::serve`, which knows nothing of the options.
//!
//! The server is `tests/embedding/program.rs`, a program of a user's own.

use super::quick_start;
use super::support::Project;

const APP: &str = r#"
from snaxum import WebSocket, WebSocketClosed, websocket

@websocket("/python/flood")
async def flood(ws: WebSocket):
    try:
        while True:
            await ws.send(bytes(1024 * 1024))
    except WebSocketClosed as error:
        print("the flood ended with", error.code, flush=True)
"#;

#[tokio::test]
async fn a_client_that_reads_nothing_is_disconnected() {
    let project = Project::new().file("app.py", APP).args(&["serve", "1000"]);
    let server = quick_start::run("rust-and-python", project).await;

    let _unread = server.connect_to("/python/flood", &[]).await.expect("it is accepted");

    server.out.wait_for("the flood ended with 1006").await;
}
