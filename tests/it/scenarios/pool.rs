//! The pool's workers run the new code too.

use super::super::support::Project;
use super::world::World;

const APP: &str = "import _tasks\nfrom snaxum import route\n\n@route('/', use_process_pool=True)\ndef index(request, pool):\n    return pool.submit(_tasks.compute).result()\n";

fn tasks(n: u32) -> String {
    format!("import os, _heavy\n\ndef compute():\n    return [{n}, os.getpid(), _heavy.LOADED]\n")
}

// The next task runs the new code in the same process; heavy libraries are not imported again, and
// broken code never reaches a worker.
#[tokio::test]
async fn workers_load_the_dependents_of_a_change_and_nothing_else_in_the_same_process() {
    let heavy = "import itertools, os, time\nLOADED = time.monotonic_ns()\n";
    let mut world =
        World::new(&[("app.py", APP), ("_tasks.py", &tasks(1)), ("_heavy.py", heavy)]).await;
    let mut seen: Vec<serde_json::Value> = Vec::new();
    for n in 1..=4 {
        if n > 1 {
            assert_eq!(world.save("_tasks.py", &tasks(n)).await.ran(), ["_tasks", "app"]);
        }
        world.save("_tasks.py", "def oops(:").await.failure();
        let result = world.get("/").await.json();
        assert_eq!(result[0], n);
        // Each worker loads what it needs once, at its first task.
        if let Some(before) = seen.iter().find(|other| other[1] == result[1]) {
            assert_eq!(before[2], result[2], "the unaffected module was not loaded again");
        }
        seen.push(result);
    }
}

// A task that runs during a reload finishes on the old code, and an old handler can still submit.
#[tokio::test]
async fn a_running_task_finishes_on_the_old_code_and_an_old_handler_still_submits() {
    let app = "import _gate, _tasks\nfrom snaxum import route\n\n@route('/', use_process_pool=True)\ndef index(request, pool):\n    first = pool.submit(_tasks.compute, 'task').result()\n    _gate.wait('handler')\n    return [first, pool.submit(_tasks.compute, None).result()]\n";
    let tasks = |n: u32| {
        format!(
            "import _gate\n\ndef compute(name):\n    if name:\n        _gate.wait(name)\n    return {n}\n"
        )
    };
    let project = Project::new()
        .gate()
        .args(&["--pool-workers", "1"])
        .file("app.py", app)
        .file("_tasks.py", &tasks(1));
    let mut world = World::of(project).await;
    let running = world.server.begin("/");
    let task = world.server.arrival().await;

    world.save("_tasks.py", &tasks(2)).await.ran();
    task.open().await;
    world.server.arrival().await.open().await;

    let reply = running.await.expect("a response");
    assert_eq!(reply.json(), serde_json::json!([1, 2]), "{}", reply.text());
    assert_eq!(reply.header("x-snaxum-gen"), "1");
}

#[tokio::test]
async fn a_module_that_only_workers_load_is_new_to_them_too() {
    let tasks = "def compute():\n    import _deep\n    return [_deep.X]\n";
    let app = "import _tasks\nfrom snaxum import route\n\n@route('/', use_process_pool=True)\ndef index(request, pool):\n    return pool.submit(_tasks.compute).result()\n";
    let project = Project::new()
        .args(&["--pool-workers", "1"])
        .file("app.py", app)
        .file("_tasks.py", tasks)
        .file("_deep.py", "X = 1\n");
    let mut world = World::of(project).await;
    assert_eq!(world.get("/").await.json(), serde_json::json!([1]));
    world.save("_deep.py", "X = 2\n").await;
    assert_eq!(world.get("/").await.json(), serde_json::json!([2]));
}

// Until it runs again, a module is not in `sys.modules`.
#[tokio::test]
async fn a_task_is_submitted_while_its_module_waits_to_run_again() {
    let project = Project::new()
        .gate()
        .args(&["--pool-workers", "1"])
        .file("app.py", &format!("import _first\n{APP}"))
        .file("_first.py", "X = 1\n")
        .file("_tasks.py", "import _first\n\ndef compute():\n    return [_first.X]\n");
    let mut world = World::of(project).await;
    assert_eq!(world.get("/").await.json(), serde_json::json!([1]));

    world.server.edit("_first.py", "import _gate\n_gate.wait('load')\nX = 2\n");
    let load = world.server.arrival().await;
    assert_eq!(world.server.get("/").await.text(), "[1]");

    load.open().await;
    world.reload().await;
    let new = world.server.begin("/");
    world.server.arrival().await.open().await;
    assert_eq!(new.await.expect("a response").text(), "[2]");
}
