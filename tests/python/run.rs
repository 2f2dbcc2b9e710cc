//! Runs pytest, type checkers and ruff on the framework; typos and the prose check on the repository.
//!
//! They are installed in a virtual environment below `target/`.
//!
//! The interpreter is that of the build, so one build tests one Python.

mod schemathesis;
mod venv;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use snaxum::build_info::BUILD_PYTHON;
use tempfile::TempDir;
use venv::{python, run};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
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

/// Returns a copy of a project of `tests/projects`, with the environment of these tests.
fn project(name: &str) -> TempDir {
    project_at(&root().join("tests/projects").join(name))
}

fn project_at(from: &Path) -> TempDir {
    let to = tempfile::tempdir().expect("a temporary directory");
    copy(from, to.path());
    let venv = python().ancestors().nth(2).expect("bin/python").to_owned();
    std::os::unix::fs::symlink(venv, to.path().join(".venv")).expect("the directory is new");
    to
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it is ours");
    for entry in fs::read_dir(from).expect("checked in") {
        let entry = entry.expect("readable");
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue; // `.venv` and `.snaxum` of the checkout
        }
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file");
        }
    }
}

fn snaxum_test(project: &TempDir, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snaxum"));
    command.arg("test").arg(project.path()).args(args).env_remove("PYTHONDONTWRITEBYTECODE");
    let output = command.output().expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_project_tests_its_routes_without_a_socket() {
    let (code, output) = snaxum_test(&project("testing"), &[]);
    assert!(code == Some(0) && output.contains(" passed in "), "{output}");
}

#[test]
fn the_codec_in_rust_does_what_the_code_in_python_does() {
    let names = ["test_encoding.py", "test_library_values.py", "test_request.py", "test_state.py"];
    let files = names.map(|name| root().join("tests/python").join(name).display().to_string());
    let args: Vec<_> = ["--", "-q"].into_iter().chain(files.iter().map(String::as_str)).collect();

    let (code, output) = snaxum_test(&project("testing"), &args);

    let is_whole = output.contains(" passed in ") && !output.contains(" skipped");
    assert!(code == Some(0) && is_whole, "{output}");
}

#[test]
fn another_server_serves_a_project_as_its_application() {
    let (code, output) = snaxum_test(&project("asgi"), &[]);
    assert!(code == Some(0) && output.contains(" passed in "), "{output}");
}

/// Runs the tests of a quick start, which send the same requests to the original framework.
fn compare(name: &str) {
    let project = project(name);
    let shared = root().join("tests/projects/comparison.py");
    fs::copy(shared, project.path().join("comparison.py")).expect("checked in");
    let (code, output) = snaxum_test(&project, &["--", "-q"]);
    assert!(code == Some(0) && output.contains(" passed in "), "{output}");
}

#[test]
fn the_quick_start_of_flask_has_the_same_responses() {
    compare("flask");
}

#[test]
fn the_quick_start_of_fastapi_has_the_same_responses() {
    compare("fastapi");
}

#[test]
fn pytest_gets_the_arguments_and_decides_the_exit_code() {
    let project = project("testing");
    fs::write(project.path().join("tests/test_more.py"), "def test_it():\n    assert 1 == 2\n")
        .expect("a file");
    let (code, output) = snaxum_test(&project, &["--", "-q", "tests/test_more.py"]);
    assert!(code == Some(1) && output.contains("1 failed"), "{output}");
    let (code, output) = snaxum_test(&project, &["--", "-k", "no_test_has_this_name"]);
    assert!(code == Some(5) && output.contains("deselected"), "{output}");
}

#[test]
fn a_missing_pytest_is_named_with_the_way_out() {
    let project = project("testing");
    fs::remove_file(project.path().join(".venv")).expect("a link");
    run(Command::new(BUILD_PYTHON)
        .args(["-m", "venv", "--without-pip"])
        .arg(project.path().join(".venv")));
    let (code, output) = snaxum_test(&project, &[]);
    assert!(code == Some(4) && output.contains("pytest is not installed"), "{output}");
    assert!(output.contains("snaxum sync"), "{output}");
}

#[test]
#[ignore = "takes minutes: `just properties` runs it"]
fn fuzz_the_framework() {
    let fuzz = ["--hypothesis-profile=fuzz", "--hypothesis-show-statistics", "-m", "hypothesis"];
    module(&[&["pytest", "-q", "-p", "no:cacheprovider"], &fuzz[..]].concat());
}

#[test]
fn the_framework_and_the_example_are_typed_throughout() {
    module(&["mypy", "snaxum", "../example/python"]);
}

fn types() -> PathBuf {
    root().join("tests/types")
}

/// Runs a type checker in `tests/types`; returns whether it found nothing, and its output.
fn check_types(command: &mut Command) -> (bool, String) {
    let output = command.current_dir(types()).output().expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn mypy(files: &[&str]) -> (bool, String) {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mypy-types");
    let mut command = Command::new(python());
    command.args(["-m", "mypy", "--hide-error-context", "--no-color-output", "--cache-dir"]);
    check_types(command.arg(cache).args(files))
}

/// Runs pyright, which npm installs when its lock file changes.
fn pyright(args: &[&str]) -> (bool, String) {
    let package_lock = types().join("package-lock.json");
    let locked = File::open(&package_lock).expect("checked in");
    locked.lock().expect("the file system has locks");
    let wanted = fs::read(&package_lock).expect("it was opened");
    let stamp = types().join("node_modules/.installed-lock");
    if fs::read(&stamp).ok().as_deref() != Some(&wanted) {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(types()));
        fs::write(&stamp, wanted).expect("npm made the directory");
    }
    locked.unlock().expect("it is locked");
    let mut command = Command::new("npx");
    command.args(["--no-install", "pyright", "--pythonpath"]).arg(python());
    check_types(command.args(args).env("PYTHONPATH", root().join("python")))
}

#[test]
fn every_public_name_is_typed() {
    let (is_complete, output) = pyright(&["--verifytypes", "snaxum", "--ignoreexternal"]);
    assert!(is_complete && output.contains("Type completeness score: 100%"), "{output}");
}

#[test]
fn a_typed_project_has_no_errors() {
    let projects = ["../projects/flask/python", "../projects/fastapi/python"];
    let (is_clean, output) = mypy(&[&["accepted.py"], &projects[..]].concat());
    assert!(is_clean, "{output}");
    let (is_clean, output) = pyright(&["accepted.py"]);
    assert!(is_clean, "{output}");
}

#[test]
fn each_typed_mistake_is_an_error_on_its_line() {
    let source = fs::read_to_string(types().join("refused.py")).expect("checked in");
    let marked = |of_both: &[&str]| -> BTreeSet<usize> {
        let lines = source.lines().zip(1..);
        let errors = lines.filter(|(line, _)| of_both.iter().any(|mark| line.ends_with(mark)));
        errors.map(|(_, number)| number).collect()
    };
    for ((_, output), expected) in [
        (mypy(&["refused.py"]), marked(&["# error"])),
        (pyright(&["refused.py"]), marked(&["# error", "# error of pyright"])),
    ] {
        let errors = output.lines().filter(|line| line.contains("error: "));
        let places = errors.filter_map(|line| line.split_once("refused.py:"));
        let numbers = places.filter_map(|(_, place)| place.split(':').next()?.parse().ok());
        assert_eq!(numbers.collect::<BTreeSet<usize>>(), expected, "{output}");
    }
}

const PYTHON_CODE: [&str; 10] = [
    ".",
    "../tests/python",
    "../tests/fuzz",
    "../tests/projects",
    "../tests/types",
    "../tests/prose",
    "../tests/conformance",
    "../example/python",
    "../templates/new",
    "../bench",
];

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
