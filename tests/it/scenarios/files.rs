//! Files that appear, disappear and move.

use std::fs;

use serde_json::json;

use super::world::{Reload, World, index};

// A new file is loaded and its routes appear; a deleted one ends, and its module is freed.
#[tokio::test]
async fn a_new_module_loads_by_itself_and_a_deleted_one_ends() {
    let extra = "import atexit, snaxum\nfrom snaxum import route\n\n@route('/extra')\ndef extra(request):\n    return 'extra'\n\n@snaxum.on_unload\ndef bye():\n    print('extra is unloaded')\n";
    let mut world = World::new(&[("app.py", &index("", "1"))]).await;
    assert_eq!(world.save("extra.py", extra).await.ran(), ["extra"]);
    assert_eq!(world.text("/extra").await, "extra");

    fs::remove_file(world.server.python("extra.py")).expect("removed");
    let reload = world.reload().await;

    assert_eq!((reload.ran(), reload.diff("removed")), (vec![], vec!["/extra"]));
    assert_eq!(world.get("/extra").await.status, 404);
    world.server.out.wait_for("extra is unloaded").await;
}

// A missing module that is created later is retried by its importers at once.
#[tokio::test]
async fn a_missing_module_that_is_added_later_fixes_its_importers() {
    let mut world = World::new(&[("app.py", &index("", "1"))]).await;
    let failure = world.save("app.py", &index("import _coming", "_coming.X")).await;
    assert!(failure.failure().contains("_coming"));
    assert_eq!(world.save("_coming.py", "X = 'came'\n").await.ran(), ["_coming", "app"]);
    assert_eq!(world.text("/").await, "came");
}

// Deleting a file that is still imported is rejected, and the error names the importer.
#[tokio::test]
async fn deleting_an_imported_module_is_rejected_and_names_its_importer() {
    let mut world =
        World::new(&[("h1.py", &index("\nimport _util", "_util.X")), ("_util.py", "X = 1\n")])
            .await;
    fs::remove_file(world.server.python("_util.py")).expect("removed");
    let reload = world.reload().await;
    reload.failure();
    let text = reload.0["traceback"].to_string();
    assert!(text.contains("deleted") && text.contains("h1.py"), "{text}");
    assert_eq!(world.text("/").await, "1");
    assert_eq!(world.status().await["state"], "failing");
    // A file that is restored within the same save counts as modified.
    world.save("_util.py", "X = 1\n").await.ran_nothing();
    assert_eq!(world.status().await["state"], "ok");
}

// A rename with a fixed importer is one generation, and the old name is gone.
#[tokio::test]
async fn a_rename_with_its_importer_is_one_generation_and_the_old_name_is_gone() {
    let app = |name: &str| {
        index(&format!("import sys, {name}"), &format!("[{name}.X, 'old' in sys.modules]"))
    };
    let mut world = World::new(&[("app.py", &app("old")), ("old.py", "X = 1\n")]).await;
    fs::rename(world.server.python("old.py"), world.server.python("new.py")).expect("renamed");
    world.server.edit("app.py", &app("new"));
    let mut last = world.reload().await;
    if last.0["outcome"] == "failed" {
        last = world.reload().await; // the rename was seen before the edit
    }
    assert_eq!(last.0["generation"], 2);
    assert_eq!(world.text("/").await, "[1, False]");
}

// A save has the files that were saved, whatever else no module imports.
#[tokio::test]
async fn a_save_lists_only_the_files_that_were_saved() {
    let mut world = World::new(&[
        ("app.py", &index("", "1")),
        ("sub/other.py", "X = 1\n"),
        ("pkg/__init__.py", ""),
        ("pkg/unused.py", "X = 1\n"),
    ])
    .await;
    let files = |reload: Reload| reload.0["files"].clone();

    let first = world.save("app.py", &index("", "2")).await;
    assert_eq!(files(first), json!(["python/app.py"]));
    world.server.out.wait_for("python/app.py").await;
    assert!(!world.server.out.text().contains("app.py +"), "{}", world.server.out.text());

    let unused = world.save("sub/other.py", "X = 2\n").await;
    assert_eq!(files(unused), json!(["python/sub/other.py"]));
    let second = world.save("app.py", &index("", "3")).await;
    assert_eq!(files(second), json!(["python/app.py"]));

    // A rejected file stays a part of the change until it loads.
    world.save("app.py", "def oops(:\n").await.failure();
    world.save("pkg/unused.py", "X = 3\n").await;
    let mended = world.save("app.py", &index("import pkg.unused", "pkg.unused.X")).await;
    assert_eq!(files(mended), json!(["python/app.py", "python/pkg/unused.py"]));
    assert_eq!(world.text("/").await, "3");
}

// A package replaces a module of its name.
#[tokio::test]
async fn a_module_that_becomes_a_package_is_the_package() {
    let mut world =
        World::new(&[("app.py", &index("import util", "util.X")), ("util.py", "X = 1\n")]).await;
    let reload = world.save("util/__init__.py", "X = 2\n").await;
    assert_eq!(reload.ran(), ["util", "app"]);
    assert_eq!(world.text("/").await, "2");
}

// A renamed or deleted directory is each of its files.
#[tokio::test]
async fn a_directory_takes_its_modules_with_it() {
    let part =
        "from snaxum import route\n\n@route('/part')\ndef part(request):\n    return 'part'\n";
    let mut world = World::new(&[
        ("app.py", &index("", "1")),
        ("pk/__init__.py", "from . import part\n"),
        ("pk/part.py", part),
    ])
    .await;
    fs::rename(world.server.python("pk"), world.server.python("qk")).expect("renamed");
    let reload = world.reload().await;
    assert_eq!(reload.ran(), ["qk.part", "qk"]);
    assert_eq!(reload.diff("changed"), ["/part"]);
    fs::remove_dir_all(world.server.python("qk")).expect("removed");
    while world.get("/part").await.status != 404 {
        world.reload().await;
    }
}
