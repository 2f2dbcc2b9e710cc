//! The watched tree: links, directories, ignored files, and polling.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::support::{Project, Server, app_returning, send};
use super::watch::{app, assert_nothing_reloaded, assert_reloads};

#[tokio::test]
async fn links_out_of_the_tree_are_followed_once_and_never_upwards() {
    let source = "from snaxum import route\nfrom outside import mod\n\n@route('/')\n\
                  def index(request):\n    return mod.TEXT\n";
    let project = Project::new()
        .file("app.py", source)
        .file("pkg/__init__.py", "")
        .top_file("outside/mod.py", "TEXT = 'one'\n")
        .top_file("outside/deep/more.py", "");
    let python = project.path().join("python");
    for (target, name) in [
        ("/", "root"),
        ("..", "up"),
        ("../..", "pkg/up"),
        ("../outside", "outside"),
        ("../python", "outside_in"),
        ("/nowhere/at/all", "nowhere"),
        ("/nowhere/at/all.py", "_nowhere.py"),
    ] {
        symlink(target, python.join(name)).expect("a link");
    }
    symlink("../python", project.path().join("outside/back")).expect("a link");
    let server = project.dev().await;
    let mut console = server.console().await;
    // The python directory, its parent, the package, and the two outside.
    assert_eq!(watches(&server), 5);

    for n in 1..=3 {
        server.edit("../outside/mod.py", &format!("TEXT = 'edit {n}'\n"));
        console.next_of_type("reload.ok").await;
        assert_eq!(server.get("/").await.text(), format!("edit {n}"));
        assert_reloads(&server, n).await;
    }
    let body = serde_json::json!({});
    let response = server.request(reqwest::Method::POST, "/__snaxum/api/reload").json(&body);
    let response = send(response.bearer_auth(&server.token).header("x-snaxum", "1")).await;
    assert_eq!(response.status, 200);
    let files = response.json()["reload"]["files"].to_string();
    assert!(!files.contains("/root/") && !files.contains("/up/"), "{files}");
    assert_eq!(watches(&server), 5);
}

#[tokio::test]
async fn a_save_in_a_directory_with_two_names_reloads_both() {
    let source = "from snaxum import route\nimport a.mod, b.mod\n\n\
        @route('/')\ndef index(request):\n    return a.mod.TEXT + b.mod.TEXT\n";
    let project =
        Project::new().file("app.py", source).top_file("shared/mod.py", "TEXT = 'one '\n");
    for name in ["a", "b"] {
        symlink("../shared", project.path().join("python").join(name)).expect("a link");
    }
    let server = project.dev().await;
    let mut console = server.console().await;
    assert_eq!(server.get("/").await.text(), "one one ");

    server.edit("../shared/mod.py", "TEXT = 'two '\n");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "two two ");
}

#[tokio::test]
async fn a_directory_that_is_renamed_or_removed_takes_its_routes_along() {
    let server = Project::new()
        .file("app.py", &app_returning("one"))
        .file("shop/__init__.py", &app_returning("shop").replace("'/'", "'/shop'"))
        .dev()
        .await;
    let mut console = server.console().await;

    fs::rename(server.python("shop"), server.python("store")).expect("a move");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/shop").await.text(), "shop");

    server.edit("store/__init__.py", &app_returning("store").replace("'/'", "'/store'"));
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/store").await.text(), "store");

    fs::remove_dir_all(server.python("store")).expect("it is there");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/store").await.status, 404);
}

#[tokio::test]
async fn a_link_that_points_elsewhere_now_is_a_change_and_its_target_is_watched() {
    let project = Project::new()
        .file("app.py", "from snaxum import route\nimport current\nfrom linked import LINKED\n\n@route('/')\ndef index(request):\n    return current.TEXT + LINKED\n")
        .top_file("v1/__init__.py", "TEXT = 'one '\n")
        .top_file("v2/__init__.py", "TEXT = 'two '\n")
        .top_file("shared/linked.py", "LINKED = 'here'\n");
    let python = project.path().join("python");
    symlink("../v1", python.join("current")).expect("a link");
    symlink("../shared/linked.py", python.join("linked.py")).expect("a link");
    symlink("..", python.join("circle")).expect("a link");
    let server = project.dev().await;
    let mut console = server.console().await;
    assert_eq!(server.get("/").await.text(), "one here");

    symlink("../v2", server.python("next")).expect("a link");
    fs::rename(server.python("next"), server.python("current")).expect("a move");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "two here");

    server.edit("../v2/__init__.py", "TEXT = 'three '\n");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "three here");

    server.edit("../shared/linked.py", "LINKED = 'there'\n");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "three there");
}

#[tokio::test]
async fn ignored_files_are_neither_watched_nor_changes() {
    let server = Project::new()
        .file("app.py", &app_returning("one"))
        .file("pkg/__init__.py", "")
        .file("pkg/__pycache__/deep/x.py", "")
        .file("node_modules/deep/x.py", "")
        .file(".hidden/deep/x.py", "")
        .file("env/pyvenv.cfg", "")
        .file("env/lib/x.py", "")
        .file("built/deep/x.py", "")
        .top_file(".gitignore", "built/\n")
        .dev()
        .await;
    let mut console = server.console().await;

    // The python directory, its parent, and the package.
    assert_eq!(watches(&server), 3);
    for name in [
        "pkg/__pycache__/deep/x.py",
        "node_modules/deep/x.py",
        ".hidden/deep/x.py",
        "env/lib/x.py",
        "built/deep/x.py",
        "built/new/x.py",
        ".new/x.py",
        "notes.txt",
    ] {
        server.edit(name, "def oops(:");
    }
    assert_nothing_reloaded(&server, &mut console).await;
    assert_eq!(watches(&server), 3);

    server.edit("../.gitignore", "");
    server.edit("app.py", &app_returning("marked again"));
    console.next_of_type("reload.ok").await;
    assert_eq!(watches(&server), 6, "built, and two below it");
}

#[tokio::test]
async fn an_overflow_of_the_kernel_queue_is_one_full_scan() {
    let (server, mut console) = app().await;
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("a limit");
    let limit: usize = limit.trim().parse().expect("a number");
    server.edit("app.py", &app_returning("settled"));
    console.next_of_type("reload.ok").await;

    server.suspend();
    let noise = server.python("noise.txt");
    for _ in 0..=limit / 3 {
        fs::write(&noise, "").expect("a file");
        fs::remove_file(&noise).expect("it is there");
    }
    server.edit("app.py", &app_returning("two"));
    server.edit("unheard/__init__.py", &app_returning("unheard").replace("'/'", "'/unheard'"));
    server.resume();
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.text(), "two");
    assert_eq!(server.get("/unheard").await.text(), "unheard");
    assert_reloads(&server, 2).await;
    server.edit("unheard/__init__.py", &app_returning("heard").replace("'/'", "'/unheard'"));
    assert_eq!(server.get("/unheard").await.text(), "heard");
}

#[tokio::test]
async fn without_kernel_events_time_stamps_are_polled() {
    let server = Project::new()
        .file("app.py", &app_returning("one"))
        .env("SNAXUM_WATCH", "poll")
        .args(&["--reload-wait", "1h"])
        .dev()
        .await;
    let mut console = server.console().await;
    assert_eq!(watches(&server), 0);

    for n in 10..30 {
        server.edit("app.py", &app_returning(&format!("{n}")));
        assert_eq!(server.get("/").await.text(), format!("{n}"), "a request sees a save at once");
        console.next_of_type("reload.ok").await;
    }
    server.edit("shop/__init__.py", &app_returning("shop").replace("'/'", "'/shop'"));
    console.next_of_type("reload.ok").await; // by itself
    assert_eq!(server.get("/shop").await.text(), "shop");
    fs::remove_dir_all(server.python("shop")).expect("it is there");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/shop").await.status, 404);
    assert_reloads(&server, 22).await;
}

#[tokio::test]
async fn an_unknown_way_to_watch_is_named_and_the_known_ones_too() {
    let server =
        Project::new().file("app.py", &app_returning("one")).env("SNAXUM_WATCH", "pol").dev().await;
    let line = server.err.wait_for("SNAXUM_WATCH").await;
    assert!(line.contains("is `pol`; use `auto` or `poll`"), "{line}");
}

#[tokio::test]
async fn an_idle_server_does_not_poll() {
    let (server, mut console) = app().await;
    server.edit("app.py", &app_returning("two"));
    console.next_of_type("reload.ok").await;
    let before = wakeups(&server);
    // That nothing happens takes time to see: three polls, if it polled.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let wakeups = wakeups(&server) - before;
    assert!(wakeups <= 1, "{wakeups}: it falls asleep once");
}

#[tokio::test]
async fn a_request_waits_for_a_reload_at_most_as_long_as_reload_wait() {
    for (wait, text) in [("1h", "two"), ("0", "one")] {
        let server = Project::new()
            .gate()
            .file("app.py", &app_returning("one"))
            .args(&["--reload-wait", wait])
            .dev()
            .await;
        let mut console = server.console().await;
        server.edit("app.py", &format!("import _gate\n_gate.wait('x')\n{}", app_returning("two")));
        let held = server.arrival().await;
        let early = server.begin("/");
        if text == "one" {
            assert_eq!(early.await.expect("a response").text(), "one", "it waits for nothing");
            held.open().await;
        } else {
            held.open().await;
            assert_eq!(early.await.expect("a response").text(), "two", "it waits for the reload");
        }
        console.next_of_type("reload.ok").await;
        assert_eq!(server.get("/").await.text(), "two");
    }
}

/// How many directories the server has the kernel watch.
fn watches(server: &Server) -> usize {
    let infos = fs::read_dir(format!("/proc/{}/fdinfo", server.python_pid())).expect("it runs");
    let texts = infos.filter_map(|info| fs::read_to_string(info.ok()?.path()).ok());
    texts.map(|text| text.lines().filter(|line| line.starts_with("inotify ")).count()).sum()
}

/// How often the reloader's thread has gone to sleep.
fn wakeups(server: &Server) -> u32 {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.python_pid())).expect("it runs");
    let texts = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    let status = texts.into_iter().find(|text| text.starts_with("Name:\treloader"));
    let status = status.expect("there is such a thread");
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.expect("the kernel counts").trim().parse().expect("a number")
}
