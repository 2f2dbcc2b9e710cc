//! The event loop of uvloop, where it is installed: everything that needs a loop works on it.

use reqwest::Method;

use crate::support::{Project, in_time};

const APP: &str = r#"
import _gate, asyncio, threading
from snaxum import mount, on_shutdown, route

@route("/loop")
async def loop(request):
    return type(asyncio.get_running_loop()).__module__

@route("/block")
async def block(request):
    _gate.wait("block")
    return "unblocked"

@route("/waits")
async def waits(request):
    try:
        await _gate.wait_async("waits")
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise

@route("/stream")
async def stream(request):
    async def pieces():
        yield "begun "
        await _gate.wait_async("stream")
        yield "ended"
    return pieces()

@route("/process")
async def process(request):
    made = await asyncio.create_subprocess_exec("echo", "child", stdout=asyncio.subprocess.PIPE)
    return (await made.communicate())[0]

@route("/ends")
async def ends(request):
    asyncio.get_running_loop().call_soon(exit)
    return "asked"

@route("/loops")
def loops(request):
    return str([thread.name for thread in threading.enumerate()].count("asyncio-loop"))

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("lifespan ends", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": scope["path"].encode()})

mount("/app", app)

@on_shutdown
async def stop():
    await asyncio.sleep(0)
    print("stopped", flush=True)
"#;

fn project(args: &[&str]) -> Project {
    let python = crate::venv::environment("uvloop", "tests/it/uvloop.txt");
    Project::new().gate().file("app.py", APP).environment(&python).args(args)
}

#[tokio::test]
async fn uvloop_is_used_where_it_is_installed_unless_the_option_names_another_loop() {
    for (args, module) in [
        (&[][..], "uvloop"),
        (&["--loop", "uvloop"], "uvloop"),
        (&["--loop", "asyncio"], "asyncio.unix_events"),
    ] {
        let mut server = project(args).serve().await;
        assert_eq!(server.get("/loop").await.text(), module);
        assert_eq!(server.get("/app/x").await.text(), "/app/x");
        assert_eq!(server.get("/process").await.text(), "child\n");
        let mut stream = server.request(Method::GET, "/stream").send().await.expect("headers");
        let held = server.arrival().await;
        assert_eq!(in_time("a chunk", stream.chunk()).await.expect("one").expect("one"), "begun ");
        held.open().await;
        assert_eq!(in_time("the rest", stream.text()).await.expect("a text"), "ended");
        drop(server.socket(b"GET /waits HTTP/1.1\r\nhost: x\r\n\r\n").await);
        let _held = server.arrival().await;
        server.out.wait_for("cancelled").await;
        assert_eq!(server.get("/ends").await.text(), "asked");
        assert_eq!(server.get("/loop").await.text(), module, "no task may end the loop");
        assert_eq!(server.stop().await.code(), Some(0));
        let output = server.out.whole().await;
        assert!(output.contains("lifespan ends") && output.contains("stopped"), "{output}");
    }
}

#[tokio::test]
async fn a_loop_of_uvloop_that_is_blocked_is_named_and_replaced() {
    let mut server = project(&["--request-timeout", "2s"]).serve().await;
    let blocking = server.begin("/block");
    let held = server.arrival().await;
    server.err.wait_for("has blocked the event loop for 1 s").await;
    server.err.wait_for("_gate.wait(\"block\")").await;
    assert_eq!(blocking.await.expect("a response").status, 504);
    let replaced = async { while server.get("/loop").await.text() != "uvloop" {} };
    in_time("another loop", replaced).await;
    held.open().await;
    in_time("the end", async { while server.get("/loops").await.text() != "1" {} }).await;
    assert_eq!(server.get("/loop").await.text(), "uvloop");
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_reload_on_uvloop_ends_the_tasks_of_the_old_code() {
    let ticking = |n: u32| {
        format!(
            "
import asyncio
from snaxum import on_startup

async def tick():
    try:
        print('begins {n}', flush=True)
        await asyncio.Event().wait()
    finally:
        print('ends {n}', flush=True)

@on_startup
async def start():
    asyncio.create_task(tick())
"
        )
    };
    let project = project(&[]).file("ticking.py", &ticking(1));
    let mut server = project.dev().await;
    server.out.wait_for("begins 1").await;
    server.edit("ticking.py", &ticking(2));
    server.out.wait_for("begins 2").await;
    server.out.wait_for("ends 1").await;
    assert_eq!(server.get("/loop").await.text(), "uvloop");
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_missing_uvloop_is_an_error_only_where_it_is_asked_for() {
    let without = || Project::new().gate().file("app.py", APP);
    let server = without().serve().await;
    assert_eq!(server.get("/loop").await.text(), "asyncio.unix_events");
    for (loop_, expected) in [
        ("uvloop", "`loop` is uvloop, which is not installed for"),
        ("trio", "it must be auto, asyncio or uvloop"),
    ] {
        let ended = without().snaxum(&["serve", "--port", "0", "--loop", loop_]).await;
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
    let project = without().top_file("pyproject.toml", "[tool.snaxum]\n\nloop = \"uvloop\"\n");
    let ended = project.snaxum(&["serve", "--port", "0"]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("pyproject.toml:3: `loop` is uvloop, which"), "{}", ended.stderr);
}
