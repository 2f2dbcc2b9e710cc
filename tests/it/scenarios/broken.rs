//! Broken code changes nothing but its own report.

use super::super::support::Project;
use super::world::{World, index};

// A syntax error, an exception, `sys.exit()` or a duplicate route at import changes nothing.
#[tokio::test]
async fn whatever_a_module_raises_is_a_failure_and_the_last_good_code_serves() {
    let mut world = World::new(&[("app.py", &index("", "'good'")), ("b.py", "")]).await;
    for (broken, says) in [
        ("def oops(:\n", "SyntaxError"),
        ("if 1:\nx = 2\n", "IndentationError"),
        ("x = '\0'\n", "SyntaxError"),
        ("# coding: no-such-thing\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit"),
        ("import sys; sys.exit()\n", "SystemExit"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("def f(): f()\nf()\n", "RecursionError"),
        ("from snaxum import route\n\n@route('/')\ndef again(request): pass\n", "app.py"),
        ("import no_such_library\n", "ModuleNotFoundError"),
    ] {
        let reload = world.save("b.py", broken).await;
        assert!(reload.failure().contains(says), "{}", reload.failure());
        let reply = world.get("/").await;
        assert_eq!((reply.text(), reply.header("x-snaxum-stale")), ("good", "1"), "{broken}");
        let status = world.status().await;
        assert_eq!((&status["state"], &status["generation"]), (&"failing".into(), &1.into()));
    }
    assert_eq!(world.save("b.py", "X = 1\n").await.ran(), ["b"]); // a fix is live at once
    assert_eq!(world.get("/").await.header("x-snaxum-stale"), "");
    assert_eq!(world.status().await["state"], "ok");
}

// A save with one broken file, or with a broken dependent, is rejected as a whole.
#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let b = "from snaxum import route\nimport _a\nY = _a.f()\n\n@route('/b')\ndef b(request):\n    return str(_a.f())\n";
    let mut world = World::new(&[("_a.py", "def f(): return 1\n"), ("b.py", b)]).await;

    let reload = world.save("_a.py", "def g(): return 2\n").await; // b uses f

    assert!(reload.failure().contains("b.py"), "{}", reload.failure());
    assert_eq!(world.text("/b").await, "1");
    assert_eq!(world.save("b.py", &b.replace("_a.f", "_a.g")).await.ran(), ["_a", "b"]);
    assert_eq!(world.text("/b").await, "2");
}

// At the start, healthy modules serve, and the paths of a broken one return 500 with its
// traceback.
#[tokio::test]
async fn a_module_broken_at_the_start_fails_on_its_own_paths_while_the_others_serve() {
    let bad = "import snaxum\nfrom snaxum import route\n\n@route('/bad/<int:n>', methods=['POST'])\ndef bad(request): pass\n\n@snaxum.route('/worse')\nasync def worse(request): pass\n\n1 / 0\n";
    let mut world = World::new(&[("app.py", &index("", "1")), ("bad.py", bad)]).await;
    assert_eq!(world.text("/").await, "1");
    let status = world.status().await;
    assert_eq!((&status["state"], &status["generation"]), (&"failing".into(), &1.into()));
    let worse = world.get("/worse").await;
    assert_eq!(worse.status, 500);
    assert!(worse.text().contains("ZeroDivisionError") && worse.json()["traceback"].is_object());
    let posted = world.server.post("/bad/7", &serde_json::json!({})).await;
    assert_eq!((posted.status, world.get("/bad/7").await.status), (500, 503));
    assert_eq!(world.get("/elsewhere").await.status, 503);

    world.save("bad.py", &bad.replace("1 / 0", "")).await.ran();
    assert_eq!(world.status().await["state"], "ok");
    assert_eq!(world.get("/worse").await.status, 204);
}

// A rejected reload leaves no routes, variables, logging handlers or signal handlers behind.
#[tokio::test]
async fn a_rejected_module_leaves_no_trace_outside_itself() {
    let app = index(
        "import logging, os, sys, warnings",
        "[os.environ.get('LEFT'), os.environ.get('HAD'), '/left' in sys.path, len(logging.getLogger('left').handlers), any('left' in str(f) for f in warnings.filters)]",
    );
    let leaves = "import atexit, logging, os, sys, warnings\nfrom snaxum import route\nos.environ['LEFT'] = '1'\nos.environ['HAD'] = 'new'\nsys.path.append('/left')\nlogging.getLogger('left').addHandler(logging.NullHandler())\nwarnings.filterwarnings('ignore', message='left')\natexit.register(print, 'left at exit')\n\n@route('/left')\ndef left(request): pass\n\n";
    let project = Project::new().env("HAD", "old").file("app.py", &app).file("b.py", "");
    let mut world = World::of(project).await;

    let reload = world.save("b.py", &format!("{leaves}1 / 0\n")).await;

    assert!(reload.failure().contains("ZeroDivisionError"));
    assert_eq!(world.text("/").await, "[None, 'old', False, 0, False]");
    assert_eq!(world.get("/left").await.status, 404);
    // The same code, whole, has its effects; and without it they are gone.
    world.save("b.py", leaves).await.ran();
    assert_eq!(world.text("/").await, "['1', 'new', True, 1, True]");
    world.save("b.py", "X = 1\n").await.ran();
    assert_eq!(world.text("/").await, "[None, 'old', False, 0, False]");
    world.server.stop().await;
    assert!(!world.server.out.whole().await.contains("left at exit"));
}

// A module that fails runs once for each of its importers, and none of these runs leaves a trace.
#[tokio::test]
async fn a_rejected_module_that_is_imported_twice_leaves_no_trace_outside_itself() {
    let app = index(
        "import b, logging, os, sys",
        "[os.environ.get('LEFT'), os.environ.get('HAD'), '/left' in sys.path, len(logging.getLogger('left').handlers)]",
    );
    let leaves = "import logging, os, sys\nos.environ['LEFT'] = '1'\nos.environ['HAD'] = 'new'\nsys.path.append('/left')\nlogging.getLogger('left').addHandler(logging.NullHandler())\n";
    let project = Project::new()
        .env("HAD", "old")
        .file("app.py", &app)
        .file("b.py", "")
        .file("other.py", "import b\n");
    let mut world = World::of(project).await;

    world.save("b.py", &format!("{leaves}1 / 0\n")).await.failure();

    assert_eq!(world.text("/").await, "[None, 'old', False, 0]");
    world.save("b.py", leaves).await.ran();
    assert_eq!(world.text("/").await, "['1', 'new', True, 1]");
}

// Traceback lines come from the source that ran, even if the file changed since.
#[tokio::test]
async fn a_traceback_shows_the_code_that_ran() {
    let source = "from snaxum import route\n\n@route('/')\ndef index(request):\n    raise ValueError('first')\n";
    let mut world = World::new(&[("app.py", source)]).await;
    world.save("app.py", "def oops(:\n").await.failure();
    world.get("/").await;
    let id = world.server.api("requests").await[0]["id"].as_str().expect("an id").to_owned();
    let request = world.server.api(&format!("requests/{id}")).await;
    assert!(request["traceback"].to_string().contains("raise ValueError('first')"));
}

// A module that hangs at import is shown with its stack and interrupted, while requests are
// served.
#[tokio::test]
async fn an_import_that_does_not_end_shows_its_stack_and_is_interrupted() {
    for hanging in ["while True:\n    pass\n", "import time\ntime.sleep(3600)\n"] {
        let project = Project::new()
            .args(&["--import-warning", "300ms", "--import-timeout", "600ms"])
            .file("app.py", &index("", "1"))
            .file("b.py", "");
        let mut world = World::of(project).await;
        world.server.edit(
            "b.py",
            &format!("def stuck_here():\n    {}\nstuck_here()\n", hanging.replace('\n', "\n    ")),
        );
        world.server.err.wait_for("in stuck_here").await;
        assert_eq!(world.text("/").await, "1", "requests are served meanwhile");
        let reload = world.reload().await;
        assert!(reload.failure().contains("interrupted after 0.6 s"), "{}", reload.failure());
        assert_eq!(world.text("/").await, "1");
        assert_eq!(world.save("b.py", "X = 1\n").await.ran(), ["b"]);
    }
}

// Saves during a reload become one more reload, with the newest content.
#[tokio::test]
async fn saves_during_a_reload_become_one_more_with_the_newest_content() {
    let mut world = World::of(Project::new().gate().file("app.py", &index("", "0"))).await;
    world.server.edit("app.py", &index("import _gate\n_gate.wait('import')\n", "1"));
    let held = world.server.arrival().await;
    for n in 2..=5 {
        world.server.edit("app.py", &index("", &n.to_string()));
    }
    held.open().await;
    while world.text("/").await != "5" {
        world.reload().await;
    }
    assert!(world.status().await["generation"].as_u64().expect("a number") <= 4);
}

#[tokio::test]
async fn a_module_that_edits_itself_or_is_not_a_file_does_not_end_the_server() {
    let mut world = World::new(&[("app.py", &index("", "1")), ("b.py", "")]).await;
    let itself = "import pathlib, time\nP = pathlib.Path(__file__)\nP.write_text(P.read_text() + f'# {time.time_ns()}\\nX = {time.time_ns()}\\n')\n";
    world.save("b.py", itself).await;
    world.save("app.py", &index("", "2")).await;
    assert_eq!(world.text("/").await, "2");
    // A directory in place of a file, a link that leads nowhere, one in a circle.
    std::fs::create_dir(world.server.python("dir.py")).expect("made");
    std::os::unix::fs::symlink("nowhere", world.server.python("lost.py")).expect("made");
    std::os::unix::fs::symlink("circle.py", world.server.python("circle.py")).expect("made");
    std::os::unix::fs::symlink(".", world.server.python("round")).expect("made");
    world.server.edit("app.py", &index("", "3"));
    while world.text("/").await != "3" {
        world.reload().await;
    }
}

#[tokio::test]
async fn a_thread_of_the_users_that_imports_during_a_reload_gets_the_served_modules() {
    let app = |n: u32, wait: &str| {
        index(&format!("import _gate, _util, threading\nN = {n}\n{wait}\n"), "_late()")
            + "\ndef _late():\n    found = []\n    def run():\n        import _util\n        found.append(_util.X)\n    t = threading.Thread(target=run)\n    t.start()\n    t.join()\n    return found\n"
    };
    let project = Project::new().gate().file("app.py", &app(1, "")).file("_util.py", "X = 1\n");
    let mut world = World::of(project).await;
    world.server.edit("_util.py", "import _gate\nX = 2\n_gate.wait('util')\n");
    let held = world.server.arrival().await;
    assert_eq!(world.text("/").await, "[1]");
    held.open().await;
    world.reload().await.ran();
    assert_eq!(world.text("/").await, "[2]");
}

#[tokio::test]
async fn a_module_that_ends_the_process_is_rejected() {
    let mut world = World::new(&[("app.py", &index("", "1"))]).await;
    let reload = world.save("app.py", "import os\n\nos._exit(3)\n").await;
    assert!(reload.failure().contains("SystemExit"), "{}", reload.failure());
    assert!(reload.failure().contains("line 3"), "{}", reload.failure());
    assert_eq!(world.text("/").await, "1");
}

#[tokio::test]
async fn a_file_of_many_megabytes_and_one_that_goes_while_it_is_read_end_nothing() {
    let mut world = World::new(&[("app.py", &index("", "1"))]).await;
    let large = format!("X = '{}'\n", "x".repeat(20 << 20));
    assert_eq!(world.save("large.py", &large).await.ran(), ["large"]);
    for n in 0..20 {
        world.server.edit("coming.py", &format!("X = {n}\n"));
        std::fs::remove_file(world.server.python("coming.py")).expect("it was just made");
    }
    world.server.edit("app.py", &index("", "2"));
    while world.text("/").await != "2" {
        world.reload().await;
    }
    assert_eq!(world.server.api("wait").await["state"], "ok");
}
