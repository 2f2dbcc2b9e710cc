//! WebSocket clients that send too much, read nothing or do not respond.

use futures_util::SinkExt;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::Message;

use super::websocket::{APP, Client};
use crate::support::{Project, in_time};

#[tokio::test]
async fn limits_close_with_a_reason() {
    let project = Project::new().file("app.py", APP).args(&["--max-message-size", "1000"]);
    let server = project.serve().await;

    let mut client = Client::open(&server, "/thread").await;
    client.send("x".repeat(1000)).await;
    assert_eq!(client.text().await, "X".repeat(1000));
    let large = client.0.send(Message::text("x".repeat(3_000_000)));
    let _ = in_time("the send", large).await;
    assert_eq!(client.closed().await, (1009, "the message is too large".to_owned()));

    let mut client = Client::open(&server, "/thread").await;
    let MaybeTlsStream::Plain(stream) = client.0.get_mut() else { panic!("no TLS") };
    // A masked text frame of one byte, which is not UTF-8.
    tokio::io::AsyncWriteExt::write_all(stream, &[0x81, 0x81, 0, 0, 0, 0, 0xff])
        .await
        .expect("open");
    assert_eq!(client.closed().await.0, 1007);
}

#[tokio::test]
async fn a_client_without_pongs_is_disconnected() {
    let project = Project::new().file("app.py", APP).args(&["--ping-interval", "50ms"]);
    let server = project.serve().await;
    let mut silent = Client::open(&server, "/thread").await;
    silent.send("a").await;
    // This client sends a pong when it reads the next message.
    let mut client = Client::open(&server, "/thread").await;
    for _ in 0..10 {
        assert!(matches!(client.next().await, Message::Ping(_)));
    }
    server.out.wait_for("thread ended 1006").await;
    client.send("b").await;
    while matches!(client.next().await, Message::Ping(_)) {}
}

#[tokio::test]
async fn a_handler_waits_while_its_client_does_not_read() {
    let app = r#"
from snaxum import route, websocket

sent = 0

@websocket("/flood")
async def flood(ws):
    global sent
    await ws.receive()
    for n in range(400):
        await ws.send(bytes(256 * 1024))
        sent = n

@route("/sent")
def count(request):
    return {"sent": sent}
"#;
    let server = Project::new().file("app.py", app).serve().await;
    let mut client = Client::open(&server, "/flood").await;
    client.send("go").await;
    // Its progress ends: the buffers of both sides and the channel are full.
    let (mut before, mut same) = (0, 0);
    while same < 20 {
        let sent = server.get("/sent").await.json()["sent"].as_u64().expect("a number");
        same = if sent == before && sent > 0 { same + 1 } else { 0 };
        before = sent;
    }
    assert!(before < 399, "{before}");
    for _ in 0..400 {
        assert_eq!(client.next().await.len(), 256 * 1024);
    }
    assert_eq!(client.closed().await.0, 1000);
}
