//! The event stream: its order, its resumption, its limits.

use reqwest::StatusCode;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::dev_api::{APP, app, cookie, list};

// The event stream

#[tokio::test]
async fn the_stream_begins_with_hello_and_a_snapshot() {
    let server = app().await;
    server.get("/hello").await;
    let bearer = format!("Bearer {}", server.token);
    let mut console = server.connect(&[("authorization", &bearer)]).await.expect("let in");

    let (hello, snapshot) = (console.next().await, console.next().await);

    assert_eq!((&hello["v"], &hello["type"]), (&json!(2), &json!("hello")));
    assert_eq!(hello["generation"], 1);
    assert_eq!((&snapshot["v"], &snapshot["type"]), (&json!(2), &json!("snapshot")));
    assert_eq!(snapshot["routes"], server.api("routes").await);
    assert_eq!(snapshot["requests"], server.api("requests").await);
    assert_eq!(snapshot["reloads"], server.api("reloads").await);
    assert_eq!(snapshot["status"]["state"], "ok");
}

#[tokio::test]
async fn the_stream_sends_changes_in_order() {
    let server = app().await;
    let mut console = server.console().await;

    server.get("/raise").await;
    let request = console.next().await;
    assert_eq!(
        (&request["type"], &request["request"]["path"]),
        (&json!("request.end"), &json!("/raise"))
    );
    assert_eq!(
        request["request"]["error"],
        json!({
            "type": "ValueError",
            "message": "it went wrong",
            "file": "python/app.py",
            "line": request["request"]["error"]["line"],
            "function": request["request"]["error"]["function"],
            "source": "raise ValueError(\"it went wrong\")",
            "locals": [],
        })
    );

    server.edit("app.py", &APP.replace("/hello", "/hallo"));
    let (start, good, routes) = (console.next().await, console.next().await, console.next().await);
    assert_eq!(
        (&start["type"], &start["files"]),
        (&json!("reload.start"), &json!(["python/app.py"]))
    );
    assert_eq!((&good["type"], &good["status"]["generation"]), (&json!("reload.ok"), &json!(2)));
    assert_eq!((&routes["type"], list(&routes["routes"]).len()), (&json!("routes"), 3));
    let contract = console.next().await;
    assert_eq!((&contract["type"], &contract["generation"]), (&json!("contract.diff"), &json!(2)));

    server.edit("app.py", "def oops(:");
    let (start, bad) = (console.next().await, console.next().await);
    assert_eq!(start["type"], "reload.start");
    assert_eq!((&bad["type"], &bad["status"]["state"]), (&json!("reload.fail"), &json!("failing")));
    assert_eq!(bad["reload"]["traceback"]["type"], "SyntaxError");

    let order = [&request, &good, &routes, &contract, &start, &bad]
        .map(|message| message["seq"].as_u64().expect("a number"));
    assert!(order.is_sorted_by(|a, b| a < b), "{order:?}");
}

#[tokio::test]
async fn a_console_receives_each_request_or_a_count_of_those_it_missed() {
    const REQUESTS: u64 = 3000;
    let server = app().await;
    let mut console = server.console().await;

    // More at once than the limit.
    let client = |_| async {
        for _ in 0..REQUESTS / 30 {
            server.get("/hello").await;
        }
    };
    futures_util::future::join_all((0..30).map(client)).await;

    let (mut received, mut last) = (0, 0);
    while received < REQUESTS {
        let message = console.next().await;
        match message["type"].as_str() {
            Some("request.end") => {
                let seq = message["seq"].as_u64().expect("a number");
                assert!(seq > last, "{seq} after {last}");
                (received, last) = (received + 1, seq);
            }
            Some("dropped") => received += message["count"].as_u64().expect("a number"),
            other => panic!("{other:?} in a burst of requests"),
        }
    }
    assert_eq!(received, REQUESTS);
    assert_eq!(list(&server.api("requests").await).len(), 500);
}

#[tokio::test]
async fn a_console_that_reconnects_receives_the_missed_events_and_no_others() {
    let server = app().await;
    let bearer = format!("Bearer {}", server.token);
    let headers = [("authorization", &*bearer)];
    let run = server.api("status").await["run_id"].as_str().expect("a name").to_owned();
    let mut console = server.console().await;
    server.get("/hello").await;
    let seen = console.next().await["seq"].as_u64().expect("a number");
    drop(console);
    server.get("/raise").await;

    let path = format!("/__snaxum/ws?run={run}&since={seen}");
    let mut console = server.connect_to(&path, &headers).await.expect("let in");
    assert_eq!(console.next().await["type"], "hello");
    let missed = console.next().await;
    assert_eq!((&missed["seq"], &missed["request"]["path"]), (&json!(seen + 1), &json!("/raise")));

    // Another server's run, or a number from the future, starts with a snapshot.
    for path in [
        format!("/__snaxum/ws?run=other&since={seen}"),
        format!("/__snaxum/ws?run={run}&since=999999"),
    ] {
        let mut console = server.connect_to(&path, &headers).await.expect("let in");
        assert_eq!(console.next().await["type"], "hello");
        assert_eq!(console.next().await["type"], "snapshot", "{path}");
    }
}

#[tokio::test]
async fn the_stream_is_refused_without_the_token_and_to_other_sites() {
    let server = app().await;
    let (bearer, cookie) = (format!("Bearer {}", server.token), cookie(&server).await);
    let same = server.url.clone();
    for (headers, expected) in [
        (vec![], StatusCode::UNAUTHORIZED),
        (vec![("authorization", "Bearer wrong")], StatusCode::UNAUTHORIZED),
        // A browser always sends `Origin`; a client without it is not a browser.
        (vec![("cookie", &*cookie)], StatusCode::UNAUTHORIZED),
        (vec![("cookie", &*cookie), ("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (vec![("cookie", &*cookie), ("origin", "null")], StatusCode::FORBIDDEN),
        (vec![("cookie", &*cookie), ("origin", "http://127.0.0.1:1")], StatusCode::FORBIDDEN),
        (
            vec![("authorization", &*bearer), ("origin", "http://evil.example")],
            StatusCode::FORBIDDEN,
        ),
        (
            vec![("authorization", &*bearer), ("sec-fetch-site", "cross-site")],
            StatusCode::FORBIDDEN,
        ),
    ] {
        assert_eq!(server.connect(&headers).await.err(), Some(expected), "{headers:?}");
    }
    assert!(server.connect(&[("cookie", &cookie), ("origin", &same)]).await.is_ok());
    assert!(server.connect(&[("authorization", &bearer)]).await.is_ok());
}

#[tokio::test]
async fn one_console_too_many_gets_bye_and_is_closed() {
    let server = app().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(server.console().await);
    }
    let bearer = format!("Bearer {}", server.token);

    let turned_away = server.connect(&[("authorization", &bearer)]).await.expect("an upgrade");

    assert_eq!(turned_away.rest().await, ["bye"]);
    server.get("/hello").await;
    for console in &mut open {
        console.next_of_type("request.end").await;
    }
}

#[tokio::test]
async fn messages_from_a_console_change_nothing() {
    let server = app().await;
    let mut console = server.console().await;
    for text in ["", "{", r#"{"type": "reload"}"#, r#"{"v": 1, "type": "reload.ok"}"#] {
        console.send(Message::text(text)).await;
    }

    server.get("/hello").await;

    console.next_of_type("request.end").await; // after problems that report the messages
    assert_eq!(server.api("status").await["generation"], 1);
}

#[tokio::test]
async fn a_console_that_sends_bytes_or_too_much_is_closed_and_others_are_not() {
    let server = app().await;
    let mut other = server.console().await;
    for message in [Message::binary(vec![1, 2, 3]), Message::text("x".repeat(65 * 1024))] {
        let mut console = server.console().await;
        console.send(message).await;
        assert!(console.rest().await.is_empty());
    }

    server.get("/hello").await;

    other.next_of_type("request.end").await;
}
