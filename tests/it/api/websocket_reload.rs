//! Open WebSockets when their code changes, or their server stops.

use futures_util::SinkExt;

use super::websocket::{APP, Client};
use crate::support::Project;

#[tokio::test]
async fn a_reload_closes_no_websocket() {
    let app = |version: u32| {
        format!(
            "from snaxum import Channel, on_unload, route, websocket\n\
             channel = Channel('all')\n\
             @websocket('/v')\n\
             async def v(ws):\n    \
                 async for message in ws:\n        \
                     await ws.send(f'{version} {{ws.is_stale}}')\n\
             @websocket('/all')\n\
             async def everything(ws):\n    \
                 async for message in channel.subscribe():\n        \
                     await ws.send(message)\n\
             @route('/publish')\n\
             def publish(request):\n    \
                 return channel.publish('from {version}') and 'published'\n\
             @on_unload\n\
             def unload():\n    \
                 print('unloaded {version}', flush=True)\n"
        )
    };
    let server = Project::new().file("app.py", &app(1)).dev().await;
    let mut console = server.console().await;
    let mut old = Client::open(&server, "/v").await;
    old.send("?").await;
    assert_eq!(old.text().await, "1 False");
    let mut listener = Client::open(&server, "/all").await;
    listener.0.flush().await.expect("it is open");
    assert_eq!(server.get("/publish").await.text(), "published");
    assert_eq!(listener.text().await, "from 1");

    server.edit("app.py", &app(2));
    console.next_of_type("reload.ok").await;
    let mut new = Client::open(&server, "/v").await;
    new.send("?").await;
    assert_eq!(new.text().await, "2 False");
    old.send("?").await;
    assert_eq!(old.text().await, "1 True");
    // The new code has the channel of the old.
    assert_eq!(server.get("/publish").await.text(), "published");
    assert_eq!(listener.text().await, "from 2");

    // The generation ends with its last WebSocket.
    old.0.close(None).await.expect("it is open");
    listener.0.close(None).await.expect("it is open");
    server.out.wait_for("unloaded 1").await;
}

#[tokio::test]
async fn a_stop_closes_with_1012_and_waits_for_the_handlers() {
    let app = r#"
import asyncio
from snaxum import websocket

@websocket("/async")
async def waits(ws):
    async for message in ws:
        pass
    await asyncio.sleep(0)
    print("ended", ws.close_code, flush=True)

@websocket("/thread")
def thread(ws):
    for message in ws:
        pass
    print("ended", ws.close_code, flush=True)

@websocket("/ignores")
async def ignores(ws):
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        print("was cancelled", flush=True)
"#;
    let mut server = Project::new().file("app.py", app).serve().await;
    let mut clients = Vec::new();
    for path in ["/async", "/thread", "/ignores"] {
        let mut client = Client::open(&server, path).await;
        client.send("hello").await;
        clients.push(client);
    }
    // The handlers of the first two run.
    server.get("/none").await;
    server.signal(15);
    for client in &mut clients {
        assert_eq!(client.closed().await, (1012, "the server restarts".to_owned()));
    }
    assert_eq!(server.ended().await.code(), Some(0));
    let output = server.out.whole().await;
    assert_eq!(output.matches("ended 1012").count(), 2, "{output}");
    assert!(output.contains("was cancelled"), "{output}");
}

#[tokio::test]
async fn a_restart_of_the_dev_server_closes_with_1012() {
    let server = Project::new().file("app.py", APP).dev().await;
    let mut client = Client::open(&server, "/thread").await;
    client.send("a").await;
    assert_eq!(client.text().await, "A");
    let (closed, restart) = tokio::join!(client.closed(), server.project.snaxum(&["restart"]));
    assert_eq!(closed, (1012, "the server restarts".to_owned()));
    assert_eq!(restart.code, Some(0), "{}", restart.stderr);
    // The socket is that of the new process.
    let mut client = Client::open(&server, "/thread").await;
    client.send("b").await;
    assert_eq!(client.text().await, "B");
}
