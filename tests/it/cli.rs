//! The command line: its output, its exit codes, its errors for bad input.

use serde_json::{Value, json};

use super::support::Project;

pub(crate) const APP: &str = r#"
from snaxum import route

@route("/users/<int:user_id>", methods=["GET", "DELETE"])
def user(request):
    """One user."""

@route("/slow")
async def slow(request): ...

@route("/pool", use_process_pool=True)
def pool(request, pool): ...
"#;

pub(crate) fn app() -> Project {
    Project::new().file("app.py", APP)
}

// Valid input

#[tokio::test]
async fn routes_lists_the_routes_as_a_table() {
    let finished = app().snaxum(&["routes"]).await;

    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""));
    insta::assert_snapshot!(finished.stdout, @r"
    METHOD      PATH                  HANDLER   MODE          SOURCE
    DELETE,GET  /users/<int:user_id>  app.user  in-thread     python/app.py:4
    GET         /slow                 app.slow  async         python/app.py:8
    GET         /pool                 app.pool  process pool  python/app.py:11

    3 routes
    ");
}

#[tokio::test]
async fn routes_as_json_is_nothing_but_json_whatever_modules_print() {
    let project =
        app().file("noisy.py", "print('loading!')\nimport sys\nprint('hm', file=sys.stderr)\n");

    let finished = project.snaxum(&["routes", "--format", "json"]).await;

    assert_eq!(finished.code, Some(0));
    let routes: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.stdout));
    let user = &routes
        .as_array()
        .expect("a list")
        .iter()
        .find(|route| route["handler"] == "app.user")
        .expect("it is there");
    for (key, value) in [
        ("path", json!("/users/<int:user_id>")),
        ("pattern", json!("/users/{user_id}")),
        ("params", json!([{"name": "user_id", "type": "int"}])),
        ("module", json!("app")),
        ("file", json!("python/app.py")),
        ("line", json!(4)),
        ("doc", json!("One user.")),
        ("pool", json!(false)),
        ("async", json!(false)),
        ("mode", json!("in-thread")),
    ] {
        assert_eq!(user[key], value, "{key}");
    }
    let mut methods: Vec<&str> =
        user["methods"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["DELETE", "GET"]);
}

#[tokio::test]
async fn routes_as_markdown_is_a_table_too() {
    let finished = app().snaxum(&["routes", "--format", "md"]).await;

    assert_eq!(finished.code, Some(0));
    assert!(finished.stdout.starts_with("| METHOD | PATH |"), "{}", finished.stdout);
    assert_eq!(finished.stdout.lines().count(), 5);
}

#[tokio::test]
async fn routes_of_a_project_with_a_broken_module_lists_the_others_and_ends_with_1() {
    let finished = app().file("bad.py", "def oops(:").snaxum(&["routes"]).await;

    assert_eq!(finished.code, Some(1));
    assert!(finished.stdout.contains("/users/<int:user_id>") && !finished.stdout.contains("oops"));
    assert!(finished.stderr.contains("python/bad.py:1"), "{}", finished.stderr);
}

#[tokio::test]
async fn check_is_0_when_everything_loads_and_1_with_every_problem_when_not() {
    let good = app().snaxum(&["check"]).await;
    let bad = app()
        .file("one.py", "def oops(:")
        .file("two.py", "import module_that_is_not_there")
        .file("three.py", "import sys\nsys.exit(0)")
        .file("four.py", "from snaxum import route\n\n@route('/slow')\ndef slow(request): ...\n")
        .snaxum(&["check"])
        .await;

    assert_eq!((good.code, &*good.stderr), (Some(0), ""));
    assert!(
        good.stdout.contains("3 routes") && good.stdout.contains("0 problems"),
        "{}",
        good.stdout
    );
    assert_eq!(bad.code, Some(1));
    for part in [
        "python/one.py:1",
        "python/two.py:1",
        "python/three.py:2",
        "python/four.py:3",
        "SyntaxError",
        "module_that_is_not_there",
        "SystemExit",
        "two handlers for GET /slow",
    ] {
        assert!(bad.stderr.contains(part), "{part} is not in {}", bad.stderr);
    }
    assert!(bad.stdout.contains("4 problems"), "{}", bad.stdout);
}

#[tokio::test]
async fn check_and_dev_show_routes_that_are_probably_mistakes() {
    let source = "from snaxum import route\n\n@route('/user/<username>')\ndef profile(user):\n    \
                  return 'x'\n";
    let warning = "route `/user/<username>` at python/app.py:3: `user` gets the request";
    let project = Project::new().file("app.py", source);

    let checked = project.snaxum(&["check"]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stderr.contains(warning), "{}", checked.stderr);

    let server = project.dev().await;
    server.out.wait_for(warning).await;
}

#[tokio::test]
async fn the_directory_may_be_named_or_be_the_one_we_are_in() {
    let project = app();
    let named = Project::new().snaxum(&["check", project.path().to_str().expect("UTF-8")]).await;
    let here = project.snaxum(&["check"]).await;
    let relative = project.snaxum(&["check", "./python/.."]).await;

    assert_eq!((named.code, here.code, relative.code), (Some(0), Some(0), Some(0)));
}

#[tokio::test]
async fn a_flag_beats_the_environment_and_that_beats_pyproject() {
    let project = |name: &str| {
        Project::new()
            .file("a.py", "from snaxum import route\n@route('/a')\ndef a(request): ...\n")
            .file("b.py", "from snaxum import route\n@route('/b')\ndef b(request): ...\n")
            .file("c.py", "from snaxum import route\n@route('/c')\ndef c(request): ...\n")
            .top_file("pyproject.toml", &format!("[tool.snaxum]\nmodule = '{name}'\n"))
    };
    let paths = async |project: Project, args: &[&str]| {
        let finished = project.snaxum(&[&["routes", "--format", "json"], args].concat()).await;
        let routes: Value = serde_json::from_str(&finished.stdout).expect("JSON");
        routes
            .as_array()
            .expect("a list")
            .iter()
            .map(|route| route["path"].to_string())
            .collect::<String>()
    };

    assert_eq!(paths(project("a"), &[]).await, r#""/a""#);
    assert_eq!(paths(project("a").env("SNAXUM_MODULE", "b"), &[]).await, r#""/b""#);
    assert_eq!(paths(project("a").env("SNAXUM_MODULE", "b"), &["--module", "c"]).await, r#""/c""#);
    assert_eq!(paths(project("a").env("SNAXUM_MODULE", "b,c"), &[]).await, r#""/b""/c""#);
}

#[tokio::test]
async fn the_python_directory_may_have_another_name() {
    let finished = Project::new()
        .top_file("backend/app.py", APP)
        .top_file("pyproject.toml", "[tool.snaxum]\npython-dir = 'backend'\n")
        .snaxum(&["check"])
        .await;

    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[tokio::test]
async fn port_0_takes_a_free_port_and_prints_it() {
    let server = app().serve().await;

    assert!(
        server.url.starts_with("http://127.0.0.1:") && !server.url.ends_with(":0"),
        "{}",
        server.url
    );
    assert_eq!(server.get("/slow").await.status, 204);
}

#[tokio::test]
async fn help_names_every_command_and_every_option() {
    let project = Project::new();
    let help = project.snaxum(&["--help"]).await;
    assert_eq!((help.code, &*help.stderr), (Some(0), ""));
    for command in ["dev", "serve", "routes", "check"] {
        assert!(help.stdout.contains(&format!("\n  {command}")), "{command}: {}", help.stdout);
        let of_command = project.snaxum(&[command, "--help"]).await;
        assert_eq!(of_command.code, Some(0));
        for option in [
            "--host",
            "--port",
            "--python-dir",
            "--module",
            "--pool-workers",
            "--dispatch-workers",
            "--request-timeout",
            "--max-body-size",
            "--max-queue",
            "--max-stuck",
        ] {
            assert!(of_command.stdout.contains(option), "{command} {option}");
        }
    }
    for command in ["sync", "wait", "explain", "reload", "restart", "pause", "resume"] {
        assert!(help.stdout.contains(&format!("\n  {command}")), "{command}: {}", help.stdout);
    }
    let version = project.snaxum(&["--version"]).await;
    assert_eq!(version.stdout, format!("snaxum {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn color_is_for_terminals_and_on_request() {
    let escapes = async |project: Project, args: &[&str]| {
        let finished = project.snaxum(&[&["routes"], args].concat()).await;
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        finished.stdout.contains('\x1b')
    };
    assert!(!escapes(app(), &[]).await, "a pipe");
    assert!(escapes(app(), &["--color", "always"]).await, "--color always");
    assert!(escapes(app().env("FORCE_COLOR", "1"), &[]).await, "FORCE_COLOR");
    assert!(
        !escapes(app().env("FORCE_COLOR", "1").env("NO_COLOR", "1"), &[]).await,
        "NO_COLOR beats FORCE_COLOR"
    );
    assert!(!escapes(app().env("FORCE_COLOR", "1"), &["--color", "never"]).await, "--color never");
    assert!(
        escapes(app().env("NO_COLOR", "1"), &["--color", "always"]).await,
        "the flag beats NO_COLOR"
    );
    assert!(!escapes(app().env("NO_COLOR", ""), &[]).await, "an empty variable has no effect");
}

#[tokio::test]
async fn an_error_has_color_only_where_it_is_wanted() {
    let plain = Project::new().snaxum(&["check", "nowhere"]).await;
    let colored = Project::new().snaxum(&["check", "nowhere", "--color", "always"]).await;

    assert!(!plain.stderr.contains('\x1b'));
    assert!(colored.stderr.contains('\x1b'), "{:?}", colored.stderr);
}

#[tokio::test]
async fn a_venv_is_used_without_being_activated() {
    let project = Project::new().file(
        "app.py",
        "import only_in_the_venv\nfrom snaxum import route\n\n@route('/')\ndef index(request):\n    import sys\n    return [only_in_the_venv.NAME, sys.prefix, sys.executable]\n",
    );
    let venv = project.path().join(".venv");
    make_venv(&project);
    let site = std::fs::read_dir(venv.join("lib"))
        .expect("a directory")
        .next()
        .expect("a Python")
        .expect("an entry");
    std::fs::write(site.path().join("site-packages/only_in_the_venv.py"), "NAME = 'found'\n")
        .expect("a file");

    let server = project.serve().await;

    let found = server.get("/").await.json();
    let prefix = venv.canonicalize().expect("it is there");
    assert_eq!(found[0], "found");
    assert_eq!(found[1].as_str().map(std::path::Path::new), Some(&*prefix));
    assert_eq!(found[2].as_str().map(std::path::Path::new), Some(&*prefix.join("bin/python")));
}

/// An environment of the Python that the binary is built for.
fn make_venv(project: &Project) {
    let made = std::process::Command::new(snaxum::build_info::BUILD_PYTHON)
        .args(["-m", "venv", "--without-pip", ".venv"])
        .current_dir(project.path())
        .status()
        .expect("Python starts");
    assert!(made.success());
}

#[tokio::test]
async fn serve_with_nothing_that_loads_exits_with_1_and_the_place() {
    let finished = Project::new()
        .file("app.py", "import os\n\nraise ValueError('not today')\n")
        .snaxum(&["serve", "--port", "0"])
        .await;

    assert_eq!(finished.code, Some(1));
    for part in ["error: nothing to serve", "again:\n  python/app.py:3", "ValueError: not today"] {
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    }
    assert!(!finished.stderr.contains("panicked"));
}

#[tokio::test]
async fn serve_runs_the_modules_that_load_beside_one_that_does_not() {
    let server = app().file("bad.py", "raise ValueError('not today')\n").serve().await;

    assert_eq!(server.get("/slow").await.status, 204);
    assert_eq!(server.get("/elsewhere").await.status, 503);
    server.err.wait_for("ValueError: not today").await;
}

#[tokio::test]
async fn a_module_with_the_name_of_a_library_module_is_explained() {
    let finished = app().file("json.py", "x = 1\n").snaxum(&["check"]).await;

    assert_eq!(finished.code, Some(1));
    for part in ["python/json.py", "standard library", "rename"] {
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn control_characters_of_the_users_never_reach_the_terminal() {
    let finished = Project::new()
        .file(
            "app.py",
            "from snaxum import route\n\n@route('/\x1b]0;x\x07')\ndef f(request): ...\n",
        )
        .snaxum(&["routes"])
        .await;

    assert!(
        !finished.stdout.contains('\x1b') && !finished.stdout.contains('\x07'),
        "{:?}",
        finished.stdout
    );
    assert!(
        !finished.stderr.contains('\x1b') && !finished.stderr.contains('\x07'),
        "{:?}",
        finished.stderr
    );
}

#[tokio::test]
async fn a_closed_stdout_does_not_end_the_server() {
    let source = "from snaxum import route\n\n@route('/')\ndef index(request):\n    return 'one'\n";
    let mut server = Project::new().file("app.py", source).dev().await;
    let mut console = server.console().await;

    server.out.hang_up().await;
    server.err.hang_up().await;

    assert_eq!(server.get("/").await.text(), "one");
    assert_eq!(server.get("/nowhere").await.status, 404);
    server.edit("app.py", &source.replace("one", "two"));
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "two");
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_path_with_spaces_and_accents_is_like_any_other() {
    let project = Project::new().top_file(
        "mein Übungs-Projekt/python/häuser.py",
        "from snaxum import route\n\n@route('/straße')\ndef straße(request):\n    return 'ok'\n",
    );

    let finished = project.snaxum(&["routes", "mein Übungs-Projekt"]).await;

    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""));
    assert!(
        finished.stdout.contains("/straße  häuser.straße  in-thread  python/häuser.py:3"),
        "{}",
        finished.stdout
    );
}
