//! Manual commands: `snaxum reload`, `restart`, `pause` and `resume`.

use std::fs;

use serde_json::{Value, json};

use super::super::support::{Finished, Project};
use super::world::{World, index};

/// Runs a command on the project of `world`: exit code and output.
async fn snaxum(world: &World, command: &[&str]) -> (Option<i32>, String) {
    let Finished { code, stdout, stderr } = world.server.project.snaxum(command).await;
    (code, stdout + &stderr)
}

/// Which reloads there have been: cause and outcome, newest first.
async fn reloads(world: &World) -> Vec<[String; 2]> {
    let reloads = world.server.api("reloads").await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = reloads.as_array().expect("a list").iter();
    list.map(|reload| [text(&reload["cause"]), text(&reload["outcome"])]).collect()
}

fn assert_live((code, output): &(Option<i32>, String), expected: &str) {
    assert!(*code == Some(0) && output.starts_with(expected), "{code:?}: {output}");
}

async fn run_id(world: &World) -> String {
    world.status().await["run_id"].as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn a_manual_reload_retries_a_failure_without_a_changed_file() {
    let app = |n: u32| index("", &n.to_string());
    let mut world = World::new(&[("app.py", &app(1))]).await;
    let nothing = (Some(0), "nothing to reload; version 1 is still serving\n".to_owned());
    assert_eq!(snaxum(&world, &["reload"]).await, nothing);
    assert_eq!(reloads(&world).await.len(), 1);

    let mark = world.server.project.path().join("mark");
    let wanting = format!("import os\nassert os.path.exists({mark:?}), 'no mark'\n{}", app(2));
    assert!(world.save("app.py", &wanting).await.failure().contains("no mark"));
    let (code, output) = snaxum(&world, &["reload"]).await;
    assert_eq!(code, Some(1));
    assert!(
        output.contains("version 1 is still serving") && output.contains("no mark"),
        "{output}"
    );

    fs::write(&mark, "").expect("written");
    assert_live(&snaxum(&world, &["reload"]).await, "live as version 2 after");
    assert_eq!(world.text("/").await, "2");
    let expected = [["manual", "ok"], ["manual", "failed"], ["save", "failed"], ["start", "ok"]];
    assert_eq!(reloads(&world).await, expected);
}

#[tokio::test]
async fn a_full_reload_runs_all_modules_even_unchanged_ones() {
    let app = index("import _base", "_base.X");
    let mut world = World::new(&[("app.py", &app), ("_base.py", "X = 1\n")]).await;

    assert_live(&snaxum(&world, &["reload", "--full"]).await, "live as version 2 after");

    let reload = world.reload().await;
    assert_eq!(reload.ran(), ["_base", "app"]);
    assert_eq!((&reload.0["strategy"], &reload.0["cause"]), (&json!("all"), &json!("manual")));
    world.server.out.wait_for("requested manually").await;
    assert_eq!(world.get("/").await.header("x-snaxum-gen"), "2");
    let again = world.save("app.py", &index("import _base", "_base.X + 1")).await;
    assert_eq!(again.ran(), ["app"], "a save after it runs its dependents");
}

#[tokio::test]
async fn saves_during_a_pause_wait_and_are_one_reload_afterwards() {
    let app = index("import _base", "_base.X");
    let world = World::new(&[("app.py", &app), ("_base.py", "X = 1\n")]).await;
    let mut console = world.server.console().await;
    for _ in 0..2 {
        let (code, output) = snaxum(&world, &["pause"]).await;
        assert_eq!(code, Some(0));
        assert!(output.contains("paused") && output.contains("snaxum resume"), "{output}");
    }
    let message = console.next().await;
    assert_eq!((&message["type"], &message["status"]["paused"]), (&json!("status"), &json!(true)));
    world.server.out.wait_for("paused").await;

    world.server.edit("_base.py", "X = 2\n");
    assert_eq!(world.text("/").await, "1", "no request waits for it");
    world.server.edit("app.py", &index("import _base", "_base.X * 10"));
    assert_eq!(world.text("/").await, "1");
    let (code, output) = snaxum(&world, &["wait"]).await;
    assert_eq!(code, Some(1));
    assert!(
        output.contains("reloading is paused") && output.contains("version 1 is still serving"),
        "{output}"
    );

    let (code, output) = snaxum(&world, &["explain", "python/app.py"]).await;
    assert!(code == Some(0) && output.contains("reloading is paused"), "{output}");

    let resumed = snaxum(&world, &["resume"]).await;
    assert_live(&resumed, "reloading is resumed; live as version 2 after");
    assert_eq!(world.text("/").await, "20");
    let message = console.next_of_type("status").await;
    assert_eq!(message["status"]["paused"], false);
    let reload = console.next_of_type("reload.ok").await;
    assert_eq!(reload["reload"]["files"], json!(["python/_base.py", "python/app.py"]));
    assert_eq!(reloads(&world).await, [["save", "ok"], ["start", "ok"]]);
    world.server.out.wait_for("resumed").await;
    let again = snaxum(&world, &["resume"]).await;
    assert_live(&again, "reloading is resumed; nothing to reload; version 2 is still serving\n");
}

#[tokio::test]
async fn a_new_directory_of_a_pause_is_watched_after_it() {
    let app = index("import _late", "_late.value.X");
    let mut world = World::new(&[("app.py", &index("", "0"))]).await;
    snaxum(&world, &["pause"]).await;
    world.server.edit("_late/__init__.py", "from . import value\n");
    world.server.edit("_late/value.py", "X = 1\n");
    world.server.edit("app.py", &app);
    assert_eq!(snaxum(&world, &["resume"]).await.0, Some(0));
    assert_eq!(world.text("/").await, "1");
    world.reload().await;

    assert_eq!(
        world.save("_late/value.py", "X = 2\n").await.ran(),
        ["_late.value", "_late", "app"]
    );
}

#[tokio::test]
async fn a_pause_is_the_same_where_time_stamps_are_watched() {
    let files = [("app.py", index("import _base", "_base.X")), ("_base.py", "X = 1\n".to_owned())];
    let project = files.iter().fold(Project::new(), |p, (name, text)| p.file(name, text));
    let world = World::of(project.env("SNAXUM_WATCH", "poll")).await;
    snaxum(&world, &["pause"]).await;
    world.server.edit("_base.py", "X = 20\n");
    world.server.edit("app.py", &index("import _base", "_base.X * 10"));
    assert_eq!(world.text("/").await, "1");

    assert_eq!(snaxum(&world, &["resume"]).await.0, Some(0));

    assert_eq!(world.text("/").await, "200");
    assert_eq!(reloads(&world).await, [["save", "ok"], ["start", "ok"]]);
}

#[tokio::test]
async fn a_save_before_a_pause_is_live_when_the_pause_begins() {
    let world = World::new(&[("app.py", &index("", "1"))]).await;
    world.server.edit("app.py", &index("", "2"));
    assert_eq!(snaxum(&world, &["pause"]).await.0, Some(0));
    assert_eq!(world.text("/").await, "2");
    assert_eq!(world.status().await["paused"], true);
}

#[tokio::test]
async fn a_manual_reload_during_a_pause_does_not_end_it() {
    let world = World::new(&[("app.py", &index("", "1"))]).await;
    snaxum(&world, &["pause"]).await;
    world.server.edit("app.py", &index("", "2"));

    assert_live(&snaxum(&world, &["reload"]).await, "live as version 2 after");

    assert_eq!(world.text("/").await, "2");
    assert_eq!(world.status().await["paused"], true);
    world.server.edit("app.py", &index("", "3"));
    assert_eq!(world.text("/").await, "2");
    assert_eq!(snaxum(&world, &["resume"]).await.0, Some(0));
    assert_eq!(world.text("/").await, "3");
    let expected = [["save", "ok"], ["manual", "ok"], ["start", "ok"]];
    assert_eq!(reloads(&world).await, expected);
}

#[tokio::test]
async fn a_manual_restart_returns_when_the_new_process_serves() {
    let world = World::new(&[("app.py", &index("", "1"))]).await;
    let (before, announced) = (run_id(&world).await, world.server.announcement());
    snaxum(&world, &["pause"]).await;

    let (code, output) = snaxum(&world, &["restart"]).await;

    let after = run_id(&world).await;
    assert_eq!(
        (code, output),
        (Some(0), format!("version 2 is live in a new process, run {after}\n"))
    );
    assert_ne!(before, after);
    assert_eq!(world.server.announcement(), announced, "same address, same token, same pid");
    assert_eq!(world.text("/").await, "1");
    let status = world.status().await;
    assert_eq!((&status["pid"], &status["paused"]), (&json!(world.server.pid), &json!(true)));
}

#[tokio::test]
async fn a_restart_into_code_that_does_not_load_is_refused_with_the_reason() {
    let mut world = World::new(&[("app.py", &index("", "1"))]).await;
    let before = run_id(&world).await;
    world.save("app.py", "def oops(:\n").await.failure();

    let (code, output) = snaxum(&world, &["restart"]).await;

    assert_eq!(code, Some(1));
    for part in ["restart failed; version 1 is still serving", "app.py", "SyntaxError"] {
        assert!(output.contains(part), "{part}: {output}");
    }
    assert_eq!(run_id(&world).await, before);
    assert_eq!(world.text("/").await, "1");
}

#[tokio::test]
async fn a_manual_reload_that_needs_a_new_process_waits_for_it() {
    let settings = |workers: u32| format!("[tool.snaxum]\npool-workers = {workers}\n");
    let project =
        Project::new().top_file("pyproject.toml", &settings(1)).file("app.py", &index("", "1"));
    let world = World::of(project).await;
    snaxum(&world, &["pause"]).await;
    let path = world.server.project.path().join("pyproject.toml");
    fs::write(path, settings(2)).expect("written");

    let (code, output) = snaxum(&world, &["reload"]).await;

    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("version 2 is live in a new process"), "{output}");
    let status = world.status().await;
    assert_eq!((&status["pool"]["size"], &status["paused"]), (&json!(2), &json!(true)));
}

#[tokio::test]
async fn a_pause_in_which_settings_changed_ends_in_a_new_process() {
    let world = World::new(&[("app.py", &index("", "1"))]).await;
    snaxum(&world, &["pause"]).await;
    let path = world.server.project.path().join("pyproject.toml");
    fs::write(path, "[tool.snaxum]\npool-workers = 2\n").expect("written");
    world.server.edit("app.py", &index("", "2"));

    let (code, output) = snaxum(&world, &["resume"]).await;

    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("version 2 is live in a new process"), "{output}");
    assert_eq!(world.text("/").await, "2");
    let status = world.status().await;
    assert_eq!((&status["pool"]["size"], &status["paused"]), (&json!(2), &json!(false)));
}

#[tokio::test]
async fn a_full_reload_that_a_library_refuses_is_made_by_a_new_process() {
    let project = Project::new();
    let libraries = project.path().join("libraries").to_str().expect("UTF-8").to_owned();
    let once = "SEEN = set()\n\ndef register(name):\n    if name in SEEN:\n        raise ValueError(f'{name} is registered already')\n    SEEN.add(name)\n";
    let app = index("import onlyonce\nonlyonce.register('metric')", "1");
    let project = project.top_file("libraries/onlyonce.py", once).env("PYTHONPATH", &libraries);
    let world = World::of(project.file("app.py", &app)).await;

    let (code, output) = snaxum(&world, &["reload", "--full"]).await;

    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("version 2 is live in a new process"), "{output}");
    assert_eq!(world.text("/").await, "1");
}
