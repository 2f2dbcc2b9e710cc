//! Reloads that need more than the dependents: all modules, or a new process.

use std::fs;

use super::super::support::{Process, Project};
use super::world::{World, index};

/// A project beside a library that takes each name only once in the life of a process.
fn project() -> Project {
    let project = Project::new();
    let libraries = project.path().join("libraries");
    let path = libraries.to_str().expect("UTF-8").to_owned();
    project
        .top_file(
            "libraries/onlyonce.py",
            "SEEN = {}\n\ndef register(name, registry=None):\n    registry = SEEN if registry is None else registry\n    if name in registry:\n        raise ValueError(f'{name} is registered already')\n    registry[name] = True\n",
        )
        .env("PYTHONPATH", &path)
        .gate()
}

// A registry that refuses a second registration is rebuilt with all modules.
#[tokio::test]
async fn a_registry_of_the_user_is_rebuilt_with_all_modules() {
    let app = |n: u32| {
        index("import onlyonce, _base\nonlyonce.register('table', _base.TABLES)", &n.to_string())
    };
    let project = project().file("_base.py", "TABLES = {}\n").file("app.py", &app(1));
    let mut world = World::of(project).await;
    let reload = world.save("app.py", &app(2)).await;
    assert_eq!(reload.ran(), ["_base", "app"]);
    assert_eq!(reload.0["strategy"], "all");
    assert!(reload.0["reason"].as_str().expect("a text").contains("registered already"));
    assert_eq!(world.text("/").await, "2");
}

#[tokio::test]
async fn a_library_that_takes_nothing_twice_gets_a_new_process_on_the_same_socket() {
    let app = |n: u32| index("import onlyonce\nonlyonce.register('metric')", &n.to_string());
    let world = World::of(project().file("app.py", &app(1))).await;
    let before = world.server.announcement().expect("it runs");

    world.server.edit("app.py", &app(2));

    let waited = world.server.project.snaxum(&["wait"]).await;
    assert_eq!(
        (waited.code, &*waited.stdout),
        (Some(0), "version 2 is live\n"),
        "{}",
        waited.stderr
    );
    let reply = world.server.get("/").await;
    assert_eq!(reply.text(), "2");
    assert_eq!(reply.header("x-snaxum-gen"), "2", "it counts on");
    let status = world.server.api("status").await; // the token is the same
    assert_eq!(status["pid"], before["pid"], "the process is replaced in place");
    world.server.out.wait_for("restarting in a new process").await;
    assert_eq!(world.server.announcement().expect("it runs"), before);
}

#[tokio::test]
async fn code_that_no_process_loads_does_not_end_the_serving_process() {
    let app = index("import onlyonce\nonlyonce.register('metric')", "1");
    let mut world = World::of(project().file("app.py", &app)).await;
    let broken = format!("{app}onlyonce.register('metric')\n");
    let reload = world.save("app.py", &broken).await;
    assert!(reload.failure().contains("registered already"));
    let waited = world.server.project.snaxum(&["wait"]).await;
    assert!(waited.stderr.contains("registered already"), "{}", waited.stderr);
    assert_eq!(waited.code, Some(1));
    world.server.out.wait_for("does not load in a new process").await;
    assert_eq!(world.text("/").await, "1");
}

#[tokio::test]
async fn changed_settings_are_taken_by_a_new_process() {
    let settings =
        |workers: u32| format!("[tool.snaxum]\npool-workers = {workers}\n\n[other]\nx = 1\n");
    let project =
        Project::new().top_file("pyproject.toml", &settings(1)).file("app.py", &index("", "1"));
    let world = World::of(project).await;
    let path = world.server.project.path().join("pyproject.toml");
    fs::write(&path, settings(2)).expect("written");
    world.server.out.wait_for("[tool.snaxum] in pyproject.toml changed").await;
    world.until("/__snaxum/api/status", |text| text.contains("\"size\":2")).await;
}

#[tokio::test]
async fn files_that_a_module_made_inheritable_end_with_the_process() {
    // The child ends with the other end of its pipe, as the resource tracker of loky does.
    let pipe = "\
import os, subprocess, sys
READ, WRITE = os.pipe()
os.set_inheritable(WRITE, True)
CHILD = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=READ)
";
    let app = index(pipe, "CHILD.pid");
    let project = Project::new().top_file("pyproject.toml", "").file("app.py", &app);
    let world = World::of(project).await;
    let first = world.text("/").await;
    let child = Process::of(first.parse().expect("a number"));
    let settings = world.server.project.path().join("pyproject.toml");

    fs::write(settings, "[tool.snaxum]\npool-workers = 1\n").expect("written");

    world.until("/", |text| text != first).await;
    child.is_gone().await;
}

#[tokio::test]
async fn environment_variables_set_by_modules_end_with_the_process() {
    let sets =
        index("import os\nseen = os.environ.get('MADE')\nos.environ['MADE'] = 'manually'", "seen");
    let project = Project::new().top_file("pyproject.toml", "[tool.snaxum]\npool-workers = 1\n");
    let world = World::of(project.file("app.py", &sets)).await;
    assert_eq!(world.text("/").await, "None");
    let path = world.server.project.path().join("pyproject.toml");
    fs::write(&path, "[tool.snaxum]\npool-workers = 2\n").expect("written");
    world.until("/__snaxum/api/status", |text| text.contains("\"size\":2")).await;
    assert_eq!(world.text("/").await, "None");
}
