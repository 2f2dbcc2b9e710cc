//! `snaxum openapi`, and the reports of reloads about changes for clients.

use serde_json::{Value, json};

use super::support::{Console, Finished, Project};

const APP: &str = "\
from dataclasses import dataclass

from snaxum import route


@dataclass
class User:
    id: int
    name: str


@route('/users/<int:user_id>')
def get_user(user_id: int, limit: int = 10) -> User:
    return User(user_id, 'Ada')


@route('/health')
def health() -> str:
    return 'ok'
";

fn app() -> Project {
    Project::new().file("app.py", APP)
}

/// The app without the field `name`, and with another route.
fn changed() -> String {
    let without =
        APP.replace("    name: str\n", "").replace("User(user_id, 'Ada')", "User(user_id)");
    assert_ne!(without, APP);
    without + "\n\n@route('/version')\ndef version() -> str:\n    return '2'\n"
}

async fn openapi(project: &Project, args: &[&str]) -> Finished {
    project.snaxum(&[&["openapi"], args].concat()).await
}

/// Writes the document into a file of the project, as its user does; returns the file's path.
async fn publish(project: &Project) -> String {
    let written = openapi(project, &[]).await;
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    let path = project.path().join("openapi.json");
    std::fs::write(&path, written.stdout).expect("it is ours");
    path.display().to_string()
}

#[tokio::test]
async fn the_document_is_written_and_routes_write_the_same() {
    let project = app();
    let written = openapi(&project, &[]).await;
    assert_eq!((written.code, &*written.stderr), (Some(0), ""));
    let document: Value = serde_json::from_str(&written.stdout).expect("JSON alone");
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1."));
    let paths = document["paths"].as_object().expect("an object");
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/health", "/users/{user_id}"]);
    assert!(written.stdout.starts_with("{\n  \""), "over several lines: {}", written.stdout);

    let listed = project.snaxum(&["routes", "--format", "openapi"]).await;
    assert_eq!((listed.code, listed.stdout), (Some(0), written.stdout));
    let filtered = project.snaxum(&["routes", "--format", "openapi", "--method", "get"]).await;
    assert_eq!((filtered.code, &*filtered.stdout), (Some(2), ""));
    assert!(filtered.stderr.contains("the whole document"), "{}", filtered.stderr);
}

#[tokio::test]
async fn a_change_that_breaks_clients_exits_with_1_and_is_listed_first() {
    let project = app();
    let file = publish(&project).await;
    let same = openapi(&project, &["--check", &file]).await;
    assert_eq!(
        (same.code, &*same.stdout, &*same.stderr),
        (Some(0), "no changes for clients\n", "")
    );

    let project = project.file("app.py", &changed());
    let broken = openapi(&project, &["--check", &file]).await;
    assert_eq!(broken.code, Some(1), "{}", broken.stdout);
    assert_eq!(
        broken.stdout.lines().collect::<Vec<_>>(),
        [
            "breaking    GET /users/{user_id}  field `name` of response 200 was removed",
            "compatible  GET /version          the path is new",
            "",
            "1 breaking change, 1 compatible change",
        ]
    );
    let list = openapi(&project, &["--check", &file, "--format", "json"]).await;
    assert_eq!(list.code, Some(1));
    let list: Value = serde_json::from_str(&list.stdout).expect("JSON alone");
    assert_eq!(
        list[0],
        json!({
            "kind": "field-removed", "effect": "breaking", "operation": "GET /users/{user_id}",
            "place": "response.200.name", "text": "field `name` of response 200 was removed",
        })
    );

    let more = format!("{APP}\n\n@route('/more')\ndef more() -> str:\n    return ''\n");
    let project = project.file("app.py", &more);
    let compatible = openapi(&project, &["--check", &file]).await;
    assert_eq!(compatible.code, Some(0), "{}", compatible.stdout);
    assert!(compatible.stdout.contains("GET /more  the path is new"), "{}", compatible.stdout);
}

#[tokio::test]
async fn a_file_of_another_kind_is_bad_usage() {
    let project = app()
        .top_file("api.yaml", "openapi: 3.1.0\n")
        .top_file("routes.json", "[]")
        .top_file("old.json", "{\"swagger\": \"2.0\", \"paths\": {}}");
    for (file, problem) in [
        ("missing.json", "No such file"),
        ("api.yaml", "is not JSON"),
        ("routes.json", "not an OpenAPI document"),
        ("old.json", "OpenAPI 2.0"),
    ] {
        let path = project.path().join(file).display().to_string();
        let checked = openapi(&project, &["--check", &path]).await;
        assert_eq!((checked.code, &*checked.stdout), (Some(2), ""), "{file}");
        assert!(checked.stderr.contains(problem), "{file}: {}", checked.stderr);
        assert!(checked.stderr.contains("snaxum openapi > FILE"), "{file}: {}", checked.stderr);
    }
}

#[tokio::test]
async fn code_that_does_not_load_is_reported_and_nothing_is_written() {
    let project = app().file("broken.py", "from snaxum import route\n\n1 / 0\n");
    let written = openapi(&project, &[]).await;
    assert_eq!((written.code, &*written.stdout), (Some(1), ""));
    for part in ["module `broken` does not load", "broken.py", "ZeroDivisionError"] {
        assert!(written.stderr.contains(part), "{part}: {}", written.stderr);
    }
}

/// The changes that the next comparison reports, as `effect operation text`.
async fn next_changes(console: &mut Console) -> (Value, Vec<String>) {
    let message = console.next_of_type("contract.diff").await;
    let changes = message["contract"]["changes"].as_array().expect("a list");
    let text = |change: &Value, name: &str| change[name].as_str().expect("a text").to_owned();
    let lines = changes.iter().map(|change| {
        let [effect, operation, words] =
            ["effect", "operation", "text"].map(|name| text(change, name));
        format!("{effect} {operation} {words}")
    });
    let lines = lines.collect();
    (message, lines)
}

#[tokio::test]
async fn a_reload_reports_what_it_changed_for_clients() {
    let server = app().dev().await;
    let mut console = server.console().await;

    server.edit("app.py", &changed());
    let reload = console.next_of_type("reload.ok").await;
    let (message, lines) = next_changes(&mut console).await;

    assert_eq!(
        lines,
        [
            "breaking GET /users/{user_id} field `name` of response 200 was removed",
            "compatible GET /version the path is new",
        ]
    );
    assert_eq!((&message["reload"], &message["generation"]), (&reload["reload"]["id"], &json!(2)));
    assert_eq!(reload["reload"]["contract"], Value::Null, "the reload did not wait for it");
    // A client that connects later gets it with the reload.
    let reloads = server.api("reloads").await;
    assert_eq!(reloads[0]["contract"], message["contract"]);
    assert_eq!(server.api("status").await["last_reload"]["contract"], message["contract"]);
    server.out.wait_for("for clients of version 2: 1 breaking change, 1 compatible change").await;
    server.out.wait_for("✖ GET /users/{user_id}  field `name` of response 200 was removed").await;
    server.out.wait_for("· GET /version  the path is new").await;
}

#[tokio::test]
async fn rejected_saves_and_saves_without_a_change_for_clients_report_nothing() {
    let model = |kind: &str| {
        format!("from dataclasses import dataclass\n\n\n@dataclass\nclass User:\n    id: {kind}\n")
    };
    let app = "from models import User\nfrom snaxum import route\n\n
@route('/users')
def users() -> User:
    return User(1)
";
    let project = Project::new()
        .file("app.py", app)
        .file("models.py", &model("int"))
        .env("RUST_LOG", "warn,snaxum::dev::contract=debug");
    let server = project.dev().await;
    let mut console = server.console().await;

    // Another value of the same type.
    server.edit("app.py", &app.replace("User(1)", "User(2)"));
    console.next_of_type("reload.ok").await;
    server.err.wait_for("the API of version 2 has 0 changes for clients").await;
    server.edit("models.py", "def (");
    console.next_of_type("reload.fail").await;
    server.edit("models.py", &model("str"));

    let (message, lines) = next_changes(&mut console).await;
    assert_eq!(
        lines,
        ["breaking GET /users field `id` of response 200 is `string` now; it was `integer`"]
    );
    assert_eq!(message["generation"], 3, "the first report");
}
