//! The lifespan of an application: with each generation of its module, and no longer than that.

use reqwest::Method;

use crate::scenarios::world::World;
use crate::support::{Project, in_time};

const APP: &str = r#"
import _gate
from snaxum import mount

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        START
        scope["state"]["n"] = NUMBER
        print("started", NUMBER, flush=True)
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        print("ended", NUMBER, flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    seen = scope["state"]["n"]
    scope["state"]["n"] = "changed"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"%d" % seen, "more_body": True})
    if scope["path"] == "/app/slow":
        await _gate.wait_async("slow")
    await send({"type": "http.response.body", "body": b"."})

mount("/app", app)
"#;

fn app(number: u32, start: &str) -> String {
    APP.replace("NUMBER", &number.to_string()).replace("START", start)
}

#[tokio::test]
async fn a_lifespan_begins_before_its_code_serves_and_ends_after_its_last_request() {
    let project = Project::new().gate().file("app.py", &app(1, "pass")).file("b.py", "");
    let mut world = World::of(project).await;
    assert_eq!(world.text("/app/").await, "1.");
    assert_eq!(world.text("/app/").await, "1.", "the state of a request is a copy");

    let mut slow =
        world.server.request(Method::GET, "/app/slow").send().await.expect("it responds");
    let held = world.server.arrival().await;
    world.save("b.py", "X = 1\n").await.ran();
    assert_eq!(world.text("/app/").await, "1.", "another module");
    world.save("app.py", &app(2, "pass")).await.ran();
    assert_eq!(world.text("/app/").await, "2.");
    world.save("app.py", &app(3, "raise RuntimeError('no database')")).await.failure();
    assert_eq!(world.text("/app/").await, "2.");
    world.save("app.py", &app(4, "pass")).await.ran();
    world.server.out.wait_for("started 4").await;
    let output = world.server.out.text();
    assert_eq!(output.matches("started").count(), 3, "{output}");
    assert!(!output.contains("ended"), "a request is on the first one: {output}");

    held.open().await;
    assert_eq!(in_time("a chunk", slow.chunk()).await.expect("one").expect("one"), "1");
    world.server.out.wait_for("ended 1").await;
    world.server.out.wait_for("ended 2").await;
    world.server.stop().await;
    let output = world.server.out.whole().await;
    assert_eq!(output.matches("ended 4").count(), 1, "{output}");
    assert!(!output.contains("started 3") && !output.contains("ended 3"), "{output}");
}

#[tokio::test]
async fn an_application_that_does_not_start_rejects_the_reload() {
    let mut world = World::of(Project::new().gate().file("app.py", &app(1, "pass"))).await;

    let reload = world.save("app.py", &app(2, "1 / 0")).await;
    assert!(reload.failure().contains("ZeroDivisionError"), "{}", reload.failure());
    let frames = reload.0["traceback"]["frames"].as_array().expect("frames");
    let files: Vec<_> = frames.iter().map(|frame| &frame["file"]).collect();
    assert_eq!(files, ["python/app.py"], "{:#}", reload.0);

    let failed = r#"return await send({"type": "lifespan.startup.failed", "message": "no disk"})"#;
    let reload = world.save("app.py", &app(3, failed)).await;
    let failure = reload.failure();
    assert!(failure.contains("mount `/app` at") && failure.contains("app.py:"), "{failure}");
    assert!(failure.contains("the lifespan of the application failed to start: no disk"));

    // As Starlette does: the message, then the exception.
    let failed = r#"await send({"type": "lifespan.startup.failed", "message": "a text"}); 1 / 0"#;
    let reload = world.save("app.py", &app(4, failed)).await;
    assert!(reload.failure().contains("ZeroDivisionError"), "{}", reload.failure());

    assert_eq!(world.text("/app/").await, "1.");
    world.save("app.py", &app(5, "pass")).await.ran();
    assert_eq!(world.text("/app/").await, "5.");
}

#[tokio::test]
async fn an_application_without_a_lifespan_is_served_without_a_word() {
    let app = r#"
from snaxum import mount

async def respond(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"fine"})

async def asserts(scope, receive, send):
    assert scope["type"] == "http"
    await respond(scope, receive, send)

async def returns(scope, receive, send):
    if scope["type"] == "http":
        await respond(scope, receive, send)

async def reads(scope, receive, send):
    await receive()
    await respond(scope, receive, send)

mount("/asserts", asserts)
mount("/returns", returns)
mount("/reads", reads)
"#;
    let mut server = Project::new().file("app.py", app).serve().await;
    for path in ["/asserts", "/returns", "/reads"] {
        assert_eq!(server.get(path).await.text(), "fine");
    }
    assert_eq!(server.stop().await.code(), Some(0));
    let output = server.err.whole().await;
    let is_quiet = output.lines().all(|line| line.contains(" INFO "));
    assert!(is_quiet, "{output}");
}

const STATE: &str = r#"
import gc
from snaxum import mount

class Database: ...

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["database"] = Database()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    gc.collect()
    count = sum(type(each).__name__ == "Database" for each in gc.get_objects())
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"%d" % count})

mount("/app", app)
"#;

#[tokio::test]
async fn the_state_of_a_lifespan_retains_no_replaced_code() {
    let mut world = World::of(Project::new().file("app.py", STATE)).await;
    assert_eq!(world.text("/app/").await, "1");
    world.save("app.py", &format!("{STATE}\nX = 1\n")).await.ran();
    in_time("one state", async { while world.text("/app/").await != "1" {} }).await;
}
