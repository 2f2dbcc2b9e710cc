//! The lines and calls of a request after its end: of a thread that it has started.

use serde_json::{Value, json};

use super::support::Project;

const APP: &str = r#"import sqlite3
import threading
import _gate
from snaxum import route

started = threading.Event()

def work():
    print("before the end")
    started.set()
    _gate.wait("late")
    print("after the end")
    sqlite3.connect(":memory:").execute("select 1")
    _gate.notify("done")

@route("/start")
def start(request):
    threading.Thread(target=work).start()
    started.wait()
    return {}
"#;

#[tokio::test]
async fn a_line_after_the_end_of_its_request_is_marked() {
    let server = Project::new().gate().file("app.py", APP).dev().await;
    let mut console = server.console().await;
    server.get("/start").await;
    let gate = server.arrival().await;
    console.next_of_type("request.end").await;
    gate.open().await;
    let late = console.next_of_type("log").await["log"].clone();
    assert_eq!((&late["line"], &late["is_late"]), (&json!("after the end"), &json!(true)));
    server.arrival().await;

    let request = server.api("requests/1").await;
    let lines: Vec<(&Value, bool)> = request["logs"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|line| (&line["line"], line["is_late"] == true))
        .collect();
    assert_eq!(lines, [(&json!("before the end"), false), (&json!("after the end"), true)]);
    assert_eq!(request["calls"][0]["text"], "select 1");
}
