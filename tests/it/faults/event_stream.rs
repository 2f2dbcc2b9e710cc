//! The first messages of the event stream, while the server is busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::dev_api::APP;
use crate::support::Project;

#[tokio::test]
async fn the_first_metrics_after_a_subscribe_cover_a_measured_time() {
    let server = Arc::new(Project::new().file("app.py", APP).dev().await);
    let is_over = Arc::new(AtomicBool::new(false));
    let mut load = Vec::new();
    for _ in 0..3 {
        let (server, is_over) = (Arc::clone(&server), Arc::clone(&is_over));
        load.push(tokio::spawn(async move {
            let mut responses = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(server.get("/hello").await.status, 200);
                responses += 1;
            }
            responses
        }));
    }
    let mut rates = Vec::new();
    for _ in 0..2 {
        let mut consoles = Vec::new();
        for _ in 0..8 {
            let mut console = server.console().await;
            let subscribe = json!({ "type": "subscribe", "types": ["metrics"] });
            console.send(Message::text(subscribe.to_string())).await;
            consoles.push(console);
        }
        for console in &mut consoles {
            let metrics = console.next_of_type("metrics").await;
            rates.push(metrics["metrics"]["requests_per_s"].as_f64().expect("a number"));
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let mut responses = 0;
    for task in load {
        responses += task.await.expect("no panic");
    }
    // A second or more is measured, so the rate cannot exceed the number of all requests.
    for rate in rates {
        assert!((0.0..=f64::from(responses)).contains(&rate), "{rate}/s of {responses} requests");
    }
}

#[tokio::test]
async fn a_snapshot_during_a_reload_has_a_status_as_new_as_its_reloads() {
    let server = Arc::new(Project::new().file("app.py", APP).dev().await);
    let editing = Arc::clone(&server);
    let edits = tokio::spawn(async move {
        for number in 1..=30 {
            editing.edit("app.py", &format!("{APP}\nN = {number}\n"));
            editing.api("wait").await;
        }
    });
    let mut seen = 0;
    while !edits.is_finished() || seen == 0 {
        let bearer = format!("Bearer {}", server.token);
        let console = server.connect(&[("authorization", &bearer)]).await;
        let snapshot = console.expect("it is let in").next_of_type("snapshot").await;
        let reloads = snapshot["reloads"].as_array().expect("a list").iter();
        let newest = reloads.filter_map(|reload| reload["generation"].as_u64()).max();
        let status: &Value = &snapshot["status"];
        assert!(status["generation"].as_u64() >= newest, "{status} after {newest:?}");
        seen += 1;
    }
    edits.await.expect("no panic");
}
