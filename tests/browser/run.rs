//! Runs each file of browser tests as a test, so that they run beside each other and beside other tests;
//! and TypeScript on the modules of the console.
//!
//! Installs their npm packages in `tests/browser` first. Uses the system's Chromium; `install-chromium`
//! installs Debian's if there is none. Checks nothing itself.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

macro_rules! spec_files {
    ($($name:ident),* $(,)?) => {
        const SPEC_FILES: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            playwright(stringify!($name));
        })*
    };
}

spec_files! {
    accessibility,
    background,
    broken_bodies,
    calls,
    columns,
    console,
    details,
    docs,
    editor,
    errors,
    example,
    exports,
    filters,
    forms,
    hands,
    hostile,
    logs,
    now,
    pages,
    preview,
    replay,
    routes,
    streams,
    tasks,
    time_to_the_line,
    times,
    tracebacks,
    viewers,
    websockets,
    words,
    workers,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

fn run(command: &mut Command) {
    let status = command.current_dir(directory()).status().expect("node, npm and sh are on PATH");
    assert!(status.success(), "{command:?} failed: {status}");
}

/// Installs what is missing. Other processes with such a test wait meanwhile.
fn install() {
    let package_lock = directory().join("package-lock.json");
    let locked = File::open(&package_lock).expect("it is in the repository");
    locked.lock().expect("the file system has locks");
    run(Command::new("sh").arg("install-chromium"));
    let wanted = fs::read(&package_lock).expect("it was opened");
    let stamp = directory().join("node_modules/.installed-lock");
    if fs::read(&stamp).ok().as_deref() != Some(&wanted) {
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"));
        fs::write(&stamp, wanted).expect("npm created the directory");
    }
}

/// Builds the example, a program that calls Python from Rust, beside the binary of these tests.
fn built_example() -> PathBuf {
    let debug = Path::new(env!("CARGO_BIN_EXE_snaxum")).parent().expect("target/debug/snaxum");
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--workspace", "--bin", "snaxum-example", "--target-dir"]);
    run(command.arg(debug.parent().expect("it is below the target directory")));
    debug.join("snaxum-example")
}

fn installed() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(install);
}

fn playwright(name: &str) {
    installed();
    // Playwright empties its directory of results when it starts, so each file has its own.
    let results = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser").join(name);
    let mut command = Command::new("node");
    command
        .args(["node_modules/@playwright/test/cli.js", "test", &format!("/{name}.spec.js")])
        .arg("--output")
        .arg(results)
        .env("SNAXUM_BIN", env!("CARGO_BIN_EXE_snaxum"));
    if name == "calls" {
        command.env("SNAXUM_EXAMPLE_BIN", built_example());
    }
    run(&mut command);
}

#[test]
fn the_modules_of_the_console_have_types() {
    installed();
    run(Command::new("node").arg("check-types.js"));
}

#[test]
fn each_spec_file_is_a_test() {
    let mut found: Vec<String> = fs::read_dir(directory())
        .expect("it is in the repository")
        .filter_map(|entry| {
            let name = entry.expect("readable").file_name().into_string().expect("UTF-8");
            Some(name.strip_suffix(".spec.js")?.to_owned())
        })
        .collect();
    found.sort();
    assert_eq!(found, SPEC_FILES, "list each file in `spec_files!`");
}
