//! Edits of code.

use super::world::{World, index};

/// Saves `after` over `before` in `util.py`, which `app.py` imports, and returns both responses of `/`.
async fn edit(app: &str, before: &str, after: &str) -> (String, String) {
    let mut world = World::new(&[("app.py", app), ("util.py", before)]).await;
    let first = world.text("/").await;
    let reload = world.save("util.py", after).await;
    assert_eq!(reload.ran(), ["util", "app"], "each once");
    (first, world.text("/").await)
}

async fn expect(app: &str, before: &str, after: &str, expected: (&str, &str)) {
    let (first, second) = edit(app, before, after).await;
    assert_eq!((first.as_str(), second.as_str()), expected);
}

// The next request runs the edited handler, in a new generation, and no other module runs.
#[tokio::test]
async fn only_the_module_of_an_edited_handler_runs_again() {
    let other =
        "from snaxum import route\n\n@route('/other')\ndef other(request):\n    return 'other'\n";
    let mut world = World::new(&[("app.py", &index("", "1")), ("other.py", other)]).await;

    let reload = world.save("app.py", &index("", "2")).await;

    assert_eq!(reload.ran(), ["app"]);
    let reply = world.get("/").await;
    assert_eq!((reply.text(), reply.header("x-snaxum-gen")), ("2", "2"));
}

// Routes are added, removed and changed by one swap of the table.
#[tokio::test]
async fn routes_come_go_and_change_with_one_swap() {
    let source = |routes: &str| format!("from snaxum import route\n{routes}");
    let a = "@route('/a')\ndef a(request): return 'a'\n";
    let b = "@route('/b')\ndef b(request): return 'b'\n";
    let mut world = World::new(&[("app.py", &source(a))]).await;

    let reload = world.save("app.py", &source(&format!("{a}{b}"))).await;
    assert_eq!(reload.diff("added"), ["/b"]);
    assert_eq!(world.text("/b").await, "b");

    let reload = world.save("app.py", &source(b)).await;
    assert_eq!((reload.diff("removed"), reload.diff("moved")), (vec!["/a"], vec!["/b"]));
    assert_eq!(world.get("/a").await.status, 404);

    let reload = world.save("app.py", &source(&b.replace("/b", "/c"))).await;
    assert_eq!((reload.diff("added"), reload.diff("removed")), (vec!["/c"], vec!["/b"]));
    assert_eq!((world.get("/b").await.status, world.get("/c").await.status), (404, 200));

    let post = b.replace("'/b'", "'/c', methods=['POST']");
    world.save("app.py", &source(&post)).await;
    assert_eq!(world.get("/c").await.status, 405);
}

// An importer sees the edited helper, however it imports it.
#[tokio::test]
async fn every_way_of_importing_a_helper_sees_its_edit() {
    for (import, expression) in [
        ("from util import X", "X"),
        ("import util", "util.X"),
        ("import util as u", "u.X"),
        ("from util import X as renamed", "renamed"),
        ("from util import *", "X"),
        ("import util\nY = util.X * 10", "Y // 10"),
        ("import importlib\nutil = importlib.import_module('util')", "util.X"),
        ("util = __import__('util')", "util.X"),
    ] {
        expect(&index(import, expression), "X = 1\n", "X = 2\n", ("1", "2")).await;
    }
}

// A star import is refreshed, and removed names are gone.
#[tokio::test]
async fn a_name_that_a_star_import_brought_goes_when_it_is_removed() {
    let app = index("from util import *", "'Y' in globals()");
    expect(&app, "X = 1\nY = 1\n", "X = 1\n", ("True", "False")).await;
    expect(&app, "X = Y = 1\n", "__all__ = ['X']\nX = Y = 1\n", ("True", "False")).await;
}

// Lazy attributes, default values and decorators are new.
#[tokio::test]
async fn lazy_attributes_defaults_and_decorators_are_new_too() {
    let lazy = "def __getattr__(name):\n    if name == 'X':\n        return 2\n    raise AttributeError(name)\n";
    expect(&index("import util", "util.X"), "X = 1\n", lazy, ("1", "2")).await;
    let default = |n: u32| format!("def f(x={n}, *, y={n}):\n    return x + y\n");
    expect(&index("from util import f", "f()"), &default(1), &default(2), ("2", "4")).await;
    let decorator = |n: u32| {
        format!(
            "import functools\n\ndef wrap(f):\n    extra = {n}\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a) * extra\n    return inner\n"
        )
    };
    let app = index("from util import wrap\n\n@wrap\ndef five():\n    return 5\n", "five()");
    expect(&app, &decorator(1), &decorator(2), ("5", "10")).await;
}

// A cache of an edited helper starts empty.
#[tokio::test]
async fn a_cache_of_an_edited_helper_starts_empty() {
    let cached =
        |n: u32| format!("import functools\n\n@functools.lru_cache\ndef f(x):\n    return '{n}'\n");
    expect(&index("from util import f", "f(1)"), &cached(1), &cached(2), ("1", "2")).await;
}

// A handler that becomes async, or sync, is dispatched accordingly.
#[tokio::test]
async fn a_handler_may_become_async_and_plain_again() {
    let plain = index("", "'plain'");
    let later = plain.replace("def index", "async def index").replace("plain", "async");
    let mut world = World::new(&[("app.py", &plain)]).await;

    let reload = world.save("app.py", &later).await;
    assert_eq!(reload.diff("changed"), ["/"]);
    assert_eq!(world.text("/").await, "async");
    world.save("app.py", &plain).await;
    assert_eq!(world.text("/").await, "plain");
}

// Classes, their subclasses, enums, slots and metaclasses are rebuilt.
#[tokio::test]
async fn classes_are_rebuilt_with_all_their_subclasses() {
    let app = index("import util\n\nclass Mine(util.Base):\n    pass\n", "Mine().x()");
    let method = |n: u32| format!("class Base:\n    def x(self):\n        return '{n}'\n");
    expect(&app, &method(1), &method(2), ("1", "2")).await;
    let derived = "class Root:\n    def x(self):\n        return 0\n\nclass Base(Root):\n    def x(self):\n        return 1\n";
    let removed =
        "class Root:\n    def x(self):\n        return 0\n\nclass Base(Root):\n    pass\n";
    expect(&app, derived, removed, ("1", "0")).await;
    let slots =
        "class Base:\n    __slots__ = ('a',)\n    @staticmethod\n    def x():\n        return 3\n";
    expect(&app, &method(1), slots, ("1", "3")).await;

    let data = |fields: &str| {
        format!("from dataclasses import dataclass\n\n@dataclass\nclass P:\n{fields}")
    };
    let app = index("from util import P", "P()");
    let (one, two) = (data("    a: int = 1\n"), data("    a: int = 1\n    b: int = 2\n"));
    expect(&app, &one, &two, ("P(a=1)", "P(a=1, b=2)")).await;
    let colours = |more: &str| format!("import enum\n\nclass C(enum.Enum):\n    RED = 1\n{more}");
    let app = index("from util import C", "len(C)");
    expect(&app, &colours(""), &colours("    BLUE = 2\n"), ("1", "2")).await;
}

// A file is compiled with its own `__future__` flags.
#[tokio::test]
async fn a_file_is_compiled_with_its_own_flags() {
    let app = index("import util", "util.f.__annotations__['x']");
    let after = "from __future__ import annotations\n\ndef f(x: int): pass\n";
    expect(&app, "def f(x: int): pass\n", after, ("<class 'int'>", "int")).await;
}

// `inspect` and a module's own attributes are correct in each generation.
#[tokio::test]
async fn introspection_shows_the_running_code() {
    let app = index("import inspect\nimport util", "[inspect.getsource(util.f), util.__doc__]");
    let source = |n: u32| format!("\"\"\"Doc {n}.\"\"\"\n\ndef f(): return {n}\n");
    let (first, second) = edit(&app, &source(1), &source(2)).await;
    assert!(first.contains("return 1") && first.contains("Doc 1."), "{first}");
    assert!(second.contains("return 2") && second.contains("Doc 2."), "{second}");
}

// An edit of comments or blank lines runs no module, and the line numbers follow.
#[tokio::test]
async fn comments_and_blank_lines_run_nothing_and_move_the_lines() {
    let source = "from snaxum import route\nHITS = []\n\nclass Thing:\n    def fail(self):\n        raise ValueError('here')\n\n@route('/')\ndef index(request):\n    HITS.append(1)\n    return str(len(HITS))\n\n@route('/fail')\ndef fail(request):\n    Thing().fail()\n";
    let mut world = World::new(&[("app.py", source)]).await;
    assert_eq!(world.text("/").await, "1");

    let reload = world.save("app.py", &format!("# A comment.\n\n\n{source}")).await;

    reload.ran_nothing();
    assert_eq!((&reload.0["strategy"], &reload.0["generation"]), (&"lines".into(), &1.into()));
    assert_eq!(reload.diff("moved"), ["/", "/fail"]);
    assert_eq!(world.text("/").await, "2", "its state is as it was");
    world.get("/fail").await;
    let newest = world.server.api("requests").await[0]["id"].as_str().expect("an id").to_owned();
    let request = world.server.api(&format!("requests/{newest}")).await;
    let frames = request["traceback"]["frames"].as_array().expect("frames");
    let lines: Vec<_> =
        frames.iter().map(|frame| frame["line"].as_u64().expect("a line")).collect();
    assert_eq!(lines, [18, 9]);
    let shown = frames[1]["source"].as_array().expect("lines");
    assert!(
        shown.iter().any(|l| l["line"] == 9 && l["text"].as_str().expect("text").contains("here"))
    );
}

// A save without a change reloads nothing, and a quick revert ends on the first version.
#[tokio::test]
async fn content_decides_and_nothing_else() {
    let mut world = World::new(&[("app.py", &index("", "1"))]).await;
    world.server.edit("app.py", &index("", "1")); // saved as it was: no reload
    assert_eq!(world.save("app.py", &index("", "2")).await.ran(), ["app"]); // of equal size
    assert_eq!(world.text("/").await, "2");
    assert_eq!(world.save("app.py", &index("", "1")).await.ran(), ["app"]); // and back
    assert_eq!(world.text("/").await, "1");
    let reloads = world.server.api("reloads").await;
    assert_eq!(reloads.as_array().expect("a list").len(), 3, "{reloads:#}");
}

// Mutable globals of an edited module are reset and named; other modules' globals stay.
#[tokio::test]
async fn state_of_an_edited_module_is_reset_and_reported_and_other_state_stays() {
    let app = |n: u32| {
        format!(
            "import store\nfrom snaxum import route\nHITS = []\nLAST = 0\n\n@route('/')\ndef index(request):\n    global LAST\n    LAST += 1\n    HITS.append(1)\n    store.ALL.append(1)\n    return f'{n} {{len(HITS)}} {{LAST}} {{len(store.ALL)}}'\n"
        )
    };
    let mut world = World::new(&[("app.py", &app(1)), ("store.py", "ALL = []\n")]).await;
    assert_eq!(world.text("/").await, "1 1 1 1");
    assert_eq!(world.text("/").await, "1 2 2 2");

    let reload = world.save("app.py", &app(2)).await;

    assert_eq!(reload.ran(), ["app"]);
    assert_eq!(reload.0["state_reset"], serde_json::json!(["app.HITS", "app.LAST"]));
    assert_eq!(world.text("/").await, "2 1 1 3");
}

#[tokio::test]
async fn a_route_that_loses_paths_to_a_new_one_is_shadowed() {
    let route = |path: &str, n: u32| {
        format!("\n@route('{path}')\ndef f{n}(request, **given):\n    return '{n}'\n")
    };
    let wide = format!("from snaxum import route\n{}", route("/orders/<id>", 1));
    let mut world = World::new(&[("app.py", &wide)]).await;
    let both = format!("{wide}{}", route("/orders/export", 2));

    let reload = world.save("app.py", &both).await;

    assert_eq!(reload.diff("added"), ["/orders/export"]);
    assert_eq!(reload.diff("shadowed"), ["/orders/<id>"]);
    assert_eq!(reload.0["diff"]["shadowed"][0]["by"], "/orders/export");
    world.server.out.wait_for("/orders/export now handles requests of GET /orders/<id>").await;
    assert_eq!(
        (world.text("/orders/export").await, world.text("/orders/7").await),
        ("2".into(), "1".into())
    );

    let reload = world.save("app.py", &format!("{both}{}", route("/orders/<int:id>", 3))).await;
    assert_eq!(reload.diff("shadowed"), ["/orders/<id>"]);
    assert_eq!(world.save("app.py", &wide).await.diff("shadowed"), [""; 0]);
}
