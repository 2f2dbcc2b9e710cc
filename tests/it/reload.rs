//! After a save the next request runs the new code, or the last good code with the reason reported.

use std::fs;

use serde_json::json;

use super::support::{Project, Server, app_returning};

/// A server whose requests wait for a reload, however slow the machine is.
pub(crate) async fn app() -> Server {
    let project = Project::new().file("app.py", &app_returning("one"));
    project.args(&["--reload-wait", "1h"]).dev().await
}

#[tokio::test]
async fn the_request_after_a_save_runs_the_new_code() {
    let server = app().await;
    assert_eq!(server.get("/").await.text(), "one");

    for n in 0..20 {
        server.edit("app.py", &app_returning(&format!("version {n}")));
        assert_eq!(server.get("/").await.text(), format!("version {n}"));
    }
}

#[tokio::test]
async fn a_save_by_renaming_is_a_save() {
    let server = app().await;
    let mut console = server.console().await;
    for n in 0..5 {
        fs::write(server.python(".app.py.tmp"), app_returning(&format!("version {n}")))
            .expect("a file");
        fs::rename(server.python(".app.py.tmp"), server.python("app.py")).expect("a move");
        console.next_of_type("reload.ok").await;
        assert_eq!(server.get("/").await.text(), format!("version {n}"));
    }
}

#[tokio::test]
async fn a_save_that_moves_the_old_file_away_first_never_serves_nothing() {
    let server = app().await;
    let mut console = server.console().await;

    // As vim does with `backupcopy=no`.
    fs::rename(server.python("app.py"), server.python("app.py~")).expect("a move");
    server.edit("app.py", &app_returning("two"));
    fs::remove_file(server.python("app.py~")).expect("it is there");
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.text(), "two");
}

#[tokio::test]
async fn the_generation_goes_up_by_one_with_each_reload_that_takes_effect() {
    let server = app().await;
    let mut console = server.console().await;
    assert_eq!(server.get("/").await.header("x-snaxum-gen"), "1");

    server.edit("app.py", &app_returning("two"));
    let reload = console.next_of_type("reload.ok").await;

    assert_eq!(reload["reload"]["generation"], 2);
    assert_eq!(server.get("/").await.header("x-snaxum-gen"), "2");
    assert_eq!(server.api("status").await["generation"], 2);
}

#[tokio::test]
async fn routes_come_and_go_with_the_code() {
    let server = app().await;
    let mut console = server.console().await;

    server.edit("app.py", &app_returning("two").replace("'/'", "'/moved'"));
    let reload = console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.status, 404);
    assert_eq!(server.get("/moved").await.text(), "two");
    assert_eq!(reload["reload"]["diff"]["added"][0]["path"], "/moved");
    assert_eq!(reload["reload"]["diff"]["removed"][0]["path"], "/");
}

#[tokio::test]
async fn broken_code_changes_nothing_but_the_state_until_it_is_mended() {
    for broken in [
        "def oops(:",
        "raise ValueError('at import')",
        "import sys; sys.exit(1)",
        "import module_that_is_not_there",
        "x = 1\n\tif x: pass",
        "\0",
        "from snaxum import route\n@route('no slash')\ndef f(request): ...",
    ] {
        let server = app().await;
        let mut console = server.console().await;

        server.edit("app.py", &format!("{}\n{broken}\n", app_returning("two")));
        let failure = console.next_of_type("reload.fail").await;

        assert_eq!(failure["reload"]["outcome"], "failed", "{broken}");
        let reply = server.get("/").await;
        assert_eq!((reply.text(), reply.header("x-snaxum-gen")), ("one", "1"), "{broken}");
        let status = server.api("status").await;
        assert_eq!(
            (&status["state"], &status["generation"]),
            (&json!("failing"), &json!(1)),
            "{broken}"
        );

        server.edit("app.py", &app_returning("three"));
        console.next_of_type("reload.ok").await;

        let reply = server.get("/").await;
        assert_eq!((reply.text(), reply.header("x-snaxum-gen")), ("three", "2"), "{broken}");
        assert_eq!(server.api("status").await["state"], "ok", "{broken}");
    }
}

#[tokio::test]
async fn mending_by_going_back_to_the_served_code_is_mended_too() {
    let server = app().await;
    let mut console = server.console().await;

    server.edit("app.py", "def oops(:");
    console.next_of_type("reload.fail").await;
    server.edit("app.py", &app_returning("one"));
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.text(), "one");
    assert_eq!(server.api("status").await["state"], "ok");
}

#[tokio::test]
async fn a_failure_names_its_place() {
    let server = app().await;
    let mut console = server.console().await;

    server.edit("app.py", "import math\n\ndef oops(:\n");
    let failure = console.next_of_type("reload.fail").await;

    let traceback = &failure["reload"]["traceback"];
    assert_eq!(traceback["type"], "SyntaxError");
    let frame = traceback["frames"].as_array().and_then(|frames| frames.last()).expect("a frame");
    assert_eq!((&frame["file"], &frame["line"]), (&json!("python/app.py"), &json!(3)));
    // The terminal prints it too.
    server.out.wait_for("python/app.py:3").await;
}

#[tokio::test]
async fn two_handlers_on_one_route_are_rejected_and_both_places_are_named() {
    let server = app().await;
    let mut console = server.console().await;

    server.edit(
        "other.py",
        "from snaxum import route\n\n\n@route('/')\ndef index(request):\n    return 'other'\n",
    );
    let failure = console.next_of_type("reload.fail").await;

    let message = failure["reload"]["traceback"]["message"].as_str().expect("a text");
    assert!(message.contains("app.py:3") && message.contains("other.py:4"), "{message}");
    assert_eq!(server.get("/").await.text(), "one");
    assert_eq!(server.api("status").await["state"], "failing");
}

#[tokio::test]
async fn touching_a_file_or_saving_it_unchanged_reloads_nothing() {
    let server = app().await;
    let mut console = server.console().await;

    server.edit("app.py", &app_returning("one"));
    fs::File::open(server.python("app.py"))
        .and_then(|file| file.set_modified(std::time::SystemTime::now()))
        .expect("touched");
    server.edit("notes.txt", "not Python");
    // The next event is the next real change.
    assert_eq!(server.get("/").await.header("x-snaxum-gen"), "1");
    server.edit("app.py", &app_returning("two"));
    let next = console.next_of_type("reload.ok").await;

    assert_eq!(next["reload"]["generation"], 2);
    assert_eq!(server.api("reloads").await.as_array().expect("a list").len(), 2); // with the start
}

#[tokio::test]
async fn an_edit_of_a_helper_reaches_the_handlers_that_import_it() {
    let server = Project::new()
        .file("lib/__init__.py", "")
        .file("lib/greeting.py", "GREETING = 'hello'\n")
        .file("middle.py", "from lib.greeting import GREETING\n")
        .file("app.py", "from snaxum import route\nfrom middle import GREETING\n\n@route('/')\ndef index(request):\n    return GREETING\n")
        .dev()
        .await;
    assert_eq!(server.get("/").await.text(), "hello");
    let mut console = server.console().await;

    server.edit("lib/greeting.py", "GREETING = 'goodbye'\n");
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.text(), "goodbye");
}

#[tokio::test]
async fn an_edit_of_a_package_reaches_its_modules() {
    let server = Project::new()
        .file("shop/__init__.py", "CURRENCY = 'EUR'\nfrom . import views\n")
        .file("shop/views.py", "from snaxum import route\nfrom . import CURRENCY\n\n@route('/')\ndef index(request):\n    return CURRENCY\n")
        .dev()
        .await;
    assert_eq!(server.get("/").await.text(), "EUR");
    let mut console = server.console().await;

    server.edit("shop/__init__.py", "CURRENCY = 'CHF'\nfrom . import views\n");
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.text(), "CHF");
}

#[tokio::test]
async fn a_new_file_is_served_and_a_deleted_one_is_not() {
    let server = app().await;
    let mut console = server.console().await;

    server.edit("second.py", &app_returning("second").replace("'/'", "'/second'"));
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/second").await.text(), "second");

    fs::remove_file(server.python("second.py")).expect("it is there");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/second").await.status, 404);
    assert_eq!(server.get("/").await.text(), "one");
}

#[tokio::test]
async fn a_new_directory_is_watched_as_soon_as_it_is_there() {
    let server = app().await;
    let mut console = server.console().await;

    server.edit("shop/__init__.py", &app_returning("shop").replace("'/'", "'/shop'"));
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/shop").await.text(), "shop");

    server.edit("shop/__init__.py", &app_returning("sale").replace("'/'", "'/shop'"));
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/shop").await.text(), "sale");
}

#[tokio::test]
async fn deleting_a_module_that_another_needs_is_rejected() {
    let server = Project::new()
        .file("_text.py", "TEXT = 'one'\n")
        .file("app.py", "from snaxum import route\nfrom _text import TEXT\n\n@route('/')\ndef index(request):\n    return TEXT\n")
        .dev()
        .await;
    let mut console = server.console().await;

    fs::remove_file(server.python("_text.py")).expect("it is there");
    console.next_of_type("reload.fail").await;

    assert_eq!(server.get("/").await.text(), "one");
    server.edit("_text.py", "TEXT = 'two'\n");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "two");
}

#[tokio::test]
async fn a_rename_of_a_function_across_two_files_is_one_reload() {
    let app = |name: &str| {
        format!(
            "from snaxum import route\nfrom tools import {name}\n\n@route('/')\ndef index(request):\n    return {name}()\n"
        )
    };
    let tools = |name: &str| format!("def {name}():\n    return '{name}'\n");
    let server =
        Project::new().file("app.py", &app("first")).file("tools.py", &tools("first")).dev().await;
    let mut console = server.console().await;

    server.edit("tools.py", &tools("second"));
    server.edit("app.py", &app("second"));
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.text(), "second");
    assert_eq!(server.api("status").await["state"], "ok");
}

#[tokio::test]
async fn a_request_that_runs_during_a_reload_finishes_on_the_code_it_began_with() {
    let slow = |text: &str| {
        format!(
            r#"
import _gate
from snaxum import route

def word():
    return "{text}"

@route("/slow")
def slow(request):
    _gate.wait("slow")
    import _late
    return word() + _late.WORD

@route("/slow-async")
async def slow_async(request):
    await _gate.wait_async("slow")
    return word()
"#
        )
    };
    let server = Project::new()
        .gate()
        .file("app.py", &slow("old"))
        .file("_late.py", "WORD = ' and late'\n")
        .dev()
        .await;
    let mut console = server.console().await;
    let running = [server.begin("/slow"), server.begin("/slow-async")];
    let held = [server.arrival().await, server.arrival().await];

    server.edit("app.py", &slow("new"));
    console.next_of_type("reload.ok").await;
    for held in held {
        held.open().await;
    }

    let [plain, later] = running;
    let (plain, later) = (plain.await.expect("a response"), later.await.expect("a response"));
    assert_eq!((plain.text(), later.text()), ("old and late", "old"));
    assert_eq!((plain.header("x-snaxum-gen"), later.header("x-snaxum-gen")), ("1", "1"));
}

#[tokio::test]
async fn a_stream_that_is_open_during_a_reload_continues() {
    let source = r#"
import _gate
from snaxum import route

@route("/stream")
def stream(request):
    def pieces():
        yield "one "
        _gate.wait("between")
        yield "two"
    return pieces()
"#;
    let server = Project::new().gate().file("app.py", source).dev().await;
    let mut console = server.console().await;
    let reading = server.begin("/stream");
    let held = server.arrival().await;

    server.edit("app.py", &source.replace("two", "three"));
    console.next_of_type("reload.ok").await;
    held.open().await;

    assert_eq!(reading.await.expect("a response").text(), "one two");
}

#[tokio::test]
async fn no_request_fails_during_reloads() {
    let server = app().await;
    let mut console = server.console().await;
    let url = server.url.clone();
    let client = tokio::spawn(async move {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut seen = Vec::new();
        loop {
            let reply = client.get(format!("{url}/")).send().await.expect("a response");
            assert_eq!(reply.status(), 200);
            let text = reply.text().await.expect("a body");
            if seen.last() != Some(&text) {
                seen.push(text.clone());
            }
            if text == "last" {
                return seen;
            }
        }
    });

    for n in 0..10 {
        server.edit("app.py", &app_returning(&format!("version {n}")));
        console.next_of_type("reload.ok").await;
    }
    server.edit("app.py", &app_returning("last"));

    let seen = client.await.expect("every response was good");
    assert!(
        seen.is_sorted_by_key(|text| match text.as_str() {
            "one" => -1,
            "last" => 99,
            version => version.trim_start_matches("version ").parse().expect("a number"),
        }),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_reload_changes_neither_process_nor_connections_nor_libraries() {
    let source = |n: u32| {
        format!(
            "import os, decimal\nfrom snaxum import route\n\n@route('/')\ndef index(request):\n    return [os.getpid(), id(decimal), {n}]\n"
        )
    };
    let server = Project::new().file("app.py", &source(1)).dev().await;
    let mut console = server.console().await;
    let before = server.get("/").await.json();

    server.edit("app.py", &source(2));
    console.next_of_type("reload.ok").await; // over the connection from before

    let after = server.get("/").await.json();
    assert_eq!((&before[0], &before[1]), (&after[0], &after[1]));
    assert_eq!((&before[2], &after[2]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn a_module_that_hangs_during_a_reload_delays_no_request_for_long() {
    let server = Project::new().gate().file("app.py", &app_returning("one")).dev().await;
    let mut console = server.console().await;

    server.edit("app.py", &format!("import _gate\n_gate.wait('import')\n{}", app_returning("two")));
    let held = server.arrival().await;

    assert_eq!(server.get("/").await.text(), "one");
    held.open().await;
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "two");
}
