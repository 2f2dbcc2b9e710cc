//! A program that `snaxum dev` runs, and the program that replaces it.
//!
//! The test is the builder, so that it decides what comes when; the program is
//! `tests/embedding/taken_over.rs`.

mod builder;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use snaxum::supervision::protocol::BuilderOrder;

use super::support::{Project, in_time};
use builder::{Builder, Program, TOKEN};

fn project() -> Project {
    Project::new().file("app.py", &handler("one"))
}

fn handler(text: &str) -> String {
    format!(
        "from snaxum import route\n\n@route('/python/text')\ndef text():\n    return '{text}'\n"
    )
}

/// A client with connections of its own, which stay open.
struct Clients(Client, String);

impl Clients {
    fn of(builder: &Builder) -> Self {
        Self(Client::new(), format!("http://{}", builder.address()))
    }

    async fn get(&self, path: &str) -> String {
        let response = self.0.get(format!("{}{path}", self.1)).send().await.expect("a response");
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.expect("a body")
    }

    async fn api(&self, method: Method, path: &str) -> Value {
        let request = self.0.request(method, format!("{}/__snaxum/api/{path}", self.1));
        let request = request
            .bearer_auth(TOKEN)
            .header("x-snaxum", "1")
            .header("content-type", "application/json")
            .body("{}");
        let response = request.send().await.expect("a response");
        let (status, text) = (response.status(), response.text().await.expect("a body"));
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {status} {text}"))
    }

    async fn read(&self, path: &str) -> Value {
        self.api(Method::GET, path).await
    }
}

/// Waits until all saves are live or rejected; no build is under way.
async fn wait(clients: &Clients, program: &mut Program) -> Value {
    let mut waiting = pin!(clients.read("wait"));
    loop {
        tokio::select! {
            status = &mut waiting => return status,
            () = program.reply(false) => {}
        }
    }
}

fn build(outcome: &str, fields: Value) -> Value {
    let mut build = json!({
        "time_ms": 1, "outcome": outcome, "reason": "", "files": ["src/main.rs"], "settle_ms": 5.0, "total_ms": 1200.0,
        "build": {
            "phases": {"cargo": 1000.0, "link": 300.0, "start": 40.0, "load": 100.0, "handover": 2.0},
            "crates": [{"name": "taken-over", "ms": 900.0}], "warnings": 2,
        },
        "failures": [],
    });
    let fields = fields.as_object().expect("an object").clone();
    build.as_object_mut().expect("an object").extend(fields);
    build
}

#[tokio::test]
async fn another_build_replaces_a_program_without_a_lost_request_or_an_old_response() {
    let mut builder = Builder::new(project());
    let mut first = builder.start("1").await;
    first.order(&BuilderOrder::Live { build: None, state: Value::Null }).await;
    let clients = Arc::new(Clients::of(&builder));
    assert_eq!(clients.get("/rust/version").await, "1");
    assert_eq!(clients.get("/python/text").await, "one");
    clients.api(Method::POST, "pause").await;

    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..16)
        .map(|_| {
            let (clients, stop) = (Arc::clone(&clients), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    let version = clients.get("/rust/version").await;
                    assert!(version == "1" || version == "2", "{version}");
                    assert_eq!(clients.get("/python/text").await, "one");
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut second = builder.start("2").await;
    let (_, status) = builder.hand_over(first, &mut second, build("ok", json!({}))).await;
    assert!(status.success(), "{status}");
    for _ in 0..50 {
        assert_eq!(
            clients.get("/rust/version").await,
            "2",
            "on a connection of the first program, too"
        );
    }
    stop.store(true, Ordering::Relaxed);
    for client in load {
        assert!(in_time("the load", client).await.expect("no request is lost") > 0);
    }

    let status = clients.read("status").await;
    assert_eq!(
        (&status["generation"], &status["state"], &status["paused"]),
        (&json!(2), &json!("ok"), &json!(true))
    );
    assert_eq!(status["pid"], std::process::id(), "the process to signal is the builder");
    let reloads = clients.read("reloads").await;
    let (newest, before) = (&reloads[0], &reloads[1]);
    assert_eq!(
        (&newest["strategy"], &newest["cause"], &newest["files"]),
        (&json!("build"), &json!("save"), &json!(["src/main.rs"]))
    );
    assert_eq!(
        (&newest["build"]["phases"]["cargo"], &newest["build"]["warnings"]),
        (&json!(1000.0), &json!(2))
    );
    assert_eq!(newest["diff"]["added"][0]["path"], "/rust/second");
    assert_eq!(
        (&newest["id"], &before["id"], &before["generation"]),
        (&json!(2), &json!(1), &json!(1))
    );
}

#[tokio::test]
async fn a_build_that_fails_is_shown_as_a_failed_reload_and_is_mended_by_the_next() {
    let mut builder = Builder::new(project());
    let mut program = builder.start("1").await;
    program.order(&BuilderOrder::Live { build: None, state: Value::Null }).await;
    let clients = Clients::of(&builder);
    let frame = json!({
        "file": "src/main.rs", "line": 7, "end_line": 7, "column": 4, "end_column": 9, "function": "", "user": true,
        "source": [{"line": 7, "text": "let x: u8 = \"\";"}], "locals": [],
    });
    let traceback = json!({
        "type": "error[E0308]", "message": "mismatched types", "hint": "try this", "notes": [], "frames": [frame],
        "cause": null, "relation": null, "text": "error[E0308]: mismatched types",
    });
    let failures = json!([{"module": "taken-over", "importers": [], "traceback": traceback}]);
    let failed = build("failed", json!({ "failures": failures }));
    program.order(&BuilderOrder::Building { files: vec!["src/main.rs".to_owned()] }).await;
    program
        .order(
            &serde_json::from_value(json!({"type": "built", "build": failed})).expect("an order"),
        )
        .await;

    let status = wait(&clients, &mut program).await;
    assert_eq!((&status["state"], &status["generation"]), (&json!("failing"), &json!(1)));
    assert_eq!(
        status["last_reload"]["summary"],
        "rejected: error[E0308]: mismatched types (src/main.rs:7); version 1 is still serving"
    );
    let errors = clients.read("errors").await;
    assert_eq!(
        (&errors[0]["state"], &errors[0]["error"]["type"]),
        (&json!("open"), &json!("error[E0308]"))
    );
    assert_eq!(clients.get("/rust/version").await, "1", "the last good program");

    // Python alone is live as before, and changes nothing about the build.
    builder.edit("app.py", &handler("two"));
    let (text, ()) = tokio::join!(clients.get("/python/text"), program.reply(false));
    assert_eq!(text, "two");
    assert_eq!(clients.read("status").await["state"], "failing");

    let reverted = build("noop", json!({"reason": "the program is the same"}));
    program
        .order(
            &serde_json::from_value(json!({"type": "built", "build": reverted})).expect("an order"),
        )
        .await;
    assert_eq!(wait(&clients, &mut program).await["state"], "ok");
    assert_eq!(clients.read("errors").await[0]["state"], "mended");
}

#[tokio::test]
async fn a_python_save_waits_for_the_build_of_the_same_save() {
    let mut builder = Builder::new(project());
    let mut program = builder.start("1").await;
    program.order(&BuilderOrder::Live { build: None, state: Value::Null }).await;
    let clients = Clients::of(&builder);
    builder.edit("app.py", &handler("two"));
    program.reply(true).await;
    program.order(&BuilderOrder::Building { files: vec!["src/main.rs".to_owned()] }).await;
    assert_eq!(clients.get("/python/text").await, "one", "both or none");

    let failed =
        json!({"type": "built", "build": build("failed", json!({"reason": "it panicked"}))});
    program.order(&serde_json::from_value(failed).expect("an order")).await;
    let status = wait(&clients, &mut program).await;
    assert_eq!(status["state"], "failing");
    let note = &status["last_reload"]["notes"][0];
    assert!(note.as_str().expect("a note").contains("wait for the next program"), "{note}");
    assert_eq!(clients.get("/python/text").await, "one");

    let mut second = builder.start("2").await;
    let (_, status) = builder.hand_over(program, &mut second, build("ok", json!({}))).await;
    assert!(status.success());
    assert_eq!(clients.get("/python/text").await, "two");
    assert_eq!(clients.get("/rust/version").await, "2");
}

#[tokio::test]
async fn a_restart_that_is_refused_changes_nothing_and_another_one_has_a_new_process() {
    let mut builder = Builder::new(project());
    let mut program = builder.start("1").await;
    program.order(&BuilderOrder::Live { build: None, state: Value::Null }).await;
    let clients = Clients::of(&builder);
    let refused = clients.api(Method::POST, "restart");
    let (refused, ()) = tokio::join!(refused, async {
        assert_eq!(program.report_of("restart").await["reason"], "requested manually");
        program
            .order(&BuilderOrder::RestartFailed { reason: "it does not start".to_owned() })
            .await;
    });
    assert_eq!(refused["restart"], json!({"accepted": false, "refusal": "it does not start"}));

    let accepted = clients.api(Method::POST, "restart");
    let taking_over = async {
        program.report_of("restart").await;
        let mut second = builder.start("2").await;
        let (_, status) = builder.hand_over(program, &mut second, Value::Null).await;
        assert!(status.success());
        second
    };
    let (accepted, _second) = tokio::join!(accepted, taking_over);
    assert_eq!(accepted["restart"]["accepted"], true);
    assert_eq!(clients.read("status").await["generation"], 2);
}

#[tokio::test]
async fn a_pinned_request_is_sent_to_the_next_program_until_it_succeeds() {
    let broken = "from snaxum import route\n\n@route('/python/text')\ndef text():\n    raise ValueError('no')\n";
    let mut builder = Builder::new(Project::new().file("app.py", broken));
    let mut program = builder.start("1").await;
    program.order(&BuilderOrder::Live { build: None, state: Value::Null }).await;
    let clients = Clients::of(&builder);
    let url = format!("http://{}/python/text", builder.address());
    assert_eq!(clients.0.get(url).send().await.expect("a response").status(), 500);
    let id = clients.read("requests").await[0]["id"].as_str().expect("an id").to_owned();
    clients.api(Method::POST, &format!("requests/{id}/pin")).await;

    program.order(&BuilderOrder::Building { files: vec!["src/main.rs".to_owned()] }).await;
    builder.edit("app.py", &handler("mended"));
    let mut second = builder.start("2").await;
    let (_, status) = builder.hand_over(program, &mut second, build("ok", json!({}))).await;
    assert!(status.success());
    let passed = async {
        loop {
            let pins = clients.read("pins").await;
            assert_eq!(pins[0]["id"], id.as_str());
            if pins[0]["state"] == "passing" {
                return pins;
            }
        }
    };
    let pins = in_time("the pinned request to pass", passed).await;
    assert_eq!(pins[0]["replays"], 1);
    let replay = pins[0]["replay"].as_str().expect("an id").parse::<u64>().expect("a number");
    assert!(replay > id.parse().expect("a number"), "the numbers continue");
}

#[tokio::test]
async fn a_program_ends_with_its_builder() {
    let mut builder = Builder::new(project());
    let program = builder.start("1").await;
    assert_eq!(program.abandon().await.code(), Some(1));
    let program = builder.spawn("panic").await;
    assert!(!program.ended().await.success());
}

#[tokio::test]
async fn routes_in_rust_are_in_the_table_and_are_looked_up() {
    let mut builder = Builder::new(project());
    let mut program = builder.start("2").await;
    program.order(&BuilderOrder::Live { build: None, state: Value::Null }).await;
    let clients = Clients::of(&builder);
    let routes = clients.read("routes").await;
    let rows: Vec<_> = routes
        .as_array()
        .expect("a list")
        .iter()
        .map(|route| (route["path"].as_str(), route["language"].as_str()))
        .collect();
    let (python, rust) = (Some("python"), Some("rust"));
    assert_eq!(
        rows,
        [
            (Some("/python/text"), python),
            (Some("/rust/version"), rust),
            (Some("/rust/second"), rust)
        ]
    );
    let route = &routes[1];
    assert_eq!(route["handler"], "taken_over::version");
    // The sources are not in the project: the place is as the compiler has written it.
    assert_eq!(route["file"], "src/bin/taken-over.rs");
    let found = clients.read("match?method=GET&path=/rust/second").await;
    assert_eq!(
        (&found["route"]["handler"], &found["route"]["mode"]),
        (&json!("taken_over::version"), &json!("rust"))
    );
    let found = clients.read("match?method=GET&path=/python/text").await;
    assert_eq!(found["route"]["handler"], "app.text");
}
