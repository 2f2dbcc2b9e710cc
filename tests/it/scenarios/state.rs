//! State, resources and registrations with libraries.

use super::super::support::Project;
use super::world::{World, index};

fn keeping(n: u32, version: &str, factory: &str) -> String {
    index(
        &format!(
            "import snaxum\nN = {n}\n\ndef load():\n    {factory}\n    return Thing()\n\nclass Thing:\n    def close(self):\n        print('closed')\n\nTHING = snaxum.keep('thing', load{version})\n"
        ),
        "id(THING)",
    )
}

// `keep` returns the same object after an edit, and a new one after a new version or factory.
#[tokio::test]
async fn a_kept_value_outlives_edits_until_its_version_or_its_factory_changes() {
    let mut world = World::new(&[("app.py", &keeping(1, "", "pass"))]).await;
    let first = world.text("/").await;
    world.save("app.py", &keeping(2, "", "pass")).await.ran();
    assert_eq!(world.text("/").await, first);

    world.save("app.py", &keeping(2, ", version=2", "pass")).await.ran();
    let second = world.text("/").await;
    assert_ne!(second, first);
    world.server.out.wait_for("closed").await;

    world.save("app.py", &keeping(2, ", version=2", "print('made again')")).await.ran();
    assert_ne!(world.text("/").await, second);
    world.server.out.wait_for("made again").await;
}

#[tokio::test]
async fn a_kept_value_of_a_rejected_generation_is_unloaded_and_not_published() {
    let mut world = World::new(&[("app.py", &keeping(1, "", "pass"))]).await;
    let first = world.text("/").await;
    let broken = format!("{}\n1 / 0\n", keeping(1, ", version=2", "pass"));
    world.save("app.py", &broken).await.failure();
    world.server.out.wait_for("closed").await;
    assert_eq!(world.text("/").await, first);
}

// An unload hook runs once, after the new code serves; a failing or hanging hook costs the reload
// nothing.
#[tokio::test]
async fn an_unload_hook_runs_once_after_the_new_code_serves_and_not_for_a_rejected_one() {
    let app = |n: u32, more: &str| {
        index(
            &format!(
                "import snaxum\n\n@snaxum.on_unload\ndef bye():\n    print('unload {n}')\n    raise ValueError('in a hook')\n{more}"
            ),
            &n.to_string(),
        )
    };
    let mut world = World::new(&[("app.py", &app(1, ""))]).await;
    world.save("app.py", &app(2, "1 / 0\n")).await.failure();
    world.save("app.py", &app(3, "")).await.ran();
    world.server.out.wait_for("unload 1").await;
    assert_eq!(world.text("/").await, "3");
    world.server.stop().await;
    let output = world.server.out.whole().await;
    assert_eq!(output.matches("unload 1").count(), 1, "{output}");
    assert_eq!(output.matches("unload 3").count(), 1, "at a clean stop too: {output}");
    assert!(!output.contains("unload 2"), "it was never published: {output}");
}

// Start-up hooks of changed modules run; a failing hook rejects the reload.
#[tokio::test]
async fn a_startup_hook_that_refuses_rejects_the_reload() {
    let app = |n: u32, hook: &str| {
        index(
            &format!("import snaxum\n\n@snaxum.on_startup\nasync def start():\n    {hook}\n"),
            &n.to_string(),
        )
    };
    let mut world = World::new(&[("app.py", &app(1, "print('started 1')")), ("b.py", "")]).await;
    world.server.out.wait_for("started 1").await;
    let reload = world.save("app.py", &app(2, "raise RuntimeError('no database')")).await;
    assert!(reload.failure().contains("no database"), "{}", reload.failure());
    assert_eq!(world.text("/").await, "1");
    world.save("b.py", "X = 1\n").await; // it concerns b alone, but app.py is still broken
    assert_eq!(world.text("/").await, "1");
    world.save("app.py", &app(3, "print('started 3')")).await.ran();
    world.server.out.wait_for("started 3").await;
}

// An exclusive resource is released before the new code loads, and taken back if that is rejected.
#[tokio::test]
async fn an_exclusive_resource_is_released_before_the_new_code_loads() {
    let app = |n: u32, more: &str| {
        index(
            &format!(
                "import socket, snaxum\nS = socket.socket()\nS.bind(('127.0.0.1', int(open(__file__.replace('app.py', 'port.txt')).read())))\n\n@snaxum.on_unload(exclusive=True)\ndef release():\n    S.close()\n\n@snaxum.on_resume\ndef again():\n    print('resumed')\n{more}"
            ),
            &n.to_string(),
        )
    };
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    let project = Project::new().file("port.txt", &port.to_string()).file("app.py", &app(1, ""));
    let mut world = World::of(project).await;
    world.save("app.py", &app(2, "")).await.ran();
    assert_eq!(world.text("/").await, "2");
    world.save("app.py", &app(3, "S.close()\n1 / 0\n")).await.failure();
    world.server.out.wait_for("resumed").await;
}

// Logging handlers that a module adds at import do not add up.
#[tokio::test]
async fn logging_that_is_set_up_at_import_prints_each_line_once_after_ten_reloads() {
    let app = |n: u32| {
        index(
            &format!(
                "import logging, sys\nlogging.getLogger('x').addHandler(logging.StreamHandler(sys.stdout))\nlogging.getLogger('x').setLevel('INFO')\nN = {n}"
            ),
            "len(logging.getLogger('x').handlers)",
        )
    };
    let mut world = World::new(&[("app.py", &app(0))]).await;
    for n in 1..=10 {
        world.save("app.py", &app(n)).await.ran();
    }
    assert_eq!(world.text("/").await, "1");
}

// A thread that a module starts at import is attributed to the module, with a warning.
#[tokio::test]
async fn a_thread_that_does_not_end_is_named() {
    let app = |n: u32, more: &str| {
        index(
            &format!(
                "import snaxum, threading\nSTOP = threading.Event()\nthreading.Thread(target=STOP.wait, name='poller', daemon=True).start()\n{more}"
            ),
            &n.to_string(),
        )
    };
    let mut world = World::new(&[("app.py", &app(1, ""))]).await;
    let ends = "snaxum.on_unload(STOP.set)\n";
    let reload = world.save("app.py", &app(2, ends)).await;
    assert!(reload.0["warnings"].to_string().contains("poller"), "{:#}", reload.0);
    let reload = world.save("app.py", &app(3, ends)).await;
    assert_eq!(reload.0["warnings"], serde_json::json!([]), "this one ends it");
}

// A metric that a module registers at import is not a duplicate after a reload.
#[tokio::test]
async fn a_metric_is_registered_once_over_all_reloads() {
    // The shape of prometheus_client's registry; the library itself would have to be installed.
    let registry = "class Registry:\n    def __init__(self):\n        self._collector_to_names = {}\n    def register(self, c):\n        if c.name in self._collector_to_names.values():\n            raise ValueError('Duplicated timeseries')\n        self._collector_to_names[c] = c.name\n    def unregister(self, c):\n        del self._collector_to_names[c]\n\nREGISTRY = Registry()\n\nclass Counter:\n    def __init__(self, name):\n        self.name = name\n        REGISTRY.register(self)\n";
    let app = |n: u32| {
        index(
            &format!(
                "from prometheus_client import Counter, REGISTRY\nC = Counter('hits')\nN = {n}"
            ),
            "[N, len(REGISTRY._collector_to_names)]",
        )
    };
    let project = Project::new();
    let libraries = project.path().join("libraries").to_str().expect("UTF-8").to_owned();
    let project = project
        .top_file("libraries/prometheus_client.py", registry)
        .env("PYTHONPATH", &libraries)
        .file("app.py", &app(1));
    let mut world = World::of(project).await;
    assert_eq!(world.save("app.py", &app(2)).await.ran(), ["app"]);
    world.save("app.py", &format!("{}1 / 0\n", app(3))).await.failure();
    assert_eq!(world.text("/").await, "[2, 1]");
    assert_eq!(world.save("app.py", &app(4)).await.0["strategy"], "dependents");
    assert_eq!(world.text("/").await, "[4, 1]");
}

// Old modules are freed, or the report names the reference to them.
#[tokio::test]
async fn a_reference_to_old_code_is_named() {
    let app = |n: u32, call: &str| {
        index(
            &format!("import _store\n\ndef callback():\n    return {n}\n\n{call}"),
            &n.to_string(),
        )
    };
    let project = Project::new()
        .file("_store.py", "CALLBACKS = []\n")
        .file("app.py", &app(1, "_store.CALLBACKS.append(callback)\n"));
    let mut world = World::of(project).await;
    world.save("app.py", &app(2, "")).await.ran();
    let line = world.server.err.wait_for("is still referenced by").await;
    assert!(
        line.contains("module `app` in version 1") && line.contains("`_store.CALLBACKS`"),
        "{line}"
    );
    let reload = world.save("app.py", &app(3, "")).await;
    assert!(reload.0["notes"].to_string().contains("_store.CALLBACKS"), "{:#}", reload.0);
}

#[tokio::test]
async fn a_clean_stop_releases_exclusive_resources_too() {
    let app = index(
        "import snaxum\n\n@snaxum.on_unload(exclusive=True)\ndef release():\n    print('released')\n",
        "1",
    );
    let mut world = World::new(&[("app.py", &app)]).await;
    world.server.stop().await;
    assert_eq!(world.server.out.whole().await.matches("released").count(), 1);
}

#[tokio::test]
async fn an_async_hook_runs_at_a_clean_stop_too() {
    let app = index(
        "import asyncio, snaxum\n\n@snaxum.on_startup\nasync def begin():\n    global LEFT\n    LEFT = asyncio.create_task(asyncio.sleep(3600))\n\n@snaxum.on_shutdown\nasync def bye():\n    await asyncio.sleep(0)\n    print('left:', LEFT.done())\n",
        "1",
    );
    let project = || Project::new().file("app.py", &app);
    for mut server in [project().dev().await, project().serve().await] {
        server.stop().await;
        let (out, err) = (server.out.whole().await, server.err.whole().await);
        assert!(out.contains("left: False"), "{out}");
        assert!(!err.contains("raised") && !err.contains("never awaited"), "{err}");
    }
}
