//! Runs pytest, mypy and ruff on the framework, and typos and the prose check on the repository.
//!
//! They are installed in a virtual environment below `target/`.
//!
//! The interpreter is that of the build, so one build tests one Python.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use snaxum::build_info::{BUILD_PYTHON, BUILD_VERSION};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?} ended with {status}");
}

/// Returns the interpreter of the environment, which is made again when the requirements change.
fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            let wanted =
                fs::read(root().join("tests/python/requirements.txt")).expect("checked in");
            let venv =
                Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{BUILD_VERSION}"));
            let stamp = venv.join("requirements.installed");
            let python = venv.join("bin/python");
            if fs::read(&stamp).ok().as_deref() != Some(&wanted) {
                run(Command::new(BUILD_PYTHON).args(["-m", "venv", "--clear"]).arg(&venv));
                run(Command::new(&python)
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
                    .arg("tests/python/requirements.txt")
                    .current_dir(root()));
                fs::write(&stamp, wanted).expect("the environment is ours");
            }
            python
        })
        .clone()
}

fn module(args: &[&str]) {
    run(Command::new(python())
        .arg("-m")
        .args(args)
        .current_dir(root().join("python"))
        .env_remove("PYTHONDONTWRITEBYTECODE"));
}

#[test]
fn the_framework_passes_its_tests() {
    module(&["pytest", "-q", "-p", "no:cacheprovider"]);
}

#[test]
#[ignore = "takes minutes: `just fuzz` runs it"]
fn fuzz_the_framework() {
    let fuzz = ["--hypothesis-profile=fuzz", "--hypothesis-show-statistics", "-m", "hypothesis"];
    module(&[&["pytest", "-q", "-p", "no:cacheprovider"], &fuzz[..]].concat());
}

#[test]
fn the_framework_is_typed_throughout() {
    module(&["mypy", "snaxum"]);
}

const PYTHON_CODE: [&str; 5] =
    [".", "../tests/python", "../tests/prose", "../example/python", "../bench"];

#[test]
fn the_python_code_is_formatted_and_free_of_lint() {
    module(&[&["ruff", "check"], &PYTHON_CODE[..]].concat());
    module(&[&["ruff", "format", "--check"], &PYTHON_CODE[..]].concat());
}

#[test]
fn the_spelling_is_right() {
    run(Command::new(python().with_file_name("typos")).current_dir(root()));
}

#[test]
fn the_prose_is_plain_english() {
    run(Command::new(BUILD_PYTHON).arg("tests/prose/check.py").current_dir(root()));
}

#[test]
#[ignore = "changes files: `just fmt` calls it"]
fn format_in_place() {
    module(&[&["ruff", "format"], &PYTHON_CODE[..]].concat());
}
