//! Which modules a change reaches.

use super::world::{World, index};

// An edit of the last of a diamond runs each module once, in load order.
#[tokio::test]
async fn in_a_diamond_each_module_runs_once_and_in_load_order() {
    let mut world = World::new(&[
        ("app.py", &index("import _b, _c", "_b.X + _c.X")),
        ("_b.py", "import _d\nX = _d.X\n"),
        ("_c.py", "import _d\nX = _d.X\n"),
        ("_d.py", "X = 1\n"),
        ("other.py", "import json\n"),
    ])
    .await;

    assert_eq!(world.save("_d.py", "X = 2\n").await.ran(), ["_d", "_b", "_c", "app"]);
    assert_eq!(world.text("/").await, "4");
    assert_eq!(world.save("_b.py", "import _d\nX = _d.X + 1\n").await.ran(), ["_b", "app"]);
    assert_eq!(world.text("/").await, "5");
}

// A module without importers is not run, and the report gives the reason.
#[tokio::test]
async fn a_file_without_importers_is_not_run() {
    let mut world = World::new(&[("app.py", &index("", "1"))]).await;
    let reload = world.save("_leaf.py", "raise SystemExit\n").await;
    reload.ran_nothing();
    assert_eq!(reload.0["strategy"], "none");
    assert!(
        reload.0["reason"].as_str().expect("a text").contains("no loaded module imports"),
        "{reload:#?}",
        reload = reload.0
    );
    assert_eq!(world.status().await["state"], "ok");
}

// A module that is imported for its side effects runs again.
#[tokio::test]
async fn a_module_that_is_imported_for_what_it_does_runs_again() {
    let handlers = |n: u32| {
        format!("from snaxum import route\n\n@route('/')\ndef index(request):\n    return '{n}'\n")
    };
    let mut world =
        World::new(&[("app.py", "import _handlers\n"), ("_handlers.py", &handlers(1))]).await;
    assert_eq!(world.save("_handlers.py", &handlers(2)).await.ran(), ["_handlers", "app"]);
    assert_eq!(world.text("/").await, "2");
}

// A valid import cycle runs again in its original order.
#[tokio::test]
async fn a_cycle_that_loads_loads_again() {
    let mut world = World::new(&[
        ("app.py", &index("import _a", "_a.total()")),
        ("_a.py", "import _b\nX = 1\n\ndef total():\n    return X + _b.Y\n"),
        ("_b.py", "import _a\nY = 10\n\ndef get():\n    return _a.X\n"),
    ])
    .await;
    assert_eq!(world.text("/").await, "11");

    let reload = world.save("_b.py", "import _a\nY = 20\n").await;

    assert_eq!(reload.ran(), ["_b", "_a", "app"]);
    assert_eq!(world.text("/").await, "21");
}

// Submodules, relative imports and the parent's attribute are all new.
#[tokio::test]
async fn packages_their_submodules_and_relative_imports_are_followed() {
    let mut world = World::new(&[
        (
            "app.py",
            &index(
                "from pk import sub, name\nimport pk.deep.leaf",
                "f'{sub.X} {name} {pk.deep.leaf.X}'",
            ),
        ),
        ("pk/__init__.py", "from .naming import name\n"),
        ("pk/naming.py", "name = 'n1'\n"),
        ("pk/sub.py", "from . import naming\nX = 1\n"),
        ("pk/deep/__init__.py", ""),
        ("pk/deep/leaf.py", "from ..naming import *\nX = name\n"),
    ])
    .await;
    assert_eq!(world.text("/").await, "1 n1 n1");

    let reload = world.save("pk/sub.py", "from . import naming\nX = 2\n").await;
    assert_eq!(reload.ran(), ["pk.sub", "app"]);
    assert_eq!(world.text("/").await, "2 n1 n1");

    let reload = world.save("pk/naming.py", "name = 'n2'\n").await;
    assert!(reload.ran().contains(&"pk.deep.leaf") && reload.ran().contains(&"pk"));
    assert_eq!(world.text("/").await, "2 n2 n2");

    let reload = world.save("pk/__init__.py", "from .naming import name\nname += '!'\n").await;
    assert!(!reload.ran().contains(&"pk.naming"), "{:?}", reload.ran());
    assert_eq!(world.text("/").await, "2 n2! n2");
}

// A package that re-exports a submodule which imports it back reloads without recursion.
#[tokio::test]
async fn a_package_that_reexports_a_module_that_imports_it_back_reloads() {
    let mut world = World::new(&[
        ("app.py", &index("import pk", "pk.f()")),
        ("pk/__init__.py", "BASE = 1\nfrom .sub import f\n"),
        ("pk/sub.py", "import pk\n\ndef f():\n    return pk.BASE + 1\n"),
    ])
    .await;
    world.save("pk/sub.py", "import pk\n\ndef f():\n    return pk.BASE + 2\n").await.ran();
    assert_eq!(world.text("/").await, "3");
}

// A package without `__init__.py` reloads like any other.
#[tokio::test]
async fn a_namespace_package_is_one_too() {
    let mut world =
        World::new(&[("app.py", &index("import ns.part", "ns.part.X")), ("ns/part.py", "X = 1\n")])
            .await;
    assert_eq!(world.save("ns/part.py", "X = 2\n").await.ran(), ["ns.part", "app"]);
    assert_eq!(world.text("/").await, "2");
}

// A conditional import of a missing module is recorded; creating the module runs the importer.
#[tokio::test]
async fn a_module_that_was_wanted_and_missing_is_taken_when_it_comes() {
    let app = index(
        "try:\n    import fast_one as j\nexcept ImportError:\n    import _slow as j\n",
        "j.X",
    );
    let mut world = World::new(&[("app.py", &app), ("_slow.py", "X = 'slow'\n")]).await;
    assert_eq!(world.text("/").await, "slow");

    let reload = world.save("fast_one.py", "X = 'fast'\n").await;

    assert!(reload.ran().contains(&"app"));
    assert_eq!(world.text("/").await, "fast");
}

// An import inside a function is a dependency; one under `TYPE_CHECKING` is not.
#[tokio::test]
async fn an_import_inside_a_function_counts_and_one_for_the_type_checker_does_not() {
    let app = "from typing import TYPE_CHECKING\nfrom snaxum import route\nif TYPE_CHECKING:\n    import _types\n\n@route('/')\ndef index(request):\n    import _late\n    return str(_late.X)\n";
    let mut world = World::new(&[
        ("app.py", app),
        ("user.py", "import _types\n"),
        ("_types.py", "T = int\n"),
        ("_late.py", "X = 1\n"),
    ])
    .await;
    assert_eq!(world.text("/").await, "1");
    assert_eq!(world.save("_types.py", "T = str\n").await.ran(), ["_types", "user"]);
    world.save("_late.py", "X = 2\n").await.ran();
    assert_eq!(world.text("/").await, "2");
}

// A removed import drops the dependency.
#[tokio::test]
async fn a_removed_import_no_longer_causes_a_reload() {
    let mut world = World::new(&[
        ("app.py", &index("import _util", "1")),
        ("other.py", "import _util\n"),
        ("_util.py", "X = 1\n"),
    ])
    .await;
    world.save("app.py", &index("", "2")).await.ran();
    assert_eq!(world.save("_util.py", "X = 2\n").await.ran(), ["_util", "other"]);
}

#[tokio::test]
async fn a_module_without_importers_is_dropped_with_its_routes() {
    let extra =
        "from snaxum import route\n\n@route('/extra')\ndef extra(request):\n    return 'extra'\n";
    let mut world =
        World::new(&[("app.py", &index("import _extra", "1")), ("_extra.py", extra)]).await;
    assert_eq!(world.text("/extra").await, "extra");
    let reload = world.save("app.py", &index("", "2")).await;
    assert_eq!(reload.diff("removed"), ["/extra"]);
    assert_eq!(world.get("/extra").await.status, 404);
}

// A module that lists a directory runs again for a new file there.
#[tokio::test]
async fn a_new_plugin_is_discovered_by_the_module_that_lists_the_directory() {
    let app = index(
        "import importlib, pathlib, pkgutil, plugins\nNAMES = sorted(m.name for m in pkgutil.iter_modules(plugins.__path__))\nFOUND = [importlib.import_module(f'plugins.{n}') for n in NAMES]\n",
        "[m.X for m in FOUND]",
    );
    let mut world =
        World::new(&[("app.py", &app), ("plugins/__init__.py", ""), ("plugins/one.py", "X = 1\n")])
            .await;
    assert_eq!(world.text("/").await, "[1]");

    let reload = world.save("plugins/two.py", "X = 2\n").await;

    assert_eq!(reload.ran(), ["plugins.two", "app"]);
    assert_eq!(world.text("/").await, "[1, 2]");
}

// An edit of the entry module leaves unaffected modules as they are.
#[tokio::test]
async fn an_edit_of_the_entry_module_does_not_run_its_imports() {
    let mut world =
        World::new(&[("app.py", &index("import _leaf", "id(_leaf)")), ("_leaf.py", "")]).await;
    let before = world.text("/").await;
    assert_eq!(world.save("app.py", &index("import _leaf", "id(_leaf) + 0")).await.ran(), ["app"]);
    assert_eq!(world.text("/").await, before);
}

// Modules of the standard library and of site-packages never run again.
#[tokio::test]
async fn libraries_are_never_run_again() {
    let app = |n: u32| index("import colorsys, sys", &format!("[id(colorsys), {n}][0]"));
    let mut world = World::new(&[("app.py", &app(1))]).await;
    let before = world.text("/").await;
    assert_eq!(world.save("app.py", &app(2)).await.ran(), ["app"]);
    assert_eq!(world.text("/").await, before);
}

// A file that is imported under two names is warned of once, and both are updated.
#[tokio::test]
async fn a_file_that_is_loaded_under_two_names_is_warned_of_once_and_follows_under_both() {
    let app = index(
        "import sys, os\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))\nimport tool\nimport lib.tool",
        "[tool.X, lib.tool.X, tool is lib.tool]",
    );
    let mut world =
        World::new(&[("app.py", &app), ("lib/__init__.py", ""), ("lib/tool.py", "X = 1\n")]).await;
    assert_eq!(world.text("/").await, "[1, 1, False]");
    let warning = "`python/lib/tool.py` is loaded as `lib.tool` and as `tool`";
    let output = world.server.out.wait_for(warning).await;
    assert!(output.contains("import it as `lib.tool` everywhere"), "{output}");

    let reload = world.save("lib/tool.py", "X = 2\n").await;

    assert_eq!(reload.ran(), ["tool", "lib.tool", "app"]);
    assert_eq!(reload.0["warnings"], serde_json::json!([]), "it was reported");
    assert_eq!(world.text("/").await, "[2, 2, False]");

    // One of them reaches `app.py` by a third module alone.
    world.save("_other.py", "import lib.tool\n").await.ran_nothing();
    let by = app.replace("import lib.tool", "import _other\nlib = _other.lib");
    world.save("app.py", &by).await.ran();
    world.save("lib/tool.py", "X = 3\n").await.ran();
    assert_eq!(world.text("/").await, "[3, 3, False]");
}

#[tokio::test]
async fn a_file_that_is_loaded_under_two_names_moves_its_lines_and_goes_under_both() {
    let app = index(
        "import sys, os\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), '..'))\nimport _tool\nimport python._tool",
        "[_tool.f(), python._tool.f()]",
    );
    let tool = "import sys\n\ndef f():\n    return sys._getframe().f_lineno\n";
    let mut world = World::new(&[("app.py", &app), ("_tool.py", tool)]).await;
    assert_eq!(world.text("/").await, "[4, 4]");
    world.server.out.wait_for("`python/_tool.py` is loaded as `_tool` and as `python._tool`").await;
    world.save("_tool.py", &format!("\n{tool}")).await.ran_nothing();
    assert_eq!(world.text("/").await, "[5, 5]");
    std::fs::remove_file(world.server.project.path().join("python/_tool.py")).expect("it is there");
    assert!(world.reload().await.failure().contains("_tool"));
    assert_eq!(world.text("/").await, "[5, 5]");
}
