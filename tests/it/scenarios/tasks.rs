//! Background tasks on the asyncio loop.

use super::super::support::Project;
use super::world::{World, index};

/// A poller that a start-up hook starts, and that prints how it ends.
fn polling(n: u32, more: &str) -> String {
    index(
        &format!(
            "import asyncio, snaxum\n\nasync def poll():\n    try:\n        await asyncio.Event().wait()\n    finally:\n        print('poll {n} ended')\n\n@snaxum.on_startup\nasync def start():\n    global TASK\n    TASK = asyncio.create_task(poll())\n    await asyncio.sleep(0)\n    print('poll {n} began')\n{more}"
        ),
        &n.to_string(),
    )
}

/// Handlers that start a background task, and return how many run.
const DETACHED: &str = "import asyncio\nfrom snaxum import route\n\nasync def tick():\n    await asyncio.sleep(3600)\n\n@route('/begin')\nasync def begin(request):\n    asyncio.create_task(tick())\n    return ''\n";

// A background task of old code is cancelled after the commit, or counted.
#[tokio::test]
async fn a_task_of_a_startup_hook_is_cancelled_when_its_module_is_replaced() {
    let mut world = World::new(&[("app.py", &polling(1, "")), ("other.py", "")]).await;
    world.server.out.wait_for("poll 1 began").await;
    world.save("other.py", "X = 1\n").await.ran(); // it is not concerned
    world.save("app.py", &polling(2, "")).await.ran();
    world.server.out.wait_for("poll 1 ended").await;
    world.server.stop().await;
    let output = world.server.out.whole().await;
    let at = |text: &str| output.find(text).unwrap_or_else(|| panic!("no `{text}` in {output}"));
    assert!(at("poll 2 began") < at("poll 1 ended"), "{output}");
    assert_eq!(output.matches("ended").count(), 2, "the second one at the stop: {output}");
}

#[tokio::test]
async fn a_task_outlives_a_reload_that_does_not_reach_its_module() {
    let watch = "import app\nfrom snaxum import route\n\n@route('/state')\ndef state(request):\n    return [app.TASK.done(), app.TASK.cancelling() if hasattr(app.TASK, 'cancelling') else 0]\n";
    let mut world = World::new(&[("app.py", &polling(1, "")), ("watch.py", watch)]).await;
    world.save("watch.py", &format!("{watch}X = 1\n")).await.ran();
    world.save("watch.py", &format!("{watch}X = 2\n")).await.ran();
    assert_eq!(world.text("/state").await, "[false,0]");
}

#[tokio::test]
async fn the_tasks_of_a_rejected_generation_are_cancelled_and_serving_ones_continue() {
    let mut world = World::new(&[("app.py", &polling(1, ""))]).await;
    let refuses = "\n@snaxum.on_startup\ndef refuse():\n    raise RuntimeError('no database')\n";
    world.save("app.py", &polling(2, refuses)).await.failure();
    world.server.out.wait_for("poll 2 ended").await;
    assert!(!world.server.out.text().contains("poll 1 ended"), "{}", world.server.out.text());
}

#[tokio::test]
async fn a_task_that_refuses_to_end_is_counted_and_named() {
    let stubborn = |n: u32| {
        index(
            "import asyncio, snaxum\n\nclass Poller:\n    async def run(self):\n        while True:\n            try:\n                await asyncio.Event().wait()\n            except asyncio.CancelledError:\n                pass\n\n@snaxum.on_startup\nasync def start():\n    global TASKS\n    TASKS = [asyncio.create_task(Poller().run()) for _ in range(2)]\n",
            &n.to_string(),
        )
    };
    let mut world = World::new(&[("app.py", &stubborn(1)), ("other.py", "")]).await;
    world.save("app.py", &stubborn(2)).await.ran();
    let line = world.server.err.wait_for("did not stop when cancelled").await;
    assert!(line.contains("2 tasks from module `app` in version 1"), "{line}");
    assert!(line.contains("`Poller.run`"), "{line}");
    let reload = world.save("other.py", "X = 1\n").await;
    assert!(reload.0["notes"].to_string().contains("Poller.run"), "{:#}", reload.0);
}

#[tokio::test]
async fn a_task_that_a_handler_started_continues_and_is_reported() {
    let mut world = World::new(&[("app.py", DETACHED)]).await;
    world.text("/begin").await;
    world.text("/begin").await;
    world.save("app.py", &format!("{DETACHED}X = 1\n")).await.ran();
    let line = world.server.err.wait_for("is still referenced by").await;
    assert!(line.contains("module `app` in version 1"), "{line}");
    assert!(line.contains("2 tasks running it: `tick` (2)"), "{line}");
}

#[tokio::test]
async fn a_task_that_a_kept_value_started_lives_as_long_as_that_value() {
    let app = |n: u32| {
        index(
            &format!(
                "import asyncio, snaxum\n\nasync def poll():\n    await asyncio.Event().wait()\n\n@snaxum.on_startup\nasync def start():\n    global TASK\n    TASK = snaxum.keep('poller', lambda: asyncio.create_task(poll()))\n    print('started {n}', TASK.done())\n\n@snaxum.on_unload\ndef bye():\n    print('unload {n}')\n"
            ),
            "TASK.done()",
        )
    };
    let mut world = World::new(&[("app.py", &app(1))]).await;
    world.save("app.py", &app(2)).await.ran();
    world.server.out.wait_for("unload 1").await;
    world.save("app.py", &app(3)).await.ran();
    world.server.out.wait_for("unload 2").await;
    assert_eq!(world.text("/").await, "False");
}

// The task is started outside the loop, on the loop that a hook has stored.
#[tokio::test]
async fn a_task_that_a_module_started_while_it_loaded_is_cancelled_too() {
    let app = |n: u32| {
        index(
            &format!(
                "import asyncio, _store\n\nasync def poll():\n    try:\n        await asyncio.Event().wait()\n    finally:\n        print('poll {n} ended')\n\nif _store.LOOP:\n    TASK = asyncio.run_coroutine_threadsafe(poll(), _store.LOOP)\n"
            ),
            &n.to_string(),
        )
    };
    let store = "import asyncio\nLOOP = None\n";
    let begin = "import _store, asyncio\nfrom snaxum import route\n\n@route('/begin')\nasync def begin(request):\n    _store.LOOP = asyncio.get_running_loop()\n    return ''\n";
    let project =
        Project::new().file("_store.py", store).file("begin.py", begin).file("app.py", &app(1));
    let mut world = World::of(project).await;
    world.text("/begin").await;
    world.save("app.py", &app(2)).await.ran();
    world.save("app.py", &format!("{}1 / 0\n", app(3))).await.failure();
    world.save("app.py", &app(4)).await.ran();
    world.server.out.wait_for("poll 2 ended").await;
    assert!(!world.server.out.text().contains("poll 4 ended"));
}
