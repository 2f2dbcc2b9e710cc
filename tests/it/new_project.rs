//! `snaxum new`: each template is a project that passes its tests, serves and reloads. Bad input writes
//! nothing. The Rust program of its template is in `quick_start/template.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use super::support::{Project, Reply, snaxum};
use super::terminal::Screen;

/// An edit of a project, and the request that shows it.
struct Edit {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    path: &'static str,
    before: &'static str,
    after: &'static str,
}

/// A directory with nothing in it.
pub(crate) fn empty() -> Project {
    let project = Project::new();
    fs::remove_dir(project.path().join("python")).expect("it is empty");
    project
}

/// Creates a project, without its packages.
pub(crate) async fn created(template: &str) -> Project {
    let project = empty();
    let created = project.snaxum(&["new", ".", "--template", template]).await;
    assert_eq!(created.code, Some(0), "{}", created.stderr);
    project
}

/// Runs the tests of the project, serves it, and edits it while it serves.
async fn check(project: Project, edit: Edit) {
    let tested = project.snaxum(&["test"]).await;
    assert_eq!(tested.code, Some(0), "{}{}", tested.stdout, tested.stderr);
    assert!(tested.stdout.contains(" passed"), "{}", tested.stdout);

    let mut server = project.dev().await;
    let reply = server.get(edit.path).await;
    assert!(reply.status == 200 && reply.text().contains(edit.before), "{}", reply.text());

    let file = server.project.path().join(edit.file);
    let text = fs::read_to_string(&file).expect("the template has it");
    assert_eq!(text.matches(edit.from).count(), 1, "{text}");
    fs::write(&file, text.replace(edit.from, edit.to)).expect("it is ours");
    let waited = server.project.snaxum(&["wait"]).await;
    assert_eq!(waited.code, Some(0), "{}", waited.stderr);
    let reply = server.get(edit.path).await;
    assert!(reply.status == 200 && reply.text().contains(edit.after), "{}", reply.text());
    assert!(server.stop().await.success());
}

// The templates

#[tokio::test]
async fn the_minimal_template_installs_its_packages_and_works() {
    let project = created("minimal").await;
    // The package `snaxum` is in the binary: no index is asked for it.
    let mut sync = project.command(&snaxum());
    let synced = sync.arg("sync").output().await.expect("it starts"); // pip takes its time
    let output = String::from_utf8_lossy(&synced.stderr);
    assert!(synced.status.success() && output.contains("for pytest>=8 ("), "{output}");

    let edit = Edit {
        file: "python/app.py",
        from: "Hello, ",
        to: "Good morning, ",
        path: "/?name=Ada",
        before: r#"{"message":"Hello, Ada"}"#,
        after: r#"{"message":"Good morning, Ada"}"#,
    };
    check(project, edit).await;
}

#[tokio::test]
async fn the_data_template_works() {
    let edit = Edit {
        file: "python/app.py",
        from: "page(EXAMPLE.name, example)",
        to: "page('The example', example)",
        path: "/",
        before: "<h1>sales.csv</h1>",
        after: "<h1>The example</h1>",
    };
    check(created("data").await.packages(), edit).await;
}

#[tokio::test]
async fn the_ml_template_works() {
    let edit = Edit {
        file: "python/app.py",
        from: r#""weights": len(weights())"#,
        to: r#""weights": weights().round()"#,
        path: "/health",
        before: r#""weights":4"#,
        after: r#""weights":["#,
    };
    check(created("ml").await.packages(), edit).await;
}

#[tokio::test]
async fn the_fastapi_template_works() {
    let edit = Edit {
        file: "app/main.py",
        from: "Hello from",
        to: "Good morning from",
        path: "/",
        before: "Hello from FastAPI",
        after: "Good morning from FastAPI",
    };
    check(created("fastapi").await.packages(), edit).await;
}

#[tokio::test]
async fn the_endpoints_of_the_rust_template_run_without_its_program() {
    let edit = Edit {
        file: "python/endpoints.py",
        from: "[120,",
        to: "[121,",
        path: "/python/sales",
        before: r#"{"city":"Graz","sales":215}"#,
        after: r#"{"city":"Graz","sales":216}"#,
    };
    check(created("rust").await.packages().args(&["--no-cargo"]), edit).await;
}

#[tokio::test]
async fn a_model_of_the_ml_template_is_trained_once_and_predicts_in_the_pool() {
    let server = created("ml").await.packages().dev().await;
    let houses = json!([{"area": 100, "rooms": 4, "age": 10}]);
    let before = server.post("/predictions/batch", &houses).await;
    assert_eq!(before.status, 200, "{}", before.text());

    let file = server.python("model.py");
    let text = fs::read_to_string(&file).expect("the template has it");
    fs::write(&file, text.replace("@ weights", "@ weights * 2")).expect("it is ours");
    let after = server.post("/predictions/batch", &houses).await;
    let price = |reply: &Reply| reply.json()["prices"][0].as_f64().expect("a price");
    assert!((price(&after) - 2.0 * price(&before)).abs() < 2.0, "{}", after.text());
}

#[tokio::test]
async fn the_python_tests_have_the_packages_of_the_templates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tested = fs::read_to_string(root.join("tests/python/requirements.txt")).expect("a file");
    for template in ["data", "ml", "rust", "fastapi"] {
        let path = root.join("templates/new").join(template).join("pyproject.toml");
        let text = fs::read_to_string(path).expect("a file");
        for requirement in text.split('"').filter(|text| text.contains(">=")) {
            let name = requirement.split(">=").next().expect("a name");
            let is_tested = tested.lines().any(|line| line.starts_with(&format!("{name}==")));
            assert!(is_tested || ["", "snaxum"].contains(&name), "{template}: {requirement}");
        }
    }
}

// The command

#[tokio::test]
async fn the_next_commands_are_printed() {
    let parent = empty();
    let created = parent.snaxum(&["new", "some where/demo"]).await;

    assert_eq!((created.code, &*created.stderr), (Some(0), ""));
    insta::assert_snapshot!(created.stdout, @r"
    created `some where/demo`; next:
      cd 'some where/demo'
      snaxum dev     # serve with live reload
      snaxum test    # run the tests
    ");
    let text = |name: &str| {
        fs::read_to_string(parent.path().join("some where/demo").join(name)).expect("a file")
    };
    assert!(text("pyproject.toml").contains("name = \"demo\""));
    assert!(text("README.md").starts_with("# demo\n"));
    assert!(text(".gitignore").contains(".venv/"));
}

#[tokio::test]
async fn a_terminal_is_asked_until_the_values_are_valid() {
    let mut screen = Screen::open(empty(), 100, &["new"]);
    screen.wait_for("name: ").await;
    screen.press("my project\r");
    screen.wait_for("is not a valid package name").await;
    screen.wait_for_times("name: ", 2).await;
    screen.press("demo\r");
    screen.wait_for("template [minimal]: ").await;
    screen.press("datta\r");
    screen.wait_for("no template `datta`").await;
    screen.press("\r");
    screen.wait_for("created `demo`").await;
    assert!(screen.child.wait().await.expect("a child of ours").success());
    assert!(screen.project.path().join("demo/python/app.py").is_file());
}

#[tokio::test]
async fn the_end_of_the_input_ends_the_questions() {
    let mut screen = Screen::open(empty(), 100, &["new"]);
    screen.wait_for("name: ").await;
    screen.press("\u{4}");
    let status = screen.child.wait().await.expect("a child of ours");
    assert_eq!(status.code(), Some(1));
}

// Bad input

#[tokio::test]
async fn bad_input_names_the_problem_and_the_way_out_and_writes_nothing() {
    let parent = empty().top_file("full/notes.txt", "mine").top_file("file", "mine");
    fs::create_dir(parent.path().join("fixed")).expect("it is new");
    std::os::unix::fs::symlink("nowhere", parent.path().join("link")).expect("it is new");
    let cases: [(&[&str], i32, &str); 15] = [
        (&["full"], 2, "cannot create `full`: the directory is not empty; choose another name"),
        (&["file"], 2, "`file`: it exists and is not a directory; choose another name"),
        (&["link"], 2, "`link`: it exists and is not a directory; choose another name"),
        (&["file/demo"], 1, "choose a directory that you can write to"),
        (&["my project"], 2, "`my project` is not a valid package name; use ASCII letters"),
        (&["-demo"], 2, "unexpected argument '-d'"),
        (&["demo-"], 2, "is not a valid package name"),
        (&["é"], 2, "is not a valid package name"),
        (&["Snaxum"], 2, "would depend on itself, since it needs the package `snaxum`"),
        (&["polars", "--template", "data"], 2, "it needs the package `polars`; choose another"),
        (&["fn", "--template", "rust"], 2, "`fn` is not a valid name of a Rust program"),
        (&["demo", "--template", "dta"], 2, "minimal, data, ml, rust, fastapi"),
        (&["demo", "more"], 2, "unexpected argument 'more'"),
        (&[], 2, "Usage: snaxum new [OPTIONS] [NAME]"),
        (&["/proc/demo"], 1, "cannot write `/proc/demo`: "),
    ];
    for (arguments, code, problem) in cases {
        let finished = parent.snaxum(&[&["new"], arguments].concat()).await;
        assert_eq!(finished.code, Some(code), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(problem), "{arguments:?}: {}", finished.stderr);
        assert_eq!(finished.stdout, "", "{arguments:?}");
    }
    let mut names: Vec<_> = fs::read_dir(parent.path())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["file", "fixed", "full", "link"]);
    assert_eq!(fs::read_dir(parent.path().join("full")).expect("a directory").count(), 1);
}

#[tokio::test]
async fn a_directory_without_permission_is_an_error() {
    let parent = empty();
    let fixed = parent.path().join("fixed");
    fs::create_dir(&fixed).expect("it is new");
    fs::set_permissions(&fixed, fs::Permissions::from_mode(0o555)).expect("it is ours");
    if fs::write(fixed.join("probe"), "").is_ok() {
        return; // root may write everywhere
    }
    let finished = parent.snaxum(&["new", "fixed/a/demo"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("Permission denied"), "{}", finished.stderr);
    assert_eq!(fs::read_dir(&fixed).expect("a directory").count(), 0);
}

// Completions and the manual

#[tokio::test]
async fn each_shell_has_completions_and_each_command_a_page() {
    let parent = empty();
    for shell in ["bash", "elvish", "fish", "zsh", "powershell"] {
        let finished = parent.snaxum(&["completions", shell]).await;
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""));
        for word in ["routes", "pool-workers", "template", "openapi"] {
            assert!(finished.stdout.contains(word), "{shell}: {word}");
        }
    }
    let unknown = parent.snaxum(&["completions", "tcsh"]).await;
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("bash, elvish, fish"), "{}", unknown.stderr);

    let page = parent.snaxum(&["man"]).await;
    assert!(page.stdout.contains(".TH snaxum 1"), "{}", page.stdout);
    let written = parent.snaxum(&["man", "pages"]).await;
    assert_eq!((written.code, &*written.stderr), (Some(0), ""));
    for name in ["snaxum.1", "snaxum-dev.1", "snaxum-new.1"] {
        let page = fs::read_to_string(parent.path().join("pages").join(name)).expect(name);
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    let refused = parent.snaxum(&["man", "/proc/pages"]).await;
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
}
