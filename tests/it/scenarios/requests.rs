//! Requests that run during a reload.

use super::super::support::Project;
use super::world::World;

/// A handler that stops at the gate before it resolves a helper in every possible way.
fn app(kind: &str) -> String {
    let (def, wait) = match kind {
        "async" => ("async def", "await _gate.wait_async"),
        _ => ("def", "_gate.wait"),
    };
    let (pool, argument) = match kind {
        "pool" => (", use_process_pool=True", ", pool"),
        _ => ("", ""),
    };
    format!(
        "import _gate, pk\nfrom snaxum import route\n\n@route('/'{pool})\n{def} index(request{argument}):\n    {wait}('handler')\n    import importlib\n    import _util\n    from pk import sub\n    return [_util.X, sub.X, pk.sub.X, importlib.import_module('_util').X, importlib.import_module('pk.sub').X]\n"
    )
}

// A sync or async request in flight finishes on its generation, context variables and late imports
// included.
#[tokio::test]
async fn a_request_sees_one_generation_from_its_start_to_its_end() {
    for kind in ["plain", "async", "pool"] {
        let project = Project::new()
            .gate()
            .file("app.py", &app(kind))
            .file("other.py", "import _util, pk.sub\n")
            .file("_util.py", "X = 1\n")
            .file("pk/__init__.py", "")
            .file("pk/sub.py", "X = 1\n");
        let mut world = World::of(project).await;
        let old = world.server.begin("/");
        let held = world.server.arrival().await;

        world.save("_util.py", "X = 2\n").await.ran();
        world.save("pk/sub.py", "X = 2\n").await.ran();
        let new = world.server.begin("/");
        let held_too = world.server.arrival().await;
        held.open().await;
        held_too.open().await;

        let (old, new) = (old.await.expect("a response"), new.await.expect("a response"));
        assert_eq!(old.text(), "[1,1,1,1,1]", "{kind}");
        assert_eq!(new.text(), "[2,2,2,2,2]", "{kind}");
        assert_eq!((old.header("x-snaxum-gen"), new.header("x-snaxum-gen")), ("1", "3"));
    }
}

// An unload hook runs after the last request on the old code.
#[tokio::test]
async fn a_hook_waits_for_the_last_request_on_the_old_code() {
    let source = |n: u32| {
        format!(
            "import _gate, snaxum\nfrom snaxum import route\n\n@snaxum.on_unload\ndef bye():\n    _gate.notify('unload {n}')\n\n@route('/')\ndef index(request):\n    _gate.wait('handler')\n    return '{n}'\n"
        )
    };
    let mut world = World::of(Project::new().gate().file("app.py", &source(1))).await;
    let running = world.server.begin("/");
    let held = world.server.arrival().await;
    world.save("app.py", &source(2)).await.ran();
    world.save("app.py", &source(3)).await.ran();
    held.open().await;
    assert_eq!(running.await.expect("a response").text(), "1");
    // Oldest first; nothing else came to the gate before.
    assert_eq!(world.server.arrival().await.name, "unload 1");
    assert_eq!(world.server.arrival().await.name, "unload 2");
}
