//! Commands that ask a running dev server: `wait` and `explain`. Manual commands have their own file.

use super::support::{Finished, Project, Server, snaxum};

const APP: &str = "import json, pathlib, _util\nfrom snaxum import route\nDATA = json.loads(pathlib.Path(__file__).with_name('data.json').read_text())\n\n@route('/')\ndef index(request):\n    return _util.TEXT\n";

async fn app() -> Server {
    Project::new()
        .file("app.py", APP)
        .file("_util.py", "TEXT = 'one'\n")
        .file("data.json", "{}")
        .file("sub/other.py", "X = 1\n")
        .file("ignored/part.py", "X = 1\n")
        .file("ignored/notes.txt", "")
        .top_file(".gitignore", "ignored/\n")
        .dev()
        .await
}

async fn explain(server: &Server, file: &str) -> String {
    let Finished { code, stdout, stderr } =
        server.project.snaxum(&["explain", &format!("python/{file}")]).await;
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
    stdout
}

#[tokio::test]
async fn wait_returns_when_what_is_saved_is_live_or_rejected() {
    let server = app().await;

    server.edit("_util.py", "TEXT = 'two'\n");
    let live = server.project.snaxum(&["wait"]).await;
    assert_eq!((live.code, &*live.stdout, &*live.stderr), (Some(0), "version 2 is live\n", ""));
    assert_eq!(server.get("/").await.text(), "two");

    server.edit("_util.py", "TEXT = \n");
    let rejected = server.project.snaxum(&["wait", "."]).await;
    assert_eq!((rejected.code, &*rejected.stdout), (Some(1), ""));
    assert!(rejected.stderr.contains("_util.py:1"), "{}", rejected.stderr);
    assert!(rejected.stderr.contains("SyntaxError"), "{}", rejected.stderr);
}

#[tokio::test]
async fn wait_waits_for_a_module_that_takes_its_time() {
    let server = Project::new().gate().file("app.py", "X = 1\n").dev().await;
    server.edit("app.py", "import _gate\n_gate.wait('import')\n");
    let held = server.arrival().await;
    let mut waiting = server.project.command(&snaxum()).arg("wait").spawn().expect("it starts");
    assert!(waiting.try_wait().expect("a child of ours").is_none());
    held.open().await;
    assert!(waiting.wait().await.expect("a child of ours").success());
}

#[tokio::test]
async fn without_a_server_each_command_names_the_command_to_start_one() {
    let project = Project::new().file("app.py", "");
    for command in [
        &["wait"][..],
        &["explain", "python/app.py"],
        &["reload"],
        &["reload", "--full"],
        &["restart"],
        &["pause"],
        &["resume"],
    ] {
        let finished = project.snaxum(command).await;
        assert_eq!(finished.code, Some(2));
        assert!(finished.stderr.contains("snaxum dev"), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn each_command_names_a_broken_dev_json_and_the_remedy() {
    let good = serde_json::json!({ "url": "http://127.0.0.1:9", "token": "t", "pid": 1 });
    for (key, value) in
        [("url", "http://127.0.0.1:9 9"), ("url", "http://10.0.0.1:9"), ("token", "a\nb")]
    {
        let mut announced = good.clone();
        announced[key] = value.into();
        let project = Project::new().file("app.py", "");
        let project = project.top_file(".snaxum/dev.json", &announced.to_string());
        for command in [
            &["tail"][..],
            &["wait"],
            &["explain", "python/app.py"],
            &["reload"],
            &["routes", "--live"],
            &["mcp"],
        ] {
            let finished = project.snaxum(command).await;
            assert_eq!(finished.code, Some(1), "{command:?}: {}", finished.stderr);
            let is_explained = ["dev.json", "remove it", "snaxum dev"];
            let is_explained = is_explained.iter().all(|part| finished.stderr.contains(part));
            assert!(is_explained && !finished.stderr.contains(".rs"), "{}", finished.stderr);
        }
    }
}

#[tokio::test]
async fn explain_lists_the_dependents_and_the_outcome_of_the_last_save() {
    let server = app().await;
    let util = explain(&server, "_util.py").await;
    for part in ["module `_util`", "imported by app", "runs: _util, app", "not saved since"] {
        assert!(util.contains(part), "{part}: {util}");
    }
    let data = explain(&server, "data.json").await;
    assert!(
        data.contains("read by modules while they load: app") && data.contains("runs: app"),
        "{data}"
    );
    server.edit("notes.txt", "");
    assert!(explain(&server, "notes.txt").await.contains("is ignored"));
    // Neither a file that git ignores nor one that no module imports is part of another save.
    server.edit("_util.py", "TEXT = 'first'\n");
    for name in ["ignored/notes.txt", "ignored/part.py", "sub/other.py"] {
        let output = explain(&server, name).await;
        let why = if name.ends_with("txt") { "is ignored" } else { "is not imported" };
        assert!(output.contains(why) && output.contains("not saved since"), "{name}: {output}");
    }
    server.edit("_leaf.py", "X = 1\n");
    let leaf = explain(&server, "_leaf.py").await;
    assert!(leaf.contains("not imported") && leaf.contains("nothing to reload"), "{leaf}");

    server.edit("_util.py", "# A comment.\nTEXT = 'first'\n");
    assert!(explain(&server, "_util.py").await.contains("only comments"));
    server.edit("_util.py", "TEXT = 'two'\n");
    assert!(explain(&server, "_util.py").await.contains("last save: live as version 3"));
    server.edit("_util.py", "TEXT =\n");
    let broken = explain(&server, "_util.py").await;
    assert!(broken.contains("rejected: SyntaxError") && broken.contains("version 3"), "{broken}");
}
