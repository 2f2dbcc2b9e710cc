//! Files that are not code.

use super::super::support::Project;
use super::world::{World, index};

const READS: &str = "import json, pathlib\nCONFIG = json.loads(pathlib.Path(__file__).with_name('config.json').read_text())\n";

// A data file that is read at import runs its reader again; a broken one is named, and the last
// good code serves.
#[tokio::test]
async fn a_file_that_is_read_at_import_is_an_input_of_its_reader() {
    let project = Project::new()
        .file("config.json", "{\"x\": 1}")
        .file("_config.py", READS)
        .file("app.py", &index("import _config", "_config.CONFIG['x']"))
        .file("other.py", "");
    let mut world = World::of(project).await;
    assert_eq!(world.text("/").await, "1");

    let reload = world.save("config.json", "{\"x\": 2}").await;
    assert_eq!(reload.ran(), ["_config", "app"]);
    assert_eq!(world.text("/").await, "2");

    world.save("config.json", "{\"x\": ").await.failure();
    assert_eq!(world.text("/").await, "2");
    world.save("config.json", "{\"x\": 3}").await.ran();
    assert_eq!(world.text("/").await, "3");
}

// Code that Python's own loaders run, and data that they read, are inputs as well.
#[tokio::test]
async fn files_that_loaders_of_python_read_are_inputs_of_their_reader() {
    let reads = "import importlib.util, pathlib, pkgutil, runpy\nHERE = pathlib.Path(__file__).parent\nRUN = runpy.run_path(str(HERE / 'scripts/run.py'))\nSPEC = importlib.util.spec_from_file_location('made', HERE / 'scripts/made.py')\nMADE = importlib.util.module_from_spec(SPEC)\nSPEC.loader.exec_module(MADE)\nDATA = pkgutil.get_data(__name__, 'data.txt').decode()\n";
    let project = Project::new()
        .file("scripts/run.py", "X = 1\n")
        .file("scripts/made.py", "X = 1\n")
        .file("data.txt", "1")
        .file("_reads.py", reads)
        .file("app.py", &index("import _reads", "[_reads.RUN['X'], _reads.MADE.X, _reads.DATA]"));
    let mut world = World::of(project).await;
    for (path, text, seen) in [
        ("scripts/run.py", "X = 2\n", "[2, 1, '1']"),
        // The size changes, too: Python's own cache of the module would be used otherwise.
        ("scripts/made.py", "X = 30\n", "[2, 30, '1']"),
        ("data.txt", "4", "[2, 30, '4']"),
    ] {
        assert_eq!(world.save(path, text).await.ran(), ["_reads", "app"], "{path}");
        assert_eq!(world.text("/").await, seen);
    }
}

// A template that is read at request time is fresh, and a file that the app writes never causes a
// reload.
#[tokio::test]
async fn files_that_handlers_read_and_write_cause_no_reload() {
    let app = |n: u32| {
        format!(
            "import pathlib\nfrom snaxum import route\nFILE = pathlib.Path(__file__).with_name('notes.txt')\n\n@route('/write')\ndef write(request):\n    FILE.write_text('note')\n    return FILE.read_text() + '{n}'\n"
        )
    };
    let mut world = World::new(&[("app.py", &app(1))]).await;
    assert_eq!(world.text("/write").await, "note1");
    assert_eq!(world.save("app.py", &app(2)).await.ran(), ["app"]);
    let reloads = world.server.api("reloads").await;
    assert_eq!(reloads.as_array().expect("a list").len(), 2, "{reloads:#}");
}

// An edit of `.env` changes the environment of all modules, and shows no value.
#[tokio::test]
async fn a_saved_env_file_applies_to_all_modules_and_the_pool() {
    let app = "import os\nfrom snaxum import route\nMODE = os.environ.get('MODE')\n\n@route('/')\ndef index(request):\n    return [MODE, os.environ.get('URL'), os.environ.get('GIVEN')]\n\ndef seen():\n    return [os.environ.get('MODE'), os.environ.get('URL')]\n\n@route('/pool', use_process_pool=True)\ndef pooled(request, process_pool):\n    return process_pool.submit(seen).result()\n";
    let project = Project::new()
        .env("GIVEN", "outside")
        .top_file(".env", "MODE=one\nURL=http://${MODE}\nGIVEN=inside\n")
        .file("app.py", app)
        .file("other.py", "");
    let mut world = World::of(project).await;
    assert_eq!(world.text("/").await, r#"["one","http://one","outside"]"#);
    assert_eq!(world.text("/pool").await, r#"["one","http://one"]"#);

    let reload = world.save("../.env", "MODE=two # other\nURL=http://${MODE}\n").await;
    assert_eq!(reload.ran(), ["app", "other"]);
    assert_eq!(reload.0["strategy"], "all");
    assert_eq!(reload.0["reason"], ".env changed: MODE, URL");
    assert_eq!(world.text("/").await, r#"["two","http://two","outside"]"#);
    assert_eq!(world.text("/pool").await, r#"["two","http://two"]"#);

    assert_eq!(world.save("../.env", "MODE=two\n").await.0["reason"], ".env changed: URL");
    assert_eq!(world.text("/").await, r#"["two",null,"outside"]"#);
    assert_eq!(world.text("/pool").await, r#"["two",null]"#);
}

// An edit of `.env` changes the environment of all modules, and shows no value.
#[tokio::test]
async fn a_bad_line_of_an_env_file_is_a_warning_and_a_rejected_file_sets_nothing() {
    let mut world = World::new(&[("app.py", &index("import os", "os.environ.get('MODE')"))]).await;
    assert_eq!(world.text("/").await, "None");
    world.save("../.env", "MODE=one\n").await.ran();
    assert_eq!(world.text("/").await, "one");

    let reload = world.save("../.env", "MODE=one\nhunter2 is it\n").await;
    assert_eq!(reload.0["reason"], ".env changed");
    assert!(reload.0["warnings"][0].as_str().expect("a text").starts_with(".env:2 is not NAME="));
    assert!(!reload.0.to_string().contains("hunter2"), "{:#}", reload.0);
    assert_eq!(world.text("/").await, "one");

    // The code does not load with the new variables: they are not set.
    world.save("../.env", "MODE=one\n# mended\n").await.ran();
    let rejects = "import os\nassert os.environ['MODE'] != 'two'";
    world.save("app.py", &index(rejects, "os.environ.get('MODE')")).await.ran();
    world.save("../.env", "MODE=two\n").await.failure();
    assert_eq!(world.text("/").await, "one");
    let reload = world.save("app.py", &index("import os", "os.environ.get('MODE')")).await;
    assert_eq!(reload.ran(), ["app"]);
    assert_eq!(world.text("/").await, "two");
}

// An editable install outside the python dir is watched if `watch` names it.
#[tokio::test]
async fn modules_of_a_watched_directory_are_the_users_too() {
    let lib = |n: u32| format!("from .part import NAME\nN = {n}\n");
    let project = Project::new()
        .top_file("lib/src/lib/__init__.py", &lib(1))
        .top_file("lib/src/lib/part.py", "NAME = 'a'\n")
        .file("app.py", &index("import lib", "[lib.N, lib.NAME]"));
    let libraries = project.path().join("lib/src").display().to_string();
    let project = project.env("PYTHONPATH", &libraries).args(&["--watch", "lib"]);
    let mut world = World::of(project).await;
    assert_eq!(world.text("/").await, "[1, 'a']");

    assert_eq!(world.save("../lib/src/lib/__init__.py", &lib(2)).await.ran(), ["lib", "app"]);
    assert_eq!(world.text("/").await, "[2, 'a']");
    let reload = world.save("../lib/src/lib/part.py", "NAME = 'b'\n").await;
    assert_eq!(reload.ran(), ["lib.part", "lib", "app"]);
    assert_eq!(world.text("/").await, "[2, 'b']");

    world.save("../lib/src/lib/__init__.py", "from .more import N\nNAME = ''\n").await.failure();
    world.save("../lib/src/lib/more.py", "N = 3\n").await.ran();
    assert_eq!(world.text("/").await, "[3, '']");
}

// A file that user code loads by its path is read, and never its `.pyc`, which fits any text of the same size
// and second.
#[tokio::test]
async fn a_file_that_is_loaded_by_its_path_is_never_older_than_the_save() {
    let load = "import importlib.util, pathlib\n\
                path = pathlib.Path(__file__).parent / 'plugins' / 'one.py'\n\
                spec = importlib.util.spec_from_file_location('one', path)\n\
                plugin = importlib.util.module_from_spec(spec)\n\
                spec.loader.exec_module(plugin)";
    let app = index(load, "plugin.X");
    let mut world = World::new(&[("app.py", &app), ("plugins/one.py", "X = 1\n")]).await;
    let path = world.server.python("plugins/one.py");
    for version in 2..5 {
        let time = std::fs::metadata(&path).expect("a file").modified().expect("a time");
        // Written aside with the old time, and renamed: no reload reads it with another one.
        let aside = world.server.project.path().join("one.new");
        std::fs::write(&aside, format!("X = {version}\n")).expect("a file");
        let file = std::fs::File::options().write(true).open(&aside).expect("a file");
        file.set_modified(time).expect("a file of ours");
        std::fs::rename(aside, &path).expect("renamed");
        world.reload().await;
        assert_eq!(world.text("/").await, version.to_string());
    }
}
