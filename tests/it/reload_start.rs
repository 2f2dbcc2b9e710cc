//! Reloads at the start of a server, and of a project that does not load.

use std::fs;

use serde_json::json;

use super::reload::app;
use super::support::{Project, app_returning};

#[tokio::test]
async fn a_module_that_never_loaded_does_not_block_the_others() {
    let server = Project::new()
        .file("good.py", &app_returning("good"))
        .file("bad.py", "from snaxum import route\n\n@route('/bad')\ndef bad(request):\n    return 'mended'\n\nraise ValueError('at start')\n")
        .dev()
        .await;

    let status = server.api("status").await;
    assert_eq!((&status["state"], &status["generation"]), (&json!("failing"), &json!(1)));
    assert_eq!(server.get("/").await.text(), "good");
    // It may be one of the paths that did not load: not "there is no such page".
    let missing = server.get("/elsewhere").await;
    assert_eq!((missing.status, missing.header("retry-after")), (503, "1"));
    assert!(
        missing.json()["detail"].as_str().expect("a text").contains("`bad`"),
        "{}",
        missing.text()
    );

    let mut console = server.console().await;
    server.edit(
        "bad.py",
        "from snaxum import route\n\n@route('/bad')\ndef bad(request):\n    return 'mended'\n",
    );
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/bad").await.text(), "mended");
    assert_eq!(server.api("status").await["state"], "ok");
}

#[tokio::test]
async fn a_server_with_nothing_that_loads_waits_for_the_mend() {
    let server = Project::new().file("app.py", "def oops(:").dev().await;
    let status = server.api("status").await;
    assert_eq!((&status["state"], &status["generation"]), (&json!("failing"), &json!(0)));
    assert_eq!(server.get("/").await.status, 503);

    let mut console = server.console().await;
    server.edit("app.py", &app_returning("mended"));
    console.next_of_type("reload.ok").await;

    let reply = server.get("/").await;
    assert_eq!((reply.text(), reply.header("x-snaxum-gen")), ("mended", "1"));
}

#[tokio::test]
async fn serve_never_reloads() {
    let server = Project::new().file("app.py", &app_returning("one")).serve().await;

    server.edit("app.py", &app_returning("two"));

    let reply = server.get("/").await;
    assert_eq!((reply.text(), reply.header("x-snaxum-gen")), ("one", ""));
}

#[tokio::test]
async fn a_python_directory_that_is_replaced_is_watched_on() {
    let server = app().await;
    let mut console = server.console().await;
    let (python, aside) = (server.python(""), server.project.path().join("aside"));

    // As a checkout of another branch may do.
    fs::rename(&python, &aside).expect("a move");
    server.edit("app.py", &app_returning("two"));
    console.next_of_type("reload.ok").await;
    server.edit("app.py", &app_returning("three"));
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.text(), "three");
}

#[tokio::test]
async fn a_save_during_the_start_is_served() {
    let hanging = format!("import _gate\n_gate.wait('import')\n{}", app_returning("one"));
    let server = Project::new().gate().file("app.py", &hanging).spawn("dev");
    let held = server.arrival().await;

    server.edit("app.py", &app_returning("two"));
    held.open().await;
    let server = server.ready().await;

    let mut console = server.console().await;
    if server.get("/").await.text() != "two" {
        console.next_of_type("reload.ok").await;
    }
    assert_eq!(server.get("/").await.text(), "two");
}
