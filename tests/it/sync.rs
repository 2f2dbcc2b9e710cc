//! `snaxum sync` with a uv that only writes down how it was called: which environments it changes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use snaxum::build_info::BUILD_VERSION;

use crate::support::Project;

const PYPROJECT: &str = "[project]\nname = 'shop'\nversion = '0'\ndependencies = ['polars']\n";
const UV: &str = "#!/bin/sh\n[ \"$1\" = --version ] && exit\n\
                  echo \"$UV_PROJECT_ENVIRONMENT: $*\" >>calls\n\
                  [ ! -e uv-fails ] || exit 1\n\
                  [ -d .venv ] || { mkdir -p .venv/bin; touch .venv/new .venv/bin/python; cp settings .venv/pyvenv.cfg; }\n";

/// A project with dependencies, and such a uv first on PATH.
fn project() -> Project {
    let project = Project::new()
        .top_file("pyproject.toml", PYPROJECT)
        .top_file("settings", &settings())
        .top_file("tools/uv", UV);
    let uv = project.path().join("tools/uv");
    fs::set_permissions(&uv, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = std::env::var("PATH").expect("a PATH");
    let path = format!("{}:{path}", uv.parent().expect("tools").display());
    project.env("PATH", &path)
}

/// The settings of an environment of this version.
fn settings() -> String {
    format!("home = /usr/bin\nversion = {BUILD_VERSION}\n")
}

/// Adds a `.venv` of this version that another tool has made.
fn with_venv(project: Project) -> Project {
    project.top_file(".venv/pyvenv.cfg", &settings()).top_file(".venv/bin/python", "")
}

fn calls(project: &Project) -> String {
    fs::read_to_string(project.path().join("calls")).unwrap_or_default()
}

fn package() -> String {
    let minor: Vec<&str> = BUILD_VERSION.split('.').take(2).collect();
    format!(".venv/lib/python{}/site-packages/snaxum/__init__.py", minor.join("."))
}

#[tokio::test]
async fn an_environment_is_updated_by_its_own_interpreter() {
    let project = with_venv(project());
    let finished = project.snaxum(&["sync"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let root = project.path().canonicalize().expect("it is there").join(".venv");
    let (root, calls) = (root.display(), calls(&project));
    // For another interpreter of the same version uv would remove the environment.
    assert!(calls.contains(&format!("{root}: sync --python {root}/bin/python")), "{calls}");
}

#[tokio::test]
async fn snaxum_stays_installed_in_an_environment() {
    let project = with_venv(project()).top_file(&package(), "");
    assert_eq!(project.snaxum(&["sync"]).await.code, Some(0));
    assert!(calls(&project).contains("--inexact"), "{}", calls(&project));
}

#[tokio::test]
async fn only_the_rest_of_a_setup_that_was_cut_short_is_removed() {
    for (has_snaxum, is_kept) in [(true, true), (false, false)] {
        let mut project = with_venv(project()).top_file(".snaxum/venv-unfinished", "unfinished\n");
        if has_snaxum {
            project = project.top_file(&package(), "");
        }
        let finished = project.snaxum(&["sync"]).await;
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert_eq!(finished.stderr.contains("starting over"), !is_kept, "{}", finished.stderr);
        assert_eq!(project.path().join(".venv/new").exists(), !is_kept);
        assert!(!project.path().join(".snaxum/venv-unfinished").exists(), "it is complete now");
    }
}

#[tokio::test]
async fn a_setup_that_failed_leaves_nothing_that_removes_another_environment() {
    let project = project().top_file("uv-fails", "");
    let failed = project.snaxum(&["sync"]).await;
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(!project.path().join(".venv").exists());

    let project = with_venv(project);
    fs::remove_file(project.path().join("uv-fails")).expect("it is there");
    let finished = project.snaxum(&["sync"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(!finished.stderr.contains("starting over"), "{}", finished.stderr);
    assert!(!project.path().join(".venv/new").exists(), "the environment is the other tool's");
}

#[tokio::test]
async fn an_environment_without_pip_is_updated_by_the_pip_of_its_python() {
    // The interpreter of the environment writes down how that pip calls it.
    let project = with_venv(Project::new().top_file("pyproject.toml", PYPROJECT))
        .top_file(".venv/bin/python", "#!/bin/sh\necho \"$*\" >>calls\n")
        .env("PATH", "/nowhere"); // no uv
    let python = project.path().join(".venv/bin/python");
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let finished = project.snaxum(&["sync"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let calls = calls(&project);
    assert!(calls.contains("pip") && calls.contains(" install "), "{calls}");
    assert!(calls.contains(" polars"), "{calls}");
}

#[tokio::test]
async fn the_tables_of_uv_are_read_for_a_project_that_names_snaxum() {
    let named = PYPROJECT.replace("'polars'", "'polars', 'snaxum'");
    for (group, is_named) in [("", false), ("[dependency-groups]\nDev = ['pytest']\n", true)] {
        let project = with_venv(project()).top_file("pyproject.toml", &format!("{named}{group}"));
        let finished = project.snaxum(&["sync"]).await;
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let calls = calls(&project);
        assert!(calls.contains("-r pyproject.toml --override "), "{calls}");
        assert_eq!(calls.contains("--group dev"), is_named, "{calls}");
        let path = project.path().join(".snaxum/uv-override.txt");
        let left_out = fs::read_to_string(path).expect("the file that was named");
        assert!(left_out.starts_with("snaxum;"), "{left_out}");
    }
}

#[tokio::test]
async fn an_environment_that_cannot_be_updated_is_an_error() {
    for (settings, problem) in [("version = 3.7.9\n", "is of Python 3.7"), ("", "names no version")]
    {
        let project = project()
            .top_file(".venv/pyvenv.cfg", &format!("home = /usr/bin\n{settings}"))
            .top_file(".venv/bin/python", "");
        let finished = project.snaxum(&["sync"]).await;
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(finished.stderr.contains(problem), "{}", finished.stderr);
        assert!(finished.stderr.contains("remove it and run `snaxum sync`"), "{}", finished.stderr);
        assert_eq!(calls(&project), "");
    }
}
